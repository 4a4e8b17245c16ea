/* generator.c - made-up request outcomes that look like those of teams that call AI APIs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/generator.h"

#include "aggregator/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define OWNER_SIZE 32
#define ID_SIZE 40
#define ATTEMPTS_MAX 6  /* of one operation */
#define BACKOFF_MS 1000 /* between an attempt and the next; one for all, so that they queue up */
#define RISE_MS 1500000 /* a rise begins 25 min before the end, or in the last third */
#define RISE_RAMP 0.2   /* part of it until the share is reached */
#define SHARE_CALM 0.03 /* attempts that are repeated */
#define SHARE_CHRONIC 0.15
#define SHARE_RISEN 0.35
#define DAY_MS INT64_C(86400000)

/* An attempt that will be made again. */
struct repeat {
    int64_t due_ms;
    uint32_t owner;
    uint32_t attempt; /* its number */
    uint64_t operation;
    uint8_t workload, environment, request_class, cause;
};

struct generator {
    struct generator_options options;
    uint64_t random;
    int64_t made;     /* events so far */
    uint32_t suspect; /* the owner that is not like the others */
    double *kept;     /* alias table of the owners: keep i with kept[i], ... */
    uint32_t *alias;  /* ... else take alias[i] */
    char (*names)[OWNER_SIZE];
    struct owner_account *accounts;
    struct repeat *repeats; /* ring, in order of due_ms */
    size_t first, waiting, capacity;
    char event_id[ID_SIZE], operation_id[ID_SIZE];
};

/* ---- chance -------------------------------------------------------------------------------- */

/* Source: Vigna, splitmix64 (public domain algorithm). */
static uint64_t
mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static uint64_t
random_64(struct generator *generator)
{
    generator->random += UINT64_C(0x9e3779b97f4a7c15);
    return mix(generator->random);
}

static double
random_share(struct generator *generator)
{
    return (double)(random_64(generator) >> 11) * 0x1p-53;
}

static uint32_t
random_below(struct generator *generator, uint32_t limit)
{
    return (uint32_t)(((random_64(generator) >> 32) * limit) >> 32);
}

/* ---- owners -------------------------------------------------------------------------------- */

static const char *const first_owners[] = {"search", "checkout", "support-bot", "translations",
        "fraud", "recommendations", "onboarding", "catalog", "billing", "moderation", "analytics",
        "mobile"};
#define FIRST_OWNERS (sizeof(first_owners) / sizeof(first_owners[0]))

static void
name_owners(struct generator *generator)
{
    for (int64_t i = 0; i < generator->options.owners; i++) {
        char *name = generator->names[i];

        if (i < (int64_t)FIRST_OWNERS) {
            snprintf(name, OWNER_SIZE, "%s", first_owners[i]);
        } else {
            snprintf(name, OWNER_SIZE, "team-%05" PRId64, i);
        }
        generator->accounts[i].owner = name;
    }
}

/*
 * Walker's alias table: an owner by its weight in O(1).
 *
 * weights: scaled so that they are 1 on average; used up.
 * Source: Vose, "A linear algorithm for generating random numbers with a given distribution".
 */
static void
fill_alias(struct generator *generator, double *weights)
{
    const size_t count = (size_t)generator->options.owners;
    uint32_t *stack = memory_new(count, sizeof(*stack)); /* small ones grow up, large ones down */
    size_t small = 0;
    size_t large = count;

    for (size_t i = count; i-- > 0;) {
        if (weights[i] < 1) {
            stack[small++] = (uint32_t)i;
        } else {
            stack[--large] = (uint32_t)i;
        }
    }
    while (small > 0 && large < count) {
        const uint32_t little = stack[--small];
        const uint32_t big = stack[large];

        generator->kept[little] = weights[little];
        generator->alias[little] = big;
        weights[big] -= 1 - weights[little];
        if (weights[big] < 1) {
            large++;
            stack[small++] = big;
        }
    }
    while (small > 0) {
        generator->kept[stack[--small]] = 1;
    }
    while (large < count) {
        generator->kept[stack[large++]] = 1;
    }
    free(stack);
}

static void
weigh_owners(struct generator *generator)
{
    const size_t count = (size_t)generator->options.owners;
    double *weights = memory_new(count, sizeof(*weights));
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        weights[i] = pow((double)(i + 1), -generator->options.zipf);
        sum += weights[i];
    }
    for (size_t i = 0; i < count; i++) {
        weights[i] *= (double)count / sum;
    }
    fill_alias(generator, weights);
    free(weights);
}

static uint32_t
pick_owner(struct generator *generator)
{
    const uint32_t owner = random_below(generator, (uint32_t)generator->options.owners);

    return random_share(generator) < generator->kept[owner] ? owner : generator->alias[owner];
}

/* ---- the scenario -------------------------------------------------------------------------- */

/* The part of all events after which the rise begins. */
static double
rise_begins(const struct generator *generator)
{
    const double span_ms = (double)generator->options.span_ms;

    return span_ms > 3.0 * RISE_MS ? 1 - RISE_MS / span_ms : 2.0 / 3;
}

/* The share of attempts of this owner that will be made again. */
static double
retry_share(const struct generator *generator, uint32_t owner)
{
    if (owner != generator->suspect || generator->options.scenario == SCENARIO_CALM) {
        return SHARE_CALM;
    }
    if (generator->options.scenario == SCENARIO_CHRONIC) {
        return SHARE_CHRONIC;
    }

    const double begins = rise_begins(generator);
    const double part = (double)generator->made / (double)generator->options.events;
    const double risen = (part - begins) / ((1 - begins) * RISE_RAMP);

    return SHARE_CALM + (SHARE_RISEN - SHARE_CALM) * (risen < 0 ? 0 : risen > 1 ? 1 : risen);
}

const char *
generator_suspect(const struct generator *generator, int64_t *from_ms)
{
    *from_ms = 0;
    if (generator->options.scenario == SCENARIO_CALM) {
        return NULL;
    }
    if (generator->options.scenario == SCENARIO_RISE && generator->options.span_ms > 0) {
        *from_ms = generator->options.start_ms +
                   (int64_t)(rise_begins(generator) * (double)generator->options.span_ms);
    }
    return generator->names[generator->suspect];
}

/* ---- repeats ------------------------------------------------------------------------------- */

static void
push_repeat(struct generator *generator, struct repeat repeat)
{
    if (generator->waiting == generator->capacity) {
        const size_t capacity = generator->capacity != 0 ? 2 * generator->capacity : 64;
        struct repeat *repeats = memory_new(capacity, sizeof(*repeats));

        for (size_t i = 0; i < generator->waiting; i++) {
            repeats[i] = generator->repeats[(generator->first + i) % generator->capacity];
        }
        free(generator->repeats);
        generator->repeats = repeats;
        generator->capacity = capacity;
        generator->first = 0;
    }
    generator->repeats[(generator->first + generator->waiting++) % generator->capacity] = repeat;
}

static bool
pop_repeat(struct generator *generator, int64_t time_ms, struct repeat *repeat)
{
    if (generator->waiting == 0 || generator->repeats[generator->first].due_ms > time_ms) {
        return false;
    }
    *repeat = generator->repeats[generator->first];
    generator->first = (generator->first + 1) % generator->capacity;
    generator->waiting -= 1;
    return true;
}

/* ---- one event ----------------------------------------------------------------------------- */

static const char *const workloads[] = {
        "api-gateway", "chat-frontend", "nightly-batch", "document-indexer"};
static const char *const environments[] = {"production", "production", "production", "staging"};
static const char *const classes[] = {"interactive", "interactive", "batch", "agent"};
static const char *const buckets[] = {
        "assistants", "customer-care", "internal-tools", "growth", "platform"};
#define BUCKETS (sizeof(buckets) / sizeof(buckets[0]))

/* What makes attempts fail that are made again, and how often. */
static const struct failure {
    uint32_t upto; /* of 100 */
    uint8_t error, cause;
} failures[] = {
        {40, ERROR_TIMEOUT, CAUSE_TIMEOUT},
        {70, ERROR_RATE_LIMITED, CAUSE_PLATFORM_RESPONSE},
        {85, ERROR_SERVER, CAUSE_PLATFORM_RESPONSE},
        {95, ERROR_NETWORK, CAUSE_CLIENT_HANDLING},
        {100, ERROR_OTHER, CAUSE_UNKNOWN},
};

static struct repeat
new_operation(struct generator *generator)
{
    const uint64_t random = random_64(generator);

    return (struct repeat){
            .owner = pick_owner(generator),
            .attempt = 1,
            .operation = random,
            .workload = random & 3,
            .environment = (random >> 2) & 3,
            .request_class = (random >> 4) & 3,
            .cause = SYMBOL_NULL,
    };
}

static void
set_usage(struct generator *generator, struct outcome *outcome)
{
    if (random_below(generator, 50) == 0) {
        outcome->usage_source = USAGE_UNAVAILABLE;
        return;
    }
    outcome->has_input_tokens = true;
    outcome->input_tokens = 100 + random_below(generator, 4000);
    outcome->has_output_tokens = true;
    outcome->output_tokens =
            outcome->result == RESULT_SUCCESS ? 20 + random_below(generator, 1500) : 0;
}

/* How the attempt ends; whether another one follows. */
static bool
set_result(struct generator *generator, const struct repeat *attempt, struct outcome *outcome,
        uint8_t *cause)
{
    if (random_share(generator) < retry_share(generator, attempt->owner)) {
        const uint32_t hundredth = random_below(generator, 100);
        const struct failure *failure = failures;

        while (hundredth >= failure->upto) {
            failure++;
        }
        outcome->result = RESULT_FAILURE;
        outcome->error_category = failure->error;
        *cause = failure->cause;
        outcome->retry_decision = attempt->attempt < ATTEMPTS_MAX ? RETRY_DECISION_RETRY
                                                                  : RETRY_DECISION_HOLD_FOR_OWNER;
        return attempt->attempt < ATTEMPTS_MAX;
    }
    outcome->result = RESULT_SUCCESS;
    if (random_below(generator, 100) == 0) {
        outcome->result = RESULT_FAILURE;
        outcome->error_category = ERROR_INVALID_REQUEST;
        outcome->retry_decision = RETRY_DECISION_STOP;
    }
    return false;
}

static void
describe(struct generator *generator, const struct repeat *attempt, struct outcome *outcome)
{
    const uint64_t id = random_64(generator);

    outcome_init(outcome);
    snprintf(generator->event_id, ID_SIZE, "%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned)(id >> 32),
            (unsigned)(id >> 16) & 0xffff, (unsigned)(id & 0xfff),
            0x8000 | (unsigned)(id >> 48 & 0x3fff), mix(id) & UINT64_C(0xffffffffffff));
    snprintf(generator->operation_id, ID_SIZE, "%016" PRIx64 "%016" PRIx64, attempt->operation,
            mix(attempt->operation));
    outcome->event_id = span_of(generator->event_id);
    outcome->source = span_of("llm-gateway");
    outcome->operation_id = span_of(generator->operation_id);
    outcome->attempt_number = (int32_t)attempt->attempt;
    outcome->retry_layer = LAYER_GATEWAY;
    outcome->dimensions[DIM_OWNER] = span_of(generator->names[attempt->owner]);
    outcome->dimensions[DIM_WORKLOAD] = span_of(workloads[attempt->workload]);
    outcome->dimensions[DIM_ENVIRONMENT] = span_of(environments[attempt->environment]);
    outcome->dimensions[DIM_CLASS] = span_of(classes[attempt->request_class]);
    outcome->dimensions[DIM_BUCKET] = span_of(buckets[attempt->owner % BUCKETS]);
    outcome->unit_metric = span_of("tokens");
    outcome->allocation_rule_id = span_of("by-owner");
    outcome->retry_cause = attempt->cause;
    outcome->source_urls[0] = span_of("https://docs.example.com/limits");
    outcome->source_url_count = 1;
}

static void
account(struct generator *generator, uint32_t owner, const struct outcome *outcome)
{
    struct owner_account *account = &generator->accounts[owner];
    const bool retry = outcome->attempt_number > 1;
    const uint64_t units = (uint64_t)(outcome->input_tokens + outcome->output_tokens);

    account->attempts += 1;
    account->retries += retry ? 1 : 0;
    account->failures += outcome->result == RESULT_FAILURE ? 1 : 0;
    if (outcome->usage_source == USAGE_UNAVAILABLE) {
        account->usage_unavailable += 1;
    } else if (retry) {
        account->retry_units += units;
    } else {
        account->first_units += units;
    }
}

void
generator_next(struct generator *generator, int64_t now_ms, struct outcome *outcome)
{
    const struct generator_options *options = &generator->options;
    const int64_t time_ms =
            options->span_ms == 0
                    ? now_ms
                    : options->start_ms +
                              (int64_t)((double)generator->made *
                                        ((double)options->span_ms / (double)options->events));
    struct repeat attempt;
    uint8_t cause = SYMBOL_NULL;

    if (!pop_repeat(generator, time_ms, &attempt)) {
        attempt = new_operation(generator);
    }
    describe(generator, &attempt, outcome);
    outcome->event_time_ms = time_ms;
    outcome->pricing_source_checked_at_ms = time_ms - time_ms % DAY_MS - DAY_MS;

    const bool again = set_result(generator, &attempt, outcome, &cause);

    set_usage(generator, outcome);
    if (again) {
        attempt.attempt += 1;
        attempt.due_ms = time_ms + BACKOFF_MS;
        attempt.cause = cause;
        push_repeat(generator, attempt);
    }
    account(generator, attempt.owner, outcome);
    generator->made += 1;
}

/* ---- life ---------------------------------------------------------------------------------- */

struct generator *
generator_new(const struct generator_options *options)
{
    struct generator *generator = memory_new(1, sizeof(*generator));
    const size_t owners = (size_t)options->owners;

    assert(options->owners >= 1 && options->events >= 1);
    generator->options = *options;
    generator->random = options->seed;
    generator->suspect = owners > 1 ? 1 : 0;
    generator->kept = memory_new(owners, sizeof(*generator->kept));
    generator->alias = memory_new(owners, sizeof(*generator->alias));
    generator->names = memory_new(owners, sizeof(*generator->names));
    generator->accounts = memory_new(owners, sizeof(*generator->accounts));
    name_owners(generator);
    weigh_owners(generator);
    return generator;
}

void
generator_destroy(struct generator *generator)
{
    if (generator != NULL) {
        free(generator->kept);
        free(generator->alias);
        free(generator->names);
        free(generator->accounts);
        free(generator->repeats);
        free(generator);
    }
}

const struct owner_account *
generator_accounts(const struct generator *generator)
{
    return generator->accounts;
}
