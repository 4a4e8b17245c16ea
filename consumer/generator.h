/* generator.h - made-up request outcomes that look like those of teams that call AI APIs.
 *
 * The same options give the same events (but for the clock in live mode), and the generator keeps
 * its own account of them, so that what a service counts can be compared with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_GENERATOR_H
#define RETRYWATCH_CONSUMER_GENERATOR_H

#include "aggregator/outcome.h"

enum scenario {
    SCENARIO_RISE,    /* one owner's retries go from 3 % to 35 % near the end */
    SCENARIO_CHRONIC, /* one owner's retries are 15 % all the time */
    SCENARIO_CALM     /* all owners' retries are 3 % */
};

struct generator_options {
    int64_t owners; /* >= 1 */
    int64_t events; /* >= 1 */
    uint64_t seed;
    double zipf; /* how much busier the first owners are; 0: all alike */
    enum scenario scenario;
    int64_t start_ms; /* time of the first event */
    int64_t span_ms;  /* events are spread over it; 0: live, each has the time it is made */
};

/* What was generated for one owner, counted as the service counts. */
struct owner_account {
    const char *owner;
    uint64_t attempts, retries, failures, first_units, retry_units, usage_unavailable;
};

struct generator;

/** Cost: O(owners). Returns owned. */
struct generator *generator_new(const struct generator_options *options);
void generator_destroy(struct generator *generator);

/**
 * The next event; times never go back. Strings are borrowed until the next call.
 *
 * now_ms: its time in live mode, else not looked at.
 */
void generator_next(struct generator *generator, int64_t now_ms, struct outcome *outcome);

/** accounts[options.owners]; owners without events too. Borrowed. */
const struct owner_account *generator_accounts(const struct generator *generator);

/** The owner that is not like the others, or NULL; when its rise begins goes into *from_ms (0 in
 * live mode, and when it is so all the time). */
const char *generator_suspect(const struct generator *generator, int64_t *from_ms);

#endif
