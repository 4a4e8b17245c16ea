/* fuzz_outcome_json.c - any bytes as a JSON event: refused with a reason, or read, and what is
 * read reads the same when it is written again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/outcome_json.h"
#include "tests/support/outcome_print.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome_json *json;
    struct arena arena;
    struct outcome outcome;
    struct error error = {0};
    unsigned forbidden = 0;

    if (json == NULL) {
        json = outcome_json_new(); /* kept, for the keys that it remembers */
    }
    arena_init(&arena);
    if (outcome_json_decode(json, (struct span){data, size}, &arena, &outcome, &forbidden,
                &error) == STATUS_OK) {
        outcome.source_url_count = 0; /* stripping twice may strip more */

        json_t *first = outcome_print(&outcome);
        char *text = json_dumps(first, 0);

        assert(text != NULL); /* all that was read is UTF-8 */
        assert(outcome_json_decode(json, span_of(text), &arena, &outcome, &forbidden, &error) ==
                STATUS_OK);

        json_t *second = outcome_print(&outcome);

        assert(json_equal(first, second));
        json_decref(first);
        json_decref(second);
        free(text);
    } else {
        assert(error.status == STATUS_MALFORMED || error.status == STATUS_INVALID);
        assert(error.text[0] != '\0');
    }
    arena_fini(&arena);
    return 0;
}
