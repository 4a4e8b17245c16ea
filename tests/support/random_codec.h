/* random_codec.h - random values of what the codec reads and writes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_RANDOM_CODEC_H
#define RETRYWATCH_TESTS_RANDOM_CODEC_H

#include "aggregator/evidence.h"
#include "aggregator/packet.h"
#include "tests/support/random.h"

/* Everything they point to is in the arena. */

/** UTF-8 without control characters, of at most 40 bytes; now and then empty. */
struct span random_text(struct random *random, struct arena *arena);

/** The same, or null. */
struct span random_optional_text(struct random *random, struct arena *arena);

void random_outcome(struct random *random, struct arena *arena, struct outcome *outcome);
void random_decision(struct random *random, struct arena *arena, struct decision *decision);
void random_review(struct random *random, struct arena *arena, struct review *review);
void random_evidence(struct random *random, struct arena *arena, struct evidence *evidence);
void random_packet(struct random *random, struct arena *arena, struct packet *packet);

#endif
