/* credential.h - whether a text that a person wrote holds what looks like a credential.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_CREDENTIAL_H
#define RETRYWATCH_CODEC_CREDENTIAL_H

#include "aggregator/span.h"

/**
 * What it looks like, "an API key (sk-...)", or NULL when it holds none. A net with holes: it
 * catches what is pasted by mistake, not what is hidden.
 *
 * Caught: keys of well-known makers by how they begin, bearer and basic headers, `password=` and
 * its like, JSON Web Tokens, private keys, user info in a URL, and long runs of characters that
 * change between letters and digits as random ones do (UUIDs are taken for ids, not for tokens).
 */
const char *credential_find(struct span text);

/** The same without the last kind: for ids and tags, which may be random. */
const char *credential_find_known(struct span text);

#endif
