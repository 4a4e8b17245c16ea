/* test_rebuild_source.c - the log up to where a rebuild ends, and the positions that it begins
 * with.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/rebuild.h"

#include "codec/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define RECORDS 40

static const struct position_origin origin = {"outcomes", "group"};

/* One partition with RECORDS records, of which the last two are marks of a transaction. */
struct fixture {
    struct source source;
    struct readback readback;
    int64_t committed;
    char metadata[CURSOR_TEXT_SIZE];
    int64_t next;
    bool flows;
    struct record records[RECORDS];
    struct buffer published[4]; /* values of rw-position */
    size_t published_count;
    int reads;
    struct readback *kept;
    struct source *rebuild;
};

/* Implementations begin with what they implement. */
static struct fixture *
of(struct source *source)
{
    return (struct fixture *)source;
}

static enum status
fake_poll(struct source *source, size_t max, int64_t wait_ms, int64_t linger_ms,
        struct batch *batch, struct error *error)
{
    struct fixture *fixture = of(source);
    size_t count = 0;

    (void)wait_ms;
    (void)linger_ms;
    (void)error;
    while (fixture->flows && count < max && fixture->next < RECORDS - 2) {
        fixture->records[count++] = (struct record){
                .offset = fixture->next++, .timestamp_ms = 1000, .value = span_of("event")};
    }
    *batch = (struct batch){fixture->records, count};
    return STATUS_OK;
}

static enum status
fake_committed(struct source *source, struct position *positions, size_t count, struct error *error)
{
    (void)count;
    (void)error;
    positions[0].offset = of(source)->committed;
    positions[0].metadata = of(source)->metadata;
    return STATUS_OK;
}

static enum status
fake_pause(struct source *source, int32_t partition, struct error *error)
{
    (void)partition;
    (void)error;
    of(source)->flows = false;
    return STATUS_OK;
}

static enum status
fake_resume(struct source *source, int32_t partition, int64_t offset, struct error *error)
{
    (void)partition;
    (void)error;
    of(source)->flows = true;
    of(source)->next = offset;
    return STATUS_OK;
}

static enum status
fake_limits(
        struct source *source, int32_t partition, int64_t *low, int64_t *high, struct error *error)
{
    (void)source;
    (void)partition;
    (void)error;
    *low = 5;
    *high = RECORDS;
    return STATUS_OK;
}

static bool
fake_at_end(struct source *source, int32_t partition, int64_t next)
{
    (void)source;
    (void)partition;
    return next >= RECORDS - 2;
}

static const struct source_ops fake_source_ops = {.poll = fake_poll,
        .committed = fake_committed,
        .pause = fake_pause,
        .resume = fake_resume,
        .limits = fake_limits,
        .at_end = fake_at_end};

static enum status
fake_read(struct readback *readback, int64_t from_ms,
        enum status (*visit)(
                void *context, struct span position, struct span value, struct error *error),
        void *context, struct error *error)
{
    struct fixture *fixture =
            (struct fixture *)((char *)readback - offsetof(struct fixture, readback));
    enum status status = STATUS_OK;

    (void)from_ms;
    fixture->reads += 1;
    for (size_t i = 0; i < fixture->published_count && status == STATUS_OK; i++) {
        status = visit(context, buffer_span(&fixture->published[i]), span_of("value"), error);
    }
    return status;
}

static const struct readback_ops fake_readback_ops = {.read = fake_read};

static int
setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->source.ops = &fake_source_ops;
    fixture->readback.ops = &fake_readback_ops;
    fixture->committed = -1;
    fixture->kept = rebuild_readback_new(&fixture->readback, &origin);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fixture = *state;

    fixture->rebuild->ops->destroy(fixture->rebuild);
    fixture->kept->ops->destroy(fixture->kept);
    for (size_t i = 0; i < fixture->published_count; i++) {
        buffer_fini(&fixture->published[i]);
    }
    free(fixture);
    return 0;
}

/* A verdict on the record at offset was published with this serial. */
static void
publish(struct fixture *fixture, uint64_t serial, int64_t offset)
{
    const struct position_header header = {.serial = serial, .offset = offset};
    struct buffer headers = {0};
    struct span name, value;
    struct reader reader;

    position_put(&headers, &origin, &header);
    reader = reader_of(buffer_span(&headers));
    assert_true(headers_next(&reader, &name, &value));
    buffer_put(&fixture->published[fixture->published_count++], value.data, value.size);
    buffer_fini(&headers);
}

static void
commit(struct fixture *fixture, int64_t offset, uint64_t serial)
{
    const struct cursor cursor = {.serial = serial};

    fixture->committed = offset;
    cursor_format(&cursor, fixture->metadata);
}

/* What the loop does when it loads the partition; returns the position that it got. */
static struct position
load(struct fixture *fixture, const struct rebuild_old *old)
{
    struct position position = {.partition = 0};
    struct error error = {0};
    int64_t low = 0;
    int64_t high = 0;

    if (fixture->rebuild == NULL) {
        fixture->rebuild = rebuild_source_new(&(struct rebuild_source_options){
                .inner = &fixture->source,
                .published = fixture->kept,
                .olds = old,
                .partition_count = 1,
        });
    }
    assert_int_equal(
            fixture->rebuild->ops->committed(fixture->rebuild, &position, 1, &error), STATUS_OK);
    assert_int_equal(
            fixture->rebuild->ops->limits(fixture->rebuild, 0, &low, &high, &error), STATUS_OK);
    return position;
}

/* Poll from an offset until the step is done; returns the offset after the last record. */
static int64_t
drain(struct fixture *fixture, int64_t from, enum status want)
{
    struct source *rebuild = fixture->rebuild;
    struct error error = {0};
    int64_t next = from;
    enum status status = STATUS_OK;

    assert_int_equal(rebuild->ops->resume(rebuild, 0, from, &error), STATUS_OK);
    for (int i = 0; i < 100 && status == STATUS_OK && !rebuild_source_is_done(rebuild); i++) {
        struct batch batch = {0};

        status = rebuild->ops->poll(rebuild, 7, 0, 0, &batch, &error);
        for (size_t k = 0; k < batch.count && status == STATUS_OK; k++) {
            assert_int_equal(batch.records[k].offset, next);
            next += 1;
        }
        assert_false(rebuild->ops->at_end(rebuild, 0, next));
    }
    assert_int_equal(status, want);
    assert_int_equal(rebuild_source_is_done(rebuild), want == STATUS_OK);
    return next;
}

static void
test_up_to_committed(void **state)
{
    struct fixture *fixture = *state;
    const struct rebuild_old old = {.offset = 30};

    commit(fixture, 20, 0);
    assert_int_equal(load(fixture, &old).offset, 20);
    assert_int_equal(drain(fixture, 5, STATUS_OK), 20);
    rebuild_source_go_on(fixture->rebuild);
    assert_false(rebuild_source_is_done(fixture->rebuild));
    assert_int_equal(load(fixture, &old).offset, 20);
    assert_int_equal(drain(fixture, 20, STATUS_OK), 30);
    assert_false(rebuild_source_progress(fixture->rebuild, 0).mended);
}

/* Behind the last record are marks of transactions alone. */
static void
test_up_to_the_end(void **state)
{
    struct fixture *fixture = *state;
    const struct rebuild_old old = {0};

    commit(fixture, RECORDS, 0);
    load(fixture, &old);
    assert_int_equal(drain(fixture, 5, STATUS_OK), RECORDS - 2);
    assert_int_equal(rebuild_source_progress(fixture->rebuild, 0).at, RECORDS);
}

/* A review may be published that was decided beyond the committed offset: all up to there is
 * judged. */
static void
test_up_to_the_last_review(void **state)
{
    struct fixture *fixture = *state;
    const struct rebuild_old old = {0};

    publish(fixture, 1, 24);
    publish(fixture, 2, 99); /* of another history: beyond the cursor */
    commit(fixture, 20, 1);
    assert_int_equal(load(fixture, &old).offset, 20);
    assert_int_equal(drain(fixture, 5, STATUS_OK), 25);
}

static void
test_no_position(void **state)
{
    struct fixture *fixture = *state;
    const struct rebuild_old old = {0};
    struct cursor cursor = {0};
    struct error error = {0};

    publish(fixture, 1, 10);
    publish(fixture, 2, 12);

    const struct position position = load(fixture, &old);

    assert_int_equal(position.offset, 5); /* which records were rejected is not known */
    assert_int_equal(cursor_parse(position.metadata, &cursor, &error), STATUS_OK);
    assert_int_equal(cursor.serial, 2);
    assert_false(cursor.fresh);
    assert_int_equal(drain(fixture, 5, STATUS_OK), 13);
    assert_true(rebuild_source_progress(fixture->rebuild, 0).mended);
    assert_int_equal(fixture->reads, 1);
}

/* Somebody has set the offset by hand. */
static void
test_position_of_others(void **state)
{
    struct fixture *fixture = *state;
    const struct rebuild_old old = {0};

    fixture->committed = 33;
    assert_int_equal(load(fixture, &old).offset, -1); /* nothing was published: a fresh one */
    assert_int_equal(drain(fixture, 5, STATUS_OK), 5);
}

/* Redis has forgotten up to serial 7, so that is published: the cursor is an old one. */
static void
test_position_set_back(void **state)
{
    struct fixture *fixture = *state;
    const struct rebuild_old old = {.offset = 30, .known = 7};
    struct cursor cursor = {0};
    struct error error = {0};

    commit(fixture, 9, 3);

    const struct position position = load(fixture, &old);

    assert_int_equal(position.offset, 9);
    assert_int_equal(cursor_parse(position.metadata, &cursor, &error), STATUS_OK);
    assert_int_equal(cursor.serial, 7);
}

static void
test_another_topic(void **state)
{
    struct fixture *fixture = *state;
    const struct rebuild_old old = {.offset = 11, .counted_ms = 1000, .counted_sum = 1};

    commit(fixture, 20, 0);
    load(fixture, &old);
    drain(fixture, 5, STATUS_REFUSED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_up_to_committed, setup, teardown),
            cmocka_unit_test_setup_teardown(test_up_to_the_end, setup, teardown),
            cmocka_unit_test_setup_teardown(test_up_to_the_last_review, setup, teardown),
            cmocka_unit_test_setup_teardown(test_no_position, setup, teardown),
            cmocka_unit_test_setup_teardown(test_position_of_others, setup, teardown),
            cmocka_unit_test_setup_teardown(test_position_set_back, setup, teardown),
            cmocka_unit_test_setup_teardown(test_another_topic, setup, teardown),
    };

    return cmocka_run_group_tests_name("rebuild_source", tests, NULL, NULL);
}
