/* loop_rebuild.c - what a rebuild asks of the service loop beyond its turns.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/loop_internal.h"

void
loop_rebuild_reviews(struct loop *loop)
{
    loop->context.rebuild = REBUILD_REVIEWS;
    loop_reload_all(loop, 0);
}

enum status
loop_look(struct loop *loop, struct store *store, int32_t partition, struct claim **out,
        struct error *error)
{
    struct claim_context context = loop->context;
    struct claim *claim = claim_new(partition);

    context.store = store;

    const enum status status = claim_look(claim, &context, error);

    if (status == STATUS_OK) {
        *out = claim;
    } else {
        claim_destroy(claim);
    }
    return status;
}

size_t
loop_lost_count(struct loop *loop, int32_t partition)
{
    const struct claim *claim = loop_find(loop, partition);

    return claim != NULL ? claim->lost_count : 0;
}
