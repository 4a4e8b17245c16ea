/* url.h - source URLs without what may hold a secret.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_URL_H
#define RETRYWATCH_CODEC_URL_H

#include "aggregator/memory.h"
#include "aggregator/span.h"

/**
 * The URL without user info, query and fragment: they may hold a token.
 *
 * Returns a span into url, or into arena when user info had to be cut from the middle. Null when
 * url is null or empty, or when what stands before the path is no host and port, for it could be
 * half of a user name and password: the caller leaves such a URL out.
 */
struct span url_strip(struct span url, struct arena *arena);

#endif
