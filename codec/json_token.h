/* json_token.h - the numbers and strings of JSON, by their grammar.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_JSON_TOKEN_H
#define RETRYWATCH_CODEC_JSON_TOKEN_H

#include "aggregator/span.h"

/** Whether it is a number, of any size. Source: RFC 8259, section 6. */
bool json_number_is_sound(struct span token);

/** Read a whole number without fraction and exponent. Returns false, and leaves *number, when it
 * is none, or has more than 64 bits. */
bool json_integer_parse(struct span token, int64_t *number);

/** Whether the escapes in what stands between two quotes are those of JSON. Source: RFC 8259,
 * section 7. */
bool json_escapes_are_sound(struct span text);

#endif
