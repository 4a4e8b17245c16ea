/* test_plan_differential.c - property: the decode plan reads what Avro-C's resolver reads.
 *
 * Random writer schemas and values, a good part of them damaged. Avro-C is asked in a process of
 * its own with limits; where it does not answer there is nothing to compare. Where we are stricter
 * on purpose (below), the reason must be a true one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/plan.h"
#include "codec/review_codec.h"
#include "codec/schema.h"
#include "codec/url.h"
#include "tests/support/avro_random.h"
#include "tests/support/outcome_print.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define SCHEMAS 2400
#define VALUES_PER_SCHEMA 5
#define ANSWER_TIMEOUT_MS 2000

struct oracle {
    pid_t pid;
    FILE *to;
    FILE *from;
};

struct tally {
    int pairs, both_accept, both_reject, both_refuse_schema, no_answer, stricter;
};

static struct tally tally;
static struct oracle oracle;

static void
oracle_start(void)
{
    int to[2];
    int from[2];

    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    oracle.pid = fork();
    assert_true(oracle.pid >= 0);
    if (oracle.pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* where libc tells of its crashes */
        close(to[0]);
        close(to[1]);
        close(from[0]);
        close(from[1]);
        execl(AVRO_ORACLE, AVRO_ORACLE, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    oracle.to = fdopen(to[1], "w");
    oracle.from = fdopen(from[0], "r");
}

static void
oracle_stop(void)
{
    fclose(oracle.to);
    fclose(oracle.from);
    kill(oracle.pid, SIGKILL);
    waitpid(oracle.pid, NULL, 0);
}

/* The answer, owned; NULL when there is none in time. */
static char *
oracle_ask(const char *reader, const char *writer, struct span body)
{
    struct pollfd ready = {.fd = fileno(oracle.from), .events = POLLIN};
    char *line = NULL;
    size_t capacity = 0;

    fprintf(oracle.to, "%s\t%s\t", reader, writer);
    for (size_t i = 0; i < body.size; i++) {
        fprintf(oracle.to, "%02x", body.data[i]);
    }
    fprintf(oracle.to, "\n");
    fflush(oracle.to);
    if (poll(&ready, 1, ANSWER_TIMEOUT_MS) == 1 && getline(&line, &capacity, oracle.from) > 0) {
        line[strcspn(line, "\n")] = '\0';
        return line;
    }
    free(line);
    oracle_stop();
    oracle_start();
    return NULL;
}

static json_t *
field_named(json_t *schema, const char *name)
{
    json_t *field = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(schema, "fields"), i, field)
    {
        if (strcmp(json_string_value(json_object_get(field, "name")), name) == 0) {
            return field;
        }
    }
    return NULL;
}

/* Our schema without the fields that the writer lacks: Avro-C's resolver has no defaults. */
static char *
reader_for(json_t *ours, json_t *writer)
{
    json_t *reader = json_deep_copy(ours);
    json_t *fields = json_object_get(reader, "fields");

    for (size_t i = json_array_size(fields); i > 0; i--) {
        json_t *field = json_array_get(fields, i - 1);

        if (field_named(writer, json_string_value(json_object_get(field, "name"))) == NULL) {
            json_array_remove(fields, i - 1);
        }
    }

    char *text = json_dumps(reader, JSON_COMPACT);

    json_decref(reader);
    return text;
}

/* The enum in a writer's field. */
static json_t *
symbols_of(json_t *type)
{
    json_t *branch = NULL;
    size_t i = 0;

    json_array_foreach(type, i, branch)
    {
        if (json_is_object(branch)) {
            return json_object_get(branch, "symbols");
        }
    }
    return json_object_get(type, "symbols");
}

static json_t *
text_of_hex(const char *hex)
{
    uint8_t bytes[4096];
    const size_t size = hex_read(hex, bytes, sizeof(bytes));

    return json_stringn((const char *)bytes, size); /* NULL: not UTF-8 */
}

/* The URLs that are kept; NULL when one of them is not UTF-8. */
static json_t *
urls_of(char *list)
{
    json_t *urls = json_array();
    bool sound = true;
    struct arena arena;

    arena_init(&arena);
    for (char *item = strsep(&list, ","); list != NULL; item = strsep(&list, ",")) {
        json_t *text = text_of_hex(item + 1);
        const struct span url =
                url_strip(text != NULL ? (struct span){(const uint8_t *)json_string_value(text),
                                                 json_string_length(text)}
                                       : SPAN_NULL,
                        &arena);

        sound = sound && text != NULL;
        if (url.data != NULL && json_array_size(urls) < OUTCOME_URLS_MAX) {
            json_array_append_new(urls, json_stringn((const char *)url.data, url.size));
        }
        json_decref(text);
    }
    arena_fini(&arena);
    if (!sound) {
        json_decref(urls);
        return NULL;
    }
    return urls;
}

/* Avro-C does not translate symbols: its number is the writer's. */
static json_t *
symbol_of(json_t *ours, json_t *writer, const char *name, long index)
{
    json_t *our_type = json_object_get(field_named(ours, name), "type");
    json_t *symbols = symbols_of(our_type);
    json_t *symbol = json_array_get(
            symbols_of(json_object_get(field_named(writer, name), "type")), (size_t)index);

    for (size_t i = 0; symbol != NULL && i < json_array_size(symbols); i++) {
        if (json_equal(symbol, json_array_get(symbols, i))) {
            return json_incref(symbol);
        }
    }
    if (json_is_array(our_type)) {
        our_type = json_array_get(our_type, 1);
    }
    return symbol != NULL ? json_incref(json_object_get(our_type, "default")) : NULL;
}

/* The smallest long stands for no time (TIME_NULL), which no pricing page was checked at. */
static json_t *
number_of(const char *name, long long value)
{
    return value == TIME_NULL && strcmp(name, "pricing_source_checked_at") == 0
                   ? json_null()
                   : json_integer(value);
}

/* One field of Avro-C's answer as outcome_print() has it; NULL: it is nothing sound. */
static json_t *
value_of(json_t *ours, json_t *writer, const char *name, char *value)
{
    switch (value[0]) {
    case 's':
        return text_of_hex(value + 1);
    case 'i':
        return number_of(name, strtoll(value + 1, NULL, 10));
    case 'e':
        return symbol_of(ours, writer, name, strtol(value + 1, NULL, 10));
    case 'a':
        return urls_of(value + 1);
    default:
        return json_null();
    }
}

/* Compare with Avro-C's accepted fields. False: it accepted what is not sound (text that is not
 * UTF-8, an enum index out of range), which it does not check. */
static bool
compare(json_t *ours, json_t *writer, char *answer, json_t *got, char **unlike)
{
    bool sound = true;

    strsep(&answer, " ");
    for (char *pair = strsep(&answer, " "); pair != NULL; pair = strsep(&answer, " ")) {
        char *value = pair;
        const char *name = strsep(&value, "=");
        json_t *want = value_of(ours, writer, name, value);

        if (want == NULL) {
            sound = false;
        } else if (got != NULL && json_object_get(got, name) != NULL &&
                   !json_equal(want, json_object_get(got, name))) {
            *unlike = strdup(name);
        }
        json_decref(want);
    }
    return sound;
}

/* Where we are stricter: how deep things nest, and how many items a block may claim. */
static bool
stricter_on_purpose(const char *text)
{
    return strstr(text, "nested more than 64 deep") != NULL ||
           strstr(text, "block of more items than bytes are left") != NULL;
}

static void
check_pair(json_t *ours, json_t *writer, const char *reader_text, const char *writer_text,
        const struct plan *plan, struct span body)
{
    struct outcome outcome;
    struct error error = {0};
    struct arena arena;
    unsigned forbidden = 0;
    char *unlike = NULL;
    char *answer = oracle_ask(reader_text, writer_text, body);

    tally.pairs += 1;
    if (answer == NULL) {
        tally.no_answer += 1;
        return;
    }
    if (strcmp(answer, "unparsed") == 0 || strcmp(answer, "schema") == 0) {
        fail_msg("%s: %s", answer, writer_text);
    }
    arena_init(&arena);

    const bool accept = plan_decode(plan, body, &arena, &outcome, &forbidden, &error) == STATUS_OK;
    const bool they_accept = strncmp(answer, "accept", 6) == 0;
    json_t *got = accept ? outcome_print(&outcome) : NULL;
    char *words = strdup(answer);
    const bool sound = they_accept && compare(ours, writer, words, got, &unlike);

    if (accept && they_accept && sound && unlike == NULL) {
        tally.both_accept += 1;
    } else if (!accept && !they_accept) {
        tally.both_reject += 1;
    } else if (!accept && (!sound || stricter_on_purpose(error.text))) {
        tally.stricter += 1;
    } else {
        print_error("writer %s\nbody %zu bytes:", writer_text, body.size);
        for (size_t i = 0; i < body.size; i++) {
            print_error(" %02x", body.data[i]);
        }
        fail_msg("field %s: we %s (%s), Avro-C: %s", unlike != NULL ? unlike : "-",
                accept ? "accept" : "reject", error.text, answer);
    }
    json_decref(got);
    arena_fini(&arena);
    free(words);
    free(answer);
}

/* Bytes of exactly their size on the heap, so that a sanitizer sees a read beyond them. */
static void
check_body(json_t *ours, json_t *writer, const char *reader_text, const char *writer_text,
        const struct plan *plan, const struct buffer *body)
{
    uint8_t *bytes = malloc(body->size != 0 ? body->size : 1);

    assert_non_null(bytes);
    if (body->size != 0) {
        memcpy(bytes, body->data, body->size);
    }
    check_pair(ours, writer, reader_text, writer_text, plan, (struct span){bytes, body->size});
    free(bytes);
}

static struct plan *
compile(const char *text)
{
    struct schema *schema = NULL;
    struct plan *plan = NULL;
    struct error error = {0};

    assert_int_equal(schema_new(span_of(text), &schema, &error), STATUS_OK);
    if (plan_new(schema, &plan, &error) != STATUS_OK) {
        schema_destroy(schema);
    }
    return plan;
}

static void
check_schema(struct random *random, json_t *ours)
{
    json_t *writer = random_writer_schema(random, ours);
    char *writer_text = json_dumps(writer, JSON_COMPACT);
    char *reader_text = reader_for(ours, writer);
    struct plan *plan = compile(writer_text);
    struct buffer body = {0};

    if (plan == NULL) {
        if (field_named(writer, "event_time") != NULL &&
                field_named(writer, "attempt_number") != NULL) {
            char *answer = oracle_ask(reader_text, writer_text, SPAN_NULL);

            if (answer != NULL) { /* it crashes on some of these */
                assert_string_equal(answer, "schema");
            }
            free(answer);
        }
        tally.both_refuse_schema += 1;
    }
    for (int i = 0; plan != NULL && i < VALUES_PER_SCHEMA; i++) {
        buffer_clear(&body);
        random_value(random, writer, &body);
        if (i >= VALUES_PER_SCHEMA / 2 + 1) {
            random_damage(random, &body);
        }
        check_body(ours, writer, reader_text, writer_text, plan, &body);
    }
    buffer_fini(&body);
    plan_destroy(plan);
    free(writer_text);
    free(reader_text);
    json_decref(writer);
}

static void
test_agrees_with_avro_c(void **state)
{
    struct random random = random_new("plan_differential");
    json_t *ours = json_loads(schema_request_outcome, 0, NULL);

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    oracle_start();
    for (int i = 0; i < SCHEMAS; i++) {
        check_schema(&random, ours);
    }
    oracle_stop();
    json_decref(ours);
    print_message("%d pairs: both accept %d, both reject %d, stricter %d, no answer %d; "
                  "%d schemas refused by both\n",
            tally.pairs, tally.both_accept, tally.both_reject, tally.stricter, tally.no_answer,
            tally.both_refuse_schema);
    assert_true(tally.pairs >= 10000);
    assert_true(tally.both_accept >= tally.pairs / 4);
    assert_true(tally.both_reject >= tally.pairs / 10);
    assert_true(tally.no_answer < tally.pairs / 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agrees_with_avro_c)};

    return cmocka_run_group_tests_name("plan_differential", tests, NULL, NULL);
}
