/* plan_compile.c - resolves a writer schema against ours and makes the steps of its decode plan.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/forbidden.h"
#include "codec/plan_steps.h"

#include <assert.h>
#include <stdlib.h>

/* What the reader's field holds, apart from null. */
enum reader_kind { READ_TEXT, READ_NUMBER, READ_TIME, READ_ATTEMPT, READ_SYMBOL, READ_URLS };

/* One field of codec/schema/request_outcome.avsc. */
struct reader_field {
    const char *name;
    const char *alias; /* or NULL */
    enum reader_kind kind;
    bool nullable;
    uint8_t symbol_default; /* for the writer's symbols that we do not know */
    uint8_t symbol_count;
    uint16_t offset; /* in struct decoded */
    uint16_t flag;   /* in struct decoded, of a number */
    const char *const *symbols;
};

#define AT(member) ((uint16_t)offsetof(struct decoded, member))
#define TEXT(field, may_be_null, member)                                                    \
    {                                                                                       \
        .name = (field), .kind = READ_TEXT, .nullable = (may_be_null), .offset = AT(member) \
    }
#define NUMBER(field, member, flag_member)                                            \
    {                                                                                 \
        .name = (field), .kind = READ_NUMBER, .nullable = true, .offset = AT(member), \
        .flag = AT(flag_member)                                                       \
    }
#define SYMBOL(field, old_name, may_be_null, member, names, fallback, all)                    \
    {                                                                                         \
        .name = (field), .alias = (old_name), .kind = READ_SYMBOL, .nullable = (may_be_null), \
        .symbol_default = (fallback), .symbol_count = (all), .offset = AT(member),            \
        .symbols = (names)                                                                    \
    }

static const struct reader_field reader_fields[] = {
        TEXT("event_id", false, outcome.event_id),
        TEXT("source", true, outcome.source),
        {.name = "event_time", .kind = READ_TIME, .offset = AT(outcome.event_time_ms)},
        TEXT("operation_id", false, outcome.operation_id),
        {.name = "attempt_number", .kind = READ_ATTEMPT, .offset = AT(outcome.attempt_number)},
        SYMBOL("retry_layer", NULL, false, outcome.retry_layer, retry_layer_names, LAYER_UNKNOWN,
                LAYER_COUNT),
        {.name = "owner_tag",
                .alias = "owner_group",
                .kind = READ_TEXT,
                .nullable = true,
                .offset = AT(outcome.dimensions[DIM_OWNER])},
        TEXT("workload_tag", true, outcome.dimensions[DIM_WORKLOAD]),
        TEXT("environment", true, outcome.dimensions[DIM_ENVIRONMENT]),
        TEXT("request_class", true, outcome.dimensions[DIM_CLASS]),
        TEXT("budget_bucket", true, outcome.dimensions[DIM_BUCKET]),
        TEXT("unit_metric", true, outcome.unit_metric),
        TEXT("project_tag", true, unused_text),
        TEXT("product_tag", true, unused_text),
        TEXT("allocation_rule_id", true, outcome.allocation_rule_id),
        SYMBOL("result_category", "outcome", false, outcome.result, result_names, RESULT_UNKNOWN,
                RESULT_COUNT),
        SYMBOL("error_category", NULL, true, outcome.error_category, error_category_names,
                ERROR_OTHER, ERROR_COUNT),
        SYMBOL("retry_cause", NULL, true, outcome.retry_cause, retry_cause_names, CAUSE_UNKNOWN,
                CAUSE_COUNT),
        SYMBOL("retry_decision", NULL, true, outcome.retry_decision, retry_decision_names,
                RETRY_DECISION_RETRY, RETRY_DECISION_COUNT),
        NUMBER("input_tokens", outcome.input_tokens, outcome.has_input_tokens),
        NUMBER("output_tokens", outcome.output_tokens, outcome.has_output_tokens),
        NUMBER("cached_input_tokens", unused_number, unused_flag),
        NUMBER("units", outcome.units, outcome.has_units),
        SYMBOL("usage_source", NULL, false, outcome.usage_source, usage_source_names,
                USAGE_REPORTED, USAGE_COUNT),
        {.name = "source_urls", .kind = READ_URLS},
        {.name = "pricing_source_checked_at",
                .kind = READ_TIME,
                .nullable = true,
                .offset = AT(outcome.pricing_source_checked_at_ms)},
};

static const struct reader_field url_item = TEXT("source_urls", false, url);

#define READER_FIELDS (sizeof(reader_fields) / sizeof(reader_fields[0]))

/* A program that is still to be compiled. */
struct job {
    enum { JOB_RECORD, JOB_READ, JOB_SKIP, JOB_MISFIT } kind;
    uint32_t node;
    const struct reader_field *field; /* to read */
    const struct schema_field *in;    /* the writer's field that it is a part of, or NULL */
};

struct compiler {
    struct plan *plan;
    const struct schema *schema;
    struct job *jobs; /* the program with the same number */
    size_t job_capacity;
    uint32_t *skip_program;        /* skip_program[node]: its number, or NO_PROGRAM */
    uint8_t *sizes;                /* sizes[node]: enum size */
    const struct schema_field *in; /* the writer's field that is being compiled, or NULL */
};

enum size { SIZE_UNKNOWN, SIZE_ZERO, SIZE_SOME };

static void
emit(struct compiler *c, struct step step)
{
    struct plan *plan = c->plan;

    plan->steps =
            memory_grow(plan->steps, plan->step_count, &plan->step_capacity, sizeof(*plan->steps));
    plan->names =
            memory_grow(plan->names, plan->step_count, &plan->name_capacity, sizeof(*plan->names));
    plan->names[plan->step_count] = c->in != NULL ? c->in->name : NULL;
    plan->steps[plan->step_count++] = step;
}

static uint32_t
add_program(struct compiler *c, struct job job)
{
    struct plan *plan = c->plan;

    plan->programs = memory_grow(
            plan->programs, plan->program_count, &plan->program_capacity, sizeof(*plan->programs));
    c->jobs = memory_grow(c->jobs, plan->program_count, &c->job_capacity, sizeof(*c->jobs));
    c->jobs[plan->program_count] = job;
    plan->programs[plan->program_count] = 0;
    return (uint32_t)plan->program_count++;
}

/* Room for a union's branches; returns the number of the first. */
static uint32_t
add_targets(struct compiler *c, uint32_t count)
{
    struct plan *plan = c->plan;
    const size_t first = plan->target_count;

    for (uint32_t i = 0; i < count; i++) {
        plan->targets = memory_grow(
                plan->targets, plan->target_count, &plan->target_capacity, sizeof(*plan->targets));
        plan->targets[plan->target_count++] = NO_PROGRAM;
    }
    return (uint32_t)first;
}

static const struct schema_node *
node_at(const struct compiler *c, uint32_t node)
{
    return &c->schema->nodes[node];
}

static uint32_t
branch_at(const struct compiler *c, const struct schema_node *node, uint32_t index)
{
    return c->schema->branches[node->first + index];
}

/* Whether values of this type have no bytes at all, such as null or a record of nulls. Those get
 * no step: nothing that the plan does may cost time without using up input. */
static bool
is_empty(struct compiler *c, uint32_t number)
{
    const struct schema_node *node = node_at(c, number);
    bool empty = true;

    if (node->kind != SCHEMA_RECORD) {
        return node->kind == SCHEMA_NULL || (node->kind == SCHEMA_FIXED && node->size == 0);
    }
    if (c->sizes[number] == SIZE_UNKNOWN) {
        c->sizes[number] = SIZE_SOME; /* a record inside itself has no end */
        for (uint32_t i = 0; i < node->count && empty; i++) {
            empty = is_empty(c, c->schema->fields[node->first + i].node);
        }
        c->sizes[number] = empty ? SIZE_ZERO : SIZE_SOME;
    }
    return c->sizes[number] == SIZE_ZERO;
}

static uint32_t
skip_program(struct compiler *c, uint32_t node)
{
    if (is_empty(c, node)) {
        return NO_PROGRAM;
    }
    if (c->skip_program[node] == NO_PROGRAM) {
        c->skip_program[node] = add_program(c, (struct job){JOB_SKIP, node, NULL, c->in});
    }
    return c->skip_program[node];
}

/* The branch that is null, in a union of two with one; else -1. */
static int
null_branch(const struct compiler *c, const struct schema_node *node)
{
    if (node->kind != SCHEMA_UNION || node->count != 2) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        if (node_at(c, branch_at(c, node, (uint32_t)i))->kind == SCHEMA_NULL &&
                node_at(c, branch_at(c, node, 1 - (uint32_t)i))->kind != SCHEMA_NULL) {
            return i;
        }
    }
    return -1;
}

static void compile_skip(struct compiler *c, uint32_t number, enum forbidden mark);

static void
compile_skip_union(struct compiler *c, const struct schema_node *node, enum forbidden mark)
{
    const int null = null_branch(c, node);

    if (null >= 0) {
        const size_t maybe = c->plan->step_count;

        emit(c, (struct step){.op = STEP_MAYBE, .null_byte = (uint8_t)(null * 2)});
        compile_skip(c, branch_at(c, node, 1 - (uint32_t)null), mark);
        c->plan->steps[maybe].arg = (uint32_t)(c->plan->step_count - maybe - 1);
        return;
    }
    if (mark != FORBIDDEN_COUNT) {
        emit(c, (struct step){.op = STEP_MARK, .arg = mark});
    }

    const uint32_t first = add_targets(c, node->count);

    for (uint32_t i = 0; i < node->count; i++) {
        const uint32_t branch = branch_at(c, node, i);
        uint32_t program = skip_program(c, branch);

        if (program == NO_PROGRAM) { /* a branch without bytes still needs an end */
            program = add_program(c, (struct job){JOB_SKIP, branch, NULL, c->in});
        }
        c->plan->targets[first + i] = program;
    }
    emit(c, (struct step){.op = STEP_UNION, .arg = first, .count = node->count});
}

/* Steps that skip one value. mark: what it could carry, or FORBIDDEN_COUNT. */
static void
compile_skip(struct compiler *c, uint32_t number, enum forbidden mark)
{
    static const uint8_t ops[] = {
            [SCHEMA_BOOLEAN] = STEP_SKIP_FIXED,
            [SCHEMA_INT] = STEP_SKIP_NUMBER,
            [SCHEMA_LONG] = STEP_SKIP_NUMBER,
            [SCHEMA_FLOAT] = STEP_SKIP_FIXED,
            [SCHEMA_DOUBLE] = STEP_SKIP_FIXED,
            [SCHEMA_BYTES] = STEP_SKIP_BYTES,
            [SCHEMA_STRING] = STEP_SKIP_BYTES,
            [SCHEMA_FIXED] = STEP_SKIP_FIXED,
            [SCHEMA_ENUM] = STEP_SKIP_NUMBER,
            [SCHEMA_ARRAY] = STEP_SKIP_ARRAY,
            [SCHEMA_MAP] = STEP_SKIP_MAP,
            [SCHEMA_RECORD] = STEP_CALL,
    };
    const struct schema_node *node = node_at(c, number);
    struct step step = {0};

    if (node->kind == SCHEMA_UNION) {
        compile_skip_union(c, node, mark);
        return;
    }
    if (is_empty(c, number)) {
        return;
    }
    if (mark != FORBIDDEN_COUNT) {
        emit(c, (struct step){.op = STEP_MARK, .arg = mark});
    }
    step.op = ops[node->kind];
    switch (node->kind) {
    case SCHEMA_BOOLEAN:
        step.arg = 1;
        break;
    case SCHEMA_FLOAT:
        step.arg = 4;
        break;
    case SCHEMA_DOUBLE:
        step.arg = 8;
        break;
    case SCHEMA_FIXED:
        step.arg = node->size;
        break;
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        step.arg = skip_program(c, node->first);
        break;
    case SCHEMA_RECORD:
        step.arg = skip_program(c, number);
        break;
    default:
        break;
    }
    emit(c, step);
}

/* The fields of a record that is skipped. */
static void
compile_skip_record(struct compiler *c, const struct schema_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        const struct schema_field *field = &c->schema->fields[node->first + i];

        compile_skip(c, field->node, forbidden_name(span_of(field->name)));
    }
}

/* Whether the writer's type can be read as the field; of a union, whether any branch can. */
static bool
fits(const struct compiler *c, const struct reader_field *field, uint32_t number)
{
    const struct schema_node *node = node_at(c, number);

    if (node->kind == SCHEMA_UNION) {
        for (uint32_t i = 0; i < node->count; i++) {
            if (fits(c, field, branch_at(c, node, i))) {
                return true;
            }
        }
        return false;
    }
    if (node->kind == SCHEMA_NULL) {
        return field->nullable;
    }
    switch (field->kind) {
    case READ_TEXT:
        return node->kind == SCHEMA_STRING || node->kind == SCHEMA_BYTES;
    case READ_NUMBER:
    case READ_TIME:
        return node->kind == SCHEMA_INT || node->kind == SCHEMA_LONG;
    case READ_ATTEMPT:
        return node->kind == SCHEMA_INT;
    case READ_SYMBOL:
        return node->kind == SCHEMA_ENUM;
    case READ_URLS:
        return node->kind == SCHEMA_ARRAY && fits(c, &url_item, node->first);
    }
    return false;
}

/* The reader's symbol for each of the writer's; returns where the table begins. */
static uint32_t
add_symbols(struct compiler *c, const struct reader_field *field, const struct schema_node *node)
{
    struct plan *plan = c->plan;
    const size_t first = plan->symbol_count;

    for (uint32_t i = 0; i < node->count; i++) {
        const char *symbol = c->schema->symbols[node->first + i];
        uint8_t ours = field->symbol_default;

        for (uint8_t k = 0; k < field->symbol_count; k++) {
            if (strcmp(symbol, field->symbols[k]) == 0) {
                ours = k;
            }
        }
        plan->symbols = memory_grow(
                plan->symbols, plan->symbol_count, &plan->symbol_capacity, sizeof(*plan->symbols));
        plan->symbols[plan->symbol_count++] = ours;
    }
    return (uint32_t)first;
}

/* The step that reads a value that fits and is no union. */
static struct step
value_step(struct compiler *c, const struct reader_field *field, uint32_t number)
{
    static const uint8_t ops[] = {
            [READ_TEXT] = STEP_TEXT,
            [READ_NUMBER] = STEP_NUMBER,
            [READ_TIME] = STEP_TIME,
            [READ_ATTEMPT] = STEP_ATTEMPT,
            [READ_SYMBOL] = STEP_SYMBOL,
            [READ_URLS] = STEP_URLS,
    };
    const struct schema_node *node = node_at(c, number);
    struct step step = {
            .op = ops[field->kind],
            .narrow = node->kind == SCHEMA_INT,
            .offset = field->offset,
            .flag = field->flag,
    };

    if (field->kind == READ_TIME) {
        step.arg = (uint32_t)c->in->time_divisor;
    } else if (field->kind == READ_SYMBOL) {
        step.arg = add_symbols(c, field, node);
        step.count = node->count;
    } else if (field->kind == READ_URLS) {
        const enum schema_kind item = node_at(c, node->first)->kind;

        step.arg = item == SCHEMA_UNION
                           ? add_program(c, (struct job){JOB_READ, node->first, &url_item, c->in})
                           : NO_PROGRAM;
    }
    return step;
}

/* Steps that read one value that fits, at least in one branch. */
static void
compile_read(struct compiler *c, const struct reader_field *field, uint32_t number)
{
    const struct schema_node *node = node_at(c, number);
    const int null = null_branch(c, node);

    if (node->kind == SCHEMA_NULL) {
        return; /* no bytes, and the outcome begins with nulls */
    }
    if (node->kind != SCHEMA_UNION) {
        emit(c, value_step(c, field, number));
        return;
    }
    if (null >= 0 && field->nullable) {
        const uint32_t other = branch_at(c, node, 1 - (uint32_t)null);

        if (fits(c, field, other)) {
            struct step step = value_step(c, field, other);

            step.op += 1; /* from STEP_x to STEP_MAYBE_x */
            step.null_byte = (uint8_t)(null * 2);
            emit(c, step);
            return;
        }
    }

    const uint32_t first = add_targets(c, node->count);

    for (uint32_t i = 0; i < node->count; i++) {
        const uint32_t branch = branch_at(c, node, i);

        c->plan->targets[first + i] = add_program(
                c, fits(c, field, branch) ? (struct job){JOB_READ, branch, field, c->in}
                                          : (struct job){JOB_MISFIT, branch, field, c->in});
    }
    emit(c, (struct step){.op = STEP_UNION, .arg = first, .count = node->count});
}

static bool
writer_has(const struct compiler *c, const struct schema_node *record, const char *name)
{
    for (uint32_t i = 0; i < record->count; i++) {
        if (strcmp(c->schema->fields[record->first + i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Our field that a writer's field is read into, or NULL. An alias counts when the writer does not
 * have the name itself. */
static const struct reader_field *
reader_field_for(const struct compiler *c, const struct schema_node *record, const char *name)
{
    for (size_t i = 0; i < READER_FIELDS; i++) {
        const struct reader_field *field = &reader_fields[i];

        if (strcmp(field->name, name) == 0) {
            return field;
        }
        if (field->alias != NULL && strcmp(field->alias, name) == 0 &&
                !writer_has(c, record, field->name)) {
            return field;
        }
    }
    return NULL;
}

static bool
can_be_outcome(const struct compiler *c, uint32_t number)
{
    const struct schema_node *node = node_at(c, number);

    return node->kind == SCHEMA_RECORD && writer_has(c, node, "event_time") &&
           writer_has(c, node, "attempt_number");
}

static enum status
compile_record(struct compiler *c, const struct schema_node *record, struct error *error)
{
    for (uint32_t i = 0; i < record->count; i++) {
        c->in = &c->schema->fields[record->first + i];

        const struct reader_field *field = reader_field_for(c, record, c->in->name);

        if (field == NULL) {
            compile_skip(c, c->in->node, forbidden_name(span_of(c->in->name)));
        } else if (fits(c, field, c->in->node)) {
            compile_read(c, field, c->in->node);
        } else {
            return error_set(error, STATUS_BAD_SCHEMA,
                    "schema: field %s is %s, which cannot be read as our %s", field->name,
                    schema_kind_name(node_at(c, c->in->node)->kind), field->name);
        }
    }
    return STATUS_OK;
}

/* The main program: one record, or a union of records of which some are outcomes. */
static enum status
compile_root(struct compiler *c, struct error *error)
{
    const struct schema_node *root = node_at(c, 0);
    bool any = can_be_outcome(c, 0);

    if (root->kind == SCHEMA_UNION) {
        const uint32_t first = add_targets(c, root->count);

        for (uint32_t i = 0; i < root->count; i++) {
            const uint32_t branch = branch_at(c, root, i);
            const bool outcome = can_be_outcome(c, branch);

            any = any || outcome;
            c->plan->targets[first + i] = add_program(
                    c, (struct job){outcome ? JOB_RECORD : JOB_MISFIT, branch, NULL, NULL});
        }
        emit(c, (struct step){.op = STEP_UNION, .arg = first, .count = root->count});
    }
    if (!any) {
        return error_set(error, STATUS_BAD_SCHEMA,
                "schema: no outcome: it needs a record with event_time and attempt_number");
    }
    return root->kind == SCHEMA_RECORD ? compile_record(c, root, error) : STATUS_OK;
}

static enum status
compile_program(struct compiler *c, struct job job, struct error *error)
{
    const struct schema_node *node = node_at(c, job.node);

    c->in = job.in;
    switch (job.kind) {
    case JOB_RECORD:
        return compile_record(c, node, error);
    case JOB_READ:
        compile_read(c, job.field, job.node);
        return STATUS_OK;
    case JOB_MISFIT:
        emit(c, (struct step){.op = STEP_MISFIT});
        return STATUS_OK;
    case JOB_SKIP:
        if (node->kind == SCHEMA_RECORD) {
            compile_skip_record(c, node);
        } else {
            compile_skip(c, job.node, FORBIDDEN_COUNT);
        }
        return STATUS_OK;
    }
    return STATUS_OK;
}

static enum status
compile(struct compiler *c, struct error *error)
{
    enum status status = STATUS_OK;

    add_program(c, (struct job){JOB_RECORD, 0, NULL, NULL}); /* program 0, below */
    status = compile_root(c, error);
    emit(c, (struct step){.op = STEP_END});
    for (size_t i = 1; i < c->plan->program_count && status == STATUS_OK; i++) {
        c->plan->programs[i] = (uint32_t)c->plan->step_count;
        status = compile_program(c, c->jobs[i], error);
        emit(c, (struct step){.op = STEP_END});
    }
    return status;
}

enum status
plan_new(struct schema *schema, struct plan **out, struct error *error)
{
    struct plan *plan = memory_new(1, sizeof(*plan));
    struct compiler c = {
            .plan = plan,
            .schema = schema,
            .skip_program = memory_new(schema->node_count, sizeof(uint32_t)),
            .sizes = memory_new(schema->node_count, 1),
    };

    for (size_t i = 0; i < schema->node_count; i++) {
        c.skip_program[i] = NO_PROGRAM;
    }

    const enum status status = compile(&c, error);

    free(c.jobs);
    free(c.skip_program);
    free(c.sizes);
    if (status != STATUS_OK) {
        plan_destroy(plan);
        return status;
    }
    outcome_init(&plan->blank);
    plan->schema = schema;
    *out = plan;
    return STATUS_OK;
}
