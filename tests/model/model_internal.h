/* model_internal.h - what the parts of the model share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_MODEL_MODEL_INTERNAL_H
#define RETRYWATCH_TESTS_MODEL_MODEL_INTERNAL_H

#include "tests/model/model.h"

/* Record 1 cannot be read; the others give a review each, of these groups. */
#define REJECTED_RECORD 1
static const uint8_t group_of[RECORDS] __attribute__((unused)) = {0, 0, 1};

/* One step on its way: the state after it, and what it broke. */
struct step {
    struct model model;
    enum mutant mutant;
    const char *broken;
    void (*emit)(void *context, const struct model *next);
    void *context;
};

void model_break_rule(struct step *step, const char *what);
/** The step is done: hand on the state that it leads to. */
void model_emit(struct step *step);
uint8_t model_new_token(void);

void model_append(struct step *step, struct waiting *list, struct waiting waiting);
void model_drop_up_to(struct waiting *list, uint8_t serial);

void model_commit_position(struct step *step, const struct cursor_of *position);
void model_forget_memory(struct member *member);
/** Load again; memory may still be what is stored. */
void model_load(struct member *member);
bool model_is_dirty(const struct member *member);
/** An EXEC: *done tells whether Redis did it. */
void model_exec(struct step *step, struct member *member, const struct stored *after, bool *done);

/* The places from READ_APPLIED on (model_load.c). */
void model_read_applied(const struct model *model, struct step *step, int m);
void model_read_pending(const struct model *model, struct step *step, int m);
void model_read_committed(const struct model *model, struct step *step, int m);
void model_compare(const struct model *model, struct step *step, int m);
void model_commit_back(const struct model *model, struct step *step, int m);
void model_claim(const struct model *model, struct step *step, int m);
void model_read_state(const struct model *model, struct step *step, int m);
void model_read_again(const struct model *model, struct step *step, int m);
void model_read_back(const struct model *model, struct step *step, int m);

#endif
