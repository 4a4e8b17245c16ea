/* check.c - what a reader sees at the end of a simulated history, against its whole input.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/history.h"
#include "tests/simulation/world_internal.h"

#include "codec/review_codec.h"
#include "consumer/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define REVIEWS_MAX 400

/* ---- outputs --------------------------------------------------------------------------------- */

/* The next record of this topic and input partition; of reviews, the first with its serial. */
static const struct world_output *
next_output(const struct world *world, enum out_topic topic, int32_t p, size_t *from)
{
    while (*from < world->output_count) {
        const struct world_output *output = &world->outputs[(*from)++];
        bool repeated = false;

        for (const struct world_output *earlier = world->outputs;
                topic == OUT_REVIEWS && earlier < output && !repeated; earlier++) {
            repeated = earlier->partition == p && earlier->serial == output->serial;
        }
        if (output->topic == topic && output->partition == p && !repeated) {
            return output;
        }
    }
    return NULL;
}

static bool
rejects_offset(const struct world_output *output, size_t offset)
{
    struct reader headers = reader_of(buffer_span(&output->headers));
    struct span name, value;
    char text[24];

    snprintf(text, sizeof(text), "%zu", offset);
    while (headers_next(&headers, &name, &value)) {
        if (span_equal(name, span_of("offset"))) {
            return span_equal(value, span_of(text));
        }
    }
    return false;
}

static int
times_rejected(const struct world *world, int32_t p, size_t offset)
{
    const struct world_output *output;
    size_t from = 0;
    int times = 0;

    while ((output = next_output(world, OUT_REJECTED, p, &from)) != NULL) {
        times += rejects_offset(output, offset);
    }
    return times;
}

static void
check_rejected(struct world *world, int32_t p)
{
    const bool may_repeat = world->config->delivery == DELIVERY_AT_LEAST_ONCE;

    for (size_t i = 0; i < world->logs[p].count; i++) {
        const enum record_fate fate = world->logs[p].records[i].fate;
        const int least = fate == RECORD_INVALID && !world->refused ? 1 : 0;
        const int most = fate == RECORD_VALID                 ? 0
                         : may_repeat || world->rejects_again ? INT32_MAX
                                                              : 1;
        const int times = times_rejected(world, p, i);

        if (times < least || times > most) {
            world_fail(world, "partition %d: offset %zu was rejected %d times", p, i, times);
        }
    }
}

/* ---- what should have come of it --------------------------------------------------------------
 */

static struct decisions *
all_decisions(const struct world *world)
{
    struct decisions *decisions = decisions_new();
    struct arena arena;
    struct error error;

    arena_init(&arena);
    for (size_t i = 0; i < world->decision_count; i++) {
        const struct decision_record record = {
                .timestamp_ms = world->decisions[i].put_ms,
                .value = span_of(world->decisions[i].json),
        };

        (void)!decision_accept(decisions, &world->config->rule, &record, &arena, &error);
    }
    arena_fini(&arena);
    return decisions;
}

static void
fold_record(struct world *world, int32_t p, size_t offset, struct partition *fold,
        struct decoder *decoder, struct arena *arena)
{
    const struct world_record *record = &world->logs[p].records[offset];
    const struct span value = record->is_null ? SPAN_NULL : buffer_span(&record->value);
    struct outcome outcome;
    struct error error;
    int64_t id = 0;

    partition_record(fold, (int64_t)offset, record->timestamp_ms);
    if (record->fate == RECORD_INVALID ||
            (record->fate == RECORD_EITHER && times_rejected(world, p, offset) != 0)) {
        return;
    }
    if (decoder_decode(decoder, value, arena, &outcome, &id, &error) != STATUS_OK) {
        abort();
    }
    partition_count(fold, &outcome);
    arena_reset(arena);
}

/* The same log, folded at once by one partition that nothing ever happened to. */
static struct partition *
reference(struct world *world, int32_t p, struct partition_options *options,
        struct decisions *decisions)
{
    const struct decoder_options decoding = {
            .format = world->config->input.format,
            .fetch = world->config->input.format == FORMAT_AVRO ? world_fetch_known : NULL,
            .record_bytes_max = (size_t)world->config->record_bytes,
    };
    struct decoder *decoder = NULL;
    struct error error = {0};
    struct arena arena;
    struct partition *fold;

    *options = (struct partition_options){
            .topic = world->config->topics.outcomes,
            .partition = p,
            .rule = &world->config->rule,
            .limits = &world->config->limits,
            .group_by = world->config->group_by,
            .decisions = decisions,
            .config_version = world->config->version,
            .digest = digest_sha256,
    };
    fold = partition_new(options);
    arena_init(&arena);
    if (decoder_new(&decoding, &decoder, &error) != STATUS_OK) {
        abort();
    }
    for (size_t i = 0; i < world->logs[p].count; i++) {
        fold_record(world, p, i, fold, decoder, &arena);
    }
    partition_tick(fold, world->wall_ms);
    decoder_destroy(decoder);
    arena_fini(&arena);
    return fold;
}

/* ---- counters -------------------------------------------------------------------------------- */

/* The number under which the store knows a series or group; UINT64_MAX when it does not. */
static uint64_t
stored_number(const struct world_state *state, const char *map, const struct span *dimensions)
{
    struct buffer packed = {0};
    uint64_t number = UINT64_MAX;

    dimensions_encode(dimensions, &packed);
    for (size_t i = 0; i < state->count && number == UINT64_MAX; i++) {
        if (strcmp(state->fields[i].map, map) == 0 &&
                span_equal(buffer_span(&state->fields[i].value), buffer_span(&packed))) {
            number = strtoull(state->fields[i].field, NULL, 10);
        }
    }
    buffer_fini(&packed);
    return number;
}

/* What the reference has counted in slots, by the names that it gave numbers to. */
struct slots_check {
    char kind;            /* of the maps: m or h */
    const char *name_map; /* "series" or "groups" */
    const struct slot_change *slots;
    size_t count;
    const struct name_change *names;
    size_t name_count;
};

static void
check_slots(struct world *world, int32_t p, const struct slots_check *check)
{
    const struct world_state *state = &world->states[p];
    size_t stored = 0;

    for (size_t i = 0; i < check->count; i++) {
        const struct slot_change *slot = &check->slots[i];
        const struct world_field *field;
        size_t name = 0;
        char map[32];

        while (name < check->name_count && check->names[name].number != slot->number) {
            name++;
        }
        snprintf(map, sizeof(map), "%c:%" PRId64, check->kind, slot->slot);
        field = state_field(
                state, map, stored_number(state, check->name_map, check->names[name].dimensions));
        if (field == NULL || !span_equal(buffer_span(&field->value), slot->packed)) {
            world_fail(world, "partition %d: %s of %" PRIu64 " %s", p, map, slot->number,
                    field == NULL ? "is missing" : "differs");
        }
    }
    for (size_t i = 0; i < state->count; i++) {
        stored += state->fields[i].map[0] == check->kind && state->fields[i].map[1] == ':';
    }
    if (stored != check->count) {
        world_fail(world, "partition %d: %zu slots %c are stored, not %zu", p, stored, check->kind,
                check->count);
    }
}

/* ---- reviews --------------------------------------------------------------------------------- */

static void
check_reviews(struct world *world, int32_t p, const struct partition_changes *changes)
{
    struct buffer want = {0};
    size_t from = 0;

    for (size_t i = 0; i < changes->publication_count; i++) {
        const struct world_output *output = next_output(world, OUT_REVIEWS, p, &from);

        buffer_clear(&want);
        review_encode(&changes->publications[i].packet, REVIEW_SCHEMA_ID_DEFAULT, &want);
        if (output == NULL) {
            world_fail(world, "partition %d: review %zu of %zu was not published", p, i + 1,
                    changes->publication_count);
            break;
        }
        if (!span_equal(buffer_span(&output->value), buffer_span(&want))) {
            world_fail(world, "partition %d: review %zu is another than it should be", p, i + 1);
            break;
        }
    }
    if (next_output(world, OUT_REVIEWS, p, &from) != NULL) {
        world_fail(world, "partition %d: more than %zu reviews were published", p,
                changes->publication_count);
    }
    buffer_fini(&want);
}

/* The last that a reader saw of one review. */
struct seen_review {
    char id[REVIEW_ID_SIZE + 1];
    char status[16];
    int64_t generation, sequence;
};

static bool
is_one_of(const char *text, const char *list)
{
    const char *found = strstr(list, text);

    return text[0] != '\0' && found != NULL;
}

/* Whether this status may come after that one; "" is the beginning. Where roles have changed back,
 * a state whose T is far ahead may adopt a review that was opened in the other history: the minutes
 * at which it would have been repeated are closed already. */
static bool
may_follow(const struct world *world, const char *status, const char *before)
{
    static const struct {
        const char *status, *before;
    } rows[] = {
            {"reopened", "decided resolved"},
            {"repeated", "open reopened repeated"},
            {"escalated", "repeated escalated"},
            {"decided", "open reopened repeated escalated decided"},
            {"resolved", "open reopened repeated escalated decided"},
    };

    if (world->changed_roles && strcmp(status, "escalated") == 0) {
        return is_one_of(before, "open reopened repeated escalated");
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(status, rows[i].status) == 0) {
            return is_one_of(before, rows[i].before);
        }
    }
    return before[0] == '\0'; /* open */
}

static void
check_next(struct world *world, int32_t p, struct seen_review *seen, const json_t *review)
{
    const char *status = json_string_value(json_object_get(review, "status"));
    const int64_t sequence = json_integer_value(json_object_get(review, "sequence"));
    const int64_t generation = json_integer_value(json_object_get(review, "generation"));
    const bool opens = strcmp(status, "open") == 0 || strcmp(status, "reopened") == 0;

    if (sequence != seen->sequence + 1 || !may_follow(world, status, seen->status) ||
            generation < seen->generation + opens || (!opens && generation != seen->generation)) {
        world_fail(world,
                "partition %d: review %.8s: %s (generation %" PRId64 ", sequence %" PRId64
                ") after %s (%" PRId64 ", %" PRId64 ")",
                p, seen->id, status, generation, sequence, seen->status, seen->generation,
                seen->sequence);
    }
    snprintf(seen->status, sizeof(seen->status), "%s", status);
    seen->sequence = sequence;
    seen->generation = generation;
}

static struct seen_review *
find_seen(struct seen_review *seen, size_t *count, const char *id)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(seen[i].id, id) == 0) {
            return &seen[i];
        }
    }
    if (*count == REVIEWS_MAX) {
        abort();
    }
    snprintf(seen[*count].id, sizeof(seen[*count].id), "%s", id);
    return &seen[(*count)++];
}

/* What holds also where time or a loss has decided what was published: a review's events follow
 * one another without gap or repetition, and after the last silence all are resolved. */
static void
check_lives(struct world *world, int32_t p, struct outcome_of_history *outcome)
{
    struct seen_review *seen = memory_new(REVIEWS_MAX, sizeof(*seen));
    const struct world_output *output;
    size_t count = 0;
    size_t from = 0;

    while ((output = next_output(world, OUT_REVIEWS, p, &from)) != NULL) {
        json_t *review = NULL;
        struct error error;

        if (review_decode(buffer_span(&output->value), &review, &error) != STATUS_OK) {
            world_fail(world, "partition %d: %s", p, error.text);
            break;
        }

        struct seen_review *one =
                find_seen(seen, &count, json_string_value(json_object_get(review, "review_id")));

        check_next(world, p, one, review);
        outcome->reviews += 1;
        outcome->decided += strcmp(one->status, "decided") == 0;
        json_decref(review);
    }
    for (size_t i = 0; i < count && !world->refused; i++) {
        if (strcmp(seen[i].status, "resolved") != 0) {
            world_fail(world, "partition %d: review %.8s is %s at the end", p, seen[i].id,
                    seen[i].status);
        }
    }
    free(seen);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void
check_partition(struct world *world, const struct flavour *flavour, int32_t p)
{
    struct decisions *decisions = all_decisions(world);
    struct partition_options options;
    struct partition *fold = reference(world, p, &options, decisions);
    const struct partition_changes *changes = partition_changes(fold);

    check_slots(world, p,
            &(struct slots_check){'m', "series", changes->minutes, changes->minute_count,
                    changes->series, changes->series_count});
    check_slots(world, p,
            &(struct slots_check){'h', "groups", changes->half_hours, changes->half_hour_count,
                    changes->groups, changes->group_count});
    /* What Redis has lost and nobody has published may be decided again, differently. */
    if (flavour->decisions != DECISIONS_ANY_TIME && !world->lost_writes) {
        check_reviews(world, p, changes);
    }
    partition_destroy(fold);
    decisions_destroy(decisions);
}

void
check_world(struct world *world, const struct flavour *flavour, struct outcome_of_history *outcome)
{
    if (world->must_refuse && !world->refused) {
        world_fail(world, "went on although Redis was emptied");
    }
    for (int32_t p = 0; p < world->partition_count && !world->failed; p++) {
        check_rejected(world, p);
        check_lives(world, p, outcome);
        if (!world->refused) {
            check_partition(world, flavour, p);
        }
    }
}
