/* fuzz_decision.c - any bytes as a decision: refused with a reason, or read, and what is read
 * comes back from its Avro form.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/decision_codec.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct decision decision;
    struct error error = {0};

    arena_init(&arena);
    if (decision_decode((struct span){data, size}, &arena, &decision, &error) == STATUS_OK) {
        struct buffer first = {0};
        struct buffer second = {0};

        decision.source_url_count = 0; /* stripping twice may strip more */
        decision_encode(&decision, 1, &first);
        assert(decision_decode(buffer_span(&first), &arena, &decision, &error) == STATUS_OK);
        decision_encode(&decision, 1, &second);
        assert(span_equal(buffer_span(&first), buffer_span(&second)));
        buffer_fini(&first);
        buffer_fini(&second);
    } else {
        assert(error.text[0] != '\0');
    }
    arena_fini(&arena);
    return 0;
}
