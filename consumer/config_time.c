/* config_time.c - dates and times of the configuration, from text and back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <time.h>

#define DAY_SECONDS 86400

/* The part of the text after the calendar date, or NULL when there is no such date. */
static const char *
scan_date(const char *text, struct tm *tm)
{
    struct tm read = {0};
    const char *rest = strptime(text, "%Y-%m-%d", &read);

    if (rest == NULL || rest - text != 10) {
        return NULL;
    }
    struct tm normal = read;

    /* timegm() turns 31 February into 3 March. */
    if (timegm(&normal) < 0 || normal.tm_mday != read.tm_mday || normal.tm_mon != read.tm_mon) {
        return NULL;
    }
    *tm = read;
    return rest;
}

enum status
config_date_parse(const char *text, int32_t *days, struct error *error)
{
    struct tm tm = {0};
    const char *rest = scan_date(text, &tm);

    if (rest == NULL || *rest != '\0') {
        return error_set(error, STATUS_BAD_CONFIG,
                "\"%.60s\" is no date; allowed: YYYY-MM-DD, such as 2026-03-01", text);
    }
    *days = (int32_t)(timegm(&tm) / DAY_SECONDS);
    return STATUS_OK;
}

static bool
two_digits(const char *text, int max, int *value)
{
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1])) {
        return false;
    }
    *value = (text[0] - '0') * 10 + (text[1] - '0');
    return *value <= max;
}

/* `Z`, `+01:00` or `-01:00`, and nothing after it. */
static bool
scan_zone(const char *text, int64_t *seconds)
{
    int hours = 0;
    int minutes = 0;

    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
        *seconds = 0;
        return true;
    }
    if (strlen(text) != 6 || strchr("+-", text[0]) == NULL || text[3] != ':' ||
            !two_digits(text + 1, 23, &hours) || !two_digits(text + 4, 59, &minutes)) {
        return false;
    }
    *seconds = (hours * 60 + minutes) * 60 * (text[0] == '-' ? -1 : 1);
    return true;
}

/* `Thh:mm:ss[.fraction]zone`. Parts of a millisecond are cut off. */
static bool
scan_time(const char *text, struct tm *tm, int64_t *ms, int64_t *zone)
{
    int64_t unit = 100;

    if ((*text != 'T' && *text != 't' && *text != ' ') || strlen(text) < 10 || text[3] != ':' ||
            text[6] != ':' || !two_digits(text + 1, 23, &tm->tm_hour) ||
            !two_digits(text + 4, 59, &tm->tm_min) || !two_digits(text + 7, 59, &tm->tm_sec)) {
        return false;
    }
    text += 9;
    *ms = 0;
    if (*text == '.') {
        for (text++; isdigit((unsigned char)*text); text++, unit /= 10) {
            *ms += (*text - '0') * unit;
        }
    }
    return scan_zone(text, zone);
}

enum status
config_time_parse(const char *text, int64_t *ms, struct error *error)
{
    struct tm tm = {0};
    const char *rest = scan_date(text, &tm);
    int64_t fraction = 0;
    int64_t zone = 0;

    if (rest == NULL || (*rest != '\0' && !scan_time(rest, &tm, &fraction, &zone))) {
        return error_set(error, STATUS_BAD_CONFIG,
                "\"%.60s\" is no time; allowed: YYYY-MM-DD or RFC 3339, such as "
                "2026-03-01T12:00:00Z",
                text);
    }
    *ms = ((int64_t)timegm(&tm) - zone) * 1000 + fraction;
    return STATUS_OK;
}

void
config_date_write(int32_t days, FILE *out)
{
    char text[32];
    struct tm tm = {0};
    const time_t seconds = (time_t)days * DAY_SECONDS;

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d", &tm);
    fputs(text, out);
}

void
config_time_write(int64_t ms, FILE *out)
{
    char text[32];
    struct tm tm = {0};
    const time_t seconds = (time_t)(ms / 1000);

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    fprintf(out, "%s.%03" PRId64 "Z", text, ms % 1000);
}
