/* hash.h - the hash of strings, for tables in memory. Never stored, never on the wire.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_HASH_H
#define RETRYWATCH_AGGREGATOR_HASH_H

#include "aggregator/span.h"

/** One hash over spans[count], without building a key of them. */
uint64_t hash_spans(const struct span *spans, size_t count);

#endif
