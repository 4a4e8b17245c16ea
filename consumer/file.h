/* file.h - small files, whole.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CONSUMER_FILE_H
#define RETRYWATCH_CONSUMER_FILE_H

#include "aggregator/status.h"

#include <stddef.h>

/**
 * The whole file with a NUL after it. Returns owned in *out.
 *
 * Errors: STATUS_BAD_CONFIG: it cannot be read, or is larger than size_max.
 */
enum status file_read(const char *path, size_t size_max, char **out, size_t *out_size,
        struct error *error) MUST_CHECK;

#endif
