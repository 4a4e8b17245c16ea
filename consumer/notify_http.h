/* notify_http.h - one attempt to tell a destination of a review, by HTTP.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_NOTIFY_HTTP_H
#define RETRYWATCH_CONSUMER_NOTIFY_HTTP_H

#include "consumer/notify.h"

/* Headers of a webhook's request, beside the body: the review as JSON. */
#define NOTIFY_KEY_HEADER "Idempotency-Key"
#define NOTIFY_SIGNATURE_HEADER "X-Retrywatch-Signature"

struct notify_http;

/** config, clock: borrowed for its life. Returns owned. */
struct notify_http *notify_http_new(const struct config *config, const struct clock *clock);
void notify_http_destroy(struct notify_http *http);

/** Borrows http. */
struct notify_sender notify_http_sender(struct notify_http *http);

/** What an HTTP status says of a delivery. */
enum notify_verdict notify_verdict_of(long code);

/** `X-Retrywatch-Signature: sha256=` and HMAC-SHA256 of the body under secret, in hex. */
#define NOTIFY_SIGNATURE_SIZE 128
void notify_signature(const char *secret, struct span body, char header[NOTIFY_SIGNATURE_SIZE]);

#endif
