/* test_digest.c - SHA-256, HMAC and the clock, against what is known of them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/clock.h"
#include "consumer/digest.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
assert_hex(const uint8_t digest[DIGEST_SIZE], const char *want)
{
    char hex[2 * DIGEST_SIZE + 1];

    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    assert_string_equal(hex, want);
}

static void
assert_digest(const char *text, const char *want)
{
    uint8_t digest[DIGEST_SIZE];

    digest_sha256(text, strlen(text), digest);
    assert_hex(digest, want);
}

/* Source: FIPS 180-4, examples; the empty message. */
static void
test_known_digests(void **state)
{
    (void)state;
    assert_digest("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void
assert_hmac(const char *key, size_t key_size, const char *text, const char *want)
{
    uint8_t digest[DIGEST_SIZE];

    digest_hmac_sha256(key, key_size, text, strlen(text), digest);
    assert_hex(digest, want);
}

/* Source: RFC 4231, test cases 1, 2 and 6 (a key longer than a block). */
static void
test_known_hmacs(void **state)
{
    char key[131];

    (void)state;
    memset(key, 0x0b, 20);
    assert_hmac(key, 20, "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hmac("Jefe", 4, "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    assert_hmac(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void
test_clock_moves_on(void **state)
{
    (void)state;

    const int64_t before = clock_system.monotonic_ms(&clock_system);

    clock_system.sleep_ms(&clock_system, 20);
    clock_system.sleep_ms(&clock_system, -1);
    assert_true(clock_system.monotonic_ms(&clock_system) - before >= 19);
    /* After 2020: the wall clock counts from the epoch, in ms. */
    assert_true(clock_system.wall_ms(&clock_system) > INT64_C(1577836800000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_known_digests),
            cmocka_unit_test(test_known_hmacs),
            cmocka_unit_test(test_clock_moves_on),
    };

    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
