/* rebuild_print.c - what a rebuild has found, for people.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/commands/rebuild_print.h"

#include "consumer/human.h"
#include "consumer/table_print.h"

#include <inttypes.h>

#define DIFFERENCES_SHOWN 50

static const struct table_print_column partition_columns[] = {
        {"PARTITION", true},
        {"COUNTED FROM", true},
        {"UP TO", true},
        {"OLD STATE UP TO", true},
        {"NOTE", false},
};

static const struct table_print_column difference_columns[] = {
        {"OWNER", false},
        {"COUNTER", false},
        {"OLD", true},
        {"NEW", true},
};

static int64_t
number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void
put_note(struct buffer *note, const json_t *partition)
{
    const char *old_error = json_string_value(json_object_get(partition, "old_error"));
    const int64_t lost = number(partition, "reviews_lost");

    if (old_error != NULL) {
        buffer_put_text(note, "the old state cannot be read; ");
    } else if (json_is_null(json_object_get(partition, "old"))) {
        buffer_put_text(note, "there is no old state; ");
    } else if (number(partition, "old") != number(partition, "to")) {
        buffer_put_text(note, "the two stand at different places; ");
    }
    if (json_is_true(json_object_get(partition, "position_from_reviews"))) {
        buffer_put_text(note, "no position in the group, taken from the reviews; ");
    }
    if (lost > 0) {
        buffer_printf(note, "%" PRId64 " published records are no longer in their topics; ", lost);
    }
    note->size -= note->size >= 2 ? 2 : 0;
}

static void
print_partitions(const json_t *partitions, FILE *out)
{
    struct table_print *table = table_print_new(
            partition_columns, sizeof(partition_columns) / sizeof(partition_columns[0]));
    struct buffer note = {0};

    for (size_t i = 0; i < json_array_size(partitions); i++) {
        const json_t *partition = json_array_get(partitions, i);

        table_print_format(table, "%" PRId64, number(partition, "partition"));
        table_print_format(table, "%" PRId64, number(partition, "from"));
        table_print_format(table, "%" PRId64, number(partition, "to"));
        if (json_is_null(json_object_get(partition, "old"))) {
            table_print_format(table, "-");
        } else {
            table_print_format(table, "%" PRId64, number(partition, "old"));
        }
        buffer_clear(&note);
        put_note(&note, partition);
        table_print_text(table, buffer_span(&note));
    }
    table_print_to(table, human_colour(out), out);
    table_print_destroy(table);
    buffer_fini(&note);
}

/* Why the old state of a partition could not be compared; the table has no room for it. */
static void
print_errors(const json_t *partitions, FILE *out)
{
    for (size_t i = 0; i < json_array_size(partitions); i++) {
        const json_t *partition = json_array_get(partitions, i);
        const char *text = json_string_value(json_object_get(partition, "old_error"));

        if (text != NULL) {
            fprintf(out, "partition %" PRId64 ": %s\n", number(partition, "partition"), text);
        }
    }
}

static void
print_differences(const json_t *differences, FILE *out)
{
    const size_t count = json_array_size(differences);
    struct table_print *table;

    if (count == 0) {
        return;
    }
    table = table_print_new(
            difference_columns, sizeof(difference_columns) / sizeof(difference_columns[0]));
    for (size_t i = 0; i < count && i < DIFFERENCES_SHOWN; i++) {
        const json_t *one = json_array_get(differences, i);

        table_print_text(table, span_of(json_string_value(json_object_get(one, "owner"))));
        table_print_text(table, span_of(json_string_value(json_object_get(one, "counter"))));
        table_print_format(table, "%" PRId64, number(one, "old"));
        table_print_format(table, "%" PRId64, number(one, "new"));
    }
    table_print_to(table, human_colour(out), out);
    table_print_destroy(table);
    if (count > DIFFERENCES_SHOWN) {
        fprintf(out, "... and %zu more: --output json shows all.\n", count - DIFFERENCES_SHOWN);
    }
}

void
rebuild_print(const json_t *report, FILE *out)
{
    const json_t *partitions = json_object_get(report, "partitions");

    print_partitions(partitions, out);
    print_errors(partitions, out);
    fputc('\n', out);
    print_differences(json_object_get(report, "differences"), out);
    fprintf(out, "%s owners compared, %s differ.\n", human_count(number(report, "owners")).text,
            human_count(number(report, "owners_different")).text);
    if (json_is_true(json_object_get(report, "switched"))) {
        fprintf(out,
                "Switched: namespace %" PRId64 " is in use, and %" PRId64
                " is kept. Start the service.\n`retrywatch rebuild --drop-old` deletes the old "
                "one, --switch-back returns to it.\n",
                number(report, "namespace"), number(report, "other_namespace"));
    } else {
        fprintf(out,
                "Nothing was switched: namespace %" PRId64 " is in use, and %" PRId64
                " is what was counted.\n`retrywatch rebuild --switch` puts it to use, --drop-new "
                "deletes it.\n",
                number(report, "namespace"), number(report, "other_namespace"));
    }
}
