/* forbidden.c - names of foreign fields that could carry content, credentials or prices.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/forbidden.h"

#define NAME_MAX_SIZE 128 /* of a longer name, the beginning decides */

/* A name as words in lower case, each between two underscores: apiKey is "_api_key_". */
struct words {
    char text[NAME_MAX_SIZE + 3];
    size_t size;
};

static const char *const credential_words[] = {"_authorization_", "_api_key_", "_apikey_",
        "_api_keys_", "_token_", "_accesstoken_", "_secret_", "_secrets_", "_password_", "_passwd_",
        "_passphrase_", "_credential_", "_credentials_", "_cookie_", "_cookies_", "_bearer_",
        "_jwt_", "_private_key_", "_access_key_", "_secret_key_", NULL};

static const char *const price_words[] = {"_cost_", "_costs_", "_price_", "_prices_", "_pricing_",
        "_spend_", "_spending_", "_balance_", "_budget_", "_budgets_", "_amount_", "_currency_",
        "_invoice_", "_charge_", "_charges_", "_fee_", "_fees_", "_billing_", "_usd_", NULL};

static const char *const content_words[] = {"_prompt_", "_prompts_", "_message_", "_messages_",
        "_response_", "_responses_", "_completion_", "_completions_", "_content_", "_contents_",
        "_body_", "_text_", "_transcript_", "_conversation_", "_instructions_", "_traceback_",
        "_stacktrace_", "_exception_", NULL};

/* Last words that make a count, a time or a kind of it: prompt_tokens, response_code. */
static const char *const harmless_ends[] = {"_tokens_", "_count_", "_id_", "_ids_", "_ms_",
        "_code_", "_length_", "_size_", "_bytes_", "_time_", "_at_", "_type_", "_status_", NULL};
static const char *const harmless_credential_ends[] = {"_tokens_", "_count_", "_type_", NULL};

static bool
is_upper(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z';
}

static bool
is_lower_or_digit(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

static void
words_add(struct words *words, char letter)
{
    if (letter == '_' && words->size > 0 && words->text[words->size - 1] == '_') {
        return;
    }
    words->text[words->size++] = letter;
}

/* Whether a new word begins at this capital: aB, and the B of ABc. */
static bool
begins_word(struct span name, size_t at)
{
    if (at == 0 || !is_upper(name.data[at])) {
        return false;
    }
    return is_lower_or_digit(name.data[at - 1]) ||
           (is_upper(name.data[at - 1]) && at + 1 < name.size && name.data[at + 1] >= 'a' &&
                   name.data[at + 1] <= 'z');
}

static void
words_split(struct span name, struct words *words)
{
    words->size = 0;
    words_add(words, '_');
    for (size_t i = 0; i < name.size && words->size < NAME_MAX_SIZE; i++) {
        const uint8_t byte = name.data[i];

        if (begins_word(name, i)) {
            words_add(words, '_');
        }
        if (is_upper(byte)) {
            words_add(words, (char)(byte - 'A' + 'a'));
        } else {
            words_add(words, is_lower_or_digit(byte) ? (char)byte : '_');
        }
    }
    words_add(words, '_');
    words->text[words->size] = '\0';
}

static bool
words_hold(const struct words *words, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strstr(words->text, *list) != NULL) {
            return true;
        }
    }
    return false;
}

static bool
words_end(const struct words *words, const char *const *list)
{
    for (; *list != NULL; list++) {
        const size_t size = strlen(*list);

        if (words->size >= size && strcmp(words->text + words->size - size, *list) == 0) {
            return true;
        }
    }
    return false;
}

enum forbidden
forbidden_name(struct span name)
{
    struct words words;

    words_split(name, &words);
    if (words_hold(&words, credential_words) && !words_end(&words, harmless_credential_ends)) {
        return FORBIDDEN_CREDENTIAL;
    }
    if (words_hold(&words, price_words)) {
        return FORBIDDEN_PRICE;
    }
    if (words_hold(&words, content_words) && !words_end(&words, harmless_ends)) {
        return FORBIDDEN_CONTENT;
    }
    return FORBIDDEN_COUNT;
}
