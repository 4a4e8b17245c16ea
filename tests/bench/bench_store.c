/* bench_store.c - what state and views cost in a Redis of the bench's own (append-only file, fsync
 * every second).
 *
 *     bench_store [seconds for each line]
 *
 * Redis CPU is what INFO says of its threads. The longest command is the worst of the slow log: so
 * long did nobody else get an answer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/clock.h"
#include "consumer/store_redis.h"
#include "consumer/views.h"

#include "tests/support/redis_server.h"

#include <inttypes.h>
#include <time.h>

#define SERIES 100000 /* known ones, in turn */
#define VALUE_SIZE 24 /* of a packed minute */
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

static double
seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
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

    return (struct meter){.wall_s = seconds(CLOCK_MONOTONIC),
            .own_s = seconds(CLOCK_PROCESS_CPUTIME_ID),
            .redis_s = info_number(info, "used_cpu_sys:") + info_number(info, "used_cpu_user:")};
}

static double
longest_ms(struct bench *bench)
{
    const struct redis_reply *log = redis_server_ask(&bench->server, "SLOWLOG", "GET", "128");
    int64_t longest_us = 0;

    for (size_t i = 0; i < log->item_count; i++) {
        const int64_t us = log->items[i]->items[2]->integer;

        longest_us = us > longest_us ? us : longest_us;
    }
    return (double)longest_us / 1000;
}

static void
print_meter(
        struct bench *bench, const char *name, const char *unit, struct meter since, double done)
{
    const struct meter now = meter_now(bench);

    printf("%-28s %9.0f %s/s  %6.2f us of ours  %6.2f us of Redis  longest command %.1f ms\n", name,
            done / (now.wall_s - since.wall_s), unit, (now.own_s - since.own_s) / done * 1e6,
            (now.redis_s - since.redis_s) / done * 1e6, longest_ms(bench));
    fflush(stdout);
    redis_server_ask(&bench->server, "SLOWLOG", "RESET");
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

/* One EXEC of the next `count` series in a minute. */
static void
exec_minute(
        struct bench *bench, struct change *changes, const char *map, size_t first, size_t count)
{
    static uint8_t value[VALUE_SIZE];

    value[0] += 1;
    for (size_t i = 0; i < count; i++) {
        changes[i] = (struct change){.kind = CHANGE_SET,
                .map = span_of(map),
                .field = span_of(bench->names[(first + i) % SERIES]),
                .value = {value, sizeof(value)},
                .expires = true};
    }
    exec_changes(bench, changes, count);
}

static void
bench_exec(struct bench *bench, size_t updates)
{
    struct change *changes = memory_new(updates, sizeof(*changes));
    const struct meter since = meter_now(bench);
    size_t done = 0;
    char name[32];

    while (seconds(CLOCK_MONOTONIC) - since.wall_s < (double)bench->run_ms / 1000) {
        exec_minute(bench, changes, "m:0", done, updates);
        done += updates;
    }
    snprintf(name, sizeof(name), "%zu updates an EXEC", updates);
    print_meter(bench, name, "updates", since, (double)done);
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
    struct change *changes = memory_new(5000, sizeof(*changes));
    char maps[MINUTES][16];
    struct span spans[MINUTES];
    struct error error = {0};
    size_t count = 0;

    for (size_t i = 0; i < MINUTES; i++) {
        snprintf(maps[i], sizeof(maps[i]), "m:%zu", i);
        spans[i] = span_of(maps[i]);
        for (size_t first = 0; first < SERIES; first += 5000) {
            exec_minute(bench, changes, maps[i], first, 5000);
        }
    }
    redis_server_ask(&bench->server, "SLOWLOG", "RESET");

    const struct meter since = meter_now(bench);

    must(bench->store->ops->read_maps(bench->store, 0, spans, MINUTES, visit_count, &count, &error),
            &error);
    print_meter(bench, "reading 8 minutes", "fields", since, (double)count);
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

/* Every owner once, as when a minute begins; then again and again, as within it. */
static void
bench_views(struct bench *bench, size_t minutes)
{
    struct views *views = views_new("rw");
    struct meter since = meter_now(bench);
    size_t done = 0;
    char name[48];

    for (; done < OWNERS; done += OWNERS_AT_ONCE) {
        show_owners(bench, views, done, minutes);
    }
    snprintf(name, sizeof(name), "views, %zu minutes, first", minutes);
    print_meter(bench, name, "owners", since, (double)done);
    since = meter_now(bench);
    for (done = 0; seconds(CLOCK_MONOTONIC) - since.wall_s < (double)bench->run_ms / 1000;) {
        show_owners(bench, views, done, minutes);
        done += OWNERS_AT_ONCE;
    }
    snprintf(name, sizeof(name), "views, %zu minutes, again", minutes);
    print_meter(bench, name, "owners", since, (double)done);
    views_destroy(views);
}

int
main(int argc, char **argv)
{
    static char topic[] = "outcomes", prefix[] = "rw", nothing[] = "";
    static const char *const options[] = {"--slowlog-log-slower-than", "200", NULL};
    struct bench bench = {.run_ms = (int64_t)(1000 * (argc > 1 ? strtod(argv[1], NULL) : 2))};

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
    bench_exec(&bench, 100);
    bench_exec(&bench, 1000);
    bench_exec(&bench, 5000);
    bench_read(&bench);
    bench_views(&bench, 5);
    bench_views(&bench, 60);
    bench.store->ops->destroy(bench.store);
    redis_server_close(&bench.server);
    free(bench.names);
    return 0;
}
