/* check_model.c - everything that may happen in the model of delivery, and in its mutants.
 *
 * Usage: check_model [--crashes N] [--losses N] [--moves N] [--doubts N] [--mutant NAME]
 *
 * Without options: several mixes of faults, in which nothing may break, then every mutant, in which
 * something must. What breaks is shown step by step.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/memory.h"
#include "tests/model/model.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define NO_PARENT UINT32_MAX

/* Breadth first, so that what breaks is shown in as few steps as possible. */
struct search {
    struct model *states;
    uint32_t *parents;
    size_t count, capacity;
    uint32_t *table; /* index + 1; 0: free */
    size_t table_size;
    uint32_t now; /* the state whose steps are taken */
    size_t after; /* how many states came of it */
};

static void
table_put(struct search *search, uint32_t index)
{
    size_t at = XXH3_64bits(&search->states[index], sizeof(struct model)) % search->table_size;

    while (search->table[at] != 0) {
        at = at + 1 == search->table_size ? 0 : at + 1;
    }
    search->table[at] = index + 1;
}

static void
table_grow(struct search *search)
{
    free(search->table);
    search->table_size = search->table_size == 0 ? 1 << 16 : search->table_size * 2;
    search->table = memory_new(search->table_size, sizeof(*search->table));
    for (size_t i = 0; i < search->count; i++) {
        table_put(search, (uint32_t)i);
    }
}

static bool
is_known(const struct search *search, const struct model *model)
{
    size_t at = XXH3_64bits(model, sizeof(*model)) % search->table_size;

    while (search->table[at] != 0) {
        if (memcmp(&search->states[search->table[at] - 1], model, sizeof(*model)) == 0) {
            return true;
        }
        at = at + 1 == search->table_size ? 0 : at + 1;
    }
    return false;
}

static void
visit(void *context, const struct model *next)
{
    struct search *search = context;

    search->after += memcmp(next, &search->states[search->now], sizeof(*next)) != 0;
    if (search->count * 2 >= search->table_size) {
        table_grow(search);
    }
    if (is_known(search, next)) {
        return;
    }
    if (search->count == search->capacity) {
        search->capacity = search->capacity == 0 ? 1 << 14 : search->capacity * 2;
        search->states = realloc(search->states, search->capacity * sizeof(*search->states));
        search->parents = realloc(search->parents, search->capacity * sizeof(*search->parents));
        if (search->states == NULL || search->parents == NULL) {
            abort();
        }
    }
    search->states[search->count] = *next;
    search->parents[search->count] = search->now;
    table_put(search, (uint32_t)search->count);
    search->count += 1;
}

static void
show_state(const struct model *model)
{
    printf("  redis offset %d serial %d token %d, committed %d (%d %d), published %d, owner %d:",
            model->redis.offset, model->redis.serial, model->redis.token, model->committed.offset,
            model->committed.serial, model->committed.token, model->published, model->owner);
    for (int m = 0; m < INSTANCES; m++) {
        const struct member *member = &model->members[m];

        printf("  [%d] place %d next %d applied %d token %d", m, member->place, member->next,
                member->applied, member->memory.token);
    }
    printf("\n");
}

static void
show_way(const struct search *search, uint32_t index)
{
    if (search->parents[index] != NO_PARENT) {
        show_way(search, search->parents[index]);
    }
    show_state(&search->states[index]);
}

/* What breaks, or NULL when nothing does. */
static const char *
run_search(const struct budget *budget, enum mutant mutant, size_t *states, bool shows)
{
    struct search search = {.now = NO_PARENT};
    const char *broken = NULL;
    struct model first;
    uint32_t at = 0;

    model_init(&first, budget);
    table_grow(&search);
    search.capacity = 1 << 14;
    search.states = memory_new(search.capacity, sizeof(*search.states));
    search.parents = memory_new(search.capacity, sizeof(*search.parents));
    search.states[0] = first;
    search.parents[0] = NO_PARENT;
    search.count = 1;
    table_put(&search, 0);
    for (; at < search.count && broken == NULL; at++) {
        const struct model now = search.states[at];

        search.now = at;
        search.after = 0;
        broken = model_steps(&now, mutant, visit, &search);
        if (broken == NULL && search.after == 0) {
            broken = model_at_rest(&now);
        }
    }
    if (broken != NULL && shows) {
        show_way(&search, at - 1);
    }
    *states = search.count;
    free(search.states);
    free(search.parents);
    free(search.table);
    return broken;
}

static bool
must_hold(const struct budget *budget)
{
    size_t states = 0;
    const char *broken = run_search(budget, MUTANT_NONE, &states, true);

    printf("%d crashes, %d losses, %d moves, %d doubts: %zu states, %s\n", budget->crashes,
            budget->losses, budget->moves, budget->doubts, states,
            broken == NULL ? "nothing breaks" : broken);
    return broken == NULL;
}

/* Mixes of faults, small ones first. Everything that may happen is tried in all but the last, which
 * has too many states for that: there only mutants are looked for. */
static const struct budget mixes[] = {
        {.crashes = 1, .doubts = 1},
        {.losses = 2, .doubts = 1},
        {.crashes = 1, .losses = 1},
        {.moves = 1, .doubts = 1},
        {.crashes = 1, .moves = 1},
        {.losses = 1, .moves = 1},
};

#define MIXES (sizeof(mixes) / sizeof(mixes[0]))

static bool
must_break(enum mutant mutant)
{
    const char *broken = NULL;
    size_t states = 0;

    for (size_t i = 0; i < MIXES && broken == NULL; i++) {
        broken = run_search(&mixes[i], mutant, &states, false);
    }
    printf("%-20s %-66s %s\n", mutant_names[mutant], mutant_texts[mutant],
            broken == NULL ? "NOT FOUND" : broken);
    return broken != NULL;
}

int
main(int argc, char **argv)
{
    static const struct option known[] = {{"crashes", required_argument, NULL, 'c'},
            {"losses", required_argument, NULL, 'l'}, {"moves", required_argument, NULL, 'm'},
            {"doubts", required_argument, NULL, 'd'}, {"mutant", required_argument, NULL, 'x'},
            {NULL, 0, NULL, 0}};
    struct budget budget = {0};
    enum mutant mutant = MUTANT_NONE;
    bool good = true;

    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        uint8_t *number = option == 'c'   ? &budget.crashes
                          : option == 'l' ? &budget.losses
                          : option == 'm' ? &budget.moves
                                          : &budget.doubts;

        if (option == '?') {
            return 2;
        }
        if (option != 'x') {
            *number = (uint8_t)atoi(optarg);
        }
        for (int i = 0; option == 'x' && i < MUTANT_COUNT; i++) {
            mutant = strcmp(optarg, mutant_names[i]) == 0 ? (enum mutant)i : mutant;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        size_t states = 0;
        const char *broken = run_search(&budget, mutant, &states, true);

        printf("%zu states, %s\n", states, broken == NULL ? "nothing breaks" : broken);
        return broken != NULL;
    }
    for (size_t i = 0; i < MIXES - 1; i++) {
        good = must_hold(&mixes[i]) && good;
    }
    for (int i = MUTANT_NONE + 1; i < MUTANT_COUNT; i++) {
        good = must_break((enum mutant)i) && good;
    }
    return good ? 0 : 1;
}
