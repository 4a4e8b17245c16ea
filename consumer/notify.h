/* notify.h - delivers reviews to people's tools: what is still to be told, in which order, when.
 *
 * A review event goes to an Alertmanager, a webhook, both or none. Each delivery is tried until it
 * succeeds or has failed for notify.give_up; then a record goes to topics.undelivered. Events of
 * one review reach a destination in their order. An offset is committed when everything before it
 * is done, so whatever happens an event is delivered at least once, with the same id each time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_NOTIFY_H
#define RETRYWATCH_CONSUMER_NOTIFY_H

#include "consumer/clock.h"
#include "consumer/config.h"
#include "consumer/review_feed.h"

#include <jansson.h>

#define NOTIFY_ID_SIZE 64

/* After so many events that wait for a delivery no more are read. */
#define NOTIFY_WAITING_MAX 5000

enum notify_kind { NOTIFY_ALERTMANAGER, NOTIFY_WEBHOOK, NOTIFY_NOWHERE };

extern const char *const notify_kind_names[]; /* by enum notify_kind */

/* One place that is told. */
struct notify_destination {
    enum notify_kind kind;
    const char *url;
    const char *secret; /* NULL: nothing is signed */
    const char *shown;  /* scheme, host and port: the rest of a URL may be a secret */
};

/* One review event. */
struct notify_event {
    int32_t partition;
    int64_t offset;
    char id[NOTIFY_ID_SIZE + 1]; /* ce_id; the same after each restart */
    const json_t *review;        /* as review_decode() gives it; NULL: it could not be read */
};

/* What became of one attempt. */
enum notify_verdict {
    NOTIFY_DELIVERED,
    NOTIFY_REFUSED, /* never will be: told so by the destination */
    NOTIFY_LATER,   /* this event later; others may go on */
    NOTIFY_DOWN     /* the destination as a whole does not answer, or not as one would */
};

struct notify_sender {
    /** One attempt; error tells why it did not work, without any of the event. */
    enum notify_verdict (*send)(void *context, const struct notify_destination *destination,
            const struct notify_event *event, struct error *error);
    void *context;
};

/* What could not be delivered. */
struct notify_letter {
    const struct notify_event *event;
    const struct notify_destination *destination;
    const char *reason; /* malformed, refused, gave_up */
    const char *detail;
    int64_t attempts;
    struct span key; /* of the event's record */
};

struct notify_letters {
    /** Returns when the letter is safe. Errors: STATUS_BROKER_DOWN, STATUS_AUTH, STATUS_REFUSED. */
    enum status (*write)(void *context, const struct notify_letter *letter, struct error *error);
    void *context;
};

struct notify_metrics {
    uint64_t events, silent, delivered, failed_attempts, undelivered;
};

struct notify;

/** config, clock: borrowed for its life; the contexts too. Returns owned. */
struct notify *notify_new(const struct config *config, const struct clock *clock,
        struct notify_sender sender, struct notify_letters letters);
void notify_destroy(struct notify *notify);

/** Hears of lost partitions; for review_feed_kafka_new(). */
struct review_feed_listener notify_listener(struct notify *notify);

/** Where events come from; borrowed until notify_destroy(). */
void notify_connect(struct notify *notify, struct review_feed *feed);

/**
 * One turn: make the attempts that are due, one for each destination, commit what is done, read
 * one event.
 *
 * Errors: those that no waiting heals (DISPOSE_EXIT).
 * Cost:   about notify.timeout at most, or 200 ms of waiting for something to do.
 */
enum status notify_turn(struct notify *notify, struct error *error) MUST_CHECK;

/** Whether all that is there has been read, delivered or given up, and committed. */
bool notify_is_done(const struct notify *notify);

/** Commit what is done; called before the feed is destroyed. */
void notify_drain(struct notify *notify);

const struct notify_metrics *notify_metrics(const struct notify *notify);

/** How long to wait after so many failures in a row: 500 ms, 1 s, 2 s, ... 60 s. */
int64_t notify_backoff_ms(int64_t failures);

#endif
