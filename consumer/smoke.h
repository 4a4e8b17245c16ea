/* smoke.h - the smoke test: the running service, from an event to a reopened review, through its
 * own Kafka and Redis, under an owner that nobody else has.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_SMOKE_H
#define RETRYWATCH_CONSUMER_SMOKE_H

#include "consumer/config.h"
#include "consumer/decision_write.h"
#include "consumer/kafka.h"

#include <jansson.h>

#define SMOKE_OWNER_PREFIX "smoke-test-" /* reserved: alerts leave these owners out */
#define SMOKE_NAME "smoke-test"          /* workload, request class, bucket of its events */
#define SMOKE_UNIT_METRIC "tokens"
#define SMOKE_OWNER_SIZE 32
#define SMOKE_DECISIONS 2

/*    name           as it is shown */
#define SMOKE_STEP_MAP(X)             \
    X(SMOKE_REACH, "reach")           \
    X(SMOKE_HAPPY_PATH, "happy-path") \
    X(SMOKE_ERROR_PATH, "error-path") \
    X(SMOKE_RISE, "rise")             \
    X(SMOKE_DECISION, "decision")     \
    X(SMOKE_EXPIRY, "expiry")         \
    X(SMOKE_COVER, "cover")

#define SMOKE_ENUM(name, text) name,
enum smoke_step { SMOKE_STEP_MAP(SMOKE_ENUM) SMOKE_STEPS };
#undef SMOKE_ENUM

extern const char *const smoke_step_names[SMOKE_STEPS];

enum smoke_result { SMOKE_NOT_RUN, SMOKE_PASS, SMOKE_FAIL };

struct smoke_options {
    const char *environment; /* of its events, and in the record */
    const char *source_url;
    int64_t schema_id;  /* in the frame of its events */
    bool has_schema_id; /* it was given */
    int64_t timeout_ms; /* of each wait */
    FILE *progress;     /* gets the name of each step as it begins; NULL: nobody waits */
};

/* What has been done and seen. */
struct smoke {
    const struct config *config;
    struct smoke_options options;
    struct kafka_facts facts;
    char owner[SMOKE_OWNER_SIZE];
    int64_t started_ms;
    struct smoke_step_result {
        enum smoke_result result;
        char text[ERROR_TEXT_SIZE]; /* what was seen, or what to look at */
    } steps[SMOKE_STEPS];

    struct kafka_writer *events;
    struct topic_reader *reviews;
    struct view_reader *views;
    int64_t attempts, retries; /* written so far */
    int64_t operations;        /* their ids */
    int32_t partition;         /* of its events */
    int64_t first_offset, last_offset;
    json_t *packets; /* array: its reviews, each sequence once, in order */
    char decision_ids[SMOKE_DECISIONS][DECISION_ID_TEXT_SIZE]; /* "": not written */
    int64_t decision_ends_ms[SMOKE_DECISIONS];
};

/** Runs every step, and after a failure only that which covers the owner. smoke is zeroed. */
void smoke_run(
        struct smoke *smoke, const struct config *config, const struct smoke_options *options);
void smoke_fini(struct smoke *smoke);

/** Every step has passed. */
bool smoke_passed(const struct smoke *smoke);

/** The review that was seen last; NULL before. Borrowed. */
const json_t *smoke_packet(const struct smoke *smoke);

#endif
