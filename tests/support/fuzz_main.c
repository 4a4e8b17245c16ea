/* fuzz_main.c - runs a fuzz target over the files of its corpus, where there is no libFuzzer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX ((size_t)4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
run_file(const char *folder, const char *name)
{
    char path[4096];
    FILE *file = NULL;
    uint8_t *data = NULL;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "re");
    data = malloc(INPUT_MAX);
    if (file == NULL || data == NULL) {
        perror(path);
        return -1;
    }
    const size_t size = fread(data, 1, INPUT_MAX, file);

    fclose(file);
    /* A block of just this size, so that the sanitizer sees each byte too far. */
    uint8_t *exact = realloc(data, size != 0 ? size : 1);

    if (exact == NULL) {
        abort();
    }
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

/* Arguments: folders. Fails when there is nothing in them. */
int
main(int argc, char **argv)
{
    size_t count = 0;

    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        const struct dirent *entry = NULL;

        if (folder == NULL) {
            perror(argv[i]);
            return 1;
        }
        while ((entry = readdir(folder)) != NULL) {
            if (entry->d_name[0] != '.') {
                if (run_file(argv[i], entry->d_name) != 0) {
                    return 1;
                }
                count++;
            }
        }
        closedir(folder);
    }
    printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;
}
