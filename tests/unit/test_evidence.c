/* test_evidence.c - what a group remembers, and when a unit metric is mixed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/evidence.h"

#include "tests/support/default_rule.h"
#include "tests/support/rows.h"

static struct outcome
with_metric(const char *metric)
{
    struct outcome outcome;

    outcome_init(&outcome);
    if (metric != NULL) {
        outcome.unit_metric = span_of(metric);
    }
    return outcome;
}

static void
assert_metric(const struct evidence *evidence, int64_t minute, const char *want)
{
    const struct span metric = evidence_unit_metric(evidence, minute);

    assert_true(span_equal(metric, span_of(want)));
}

static void
test_unit_metric(void **state)
{
    (void)state;

    struct evidence evidence;
    struct outcome outcome = with_metric("tokens");

    evidence_init(&evidence);
    assert_null(evidence_unit_metric(&evidence, 100).data);
    assert_true(evidence_remember(&evidence, &outcome, evidence_hash(&outcome), 0, 100 * MINUTE));
    assert_metric(&evidence, 100, "tokens"); /* the first one is no change */
    assert_false(evidence_remember(&evidence, &outcome, evidence_hash(&outcome), 0, 101 * MINUTE));
    outcome = with_metric(NULL);
    assert_false(evidence_remember(&evidence, &outcome, evidence_hash(&outcome), 0, 101 * MINUTE));
    outcome = with_metric("");
    assert_false(evidence_remember(&evidence, &outcome, evidence_hash(&outcome), 0, 101 * MINUTE));
    assert_metric(&evidence, 101, "tokens");

    outcome = with_metric("images");
    assert_true(evidence_remember(
            &evidence, &outcome, evidence_hash(&outcome), 0, 103 * MINUTE - 1)); /* minute 102 */
    assert_metric(&evidence, 102, UNIT_METRIC_MIXED);
    assert_metric(&evidence, 161, UNIT_METRIC_MIXED);
    assert_metric(&evidence, 162, "images"); /* the change has left L */
    evidence_fini(&evidence);
}

static void
test_long_texts(void **state)
{
    (void)state;

    static char text[4096];
    struct evidence evidence;
    struct outcome outcome;

    memset(text, 'x', sizeof(text));
    outcome_init(&outcome);
    evidence_init(&evidence);
    outcome.unit_metric = (struct span){(const uint8_t *)text, 257};
    outcome.source_urls[0] = (struct span){(const uint8_t *)text, 2049};
    outcome.source_url_count = 1;
    assert_false(evidence_remember(&evidence, &outcome, evidence_hash(&outcome), 0, 0));
    outcome.unit_metric.size = 256;
    outcome.source_urls[0].size = 2048;
    assert_true(evidence_remember(&evidence, &outcome, evidence_hash(&outcome), 0, 0));
    assert_int_equal(evidence.unit_metric_size, 256);
    assert_int_equal(evidence.source_urls[0].size, 2048);
    evidence_fini(&evidence);
}

static void
test_source_urls(void **state)
{
    (void)state;

    static const char *const urls[] = {"a", "b", "a", "", "c", "d", "e", "f", "g", "h", "i"};
    struct evidence evidence;
    struct outcome outcome;

    evidence_init(&evidence);
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        outcome_init(&outcome);
        outcome.source_urls[0] = span_of(urls[i]);
        outcome.source_url_count = 1;

        const bool known = i == 2 || i == 3 || i == 10; /* twice, empty, the ninth */

        assert_int_equal(
                evidence_remember(&evidence, &outcome, evidence_hash(&outcome), 0, 0), !known);
    }
    assert_int_equal(evidence.source_url_count, 8);
    assert_int_equal(evidence.source_urls[0].data[0], 'a');
    assert_int_equal(evidence.source_urls[7].data[0], 'h');
    evidence_fini(&evidence);
    assert_int_equal(evidence.source_url_count, 0);
}

static bool
remember_date(struct evidence *evidence, int64_t checked_at, int64_t event)
{
    struct outcome outcome;

    outcome_init(&outcome);
    outcome.pricing_source_checked_at_ms = checked_at;
    return evidence_remember(evidence, &outcome, evidence_hash(&outcome), event, event);
}

static void
test_pricing_date(void **state)
{
    (void)state;

    struct evidence evidence;

    evidence_init(&evidence);
    assert_false(remember_date(&evidence, TIME_NULL, 10));
    assert_true(remember_date(&evidence, 5, 10));
    assert_int_equal(evidence.pricing_source_checked_at_ms, 5);
    assert_false(remember_date(&evidence, 5, 10)); /* the same */
    assert_false(remember_date(&evidence, 4, 10)); /* older */
    assert_true(remember_date(&evidence, 99, 11)); /* after the event: clamped to it */
    assert_int_equal(evidence.pricing_source_checked_at_ms, 11);
    assert_false(remember_date(&evidence, 99, 11));
    evidence_fini(&evidence);
}

static void
test_allocation_rule(void **state)
{
    (void)state;

    struct evidence evidence;
    struct outcome outcome;

    outcome_init(&outcome);
    evidence_init(&evidence);
    outcome.allocation_rule_id = (struct span){(const uint8_t *)"", 0};
    assert_false(evidence_remember(&evidence, &outcome, evidence_hash(&outcome), 0, 0));
    outcome.allocation_rule_id = span_of("r");
    assert_true(evidence_remember(&evidence, &outcome, evidence_hash(&outcome), 0, 0));
    assert_false(evidence_remember(&evidence, &outcome, evidence_hash(&outcome), 0, 0));
    assert_true(evidence.allocation_rule_seen);
    evidence_fini(&evidence);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_unit_metric),
            cmocka_unit_test(test_long_texts),
            cmocka_unit_test(test_source_urls),
            cmocka_unit_test(test_pricing_date),
            cmocka_unit_test(test_allocation_rule),
    };

    return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
