/* file.c - small files, whole.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/file.h"

#include "aggregator/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status
file_read(const char *path, size_t size_max, char **out, size_t *out_size, struct error *error)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;

    if (file == NULL) {
        return error_set(error, STATUS_BAD_CONFIG, "cannot read %s: %s", path, strerror(errno));
    }
    text = memory_new(size_max + 2, 1);
    size = fread(text, 1, size_max + 1, file);
    if (ferror(file) != 0 || size > size_max) {
        error_set(error, STATUS_BAD_CONFIG, "cannot read %s: %s", path,
                size > size_max ? "it is too large" : strerror(errno));
        fclose(file);
        free(text);
        return STATUS_BAD_CONFIG;
    }
    fclose(file);
    text[size] = '\0';
    *out = text;
    *out_size = size;
    return STATUS_OK;
}
