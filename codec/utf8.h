/* utf8.h - whether bytes are UTF-8.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_UTF8_H
#define RETRYWATCH_CODEC_UTF8_H

#include "aggregator/span.h"

/** Whether it is UTF-8: no overlong forms, no surrogates. Source: RFC 3629, section 4. */
bool utf8_valid(struct span text);

#endif
