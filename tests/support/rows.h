/* rows.h - each row of a table becomes a cmocka test with its own name.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_TESTS_ROWS_H
#define RETRYWATCH_TESTS_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT_OF(rows) (sizeof(rows) / sizeof((rows)[0]))

/* The rows of an array of structs that begin with `const char *name`. */
#define ADD_ROWS(tests, count, rows, function)                      \
    for (size_t row = 0; row < COUNT_OF(rows); row++) {             \
        (tests)[(count)++] = (struct CMUnitTest){                   \
                .name = (rows)[row].name,                           \
                .test_func = (function),                            \
                .initial_state = (void *)(uintptr_t) & (rows)[row], \
        };                                                          \
    }

#define ADD_TEST(tests, count, function) \
    (tests)[(count)++] = (struct CMUnitTest)cmocka_unit_test(function)

#endif
