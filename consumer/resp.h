/* resp.h - Redis commands as RESP bytes, written straight into one buffer.
 *
 * A command is resp_begin() with the number of its words, then exactly that many words. Words are
 * binary-safe.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_RESP_H
#define RETRYWATCH_CONSUMER_RESP_H

#include "codec/buffer.h"

void resp_begin(struct buffer *out, size_t word_count);

void resp_put(struct buffer *out, struct span word);
void resp_put_text(struct buffer *out, const char *word);

/** One word made of two parts: a key and its prefix, a field and its ending. */
void resp_put_pair(struct buffer *out, struct span first, struct span second);

void resp_put_signed(struct buffer *out, int64_t number);
void resp_put_unsigned(struct buffer *out, uint64_t number);

/** A whole command of words that are text; the list ends with NULL. */
void resp_command(struct buffer *out, ...) __attribute__((sentinel));

#endif
