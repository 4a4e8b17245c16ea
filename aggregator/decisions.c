/* decisions.c - all decisions that are known, by id and by the owner that they name.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/decision.h"

#include "aggregator/memory.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS_MIN 64

/* One decision, in the chain of its id and in the list of its owner. */
struct entry {
    struct decision *decision; /* owned */
    struct entry *next;        /* of the same bucket of ids */
};

/* The decisions that name one owner, or none. Kept when it gets empty. */
struct owner_list {
    struct owner_list *next; /* of the same bucket of owners */
    uint8_t *owner;          /* owned */
    size_t owner_size;
    const struct decision **items; /* items[count], borrowed from the entries */
    size_t count, capacity;
};

struct decisions {
    struct entry **ids; /* ids[bucket_count] */
    struct owner_list **owners;
    size_t bucket_count; /* a power of two, of both tables; at most as many entries */
    size_t count;
    struct owner_list any_owner; /* those that name no owner */
};

/* FNV-1a: decisions are few and come from the company's own cost owners. */
static size_t
bucket_of(const struct decisions *decisions, struct span key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < key.size; i++) {
        hash = (hash ^ key.data[i]) * UINT64_C(0x100000001b3);
    }
    return (size_t)(hash ^ hash >> 32) & (decisions->bucket_count - 1);
}

struct decisions *
decisions_new(void)
{
    struct decisions *decisions = memory_new(1, sizeof(*decisions));

    decisions->bucket_count = BUCKETS_MIN;
    decisions->ids = memory_new(BUCKETS_MIN, sizeof(struct entry *));
    decisions->owners = memory_new(BUCKETS_MIN, sizeof(struct owner_list *));
    return decisions;
}

static void
destroy_entries(struct entry *entry)
{
    while (entry != NULL) {
        struct entry *next = entry->next;

        free(entry->decision);
        free(entry);
        entry = next;
    }
}

static void
destroy_lists(struct owner_list *list)
{
    while (list != NULL) {
        struct owner_list *next = list->next;

        free(list->owner);
        free(list->items);
        free(list);
        list = next;
    }
}

void
decisions_destroy(struct decisions *decisions)
{
    if (decisions == NULL) {
        return;
    }
    for (size_t i = 0; i < decisions->bucket_count; i++) {
        destroy_entries(decisions->ids[i]);
        destroy_lists(decisions->owners[i]);
    }
    free(decisions->any_owner.items);
    free(decisions->ids);
    free(decisions->owners);
    free(decisions);
}

/** Twice the buckets; every entry and list moves to its new chain. */
static void
grow(struct decisions *decisions)
{
    const size_t old_count = decisions->bucket_count;
    struct entry **old_ids = decisions->ids;
    struct owner_list **old_owners = decisions->owners;

    decisions->bucket_count = old_count * 2;
    decisions->ids = memory_new(decisions->bucket_count, sizeof(struct entry *));
    decisions->owners = memory_new(decisions->bucket_count, sizeof(struct owner_list *));
    for (size_t i = 0; i < old_count; i++) {
        for (struct entry *entry = old_ids[i], *next = NULL; entry != NULL; entry = next) {
            struct entry **bucket =
                    &decisions->ids[bucket_of(decisions, entry->decision->decision_id)];

            next = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
        for (struct owner_list *list = old_owners[i], *next = NULL; list != NULL; list = next) {
            struct owner_list **bucket = &decisions->owners[bucket_of(
                    decisions, (struct span){list->owner, list->owner_size})];

            next = list->next;
            list->next = *bucket;
            *bucket = list;
        }
    }
    free(old_ids);
    free(old_owners);
}

static struct entry *
find_entry(const struct decisions *decisions, struct span decision_id)
{
    struct entry *entry = decisions->ids[bucket_of(decisions, decision_id)];

    while (entry != NULL && !span_equal(entry->decision->decision_id, decision_id)) {
        entry = entry->next;
    }
    return entry;
}

static struct owner_list *
find_list(const struct decisions *decisions, struct span owner)
{
    struct owner_list *list = decisions->owners[bucket_of(decisions, owner)];

    while (list != NULL && !span_equal((struct span){list->owner, list->owner_size}, owner)) {
        list = list->next;
    }
    return list;
}

static struct owner_list *
list_for(struct decisions *decisions, struct span owner)
{
    if (owner.data == NULL) {
        return &decisions->any_owner;
    }

    struct owner_list *list = find_list(decisions, owner);

    if (list == NULL) {
        struct owner_list **bucket = &decisions->owners[bucket_of(decisions, owner)];

        list = memory_new(1, sizeof(*list));
        list->owner = memory_new(1, owner.size + 1);
        list->owner_size = owner.size;
        if (owner.size != 0) {
            memcpy(list->owner, owner.data, owner.size);
        }
        list->next = *bucket;
        *bucket = list;
    }
    return list;
}

static void
list_add(struct owner_list *list, const struct decision *decision)
{
    list->items = memory_grow(list->items, list->count, &list->capacity, sizeof(*list->items));
    list->items[list->count++] = decision;
}

static void
list_remove(struct owner_list *list, const struct decision *decision)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == decision) {
            list->items[i] = list->items[--list->count];
            return;
        }
    }
    assert(false); /* every entry is in the list of its owner */
}

void
decisions_put(struct decisions *decisions, const struct decision *decision)
{
    struct decision *copy = decision_copy(decision);
    struct entry *entry = find_entry(decisions, copy->decision_id);

    if (entry != NULL) {
        list_remove(list_for(decisions, entry->decision->scope[DIM_OWNER]), entry->decision);
        free(entry->decision);
    } else {
        if (decisions->count == decisions->bucket_count) {
            grow(decisions);
        }

        struct entry **bucket = &decisions->ids[bucket_of(decisions, copy->decision_id)];

        entry = memory_new(1, sizeof(*entry));
        entry->next = *bucket;
        *bucket = entry;
        decisions->count += 1;
    }
    entry->decision = copy;
    list_add(list_for(decisions, copy->scope[DIM_OWNER]), copy);
}

const struct decision *
decisions_find(const struct decisions *decisions, struct span decision_id)
{
    const struct entry *entry = find_entry(decisions, decision_id);

    return entry != NULL ? entry->decision : NULL;
}

size_t
decisions_count(const struct decisions *decisions)
{
    return decisions->count;
}

void
decisions_list(const struct decisions *decisions, const struct decision **list)
{
    size_t count = 0;

    for (size_t i = 0; i < decisions->bucket_count; i++) {
        for (const struct entry *entry = decisions->ids[i]; entry != NULL; entry = entry->next) {
            list[count++] = entry->decision;
        }
    }
    assert(count == decisions->count);
}

const struct decision *
decisions_for_owner(const struct decisions *decisions, struct span owner, size_t index)
{
    const struct owner_list *list = find_list(decisions, owner);
    const size_t named = list != NULL ? list->count : 0;

    if (index < named) {
        return list->items[index];
    }
    index -= named;
    return index < decisions->any_owner.count ? decisions->any_owner.items[index] : NULL;
}
