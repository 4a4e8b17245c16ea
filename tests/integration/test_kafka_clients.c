/* test_kafka_clients.c - source, publisher and check against a broker: nothing lost, nothing twice.
 *
 * RETRYWATCH_TEST_KAFKA=host:port, or a Kafka started in the folder RETRYWATCH_FIXTURES, is the
 * broker; without them it is librdkafka's own mock, which has neither transactions nor missing
 * topics, and takes seconds to form a group: what needs more is skipped. RETRYWATCH_TEST_ONLY picks
 * tests by a pattern.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/state.h"
#include "consumer/kafka.h"
#include "consumer/kafka_mock.h"
#include "consumer/kafka_writer.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PARTITIONS 4
#define NAME_SIZE 64
#define WAIT_MS 30000 /* for what must happen */

/* ---- a configuration of its own for every test ------------------------------------------------
 */

struct setup {
    struct config config;
    struct kafka_property kafka[2];
    char group[NAME_SIZE], outcomes[NAME_SIZE], decisions[NAME_SIZE], reviews[NAME_SIZE],
            rejected[NAME_SIZE];
};

static struct kafka_mock *mock;
static const char *address;
static char empty[] = "";

static bool
is_real(void)
{
    return mock == NULL;
}

static void
setup_init(struct setup *setup, const char *name)
{
    static char bootstrap[] = "bootstrap.servers";
    static char session[] = "session.timeout.ms";
    static char session_value[] = "6000";
    const int64_t unique = clock_system.wall_ms(&clock_system) * 100000 + getpid() % 100000;

    memset(setup, 0, sizeof(*setup));
    snprintf(setup->group, NAME_SIZE, "%s-%" PRId64, name, unique);
    snprintf(setup->outcomes, NAME_SIZE, "%s-%" PRId64 "-outcomes", name, unique);
    snprintf(setup->decisions, NAME_SIZE, "%s-%" PRId64 "-decisions", name, unique);
    snprintf(setup->reviews, NAME_SIZE, "%s-%" PRId64 "-reviews", name, unique);
    snprintf(setup->rejected, NAME_SIZE, "%s-%" PRId64 "-rejected", name, unique);
    setup->kafka[0] = (struct kafka_property){
            .scope = KAFKA_ALL, .name = bootstrap, .value = (char *)(uintptr_t)address};
    setup->kafka[1] = (struct kafka_property){
            .scope = KAFKA_CONSUMER, .name = session, .value = session_value};
    setup->config = (struct config){
            .kafka = setup->kafka,
            .kafka_count = 2,
            .group = setup->group,
            .instance = empty,
            .delivery = is_real() ? DELIVERY_EXACTLY_ONCE : DELIVERY_AT_LEAST_ONCE,
            .topics = {setup->outcomes, setup->decisions, setup->reviews, setup->rejected},
    };
}

static void
check_ok(enum status status, const struct error *error)
{
    if (status != STATUS_OK) {
        fail_msg("%s: %s", status_text(status), error->text);
    }
}

static void
make_topics(const struct setup *setup)
{
    struct kafka_facts facts;
    struct error error;

    check_ok(kafka_check(&setup->config, true, WAIT_MS, &facts, &error), &error);
    assert_int_equal(facts.partition_count, PARTITIONS);
    assert_true(facts.cluster_id[0] != '\0');
}

/* Write count records to the input topic, spread over its partitions by key. */
static void
write_records(const struct setup *setup, size_t count)
{
    struct kafka_writer *writer = NULL;
    struct error error;

    check_ok(kafka_writer_new(&setup->config, setup->outcomes, &writer, &error), &error);
    for (size_t i = 0; i < count; i++) {
        char key[32];
        char value[64];

        snprintf(key, sizeof(key), "owner-%zu", i % 97);
        snprintf(value, sizeof(value), "event %zu", i);
        check_ok(kafka_writer_send(writer, span_of(key), span_of(value), 0, &error), &error);
    }
    check_ok(kafka_writer_flush(writer, WAIT_MS, &error), &error);
    assert_int_equal(kafka_writer_acknowledged(writer), count);
    kafka_writer_destroy(writer);
}

/* ---- a loop that only checks what it is given ---------------------------------------------------
 */

/* Where every partition is: shared by the members of a group, as the store is. */
struct position_table {
    int64_t next[PARTITIONS];
    uint64_t seen;
};

struct member {
    struct source *source;
    struct position_table *table;
    bool owned[PARTITIONS];    /* assigned and resumed */
    bool assigned[PARTITIONS]; /* to be resumed */
    size_t assigned_calls, revoked_calls;
    bool gaps; /* offsets may have gaps: transaction markers */
};

static void
on_assigned(void *context, const int32_t *partitions, size_t count)
{
    struct member *member = context;

    member->assigned_calls++;
    for (size_t i = 0; i < count; i++) {
        assert_false(member->owned[partitions[i]]);
        member->assigned[partitions[i]] = true;
    }
}

static void
on_revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    struct member *member = context;

    (void)lost;
    member->revoked_calls++;
    for (size_t i = 0; i < count; i++) {
        member->owned[partitions[i]] = false;
        member->assigned[partitions[i]] = false;
    }
}

static void
member_init(struct member *member, const struct setup *setup, struct position_table *table)
{
    struct error error;

    *member = (struct member){.table = table};

    const struct source_listener listener = {member, on_assigned, on_revoked};

    check_ok(source_kafka_new(&setup->config, &clock_system, &listener, &member->source, &error),
            &error);
}

static void
member_resume(struct member *member)
{
    struct error error;

    for (int32_t i = 0; i < PARTITIONS; i++) {
        if (member->assigned[i]) {
            member->assigned[i] = false;
            member->owned[i] = true;
            check_ok(member->source->ops->resume(member->source, i, member->table->next[i], &error),
                    &error);
        }
    }
}

/* One turn of the loop: every record must be the next one of a partition that is owned. */
static size_t
member_turn(struct member *member, size_t max, int64_t wait_ms)
{
    struct batch batch = {0};
    struct error error;

    check_ok(member->source->ops->poll(member->source, max, wait_ms, 5, &batch, &error), &error);
    assert_true(batch.count <= max);
    for (size_t i = 0; i < batch.count; i++) {
        const struct record *record = &batch.records[i];
        int64_t *next = &member->table->next[record->partition];

        assert_true(member->owned[record->partition]);
        if (member->gaps) {
            assert_true(record->offset >= *next);
        } else {
            assert_int_equal(record->offset, *next);
        }
        assert_true(record->value.size > 0);
        assert_true(record->timestamp_ms > 0);
        *next = record->offset + 1;
        member->table->seen++;
    }
    member_resume(member);
    return batch.count;
}

static bool
all_at_end(struct member *member)
{
    for (int32_t i = 0; i < PARTITIONS; i++) {
        if (!member->owned[i] ||
                !member->source->ops->at_end(member->source, i, member->table->next[i])) {
            return false;
        }
    }
    return true;
}

static void
read_to_end(struct member *member)
{
    const int64_t until = clock_system.monotonic_ms(&clock_system) + WAIT_MS;

    do {
        member_turn(member, 1000, 100);
        assert_true(clock_system.monotonic_ms(&clock_system) < until);
    } while (!all_at_end(member));
}

/* ---- reading ------------------------------------------------------------------------------ */

static void
test_missing_topics_are_named(void **state)
{
    struct setup setup;
    struct kafka_facts facts;
    struct error error;

    (void)state;
    if (!is_real()) {
        print_message("skipped: the mock broker makes every topic that is asked for\n");
        skip();
    }
    setup_init(&setup, "missing");
    assert_int_equal(kafka_check(&setup.config, false, WAIT_MS, &facts, &error), STATUS_REFUSED);
    assert_non_null(strstr(error.text, setup.outcomes));
    assert_non_null(strstr(error.text, setup.rejected));
    assert_non_null(strstr(error.text, "--create-topics"));
    make_topics(&setup);
    check_ok(kafka_check(&setup.config, false, WAIT_MS, &facts, &error), &error);
}

static void
test_every_record_once_and_the_end(void **state)
{
    struct setup setup;
    struct position_table table = {0};
    struct member member;

    (void)state;
    setup_init(&setup, "once");
    make_topics(&setup);
    member_init(&member, &setup, &table);
    read_to_end(&member); /* of an empty topic */
    assert_int_equal(table.seen, 0);
    write_records(&setup, 5000);
    while (table.seen < 5000) {
        member_turn(&member, 1000, 1000);
    }
    read_to_end(&member);
    assert_int_equal(table.seen, 5000);
    member.source->ops->destroy(member.source);
}

/* A batch ends linger after its first record came: at once, when the loop was busy for so long. */
static void
test_linger_ends_a_batch(void **state)
{
    struct setup setup;
    struct position_table table = {0};
    struct member member;
    struct batch batch = {0};
    struct error error;

    (void)state;
    if (!is_real()) {
        print_message("skipped: the mock broker takes too long\n");
        skip();
    }
    setup_init(&setup, "linger");
    make_topics(&setup);
    member_init(&member, &setup, &table);
    read_to_end(&member);

    int64_t begun = clock_system.monotonic_ms(&clock_system);

    write_records(&setup, 1);
    check_ok(member.source->ops->poll(member.source, 1000, 10000, 2000, &batch, &error), &error);

    int64_t took = clock_system.monotonic_ms(&clock_system) - begun;

    assert_int_equal(batch.count, 1);
    assert_true(took >= 1900 && took < 9000);

    write_records(&setup, 1);
    clock_system.sleep_ms(&clock_system, 2500);
    begun = clock_system.monotonic_ms(&clock_system);
    check_ok(member.source->ops->poll(member.source, 1000, 10000, 2000, &batch, &error), &error);
    took = clock_system.monotonic_ms(&clock_system) - begun;
    assert_int_equal(batch.count, 1);
    assert_true(took < 1000);
    member.source->ops->destroy(member.source);
}

/* Go back and forth at random: what comes next is always exactly what was asked for. */
static void
test_resume_is_exact(void **state)
{
    struct setup setup;
    struct position_table table = {0};
    struct member member;
    struct error error;
    const unsigned seed = (unsigned)clock_system.wall_ms(&clock_system);

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    setup_init(&setup, "resume");
    make_topics(&setup);
    write_records(&setup, 20000);
    member_init(&member, &setup, &table);
    read_to_end(&member);

    int64_t end[PARTITIONS];

    memcpy(end, table.next, sizeof(end));
    for (int round = 0; round < 300; round++) {
        const int32_t partition = rand() % PARTITIONS;
        const int64_t offset = rand() % (end[partition] + 1);

        if (rand() % 4 == 0) {
            check_ok(member.source->ops->pause(member.source, partition, &error), &error);
            member.owned[partition] = false;
            member_turn(&member, (size_t)(1 + rand() % 500), rand() % 5);
        }
        table.next[partition] = offset;
        member.owned[partition] = true;
        check_ok(member.source->ops->resume(member.source, partition, offset, &error), &error);
        for (int turns = rand() % 4; turns > 0; turns--) {
            member_turn(&member, (size_t)(1 + rand() % 2000), rand() % 20);
        }
    }
    read_to_end(&member);
    assert_memory_equal(table.next, end, sizeof(end));
    member.source->ops->destroy(member.source);
}

/* Let one more member join, or the last one leave. */
static size_t
come_or_go(struct member *members, size_t joined, size_t most, const struct setup *setup,
        struct position_table *table)
{
    if (joined < most && (joined == 1 || rand() % 2 == 0)) {
        member_init(&members[joined], setup, table);
        return joined + 1;
    }
    joined--;
    members[joined].source->ops->destroy(members[joined].source);
    return joined;
}

/* Members come and go: together they see every record once, in order. */
static void
test_rebalance_loses_nothing(void **state)
{
    enum { MEMBERS = 3, CHANGES = 6, RECORDS_A_CHANGE = 4000 };
    struct setup setup;
    struct position_table table = {0};
    struct member members[MEMBERS];
    const int64_t until = clock_system.monotonic_ms(&clock_system) + 3 * WAIT_MS;
    const unsigned seed = (unsigned)clock_system.wall_ms(&clock_system);
    size_t joined = 1;
    size_t changes = 0;
    uint64_t written = RECORDS_A_CHANGE;

    (void)state;
    if (!is_real()) {
        print_message("skipped: the mock broker takes too long\n");
        skip();
    }
    print_message("seed %u\n", seed);
    srand(seed);
    setup_init(&setup, "rebalance");
    make_topics(&setup);
    write_records(&setup, RECORDS_A_CHANGE);
    member_init(&members[0], &setup, &table);
    while (table.seen < written || changes < CHANGES) {
        if (table.seen + RECORDS_A_CHANGE / 2 > written && changes < CHANGES) {
            write_records(&setup, RECORDS_A_CHANGE);
            written += RECORDS_A_CHANGE;
            changes++;
            joined = come_or_go(members, joined, MEMBERS, &setup, &table);
        }
        for (size_t i = 0; i < joined; i++) {
            member_turn(&members[i], (size_t)(1 + rand() % 100), 1 + rand() % 30);
        }
        assert_true(clock_system.monotonic_ms(&clock_system) < until);
    }
    assert_int_equal(table.seen, written);
    print_message("first member: %zu times assigned, %zu times revoked\n",
            members[0].assigned_calls, members[0].revoked_calls);
    assert_true(members[0].revoked_calls > 0);
    for (size_t i = 0; i < joined; i++) {
        members[i].source->ops->destroy(members[i].source);
    }
}

/* ---- publishing --------------------------------------------------------------------------- */

static struct out_record
review_of(const char *text)
{
    return (struct out_record){OUT_REVIEWS, span_of("owner"), span_of(text), SPAN_NULL};
}

static void
wait_for_assignment(struct member *member)
{
    const int64_t until = clock_system.monotonic_ms(&clock_system) + WAIT_MS;

    while (member->assigned_calls == 0) {
        member_turn(member, 100, 100);
        assert_true(clock_system.monotonic_ms(&clock_system) < until);
    }
}

static void
test_offsets_come_back_with_their_metadata(void **state)
{
    struct setup setup;
    struct position_table table = {0};
    struct member member;
    struct publisher *publisher = NULL;
    struct error error;
    const struct position sent[] = {{2, 17, "1 5 abc 9 -"}, {0, 0, "1 0 0 0 fresh"}};
    struct position read[] = {{0, 0, NULL}, {1, 0, NULL}, {2, 0, NULL}};
    const struct out_record records[] = {review_of("one"), review_of("two")};

    (void)state;
    setup_init(&setup, "positions");
    make_topics(&setup);
    member_init(&member, &setup, &table);
    wait_for_assignment(&member);
    check_ok(publisher_kafka_new(&setup.config, member.source, &publisher, &error), &error);
    check_ok(publisher->ops->publish(publisher, records, 2, sent, 2, &error), &error);
    check_ok(publisher->ops->publish(publisher, NULL, 0, sent, 1, &error), &error);
    check_ok(publisher->ops->publish(publisher, records, 1, NULL, 0, &error), &error);
    check_ok(member.source->ops->committed(member.source, read, 3, &error), &error);
    assert_int_equal(read[0].offset, 0);
    assert_string_equal(read[0].metadata, "1 0 0 0 fresh");
    assert_int_equal(read[1].offset, -1);
    assert_string_equal(read[1].metadata, "");
    assert_int_equal(read[2].offset, 17);
    assert_string_equal(read[2].metadata, "1 5 abc 9 -");
    publisher->ops->destroy(publisher);
    member.source->ops->destroy(member.source);
}

/* The input topic written in transactions: its log ends with markers, and has an end all the same.
 */
static void
test_the_end_behind_transaction_markers(void **state)
{
    struct setup input;
    struct setup writer;
    struct position_table table = {0};
    struct member member;
    struct publisher *publisher = NULL;
    struct error error;
    const struct out_record records[] = {review_of("one"), review_of("two")};

    (void)state;
    if (!is_real()) {
        print_message("skipped: the mock broker has no transactions\n");
        skip();
    }
    setup_init(&input, "markers");
    make_topics(&input);
    writer = input;
    writer.config.kafka = writer.kafka;
    writer.config.topics.reviews = input.outcomes;
    member_init(&member, &input, &table);
    member.gaps = true;
    check_ok(publisher_kafka_new(&writer.config, member.source, &publisher, &error), &error);
    for (int i = 0; i < 5; i++) {
        check_ok(publisher->ops->publish(publisher, records, 2, NULL, 0, &error), &error);
        /* An answer about the end holds for a second, so the first one may be from before. */
        while (table.seen < (size_t)(2 * (i + 1))) {
            read_to_end(&member);
        }
        read_to_end(&member);
    }
    assert_int_equal(table.seen, 10);
    publisher->ops->destroy(publisher);
    member.source->ops->destroy(member.source);
}

/* The second producer of a transactional id wins; the first is told, and wins again next time. */
static void
test_a_second_instance_fences_the_first(void **state)
{
    struct setup setup;
    struct position_table table = {0};
    struct member member;
    struct publisher *first = NULL;
    struct publisher *second = NULL;
    struct error error;
    const struct out_record record = review_of("one");
    static char instance[] = "one";

    (void)state;
    if (!is_real()) {
        print_message("skipped: the mock broker has no transactions\n");
        skip();
    }
    setup_init(&setup, "fence");
    make_topics(&setup);
    member_init(&member, &setup, &table);
    setup.config.instance = instance;
    check_ok(publisher_kafka_new(&setup.config, member.source, &first, &error), &error);
    check_ok(first->ops->publish(first, &record, 1, NULL, 0, &error), &error);
    check_ok(publisher_kafka_new(&setup.config, member.source, &second, &error), &error);
    check_ok(second->ops->publish(second, &record, 1, NULL, 0, &error), &error);
    assert_int_equal(first->ops->publish(first, &record, 1, NULL, 0, &error), STATUS_FENCED);
    print_message("%s\n", error.text);
    check_ok(first->ops->publish(first, &record, 1, NULL, 0, &error), &error);
    first->ops->destroy(first);
    second->ops->destroy(second);
    member.source->ops->destroy(member.source);
}

/* ---- a process that stands still ---------------------------------------------------------- */

static void
stopped_member(const struct setup *setup, int told, int tells)
{
    struct position_table table = {0};
    struct member member;
    struct publisher *publisher = NULL;
    struct error error;
    const struct position position = {0, 1, "late"};
    char byte = 0;

    member_init(&member, setup, &table);
    wait_for_assignment(&member);
    check_ok(publisher_kafka_new(&setup->config, member.source, &publisher, &error), &error);
    check_ok(publisher->ops->publish(publisher, NULL, 0, &position, 1, &error), &error);
    if (write(tells, "r", 1) != 1 || read(told, &byte, 1) != 1) { /* stopped here */
        _exit(3);
    }

    const enum status status = publisher->ops->publish(publisher, NULL, 0, &position, 1, &error);

    fprintf(stderr, "stopped member: %s: %s\n", status_text(status), error.text);
    _exit(status == STATUS_FENCED ? 0 : 4);
}

/* SIGSTOP for longer than the session: what it commits afterwards must be refused. */
static void
test_a_stopped_member_is_fenced(void **state)
{
    struct setup setup;
    struct position_table table = {0};
    struct member member;
    int to_child[2];
    int to_parent[2];
    int result = 0;
    char byte = 0;

    (void)state;
    if (!is_real()) {
        print_message("skipped: the mock broker has no transactions\n");
        skip();
    }
    setup_init(&setup, "stopped");
    make_topics(&setup);
    assert_int_equal(pipe(to_child), 0);
    assert_int_equal(pipe(to_parent), 0);

    const pid_t child = fork();

    if (child == 0) {
        stopped_member(&setup, to_child[0], to_parent[1]);
    }
    assert_int_equal(read(to_parent[0], &byte, 1), 1);
    kill(child, SIGSTOP);
    member_init(&member, &setup, &table);
    wait_for_assignment(&member); /* once the session of the other one is over */
    assert_int_equal(write(to_child[1], "g", 1), 1);
    kill(child, SIGCONT);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    member.source->ops->destroy(member.source);
}

/* ---- trouble ------------------------------------------------------------------------------ */

static void
test_no_broker(void **state)
{
    struct setup setup;
    struct position_table table = {0};
    struct member member = {.table = &table};
    struct publisher *publisher = NULL;
    struct batch batch = {0};
    struct kafka_facts facts;
    struct error error;
    const struct out_record record = review_of("one");
    static char nowhere[] = "127.0.0.1:1";

    (void)state;
    setup_init(&setup, "down");
    setup.kafka[0].value = nowhere;
    assert_int_equal(kafka_check(&setup.config, false, 2000, &facts, &error), STATUS_BROKER_DOWN);
    assert_non_null(strstr(error.text, nowhere));
    member_init(&member, &setup, &table);
    assert_int_equal(member.source->ops->poll(member.source, 100, 3000, 50, &batch, &error),
            STATUS_BROKER_DOWN);
    assert_non_null(strstr(error.text, nowhere));
    check_ok(publisher_kafka_new(&setup.config, member.source, &publisher, &error), &error);
    assert_int_equal(
            publisher->ops->publish(publisher, &record, 1, NULL, 0, &error), STATUS_BROKER_DOWN);
    assert_non_null(strstr(error.text, nowhere));
    publisher->ops->destroy(publisher);
    member.source->ops->destroy(member.source);
}

static void
test_wrong_properties_are_named(void **state)
{
    static char unknown[] = "no.such.property";
    static char ours[] = "group.id";
    struct setup setup;
    struct source *source = NULL;
    struct error error;
    const struct source_listener listener = {NULL, on_assigned, on_revoked};

    (void)state;
    setup_init(&setup, "wrong");
    setup.kafka[1] = (struct kafka_property){.scope = KAFKA_ALL, .name = unknown, .value = empty};
    assert_int_equal(source_kafka_new(&setup.config, &clock_system, &listener, &source, &error),
            STATUS_BAD_CONFIG);
    assert_non_null(strstr(error.text, unknown));
    setup.kafka[1].name = ours;
    assert_int_equal(source_kafka_new(&setup.config, &clock_system, &listener, &source, &error),
            STATUS_BAD_CONFIG);
    assert_non_null(strstr(error.text, "`group`"));
}

/* The address of the Kafka that runs in the folder of the fixtures; NULL when none does. */
static const char *
read_fixture(const char *folder)
{
    static char text[64];
    char path[512];

    snprintf(path, sizeof(path), "%s/kafka/address", folder);

    FILE *file = fopen(path, "r");

    if (file == NULL) {
        return NULL;
    }

    const bool got = fscanf(file, "%63s", text) == 1;

    fclose(file);
    return got ? text : NULL;
}

static int
start_broker(void **state)
{
    struct error error;

    (void)state;
    if (address != NULL) {
        return 0;
    }
    if (kafka_mock_new(&mock, &error) != STATUS_OK) {
        print_error("%s\n", error.text);
        return -1;
    }
    address = kafka_mock_address(mock);
    return 0;
}

static int
stop_broker(void **state)
{
    (void)state;
    kafka_mock_destroy(mock);
    return 0;
}

int
main(void)
{
    const char *fixtures = getenv("RETRYWATCH_FIXTURES");
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_stopped_member_is_fenced), /* forks: before any thread */
            cmocka_unit_test(test_missing_topics_are_named),
            cmocka_unit_test(test_every_record_once_and_the_end),
            cmocka_unit_test(test_linger_ends_a_batch),
            cmocka_unit_test(test_resume_is_exact),
            cmocka_unit_test(test_rebalance_loses_nothing),
            cmocka_unit_test(test_offsets_come_back_with_their_metadata),
            cmocka_unit_test(test_the_end_behind_transaction_markers),
            cmocka_unit_test(test_a_second_instance_fences_the_first),
            cmocka_unit_test(test_no_broker),
            cmocka_unit_test(test_wrong_properties_are_named),
    };

    address = getenv("RETRYWATCH_TEST_KAFKA");
    if (address == NULL && fixtures != NULL) {
        address = read_fixture(fixtures);
        if (address == NULL) {
            print_message("skipped: no Apache Kafka runs in %s\n", fixtures);
            return getenv("CI") != NULL ? 1 : 77;
        }
    }
    cmocka_set_test_filter(getenv("RETRYWATCH_TEST_ONLY"));
    return cmocka_run_group_tests_name("kafka_clients", tests, start_broker, stop_broker);
}
