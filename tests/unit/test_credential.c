/* test_credential.c - what is taken for a credential, and what is not.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/credential.h"
#include "tests/support/rows.h"

#include <stdlib.h>

/* None of these has ever opened anything; parts are joined so that no scanner takes fright. */
static const struct row {
    const char *name;
    const char *text;
    const char *want; /* part of what is said; NULL: nothing is found */
} rows[] = {
        {"API key",
                "rotated sk-"
                "abc123def456, try again",
                "sk-"},
        {"API key of a project",
                "key sk-"
                "proj-Ab3dEf6hIj9k",
                "sk-"},
        {"API key alone",
                "sk-"
                "abcdef",
                "sk-"},
        {"AWS",
                "(AK"
                "IAIOSFODNN7EXAMPLE)",
                "AWS"},
        {"Google",
                "AI"
                "zaSyA0123456789abcdefghijklmnopqrstu",
                "Google"},
        {"GitHub",
                "gh"
                "p_0123456789abcdefghij",
                "GitHub"},
        {"Slack",
                "xox"
                "b-123456789012-abcdef",
                "Slack"},
        {"private key",
                "-----BE"
                "GIN RSA PRIVATE KEY-----",
                "private key"},
        {"bearer", "send Bearer abc123def", "bearer"},
        {"bearer in small letters", "bearer abcdefghijklmnopq", "bearer"},
        {"authorization", "Authorization: hunter", "secret with its name"},
        {"password", "password=x1", "secret with its name"},
        {"JSON password", "{\"password\": \"hunter2\"}", "secret with its name"},
        {"token with its name", "token: 12ab", "secret with its name"},
        {"web token",
                "eyJ"
                "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig",
                "JSON Web Token"},
        {"user info", "see https://me:pass@example.com/x", "URL with a password"},
        {"32 hex digits", "key 0f3a9c1d7b2e4f60a1b2c3d4e5f60718", "random"},
        {"base62", "use Zk3v9QpL2xT8mB4nR7wY1c", "random"},
        {"base64", "Zm9vYmFy+Q29t/cGxleDEy3RleHQ5", "random"},

        {"empty", "", NULL},
        {"prose", "the new client backs off; rollout ends on Friday", NULL},
        {"bearer as a word", "we rotate bearer tokens on Monday", NULL},
        {"basic as a word", "a basic assumption was wrong", NULL},
        {"token as a word", "token: see the runbook", NULL},
        {"a library", "sk-learn is pinned", NULL},
        {"a task", "task-force-of-the-week", NULL},
        {"a continent", "Asia traffic only", NULL},
        {"a link", "https://docs.example.com/en/rate-limits-and-retries-2026-guide", NULL},
        {"a ticket", "FINOPS-12345 approved by ana@example.com", NULL},
        {"a UUID", "trace 1b4e28ba-2fa1-11d2-883f-0016d3cca427", NULL},
        {"a time", "until 2026-09-26T18:00:00Z", NULL},
        {"a camel", "adjustRequestClassificationForBatchJobsOf2026", NULL},
        {"a short commit", "fixed in 1a2b3c4d5e6f", NULL},
        {"not ASCII", "größer als 20 %, überprüft", NULL},
};

static void
test_row(void **state)
{
    const struct row *row = *state;
    const char *what = credential_find(span_of(row->text));

    if (row->want == NULL) {
        assert_null(what);
    } else {
        assert_non_null(what);
        assert_non_null(strstr(what, row->want));
    }
}

static void
test_tags_may_be_random(void **state)
{
    (void)state;
    assert_null(credential_find_known(span_of("team-0f3a9c1d7b2e4f60a1b2c3d4e5f60718")));
    assert_non_null(credential_find_known(span_of("sk-"
                                                  "abc123def456")));
}

/* Never looks beyond the end, wherever the text is cut. */
static void
test_any_cut(void **state)
{
    (void)state;
    for (size_t r = 0; r < COUNT_OF(rows); r++) {
        for (size_t size = 0; size <= strlen(rows[r].text); size++) {
            uint8_t *copy = malloc(size + 1);

            memcpy(copy, rows[r].text, size);
            (void)credential_find((struct span){copy, size});
            free(copy);
        }
    }
}

int
main(void)
{
    struct CMUnitTest tests[COUNT_OF(rows) + 2];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                .test_func = test_row,
                .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    tests[COUNT_OF(rows)] = (struct CMUnitTest)cmocka_unit_test(test_tags_may_be_random);
    tests[COUNT_OF(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(test_any_cut);
    return cmocka_run_group_tests_name("credential", tests, NULL, NULL);
}
