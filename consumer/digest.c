/* digest.c - SHA-256 by OpenSSL.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/digest.h"

#include <assert.h>
#include <openssl/evp.h>

void
digest_sha256(const void *data, size_t size, uint8_t digest[DIGEST_SIZE])
{
    unsigned written = 0;
    const int done = EVP_Digest(data, size, digest, &written, EVP_sha256(), NULL);

    /* It fails only without memory or without the algorithm, and nothing can go on without it. */
    assert(done == 1 && written == DIGEST_SIZE);
    (void)done;
}
