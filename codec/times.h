/* times.h - dates and times as text, without the time zone of the machine.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_TIMES_H
#define RETRYWATCH_CODEC_TIMES_H

#include "aggregator/span.h"

/**
 * Parse YYYY-MM-DDTHH:MM:SS, any fraction, and Z or an offset, into ms since the epoch. The
 * fraction is cut after the millisecond; second 60 is taken for a leap second, and so for the
 * next one.
 *
 * Returns false, and leaves *time_ms, when the text is no such time.
 * Source: RFC 3339, section 5.6.
 */
bool time_parse(struct span text, int64_t *time_ms);

/** Parse YYYY-MM-DD into days since the epoch. Returns false when the text is no date. */
bool date_parse(struct span text, int32_t *days);

#define DATE_TEXT_SIZE 16

/** Write YYYY-MM-DD. days: years 0 to 9999; beyond them the nearest of these. */
void date_format(int32_t days, char text[DATE_TEXT_SIZE]);

#define TIME_TEXT_SIZE 32

/** Write YYYY-MM-DDTHH:MM:SSZ, with .mmm before the Z when it is no whole second; time_parse()
 * reads it back. Beyond the years 0 to 9999: midnight of the nearest day of these. */
void time_format(int64_t time_ms, char text[TIME_TEXT_SIZE]);

#endif
