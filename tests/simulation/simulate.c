/* simulate.c - histories of the service loop in a simulated world, each checked against its input.
 *
 * Usage: simulate [--seed N] [--seeds COUNT] [--first] [--trace] [--shrink]
 *        simulate --seed N --steps LIST [--without FAULTS] [--trace]
 *        simulate --calls        every fault at every call of a small history
 *        simulate --pairs        every pair of faults at the calls of a tiny one
 *
 * One seed is one history. Each event must be counted once, each invalid record rejected once, each
 * review visible once, in order and as it was stored; nothing may come of an instance that has lost
 * its partition; and all of it must end when faults end. A failing seed is cut down with --shrink.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/history.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct totals {
    uint64_t histories, failed, refused, rebuilt, lost_writes, reviews, decided;
};

static void
add_up(struct totals *totals, const struct outcome_of_history *outcome)
{
    totals->histories += 1;
    totals->failed += outcome->failed;
    totals->refused += outcome->refused;
    totals->rebuilt += outcome->rebuilt;
    totals->lost_writes += outcome->lost_writes;
    totals->reviews += outcome->reviews;
    totals->decided += outcome->decided;
}

/* Small numbers, so that short histories have reviews. */
static struct config *
small_config(void)
{
    const struct config_sources sources = {0};
    struct config *config = NULL;
    struct error error = {0};

    if (config_load(&sources, &config, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    config->rule.attempts_min = 8;
    config->rule.retries_min = 3;
    config->rule.calm_closes = 5;
    config->rule.repeat_ms = INT64_C(10) * 60 * 1000;
    return config;
}

/* ---- random histories ------------------------------------------------------------------------ */

struct options {
    uint64_t seed, count;
    const char *steps, *without;
    bool trace, shrink, first, calls, pairs;
};

/* Whether the history of this seed passes. */
static bool
run_seed(uint64_t seed, const struct options *options, struct config *config, struct totals *totals)
{
    struct history history;
    struct outcome_of_history outcome;

    history_init(&history, seed);
    if ((options->steps != NULL && !history_choose(&history, options->steps)) ||
            (options->without != NULL && !history_without(&history, options->without))) {
        fprintf(stderr, "--steps is like 0-4,7q,9; --without like crash,slow\n");
        exit(2);
    }
    history_run(&history, config, options->trace, &outcome);
    add_up(totals, &outcome);
    if (outcome.failed) {
        printf("  %s\nseed %" PRIu64 " failed: simulate --seed %" PRIu64 " --trace\n",
                outcome.failure, seed, seed);
    }
    if (outcome.failed && options->shrink) {
        history_shrink(&history, config);
        printf("also fails: simulate --seed %" PRIu64 " --trace --steps ", seed);
        history_print_steps(&history);
        printf("\n");
    }
    history_fini(&history);
    return !outcome.failed;
}

static volatile long long current_seed;

/* An assertion of the service has failed, or a turn does not end: tell in which history. */
static void
on_abort(int number)
{
    char text[64];
    const int size = snprintf(text, sizeof(text), "seed %lld %s\n", current_seed,
            number == SIGABRT ? "aborted" : "does not end");

    (void)!write(STDERR_FILENO, text, (size_t)size);
    if (number != SIGABRT) {
        _exit(1);
    }
}

/* ---- every fault at every call --------------------------------------------------------------- */

static void
run_planned(const char *name, struct history *history, struct config *config, struct totals *totals)
{
    struct outcome_of_history outcome;

    history_run(history, config, false, &outcome);
    add_up(totals, &outcome);
    if (outcome.failed) {
        printf("  %s\n%s history failed with fault %d at call %" PRIu64 " and %d at %" PRIu64 "\n",
                outcome.failure, name, (int)history->plans[0].fate, history->plans[0].call,
                (int)history->plans[1].fate, history->plans[1].call);
    }
}

static uint64_t
count_calls(const char *name, struct history *history, struct config *config, struct totals *totals)
{
    struct outcome_of_history outcome;

    history_run(history, config, false, &outcome);
    add_up(totals, &outcome);
    if (outcome.failed || outcome.reviews == 0) {
        printf("  %s\n%s history failed without faults\n", outcome.failure, name);
        totals->failed += !outcome.failed;
    }
    return outcome.calls;
}

static void
run_calls(struct config *config, bool first, struct totals *totals)
{
    struct history history;

    history_small(&history);

    const uint64_t calls = count_calls("small", &history, config, totals);

    for (uint64_t call = 1; call <= calls && !(first && totals->failed != 0); call++) {
        for (enum fate fate = FATE_FAILED; fate < FATE_COUNT; fate++) {
            history.plans[0] = (struct world_plan){call, fate};
            run_planned("small", &history, config, totals);
        }
    }
    printf("%" PRIu64 " calls\n", calls);
    history_fini(&history);
}

/* Without FATE_FAILED, which is tried again at once. */
#define FATES (FATE_COUNT - FATE_LOST_REPLY)

static void
run_pairs(struct config *config, bool first, struct totals *totals)
{
    struct history history;

    history_tiny(&history);

    const uint64_t calls = count_calls("tiny", &history, config, totals);

    for (uint64_t call = 1; call <= calls && !(first && totals->failed != 0); call++) {
        /* A fault makes more calls. */
        for (uint64_t later = call + 1; later <= calls + 8; later++) {
            for (int pair = 0; pair < FATES * FATES; pair++) {
                history.plans[0] =
                        (struct world_plan){call, (enum fate)(FATE_LOST_REPLY + pair / FATES)};
                history.plans[1] =
                        (struct world_plan){later, (enum fate)(FATE_LOST_REPLY + pair % FATES)};
                run_planned("tiny", &history, config, totals);
            }
        }
    }
    printf("%" PRIu64 " calls\n", calls);
    history_fini(&history);
}

static bool
parse_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"seed", required_argument, NULL, 's'},
            {"seeds", required_argument, NULL, 'n'}, {"steps", required_argument, NULL, 'p'},
            {"without", required_argument, NULL, 'w'}, {"trace", no_argument, NULL, 't'},
            {"shrink", no_argument, NULL, 'k'}, {"first", no_argument, NULL, 'f'},
            {"calls", no_argument, NULL, 'x'}, {"pairs", no_argument, NULL, 'y'},
            {NULL, 0, NULL, 0}};

    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 's':
            options->seed = strtoull(optarg, NULL, 10);
            options->count = options->count == 0 ? 1 : options->count;
            break;
        case 'n':
            options->count = strtoull(optarg, NULL, 10);
            break;
        case 'p':
            options->steps = optarg;
            break;
        case 'w':
            options->without = optarg;
            break;
        case 't':
            options->trace = true;
            break;
        case 'k':
            options->shrink = true;
            break;
        case 'f':
            options->first = true;
            break;
        case 'x':
            options->calls = true;
            break;
        case 'y':
            options->pairs = true;
            break;
        default:
            return false;
        }
    }
    return true;
}

int
main(int argc, char **argv)
{
    struct options options = {.seed = 1};
    struct totals totals = {0};
    struct config *config;

    if (!parse_options(argc, argv, &options)) {
        return 2;
    }
    signal(SIGABRT, on_abort);
    signal(SIGVTALRM, on_abort);
    setvbuf(stdout, NULL, _IOLBF, 0);
    config = small_config();
    log_init(options.trace ? LOG_WARN : LOG_ERROR, LOG_LOGFMT);
    if (options.calls) {
        run_calls(config, options.first, &totals);
    } else if (options.pairs) {
        run_pairs(config, options.first, &totals);
    } else {
        const uint64_t count = options.count == 0 ? 200 : options.count;

        for (uint64_t i = 0; i < count; i++) {
            current_seed = (long long)(options.seed + i);
            if (!run_seed(options.seed + i, &options, config, &totals) && options.first) {
                break;
            }
        }
    }
    printf("%" PRIu64 " histories, %" PRIu64 " reviews, %" PRIu64
           " decided; Redis lost writes in %" PRIu64 ", %" PRIu64 " rightly refused, %" PRIu64
           " counted anew\n%" PRIu64 " passed, %" PRIu64 " failed\n",
            totals.histories, totals.reviews, totals.decided, totals.lost_writes, totals.refused,
            totals.rebuilt, totals.histories - totals.failed, totals.failed);
    config_destroy(config);
    return totals.failed == 0 ? 0 : 1;
}
