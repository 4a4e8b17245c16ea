/* status.c - what can go wrong, and what the service loop does about it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define STATUS_ROW(name, disposition, text) {disposition, text},
static const struct {
    enum disposition disposition;
    const char *text;
} statuses[STATUS_COUNT] = {STATUS_MAP(STATUS_ROW)};

const char *
status_text(enum status status)
{
    assert(status < STATUS_COUNT);
    return statuses[status].text;
}

enum disposition
status_disposition(enum status status)
{
    assert(status < STATUS_COUNT);
    return statuses[status].disposition;
}

int
status_exit_code(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return 0;
    case STATUS_BAD_CONFIG:
        return 2;
    case STATUS_AUTH:
        return 3;
    default:
        return 1;
    }
}

enum status
error_set(struct error *error, enum status status, const char *format, ...)
{
    if (error != NULL) {
        va_list args;

        va_start(args, format);
        vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
        error->status = status;
    }
    return status;
}
