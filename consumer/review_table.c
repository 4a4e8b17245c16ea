/* review_table.c - several reviews, a line each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/review_table.h"

#include "consumer/human.h"
#include "consumer/table_print.h"

#include <stdlib.h>
#include <string.h>

#define ID_SIZE_MIN 8
#define ID_SIZE_MAX 32

static const struct table_print_column columns[] = {
        {"ID", false},
        {"OWNER", false},
        {"BUCKET", false},
        {"ENVIRONMENT", false},
        {"STATUS", false},
        {"SINCE", false},
        {"RETRIES", true},
        {"DAY BEFORE", true},
        {"PROPOSED", false},
        {"DECISION", false},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const char *
text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "-";
}

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How many digits of an id tell all of them apart. */
static int
id_size(const json_t *reviews)
{
    const size_t count = json_array_size(reviews);
    const char **ids = memory_new(count + 1, sizeof(*ids));
    size_t size = ID_SIZE_MIN;

    for (size_t i = 0; i < count; i++) {
        ids[i] = text_of(json_array_get(reviews, i), "review_id");
    }
    qsort(ids, count, sizeof(*ids), compare_texts);
    for (size_t i = 1; i < count; i++) {
        while (size < ID_SIZE_MAX && strncmp(ids[i - 1], ids[i], size) == 0) {
            size++;
        }
    }
    free(ids);
    return (int)size;
}

static void
add_review(struct table_print *table, const json_t *review, int size)
{
    const json_t *scope = json_object_get(review, "scope");

    table_print_format(table, "%.*s", size, text_of(review, "review_id"));
    table_print_text(table, span_of(text_of(scope, "owner_tag")));
    table_print_text(table, span_of(text_of(scope, "budget_bucket")));
    table_print_text(table, span_of(text_of(scope, "environment")));
    table_print_text(table, span_of(text_of(review, "status")));
    table_print_format(
            table, "%s", human_time(json_integer_value(json_object_get(review, "starts_at"))).text);
    table_print_format(table, "%s",
            human_share(json_integer_value(json_object_get(review, "retry_share_bps"))).text);
    table_print_format(table, "%s",
            human_share(json_integer_value(json_object_get(review, "baseline_share_bps"))).text);
    table_print_text(table, span_of(text_of(review, "proposed_action")));
    table_print_text(table, span_of(text_of(review, "last_decision")));
}

void
review_table_print(const json_t *reviews, FILE *out)
{
    struct table_print *table = table_print_new(columns, COLUMNS);
    const int size = id_size(reviews);

    for (size_t i = 0; i < json_array_size(reviews); i++) {
        add_review(table, json_array_get(reviews, i), size);
    }
    table_print_to(table, human_colour(out), out);
    table_print_destroy(table);
}
