/* rows.h - what a bench adds to the one table of run.sh: a line of JSON for each figure.
 *
 * The file is named by the environment (BENCH_ROWS); without it a bench only prints its text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_BENCH_ROWS_H
#define RETRYWATCH_TESTS_BENCH_ROWS_H

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* One figure; what is 0 is left out. */
struct row {
    const char *bench, *what, *unit;
    double value;
    double at_most, at_least;  /* the number to reach */
    double service_s, redis_s; /* CPU seconds that it took */
};

static inline double
rows_seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline int
rows_by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts values[count]. */
static inline double
rows_median(double *values, size_t count)
{
    qsort(values, count, sizeof(values[0]), rows_by_value);
    return values[count / 2];
}

/* Of this program alone: getrusage() also knows the peak of what it was forked from. */
static inline double
rows_peak_mib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kib = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL && kib == 0) {
        if (sscanf(line, "VmHWM: %lf", &kib) != 1) {
            kib = 0;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib / 1024;
}

/* From here on, what came before does not count as peak memory any more. */
static inline void
rows_reset_peak(void)
{
    FILE *file;

    malloc_trim(0);
    file = fopen("/proc/self/clear_refs", "w");
    if (file != NULL) {
        fputs("5", file);
        fclose(file);
    }
}

static inline void
rows_put_number(FILE *file, const char *name, double value)
{
    if (value != 0) {
        fprintf(file, ",\"%s\":%.6g", name, value);
    }
}

static inline void
rows_add(const struct row *row)
{
    const char *path = getenv("BENCH_ROWS");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;

    if (file == NULL) {
        return;
    }
    fprintf(file, "{\"bench\":\"%s\",\"what\":\"%s\",\"unit\":\"%s\",\"value\":%.6g", row->bench,
            row->what, row->unit, row->value);
    rows_put_number(file, "at_most", row->at_most);
    rows_put_number(file, "at_least", row->at_least);
    rows_put_number(file, "service_cpu_s", row->service_s);
    rows_put_number(file, "redis_cpu_s", row->redis_s);
    rows_put_number(file, "peak_mib", rows_peak_mib());
    fprintf(file, "}\n");
    fclose(file);
}

#endif
