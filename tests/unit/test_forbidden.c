/* test_forbidden.c - which foreign names could carry content, credentials or prices.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/forbidden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct row {
    const char *name;
    enum forbidden want;
} rows[] = {
        {"prompt", FORBIDDEN_CONTENT},
        {"messages", FORBIDDEN_CONTENT},
        {"gen_ai.input.messages", FORBIDDEN_CONTENT},
        {"responseBody", FORBIDDEN_CONTENT},
        {"RESPONSE", FORBIDDEN_CONTENT},
        {"completion", FORBIDDEN_CONTENT},
        {"content", FORBIDDEN_CONTENT},
        {"error_message", FORBIDDEN_CONTENT},
        {"error-message", FORBIDDEN_CONTENT},
        {"authorization", FORBIDDEN_CREDENTIAL},
        {"Authorization", FORBIDDEN_CREDENTIAL},
        {"api_key", FORBIDDEN_CREDENTIAL},
        {"apiKey", FORBIDDEN_CREDENTIAL},
        {"APIKey", FORBIDDEN_CREDENTIAL},
        {"x-api-key", FORBIDDEN_CREDENTIAL},
        {"user_api_key_hash", FORBIDDEN_CREDENTIAL},
        {"token", FORBIDDEN_CREDENTIAL},
        {"accessToken", FORBIDDEN_CREDENTIAL},
        {"client_secret", FORBIDDEN_CREDENTIAL},
        {"password", FORBIDDEN_CREDENTIAL},
        {"cost", FORBIDDEN_PRICE},
        {"response_cost", FORBIDDEN_PRICE},
        {"unitPrice", FORBIDDEN_PRICE},
        {"spend", FORBIDDEN_PRICE},
        {"balance", FORBIDDEN_PRICE},
        {"max_budget", FORBIDDEN_PRICE},
        {"budget_amount", FORBIDDEN_PRICE},
        {"prompt_tokens", FORBIDDEN_COUNT},
        {"token_count", FORBIDDEN_COUNT},
        {"total_tokens", FORBIDDEN_COUNT},
        {"response_code", FORBIDDEN_COUNT},
        {"message_id", FORBIDDEN_COUNT},
        {"content_length", FORBIDDEN_COUNT},
        {"costume", FORBIDDEN_COUNT},
        {"tokenizer", FORBIDDEN_COUNT},
        {"region", FORBIDDEN_COUNT},
        {"", FORBIDDEN_COUNT},
        {"_", FORBIDDEN_COUNT},
};

static void
test_row(void **state)
{
    const struct row *row = *state;

    assert_int_equal(forbidden_name(span_of(row->name)), row->want);
}

static void
test_long_name(void **state)
{
    char name[4096];

    (void)state;
    memset(name, 'A', sizeof(name));
    assert_int_equal(forbidden_name((struct span){(uint8_t *)name, sizeof(name)}), FORBIDDEN_COUNT);
}

int
main(void)
{
    struct CMUnitTest tests[ROWS + 1] = {cmocka_unit_test(test_long_name)};

    for (size_t i = 0; i < ROWS; i++) {
        tests[i + 1] = (struct CMUnitTest){
                .name = rows[i].name, .test_func = test_row, .initial_state = (void *)&rows[i]};
    }
    return cmocka_run_group_tests_name("forbidden", tests, NULL, NULL);
}
