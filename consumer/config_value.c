/* config_value.c - one value of the configuration: from text, and back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_list.h"
#include "consumer/config_table.h"

#include "aggregator/memory.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#define TEXT_MAX 4096 /* bytes of one value */

struct unit {
    const char *name;
    int64_t size;
};

/* From the smallest: a value is written in the largest that leaves no rest. */
static const struct unit duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000},
        {"h", 60 * 60 * 1000}, {"d", 24 * 60 * 60 * 1000}, {NULL, 0}};
static const struct unit size_units[] = {
        {"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {NULL, 0}};
static const struct unit integer_units[] = {{"", 1}, {NULL, 0}};

char *
config_text_copy_size(const void *text, size_t size)
{
    char *copy = memory_new(size + 1, 1);

    memcpy(copy, text, size);
    return copy;
}

char *
config_text_copy(const char *text)
{
    return config_text_copy_size(text, strlen(text));
}

/* ---- numbers -------------------------------------------------------------------------------- */

static const struct unit *
units_of(enum config_type type)
{
    switch (type) {
    case TYPE_DURATION:
        return duration_units;
    case TYPE_SIZE:
        return size_units;
    default:
        return integer_units;
    }
}

/* Digits and a unit, without sign, fraction or blanks around; false when it is something else. */
static bool
scan_whole(const char *text, const struct unit *units, int64_t *value)
{
    int64_t number = 0;

    if (!isdigit((unsigned char)*text)) {
        return false;
    }
    for (; isdigit((unsigned char)*text); text++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
                __builtin_add_overflow(number, *text - '0', &number)) {
            return false;
        }
    }
    while (*text == ' ') {
        text++;
    }
    for (; units->name != NULL; units++) {
        if (strcmp(text, units->name) == 0) {
            return !__builtin_mul_overflow(number, units->size, value);
        }
    }
    return false;
}

bool
config_duration_parse(const char *text, int64_t *ms)
{
    return scan_whole(text, duration_units, ms);
}

/* A decimal number with at most `places` places, times ten to the power of places. */
static bool
scan_decimal(const char *text, size_t places, const char *suffix, int64_t *value)
{
    int64_t number = 0;
    size_t seen = 0;
    bool point = false;

    if (!isdigit((unsigned char)*text)) {
        return false;
    }
    for (; isdigit((unsigned char)*text) || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        seen += point;
        if (seen > places || number > INT32_MAX) {
            return false;
        }
        number = number * 10 + (*text - '0');
    }
    if (point && seen == 0) {
        return false;
    }
    for (; seen < places; seen++) {
        number *= 10;
    }
    while (*text == ' ') {
        text++;
    }
    *value = number;
    return strcmp(text, suffix) == 0;
}

static bool
scan_number(enum config_type type, const char *text, int64_t *value)
{
    static const struct unit bps_unit[] = {{"bps", 1}, {NULL, 0}};

    switch (type) {
    case TYPE_SHARE:
        return scan_decimal(text, 2, "%", value) || scan_whole(text, bps_unit, value);
    case TYPE_FACTOR:
        return scan_decimal(text, 4, "", value);
    default:
        return scan_whole(text, units_of(type), value);
    }
}

/* hundredths of a percent, ten-thousandths of a factor: without zeros at the end */
static void
write_decimal(int64_t value, int64_t one, const char *suffix, FILE *out)
{
    int64_t rest = value % one;

    fprintf(out, "%" PRId64, value / one);
    if (rest != 0) {
        fputc('.', out);
    }
    while (rest != 0) {
        one /= 10;
        fprintf(out, "%" PRId64, rest / one);
        rest %= one;
    }
    fputs(suffix, out);
}

static void
write_number(enum config_type type, int64_t value, FILE *out)
{
    const struct unit *units = units_of(type);
    const struct unit *best = units;

    if (type == TYPE_SHARE) {
        write_decimal(value, 100, "%", out);
        return;
    }
    if (type == TYPE_FACTOR) {
        write_decimal(value, BPS, "", out);
        return;
    }
    for (; units->name != NULL; units++) {
        if (value != 0 && value % units->size == 0) {
            best = units;
        }
    }
    fprintf(out, "%" PRId64 "%s", value / best->size, best->name);
}

/* ---- what is allowed ------------------------------------------------------------------------ */

static void
write_symbols(const char *const *symbols, FILE *out)
{
    for (size_t i = 0; symbols[i] != NULL; i++) {
        fprintf(out, "%s%s", i == 0 ? "" : symbols[i + 1] == NULL ? " or " : ", ", symbols[i]);
    }
}

void
config_allowed_write(const struct config_key *key, FILE *out)
{
    static const char *const forms[] = {
            [TYPE_TEXT] = "text",
            [TYPE_PATH] = "the path of a file",
            [TYPE_URL] = "a URL",
            [TYPE_INTEGER] = "a whole number, ",
            [TYPE_SIZE] = "bytes, or a number with KiB, MiB or GiB, ",
            [TYPE_DURATION] = "a number with ms, s, m, h or d, ",
            [TYPE_SHARE] = "a percentage such as 12.5%, ",
            [TYPE_FACTOR] = "a decimal number such as 1.5, ",
            [TYPE_BOOL] = "true or false",
            [TYPE_ENUM] = "",
            [TYPE_SET] = "a list of ",
            [TYPE_KAFKA] = "a map of librdkafka properties",
            [TYPE_LIST] = "a list of maps",
    };

    fputs(forms[key->type], out);
    switch (key->type) {
    case TYPE_INTEGER:
    case TYPE_SIZE:
    case TYPE_DURATION:
    case TYPE_SHARE:
    case TYPE_FACTOR:
        write_number(key->type, key->min, out);
        fputs(" to ", out);
        write_number(key->type, key->max, out);
        break;
    case TYPE_ENUM:
    case TYPE_SET:
        write_symbols(key->symbols, out);
        break;
    default:
        if ((key->flags & KEY_REQUIRED) != 0) {
            fputs(", not empty", out);
        }
    }
}

static enum status
refuse(const struct config_key *key, const char *text, struct error *error)
{
    char *allowed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&allowed, &size);

    if (out == NULL) {
        abort();
    }
    config_allowed_write(key, out);
    fclose(out);
    error_set(error, STATUS_BAD_CONFIG, "\"%.60s\" is not allowed; allowed: %s", text, allowed);
    free(allowed);
    return STATUS_BAD_CONFIG;
}

/* ---- from text ------------------------------------------------------------------------------ */

static enum status
set_text(char **member, const struct config_key *key, const char *text, struct error *error)
{
    if (*text == '\0' && (key->flags & KEY_REQUIRED) != 0) {
        return error_set(error, STATUS_BAD_CONFIG, "must not be empty");
    }
    if (strlen(text) > TEXT_MAX) {
        return error_set(error, STATUS_BAD_CONFIG, "is longer than %d bytes", TEXT_MAX);
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (iscntrl((unsigned char)*c)) {
            return error_set(error, STATUS_BAD_CONFIG, "holds a control character");
        }
    }
    free(*member);
    *member = config_text_copy(text);
    return STATUS_OK;
}

static enum status
set_number(int64_t *member, const struct config_key *key, const char *text, struct error *error)
{
    int64_t value = 0;

    if (!scan_number(key->type, text, &value) || value < key->min || value > key->max) {
        return refuse(key, text, error);
    }
    *member = value;
    return STATUS_OK;
}

static enum status
set_enum(void *member, const struct config_key *key, const char *text, struct error *error)
{
    for (int i = 0; key->symbols[i] != NULL; i++) {
        if (strcmp(key->symbols[i], text) == 0) {
            memcpy(member, &i, sizeof(i)); /* enums of ours are as wide as int */
            return STATUS_OK;
        }
    }
    return refuse(key, text, error);
}

enum status
config_value_set_list(struct config *config, const struct config_key *key, char *const *texts,
        size_t count, struct error *error)
{
    uint32_t set = 0;

    assert(key->type == TYPE_SET);
    for (size_t i = 0; i < count; i++) {
        uint32_t bit = 0;

        while (key->symbols[bit] != NULL && strcmp(key->symbols[bit], texts[i]) != 0) {
            bit++;
        }
        if (key->symbols[bit] == NULL) {
            return refuse(key, texts[i], error);
        }
        set |= UINT32_C(1) << bit;
    }
    memcpy(config_member(config, key), &set, sizeof(set));
    return STATUS_OK;
}

/* `a, b` or `[a, b]`, as --set and the environment give it. */
static enum status
set_list_text(
        struct config *config, const struct config_key *key, const char *text, struct error *error)
{
    char *copy = config_text_copy(text);
    char *texts[64];
    size_t count = 0;
    char *rest = NULL;

    for (char *word = strtok_r(copy, "[], ", &rest); word != NULL && count < 64;
            word = strtok_r(NULL, "[], ", &rest)) {
        texts[count++] = word;
    }

    const enum status status = config_value_set_list(config, key, texts, count, error);

    free(copy);
    return status;
}

enum status
config_value_set(
        struct config *config, const struct config_key *key, const char *text, struct error *error)
{
    void *member = config_member(config, key);

    switch (key->type) {
    case TYPE_TEXT:
    case TYPE_PATH:
    case TYPE_URL:
        return set_text(member, key, text, error);
    case TYPE_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return refuse(key, text, error);
        }
        *(bool *)member = text[0] == 't';
        return STATUS_OK;
    case TYPE_ENUM:
        return set_enum(member, key, text, error);
    case TYPE_SET:
        return set_list_text(config, key, text, error);
    case TYPE_KAFKA:
    case TYPE_LIST:
        return refuse(key, text, error);
    default:
        return set_number(member, key, text, error);
    }
}

/* ---- to text -------------------------------------------------------------------------------- */

char *
config_url_masked(const char *url)
{
    const char *begin = strstr(url, "://");
    const char *end = NULL;
    char *masked = NULL;

    begin = begin != NULL ? begin + 3 : url;
    end = begin + strcspn(begin, "/?#");
    /* The last @ before the path ends the user info, whatever the password holds. */
    while (end > begin && end[-1] != '@') {
        end--;
    }
    const char *colon = end > begin ? memchr(begin, ':', (size_t)(end - begin)) : NULL;

    if (colon == NULL) {
        return config_text_copy(url);
    }
    if (asprintf(&masked, "%.*s:***@%s", (int)(colon - url), url, end) < 0) {
        abort();
    }
    return masked;
}

bool
config_url_is_http(const char *url)
{
    const size_t scheme = strncmp(url, "http://", 7) == 0    ? 7
                          : strncmp(url, "https://", 8) == 0 ? 8
                                                             : 0;

    for (const char *c = url; *c != '\0'; c++) {
        if (iscntrl((unsigned char)*c) || *c == ' ') {
            return false;
        }
    }
    return scheme != 0 && url[scheme] != '\0' && url[scheme] != '/';
}

/* What YAML would read as something other than this text. */
static bool
needs_quotes(const char *text)
{
    static const char *const words[] = {"null", "~", "true", "false", "yes", "no", "on", "off"};

    if (*text == '\0' || strchr("-?:,[]{}#&*!|>'\"%@` .", *text) != NULL ||
            text[strlen(text) - 1] == ' ' || text[strlen(text) - 1] == ':') {
        return true;
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (iscntrl((unsigned char)*c) || strchr(",[]{}\"\\#", *c) != NULL ||
                (*c == ':' && c[1] == ' ')) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

void
config_scalar_write(const char *text, FILE *out)
{
    if (!needs_quotes(text)) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fprintf(out, "\\%c", *text);
        } else if (iscntrl((unsigned char)*text)) {
            fprintf(out, "\\x%02X", (unsigned char)*text);
        } else {
            fputc(*text, out);
        }
    }
    fputc('"', out);
}

static void
write_set(uint32_t set, const char *const *symbols, FILE *out)
{
    const char *comma = "";

    fputc('[', out);
    for (size_t i = 0; symbols[i] != NULL; i++) {
        if ((set & UINT32_C(1) << i) != 0) {
            fprintf(out, "%s%s", comma, symbols[i]);
            comma = ", ";
        }
    }
    fputc(']', out);
}

static void
write_url(const char *url, FILE *out)
{
    char *masked = config_url_masked(url);

    config_scalar_write(masked, out);
    free(masked);
}

void
config_value_write(const struct config *config, const struct config_key *key, FILE *out)
{
    const void *member = config_member(config, key);
    uint32_t word = 0;

    switch (key->type) {
    case TYPE_TEXT:
    case TYPE_PATH:
        config_scalar_write(*(char *const *)member, out);
        break;
    case TYPE_URL:
        write_url(*(char *const *)member, out);
        break;
    case TYPE_BOOL:
        fputs(*(const bool *)member ? "true" : "false", out);
        break;
    case TYPE_ENUM:
        memcpy(&word, member, sizeof(word));
        fputs(key->symbols[word], out);
        break;
    case TYPE_SET:
        memcpy(&word, member, sizeof(word));
        write_set(word, key->symbols, out);
        break;
    case TYPE_KAFKA:
        config_kafka_write(config, out);
        break;
    case TYPE_LIST:
        config_list_write(config, key->list, out);
        break;
    default:
        write_number(key->type, *(const int64_t *)member, out);
    }
}
