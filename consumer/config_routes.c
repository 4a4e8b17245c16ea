/* config_routes.c - the key `notify.routes`: who is told about the reviews of which owner.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_list.h"

#include <stdlib.h>

#define ROUTES_MAX 1000
#define AT(member) offsetof(struct notify_route, member)

static const struct notify_route initial;

static const struct config_member members[] = {
        {"owner_tag", MEMBER_TEXT, AT(owner), 0},
        {"environment", MEMBER_TEXT, AT(environment), 0},
        {"budget_bucket", MEMBER_TEXT, AT(bucket), 0},
        {"alertmanager", MEMBER_URL, AT(alertmanager), 0},
        {"webhook", MEMBER_URL, AT(webhook), 0},
        {"webhook_file", MEMBER_TEXT, AT(webhook_file), 0},
        {"secret_file", MEMBER_TEXT, AT(secret_file), 0},
        {"silent", MEMBER_BOOL, AT(silent), 0},
        {"secret", MEMBER_LOADED, AT(secret), 0},
        {"webhook_read", MEMBER_LOADED, AT(webhook_read), 0},
};

static const char docs[] =
        "\n"
        "The first route that matches a review tells where it goes. `owner_tag`, `environment` "
        "and\n"
        "`budget_bucket` are those it is for (what is left out matches all); `alertmanager` is the "
        "base URL\n"
        "of an Alertmanager, `webhook` (or `webhook_file`, which holds it) a URL that gets JSON, "
        "signed with\n"
        "the secret in `secret_file`, else with `notify.secret`. `silent: true` tells nobody. What "
        "no route\n"
        "matches goes to `notify.alertmanager` and `notify.webhook`. [alerting.md](alerting.md) "
        "tells more.\n"
        "\n"
        "```yaml\n"
        "notify:\n"
        "  alertmanager: http://alertmanager:9093\n"
        "  routes:\n"
        "    - {owner_tag: sandbox, silent: true}\n"
        "    - owner_tag: checkout\n"
        "      alertmanager: http://alertmanager:9093\n"
        "      webhook: https://tickets.example.com/retries\n"
        "      secret_file: /run/secrets/tickets\n"
        "```\n";

const struct config_list config_routes = {
        .name = "notify.routes",
        .max = ROUTES_MAX,
        .entry_size = sizeof(struct notify_route),
        .entries_offset = offsetof(struct config, notify.routes),
        .count_offset = offsetof(struct config, notify.route_count),
        .initial = &initial,
        .members = members,
        .member_count = sizeof(members) / sizeof(members[0]),
        .docs = docs,
};

/* The text of the file at path, if there is one. */
static enum status
load_file(struct span path, struct span *out, struct error *error)
{
    char *text = NULL;
    enum status status = STATUS_OK;

    if (path.data != NULL) {
        status = config_secret_read((const char *)path.data, &text, error);
    }
    if (status == STATUS_OK && text != NULL) {
        *out = span_of(text);
    }
    return status;
}

static enum status
check_route(const struct notify_route *route, struct error *error)
{
    const bool hooked = route->webhook.data != NULL || route->webhook_file.data != NULL;
    const bool told = hooked || route->alertmanager.data != NULL;

    if (route->webhook.data != NULL && route->webhook_file.data != NULL) {
        return error_set(error, STATUS_BAD_CONFIG,
                "webhook_file: webhook is set too; leave one "
                "of them out");
    }
    if (route->secret_file.data != NULL && !hooked) {
        return error_set(error, STATUS_BAD_CONFIG,
                "secret_file: signs what a webhook gets, and "
                "there is none");
    }
    if (told == route->silent) {
        return error_set(error, STATUS_BAD_CONFIG,
                "must hold either alertmanager, webhook or both, or silent: true");
    }
    return STATUS_OK;
}

static enum status
load_route(struct notify_route *route, struct error *error)
{
    enum status status = check_route(route, error);

    if (status == STATUS_OK) {
        status = load_file(route->secret_file, &route->secret, error);
    }
    if (status == STATUS_OK) {
        status = load_file(route->webhook_file, &route->webhook_read, error);
    }
    if (status == STATUS_OK && route->webhook_read.data != NULL &&
            !config_url_is_http((const char *)route->webhook_read.data)) {
        status = error_set(error, STATUS_BAD_CONFIG,
                "webhook_file: the file must hold a URL that begins with http:// or https://");
    }
    return status;
}

void
config_routes_load(
        struct config *config, struct config_origin origin, struct config_problems *problems)
{
    for (size_t i = 0; i < config->notify.route_count; i++) {
        struct error error = {0};

        if (load_route(&config->notify.routes[i], &error) != STATUS_OK) {
            config_problem(
                    problems, origin, config_routes.name, "route %zu: %s", i + 1, error.text);
        }
    }
}
