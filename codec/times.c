/* times.c - dates and times as text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/times.h"

#include <stdio.h>

#define DAY_MS INT64_C(86400000)
#define DAYS_MIN (-719528) /* 0000-01-01 */
#define DAYS_MAX 2932896   /* 9999-12-31 */

/* The calendar repeats every 400 years, an era. Years begin in March here, so that the leap day
 * is the last of its year. */
#define ERA_YEARS 400
#define ERA_DAYS 146097
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

static int32_t
days_of(int year, int month, int day)
{
    const int march_year = month <= 2 ? year - 1 : year;
    const int era = (march_year >= 0 ? march_year : march_year - (ERA_YEARS - 1)) / ERA_YEARS;
    const int year_of_era = march_year - era * ERA_YEARS;
    const int march_month = (month + 9) % 12;
    const int day_of_year = (153 * march_month + 2) / 5 + day - 1;
    const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

static void
civil_of(int32_t days, int *year, int *month, int *day)
{
    const int shifted = days + EPOCH_DAYS;
    const int era = (shifted >= 0 ? shifted : shifted - (ERA_DAYS - 1)) / ERA_DAYS;
    const int day_of_era = shifted - era * ERA_DAYS;
    const int year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int march_month = (5 * day_of_year + 2) / 153;

    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = year_of_era + era * ERA_YEARS + (*month <= 2);
}

static int
month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* ---- reading: a cursor over the text that fails once and for all ----------------------------- */

struct scan {
    const uint8_t *at, *end;
    bool failed;
};

static struct scan
scan_of(struct span text)
{
    /* Null has no end to point to. */
    return (struct scan){
            text.data, text.data != NULL ? text.data + text.size : NULL, text.data == NULL};
}

static int
scan_digits(struct scan *scan, int count)
{
    int value = 0;

    if (scan->end - scan->at < count) {
        scan->failed = true;
        return 0;
    }
    for (; count > 0; count--) {
        const uint8_t c = *scan->at++;

        if (c < '0' || c > '9') {
            scan->failed = true;
            return 0;
        }
        value = value * 10 + (c - '0');
    }
    return value;
}

/** Whether the next character is one of these; takes it. */
static bool
scan_one_of(struct scan *scan, const char *set)
{
    if (scan->at == scan->end || *scan->at == '\0' || strchr(set, *scan->at) == NULL) {
        return false;
    }
    scan->at++;
    return true;
}

static void
scan_expect(struct scan *scan, const char *set)
{
    if (!scan_one_of(scan, set)) {
        scan->failed = true;
    }
}

static int32_t
scan_date(struct scan *scan)
{
    const int year = scan_digits(scan, 4);

    scan_expect(scan, "-");

    const int month = scan_digits(scan, 2);

    scan_expect(scan, "-");

    const int day = scan_digits(scan, 2);

    if (scan->failed || month < 1 || month > 12 || day < 1 || day > month_days(year, month)) {
        scan->failed = true;
        return 0;
    }
    return days_of(year, month, day);
}

static int
scan_fraction_ms(struct scan *scan)
{
    int value = 0;
    int unit = 100;

    if (!scan_one_of(scan, ".")) {
        return 0;
    }
    value = scan_digits(scan, 1) * unit; /* one digit at least */
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        unit /= 10;
        value += (*scan->at++ - '0') * unit;
    }
    return value;
}

static int64_t
scan_time_of_day_ms(struct scan *scan)
{
    const int hour = scan_digits(scan, 2);

    scan_expect(scan, ":");

    const int minute = scan_digits(scan, 2);

    scan_expect(scan, ":");

    const int second = scan_digits(scan, 2);
    const int fraction_ms = scan_fraction_ms(scan);

    if (hour > 23 || minute > 59 || second > 60) {
        scan->failed = true;
    }
    return ((hour * INT64_C(60) + minute) * 60 + second) * 1000 + fraction_ms;
}

static int64_t
scan_offset_ms(struct scan *scan)
{
    if (scan_one_of(scan, "Zz")) {
        return 0;
    }

    const bool west = scan->at < scan->end && *scan->at == '-';

    scan_expect(scan, "+-");

    const int hour = scan_digits(scan, 2);

    scan_expect(scan, ":");

    const int minute = scan_digits(scan, 2);

    if (hour > 23 || minute > 59) {
        scan->failed = true;
    }
    return (hour * INT64_C(60) + minute) * (west ? -60000 : 60000);
}

bool
time_parse(struct span text, int64_t *time_ms)
{
    struct scan scan = scan_of(text);
    const int64_t days = scan_date(&scan);

    scan_expect(&scan, "Tt ");

    const int64_t of_day_ms = scan_time_of_day_ms(&scan);
    const int64_t offset_ms = scan_offset_ms(&scan);

    if (scan.failed || scan.at != scan.end) {
        return false;
    }
    *time_ms = days * DAY_MS + of_day_ms - offset_ms;
    return true;
}

bool
date_parse(struct span text, int32_t *days)
{
    struct scan scan = scan_of(text);
    const int32_t read = scan_date(&scan);

    if (scan.failed || scan.at != scan.end) {
        return false;
    }
    *days = read;
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

void
date_format(int32_t days, char text[DATE_TEXT_SIZE])
{
    int year = 0;
    int month = 0;
    int day = 0;

    days = days < DAYS_MIN ? DAYS_MIN : days > DAYS_MAX ? DAYS_MAX : days;
    civil_of(days, &year, &month, &day);
    snprintf(text, DATE_TEXT_SIZE, "%04u-%02u-%02u", (unsigned)year % 10000, (unsigned)month % 100,
            (unsigned)day % 100);
}

void
time_format(int64_t time_ms, char text[TIME_TEXT_SIZE])
{
    const int64_t days = time_ms / DAY_MS - (time_ms % DAY_MS < 0);
    const int32_t shown = (int32_t)(days < DAYS_MIN ? DAYS_MIN : days > DAYS_MAX ? DAYS_MAX : days);
    const unsigned ms = days == shown ? (unsigned)(time_ms - days * DAY_MS) : 0;
    char date[DATE_TEXT_SIZE];
    int size;

    date_format(shown, date);
    size = snprintf(text, TIME_TEXT_SIZE, "%sT%02u:%02u:%02u", date, ms / 3600000 % 24,
            ms / 60000 % 60, ms / 1000 % 60);
    snprintf(
            text + size, TIME_TEXT_SIZE - (size_t)size, ms % 1000 != 0 ? ".%03uZ" : "Z", ms % 1000);
}
