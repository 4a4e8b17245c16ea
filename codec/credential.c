/* credential.c - whether a text that a person wrote holds what looks like a credential.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/credential.h"

#include <ctype.h>

#define RANDOM_SIZE_MIN 20 /* shorter runs are names, numbers, ids of tickets */
#define BEARER_SIZE_MIN 16 /* a word after "bearer" that long is no word */

static bool
is_token(uint8_t byte)
{
    return isalnum(byte) || byte == '_' || byte == '-';
}

/* Whether the text at i begins with word, whatever the case. */
static bool
begins(struct span text, size_t i, const char *word)
{
    for (; *word != '\0'; word++, i++) {
        if (i >= text.size || tolower(text.data[i]) != tolower((uint8_t)*word)) {
            return false;
        }
    }
    return true;
}

static size_t
token_size(struct span text, size_t i)
{
    size_t size = 0;

    while (i + size < text.size && is_token(text.data[i + size])) {
        size++;
    }
    return size;
}

static size_t
skip_blanks(struct span text, size_t i)
{
    while (i < text.size && (text.data[i] == ' ' || text.data[i] == '\t')) {
        i++;
    }
    return i;
}

static bool
has_digit(struct span text, size_t i, size_t size)
{
    for (size_t end = i + size; i < end; i++) {
        if (isdigit(text.data[i])) {
            return true;
        }
    }
    return false;
}

/* ---- by how it begins ---------------------------------------------------------------------- */

static const struct maker {
    const char *prefix;
    size_t rest_min; /* token characters that must follow */
    const char *what;
} makers[] = {
        {"sk-", 6, "an API key (sk-...)"},
        {"sk_live_", 6, "an API key (sk_live_...)"},
        {"sk_test_", 6, "an API key (sk_test_...)"},
        {"AKIA", 12, "an AWS access key (AKIA...)"},
        {"ASIA", 16, "an AWS access key (ASIA...)"},
        {"AIza", 20, "a Google API key (AIza...)"},
        {"ya29.", 6, "a Google access token (ya29...)"},
        {"ghp_", 10, "a GitHub token (ghp_...)"},
        {"gho_", 10, "a GitHub token (gho_...)"},
        {"ghs_", 10, "a GitHub token (ghs_...)"},
        {"ghu_", 10, "a GitHub token (ghu_...)"},
        {"github_pat_", 10, "a GitHub token (github_pat_...)"},
        {"glpat-", 10, "a GitLab token (glpat-...)"},
        {"xoxb-", 8, "a Slack token (xoxb-...)"},
        {"xoxp-", 8, "a Slack token (xoxp-...)"},
        {"hf_", 16, "an access token (hf_...)"},
        {"-----BEGIN", 0, "a private key or certificate"},
};

static const char *
find_maker(struct span text, size_t i)
{
    for (size_t m = 0; m < sizeof(makers) / sizeof(makers[0]); m++) {
        const struct maker *maker = &makers[m];
        const size_t size = strlen(maker->prefix);

        /* The case matters: Asia is a continent, ASIA with 16 more is a key. */
        if (text.size - i >= size && memcmp(text.data + i, maker->prefix, size) == 0 &&
                token_size(text, i + size) >= maker->rest_min) {
            return maker->what;
        }
    }
    return NULL;
}

/* eyJ..., a dot, and more: the base64 of {" and a second part. */
static bool
is_web_token(struct span text, size_t i)
{
    const size_t size = token_size(text, i);

    return text.size - i > 3 && memcmp(text.data + i, "eyJ", 3) == 0 && size >= 8 &&
           i + size + 1 < text.size && text.data[i + size] == '.' &&
           is_token(text.data[i + size + 1]);
}

/* ---- by what stands before it -------------------------------------------------------------- */

/* Names whose value is a secret, when a value follows: `token=x`, `Authorization: x`. */
static const char *const secret_names[] = {"authorization", "api-key", "api_key", "apikey",
        "access_key", "access-key", "secret", "secret_key", "client_secret", "password", "passwd",
        "pwd", "token", "access_token"};

static bool
is_named_secret(struct span text, size_t i)
{
    for (size_t n = 0; n < sizeof(secret_names) / sizeof(secret_names[0]); n++) {
        size_t at = i + strlen(secret_names[n]);

        if (!begins(text, i, secret_names[n])) {
            continue;
        }
        if (at < text.size && text.data[at] == '"') {
            at++;
        }
        at = skip_blanks(text, at);
        /* "token: see the runbook" is prose; "token=x" and "authorization: x" are not. */
        if (at + 1 < text.size && text.data[at] == '=') {
            return true;
        }
        if (at < text.size && text.data[at] == ':') {
            at = skip_blanks(text, at + 1);
            at += at < text.size && text.data[at] == '"' ? 1 : 0;

            const size_t size = token_size(text, at);

            if (n == 0 ? size > 0 : has_digit(text, at, size) || size >= BEARER_SIZE_MIN) {
                return true;
            }
        }
    }
    return false;
}

static bool
is_header(struct span text, size_t i)
{
    const size_t size = begins(text, i, "bearer") ? 6 : begins(text, i, "basic") ? 5 : 0;
    const size_t at = skip_blanks(text, i + size);

    if (size == 0 || at == i + size) {
        return false;
    }

    const size_t value = token_size(text, at);

    return value >= BEARER_SIZE_MIN || (value >= 6 && has_digit(text, at, value));
}

/* ://user:password@ */
static bool
is_user_info(struct span text, size_t i)
{
    bool colon = false;

    if (!begins(text, i, "://")) {
        return false;
    }
    for (i += 3; i < text.size && text.data[i] > ' ' && text.data[i] != '/'; i++) {
        if (text.data[i] == '@') {
            return colon;
        }
        colon = colon || text.data[i] == ':';
    }
    return false;
}

const char *
credential_find_known(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        const bool word_begins = i == 0 || !isalnum(text.data[i - 1]);
        const char *what = word_begins ? find_maker(text, i) : NULL;

        if (what != NULL) {
            return what;
        }
        if (word_begins && is_web_token(text, i)) {
            return "a JSON Web Token (eyJ...)";
        }
        if (word_begins && is_header(text, i)) {
            return "a bearer or basic header";
        }
        if (word_begins && is_named_secret(text, i)) {
            return "a secret with its name";
        }
        if (is_user_info(text, i)) {
            return "a URL with a password";
        }
    }
    return NULL;
}

/* ---- by how it looks ----------------------------------------------------------------------- */

/* Of base64 and of names; a dot, a colon, a blank end the run. */
static bool
is_random_part(uint8_t byte)
{
    return is_token(byte) || byte == '+' || byte == '/' || byte == '=';
}

/* 8-4-4-4-12 hex digits. */
static bool
is_uuid(struct span run)
{
    for (size_t i = 0; i < run.size; i++) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? run.data[i] != '-' : !isxdigit(run.data[i])) {
            return false;
        }
    }
    return run.size == 36;
}

#define DIGIT 1
#define SMALL 2
#define LARGE 3

/* Words and numbers change seldom between small, large and digit; random characters do so all the
 * time. A small letter after a large one is how a word begins, so it is no change; joints such as
 * - and / are passed over. */
static bool
is_random(struct span run)
{
    size_t changes = 0, digits = 0, letters = 0;
    int last = 0;

    for (size_t i = 0; i < run.size; i++) {
        const uint8_t byte = run.data[i];
        const int kind = isdigit(byte) ? DIGIT : islower(byte) ? SMALL : isupper(byte) ? LARGE : 0;

        if (kind != 0) {
            changes += last != 0 && kind != last && !(last == LARGE && kind == SMALL);
            digits += kind == DIGIT;
            letters += kind != DIGIT;
            last = kind;
        }
    }
    return digits + letters >= RANDOM_SIZE_MIN && digits >= 2 && letters >= 2 &&
           changes * 4 >= digits + letters;
}

const char *
credential_find(struct span text)
{
    const char *what = credential_find_known(text);

    for (size_t i = 0; i < text.size && what == NULL; i++) {
        size_t size = 0;

        while (i + size < text.size && is_random_part(text.data[i + size])) {
            size++;
        }

        const struct span run = {text.data + i, size};

        if (!is_uuid(run) && is_random(run)) {
            what = "a long random token";
        }
        i += size;
    }
    return what;
}
