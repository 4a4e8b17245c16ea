/* model_load.c - the model's steps from an assignment to a running member.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/model/model_internal.h"

#include <stddef.h>
#include <string.h>

void
model_read_applied(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];
    const struct stored *redis = &step->model.redis;
    struct stored *memory = &member->memory;
    const bool stays = member->has_memory != 0 &&
                       ((member->attempted != 0 && member->attempted == redis->token) ||
                               (member->attempted == 0 && memory->token == redis->token &&
                                       !model_is_dirty(member)));

    (void)model;
    if (member->attempted != 0 && stays) {
        memset(member->fresh, 0, sizeof(member->fresh));
    }
    if (!stays) {
        model_forget_memory(member);
    }
    member->attempted = 0;
    memory->offset = redis->offset;
    memory->serial = redis->serial;
    memory->token = redis->token;
    memory->quiet = redis->quiet;
    member->applied = redis->offset;
    member->place = READ_PENDING;
    model_emit(step);
}

void
model_read_pending(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];

    (void)model;
    memcpy(member->memory.pending, step->model.redis.pending, sizeof(member->memory.pending));
    member->place = READ_COMMITTED;
    model_emit(step);
}

void
model_read_committed(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];

    for (int other = 0; other < INSTANCES && step->mutant != MUTANT_UNSTABLE; other++) {
        if (model->members[other].transaction.open == 1) {
            /* It times out; whoever still works at it hears of that at its end. */
            memset(&step->model.members[other].transaction, 0, sizeof(struct transaction));
            model_emit(step);
            return;
        }
        if (model->members[other].transaction.open == 2) {
            return; /* until it has ended by itself */
        }
    }
    member->kafka = model->committed;
    member->place = COMPARE;
    model_emit(step);
}

/* Whether pending reaches down to the cursor, and whether it is the same history. */
void
model_compare(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];
    const struct stored *memory = &member->memory;
    const struct waiting *first = &memory->pending[0];
    const uint8_t known = first->record != 0 ? (uint8_t)(first->serial - 1) : memory->serial;
    const uint8_t serial = member->kafka.serial;

    if (serial < known) {
        if (model->redis.token == memory->token) {
            model_break_rule(step, "refused although nobody has touched anything");
        }
        model_load(member); /* somebody wrote while it was read */
    } else {
        const bool other_history =
                serial > known && serial <= memory->serial &&
                memory->pending[serial - first->serial].token != member->kafka.token;

        member->adopts = serial > memory->serial || other_history;
        member->place = COMMIT_BACK;
    }
    model_emit(step);
}

void
model_commit_back(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];

    if (member->generation != model->generation && step->mutant != MUTANT_NO_FENCING) {
        model_load(member);
        model_emit(step);
        return;
    }
    model_commit_position(step, &member->kafka);
    member->place = CLAIM;
    model_emit(step);
}

void
model_claim(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];
    struct stored after = step->model.redis;
    bool done = false;

    (void)model;
    after.token = model_new_token();
    after.offset = member->memory.offset;
    after.serial = member->memory.serial;
    memcpy(after.pending, member->memory.pending, sizeof(after.pending));
    if (member->adopts == 0) {
        model_drop_up_to(after.pending, member->kafka.serial);
    }
    model_exec(step, member, &after, &done);
    if (done) {
        member->memory.token = after.token;
        memcpy(member->memory.pending, after.pending, sizeof(after.pending));
        member->place = member->has_memory != 0 ? READ_AGAIN : READ_STATE;
    } else {
        model_load(member);
    }
    model_emit(step);
}

void
model_read_state(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];
    const struct stored *redis = &step->model.redis;

    (void)model;
    memcpy(member->memory.counted, redis->counted, sizeof(redis->counted));
    memcpy(member->memory.sequence, redis->sequence, sizeof(redis->sequence));
    member->has_memory = 1;
    member->place = READ_AGAIN;
    model_emit(step);
}

static void
start_running(struct step *step, struct member *member)
{
    member->place = RUNNING;
    member->next = member->applied < member->kafka.offset ? member->applied : member->kafka.offset;
    if (step->mutant == MUTANT_RECOMPUTE) {
        /* Reviews come from counting again what is not committed, not from what is stored. */
        member->next = member->kafka.offset;
        member->applied = member->kafka.offset;
        for (uint8_t r = member->kafka.offset; r < RECORDS; r++) {
            member->memory.counted[r] = 0;
        }
        memset(member->memory.pending, 0, sizeof(member->memory.pending));
        member->memory.serial = member->kafka.serial;
    }
}

void
model_read_again(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];

    if (model->redis.token != member->memory.token && step->mutant != MUTANT_NO_SECOND_READ) {
        model_load(member);
    } else if (member->adopts != 0) {
        member->place = READ_BACK;
    } else {
        start_running(step, member);
    }
    model_emit(step);
}

static bool
is_adopted(const struct model *model, uint8_t first, uint8_t last, uint8_t group)
{
    for (uint8_t serial = first; serial <= last; serial++) {
        if (group_of[model->outputs[serial - 1].record - 1] == group) {
            return true;
        }
    }
    return false;
}

/* Redis has lost its last writes: take over what was published since. */
static struct stored
adopt(const struct model *model, struct step *step, const struct member *member)
{
    const struct waiting *pending = member->memory.pending;
    const uint8_t first =
            pending[0].record != 0 ? pending[0].serial : (uint8_t)(member->memory.serial + 1);
    const uint8_t last = member->kafka.serial;
    struct stored after = member->memory;

    memset(after.pending, 0, sizeof(after.pending));
    after.token = model_new_token();
    for (uint8_t serial = first; serial <= last; serial++) {
        const struct waiting *output = &model->outputs[serial - 1];

        after.sequence[group_of[output->record - 1]] = output->sequence;
        if (step->mutant != MUTANT_NO_QUIET && output->offset > after.quiet) {
            after.quiet = output->offset;
        }
    }
    after.serial = last;
    for (size_t i = 0; i < PENDING_MAX && pending[i].record != 0; i++) {
        struct waiting kept = pending[i];

        if (!is_adopted(model, first, last, group_of[kept.record - 1])) {
            after.serial += 1;
            kept.serial = after.serial;
            kept.token = after.token;
            model_append(step, after.pending, kept);
        }
    }
    return after;
}

void
model_read_back(const struct model *model, struct step *step, int m)
{
    struct member *member = &step->model.members[m];
    const struct stored after = adopt(model, step, member);
    bool done = false;

    model_exec(step, member, &after, &done);
    if (done) {
        member->memory = after;
        member->adopts = 0;
        start_running(step, member);
    } else {
        model_load(member);
    }
    model_emit(step);
}
