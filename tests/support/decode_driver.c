/* decode_driver.c - decodes for scripts: lines of writer schema and body in hexadecimal, separated
 * by a tab, to lines of JSON: {"status", "detail"} or {"status", "outcome"}.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/plan.h"
#include "codec/schema.h"
#include "tests/support/outcome_print.h"

#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX ((size_t)1024 * 1024)

static enum status
compile(const char *text, struct plan **plan, struct error *error)
{
    struct schema *schema = NULL;
    enum status status = schema_new(span_of(text), &schema, error);

    if (status == STATUS_OK) {
        status = plan_new(schema, plan, error);
        if (status != STATUS_OK) {
            schema_destroy(schema);
        }
    }
    return status;
}

static void
answer(enum status status, const struct outcome *outcome, const struct error *error)
{
    json_t *line = json_pack("{s:s}", "status", status_text(status));

    if (status == STATUS_OK) {
        json_object_set_new(line, "outcome", outcome_print(outcome));
    } else {
        json_object_set_new(line, "detail", json_string(error->text));
    }
    json_dumpf(line, stdout, JSON_COMPACT);
    puts("");
    fflush(stdout);
    json_decref(line);
}

static void
answer_line(const char *schema, const char *hex, struct arena *arena)
{
    uint8_t *body = malloc(BODY_MAX);
    const size_t size = hex_read(hex, body, BODY_MAX);
    struct plan *plan = NULL;
    struct outcome outcome;
    struct error error = {0};
    unsigned forbidden = 0;
    enum status status = compile(schema, &plan, &error);

    body = realloc(body, size != 0 ? size : 1); /* a read too far is seen */
    if (status == STATUS_OK) {
        status = plan_decode(plan, (struct span){body, size}, arena, &outcome, &forbidden, &error);
    }
    answer(status, &outcome, &error);
    arena_reset(arena);
    plan_destroy(plan);
    free(body);
}

int
main(void)
{
    struct arena arena;
    char *line = NULL;
    size_t capacity = 0;

    arena_init(&arena);
    while (getline(&line, &capacity, stdin) > 0) {
        char *hex = line;
        const char *schema = strsep(&hex, "\t");

        if (hex == NULL) {
            fprintf(stderr, "decode_driver: a line without a tab\n");
            break;
        }
        hex[strcspn(hex, "\n")] = '\0';
        answer_line(schema, hex, &arena);
    }
    arena_fini(&arena);
    free(line);
    return 0;
}
