/* http_client.c - one HTTP request at a time, by libcurl.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/http_client.h"

#include "aggregator/memory.h"

#include <curl/curl.h>
#include <stdlib.h>

struct http_client {
    CURL *curl;
};

/* What one request gathers. */
struct gathering {
    struct http_answer *answer;
    size_t max;
    bool too_large;
};

struct http_client *
http_client_new(void)
{
    struct http_client *client = memory_new(1, sizeof(*client));

    client->curl = curl_easy_init(); /* initialises the library too: no other thread uses it */
    if (client->curl == NULL) {
        abort();
    }
    return client;
}

void
http_client_destroy(struct http_client *client)
{
    if (client != NULL) {
        curl_easy_cleanup(client->curl);
        free(client);
    }
}

/* Fewer bytes than offered end the transfer. */
static size_t
on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct gathering *gathering = context;
    struct http_answer *answer = gathering->answer;
    const size_t more = size * count;

    if (more > gathering->max - answer->size) {
        gathering->too_large = true;
        return 0;
    }
    answer->text = memory_resize(answer->text, answer->size + more + 1, 1);
    memcpy(answer->text + answer->size, bytes, more);
    answer->size += more;
    answer->text[answer->size] = '\0';
    return more;
}

static bool
is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void
set_connection(CURL *curl, const struct http_request *request)
{
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(request->timeout_ms * 3 / 4));
    /* Else a name server that does not answer is waited for beyond the timeout. */
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "retrywatch");
    if (is_set(request->user)) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, request->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, request->password);
    }
    if (is_set(request->ca_file)) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
    }
}

static struct curl_slist *
make_headers(const struct http_request *request)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* no wait for 100 Continue */

    for (const char *const *header = request->headers; header != NULL && *header != NULL;
            header++) {
        list = list != NULL ? curl_slist_append(list, *header) : NULL;
    }
    if (list == NULL) {
        abort();
    }
    return list;
}

enum http_result
http_perform(
        struct http_client *client, const struct http_request *request, struct http_answer *answer)
{
    CURL *curl = client->curl;
    struct gathering gathering = {.answer = answer, .max = request->answer_max};
    struct curl_slist *headers = make_headers(request);

    *answer = (struct http_answer){0};
    curl_easy_reset(curl);
    set_connection(curl, request);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &gathering);
    if (request->body.data != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.data);
    }

    const CURLcode result = curl_easy_perform(curl);

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->code);
    curl_slist_free_all(headers);
    if (gathering.too_large) {
        return HTTP_TOO_LARGE;
    }
    if (result != CURLE_OK) {
        answer->reason = curl_easy_strerror(result);
        return HTTP_UNREACHABLE;
    }
    return HTTP_ANSWERED;
}
