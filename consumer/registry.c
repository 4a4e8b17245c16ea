/* registry.c - writer schemas from a schema registry, by HTTP.
 *
 * The loop waits while a request runs, so one is bounded in time and size, and an id is asked for
 * at most once a second; in between the last answer stands.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/registry.h"

#include "aggregator/memory.h"
#include "consumer/config_table.h"
#include "consumer/http_client.h"
#include "consumer/log.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#define REQUEST_TIMEOUT_MS 2000
#define ASK_INTERVAL_MS 1000
#define ANSWER_SIZE_MAX ((size_t)1024 * 1024)
#define IDS_MAX 256 /* ids that wait; the one asked for longest ago gives way */

/* An id that is not known yet. */
struct waiting {
    int64_t id;
    int64_t asked_ms;   /* monotonic, of the last request */
    int64_t missing_ms; /* monotonic, of the first "not found"; -1: none yet */
    struct error error; /* the last answer */
};

struct registry {
    const struct clock *clock;
    char *url;   /* without slashes at its end */
    char *shown; /* url for texts, without a password */
    char *username, *password, *ca_file;
    int64_t unknown_wait_ms;
    struct http_client *http; /* keeps its connection for the next id */
    struct waiting waiting[IDS_MAX];
    size_t waiting_count;
};

static char *
url_without_slash(const char *url)
{
    size_t size = strlen(url);

    while (size > 0 && url[size - 1] == '/') {
        size--;
    }
    return config_text_copy_size(url, size);
}

struct registry *
registry_new(const struct config *config, const struct clock *clock)
{
    struct registry *registry = memory_new(1, sizeof(*registry));

    registry->clock = clock;
    registry->url = url_without_slash(config->schema.registry);
    registry->shown = config_url_masked(registry->url);
    registry->username = config_text_copy(config->schema.username);
    registry->password = config_text_copy(config->schema.password);
    registry->ca_file = config_text_copy(config->schema.ca_file);
    registry->unknown_wait_ms = config->schema.unknown_wait_ms;
    registry->http = http_client_new();
    return registry;
}

void
registry_destroy(struct registry *registry)
{
    if (registry == NULL) {
        return;
    }
    http_client_destroy(registry->http);
    free(registry->url);
    free(registry->shown);
    free(registry->username);
    free(registry->password);
    free(registry->ca_file);
    free(registry);
}

/* ---- one request ---------------------------------------------------------------------------- */

/* GET path. The answer's text is owned by the caller, also on errors. */
static enum status
get(struct registry *registry, const char *path, struct http_answer *answer, struct error *error)
{
    static const char *const headers[] = {
            "Accept: application/vnd.schemaregistry.v1+json, application/json", NULL};
    char *url = NULL;

    if (asprintf(&url, "%s%s", registry->url, path) < 0) {
        abort();
    }

    const struct http_request request = {.url = url,
            .headers = headers,
            .user = registry->username,
            .password = registry->password,
            .ca_file = registry->ca_file,
            .timeout_ms = REQUEST_TIMEOUT_MS,
            .answer_max = ANSWER_SIZE_MAX};
    const enum http_result result = http_perform(registry->http, &request, answer);

    free(url);
    if (result == HTTP_TOO_LARGE) {
        return error_set(error, STATUS_SCHEMA_WAIT,
                "registry %s: the answer to %s is larger than 1 MiB; check schema.registry",
                registry->shown, path);
    }
    if (result == HTTP_UNREACHABLE) {
        return error_set(error, STATUS_SCHEMA_WAIT, "registry %s cannot be reached: %s",
                registry->shown, answer->reason);
    }
    if (answer->code == 401 || answer->code == 403) {
        return error_set(error, STATUS_AUTH,
                "registry %s: authentication refused (HTTP %ld); check schema.username and "
                "schema.password",
                registry->shown, answer->code);
    }
    return STATUS_OK;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* A schema of another kind than Avro, or one that needs others, can never be an outcome here. */
static enum status
check_kind(const struct registry *registry, int64_t id, const json_t *object, struct error *error)
{
    const char *type = json_string_value(json_object_get(object, "schemaType"));

    if (type != NULL && strcmp(type, "AVRO") != 0) {
        return error_set(error, STATUS_UNKNOWN_SCHEMA, "registry %s: schema %" PRId64 " is no Avro",
                registry->shown, id);
    }
    if (json_array_size(json_object_get(object, "references")) > 0) {
        return error_set(error, STATUS_UNKNOWN_SCHEMA,
                "registry %s: schema %" PRId64 " refers to other schemas; register it whole",
                registry->shown, id);
    }
    return STATUS_OK;
}

/* `{"schema": "<JSON text>"}` of Confluent, Karapace and Apicurio. */
static enum status
read_schema(const struct registry *registry, int64_t id, const struct http_answer *answer,
        char **json, struct error *error)
{
    json_t *object = answer->text != NULL ? json_loadb(answer->text, answer->size, 0, NULL) : NULL;
    const char *schema = json_string_value(json_object_get(object, "schema"));
    enum status status = STATUS_OK;

    if (schema == NULL) {
        status = error_set(error, STATUS_SCHEMA_WAIT,
                "registry %s: the answer for schema %" PRId64 " holds none; check schema.registry",
                registry->shown, id);
    } else {
        status = check_kind(registry, id, object, error);
    }
    if (status == STATUS_OK) {
        *json = config_text_copy(schema);
    }
    json_decref(object);
    return status;
}

static enum status
not_found(struct registry *registry, struct waiting *waiting, int64_t now_ms, struct error *error)
{
    if (waiting->missing_ms < 0) {
        waiting->missing_ms = now_ms;
    }
    const int64_t since_ms = now_ms - waiting->missing_ms;

    if (since_ms >= registry->unknown_wait_ms) {
        return error_set(error, STATUS_UNKNOWN_SCHEMA,
                "registry %s has not known schema %" PRId64 " for %" PRId64 " s", registry->shown,
                waiting->id, since_ms / 1000);
    }
    return error_set(error, STATUS_SCHEMA_WAIT,
            "registry %s does not know schema %" PRId64 "; asked again for %" PRId64 " s",
            registry->shown, waiting->id, (registry->unknown_wait_ms - since_ms + 999) / 1000);
}

static enum status
ask(struct registry *registry, struct waiting *waiting, int64_t now_ms, char **json,
        struct error *error)
{
    struct http_answer answer = {0};
    char path[64];

    snprintf(path, sizeof(path), "/schemas/ids/%" PRId64, waiting->id);
    enum status status = get(registry, path, &answer, error);

    if (status == STATUS_OK && answer.code == 200) {
        status = read_schema(registry, waiting->id, &answer, json, error);
    } else if (status == STATUS_OK && answer.code == 404) {
        status = not_found(registry, waiting, now_ms, error);
    } else if (status == STATUS_OK) {
        status = error_set(error, STATUS_SCHEMA_WAIT, "registry %s: HTTP %ld for schema %" PRId64,
                registry->shown, answer.code, waiting->id);
    }
    free(answer.text);
    return status;
}

/* ---- ids that wait -------------------------------------------------------------------------- */

/* The entry of id; a new one takes the place of the one asked for longest ago when all are taken:
 * what is lost is only since when it has been missing. */
static struct waiting *
waiting_of(struct registry *registry, int64_t id, bool *is_new)
{
    struct waiting *oldest = NULL;

    for (size_t i = 0; i < registry->waiting_count; i++) {
        struct waiting *waiting = &registry->waiting[i];

        if (waiting->id == id) {
            *is_new = false;
            return waiting;
        }
        if (oldest == NULL || waiting->asked_ms < oldest->asked_ms) {
            oldest = waiting;
        }
    }
    if (registry->waiting_count < IDS_MAX) {
        oldest = &registry->waiting[registry->waiting_count++];
    }
    *oldest = (struct waiting){.id = id, .missing_ms = -1};
    *is_new = true;
    return oldest;
}

static void
forget(struct registry *registry, struct waiting *waiting)
{
    *waiting = registry->waiting[--registry->waiting_count];
}

enum status
registry_fetch(void *context, int64_t id, char **json, struct error *error)
{
    struct registry *registry = context;
    const int64_t now_ms = registry->clock->monotonic_ms(registry->clock);
    bool is_new = false;
    struct waiting *waiting = waiting_of(registry, id, &is_new);

    if (!is_new && now_ms - waiting->asked_ms < ASK_INTERVAL_MS) {
        return error_set(error, waiting->error.status, "%s", waiting->error.text);
    }
    waiting->asked_ms = now_ms;

    const enum status status = ask(registry, waiting, now_ms, json, &waiting->error);

    if (status == STATUS_OK) {
        log_info("schema", "registry=%s schema_id=%" PRId64 " size=%zu", registry->shown, id,
                strlen(*json));
        forget(registry, waiting);
        return STATUS_OK;
    }
    return error_set(error, status, "%s", waiting->error.text);
}

enum status
registry_check(struct registry *registry, struct error *error)
{
    struct http_answer answer = {0};
    enum status status = get(registry, "/schemas/types", &answer, error);
    json_t *types = answer.text != NULL ? json_loadb(answer.text, answer.size, 0, NULL) : NULL;

    if (status == STATUS_OK && (answer.code != 200 || !json_is_array(types))) {
        status = error_set(error, STATUS_SCHEMA_WAIT,
                "registry %s: no schema registry answers there (HTTP %ld for /schemas/types); "
                "check the path in schema.registry",
                registry->shown, answer.code);
    }
    json_decref(types);
    free(answer.text);
    return status;
}
