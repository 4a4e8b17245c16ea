/* world_store.c - the simulated Redis: states of partitions that may be lost.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool
field_is(const struct world_field *field, struct span map, struct span name)
{
    return span_equal(span_of(field->map), map) && span_equal(span_of(field->field), name);
}

static char *
text_of(struct span span)
{
    char *text = memory_new(span.size + 1, 1);

    memcpy(text, span.data, span.size);
    return text;
}

static void
field_remove(struct world_state *state, size_t index)
{
    struct world_field *field = &state->fields[index];

    free(field->map);
    free(field->field);
    buffer_fini(&field->value);
    *field = state->fields[--state->count];
}

static void
state_set(struct world_state *state, const struct change *change)
{
    struct world_field *field = NULL;

    for (size_t i = 0; i < state->count && field == NULL; i++) {
        if (field_is(&state->fields[i], change->map, change->field)) {
            field = &state->fields[i];
        }
    }
    if (field == NULL) {
        state->fields = memory_grow(state->fields, state->count, &state->capacity, sizeof(*field));
        field = &state->fields[state->count++];
        *field = (struct world_field){.map = text_of(change->map), .field = text_of(change->field)};
    }
    buffer_clear(&field->value);
    buffer_put(&field->value, change->value.data, change->value.size);
}

static void
state_change(struct world_state *state, const struct change *change)
{
    if (change->kind == CHANGE_SET) {
        state_set(state, change);
        return;
    }
    for (size_t i = state->count; i > 0; i--) {
        const struct world_field *field = &state->fields[i - 1];

        if (change->kind == CHANGE_UNLINK ? span_equal(span_of(field->map), change->map)
                                          : field_is(field, change->map, change->field)) {
            field_remove(state, i - 1);
        }
    }
}

const struct world_field *
state_field(const struct world_state *state, const char *map, uint64_t number)
{
    char field[24];

    snprintf(field, sizeof(field), "%" PRIu64, number);
    for (size_t i = 0; i < state->count; i++) {
        if (strcmp(state->fields[i].map, map) == 0 && strcmp(state->fields[i].field, field) == 0) {
            return &state->fields[i];
        }
    }
    return NULL;
}

/* When Redis loses writes it has ended, and so have all connections to it. */
static enum fate
store_fate(struct instance *instance, const char *call)
{
    const enum fate fate = sim_fate(instance, call, instance->world->store_down_until_ms);

    if (instance->disconnected && fate == FATE_DONE) {
        instance->disconnected = false;
        sim_trace(instance, call, -1, "disconnected");
        return FATE_FAILED;
    }
    return fate;
}

/* ---- what an EXEC may do --------------------------------------------------------------------- */

/* Serials that an EXEC adds to pending, and whether it does nothing but remove some. */
struct serials {
    size_t added;
    bool only_removes;
};

static struct serials
serials_of(const struct changes *changes)
{
    struct serials serials = {.only_removes = true};

    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->changes[i];
        const bool is_pending = span_equal(change->map, span_of("pending"));

        serials.only_removes = serials.only_removes && is_pending && change->kind == CHANGE_DELETE;
        if (is_pending && change->kind == CHANGE_SET) {
            serials.added += 1;
        }
    }
    return serials;
}

/* Another's state is taken over as it is: only what is published goes. */
static void
check_claim(struct instance *instance, int32_t p, const struct applied *before,
        const struct applied *after, const struct serials *serials)
{
    if (after->offset != before->offset || after->serial != before->serial ||
            !serials->only_removes) {
        world_fail(instance->world, "partition %d: somebody else's state was changed", p);
    }
}

/* What is removed from pending was published, and as it was stored. */
static void
check_removed(struct world *world, int32_t p, const struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->changes[i];
        const struct world_state *state = &world->states[p];
        char text[24] = {0};
        struct pending pending;
        struct error error;

        if (change->kind != CHANGE_DELETE || !span_equal(change->map, span_of("pending"))) {
            continue;
        }
        memcpy(text, change->field.data, change->field.size < 23 ? change->field.size : 23);

        const uint64_t serial = strtoull(text, NULL, 10);
        const struct world_field *field = state_field(state, "pending", serial);

        if (field != NULL &&
                pending_decode(buffer_span(&field->value), &pending, &error) == STATUS_OK &&
                !world_is_published(world, p, serial, &pending)) {
            world_fail(world,
                    "partition %d: serial %" PRIu64 " is removed, and was not published as stored",
                    p, serial);
        }
    }
}

/* What is known of decisions never goes back: it is what evaluations rest on. */
static void
check_knowledge(struct instance *instance, int32_t p)
{
    struct world_log *log = &instance->world->logs[p];

    if (instance->decisions_known < log->decisions_known) {
        world_fail(instance->world,
                "partition %d: evaluated with %zu decisions known, after %zu were", p,
                instance->decisions_known, log->decisions_known);
    }
    log->decisions_known = instance->decisions_known;
}

static void
check_exec(struct instance *instance, const struct changes *changes)
{
    struct world *world = instance->world;
    const int32_t p = changes->partition;
    const struct serials serials = serials_of(changes);
    struct applied before = {.offset = -1, .quiet = -1};
    struct applied after;
    struct error error;

    if (applied_decode(changes->applied, &after, &error) != STATUS_OK ||
            (world->states[p].exists && applied_decode(buffer_span(&world->states[p].applied),
                                                &before, &error) != STATUS_OK)) {
        world_fail(world, "partition %d: %s", p, error.text);
        return;
    }

    const bool own = before.token.process == instance->process;
    const bool begins_again = before.quiet == INT64_MAX; /* a rebuild has counted what is judged */
    const bool adopts = own && after.offset == before.offset && world->lost_writes;

    if (after.token.process != instance->process || after.offset < before.offset ||
            (after.quiet < before.quiet && after.offset <= before.quiet && !begins_again) ||
            after.offset > (int64_t)world->logs[p].count) {
        world_fail(world,
                "partition %d: `applied` goes from offset %" PRId64 ", quiet %" PRId64
                " to offset %" PRId64 ", quiet %" PRId64,
                p, before.offset, before.quiet, after.offset, after.quiet);
    }
    if (world->states[p].exists && !own) {
        check_claim(instance, p, &before, &after, &serials);
    }
    if (!adopts && !world->emptied) {
        check_removed(world, p, changes);
    }
    if (own && !instance->loading[p]) {
        check_knowledge(instance, p);
    }
    if (own && !adopts) {
        if (after.serial != before.serial + serials.added) {
            world_fail(world, "partition %d: %zu serials are added from %" PRIu64 " to %" PRIu64, p,
                    serials.added, before.serial, after.serial);
        }
    }
}

static void
trace_exec(const struct instance *instance, const struct changes *changes)
{
    struct applied applied;
    struct error error;
    char text[128];

    if (!instance->world->trace ||
            applied_decode(changes->applied, &applied, &error) != STATUS_OK) {
        return;
    }
    snprintf(text, sizeof(text),
            "done: offset %" PRId64 ", serial %" PRIu64 ", quiet %" PRId64 ", T %" PRId64,
            applied.offset, applied.serial, applied.quiet, applied.times.stream_ms);
    sim_trace(instance, "exec", changes->partition, text);
}

/* Redis executes what was sent, unless `applied` has changed meanwhile. */
static bool
execute(struct instance *instance, const struct changes *changes)
{
    struct world *world = instance->world;
    struct world_state *state = &world->states[changes->partition];
    const bool expected =
            changes->expected.data == NULL
                    ? !state->exists
                    : state->exists && span_equal(buffer_span(&state->applied), changes->expected);

    if (!expected) {
        sim_trace(instance, "exec", changes->partition, "fenced");
        return false;
    }
    check_exec(instance, changes);
    for (size_t i = 0; i < changes->count; i++) {
        state_change(state, &changes->changes[i]);
    }
    world->writes += 1;
    world->stored_reviews = serials_of(changes).added != 0;
    state->exists = true;
    buffer_clear(&state->applied);
    buffer_put(&state->applied, changes->applied.data, changes->applied.size);
    trace_exec(instance, changes);
    return true;
}

static enum status
fenced(struct error *error)
{
    return error_set(error, STATUS_FENCED, "simulated: applied is another");
}

/* Redis may execute it at once, or only just before its answer is waited for. */
static enum status
sim_exec_begin(struct store *store, const struct changes *changes, struct error *error)
{
    struct instance *instance = INSTANCE_OF(store, store);
    struct world *world = instance->world;
    const enum fate fate = store_fate(instance, "exec");

    instance->exec_fate = fate;
    instance->exec_waits = false;
    if (fate == FATE_NOT_DONE) {
        return STATUS_OK; /* sent, and lost on the way */
    }
    if (!fate_is_done(fate)) {
        return fate_told(fate, STATUS_STORE_DOWN, error);
    }
    if (world_chance(world, 300)) {
        instance->exec_waits = true;
        instance->exec = *changes;
        return STATUS_OK;
    }
    return execute(instance, changes) ? STATUS_OK : fenced(error);
}

/* The answer may be lost, and others may move before it comes. */
static enum status
sim_exec_end(struct store *store, struct error *error)
{
    struct instance *instance = INSTANCE_OF(store, store);
    struct world *world = instance->world;
    const enum fate now = store_fate(instance, "exec answer");
    const enum fate fate = now != FATE_DONE && instance->exec_fate == FATE_DONE
                                   ? FATE_LOST_REPLY
                                   : instance->exec_fate;

    if (instance->exec_waits && (now == FATE_DONE || world_chance(world, 500)) &&
            !execute(instance, &instance->exec) && fate == FATE_DONE) {
        return fenced(error);
    }
    return fate_told(fate, STATUS_STORE_DOWN, error);
}

static enum status
sim_read_applied(struct store *store, int32_t partition, struct buffer *applied, bool *exists,
        struct error *error)
{
    struct instance *instance = INSTANCE_OF(store, store);
    struct world *world = instance->world;
    const enum fate fate = store_fate(instance, "read applied");
    const struct world_state *state = &world->states[partition];

    if (fate != FATE_DONE) {
        return fate_told_read(fate, STATUS_STORE_DOWN, error);
    }
    *exists = state->exists;
    buffer_clear(applied);
    if (state->exists) {
        buffer_put(applied, state->applied.data, state->applied.size);
    }
    return STATUS_OK;
}

static enum status
sim_read_maps(struct store *store, int32_t partition, const struct span *maps, size_t map_count,
        enum status (*visit)(void *context, size_t map, struct span field, struct span value,
                struct error *error),
        void *context, struct error *error)
{
    struct instance *instance = INSTANCE_OF(store, store);
    struct world *world = instance->world;
    const enum fate fate = store_fate(instance, "read maps");
    enum status status = fate_told_read(fate, STATUS_STORE_DOWN, error);
    const struct world_state *state = &world->states[partition];

    for (size_t m = 0; m < map_count; m++) {
        for (size_t i = 0; i < state->count && status == STATUS_OK; i++) {
            const struct world_field *field = &state->fields[i];

            if (!span_equal(span_of(field->map), maps[m])) {
                continue;
            }
            /* HSCAN may show a field twice. */
            for (int times = world_chance(world, 50) ? 2 : 1; times > 0 && status == STATUS_OK;
                    times--) {
                status =
                        visit(context, m, span_of(field->field), buffer_span(&field->value), error);
            }
        }
    }
    return status;
}

static enum status
sim_write_views(
        struct store *store, struct span commands, size_t command_count, struct error *error)
{
    struct instance *instance = INSTANCE_OF(store, store);

    (void)commands;
    (void)command_count;
    return fate_told_read(store_fate(instance, "views"), STATUS_STORE_DOWN, error);
}

static void
sim_store_destroy(struct store *store)
{
    (void)store;
}

const struct store_ops sim_store_ops = {.read_applied = sim_read_applied,
        .read_maps = sim_read_maps,
        .exec_begin = sim_exec_begin,
        .exec_end = sim_exec_end,
        .write_views = sim_write_views,
        .destroy = sim_store_destroy};

void
state_clear(struct world_state *state)
{
    while (state->count != 0) {
        field_remove(state, state->count - 1);
    }
    buffer_clear(&state->applied);
    state->exists = false;
}

void
state_copy(struct world_state *to, const struct world_state *from)
{
    state_clear(to);
    to->exists = from->exists;
    buffer_put(&to->applied, from->applied.data, from->applied.size);
    for (size_t i = 0; i < from->count; i++) {
        const struct change set = {
                .kind = CHANGE_SET,
                .map = span_of(from->fields[i].map),
                .field = span_of(from->fields[i].field),
                .value = buffer_span(&from->fields[i].value),
        };

        state_set(to, &set);
    }
}

void
state_fini(struct world_state *state)
{
    state_clear(state);
    free(state->fields);
    buffer_fini(&state->applied);
}
