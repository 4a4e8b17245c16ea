/* config_evidence.c - the key `evidence`: what is known where events are silent.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/config_list.h"

#include "aggregator/decision.h"

#define EVIDENCE_MAX 10000
#define AT(member) offsetof(struct configured_evidence, member)

static const struct configured_evidence initial = {
        .pricing_source_checked_at_ms = TIME_NULL, .access_date = DATE_NULL};

static const struct config_member members[] = {
        {"owner_tag", MEMBER_TEXT, AT(owner), 0},
        {"budget_bucket", MEMBER_TEXT, AT(bucket), 0},
        {"unit_metric", MEMBER_TEXT, AT(unit_metric), 0},
        {"source_urls", MEMBER_URLS, AT(source_urls), AT(source_url_count)},
        {"access_date", MEMBER_DATE, AT(access_date), 0},
        {"pricing_source_checked_at", MEMBER_TIME, AT(pricing_source_checked_at_ms), 0},
        {"allocation_rule_checked", MEMBER_BOOL, AT(allocation_rule_checked), 0},
};

static const char docs[] =
        "\n"
        "Each map may hold `owner_tag` and `budget_bucket` (those it is for; neither: all), and "
        "of\n"
        "`unit_metric`, `source_urls` (a list of at most 8; user, query and fragment are cut "
        "off),\n"
        "`access_date`, `pricing_source_checked_at` and `allocation_rule_checked` what is known:\n"
        "\n"
        "```yaml\n"
        "evidence:\n"
        "  - owner_tag: checkout\n"
        "    unit_metric: tokens\n"
        "    source_urls: [https://docs.example.com/pricing]\n"
        "    access_date: 2026-03-01\n"
        "    pricing_source_checked_at: 2026-03-01T09:00:00Z\n"
        "    allocation_rule_checked: true\n"
        "```\n";

const struct config_list config_evidence = {
        .name = "evidence",
        .max = EVIDENCE_MAX,
        .entry_size = sizeof(struct configured_evidence),
        .entries_offset = offsetof(struct config, evidence),
        .count_offset = offsetof(struct config, evidence_count),
        .initial = &initial,
        .members = members,
        .member_count = sizeof(members) / sizeof(members[0]),
        .docs = docs,
};
