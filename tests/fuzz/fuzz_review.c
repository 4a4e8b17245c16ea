/* fuzz_review.c - any bytes as a review: refused, or JSON that can be written.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/review_codec.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    json_t *review = NULL;

    if (review_decode((struct span){data, size}, &review, &error) == STATUS_OK) {
        char *text = json_dumps(review, JSON_COMPACT);

        assert(text != NULL);
        free(text);
        json_decref(review);
    } else {
        assert(error.status == STATUS_MALFORMED);
    }
    return 0;
}
