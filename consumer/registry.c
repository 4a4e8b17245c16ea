/* registry.c - writer schemas from a schema registry, by libcurl.
 *
 * The loop waits while a request runs, so one is bounded in time and size, and an id is asked for
 * at most once a second; in between the last answer stands.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/registry.h"

#include "aggregator/memory.h"
#include "consumer/config_table.h"
#include "consumer/log.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#define REQUEST_TIMEOUT_MS 2000L
#define CONNECT_TIMEOUT_MS 1500L
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
    CURL *curl; /* keeps its connection for the next id */
    struct waiting waiting[IDS_MAX];
    size_t waiting_count;
};

struct answer {
    char *text; /* ends with NUL */
    size_t size;
    bool too_large;
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
    registry->curl = curl_easy_init(); /* initialises the library too: no other thread uses it */
    if (registry->curl == NULL) {
        abort();
    }
    return registry;
}

void
registry_destroy(struct registry *registry)
{
    if (registry == NULL) {
        return;
    }
    curl_easy_cleanup(registry->curl);
    free(registry->url);
    free(registry->shown);
    free(registry->username);
    free(registry->password);
    free(registry->ca_file);
    free(registry);
}

/* ---- one request ---------------------------------------------------------------------------- */

/* Fewer bytes than offered end the transfer. */
static size_t
on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct answer *answer = context;
    const size_t more = size * count;

    if (more > ANSWER_SIZE_MAX - answer->size) {
        answer->too_large = true;
        return 0;
    }
    answer->text = memory_resize(answer->text, answer->size + more + 1, 1);
    memcpy(answer->text + answer->size, bytes, more);
    answer->size += more;
    answer->text[answer->size] = '\0';
    return more;
}

static void
prepare(struct registry *registry, const char *url, struct answer *answer)
{
    CURL *curl = registry->curl;

    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, REQUEST_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    /* Else a name server that does not answer is waited for beyond the timeout. */
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "retrywatch");
    if (registry->username[0] != '\0') {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, registry->username);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, registry->password);
    }
    if (registry->ca_file[0] != '\0') {
        curl_easy_setopt(curl, CURLOPT_CAINFO, registry->ca_file);
    }
}

/* GET path. *code is the HTTP status; the answer's text is owned by the caller, also on errors. */
static enum status
get(struct registry *registry, const char *path, long *code, struct answer *answer,
        struct error *error)
{
    struct curl_slist *headers = curl_slist_append(
            NULL, "Accept: application/vnd.schemaregistry.v1+json, application/json");
    char *url = NULL;

    if (headers == NULL || asprintf(&url, "%s%s", registry->url, path) < 0) {
        abort();
    }
    prepare(registry, url, answer);
    curl_easy_setopt(registry->curl, CURLOPT_HTTPHEADER, headers);

    const CURLcode result = curl_easy_perform(registry->curl);

    curl_easy_getinfo(registry->curl, CURLINFO_RESPONSE_CODE, code);
    curl_slist_free_all(headers);
    free(url);
    if (answer->too_large) {
        return error_set(error, STATUS_SCHEMA_WAIT,
                "registry %s: the answer to %s is larger than 1 MiB; check schema.registry",
                registry->shown, path);
    }
    if (result != CURLE_OK) {
        return error_set(error, STATUS_SCHEMA_WAIT, "registry %s cannot be reached: %s",
                registry->shown, curl_easy_strerror(result));
    }
    if (*code == 401 || *code == 403) {
        return error_set(error, STATUS_AUTH,
                "registry %s: authentication refused (HTTP %ld); check schema.username and "
                "schema.password",
                registry->shown, *code);
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
read_schema(const struct registry *registry, int64_t id, const struct answer *answer, char **json,
        struct error *error)
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
    struct answer answer = {0};
    char path[64];
    long code = 0;

    snprintf(path, sizeof(path), "/schemas/ids/%" PRId64, waiting->id);
    enum status status = get(registry, path, &code, &answer, error);

    if (status == STATUS_OK && code == 200) {
        status = read_schema(registry, waiting->id, &answer, json, error);
    } else if (status == STATUS_OK && code == 404) {
        status = not_found(registry, waiting, now_ms, error);
    } else if (status == STATUS_OK) {
        status = error_set(error, STATUS_SCHEMA_WAIT, "registry %s: HTTP %ld for schema %" PRId64,
                registry->shown, code, waiting->id);
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
    struct answer answer = {0};
    long code = 0;
    enum status status = get(registry, "/schemas/types", &code, &answer, error);
    json_t *types = answer.text != NULL ? json_loadb(answer.text, answer.size, 0, NULL) : NULL;

    if (status == STATUS_OK && (code != 200 || !json_is_array(types))) {
        status = error_set(error, STATUS_SCHEMA_WAIT,
                "registry %s: no schema registry answers there (HTTP %ld for /schemas/types); "
                "check the path in schema.registry",
                registry->shown, code);
    }
    json_decref(types);
    free(answer.text);
    return status;
}
