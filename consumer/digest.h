/* digest.h - SHA-256, for review ids, the account of rejected records, and signatures.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_DIGEST_H
#define RETRYWATCH_CONSUMER_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE 32

/** SHA-256 of data[size]. A digest_function (aggregator/review.h). */
void digest_sha256(const void *data, size_t size, uint8_t digest[DIGEST_SIZE]);

/** HMAC-SHA256 of data[size]. Source: RFC 2104. */
void digest_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
        uint8_t digest[DIGEST_SIZE]);

#endif
