/* group.h - owners, their groups, and the series that a group is made of.
 *
 * Each holds the values of its dimensions in its own block of memory, behind the struct.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_GROUP_H
#define RETRYWATCH_AGGREGATOR_GROUP_H

#include "aggregator/evidence.h"
#include "aggregator/list.h"
#include "aggregator/review.h"
#include "aggregator/slots.h"
#include "aggregator/table.h"

#define DIM_BIT(dimension) (1u << (dimension))
#define DIM_ALL (DIM_BIT(DIM_COUNT) - 1)

/* What owners, groups and series begin with: the dimensions that name them. */
struct entry {
    uint64_t hash;
    uint16_t sizes[DIM_COUNT]; /* 0: a dimension that does not name it; values are never empty */
    uint16_t values;           /* where the values begin, in bytes from the entry */
};

/* The views of an owner are shown again and again; see owner_view.c. */
enum view_state {
    VIEW_UP_TO_DATE, /* all zero as it was shown: nothing decays */
    VIEW_RESTING,    /* shown; due again when T has another minute */
    VIEW_TOUCHED,    /* due */
};

struct owner {
    struct entry entry;
    int64_t last_event_ms; /* largest t counted; TIME_NULL when none */
    enum view_state view_state;
    uint32_t live_groups; /* groups with a slot in the live half-hours */
    struct link in_views; /* of one of the lists of owner_view.c */
    struct link groups;   /* of struct group, member in_owner */
    int64_t shown_minute; /* the minute of T when it was last shown */
    uint32_t live_series; /* series; all of them are live */
};

/* What each event needs comes first, in as few cache lines as it takes. */
struct group {
    struct entry entry;
    struct owner *owner;
    struct windows *windows;  /* all the sums; NULL while nobody needs them, as of a clear group */
    int64_t minute;           /* the sums are as of this one; SLOT_NONE: not computed yet */
    int64_t baseline_end;     /* B: the half-hours before this one */
    struct attempts attempts; /* enough to see that a clear group stays so */
    struct slot_tally minute_tally, half_hour_tally; /* of the newest of minutes and half_hours */
    struct slots half_hours;                         /* stored, the newest not while it is young */
    struct slots minutes; /* base counters of its series' slots; in memory only */
    struct evidence evidence;
    struct review review;
    uint64_t number;
    struct link series;    /* of struct series, member in_group */
    struct link in_owner;  /* of struct owner, member groups */
    struct link in_live;   /* of the groups with the same newest half-hour */
    struct link in_active; /* of the groups that are not clear */
    bool live;             /* has a slot in the live half-hours */
    bool stored;           /* the store knows its number */
    bool forgotten;        /* waits for the end of the batch to be freed */
    bool review_dirty;     /* its review or evidence changed in this batch */
};

struct series {
    struct entry entry;
    uint64_t number;
    struct group *group;
    struct slots minutes; /* stored */
    struct link in_group; /* of struct group, member series */
    struct link in_live;  /* of the series with the same newest minute */
    bool stored;
    bool forgotten;
};

/* A set of dimensions to look up: the bits say which of them count. */
struct key {
    const struct span *dimensions; /* dimensions[DIM_COUNT] */
    uint32_t bits;
    uint64_t hash;
};

struct key key_of(const struct span *dimensions, uint32_t bits);

/** The entry of that key, or NULL. */
void *entry_find(const struct table *table, const struct key *key);

/** The value of one dimension; null when it does not name the entry. Lives as long as the entry. */
struct span entry_value(const struct entry *entry, enum dimension dimension);

/** All of them, into dimensions[DIM_COUNT]. */
void entry_values(const struct entry *entry, struct span *dimensions);

struct owner *owner_new(const struct key *key);
struct group *group_new(const struct key *key, uint64_t number, struct owner *owner);
struct series *series_new(const struct key *key, uint64_t number, struct group *group);

/* They must be out of all lists of others. */
void owner_destroy(struct owner *owner);
void group_destroy(struct group *group);
void series_destroy(struct series *series);

/** Bring the sums that are kept up to the windows of minute M. Cost: O(1), or a scan of its slots.
 */
void group_roll(struct group *group, int64_t minute);

/** All sums, rolled to minute M; kept from now on, until group_drop_windows(). */
const struct windows *group_windows(struct group *group, int64_t minute);

void group_drop_windows(struct group *group);

/** Add an event that has just been put into its slots to the sums that are kept. */
void group_add_event(
        struct group *group, const struct event_counts *event, int64_t minute, int64_t half_hour);

#endif
