/* notify_http.c - one attempt to tell a destination of a review, by HTTP.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/notify_http.h"

#include "aggregator/memory.h"
#include "consumer/digest.h"
#include "consumer/http_client.h"
#include "consumer/notify_alert.h"

#include <stdlib.h>

#define ALERTS_PATH "/api/v2/alerts"
#define ANSWER_SIZE_MAX ((size_t)64 * 1024) /* nobody reads it */

struct notify_http {
    const struct config *config;
    const struct clock *clock;
    struct http_client *client;
};

struct notify_http *
notify_http_new(const struct config *config, const struct clock *clock)
{
    struct notify_http *http = memory_new(1, sizeof(*http));

    http->config = config;
    http->clock = clock;
    http->client = http_client_new();
    return http;
}

void
notify_http_destroy(struct notify_http *http)
{
    if (http != NULL) {
        http_client_destroy(http->client);
        free(http);
    }
}

enum notify_verdict
notify_verdict_of(long code)
{
    if (code >= 200 && code < 300) {
        return NOTIFY_DELIVERED;
    }
    switch (code) {
    case 400: /* malformed, too large, of the wrong type: it will not get better */
    case 413:
    case 415:
    case 422:
        return NOTIFY_REFUSED;
    case 409: /* it stumbles over this event; the next one may be fine */
    case 500:
        return NOTIFY_LATER;
    default: /* overloaded, restarting, moved, closed to us: so it is for every event */
        return NOTIFY_DOWN;
    }
}

void
notify_signature(const char *secret, struct span body, char header[NOTIFY_SIGNATURE_SIZE])
{
    uint8_t digest[DIGEST_SIZE];
    int used = snprintf(header, NOTIFY_SIGNATURE_SIZE, "%s: sha256=", NOTIFY_SIGNATURE_HEADER);

    digest_hmac_sha256(secret, strlen(secret), body.data, body.size, digest);
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        used += snprintf(header + used, NOTIFY_SIGNATURE_SIZE - (size_t)used, "%02x", digest[i]);
    }
}

/* Never the answer's text: it may repeat what was sent. */
static enum notify_verdict
post(struct notify_http *http, const char *url, const char *const *headers, const char *body,
        struct error *error)
{
    const struct http_request request = {.url = url,
            .headers = headers,
            .body = span_of(body),
            .ca_file = http->config->notify.ca_file,
            .timeout_ms = http->config->notify.timeout_ms,
            .answer_max = ANSWER_SIZE_MAX};
    struct http_answer answer = {0};
    const enum http_result result = http_perform(http->client, &request, &answer);
    enum notify_verdict verdict = NOTIFY_DOWN;

    free(answer.text);
    if (result == HTTP_UNREACHABLE) {
        (void)error_set(error, STATUS_FAILED, "%s", answer.reason);
    } else {
        verdict = notify_verdict_of(answer.code);
        (void)error_set(error, STATUS_FAILED, "HTTP %ld", answer.code);
    }
    return verdict;
}

static enum notify_verdict
send_alert(struct notify_http *http, const struct notify_destination *destination,
        const struct notify_event *event, struct error *error)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    json_t *alert = notify_alert(
            event->review, http->config->rule.repeat_ms, http->clock->wall_ms(http->clock));
    char *body = alert != NULL ? json_dumps(alert, JSON_COMPACT) : NULL;
    const size_t size = strlen(destination->url);
    const int slash = size > 0 && destination->url[size - 1] == '/' ? 1 : 0;
    char *url = NULL;
    enum notify_verdict verdict = NOTIFY_REFUSED;

    if (asprintf(&url, "%.*s%s", (int)size - slash, destination->url, ALERTS_PATH) < 0) {
        abort();
    }
    if (body != NULL) {
        verdict = post(http, url, headers, body, error);
    } else {
        (void)error_set(error, STATUS_MALFORMED, "review: makes no alert");
    }
    free(url);
    free(body);
    json_decref(alert);
    return verdict;
}

static enum notify_verdict
send_webhook(struct notify_http *http, const struct notify_destination *destination,
        const struct notify_event *event, struct error *error)
{
    char key[sizeof(NOTIFY_KEY_HEADER) + NOTIFY_ID_SIZE + 8];
    char signature[NOTIFY_SIGNATURE_SIZE] = "";
    const char *headers[] = {"Content-Type: application/json", key, NULL, NULL};
    char *body = json_dumps(event->review, JSON_COMPACT);
    enum notify_verdict verdict = NOTIFY_REFUSED;

    if (body == NULL) {
        (void)error_set(error, STATUS_MALFORMED, "review: cannot be written as JSON");
        return verdict;
    }
    snprintf(key, sizeof(key), "%s: %s", NOTIFY_KEY_HEADER, event->id);
    if (destination->secret != NULL) {
        notify_signature(destination->secret, span_of(body), signature);
        headers[2] = signature;
    }
    verdict = post(http, destination->url, headers, body, error);
    free(body);
    return verdict;
}

static enum notify_verdict
send_event(void *context, const struct notify_destination *destination,
        const struct notify_event *event, struct error *error)
{
    return destination->kind == NOTIFY_ALERTMANAGER
                   ? send_alert(context, destination, event, error)
                   : send_webhook(context, destination, event, error);
}

struct notify_sender
notify_http_sender(struct notify_http *http)
{
    return (struct notify_sender){.send = send_event, .context = http};
}
