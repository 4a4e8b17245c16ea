/* partition.h - the fold: events, ticks and decisions in; counters and reviews out.
 *
 * One partition of the input topic: its time, its owners, groups and series, and what changed in
 * them since the last batch was settled. Pure: time comes in as an argument, effects go out
 * through partition_changes().
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_PARTITION_H
#define RETRYWATCH_AGGREGATOR_PARTITION_H

#include "aggregator/packet.h"
#include "aggregator/slots.h"

struct limits {
    int64_t series_per_owner;     /* 1,000 */
    int64_t owners_per_partition; /* 1,000,000 */
    int64_t string_bytes;         /* 256: a longer dimension is _OTHER */
    int64_t future_ms;            /* 5 min: an event further ahead of its record is rejected */
    int64_t idle_ms;              /* 2 min: how far T stays behind the clock of an idle partition */
    int64_t too_late_ms;          /* 24 h: an older event is in no slot */
};

/* Borrowed for the life of the partition. Decisions may change between calls. */
struct partition_options {
    const char *topic;
    int32_t partition;
    const struct rule *rule;
    const struct limits *limits;
    uint32_t group_by; /* bits of enum dimension; the owner's is always set */
    const struct decisions *decisions;
    const struct configured_evidence *configured;
    size_t configured_count;
    const char *config_version;
    digest_function *digest;
};

/* The clocks of a partition; stored in rw:{topic:p}:applied. TIME_NULL before the first record. */
struct partition_times {
    int64_t stream_ms;     /* T */
    int64_t log_ms;        /* the part of T that records have made */
    int64_t record_max_ms; /* the largest record timestamp so far */
};

/* What counts up for metrics and tests; never goes back, starts at 0 in each process. */
struct partition_metrics {
    uint64_t counted, late, too_late, suppressed, evaluations, closes, over_limit;
    uint64_t published[REVIEW_STATUS_COUNT];
};

struct partition;

/* What partition_prepare() found out about an event before its turn came. */
struct prepared {
    struct span dimensions[DIM_COUNT]; /* after missing values and strings that are too long */
    uint64_t hash;                     /* of these */
    uint64_t texts;                    /* evidence_hash() */
    uint32_t missing;                  /* bits of enum dimension that the event does not name */
    bool over;                         /* a string was too long */
};

struct partition *partition_new(const struct partition_options *options);
void partition_destroy(struct partition *partition);

/**
 * A record is next, whatever becomes of it: T follows an idle stretch before it.
 *
 * record_ms: its timestamp, >= 0.
 */
void partition_record(struct partition *partition, int64_t offset, int64_t record_ms);

/**
 * Count the event of the record just announced. It has passed outcome_check().
 *
 * Cost: O(1); after T has passed minutes also one evaluation for each active group and minute, each
 * a scan of the group's series; after log time has, also what is forgotten with them, and the
 * half-hours that are not young any more.
 */
void partition_count(struct partition *partition, const struct outcome *outcome);

/**
 * Look ahead to events that are counted soon: what they have in common with no other call is found
 * out, and the memory that they will need is on its way meanwhile. Counts nothing.
 *
 * events:   events[count], a few: what 32 need fits into the nearest cache.
 * prepared: prepared[count], filled; a pure function of the event, and valid as long as it is.
 */
void partition_prepare(const struct partition *partition, const struct outcome *const *events,
        size_t count, struct prepared *prepared);

/** partition_count() of an event that was looked at ahead. */
void partition_count_prepared(struct partition *partition, const struct outcome *outcome,
        const struct prepared *prepared);

/**
 * The log has ended here and the wall clock says now_ms: does early what the next record would do.
 * Allowed only when a fetch answered within the last second shows the end of the partition.
 */
void partition_tick(struct partition *partition, int64_t now_ms);

/** Evaluate nothing for records up to this offset: all that they gave is published (adoption). */
void partition_set_quiet(struct partition *partition, int64_t offset);
int64_t partition_quiet(const struct partition *partition);

struct partition_times partition_times(const struct partition *partition);
const struct partition_metrics *partition_metrics(const struct partition *partition);

/* ---- what a batch changed ------------------------------------------------------------------ */

/* The counters of one slot after the batch. */
struct slot_change {
    int64_t slot;       /* minute or half-hour */
    uint64_t number;    /* of the series (minutes) or of the group (half-hours) */
    struct span packed; /* counts_merge() */
};

/* A series or group that came up. */
struct name_change {
    uint64_t number;
    const struct span *dimensions; /* dimensions[DIM_COUNT]; a group's are null outside group_by */
};

/* A group whose review or evidence changed. */
struct review_change {
    uint64_t number;
    const struct span *dimensions;
    const struct review *review;
    const struct evidence *evidence;
};

/* One event to publish, with the group as it was right after the evaluation. */
struct publication {
    struct packet packet;
    struct span dimensions[DIM_COUNT]; /* of the group */
    struct review review;              /* lives as long as the changes: never review_fini() it */
};

/* Valid until partition_settle(), or the next call that counts, ticks or records. */
struct partition_changes {
    const struct slot_change *minutes; /* ordered by slot */
    size_t minute_count;
    const struct slot_change *half_hours; /* ordered by slot */
    size_t half_hour_count;
    const struct name_change *series, *groups; /* new */
    size_t series_count, group_count;
    const uint64_t *forgotten_series, *forgotten_groups; /* stored before, to be deleted */
    size_t forgotten_series_count, forgotten_group_count;
    const struct review_change *reviews;
    size_t review_count;
    const struct publication *publications; /* in the order in which they were decided */
    size_t publication_count;
    int64_t minutes_dropped_from, minutes_dropped_to;       /* [from, to): slots to unlink */
    int64_t half_hours_dropped_from, half_hours_dropped_to; /* [from, to) */
    uint64_t next_series, next_group, next_active;          /* numbers are never used again */
};

/** How many slots, series and groups partition_changes() would return at most: the size of the EXEC
 * so far. Cost: O(1). */
size_t partition_update_count(const struct partition *partition);

/** All that changed since the last settle. Cost: O(what was touched). */
const struct partition_changes *partition_changes(struct partition *partition);

/** The changes are stored: forget them, and give back their memory. */
void partition_settle(struct partition *partition);

/* ---- restoring what is stored ------------------------------------------------------------- */

/* In this order: times; groups; series; minutes and half-hours; reviews; end. Errors:
 * STATUS_REFUSED for the number of a group or series that is not known, or bytes that cannot be
 * unpacked. Slots wait for their memory: the error of one may be that of a later call, at the
 * latest of the end; after an error the partition can only be destroyed. */

void partition_restore_times(struct partition *partition, struct partition_times times,
        uint64_t next_series, uint64_t next_group, uint64_t next_active);
enum status partition_restore_group(struct partition *partition, uint64_t number,
        const struct span dimensions[DIM_COUNT], struct error *error) MUST_CHECK;
enum status partition_restore_series(struct partition *partition, uint64_t number,
        const struct span dimensions[DIM_COUNT], struct error *error) MUST_CHECK;
enum status partition_restore_minute(struct partition *partition, int64_t minute, uint64_t number,
        struct span packed, struct error *error) MUST_CHECK;
enum status partition_restore_half_hour(struct partition *partition, int64_t half_hour,
        uint64_t number, struct span packed, struct error *error) MUST_CHECK;
/** Takes what review and evidence own, and leaves both empty. */
enum status partition_restore_review(struct partition *partition, uint64_t number,
        struct review *review, struct evidence *evidence, struct error *error) MUST_CHECK;
enum status partition_restore_end(struct partition *partition, struct error *error) MUST_CHECK;

/** The slots that a restart needs, by log time: minutes [from, to] and half-hours [from, to]. */
void partition_live_slots(struct partition_times times, int64_t *minute_from, int64_t *minute_to,
        int64_t *half_hour_from, int64_t *half_hour_to);

/* ---- adopting what was published before the store lost it ------------------------------------ */

/**
 * The group had this review when it was published. What it owns is taken, and left empty. The group
 * comes up if it is not known; the change is stored with the next batch.
 */
void partition_adopt_review(struct partition *partition, const struct span dimensions[DIM_COUNT],
        struct review *review);

/** T had come so far; minutes on the way close without being evaluated: they were. */
void partition_adopt_time(struct partition *partition, int64_t stream_ms);

/* ---- views ----------------------------------------------------------------------------------- */

enum view_window { VIEW_5M, VIEW_60M, VIEW_24H, VIEW_WINDOWS };

/* What dashboards show of one owner, as of T: the sums of its groups. */
struct owner_view {
    struct span owner;     /* as in the series; views add @partition to _MISSING and _OTHER */
    int64_t as_of_ms;      /* T */
    int64_t last_event_ms; /* largest t counted; TIME_NULL when none in this process or store */
    uint64_t totals[VIEW_WINDOWS][COUNT_BASE]; /* too_late is in the 24 h only */
    uint32_t open_reviews;                     /* reviews that are not resolved */
    size_t bucket_count;                       /* the same by budget bucket: */
    struct {
        struct span bucket;
        uint64_t totals[VIEW_WINDOWS][COUNT_BASE];
    } * buckets;
    int64_t first_minute; /* M - 59 */
    uint64_t minute_attempts[WINDOW_L_MINUTES], minute_retries[WINDOW_L_MINUTES];
};

/**
 * The next owner whose view is out of date: touched since it was last shown, or, once a minute of
 * T, one whose windows still hold something. Round robin, so that none starves.
 *
 * view:    filled; everything is in the arena or borrowed until the next call that counts.
 * forgotten: the owner is gone: delete its views; only view->owner is set.
 * Returns false when every view is up to date.
 */
bool partition_next_view(
        struct partition *partition, struct arena *arena, struct owner_view *view, bool *forgotten);

/** Nobody knows which of the views that were handed out still stand: all owners are due again. */
void partition_views_lost(struct partition *partition);

#endif
