/* notify_route.h - which route of the configuration a review takes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_NOTIFY_ROUTE_H
#define RETRYWATCH_CONSUMER_NOTIFY_ROUTE_H

#include "consumer/config.h"

#include <jansson.h>

/* Owners whose names begin so belong to checks of the service itself: nobody is told. */
#define NOTIFY_SILENT_PREFIX "smoke-test-"

/* Where a review goes. Borrowed from the configuration; NULL: not there. */
struct notify_targets {
    const char *alertmanager;
    const char *webhook;
    const char *secret; /* of the webhook's signature; NULL: none is sent */
};

/** The first route that matches, else notify.alertmanager and notify.webhook. */
struct notify_targets notify_route(const struct config *config, const json_t *review);

#endif
