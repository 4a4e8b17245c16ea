/* fuzz_schema.c - any bytes as a writer schema, as a registry could send them: refused with a
 * reason, or compiled, and then some bytes are decoded with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/plan.h"
#include "codec/schema.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
decode(const struct plan *plan, uint8_t byte)
{
    uint8_t body[256];
    struct outcome outcome;
    struct error error = {0};
    struct arena arena;
    unsigned forbidden = 0;

    memset(body, byte, sizeof(body));
    arena_init(&arena);

    const enum status status = plan_decode(
            plan, (struct span){body, sizeof(body)}, &arena, &outcome, &forbidden, &error);

    assert(status == STATUS_OK || status == STATUS_MALFORMED);
    arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schema *schema = NULL;
    struct plan *plan = NULL;
    struct error error = {0};
    enum status status = schema_new((struct span){data, size}, &schema, &error);

    if (status == STATUS_OK) {
        status = plan_new(schema, &plan, &error);
        if (status != STATUS_OK) {
            schema_destroy(schema);
        }
    }
    if (status != STATUS_OK) {
        assert(status == STATUS_BAD_SCHEMA);
        assert(error.status == STATUS_BAD_SCHEMA && error.text[0] != '\0');
        return 0;
    }
    decode(plan, 0);
    decode(plan, 2);
    decode(plan, 0xff);
    plan_destroy(plan);
    return 0;
}
