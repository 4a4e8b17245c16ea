/* bench_store.c - what state and views cost in a Redis of the bench's own (append-only file, fsync
 * every second), and for how long one command holds it.
 *
 *     bench_store [seconds for each round]
 *
 * The median of the rounds. f is how many series an event updates on average, once the events of a
 * batch are folded: 1 means that every event is of another known series. Redis CPU is what INFO
 * says of its threads. The longest command is the 100th percentile that Redis itself keeps; an EXEC
 * is one command, for so long did nobody else get an answer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/clock.h"
#include "consumer/store_redis.h"
#include "consumer/views.h"

#include "tests/bench/rows.h"
#include "tests/support/redis_server.h"

#include <inttypes.h>

#define SERIES 100000 /* known ones, in turn */
#define VALUE_SIZE 24 /* of a packed minute */
#define ROUNDS 5
#define BATCH_EVENTS 200000 /* of an EXEC at most, as in the service */
#define BATCH_UPDATES 5000
#define GROUP_SERIES 10 /* series that share the half-hour of a group */
#define MINUTES 8
#define OWNERS 5000
#define OWNERS_AT_ONCE 500 /* as in the service */
#define BUCKETS 3

struct bench {
    struct redis_server server;
    struct store *store;
    char (*names)[16]; /* names[SERIES]: series numbers and owner names */
    char applied[32];  /* what is stored; "" at first */
    int64_t run_ms;
};

/* Where time went since the last look. */
struct meter {
    double wall_s, own_s, redis_s;
};

static void
must(enum status status, const struct error *error)
{
    if (status != STATUS_OK) {
        fprintf(stderr, "bench_store: %s\n", error->text);
        exit(1);
    }
}

/* A number of INFO by its name. */
static double
info_number(const struct redis_reply *info, const char *name)
{
    const char *at = memmem(info->text.data, info->text.size, name, strlen(name));

    return at != NULL ? strtod(at + strlen(name), NULL) : 0;
}

static struct meter
meter_now(struct bench *bench)
{
    const struct redis_reply *info = redis_server_ask(&bench->server, "INFO", "cpu");

    return (struct meter){.wall_s = rows_seconds(CLOCK_MONOTONIC),
            .own_s = rows_seconds(CLOCK_PROCESS_CPUTIME_ID),
            .redis_s = info_number(info, "used_cpu_sys:") + info_number(info, "used_cpu_user:")};
}

/* The longest of all commands since the last reset. */
static double
longest_ms(struct bench *bench)
{
    static const char tag[] = "p100=";
    const struct redis_reply *info = redis_server_ask(&bench->server, "INFO", "latencystats");
    const char *at = (const char *)info->text.data;
    size_t left = info->text.size;
    double longest_us = 0;
    const char *found;

    while ((found = memmem(at, left, tag, sizeof(tag) - 1)) != NULL) {
        const double us = strtod(found + sizeof(tag) - 1, NULL);

        longest_us = us > longest_us ? us : longest_us;
        left -= (size_t)(found + sizeof(tag) - 1 - at);
        at = found + sizeof(tag) - 1;
    }
    return longest_us / 1000;
}

/* What one line is about, and what its rounds gave; of something done. */
struct line {
    char name[64];
    const char *unit;
    double at_least; /* a second, to be reached; or 0 */
    double per_second[ROUNDS], own_us[ROUNDS], redis_us[ROUNDS], longest_ms[ROUNDS];
    double own_s, redis_s; /* of all rounds */
    size_t rounds;
};

static void
line_add(struct bench *bench, struct line *line, struct meter since, double done)
{
    const struct meter now = meter_now(bench);
    const size_t i = line->rounds++;

    line->per_second[i] = done / (now.wall_s - since.wall_s);
    line->own_us[i] = (now.own_s - since.own_s) / done * 1e6;
    line->redis_us[i] = (now.redis_s - since.redis_s) / done * 1e6;
    line->own_s += now.own_s - since.own_s;
    line->redis_s += now.redis_s - since.redis_s;
    line->longest_ms[i] = longest_ms(bench);
    redis_server_ask(&bench->server, "CONFIG", "RESETSTAT");
}

static void
line_row(const struct line *line, const char *what, const char *unit, double value, double at_least,
        double at_most)
{
    char name[128];

    snprintf(name, sizeof(name), "%s%s", line->name, what);
    rows_add(&(struct row){.bench = "store",
            .what = name,
            .unit = unit,
            .value = value,
            .at_least = at_least,
            .at_most = at_most,
            .service_s = line->own_s,
            .redis_s = line->redis_s});
}

static void
line_end(struct line *line)
{
    const size_t rounds = line->rounds;
    const double per_second = rows_median(line->per_second, rounds);
    const double redis_us = rows_median(line->redis_us, rounds);
    const double longest = rows_median(line->longest_ms, rounds);
    char unit[32];

    printf("%-24s %9.0f %s/s  %6.2f us of ours  %6.2f us of Redis  longest command %.1f ms "
           "(worst %.1f)\n",
            line->name, per_second, line->unit, rows_median(line->own_us, rounds), redis_us,
            longest, line->longest_ms[rounds - 1]);
    fflush(stdout);
    snprintf(unit, sizeof(unit), "%ss/s", line->unit);
    line_row(line, "", unit, per_second, line->at_least, 0);
    snprintf(unit, sizeof(unit), "us/%s", line->unit);
    line_row(line, ", CPU of Redis", unit, redis_us, 0, 0);
    line_row(line, ", longest command", "ms", longest, 0, 10);
}

/* ---- state ----------------------------------------------------------------------------------- */

static void
exec_changes(struct bench *bench, const struct change *changes, size_t count)
{
    char next[sizeof(bench->applied)];
    struct error error = {0};

    snprintf(next, sizeof(next), "%d", atoi(bench->applied) + 1);

    const struct changes all = {
            .expected = bench->applied[0] != '\0' ? span_of(bench->applied) : SPAN_NULL,
            .applied = span_of(next),
            .changes = changes,
            .count = count};

    must(bench->store->ops->exec_begin(bench->store, &all, &error), &error);
    must(bench->store->ops->exec_end(bench->store, &error), &error);
    memcpy(bench->applied, next, sizeof(next));
}

/* One EXEC of the next `count` series in a minute, and of the half-hours of their groups. */
static void
exec_minute(
        struct bench *bench, struct change *changes, const char *map, size_t first, size_t count)
{
    static uint8_t value[VALUE_SIZE];
    const size_t groups = (count + GROUP_SERIES - 1) / GROUP_SERIES;

    value[0] += 1;
    for (size_t i = 0; i < count + groups; i++) {
        const bool is_series = i < count;
        const size_t number = is_series ? first + i : first / GROUP_SERIES + i - count;

        changes[i] = (struct change){.kind = CHANGE_SET,
                .map = span_of(is_series ? map : "h:0"),
                .field = span_of(bench->names[number % SERIES]),
                .value = {value, sizeof(value)},
                .expires = true};
    }
    exec_changes(bench, changes, count + groups);
}

/* As many series as an EXEC of the service has when an event updates f of them on average. */
static size_t
series_of_exec(double f)
{
    const size_t fit = BATCH_UPDATES * GROUP_SERIES / (GROUP_SERIES + 1);
    const double folded = f * BATCH_EVENTS;

    return folded < (double)fit ? (size_t)folded : fit;
}

static void
bench_exec(struct bench *bench, double f, double at_least)
{
    struct change *changes = memory_new(BATCH_UPDATES, sizeof(*changes));
    struct line line = {.unit = "event", .at_least = at_least};
    const size_t series = series_of_exec(f);
    size_t first = 0;

    snprintf(line.name, sizeof(line.name), "state, f = %g", f);
    while (first < SERIES) {
        exec_minute(bench, changes, "m:0", first, series); /* now all are known */
        first += series;
    }
    redis_server_ask(&bench->server, "CONFIG", "RESETSTAT");
    for (size_t round = 0; round < ROUNDS; round++) {
        const struct meter since = meter_now(bench);
        size_t done = 0;

        while (rows_seconds(CLOCK_MONOTONIC) - since.wall_s < (double)bench->run_ms / 1000) {
            exec_minute(bench, changes, "m:0", first, series);
            first += series;
            done += series;
        }
        line_add(bench, &line, since, (double)done / f);
    }
    line_end(&line);
    free(changes);
}

static enum status
visit_count(void *context, size_t map, struct span field, struct span value, struct error *error)
{
    (void)map, (void)field, (void)value, (void)error;
    *(size_t *)context += 1;
    return STATUS_OK;
}

static void
bench_read(struct bench *bench)
{
    struct line line = {.name = "reading 8 minutes", .unit = "field"};
    struct change *changes = memory_new(BATCH_UPDATES, sizeof(*changes));
    char maps[MINUTES][16];
    struct span spans[MINUTES];
    struct error error = {0};

    for (size_t i = 0; i < MINUTES; i++) {
        snprintf(maps[i], sizeof(maps[i]), "m:%zu", i);
        spans[i] = span_of(maps[i]);
        for (size_t first = 0; first < SERIES; first += 5000) {
            exec_minute(bench, changes, maps[i], first, 5000);
        }
    }
    redis_server_ask(&bench->server, "CONFIG", "RESETSTAT");
    for (size_t round = 0; round < ROUNDS; round++) {
        const struct meter since = meter_now(bench);
        size_t count = 0;

        must(bench->store->ops->read_maps(
                     bench->store, 0, spans, MINUTES, visit_count, &count, &error),
                &error);
        line_add(bench, &line, since, (double)count);
    }
    line_end(&line);
    free(changes);
}

/* ---- views ----------------------------------------------------------------------------------- */

static struct owner_view
make_view(struct bench *bench, size_t owner, size_t minutes)
{
    struct owner_view view = {.owner = span_of(bench->names[owner]),
            .as_of_ms = 1790000000000,
            .last_event_ms = 1790000000000,
            .bucket_count = BUCKETS,
            .first_minute = 29833274};

    view.buckets = memory_new(BUCKETS, sizeof(*view.buckets));
    for (size_t i = 0; i < BUCKETS; i++) {
        view.buckets[i].bucket = span_of(bench->names[i]);
    }
    for (size_t window = 0; window < VIEW_WINDOWS; window++) {
        view.totals[window][COUNT_ATTEMPTS] = 1000 + owner;
        view.totals[window][COUNT_RETRIES] = 100;
    }
    for (size_t i = WINDOW_L_MINUTES - minutes; i < WINDOW_L_MINUTES; i++) {
        view.minute_attempts[i] = 20;
    }
    return view;
}

static void
show_owners(struct bench *bench, struct views *views, size_t first, size_t minutes)
{
    struct error error = {0};
    size_t count = 0;

    for (size_t i = first; i < first + OWNERS_AT_ONCE; i++) {
        struct owner_view view = make_view(bench, i % OWNERS, minutes);

        views_put_owner(views, 0, &view);
        free(view.buckets);
    }
    const struct span commands = views_commands(views, &count);

    must(bench->store->ops->write_views(bench->store, commands, count, &error), &error);
    views_clear(views);
}

/* Every owner again and again, as within a minute. */
static void
bench_views(struct bench *bench, size_t minutes)
{
    struct views *views = views_new("rw");
    struct line line = {.unit = "owner"};

    snprintf(line.name, sizeof(line.name), "views, %zu minutes", minutes);
    for (size_t round = 0; round < ROUNDS; round++) {
        const struct meter since = meter_now(bench);
        size_t done = 0;

        for (; done < OWNERS; done += OWNERS_AT_ONCE) {
            show_owners(bench, views, done, minutes);
        }
        line_add(bench, &line, since, (double)done);
    }
    line_end(&line);
    views_destroy(views);
}

int
main(int argc, char **argv)
{
    static char topic[] = "outcomes", prefix[] = "rw", nothing[] = "";
    static const char *const options[] = {"--latency-tracking-info-percentiles", "100", NULL};
    struct bench bench = {.run_ms = (int64_t)(1000 * (argc > 1 ? strtod(argv[1], NULL) : 1))};

    redis_server_open(&bench.server, options);

    const struct config config = {.topics.outcomes = topic,
            .redis = {.url = bench.server.url,
                    .prefix = prefix,
                    .username = nothing,
                    .password = nothing,
                    .state_ttl_ms = 691200000,
                    .timeout_ms = 10000}};

    bench.names = memory_new(SERIES, sizeof(*bench.names));
    for (size_t i = 0; i < SERIES; i++) {
        snprintf(bench.names[i], sizeof(*bench.names), "%zu", i);
    }
    bench.store = store_redis_new(&config);
    bench_exec(&bench, 0.01, 0);
    bench_exec(&bench, 0.1, 0);
    bench_exec(&bench, 1, 500000);
    bench_read(&bench);
    bench_views(&bench, 5);
    bench_views(&bench, 60);
    bench.store->ops->destroy(bench.store);
    redis_server_close(&bench.server);
    free(bench.names);
    return 0;
}
