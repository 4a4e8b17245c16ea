/* test_redis_space.c - how the keys of a namespace begin, and which one is in use.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/redis_space.h"

#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *
text_of(struct buffer *buffer)
{
    buffer_put_byte(buffer, '\0');
    return (const char *)buffer->data;
}

static void
test_keys(void **state)
{
    struct buffer first = {0};
    struct buffer second = {0};

    (void)state;
    redis_space_put(&first, "rw", "outcomes", 3, 1);
    redis_space_put(&second, "rw", "outcomes", 3, 2);
    assert_string_equal(text_of(&first), "rw:{outcomes:3}:");
    assert_string_equal(text_of(&second), "rw:{outcomes:3}@2:");
    buffer_fini(&first);
    buffer_fini(&second);
}

/* fnmatch() reads patterns as Redis does, as far as these go. */
static void
test_patterns(void **state)
{
    static const struct {
        uint64_t space;
        const char *prefix, *topic, *key;
        bool matches;
    } rows[] = {
            {1, "rw", "t", "rw:{t:0}:applied", true},
            {1, "rw", "t", "rw:{t:17}:m:29741280", true},
            {1, "rw", "t", "rw:{t:0}@2:applied", false},
            {1, "rw", "t", "rw:{tt:0}:applied", false},
            {1, "rw", "t", "rw:view:owner:{t:0}:", false},
            {1, "rw", "t", "rw:meta", false},
            {2, "rw", "t", "rw:{t:0}@2:applied", true},
            {2, "rw", "t", "rw:{t:0}@22:applied", false},
            {2, "rw", "t", "rw:{t:0}:applied", false},
            {1, "r?", "t[1]", "r?:{t[1]:0}:applied", true},
            {1, "r?", "t[1]", "rw:{t1:0}:applied", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buffer pattern = {0};

        redis_space_put_pattern(&pattern, rows[i].prefix, rows[i].topic, rows[i].space);
        assert_int_equal(fnmatch(text_of(&pattern), rows[i].key, 0) == 0, rows[i].matches);
        buffer_fini(&pattern);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_keys),
            cmocka_unit_test(test_patterns),
    };

    return cmocka_run_group_tests_name("redis_space", tests, NULL, NULL);
}
