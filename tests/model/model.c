/* model.c - the rules of docs/delivery.md alone, small enough to try everything that may happen.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/model_internal.h"

#include <stddef.h>
#include <string.h>

#define MUTANT_NAME(name, text) #name,
const char *const mutant_names[MUTANT_COUNT] = {MUTANT_MAP(MUTANT_NAME)};
#define MUTANT_TEXT(name, text) text,
const char *const mutant_texts[MUTANT_COUNT] = {MUTANT_MAP(MUTANT_TEXT)};

void
model_break_rule(struct step *step, const char *what)
{
    step->broken = step->broken == NULL ? what : step->broken;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* Tokens are only compared, so that states which differ in their names alone are the same. */
struct tokens {
    uint8_t *at[64];
    size_t count;
};

static void
collect_waiting(struct tokens *tokens, struct waiting *waiting)
{
    for (size_t i = 0; i < PENDING_MAX && waiting[i].record != 0; i++) {
        tokens->at[tokens->count++] = &waiting[i].token;
    }
}

static void
collect_stored(struct tokens *tokens, struct stored *stored)
{
    tokens->at[tokens->count++] = &stored->token;
    collect_waiting(tokens, stored->pending);
}

static void
collect_tokens(struct model *model, struct tokens *tokens)
{
    tokens->count = 0;
    collect_stored(tokens, &model->redis);
    collect_stored(tokens, &model->durable);
    tokens->at[tokens->count++] = &model->committed.token;
    for (int i = 0; i < INSTANCES; i++) {
        struct member *member = &model->members[i];

        collect_stored(tokens, &member->memory);
        tokens->at[tokens->count++] = &member->attempted;
        tokens->at[tokens->count++] = &member->kafka.token;
        tokens->at[tokens->count++] = &member->transaction.position.token;
        collect_waiting(tokens, member->transaction.reviews);
    }
}

static void
rename_tokens(struct model *model)
{
    struct tokens tokens;
    uint8_t names[256] = {0};
    uint8_t next = 0;

    collect_tokens(model, &tokens);
    for (size_t i = 0; i < tokens.count; i++) {
        names[*tokens.at[i]] = 1;
    }
    for (int i = 1; i < 256; i++) {
        names[i] = names[i] != 0 ? ++next : 0;
    }
    names[0] = 0; /* none */
    for (size_t i = 0; i < tokens.count; i++) {
        *tokens.at[i] = names[*tokens.at[i]];
    }
}

/* They are renamed after each step, so that 200 is free. */
uint8_t
model_new_token(void)
{
    return 200;
}

void
model_emit(struct step *step)
{
    if (step->broken == NULL) {
        rename_tokens(&step->model);
        step->emit(step->context, &step->model);
    }
}

/* ---- lists ----------------------------------------------------------------------------------- */

void
model_append(struct step *step, struct waiting *list, struct waiting waiting)
{
    size_t i = 0;

    while (i < PENDING_MAX && list[i].record != 0) {
        i++;
    }
    if (i == PENDING_MAX) {
        model_break_rule(step, "more is pending than was ever counted");
    } else {
        list[i] = waiting;
    }
}

void
model_drop_up_to(struct waiting *list, uint8_t serial)
{
    size_t kept = 0;

    for (size_t i = 0; i < PENDING_MAX; i++) {
        const struct waiting waiting = list[i];

        memset(&list[i], 0, sizeof(list[i]));
        if (waiting.record != 0 && waiting.serial > serial) {
            list[kept++] = waiting;
        }
    }
}

static bool
is_empty(const struct waiting *list)
{
    return list[0].record == 0;
}

/* ---- what a reader sees -----------------------------------------------------------------------
 */

static void
publish(struct step *step, const struct waiting *review)
{
    struct model *model = &step->model;

    if (review->serial != model->published + 1) {
        model_break_rule(step, "a review is published out of order, or twice");
        return;
    }
    model->published = review->serial;
    model->reviews[review->record - 1] += 1;
    if (model->reviews[review->record - 1] > 1) {
        model_break_rule(step, "a review is published twice");
    }
    model->outputs[review->serial - 1] = *review;
    model->outputs[review->serial - 1].token = 0;
}

void
model_commit_position(struct step *step, const struct cursor_of *position)
{
    struct model *model = &step->model;

    if (position->offset < model->committed.offset || position->serial < model->committed.serial) {
        model_break_rule(step, "a committed position goes back");
    }
    model->committed = *position;
}

static void
publish_all(struct step *step, const struct transaction *transaction)
{
    struct model *model = &step->model;

    for (size_t i = 0; i < PENDING_MAX && transaction->reviews[i].record != 0; i++) {
        publish(step, &transaction->reviews[i]);
    }
    for (uint8_t r = 0; r < RECORDS; r++) {
        if ((transaction->rejected >> r & 1) != 0 && ++model->rejections[r] > 1) {
            model_break_rule(step, "a record is rejected twice");
        }
    }
}

static void
commit_transaction(struct step *step, struct transaction *transaction)
{
    publish_all(step, transaction);
    model_commit_position(step, &transaction->position);
    memset(transaction, 0, sizeof(*transaction));
}

/* ---- members --------------------------------------------------------------------------------- */

void
model_forget_memory(struct member *member)
{
    memset(&member->memory, 0, sizeof(member->memory));
    memset(member->fresh, 0, sizeof(member->fresh));
    member->has_memory = 0;
    member->attempted = 0;
    member->rejected = 0;
    member->next = 0;
    member->applied = 0;
    memset(&member->kafka, 0, sizeof(member->kafka));
}

/* Load again; memory may still be what is stored. */
void
model_load(struct member *member)
{
    member->place = READ_APPLIED;
    member->rejected = 0;
    member->adopts = 0;
}

bool
model_is_dirty(const struct member *member)
{
    return member->next > member->applied || !is_empty(member->fresh) ||
           (!is_empty(member->memory.pending) &&
                   member->memory.pending[0].serial <= member->kafka.serial);
}

/* An EXEC: *done tells whether Redis did it. */
void
model_exec(struct step *step, struct member *member, const struct stored *after, bool *done)
{
    struct stored *redis = &step->model.redis;

    *done = step->mutant == MUTANT_NO_WATCH || redis->token == member->memory.token;
    if (!*done) {
        return;
    }
    if (after->offset < redis->offset) {
        model_break_rule(step, "`applied` goes back");
    }
    *redis = *after;
    for (int r = 0; r < RECORDS; r++) {
        if (redis->counted[r] > 1) {
            model_break_rule(step, "a record is counted twice");
        }
    }
}

/* What the next EXEC of a running member stores. */
static struct stored
next_stored(struct step *step, const struct member *member)
{
    struct stored after = member->memory;

    after.offset = member->next > member->applied ? member->next : member->applied;
    after.token = model_new_token();
    model_drop_up_to(after.pending,
            step->mutant == MUTANT_PRUNE_EARLY ? after.serial : member->kafka.serial);
    for (size_t i = 0; i < PENDING_MAX && member->fresh[i].record != 0; i++) {
        struct waiting review = member->fresh[i];

        review.serial = ++after.serial;
        review.token = after.token;
        review.offset = after.offset;
        model_append(step, after.pending, review);
    }
    return after;
}

static void
exec_known(struct member *member, const struct stored *after)
{
    member->memory = *after;
    member->applied = after->offset;
    member->attempted = 0;
    memset(member->fresh, 0, sizeof(member->fresh));
}

/* ---- running --------------------------------------------------------------------------------- */

static void
count_record(struct step *step, struct member *member, uint8_t record)
{
    struct stored *memory = &member->memory;
    const uint8_t group = group_of[record];

    memory->counted[record] += 1;
    if (record >= memory->quiet) {
        memory->sequence[group] += 1;
        model_append(step, member->fresh,
                (struct waiting){
                        .record = (uint8_t)(record + 1), .sequence = memory->sequence[group]});
    }
}

static void
read_record(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];
    const uint8_t record = member->next;
    const bool again = record < member->applied;

    (void)model;
    if (record == REJECTED_RECORD) {
        if (record >= member->kafka.offset && !(again && step->mutant == MUTANT_NO_REJECTED)) {
            member->rejected |= (uint8_t)(1 << record);
        }
    } else if (!again || step->mutant == MUTANT_COUNT_AGAIN) {
        count_record(step, member, record);
    }
    member->next = (uint8_t)(record + 1);
    model_emit(step);
}

/* What a transaction of this member would hold. */
static struct transaction
next_transaction(const struct step *step, const struct member *member)
{
    struct transaction transaction = {.open = 1, .position = member->kafka};
    uint8_t reached = member->next < member->applied ? member->next : member->applied;
    size_t count = 0;

    if (step->mutant != MUTANT_COMMITTED_BACK && reached < member->kafka.offset) {
        reached = member->kafka.offset;
    }
    transaction.position.offset = reached;
    for (size_t i = 0; i < PENDING_MAX && member->memory.pending[i].record != 0; i++) {
        if (member->memory.pending[i].serial > member->kafka.serial) {
            transaction.reviews[count++] = member->memory.pending[i];
            transaction.position.serial = member->memory.pending[i].serial;
            transaction.position.token = member->memory.pending[i].token;
        }
    }
    for (uint8_t r = 0; r < reached; r++) {
        transaction.rejected |= member->rejected & (uint8_t)(1 << r);
    }
    return transaction;
}

static bool
has_news(const struct transaction *transaction, const struct member *member)
{
    return transaction->position.offset != member->kafka.offset ||
           !is_empty(transaction->reviews) || transaction->rejected != 0;
}

static void
published_known(struct member *member, const struct cursor_of *position)
{
    member->kafka = *position;
    for (uint8_t r = 0; r < position->offset; r++) {
        member->rejected &= (uint8_t) ~(1 << r);
    }
}

static void
try_exec(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];
    const struct stored after = next_stored(step, member);
    bool done = false;

    model_exec(step, member, &after, &done);
    if (done) {
        exec_known(member, &after);
    } else {
        model_load(member);
    }
    model_emit(step);
    if (model->doubts == 0) {
        return;
    }
    for (int lost = 0; lost < 2; lost++) { /* the EXEC itself, or its answer */
        step->model = *model;
        step->model.doubts -= 1;
        member->attempted = after.token;
        if (lost == 1) {
            model_exec(step, member, &after, &done);
        }
        /* Memory is what the EXEC would have stored, if it was done. */
        const struct stored attempted = after;

        member->memory = attempted;
        member->memory.token = model->members[m].memory.token;
        model_load(member);
        model_emit(step);
    }
}

static void
try_send(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];
    struct transaction transaction = next_transaction(step, member);

    if (!has_news(&transaction, member)) {
        return;
    }
    if (member->generation != model->generation && step->mutant != MUTANT_NO_FENCING) {
        model_load(member);
    } else if (step->mutant == MUTANT_COMMIT_FIRST) {
        model_commit_position(step, &transaction.position);
        member->transaction = transaction;
        member->place = SENT_FIRST;
    } else {
        member->transaction = transaction;
        member->place = SENT;
    }
    model_emit(step);
}

static void
running(const struct model *model, struct step *step, int m)
{
    const struct member *member = &model->members[m];

    if (member->next < RECORDS) {
        read_record(model, step, m);
        step->model = *model;
    }
    if (model_is_dirty(member)) {
        try_exec(model, step, m);
        step->model = *model;
    }
    try_send(model, step, m);
    step->model = *model;
    if (model->redis.token != member->memory.token) {
        model_load(
                &step->model.members[m]); /* somebody else has written: looked for once a second */
        model_emit(step);
    }
}

/* The end of a transaction arrives, or does not, and so does its answer. */
static void
end_transaction(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];

    if (member->transaction.open == 0) {
        model_load(member); /* it has timed out: aborted */
        model_emit(step);
        return;
    }

    const struct cursor_of position = member->transaction.position;

    commit_transaction(step, &member->transaction);
    published_known(member, &position);
    member->place = RUNNING;
    model_emit(step);
    if (model->doubts == 0) {
        return;
    }
    for (int lost = 0; lost < 2; lost++) { /* the end itself, or its answer */
        step->model = *model;
        step->model.doubts -= 1;
        if (lost == 1) {
            commit_transaction(step, &member->transaction);
        } else {
            member->transaction.open = 2;
        }
        if (step->mutant == MUTANT_TRUST_UNKNOWN) {
            published_known(member, &position);
            member->place = RUNNING;
        } else {
            model_load(member);
        }
        model_emit(step);
    }
}

static void
end_records(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];
    const struct cursor_of position = member->transaction.position;

    (void)model;
    publish_all(step, &member->transaction);
    memset(&member->transaction, 0, sizeof(member->transaction));
    published_known(member, &position);
    member->place = RUNNING;
    model_emit(step);
}

/* ---- one step -------------------------------------------------------------------------------- */

static void
member_step(const struct model *model, struct step *step, int m)
{
    switch ((enum place)model->members[m].place) {
    case IDLE:
        break;
    case READ_APPLIED:
        model_read_applied(model, step, m);
        break;
    case READ_PENDING:
        model_read_pending(model, step, m);
        break;
    case READ_COMMITTED:
        model_read_committed(model, step, m);
        break;
    case COMPARE:
        model_compare(model, step, m);
        break;
    case COMMIT_BACK:
        model_commit_back(model, step, m);
        break;
    case CLAIM:
        model_claim(model, step, m);
        break;
    case READ_STATE:
        model_read_state(model, step, m);
        break;
    case READ_AGAIN:
        model_read_again(model, step, m);
        break;
    case READ_BACK:
        model_read_back(model, step, m);
        break;
    case RUNNING:
        running(model, step, m);
        break;
    case SENT:
        end_transaction(model, step, m);
        break;
    case SENT_FIRST:
        end_records(model, step, m);
        break;
    }
}

/* The coordinator tells a member what has changed; until then it goes on. */
static void
hear(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];

    if (member->generation == model->generation) {
        return;
    }
    model_forget_memory(member);
    if (member->transaction.open != 0) {
        member->transaction.open = 2;
    }
    member->generation = model->generation;
    member->adopts = 0;
    member->place = model->owner == m ? READ_APPLIED : IDLE;
    model_emit(step);
}

static void
crash(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];

    if (model->crashes == 0 || member->place == IDLE) {
        return;
    }
    const uint8_t open = member->transaction.open;
    const struct transaction orphan = member->transaction;

    memset(member, 0, sizeof(*member));
    member->transaction = orphan;
    member->transaction.open = open != 0 ? 2 : 0;
    step->model.crashes -= 1;
    step->model.generation += 1;
    step->model.owner = (uint8_t)(1 - m);
    model_emit(step);
    step->model.owner = (uint8_t)m;
    model_emit(step);
}

/* A transaction that nobody works at any more ends one way or the other. */
static void
end_orphan(const struct model *model, struct step *step, int m)
{
    struct transaction *transaction = &step->model.members[m].transaction;

    if (transaction->open != 2) {
        return;
    }
    commit_transaction(step, transaction);
    model_emit(step);
    step->model = *model;
    memset(transaction, 0, sizeof(*transaction));
    model_emit(step);
}

static void
move(const struct model *model, struct step *step)
{
    if (model->moves != 0) {
        step->model.moves -= 1;
        step->model.generation += 1;
        step->model.owner = (uint8_t)(1 - model->owner);
        model_emit(step);
    }
}

/* Redis has ended, and all connections with it: who was loading begins again. */
static void
disconnect(struct model *model)
{
    for (int m = 0; m < INSTANCES; m++) {
        struct member *member = &model->members[m];

        if (member->place > READ_APPLIED && member->place < RUNNING) {
            model_load(member);
        }
    }
}

/* Redis writes to disk; it comes back with what it had there, or changes roles with a replica that
 * lags so far behind. */
static void
lose(const struct model *model, struct step *step)
{
    if (model->losses == 0) {
        return;
    }
    if (memcmp(&model->durable, &model->redis, sizeof(model->redis)) != 0) {
        step->model.durable = model->redis;
        model_emit(step);
        step->model = *model;
        step->model.redis = model->durable;
        step->model.losses -= 1;
        disconnect(&step->model);
        model_emit(step);
        step->model.durable = model->redis;
        model_emit(step);
    }
}

void
model_init(struct model *model, const struct budget *budget)
{
    memset(model, 0, sizeof(*model));
    model->redis.token = 1; /* claimed, nothing counted */
    model->durable = model->redis;
    model->generation = 1;
    model->members[0].generation = 1;
    model->members[0].place = READ_APPLIED;
    model->members[1].generation = 1;
    model->crashes = budget->crashes;
    model->losses = budget->losses;
    model->moves = budget->moves;
    model->doubts = budget->doubts;
}

const char *
model_steps(const struct model *model, enum mutant mutant,
        void (*emit_to)(void *context, const struct model *next), void *context)
{
    struct step step = {.mutant = mutant, .emit = emit_to, .context = context};

    for (int m = 0; m < INSTANCES; m++) {
        void (*const kinds[])(const struct model *, struct step *, int) = {
                member_step, hear, crash, end_orphan};

        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            step.model = *model;
            kinds[k](model, &step, m);
        }
    }
    step.model = *model;
    move(model, &step);
    step.model = *model;
    lose(model, &step);
    return step.broken;
}

const char *
model_at_rest(const struct model *model)
{
    for (int r = 0; r < RECORDS; r++) {
        const bool rejected = r == REJECTED_RECORD;

        if (model->redis.counted[r] != (rejected ? 0 : 1)) {
            return "it ends, and a record is not counted";
        }
        if (model->reviews[r] != (rejected ? 0 : 1)) {
            return "it ends, and a review is not published";
        }
        if (model->rejections[r] != (rejected ? 1 : 0)) {
            return "it ends, and a rejected record is not published";
        }
    }
    return model->committed.offset == RECORDS ? NULL : "it ends, and the offset is not committed";
}
