/* test_notify.c - deliveries: order, backoff, giving up, and what is committed when.
 *
 * The topic, the destinations and the clock are of the test: it tells what each attempt gives.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/notify.h"
#include "tests/support/load_config.h"
#include "tests/support/random.h"
#include "tests/support/review_json.h"
#include "tests/support/rows.h"

#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX 400
#define PARTITIONS 2
#define TRACE_MAX 20000

/* ---- a world by hand ------------------------------------------------------------------------ */

struct written {
    struct buffer value;
    char owner[16];
    char id[40];
};

/* What happened to an event at a destination. */
struct trace {
    int32_t partition;
    int64_t offset;
    bool webhook;
    bool letter;
    char reason[16];
};

struct world {
    struct review_feed feed;
    struct review_feed_listener listener;
    struct written records[PARTITIONS][RECORDS_MAX];
    int64_t count[PARTITIONS], next[PARTITIONS], committed[PARTITIONS];
    bool held;
    struct loaded loaded;
    struct notify *notify;
    struct trace trace[TRACE_MAX]; /* ends of deliveries */
    size_t trace_count;
    int attempts;
    const enum notify_verdict *script; /* one an attempt; NULL: random; then delivered */
    size_t script_count;
    int failing_percent;
    bool letters_fail;
    int64_t attempt_ms[256]; /* when they were made */
};

static int64_t now_ms;
static struct random numbers;

static int64_t
hand_ms(const struct clock *clock)
{
    (void)clock;
    return now_ms;
}

static const struct clock hand = {.wall_ms = hand_ms, .monotonic_ms = hand_ms};

static enum status
world_poll(struct review_feed *feed, int wait_ms, struct review_record *record, bool *got,
        struct error *error)
{
    struct world *world = (struct world *)feed;

    (void)error;
    *got = false;
    for (int32_t p = 0; p < PARTITIONS && !world->held; p++) {
        if (world->next[p] < world->count[p]) {
            const struct written *written = &world->records[p][world->next[p]];

            *record = (struct review_record){.partition = p,
                    .offset = world->next[p]++,
                    .key = span_of(written->owner),
                    .value = buffer_span(&written->value),
                    .id = span_of(written->id)};
            *got = true;
            return STATUS_OK;
        }
    }
    now_ms += wait_ms;
    return STATUS_OK;
}

static enum status
world_commit(struct review_feed *feed, int32_t partition, int64_t offset, struct error *error)
{
    struct world *world = (struct world *)feed;

    (void)error;
    assert_true(offset > world->committed[partition]);
    world->committed[partition] = offset;
    return STATUS_OK;
}

static void
world_hold(struct review_feed *feed, bool held)
{
    ((struct world *)feed)->held = held;
}

static bool
world_at_end(const struct review_feed *feed)
{
    const struct world *world = (const struct world *)feed;

    return world->next[0] == world->count[0] && world->next[1] == world->count[1];
}

static const struct review_feed_ops world_ops = {
        .poll = world_poll, .commit = world_commit, .hold = world_hold, .at_end = world_at_end};

static void
note(struct world *world, const struct notify_event *event,
        const struct notify_destination *destination, const char *reason)
{
    struct trace *trace = &world->trace[world->trace_count++];

    assert_true(world->trace_count < TRACE_MAX);
    *trace = (struct trace){.partition = event->partition,
            .offset = event->offset,
            .webhook = destination->kind == NOTIFY_WEBHOOK,
            .letter = reason != NULL};
    snprintf(trace->reason, sizeof(trace->reason), "%s", reason != NULL ? reason : "");
}

static enum notify_verdict
world_send(void *context, const struct notify_destination *destination,
        const struct notify_event *event, struct error *error)
{
    struct world *world = context;
    const size_t at = (size_t)world->attempts++;
    enum notify_verdict verdict = NOTIFY_DELIVERED;

    if (at < 256) {
        world->attempt_ms[at] = now_ms;
    }
    if (at < world->script_count) {
        verdict = world->script[at];
    } else if ((int)random_below(&numbers, 100) < world->failing_percent) {
        verdict = (enum notify_verdict)(1 + random_below(&numbers, 3));
        now_ms += (int64_t)random_below(&numbers, 3000);
    }
    (void)error_set(error, STATUS_FAILED, "HTTP %d", (int)verdict);
    if (verdict == NOTIFY_DELIVERED) {
        note(world, event, destination, NULL);
    }
    return verdict;
}

static enum status
world_letter(void *context, const struct notify_letter *letter, struct error *error)
{
    struct world *world = context;

    if (world->letters_fail) {
        now_ms += 100;
        return error_set(error, STATUS_BROKER_DOWN, "no broker");
    }
    note(world, letter->event, letter->destination, letter->reason);
    return STATUS_OK;
}

static void
world_connect(struct world *world)
{
    world->notify = notify_new(world->loaded.config, &hand,
            (struct notify_sender){.send = world_send, .context = world},
            (struct notify_letters){.write = world_letter, .context = world});
    world->listener = notify_listener(world->notify);
    notify_connect(world->notify, &world->feed);
}

static struct world *
world_new(const char *config)
{
    struct world *world = calloc(1, sizeof(*world));

    log_init(LOG_ERROR + 1, LOG_LOGFMT);
    now_ms = 1000000;
    world->feed.ops = &world_ops;
    world->loaded = load(config, NULL, NULL);
    assert_string_equal(world->loaded.problems, "");
    world_connect(world);
    return world;
}

static void
world_destroy(struct world *world)
{
    notify_destroy(world->notify);
    for (int p = 0; p < PARTITIONS; p++) {
        for (int64_t i = 0; i < world->count[p]; i++) {
            buffer_fini(&world->records[p][i].value);
        }
    }
    unload(&world->loaded);
    free(world);
}

/* One event; its owner's first letter names the review. */
static void
write_review(struct world *world, int32_t partition, const char *owner)
{
    const int64_t offset = world->count[partition]++;
    struct written *written = &world->records[partition][offset];
    const struct packet packet = review_packet(owner, REVIEW_STATUS_REPEATED, (uint32_t)offset + 1);

    assert_true(offset < RECORDS_MAX);
    snprintf(written->owner, sizeof(written->owner), "%s", owner);
    snprintf(written->id, sizeof(written->id), "id-%d-%d", (int)partition, (int)offset);
    review_encode(&packet, 1, &written->value);
}

static void
turns(struct world *world, int count)
{
    struct error error = {0};

    for (int i = 0; i < count; i++) {
        assert_int_equal(notify_turn(world->notify, &error), STATUS_OK);
    }
}

static void
run_to_end(struct world *world)
{
    int left = 200000;

    while (!notify_is_done(world->notify)) {
        turns(world, 1);
        assert_true(--left > 0);
    }
}

static void
assert_trace(const struct world *world, size_t at, int64_t offset, const char *reason)
{
    assert_true(at < world->trace_count);
    assert_int_equal(world->trace[at].offset, offset);
    assert_string_equal(world->trace[at].reason, reason);
}

#define ONE_WEBHOOK "notify: {webhook: 'http://hook', give_up: 10s}"

/* ---- tests ---------------------------------------------------------------------------------- */

static void
test_backoff(void **state)
{
    static const int64_t want[] = {500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        assert_int_equal(notify_backoff_ms((int64_t)i + 1), want[i]);
    }
    assert_int_equal(notify_backoff_ms(INT64_MAX), 60000);
    assert_int_equal(notify_backoff_ms(0), 500);
}

static void
test_delivered_then_committed(void **state)
{
    struct world *world = world_new(ONE_WEBHOOK);

    (void)state;
    write_review(world, 0, "ana");
    write_review(world, 0, "bo");
    run_to_end(world);
    assert_int_equal(world->trace_count, 2);
    assert_int_equal(world->committed[0], 2);
    assert_int_equal(notify_metrics(world->notify)->delivered, 2);
    world_destroy(world);
}

static void
test_nothing_is_committed_before_delivery(void **state)
{
    static const enum notify_verdict script[] = {NOTIFY_LATER, NOTIFY_DELIVERED};
    struct world *world = world_new(ONE_WEBHOOK);

    (void)state;
    world->script = script;
    world->script_count = 2;
    write_review(world, 0, "ana");
    write_review(world, 0, "bo");
    turns(world, 4);
    notify_drain(world->notify);
    assert_trace(world, 0, 1, ""); /* bo does not wait for ana */
    assert_int_equal(world->committed[0], 0);
    run_to_end(world);
    assert_trace(world, 1, 0, "");
    assert_int_equal(world->committed[0], 2);
    world_destroy(world);
}

static void
test_events_of_one_review_keep_their_order(void **state)
{
    static const enum notify_verdict script[] = {NOTIFY_LATER, NOTIFY_LATER};
    struct world *world = world_new(ONE_WEBHOOK);

    (void)state;
    world->script = script;
    world->script_count = 2;
    for (int i = 0; i < 3; i++) {
        write_review(world, 0, "ana");
    }
    run_to_end(world);
    assert_int_equal(world->attempts, 5);
    for (size_t i = 0; i < 3; i++) {
        assert_trace(world, i, (int64_t)i, "");
    }
    /* 500 ms after the first failure, 1 s after the second. */
    assert_in_range(world->attempt_ms[1] - world->attempt_ms[0], 500, 700);
    assert_in_range(world->attempt_ms[2] - world->attempt_ms[1], 1000, 1200);
    world_destroy(world);
}

static void
test_a_destination_that_is_down_is_left_alone(void **state)
{
    static const enum notify_verdict script[] = {NOTIFY_DOWN, NOTIFY_DOWN, NOTIFY_DOWN};
    struct world *world = world_new(ONE_WEBHOOK);

    (void)state;
    world->script = script;
    world->script_count = 3;
    write_review(world, 0, "ana");
    write_review(world, 0, "bo");
    run_to_end(world);
    assert_int_equal(world->attempts, 5);
    assert_in_range(world->attempt_ms[3] - world->attempt_ms[0], 3500, 4000);
    world_destroy(world);
}

static void
test_refused_is_given_up_at_once(void **state)
{
    static const enum notify_verdict script[] = {NOTIFY_REFUSED};
    struct world *world = world_new(ONE_WEBHOOK);

    (void)state;
    world->script = script;
    world->script_count = 1;
    write_review(world, 0, "ana");
    write_review(world, 0, "ana");
    run_to_end(world);
    assert_trace(world, 0, 0, "refused");
    assert_trace(world, 1, 1, "");
    assert_int_equal(world->committed[0], 2);
    assert_int_equal(notify_metrics(world->notify)->undelivered, 1);
    world_destroy(world);
}

/* 10 s of failures; what came later still has its own 10 s. */
static void
test_given_up_after_the_limit(void **state)
{
    static enum notify_verdict script[64];
    struct world *world = world_new(ONE_WEBHOOK);
    const int64_t begin_ms = now_ms;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(script); i++) {
        script[i] = NOTIFY_DOWN;
    }
    world->script = script;
    world->script_count = COUNT_OF(script);
    write_review(world, 0, "ana");
    write_review(world, 0, "bo");
    while (world->trace_count < 2) {
        turns(world, 1);
    }
    assert_trace(world, 0, 0, "gave_up");
    assert_trace(world, 1, 1, "gave_up");
    assert_in_range(now_ms - begin_ms, 10000, 16500);
    write_review(world, 0, "ana");
    turns(world, 2);
    assert_int_equal(world->trace_count, 2);
    world->script_count = 0;
    run_to_end(world);
    assert_trace(world, 2, 2, "");
    world_destroy(world);
}

static void
test_a_letter_that_cannot_be_written_holds_the_position(void **state)
{
    static const enum notify_verdict script[] = {NOTIFY_REFUSED, NOTIFY_REFUSED};
    struct world *world = world_new(ONE_WEBHOOK);

    (void)state;
    world->script = script;
    world->script_count = 2;
    world->letters_fail = true;
    write_review(world, 0, "ana");
    turns(world, 5);
    notify_drain(world->notify);
    assert_int_equal(world->committed[0], 0);
    world->letters_fail = false;
    run_to_end(world);
    assert_int_equal(world->trace_count, 1);
    assert_int_equal(world->committed[0], 1);
    world_destroy(world);
}

static void
test_malformed_goes_to_a_letter(void **state)
{
    struct world *world = world_new(ONE_WEBHOOK);

    (void)state;
    write_review(world, 0, "ana");
    world->records[0][0].value.size -= 1;
    write_review(world, 0, "ana");
    run_to_end(world);
    assert_trace(world, 0, 0, "malformed");
    assert_trace(world, 1, 1, "");
    assert_int_equal(world->attempts, 1);
    world_destroy(world);
}

static void
test_silent_owners_are_passed_over(void **state)
{
    struct world *world = world_new(ONE_WEBHOOK);

    (void)state;
    write_review(world, 0, "smoke-test-1");
    write_review(world, 1, "ana");
    run_to_end(world);
    assert_int_equal(world->attempts, 1);
    assert_int_equal(world->committed[0], 1);
    assert_int_equal(notify_metrics(world->notify)->silent, 1);
    world_destroy(world);
}

/* What is done is committed before a partition is given up; the rest is dropped, and read again. */
static void
test_revoked(void **state)
{
    static const enum notify_verdict script[] = {NOTIFY_DELIVERED, NOTIFY_DOWN};
    static const int32_t both[] = {0, 1};
    struct world *world = world_new(ONE_WEBHOOK);

    (void)state;
    world->script = script;
    world->script_count = 2;
    write_review(world, 0, "ana");
    write_review(world, 0, "bo");
    turns(world, 3);
    world->listener.revoked(world->listener.context, both, 2);
    assert_int_equal(world->committed[0], 1);
    world->next[0] = world->committed[0];
    run_to_end(world);
    assert_int_equal(world->trace_count, 2);
    assert_trace(world, 1, 1, "");
    world_destroy(world);
}

static void
test_reading_stops_while_too_much_waits(void **state)
{
    static enum notify_verdict script[2 * RECORDS_MAX];
    struct world *world = world_new("notify: {webhook: 'http://hook', give_up: 30d}");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(script); i++) {
        script[i] = NOTIFY_DOWN;
    }
    world->script = script;
    world->script_count = COUNT_OF(script);
    write_review(world, 0, "ana");
    for (int i = 0; i < NOTIFY_WAITING_MAX; i++) {
        turns(world, 1);
        assert_false(world->held);
        world->next[0] = 0; /* the same again, as if the topic went on */
    }
    turns(world, 2);
    assert_true(world->held);
    world->script_count = 0;
    turns(world, NOTIFY_WAITING_MAX);
    assert_false(world->held);
    world_destroy(world);
}

/* Property: with failures, kills and revocations at random, every event ends at each destination
 * delivered or in a letter, in the order of its review, and nothing undone is ever committed. */
static void
assert_all_ended(const struct world *world, bool webhook)
{
    for (int32_t p = 0; p < PARTITIONS; p++) {
        for (int64_t offset = 0; offset < world->count[p]; offset++) {
            bool ended = false;

            for (size_t i = 0; i < world->trace_count; i++) {
                const struct trace *trace = &world->trace[i];

                ended = ended || (trace->partition == p && trace->offset == offset &&
                                         trace->webhook == webhook);
            }
            assert_true(ended);
        }
    }
}

/* An event may come again, but never for the first time after a later one of its review. */
static void
assert_order(const struct world *world)
{
    int64_t newest[2][PARTITIONS][128];

    memset(newest, -1, sizeof(newest));
    for (size_t i = 0; i < world->trace_count; i++) {
        const struct trace *trace = &world->trace[i];
        const char review = world->records[trace->partition][trace->offset].owner[0];
        int64_t *last = &newest[trace->webhook][trace->partition][(int)review];

        for (int64_t between = *last + 1; between < trace->offset; between++) {
            assert_true(world->records[trace->partition][between].owner[0] != review);
        }
        *last = trace->offset > *last ? trace->offset : *last;
    }
}

static void
restart(struct world *world, bool killed)
{
    static const int32_t both[] = {0, 1};

    if (!killed) {
        world->listener.revoked(world->listener.context, both, 2);
    } else {
        notify_destroy(world->notify);
        world_connect(world);
    }
    for (int p = 0; p < PARTITIONS; p++) {
        world->next[p] = world->committed[p];
    }
}

static void
test_random(void **state)
{
    static const char *const owners[] = {"ana", "bo", "cy", "down"};

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct world *world = world_new(
                "notify: {webhook: 'http://hook', alertmanager: 'http://alerts', give_up: 20s}");

        world->failing_percent = 10 + (int)random_below(&numbers, 60);
        for (int i = 0; i < 60; i++) {
            write_review(world, (int32_t)random_below(&numbers, PARTITIONS),
                    owners[random_below(&numbers, 4)]);
        }
        for (int i = 0; i < 12; i++) {
            turns(world, 1 + (int)random_below(&numbers, 40));
            restart(world, random_below(&numbers, 2) == 0);
        }
        run_to_end(world);
        assert_all_ended(world, true);
        assert_all_ended(world, false);
        assert_order(world);
        for (int p = 0; p < PARTITIONS; p++) {
            assert_int_equal(world->committed[p], world->count[p]);
        }
        world_destroy(world);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_backoff),
            cmocka_unit_test(test_delivered_then_committed),
            cmocka_unit_test(test_nothing_is_committed_before_delivery),
            cmocka_unit_test(test_events_of_one_review_keep_their_order),
            cmocka_unit_test(test_a_destination_that_is_down_is_left_alone),
            cmocka_unit_test(test_refused_is_given_up_at_once),
            cmocka_unit_test(test_given_up_after_the_limit),
            cmocka_unit_test(test_a_letter_that_cannot_be_written_holds_the_position),
            cmocka_unit_test(test_malformed_goes_to_a_letter),
            cmocka_unit_test(test_silent_owners_are_passed_over),
            cmocka_unit_test(test_revoked),
            cmocka_unit_test(test_reading_stops_while_too_much_waits),
            cmocka_unit_test(test_random),
    };

    numbers = random_new("notify");
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
