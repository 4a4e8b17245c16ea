/* notify_alert.h - a review as an alert of Alertmanager.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_NOTIFY_ALERT_H
#define RETRYWATCH_CONSUMER_NOTIFY_ALERT_H

#include <jansson.h>
#include <stdint.h>

#define ALERT_NAME "RetryReviewRequired"

/* An open alert outlives the next event that would extend it by so much. */
#define ALERT_GRACE_MS (INT64_C(60) * 60 * 1000)

/**
 * The body of POST /api/v2/alerts for one review event: an array of one alert.
 *
 * An alert is the one that its labels name, so they hold what names a generation of a review and
 * nothing that changes within it: open fires it, repeated and escalated move its end, decided and
 * resolved end it, and a reopened review fires another one.
 *
 * review:    as review_decode() gives it. Counts, shares and names go into annotations; there is
 *            no price in it.
 * repeat_ms: review.repeat_every.
 * now_ms:    the wall clock; what is over must not end later than now.
 *
 * Returns owned; NULL when review lacks a field that every review has.
 */
json_t *notify_alert(const json_t *review, int64_t repeat_ms, int64_t now_ms);

#endif
