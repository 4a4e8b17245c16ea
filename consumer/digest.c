/* digest.c - SHA-256 by OpenSSL.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/digest.h"

#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void
digest_sha256(const void *data, size_t size, uint8_t digest[DIGEST_SIZE])
{
    unsigned written = 0;
    const int done = EVP_Digest(data, size, digest, &written, EVP_sha256(), NULL);

    /* It fails only without memory or without the algorithm, and nothing can go on without it. */
    assert(done == 1 && written == DIGEST_SIZE);
    (void)done;
}

void
digest_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
        uint8_t digest[DIGEST_SIZE])
{
    unsigned written = 0;

    assert(key_size <= INT_MAX);

    const unsigned char *done =
            HMAC(EVP_sha256(), key, (int)key_size, data, size, digest, &written);

    assert(done != NULL && written == DIGEST_SIZE);
    (void)done;
}
