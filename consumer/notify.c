/* notify.c - delivers reviews to people's tools: what is still to be told, in which order, when.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/notify.h"

#include "aggregator/memory.h"
#include "codec/review_codec.h"
#include "consumer/config_table.h"
#include "consumer/log.h"
#include "consumer/notify_route.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 60000
#define WAIT_MAX_MS 200
#define TURN_MAX_MS 1000
#define COMMIT_EVERY_MS 1000
#define TROUBLE_EVERY_MS 10000
#define NEVER INT64_MAX

const char *const notify_kind_names[] = {"alertmanager", "webhook", "none"};

/* An event that was read and has deliveries that are not done. */
struct event {
    struct notify_event public;
    json_t *review;
    const char *review_id; /* in review; "" when it could not be read */
    struct span key;       /* owned */
    int64_t read_ms;       /* monotonic */
    char problem[128];     /* why it could not be read */
    size_t open;           /* deliveries that are not done */
    struct event *next;    /* of the same partition */
};

/* One event for one destination. */
struct task {
    struct event *event;
    int64_t attempts;
    int64_t next_ms; /* monotonic; not before */
    struct task *next;
};

/* A destination and what waits for it, in the order of reading. */
struct destination {
    struct notify_destination public;
    char *url, *secret, *shown; /* owned */
    int64_t failures;           /* in a row */
    int64_t next_ms;            /* monotonic; nothing is sent before */
    struct task *first, *last;
};

struct partition {
    int32_t number;
    int64_t done;      /* everything before this offset is; -1: nothing was read yet */
    int64_t committed; /* the last one that was committed; -1: none */
    struct event *first, *last;
};

struct notify {
    const struct config *config;
    const struct clock *clock;
    struct notify_sender sender;
    struct notify_letters letters;
    struct review_feed *feed;
    struct destination **destinations; /* destinations[destination_count] */
    size_t destination_count, destination_capacity;
    size_t begin;                 /* the destination that is first in the next turn */
    struct partition *partitions; /* partitions[partition_count] */
    size_t partition_count, partition_capacity;
    size_t waiting;       /* events */
    bool held;            /* no more are read */
    int64_t committed_ms; /* monotonic, of the last commit */
    int64_t trouble_ms;   /* monotonic, of the last line about Kafka's trouble */
    struct notify_metrics metrics;
};

int64_t
notify_backoff_ms(int64_t failures)
{
    int64_t wait_ms = BACKOFF_MIN_MS;

    for (; failures > 1 && wait_ms < BACKOFF_MAX_MS; failures--) {
        wait_ms *= 2;
    }
    return wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS;
}

static int64_t
now_ms(const struct notify *notify)
{
    return notify->clock->monotonic_ms(notify->clock);
}

/* ---- begin and end -------------------------------------------------------------------------- */

struct notify *
notify_new(const struct config *config, const struct clock *clock, struct notify_sender sender,
        struct notify_letters letters)
{
    struct notify *notify = memory_new(1, sizeof(*notify));

    notify->config = config;
    notify->clock = clock;
    notify->sender = sender;
    notify->letters = letters;
    notify->trouble_ms = -TROUBLE_EVERY_MS;
    return notify;
}

static void
event_destroy(struct event *event)
{
    json_decref(event->review);
    free((void *)event->key.data);
    free(event);
}

static void
drop_tasks(struct destination *destination, int32_t partition)
{
    struct task **link = &destination->first;

    destination->last = NULL;
    while (*link != NULL) {
        struct task *task = *link;

        if (task->event->public.partition == partition) {
            *link = task->next;
            free(task);
        } else {
            destination->last = task;
            link = &task->next;
        }
    }
}

/* Who has the partition next reads what is not committed again. */
static void
drop_partition(struct notify *notify, struct partition *partition)
{
    for (size_t i = 0; i < notify->destination_count; i++) {
        drop_tasks(notify->destinations[i], partition->number);
    }
    while (partition->first != NULL) {
        struct event *event = partition->first;

        partition->first = event->next;
        notify->waiting -= 1;
        event_destroy(event);
    }
    partition->last = NULL;
    partition->done = -1;
    partition->committed = -1;
}

void
notify_destroy(struct notify *notify)
{
    if (notify == NULL) {
        return;
    }
    for (size_t i = 0; i < notify->partition_count; i++) {
        drop_partition(notify, &notify->partitions[i]);
    }
    for (size_t i = 0; i < notify->destination_count; i++) {
        struct destination *destination = notify->destinations[i];

        free(destination->url);
        free(destination->secret);
        free(destination->shown);
        free(destination);
    }
    free(notify->destinations);
    free(notify->partitions);
    free(notify);
}

void
notify_connect(struct notify *notify, struct review_feed *feed)
{
    notify->feed = feed;
}

const struct notify_metrics *
notify_metrics(const struct notify *notify)
{
    return &notify->metrics;
}

/* ---- commits -------------------------------------------------------------------------------- */

static void
commit_partition(struct notify *notify, struct partition *partition)
{
    struct error error = {0};

    if (partition->done <= partition->committed) {
        return;
    }
    if (notify->feed->ops->commit(notify->feed, partition->number, partition->done, &error) ==
            STATUS_OK) {
        partition->committed = partition->done;
    } else {
        /* Tried again in a while; if another has the partition by then, it repeats some. */
        log_warn("notify", "step=commit partition=%" PRId32 " offset=%" PRId64 " error=\"%s\"",
                partition->number, partition->done, error.text);
    }
}

void
notify_drain(struct notify *notify)
{
    for (size_t i = 0; i < notify->partition_count; i++) {
        commit_partition(notify, &notify->partitions[i]);
    }
    notify->committed_ms = now_ms(notify);
}

static void
on_revoked(void *context, const int32_t *numbers, size_t count)
{
    struct notify *notify = context;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < notify->partition_count; j++) {
            if (notify->partitions[j].number == numbers[i]) {
                commit_partition(notify, &notify->partitions[j]);
                drop_partition(notify, &notify->partitions[j]);
            }
        }
    }
}

struct review_feed_listener
notify_listener(struct notify *notify)
{
    return (struct review_feed_listener){.revoked = on_revoked, .context = notify};
}

/* ---- events come in ------------------------------------------------------------------------- */

static struct partition *
partition_of(struct notify *notify, int32_t number)
{
    for (size_t i = 0; i < notify->partition_count; i++) {
        if (notify->partitions[i].number == number) {
            return &notify->partitions[i];
        }
    }
    notify->partitions = memory_grow(notify->partitions, notify->partition_count,
            &notify->partition_capacity, sizeof(*notify->partitions));
    notify->partitions[notify->partition_count] =
            (struct partition){.number = number, .done = -1, .committed = -1};
    return &notify->partitions[notify->partition_count++];
}

/* The scheme, host and port of a URL, without user info. Returns owned. */
static char *
origin_of(const char *url)
{
    const char *host = strstr(url, "://");
    char *origin = NULL;

    host = host != NULL ? host + 3 : url;

    const char *end = host + strcspn(host, "/?#");
    const char *begin = end;

    while (begin > host && begin[-1] != '@') {
        begin--;
    }
    if (asprintf(&origin, "%.*s%.*s", (int)(host - url), url, (int)(end - begin), begin) < 0) {
        abort();
    }
    return origin;
}

static bool
same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct destination *
destination_new(enum notify_kind kind, const char *url, const char *secret)
{
    struct destination *destination = memory_new(1, sizeof(*destination));

    destination->url = config_text_copy(url);
    destination->secret = secret != NULL ? config_text_copy(secret) : NULL;
    destination->shown = origin_of(url);
    destination->public = (struct notify_destination){.kind = kind,
            .url = destination->url,
            .secret = destination->secret,
            .shown = destination->shown};
    return destination;
}

/* One for all routes that name it, so that it is waited for once and told in one order. */
static struct destination *
destination_of(struct notify *notify, enum notify_kind kind, const char *url, const char *secret)
{
    for (size_t i = 0; i < notify->destination_count; i++) {
        struct destination *destination = notify->destinations[i];

        if (destination->public.kind == kind && same_text(destination->url, url) &&
                same_text(destination->secret, secret)) {
            return destination;
        }
    }
    notify->destinations = memory_grow(notify->destinations, notify->destination_count,
            &notify->destination_capacity, sizeof(struct destination *));
    notify->destinations[notify->destination_count] = destination_new(kind, url, secret);
    return notify->destinations[notify->destination_count++];
}

static void
add_task(struct notify *notify, struct event *event, enum notify_kind kind, const char *url,
        const char *secret)
{
    struct destination *destination = destination_of(notify, kind, url, secret);
    struct task *task = memory_new(1, sizeof(*task));

    task->event = event;
    event->open += 1;
    if (destination->last != NULL) {
        destination->last->next = task;
    } else {
        destination->first = task;
    }
    destination->last = task;
}

/* The id goes into an HTTP header: letters, digits and a few signs, or one of our own making. */
static void
take_id(struct event *event, const struct config *config, struct span id)
{
    bool plain = id.size > 0 && id.size <= NOTIFY_ID_SIZE;

    for (size_t i = 0; plain && i < id.size; i++) {
        const char c = (char)id.data[i];

        plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                (c != '\0' && strchr("-_.:", c) != NULL);
    }
    if (plain) {
        snprintf(event->public.id, sizeof(event->public.id), "%.*s", (int)id.size,
                (const char *)id.data);
    } else {
        snprintf(event->public.id, sizeof(event->public.id), "%.24s-%" PRId32 "-%" PRId64,
                config->topics.reviews, event->public.partition, event->public.offset);
    }
}

static struct event *
event_new(struct notify *notify, const struct review_record *record)
{
    struct event *event = memory_new(1, sizeof(*event));
    struct error error = {0};

    event->public.partition = record->partition;
    event->public.offset = record->offset;
    event->read_ms = now_ms(notify);
    take_id(event, notify->config, record->id);
    if (record->key.data != NULL) {
        event->key =
                (struct span){(uint8_t *)config_text_copy_size(record->key.data, record->key.size),
                        record->key.size};
    }
    if (review_decode(record->value, &event->review, &error) != STATUS_OK) {
        snprintf(event->problem, sizeof(event->problem), "%.120s", error.text);
    } else if (json_string_value(json_object_get(event->review, "review_id")) == NULL ||
               !json_is_object(json_object_get(event->review, "scope"))) {
        snprintf(event->problem, sizeof(event->problem), "review: a text is not UTF-8");
    }
    event->public.review = event->problem[0] == '\0' ? event->review : NULL;
    event->review_id = event->public.review != NULL
                               ? json_string_value(json_object_get(event->review, "review_id"))
                               : "";
    return event;
}

static void
add_tasks(struct notify *notify, struct event *event)
{
    if (event->public.review == NULL) {
        add_task(notify, event, NOTIFY_NOWHERE, "", NULL);
        return;
    }

    const struct notify_targets targets = notify_route(notify->config, event->public.review);

    if (targets.alertmanager != NULL) {
        add_task(notify, event, NOTIFY_ALERTMANAGER, targets.alertmanager, NULL);
    }
    if (targets.webhook != NULL) {
        add_task(notify, event, NOTIFY_WEBHOOK, targets.webhook, targets.secret);
    }
    notify->metrics.silent += event->open == 0 ? 1 : 0;
}

/* Events at the front that are done move the position on. */
static void
advance(struct notify *notify, struct partition *partition)
{
    while (partition->first != NULL && partition->first->open == 0) {
        struct event *event = partition->first;

        partition->first = event->next;
        partition->last = event->next != NULL ? partition->last : NULL;
        partition->done = event->public.offset + 1;
        notify->waiting -= 1;
        event_destroy(event);
    }
}

static void
take_record(struct notify *notify, const struct review_record *record)
{
    struct partition *partition = partition_of(notify, record->partition);
    struct event *event = event_new(notify, record);

    notify->metrics.events += 1;
    notify->waiting += 1;
    if (partition->last != NULL) {
        partition->last->next = event;
    } else {
        partition->first = event;
    }
    partition->last = event;
    add_tasks(notify, event);
    advance(notify, partition);
}

/* ---- deliveries go out ---------------------------------------------------------------------- */

/* Whether an earlier event of the same review still waits for this destination. */
static bool
is_behind(const struct destination *destination, const struct task *task)
{
    const struct task *earlier = destination->first;

    while (earlier != task && strcmp(earlier->event->review_id, task->event->review_id) != 0) {
        earlier = earlier->next;
    }
    return earlier != task;
}

/* The first task that may be sent now; *due_ms: when the next one may. */
static struct task *
find_due(const struct destination *destination, int64_t now, int64_t *due_ms)
{
    if (destination->first == NULL) {
        return NULL;
    }
    if (destination->next_ms > now) {
        *due_ms = destination->next_ms < *due_ms ? destination->next_ms : *due_ms;
        return NULL;
    }
    for (struct task *d = destination->first; d != NULL; d = d->next) {
        if (d->next_ms > now) {
            *due_ms = d->next_ms < *due_ms ? d->next_ms : *due_ms;
        } else if (!is_behind(destination, d)) {
            return d;
        }
    }
    return NULL;
}

/* It is done, one way or the other. Frees task, and perhaps its event. */
static void
finish(struct notify *notify, struct destination *destination, struct task *task)
{
    struct event *event = task->event;
    struct task **link = &destination->first;
    struct task *before = NULL;

    while (*link != task) {
        before = *link;
        link = &(*link)->next;
    }
    *link = task->next;
    if (destination->last == task) {
        destination->last = before;
    }
    free(task);
    event->open -= 1;
    advance(notify, partition_of(notify, event->public.partition));
}

static enum status
give_up(struct notify *notify, struct destination *destination, struct task *task,
        const char *reason, const char *detail, struct error *error)
{
    const struct event *event = task->event;
    const struct notify_letter letter = {.event = &event->public,
            .destination = &destination->public,
            .reason = reason,
            .detail = detail,
            .attempts = task->attempts,
            .key = event->key};
    const enum status status = notify->letters.write(notify->letters.context, &letter, error);

    if (status != STATUS_OK) {
        /* Not lost: tried again, and given up again, in a while. */
        task->next_ms = now_ms(notify) + BACKOFF_MIN_MS;
        return status;
    }
    notify->metrics.undelivered += 1;
    log_error("notify",
            "step=undelivered id=%s review_id=%s partition=%" PRId32 " offset=%" PRId64
            " kind=%s destination=%s attempts=%" PRId64 " reason=%s error=\"%s\"",
            event->public.id, event->review_id, event->public.partition, event->public.offset,
            notify_kind_names[destination->public.kind], destination->shown, task->attempts, reason,
            detail);
    finish(notify, destination, task);
    return STATUS_OK;
}

static bool
is_expired(const struct notify *notify, const struct task *task, int64_t now)
{
    return now - task->event->read_ms >= notify->config->notify.give_up_ms;
}

/* All that has waited for this destination for too long, in the order of reading. */
static enum status
expire(struct notify *notify, struct destination *destination, const char *detail,
        struct error *error)
{
    const int64_t now = now_ms(notify);
    enum status status = STATUS_OK;
    struct task *next = NULL;

    for (struct task *d = destination->first; d != NULL && status == STATUS_OK; d = next) {
        next = d->next;
        if (is_expired(notify, d, now)) {
            status = give_up(notify, destination, d, "gave_up", detail, error);
        }
    }
    return status;
}

static void
log_attempt(const struct destination *destination, const struct task *task, const char *problem,
        int64_t next_ms)
{
    const struct event *event = task->event;

    if (problem == NULL) {
        log_info("notify",
                "step=delivered id=%s review_id=%s status=%s kind=%s destination=%s "
                "attempts=%" PRId64,
                event->public.id, event->review_id,
                json_string_value(json_object_get(event->review, "status")),
                notify_kind_names[destination->public.kind], destination->shown, task->attempts);
    } else {
        log_warn("notify",
                "step=retry id=%s review_id=%s kind=%s destination=%s attempts=%" PRId64
                " retry_ms=%" PRId64 " error=\"%s\"",
                event->public.id, event->review_id, notify_kind_names[destination->public.kind],
                destination->shown, task->attempts, next_ms, problem);
    }
}

/* What to do after an attempt that may work later. */
static enum status
put_off(struct notify *notify, struct destination *destination, struct task *task, bool down,
        const struct error *problem, struct error *error)
{
    const int64_t failures = down ? ++destination->failures : task->attempts;
    const int64_t wait_ms = notify_backoff_ms(failures);
    const int64_t now = now_ms(notify);

    notify->metrics.failed_attempts += 1;
    log_attempt(destination, task, problem->text, wait_ms);
    if (down) {
        destination->next_ms = now + wait_ms;
        return expire(notify, destination, problem->text, error);
    }
    destination->failures = 0;
    task->next_ms = now + wait_ms;
    return is_expired(notify, task, now)
                   ? give_up(notify, destination, task, "gave_up", problem->text, error)
                   : STATUS_OK;
}

static enum status
attempt(struct notify *notify, struct destination *destination, struct task *task,
        struct error *error)
{
    struct error problem = {0};

    if (destination->public.kind == NOTIFY_NOWHERE) {
        return give_up(notify, destination, task, "malformed", task->event->problem, error);
    }
    task->attempts += 1;
    switch (notify->sender.send(
            notify->sender.context, &destination->public, &task->event->public, &problem)) {
    case NOTIFY_DELIVERED:
        notify->metrics.delivered += 1;
        destination->failures = 0;
        log_attempt(destination, task, NULL, 0);
        finish(notify, destination, task);
        return STATUS_OK;
    case NOTIFY_REFUSED:
        destination->failures = 0;
        return give_up(notify, destination, task, "refused", problem.text, error);
    case NOTIFY_LATER:
        return put_off(notify, destination, task, false, &problem, error);
    default:
        return put_off(notify, destination, task, true, &problem, error);
    }
}

/* ---- the turn ------------------------------------------------------------------------------- */

/* What waiting heals is told now and then, and waited for. */
static enum status
tell_trouble(struct notify *notify, enum status status, const struct error *error)
{
    const int64_t now = now_ms(notify);

    if (status == STATUS_OK || status_disposition(status) == DISPOSE_EXIT) {
        return status;
    }
    if (now - notify->trouble_ms >= TROUBLE_EVERY_MS) {
        log_warn("notify", "step=kafka error=\"%s\"", error->text);
        notify->trouble_ms = now;
    }
    return STATUS_OK;
}

/* One attempt at each destination that has one to make; *due_ms: when the next one is. Destinations
 * that let us wait must not keep us from polling: then the turn ends, and the next begins behind.
 */
static enum status
attempt_due(struct notify *notify, int64_t *due_ms, struct error *error)
{
    const int64_t until = now_ms(notify) + TURN_MAX_MS;
    const size_t begin = notify->begin;
    enum status status = STATUS_OK;

    *due_ms = NEVER;
    for (size_t i = 0; i < notify->destination_count && status == STATUS_OK; i++) {
        const size_t at = (begin + i) % notify->destination_count;
        struct task *due = find_due(notify->destinations[at], now_ms(notify), due_ms);

        if (due != NULL) {
            *due_ms = 0;
            notify->begin = at + 1;
            status = tell_trouble(
                    notify, attempt(notify, notify->destinations[at], due, error), error);
        }
        if (now_ms(notify) >= until) {
            *due_ms = 0;
            break;
        }
    }
    return status;
}

static enum status
read_one(struct notify *notify, int wait_ms, struct error *error)
{
    struct review_record record;
    bool got = false;

    if (notify->waiting >= NOTIFY_WAITING_MAX) {
        notify->held = true;
    } else if (notify->waiting < NOTIFY_WAITING_MAX / 2) {
        notify->held = false;
    }
    notify->feed->ops->hold(notify->feed, notify->held);

    const enum status status = notify->feed->ops->poll(notify->feed, wait_ms, &record, &got, error);

    if (got) {
        take_record(notify, &record);
    }
    return tell_trouble(notify, status, error);
}

enum status
notify_turn(struct notify *notify, struct error *error)
{
    int64_t due_ms = NEVER;
    enum status status = attempt_due(notify, &due_ms, error);
    const int64_t now = now_ms(notify);
    const int64_t left_ms = due_ms - now;

    if (status == STATUS_OK && now - notify->committed_ms >= COMMIT_EVERY_MS) {
        notify_drain(notify);
    }
    if (status == STATUS_OK) {
        status = read_one(notify,
                left_ms < 0             ? 0
                : left_ms < WAIT_MAX_MS ? (int)left_ms
                                        : WAIT_MAX_MS,
                error);
    }
    return status;
}

bool
notify_is_done(const struct notify *notify)
{
    for (size_t i = 0; i < notify->partition_count; i++) {
        if (notify->partitions[i].committed != notify->partitions[i].done) {
            return false;
        }
    }
    return notify->waiting == 0 && notify->feed->ops->at_end(notify->feed);
}
