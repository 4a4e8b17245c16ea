/* partition_internal.h - the parts of a partition, for the files that implement partition.h.
 *
 *   partition.c   time, and counting one event
 *   place.c       which series an event belongs to: missing values, limits
 *   live.c        owners, groups and series come up and are forgotten
 *   evaluate.c    evaluations and what they publish
 *   changes.c     what a batch changed
 *   restore*.c    what is stored becomes a partition again
 *   adopt.c       what was published before the store lost it
 *   owner_view.c  what dashboards show
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_PARTITION_INTERNAL_H
#define RETRYWATCH_AGGREGATOR_PARTITION_INTERNAL_H

#include "aggregator/group.h"
#include "aggregator/partition.h"

/* A slot that the batch changed. */
struct dirty_minute {
    struct series *series;
    int64_t minute;
};

struct dirty_half_hour {
    struct group *group;
    int64_t half_hour;
};

/* All that happened since the last settle. What is forgotten stays in memory until then. */
struct batch {
    struct arena arena; /* publications, the lists of changes */
    struct dirty_minute *minutes;
    size_t minute_count, minute_capacity;
    struct dirty_half_hour *half_hours;
    size_t half_hour_count, half_hour_capacity;
    struct series **new_series;
    size_t new_series_count, new_series_capacity;
    struct group **new_groups;
    size_t new_group_count, new_group_capacity;
    struct series **forgotten_series;
    size_t forgotten_series_count, forgotten_series_capacity;
    struct group **forgotten_groups;
    size_t forgotten_group_count, forgotten_group_capacity;
    struct group **reviews;
    size_t review_count, review_capacity;
    struct publication *publications;
    size_t publication_count, publication_capacity;
};

struct restore;

struct partition {
    struct partition_options options;
    struct partition_times times;
    struct partition_times settled; /* as of the last settle */
    struct partition_metrics metrics;
    int64_t offset;    /* of the current record; -1 before the first */
    int64_t record_ms; /* its timestamp */
    int64_t quiet;     /* evaluate nothing up to this offset; -1: none */
    uint64_t next_series, next_group, next_active;
    int64_t live_owners;
    struct table series, groups, owners;
    struct link series_by_minute[SLOTS_RING];    /* by newest minute % SLOTS_RING */
    struct link groups_by_half_hour[SLOTS_RING]; /* by newest half-hour % SLOTS_RING */
    struct link active;                          /* groups in the order of becoming active */
    struct link owners_touched, owners_resting;  /* owner_view.c */
    struct link owners_forgotten;                /* their views are still to be deleted */
    unsigned view_turn;                          /* whose turn it is */
    struct batch batch;
    struct partition_changes changes;
    struct restore *restore; /* NULL unless restoring */
};

static inline int64_t
max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t
min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/** The oldest live slots, by log time; it must be known. */
static inline int64_t
oldest_minute(const struct partition *partition)
{
    return minute_of(partition->times.log_ms) - (WINDOW_L_MINUTES - 1);
}

static inline int64_t
oldest_half_hour(const struct partition *partition)
{
    return half_hour_of(partition->times.log_ms) - (LIVE_HALF_HOURS - 1);
}

/**
 * Whether all minutes of a half-hour are live, by log time. What it holds, but for too_late,
 * follows from them then, and restoring computes it anew.
 *
 * So a group's newest half-hour, which each batch would touch, is not stored while it is young, but
 * once: when the group begins a newer one, or when it is young no more.
 */
static inline bool
half_hour_is_young(const struct partition *partition, int64_t half_hour)
{
    return half_hour > half_hour_of(partition->times.log_ms) - YOUNG_HALF_HOURS;
}

/* ---- place.c --------------------------------------------------------------------------------- */

/* Where an event is to be counted. */
struct place {
    const struct span *dimensions; /* after missing values and limits: the event's, or others */
    struct span others[DIM_COUNT]; /* with _OTHER for what is beyond a limit */
    struct key key;                /* of the series */
    struct series *series;         /* NULL when it is not live */
    struct group *group;           /* of the series, or that it would be in; NULL: none yet */
};

/** What of an event's place depends on nothing but the event. */
void place_prepare(const struct partition *partition, const struct outcome *outcome,
        struct prepared *prepared);

/** The place itself; it borrows from prepared. */
void place_find(struct partition *partition, const struct prepared *prepared, struct place *place);

/* ---- live.c ---------------------------------------------------------------------------------- */

struct owner *find_owner(const struct partition *partition, const struct span *dimensions);
struct group *find_group(const struct partition *partition, const struct span *dimensions);

/** A new group, with a new owner if need be; not live before it has a half-hour. */
struct group *add_group(
        struct partition *partition, const struct span *dimensions, uint64_t number);
/** The group of these dimensions; one that comes up is stored with the batch. */
struct group *come_up_group(struct partition *partition, const struct span *dimensions);
struct series *add_series(
        struct partition *partition, const struct key *key, uint64_t number, struct group *group);

/** Its newest slot is another one now: keep it where it is found when that leaves. */
void series_move(struct partition *partition, struct series *series, int64_t minute);
void group_move(struct partition *partition, struct group *group, int64_t half_hour);

/** The half-hour must be stored with the batch. */
void mark_half_hour(struct partition *partition, struct group *group, int64_t half_hour);

/** Mark what was young, now that log time has moved on from what it was. */
void mark_grown_up(struct partition *partition, int64_t was_log_ms);

/** Forget what has no live slot left, now that log time has moved on from what it was. */
void forget_expired(struct partition *partition, int64_t was_log_ms);

/** A group without live slots has become clear. */
void forget_group(struct partition *partition, struct group *group);
void forget_series(struct partition *partition, struct series *series);

/* ---- evaluate.c ------------------------------------------------------------------------------ */

/** Whether the current record, or a tick after it, is evaluated. */
bool partition_evaluates(const struct partition *partition);

/** After an event was counted in L. */
void evaluate_event(struct partition *partition, struct group *group, int64_t event_ms);

/** Close the minutes that end after T and up to to_ms. */
void close_minutes(struct partition *partition, int64_t to_ms);

/** The group's review or evidence must be stored. */
void mark_review(struct partition *partition, struct group *group);

/* ---- owner_view.c ---------------------------------------------------------------------------- */

/** The view of this owner is out of date. */
void view_touch(struct partition *partition, struct owner *owner);

/** The owner was restored: its view is due once. */
void view_restored(struct partition *partition, struct owner *owner);

/** Takes the owner, which is out of all tables: its views are to be deleted. */
void view_forget(struct partition *partition, struct owner *owner);

/* ---- restore.c ------------------------------------------------------------------------------- */

void restore_destroy(struct restore *restore);

#endif
