/* test_url.c - source URLs lose user info, query and fragment.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct row {
    const char *name;
    const char *url;
    const char *want; /* NULL: left out */
} rows[] = {
        {"nothing to cut", "https://docs.example.com/limits", "https://docs.example.com/limits"},
        {"host alone", "https://docs.example.com", "https://docs.example.com"},
        {"query", "https://docs.example.com/a?key=s3cret", "https://docs.example.com/a"},
        {"fragment", "https://docs.example.com/a#access_token=s", "https://docs.example.com/a"},
        {"query after the host", "https://docs.example.com?k=s", "https://docs.example.com"},
        {"fragment before question mark", "https://h/a#b?c", "https://h/a"},
        {"user", "https://ana@h/a", "https://h/a"},
        {"user and password", "https://ana:pw@h/a?b", "https://h/a"},
        {"password with an at sign", "https://ana:p@w@h/a", "https://h/a"},
        {"password with a question mark", "https://ana:p?w@h/a", NULL},
        {"password with a slash", "https://ana:p/w@h/a", NULL},
        {"port", "https://ana:pw@h:8443/a", "https://h:8443/a"},
        {"port that is none", "https://h:pw/a", NULL},
        {"two colons", "https://h:pw:80/a", NULL},
        {"IPv6", "https://u@[2001:db8::1]:443/a", "https://[2001:db8::1]:443/a"},
        {"IPv6 without port", "https://[2001:db8::1]/a", "https://[2001:db8::1]/a"},
        {"at sign in the path", "https://h/@ana/post", "https://h/@ana/post"},
        {"backslashes", "https:\\\\u:pw@h\\a", "https:\\\\h\\a"},
        {"one slash", "https:/u:pw@h/a", "https:/h/a"},
        {"no scheme", "u:pw@docs.example.com/a?b", "docs.example.com/a"},
        {"no scheme, no user", "docs.example.com/a", "docs.example.com/a"},
        {"scheme left out", "//u:pw@h/a", "//h/a"},
        {"user without host", "https://u:pw@", NULL},
        {"query alone", "?token=s", NULL},
        {"scheme alone", "https://", NULL},
        {"slashes alone", "https://////////////////////", NULL},
        {"empty", "", NULL},
};

static void
test_row(void **state)
{
    const struct row *row = *state;
    struct arena arena;

    arena_init(&arena);

    const struct span got = url_strip(span_of(row->url), &arena);

    if (row->want == NULL) {
        assert_null(got.data);
    } else {
        assert_non_null(got.data);
        assert_int_equal(got.size, strlen(row->want));
        assert_memory_equal(got.data, row->want, got.size);
    }
    arena_fini(&arena);
}

static void
test_null(void **state)
{
    (void)state;
    assert_null(url_strip(SPAN_NULL, NULL).data);
}

/* size bytes of rest after the scheme, the one at a place changed. */
static void
check_scheme(const char *rest, size_t size, size_t at, char byte)
{
    static const char *const schemes[2] = {"https", "gopher"};
    struct span got[2];
    uint8_t *urls[2];
    struct arena arena;

    arena_init(&arena);
    for (int i = 0; i < 2; i++) {
        const size_t scheme = strlen(schemes[i]);

        urls[i] = malloc(scheme + size); /* exactly, for a sanitizer */
        memcpy(urls[i], schemes[i], scheme);
        memcpy(urls[i] + scheme, rest, size);
        urls[i][scheme + at] = (uint8_t)byte;
        got[i] = url_strip((struct span){urls[i], scheme + size}, &arena);
    }
    assert_int_equal(got[0].data == NULL, got[1].data == NULL);
    if (got[0].data != NULL && got[0].data[0] == 'h') {
        assert_int_equal(got[0].size - 5, got[1].size - 6);
        assert_memory_equal(got[0].data + 5, got[1].data + 6, got[0].size - 5);
    }
    free(urls[0]);
    free(urls[1]);
    arena_fini(&arena);
}

/* A URL is stripped as the same one of another scheme is, which gets no look at 16 bytes at once:
 * of any size, and with any of the bytes that matter in any place. */
static void
test_scheme_makes_no_difference(void **state)
{
    static const char rest[] = "://docs.example.com/guides/rate/limits/of/ours";
    static const char odd[] = "?#@:\\/[";

    (void)state;
    for (size_t size = 0; size < sizeof(rest); size++) {
        for (size_t at = 0; at < size; at++) {
            for (const char *byte = odd; *byte != '\0'; byte++) {
                check_scheme(rest, size, at, *byte);
            }
        }
    }
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 2] = {
            cmocka_unit_test(test_null),
            cmocka_unit_test(test_scheme_makes_no_difference),
    };

    for (size_t i = 0; i < ROWS; i++) {
        tests[i + 2] = (struct CMUnitTest){
                .name = rows[i].name, .test_func = test_row, .initial_state = (void *)&rows[i]};
    }
    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
