/* decision_write.h - make a decision that the service will take, and write it to its topic.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_DECISION_WRITE_H
#define RETRYWATCH_CONSUMER_DECISION_WRITE_H

#include "aggregator/decision.h"
#include "consumer/config.h"

#define DECISION_ID_TEXT_SIZE 32

/** A new id that sorts by time: 20260922-133320-3f9a1c20b4d1. */
enum status decision_id_make(
        int64_t now_ms, char id[DECISION_ID_TEXT_SIZE], struct error *error) MUST_CHECK;

/** A decision in which everything nullable is null and no action is chosen. */
void decision_blank(struct decision *decision);

/**
 * Refuse a scope that can cover no group: a dimension outside review.group_by, a value that no
 * event is counted under, an id that no review has. The text says what would cover something.
 *
 * Errors: STATUS_REFUSED.
 */
enum status decision_check_scope(const struct config *config, const struct decision *decision,
        struct error *error) MUST_CHECK;

/**
 * Refuse texts that look like a credential, naming the field and what it looks like.
 *
 * Errors: STATUS_REFUSED; the text is not repeated.
 */
enum status decision_check_texts(const struct decision *decision, struct error *error) MUST_CHECK;

/**
 * What will be written: scope and texts checked, source URLs without what may hold a secret, an
 * end of its own, and the rest as every reader will see it, because it is read back here.
 *
 * wanted:  decided_at_ms is set. expires_at_ms TIME_NULL: review.decision_default after its start.
 * out:     spans are in the arena.
 * Errors:  STATUS_REFUSED, STATUS_INVALID, STATUS_MALFORMED; out untouched.
 */
enum status decision_prepare(const struct config *config, const struct decision *wanted,
        struct arena *arena, struct decision *out, struct error *error) MUST_CHECK;

enum decision_format { DECISION_AVRO, DECISION_JSON };

/**
 * Write one prepared decision, keyed by its id, and wait until Kafka has it.
 *
 * Errors: STATUS_BROKER_DOWN, STATUS_AUTH, STATUS_REFUSED, STATUS_BAD_CONFIG.
 */
enum status decision_write(const struct config *config, const struct decision *decision,
        enum decision_format format, struct error *error) MUST_CHECK;

/**
 * Write a decision that was read from the topic once more, with what was changed in it: read back
 * like any other, but its scope and its URLs are as they were.
 *
 * Errors: of decision_write(), STATUS_INVALID, STATUS_MALFORMED.
 */
enum status decision_rewrite(const struct config *config, const struct decision *decision,
        struct error *error) MUST_CHECK;

#endif
