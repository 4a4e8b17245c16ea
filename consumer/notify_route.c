/* notify_route.c - which route of the configuration a review takes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/notify_route.h"

static bool
matches(struct span wanted, const json_t *scope, const char *name)
{
    const json_t *value = json_object_get(scope, name);

    if (wanted.data == NULL) {
        return true;
    }
    return json_is_string(value) &&
           span_equal(wanted, (struct span){(const uint8_t *)json_string_value(value),
                                      json_string_length(value)});
}

static bool
route_matches(const struct notify_route *route, const json_t *scope)
{
    return matches(route->owner, scope, "owner_tag") &&
           matches(route->environment, scope, "environment") &&
           matches(route->bucket, scope, "budget_bucket");
}

static bool
is_silent(const json_t *scope)
{
    const char *owner = json_string_value(json_object_get(scope, "owner_tag"));

    return owner != NULL && strncmp(owner, NOTIFY_SILENT_PREFIX, strlen(NOTIFY_SILENT_PREFIX)) == 0;
}

/* The configuration's "" is nothing. */
static const char *
given(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* Texts of routes end with NUL. */
static const char *
text_of(struct span span)
{
    return (const char *)span.data;
}

static struct notify_targets
targets_of(const struct notify_route *route, const char *secret)
{
    return (struct notify_targets){
            .alertmanager = text_of(route->alertmanager),
            .webhook = text_of(route->webhook.data != NULL ? route->webhook : route->webhook_read),
            .secret = route->secret.data != NULL ? text_of(route->secret) : secret,
    };
}

struct notify_targets
notify_route(const struct config *config, const json_t *review)
{
    const json_t *scope = json_object_get(review, "scope");
    const char *secret = given(config->notify.secret);

    if (is_silent(scope)) {
        return (struct notify_targets){0};
    }
    for (size_t i = 0; i < config->notify.route_count; i++) {
        if (route_matches(&config->notify.routes[i], scope)) {
            return targets_of(&config->notify.routes[i], secret);
        }
    }
    return (struct notify_targets){.alertmanager = given(config->notify.alertmanager),
            .webhook = given(config->notify.webhook),
            .secret = secret};
}
