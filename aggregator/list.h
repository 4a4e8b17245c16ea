/* list.h - doubly linked lists whose links are inside the items.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_AGGREGATOR_LIST_H
#define RETRYWATCH_AGGREGATOR_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A list's head, or an item's place in it. Alone (in no list, or an empty one) it names itself. */
struct link {
    struct link *previous, *next;
};

/* The item that a link is the member of. */
#define LINK_ITEM(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void
link_init(struct link *link)
{
    link->previous = link->next = link;
}

static inline bool
link_is_alone(const struct link *link)
{
    return link->next == link;
}

/** Take it out of the list that it is in, if any. */
static inline void
link_remove(struct link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link_init(link);
}

/** Put it at the end of the list; out of the one that it is in, if any. */
static inline void
link_append(struct link *list, struct link *link)
{
    link_remove(link);
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

#endif
