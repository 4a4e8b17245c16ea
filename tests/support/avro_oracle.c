/* avro_oracle.c - what Avro-C's own resolver reads, as a process of its own: on hostile bytes it
 * spins, takes all memory, or crashes.
 *
 * Reads lines of reader schema, writer schema and body in hexadecimal, separated by tabs. Answers
 * each with one line: "accept" and the fields of the reader, "reject" and why (the body), or
 * "schema".
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <avro.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MEMORY_MAX ((rlim_t)256 * 1024 * 1024)
#define ANSWER_MAX ((size_t)1024 * 1024)

static char answer[ANSWER_MAX];
static size_t answer_size;

static void
put(const char *text)
{
    const size_t size = strlen(text);

    if (answer_size + size < ANSWER_MAX) {
        memcpy(answer + answer_size, text, size + 1);
        answer_size += size;
    }
}

static void
put_hex(const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char text[3];

        snprintf(text, sizeof(text), "%02x", ((const unsigned char *)bytes)[i]);
        put(text);
    }
}

static void
put_value(avro_value_t *value)
{
    char text[32] = "";
    avro_value_t inside;
    const char *string = NULL;
    size_t size = 0;
    int32_t number = 0;
    int64_t large = 0;
    int symbol = 0;

    switch (avro_value_get_type(value)) {
    case AVRO_UNION:
        avro_value_get_current_branch(value, &inside);
        put_value(&inside);
        return;
    case AVRO_STRING:
        avro_value_get_string(value, &string, &size);
        put("s");
        put_hex(string, size - 1);
        return;
    case AVRO_INT32:
        avro_value_get_int(value, &number);
        snprintf(text, sizeof(text), "i%" PRId32, number);
        break;
    case AVRO_INT64:
        avro_value_get_long(value, &large);
        snprintf(text, sizeof(text), "i%" PRId64, large);
        break;
    case AVRO_ENUM:
        avro_value_get_enum(value, &symbol);
        snprintf(text, sizeof(text), "e%d", symbol);
        break;
    case AVRO_ARRAY:
        put("a");
        avro_value_get_size(value, &size);
        for (size_t i = 0; i < size; i++) {
            avro_value_get_by_index(value, i, &inside, NULL);
            put_value(&inside);
            put(",");
        }
        return;
    default:
        snprintf(text, sizeof(text), "-");
        break;
    }
    put(text);
}

static void
put_record(avro_value_t *record)
{
    size_t count = 0;

    put("accept");
    avro_value_get_size(record, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;
        avro_value_t field;

        avro_value_get_by_index(record, i, &field, &name);
        put(" ");
        put(name);
        put("=");
        put_value(&field);
    }
}

static void
read_body(avro_schema_t reader_schema, avro_value_iface_t *resolver, char *body, size_t size)
{
    avro_value_iface_t *iface = avro_generic_class_from_schema(reader_schema);
    avro_reader_t reader = avro_reader_memory(body, (int64_t)size);
    avro_value_t dest;
    avro_value_t value;
    char extra = 0;

    avro_generic_value_new(iface, &dest);
    avro_resolved_writer_new_value(resolver, &value);
    avro_resolved_writer_set_dest(&value, &dest);
    if (avro_value_read(reader, &value) != 0) {
        put("reject: ");
        put(avro_strerror());
    } else if (avro_read(reader, &extra, 1) == 0) {
        put("reject: bytes are left");
    } else {
        put_record(&dest);
    }
    avro_value_decref(&value);
    avro_value_decref(&dest);
    avro_value_iface_decref(iface);
    avro_reader_free(reader);
}

static void
answer_line(const char *reader_text, const char *writer_text, char *body, size_t size)
{
    avro_schema_t reader = NULL;
    avro_schema_t writer = NULL;
    avro_value_iface_t *resolver = NULL;

    if (avro_schema_from_json_length(reader_text, strlen(reader_text), &reader) != 0 ||
            avro_schema_from_json_length(writer_text, strlen(writer_text), &writer) != 0) {
        put("unparsed");
        return;
    }
    resolver = avro_resolved_writer_new(writer, reader);
    if (resolver == NULL) {
        put("schema");
    } else {
        read_body(reader, resolver, body, size);
        avro_value_iface_decref(resolver);
    }
    avro_schema_decref(reader);
    avro_schema_decref(writer);
}

static size_t
from_hex(char *text)
{
    size_t size = 0;

    for (; text[size * 2] != '\0' && text[size * 2] != '\n'; size++) {
        unsigned byte = 0;

        sscanf(text + size * 2, "%2x", &byte);
        text[size] = (char)byte;
    }
    return size;
}

int
main(void)
{
    const struct rlimit memory = {MEMORY_MAX, MEMORY_MAX};
    const struct rlimit no_core = {0, 0};
    char *line = NULL;
    size_t capacity = 0;

    setrlimit(RLIMIT_AS, &memory);
    setrlimit(RLIMIT_CORE, &no_core);
    while (getline(&line, &capacity, stdin) > 0) {
        char *rest = line;
        const char *reader = strsep(&rest, "\t");
        const char *writer = strsep(&rest, "\t");

        answer_size = 0;
        answer[0] = '\0';
        if (rest != NULL) {
            answer_line(reader, writer, rest, from_hex(rest));
        }
        puts(answer);
        fflush(stdout);
    }
    free(line);
    return 0;
}
