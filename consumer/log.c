/* log.c - one line an event, logfmt or JSON, rate limited per site, never a payload.
 *
 * The literal text of a format is structure, what its conversions give is data: so a value can
 * neither end its quotes nor begin a line or a field of its own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/log.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define VALUE_MAX_BYTES 1024
#define KEY_MAX_BYTES 64
#define SITE_LINES_PER_SECOND 10

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static int64_t
wall_ms(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* librdkafka's threads log too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    enum log_level level;
    enum log_format format;
    int fd;
    int64_t (*now_ms)(void);
} sink = {LOG_INFO, LOG_LOGFMT, STDERR_FILENO, wall_ms};

void
log_init(enum log_level level, enum log_format format)
{
    pthread_mutex_lock(&lock);
    sink.level = level;
    sink.format = format;
    pthread_mutex_unlock(&lock);
}

void
log_divert(int fd, int64_t (*now_ms)(void))
{
    pthread_mutex_lock(&lock);
    sink.fd = fd;
    sink.now_ms = now_ms != NULL ? now_ms : wall_ms;
    pthread_mutex_unlock(&lock);
}

/* ---- the line ------------------------------------------------------------------------------- */

struct line {
    enum log_format format;
    size_t size;
    bool full; /* something did not fit */
    char bytes[LINE_MAX_BYTES];
};

static void
put(struct line *line, const char *bytes, size_t size)
{
    /* Room is kept for the end of the line. */
    if (line->size + size > sizeof(line->bytes) - 2) {
        line->full = true;
        return;
    }
    memcpy(line->bytes + line->size, bytes, size);
    line->size += size;
}

static void
put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Length of the UTF-8 sequence at text (size bytes are left); 0 when it is none. */
static size_t
utf8_size(const char *text, size_t size)
{
    const unsigned char *c = (const unsigned char *)text;
    const size_t want = c[0] < 0x80                   ? 1
                        : c[0] >= 0xc2 && c[0] < 0xe0 ? 2
                        : (c[0] & 0xf0) == 0xe0       ? 3
                        : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
                                                      : 0;

    if (want == 0 || want > size) {
        return 0;
    }
    for (size_t i = 1; i < want; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) ||
            (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] >= 0x90)) {
        return 0;
    }
    return want;
}

static void
put_quoted(struct line *line, const char *text, size_t size)
{
    put_text(line, "\"");
    for (size_t i = 0; i < size;) {
        const unsigned char c = (unsigned char)text[i];
        const size_t step = utf8_size(text + i, size - i);
        char escape[8];

        if (c == '"' || c == '\\') {
            snprintf(escape, sizeof(escape), "\\%c", c);
        } else if (c == '\n') {
            snprintf(escape, sizeof(escape), "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
        } else if (step == 0) {
            snprintf(escape, sizeof(escape), "\\ufffd");
        } else {
            put(line, text + i, step);
            i += step;
            continue;
        }
        put_text(line, escape);
        i++;
    }
    put_text(line, "\"");
}

static bool
is_number(const char *text, size_t size)
{
    const size_t sign = size > 1 && text[0] == '-';

    if (size == sign || size - sign > 15 || (text[sign] == '0' && size - sign > 1)) {
        return false;
    }
    for (size_t i = sign; i < size; i++) {
        if (!isdigit((unsigned char)text[i])) {
            return false;
        }
    }
    return true;
}

static bool
is_plain(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"\\=", text[i]) != NULL) {
            return false;
        }
    }
    return size > 0;
}

/* A field that does not fit is left out whole. */
static void
put_field(struct line *line, const char *key, const char *value, size_t size)
{
    const bool json = line->format == LOG_JSON;
    const size_t before = line->size;

    put_text(line, line->size <= 1 ? "" : json ? "," : " ");
    if (json) {
        put_quoted(line, key, strlen(key));
    } else {
        put_text(line, key);
    }
    put_text(line, json ? ":" : "=");
    if (json ? is_number(value, size) : is_plain(value, size)) {
        put(line, value, size);
    } else {
        put_quoted(line, value, size);
    }
    if (line->full) { /* half a field would break the line */
        line->size = before;
        line->full = false;
    }
}

/* ---- the fields ----------------------------------------------------------------------------- */

struct value {
    size_t size;
    char bytes[VALUE_MAX_BYTES];
};

static void
value_put(struct value *value, const char *bytes, size_t size)
{
    const size_t room = sizeof(value->bytes) - value->size;

    memcpy(value->bytes + value->size, bytes, size < room ? size : room);
    value->size += size < room ? size : room;
}

/* One conversion of a printf format: flags, width, precision, length and letter. */
struct conversion {
    char text[32];
    int longs; /* 0: int, 1: long, 2: long long, 3: size_t or ptrdiff_t */
    int stars;
    char letter;
};

static const char *
scan_conversion(const char *at, struct conversion *conversion)
{
    size_t size = 0;

    *conversion = (struct conversion){0};
    conversion->text[size++] = *at++;
    while (*at != '\0' && strchr("-+ #0123456789.*hljzt", *at) != NULL) {
        assert(size < sizeof(conversion->text) - 2);
        conversion->longs += *at == 'l';
        conversion->longs = *at == 'j' ? 1 : *at == 'z' || *at == 't' ? 3 : conversion->longs;
        conversion->stars += *at == '*';
        conversion->text[size++] = *at++;
    }
    assert(*at != '\0' && strchr("diouxXcsp%fgGeE", *at) != NULL);
    conversion->letter = *at;
    conversion->text[size] = *at;
    return at + 1;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* snprintf with the one argument that the conversion takes. */
static int
convert(char *out, size_t size, const struct conversion *conversion, va_list *args)
{
    const char *text = conversion->text;
    const int star = conversion->stars > 0 ? va_arg(*args, int) : 0;

    assert(conversion->stars <= 1);
    switch (conversion->letter) {
    case '%':
        return snprintf(out, size, "%%");
    case 's':
        return conversion->stars > 0 ? snprintf(out, size, text, star, va_arg(*args, char *))
                                     : snprintf(out, size, text, va_arg(*args, char *));
    case 'p':
        return snprintf(out, size, text, va_arg(*args, void *));
    case 'f':
    case 'g':
    case 'G':
    case 'e':
    case 'E':
        return conversion->stars > 0 ? snprintf(out, size, text, star, va_arg(*args, double))
                                     : snprintf(out, size, text, va_arg(*args, double));
    default:
        break;
    }
    assert(conversion->stars == 0);
    switch (conversion->longs) {
    case 0:
        return snprintf(out, size, text, va_arg(*args, int));
    case 1:
        return snprintf(out, size, text, va_arg(*args, long));
    case 2:
        return snprintf(out, size, text, va_arg(*args, long long));
    default:
        return snprintf(out, size, text, va_arg(*args, size_t));
    }
}

#pragma GCC diagnostic pop

static const char *
put_conversion(struct value *value, const char *at, va_list *args)
{
    struct conversion conversion;
    char bytes[VALUE_MAX_BYTES];

    at = scan_conversion(at, &conversion);
    const int size = convert(bytes, sizeof(bytes), &conversion, args);

    if (size > 0) {
        value_put(value, bytes, size < VALUE_MAX_BYTES ? (size_t)size : VALUE_MAX_BYTES - 1);
    }
    return at;
}

/* One `key=value` of the format; what has no key becomes `message`. */
static const char *
put_pair(struct line *line, const char *at, va_list *args)
{
    char key[KEY_MAX_BYTES] = "message";
    struct value value = {.size = 0};
    const size_t key_size = strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789.");
    bool quoted = false;

    if (at[key_size] == '=' && key_size < sizeof(key)) {
        memcpy(key, at, key_size);
        key[key_size] = '\0';
        at += key_size + 1;
        quoted = *at == '"';
        at += quoted;
    }
    while (*at != '\0' && (quoted ? *at != '"' : *at != ' ')) {
        if (*at == '%') {
            at = put_conversion(&value, at, args);
        } else {
            value_put(&value, at++, 1);
        }
    }
    put_field(line, key, value.bytes, value.size);
    return at + (quoted && *at == '"');
}

static void
put_head(struct line *line, int64_t now_ms, enum log_level level, const char *at)
{
    char text[40];
    char time_text[32];
    struct tm tm = {0};
    const time_t seconds = (time_t)(now_ms / 1000);

    gmtime_r(&seconds, &tm);
    strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &tm);
    const int size = snprintf(text, sizeof(text), "%s.%03dZ", time_text, (int)(now_ms % 1000));

    if (line->format == LOG_JSON) {
        put_text(line, "{");
    }
    put_field(line, "time", text, (size_t)size);
    put_field(line, "level", level_names[level], strlen(level_names[level]));
    put_field(line, "at", at, strlen(at));
}

static void
put_tail(struct line *line, uint64_t suppressed)
{
    char text[24];

    if (suppressed > 0) {
        const int size = snprintf(text, sizeof(text), "%" PRIu64, suppressed);

        put_field(line, "suppressed", text, (size_t)size);
    }
    if (line->format == LOG_JSON) {
        line->bytes[line->size++] = '}';
    }
    line->bytes[line->size++] = '\n';
}

/* Whether the site may write now; counts what it may not. */
static bool
admit(struct log_site *site, int64_t now_ms, uint64_t *suppressed)
{
    const int64_t second = now_ms / 1000;

    if (site->second != second) {
        site->second = second;
        site->count = 0;
    }
    if (site->count >= SITE_LINES_PER_SECOND) {
        site->suppressed++;
        return false;
    }
    site->count++;
    *suppressed = site->suppressed;
    site->suppressed = 0;
    return true;
}

void
log_write(struct log_site *site, enum log_level level, const char *at, const char *fields, ...)
{
    struct line line = {.size = 0};
    uint64_t suppressed = 0;
    va_list args;

    pthread_mutex_lock(&lock);
    const int64_t now_ms = sink.now_ms();

    line.format = sink.format;
    if (level >= sink.level && admit(site, now_ms, &suppressed)) {
        put_head(&line, now_ms, level, at);
        va_start(args, fields);
        while (*fields != '\0') {
            fields += strspn(fields, " ");
            if (*fields != '\0') {
                fields = put_pair(&line, fields, &args);
            }
        }
        va_end(args);
        put_tail(&line, suppressed);
        /* A log that cannot be written must not stop the service. */
        if (write(sink.fd, line.bytes, line.size) < 0) {
            site->suppressed++;
        }
    }
    pthread_mutex_unlock(&lock);
}
