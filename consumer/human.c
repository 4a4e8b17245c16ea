/* human.c - counts, shares, times and names as people read them, and small bars.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/human.h"

#include "aggregator/outcome.h"
#include "codec/times.h"
#include "codec/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define EIGHTHS 8

struct human
human_count(int64_t count)
{
    char digits[HUMAN_SIZE];
    struct human human = {""};
    const int size = snprintf(digits, sizeof(digits), "%" PRId64, count);
    int at = 0;

    for (int i = 0; i < size; i++) {
        const bool group_ends = (size - i) % 3 == 0;

        if (group_ends && i > 0 && digits[i - 1] != '-') {
            human.text[at++] = ',';
        }
        human.text[at++] = digits[i];
    }
    return human;
}

struct human
human_share(int64_t bps)
{
    struct human human;

    snprintf(human.text, sizeof(human.text), "%" PRId64 ".%" PRId64 " %%", bps / 100,
            bps % 100 / 10);
    return human;
}

/* Days and the milliseconds since midnight, before 1970 too. */
static int64_t
day_of(int64_t time_ms, int64_t *in_day_ms)
{
    int64_t day = time_ms / DAY_MS;

    *in_day_ms = time_ms % DAY_MS;
    if (*in_day_ms < 0) {
        *in_day_ms += DAY_MS;
        day -= 1;
    }
    return day;
}

static int32_t
date_within(int64_t day)
{
    if (day > INT32_MAX) {
        return INT32_MAX;
    }
    return day < INT32_MIN ? INT32_MIN : (int32_t)day;
}

struct human
human_hour(int64_t time_ms)
{
    struct human human;
    int64_t in_day_ms = 0;

    day_of(time_ms, &in_day_ms);
    snprintf(human.text, sizeof(human.text), "%02d:%02d", (int)(in_day_ms / HOUR_MS),
            (int)(in_day_ms % HOUR_MS / MINUTE_MS));
    return human;
}

struct human
human_time(int64_t time_ms)
{
    struct human human = {"-"};
    char date[DATE_TEXT_SIZE];
    int64_t in_day_ms = 0;

    if (time_ms != TIME_NULL) {
        date_format(date_within(day_of(time_ms, &in_day_ms)), date);
        snprintf(human.text, sizeof(human.text), "%s %.5s UTC", date, human_hour(time_ms).text);
    }
    return human;
}

struct human
human_duration(int64_t ms)
{
    struct human human;
    static const struct {
        int64_t from_ms, unit_ms;
        const char *name;
    } units[] = {
            {2 * DAY_MS, DAY_MS, "d"},
            {2 * HOUR_MS, HOUR_MS, "h"},
            {2 * MINUTE_MS, MINUTE_MS, "min"},
            {INT64_MIN, SECOND_MS, "s"},
    };
    size_t i = 0;

    ms = ms < 0 ? 0 : ms;
    while (ms < units[i].from_ms) {
        i++;
    }
    snprintf(
            human.text, sizeof(human.text), "%" PRId64 " %s", ms / units[i].unit_ms, units[i].name);
    return human;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Of a character that starts with this byte. */
static size_t
character_size(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xe0) {
        return 2;
    }
    return first < 0xf0 ? 3 : 4;
}

/* Would do something to a terminal instead of being seen. at: one whole character. */
static bool
is_control(const uint8_t *at, size_t size)
{
    switch (size) {
    case 1:
        return at[0] < 0x20 || at[0] == 0x7f;
    case 2: /* U+0080 to U+009F */
        return at[0] == 0xc2 && at[1] < 0xa0;
    case 3: /* U+2028 to U+202E, U+2066 to U+2069 */
        return at[0] == 0xe2 && ((at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) ||
                                        (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
    default:
        return false;
    }
}

void
human_put_text(struct buffer *out, struct span text)
{
    const bool valid = utf8_valid(text);
    size_t size = 0;

    for (size_t at = 0; at < text.size; at += size) {
        size = valid ? character_size(text.data[at]) : 1;
        if (is_control(text.data + at, size) || (!valid && text.data[at] >= 0x80)) {
            buffer_put_byte(out, '?');
        } else {
            buffer_put(out, text.data + at, size);
        }
    }
}

size_t
human_width(struct span text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.size; i++) {
        width += (text.data[i] & 0xc0) != 0x80; /* not the rest of a character */
    }
    return width;
}

/* ---- bars and charts ------------------------------------------------------------------------- */

/* How many eighths of `full` stand for value; at least one for a value above 0. */
static int
eighths_of(int64_t value, int64_t max, int full)
{
    const int whole = full * EIGHTHS;

    if (value <= 0 || max <= 0) {
        return 0;
    }

    const int eighths = value < max ? (int)((double)value / (double)max * whole + 0.5) : whole;

    return eighths == 0 ? 1 : eighths;
}

/* U+2580 and up: 1/8 to 8/8 from below are U+2581 to U+2588, from the left U+258F to U+2588. */
static void
put_block(struct buffer *out, int last)
{
    const uint8_t block[] = {0xe2, 0x96, (uint8_t)(0x80 + last)};

    buffer_put(out, block, sizeof(block));
}

void
human_put_bar(struct buffer *out, int64_t value, int64_t max, int width)
{
    int eighths = eighths_of(value, max, width);

    for (; eighths >= EIGHTHS; eighths -= EIGHTHS) {
        put_block(out, EIGHTHS);
    }
    if (eighths > 0) {
        put_block(out, 2 * EIGHTHS - eighths);
    }
}

static void
put_line(struct buffer *out, const int64_t *values, size_t count, int64_t max, int height, int row)
{
    for (size_t i = 0; i < count; i++) {
        const int eighths = eighths_of(values[i], max, height) - row * EIGHTHS;

        if (eighths <= 0) {
            buffer_put_byte(out, ' ');
        } else {
            put_block(out, eighths < EIGHTHS ? eighths : EIGHTHS);
        }
    }
}

void
human_put_chart(struct buffer *out, const int64_t *values, size_t count, int height, int indent)
{
    int64_t max = 0;

    for (size_t i = 0; i < count; i++) {
        max = values[i] > max ? values[i] : max;
    }
    for (int row = height - 1; row >= 0; row--) {
        buffer_printf(out, "%*s", indent, "");
        put_line(out, values, count, max, height, row);
        while (out->data[out->size - 1] == ' ') {
            out->size -= 1;
        }
        buffer_put_byte(out, '\n');
    }
}

bool
human_colour(FILE *out)
{
    const char *refused = getenv("NO_COLOR");

    return isatty(fileno(out)) == 1 && (refused == NULL || refused[0] == '\0');
}
