/* test_resp.c - commands as RESP bytes: the same as those of hiredis' own formatter.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/resp.h"

#include "tests/support/rows.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

static void
assert_bytes(const struct buffer *buffer, const char *want, size_t size)
{
    assert_int_equal(buffer->size, size);
    assert_memory_equal(buffer->data, want, size);
}

static void
test_words_are_counted_and_sized(void **state)
{
    struct buffer out = {0};

    (void)state;
    resp_command(&out, "SET", "key", "", NULL);
    assert_bytes(&out, "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n", 28);
    buffer_fini(&out);
}

static void
test_pair_is_one_word(void **state)
{
    struct buffer out = {0};

    (void)state;
    resp_begin(&out, 1);
    resp_put_pair(&out, span_of("rw:"), span_of("meta"));
    assert_bytes(&out, "*1\r\n$7\r\nrw:meta\r\n", 17);
    buffer_fini(&out);
}

static void
test_numbers_at_their_edges(void **state)
{
    struct buffer out = {0};
    const char want[] = "$1\r\n0\r\n$20\r\n18446744073709551615\r\n$20\r\n-9223372036854775808\r\n"
                        "$19\r\n9223372036854775807\r\n$2\r\n-1\r\n";

    (void)state;
    resp_put_unsigned(&out, 0);
    resp_put_unsigned(&out, UINT64_MAX);
    resp_put_signed(&out, INT64_MIN);
    resp_put_signed(&out, INT64_MAX);
    resp_put_signed(&out, -1);
    assert_bytes(&out, want, sizeof(want) - 1);
    buffer_fini(&out);
}

/* Property: any words, of any bytes, as hiredis writes them. */
static void
test_same_as_hiredis(void **state)
{
    unsigned seed = 20261;
    uint8_t bytes[8][64];
    const char *words[8];
    size_t sizes[8];

    (void)state;
    print_message("seed %u\n", seed);
    for (int round = 0; round < 1000; round++) {
        const int count = 1 + rand_r(&seed) % 8;
        struct buffer out = {0};
        char *want = NULL;

        resp_begin(&out, (size_t)count);
        for (int i = 0; i < count; i++) {
            sizes[i] = (size_t)rand_r(&seed) % sizeof(bytes[i]);
            for (size_t j = 0; j < sizes[i]; j++) {
                bytes[i][j] = (uint8_t)rand_r(&seed);
            }
            words[i] = (const char *)bytes[i];
            resp_put(&out, (struct span){bytes[i], sizes[i]});
        }
        const int size = (int)redisFormatCommandArgv(&want, count, words, sizes);

        assert_bytes(&out, want, (size_t)size);
        redisFreeCommand(want);
        buffer_fini(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_words_are_counted_and_sized),
            cmocka_unit_test(test_pair_is_one_word),
            cmocka_unit_test(test_numbers_at_their_edges),
            cmocka_unit_test(test_same_as_hiredis),
    };
    return cmocka_run_group_tests_name("resp", tests, NULL, NULL);
}
