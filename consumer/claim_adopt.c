/* claim_adopt.c - one partition that this instance holds: what Redis lost after it was published.
 *
 * What was published stands. So the groups that were published since take the state that their
 * last review carries, and up to where that was, records are counted again but nothing is
 * evaluated: all that it gave is published (docs/delivery.md).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/decoder.h"
#include "consumer/claim.h"
#include "consumer/log.h"

#include <inttypes.h>
#include <stdlib.h>

#define CLOCKS_APART_MS (INT64_C(3600) * 1000) /* between this machine and the brokers, at most */

/* The published records with serials first..last, as they are found. */
struct adoption {
    struct claim *claim;
    const struct position_origin *origin;
    uint64_t first, last;
    struct position_header *headers; /* headers[serial - first]; serial 0: not found yet */
    struct buffer *values;           /* values[serial - first]: of a review, as published */
    size_t found;
};

static size_t
wanted(const struct adoption *adoption)
{
    return (size_t)(adoption->last - adoption->first + 1);
}

static enum status
visit_published(void *context, struct span position, struct span value, struct error *error)
{
    struct adoption *adoption = context;
    struct position_header header = {0};
    bool ours = false;
    const enum status status = position_parse(position, adoption->origin, &header, &ours, error);

    if (status != STATUS_OK || !ours) {
        return status;
    }
    if (header.partition == adoption->claim->partition && header.serial >= adoption->first &&
            header.serial <= adoption->last &&
            adoption->headers[header.serial - adoption->first].serial == 0) {
        adoption->headers[header.serial - adoption->first] = header;
        if (header.is_review) {
            buffer_put(&adoption->values[header.serial - adoption->first], value.data, value.size);
        }
        adoption->found += 1;
    } else {
        position_header_fini(&header);
    }
    return STATUS_OK;
}

/* Since shortly before Redis knew for the last time, and if that is too late, all there is. */
static enum status
read_published(
        struct adoption *adoption, struct readback *readback, bool rebuilds, struct error *error)
{
    const int64_t from_ms = adoption->claim->applied.wall_ms - CLOCKS_APART_MS;
    enum status status = readback->ops->read(readback, from_ms, visit_published, adoption, error);

    if (status == STATUS_OK && adoption->found < wanted(adoption)) {
        status = readback->ops->read(readback, TIME_NULL, visit_published, adoption, error);
    }
    adoption->claim->lost_count = wanted(adoption) - adoption->found;
    if (status == STATUS_OK && adoption->found < wanted(adoption) && !rebuilds) {
        status = error_set(error, STATUS_REFUSED,
                "partition %" PRId32 ": Redis has lost its last writes, and of the %zu records "
                "published since, %zu are no longer in the output topics: " COUNT_ANEW,
                adoption->claim->partition, wanted(adoption), wanted(adoption) - adoption->found);
    }
    return status;
}

/* Reviews that were grouped in another way stay as they are: there is no such group any more. */
static bool
is_group(const struct span dimensions[DIM_COUNT], uint32_t group_by)
{
    bool same = true;

    for (size_t i = 0; i < DIM_COUNT; i++) {
        same = same && (dimensions[i].size != 0) == ((group_by >> i & 1) != 0);
    }
    return same;
}

static enum status
adopt_review(struct claim *claim, const struct position_header *header, struct error *error)
{
    struct span dimensions[DIM_COUNT];
    struct review review;
    struct evidence evidence;
    enum status status = dimensions_decode(buffer_span(&header->dimensions), dimensions, error);

    if (status == STATUS_OK && !is_group(dimensions, claim->options.group_by)) {
        partition_adopt_time(claim->fold, header->stream_ms);
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = review_state_decode(buffer_span(&header->review), &review, &evidence, error);
    }
    if (status == STATUS_OK) {
        partition_adopt_review(claim->fold, dimensions, &review);
        partition_adopt_time(claim->fold, header->stream_ms);
        review_fini(&review);
        evidence_fini(&evidence);
    }
    return status;
}

static void
adopt_verdict(struct claim *claim, const struct position_header *header)
{
    if (header->offset >= claim->applied.offset) {
        claim->passed = memory_grow(claim->passed, claim->passed_count, &claim->passed_capacity,
                sizeof(*claim->passed));
        claim->passed[claim->passed_count++] = header->offset;
    }
}

/* In the order of the serials, so that the last review of a group is the one that stays. */
static enum status
adopt_all(struct adoption *adoption, struct error *error)
{
    struct claim *claim = adoption->claim;
    int64_t quiet = partition_quiet(claim->fold);
    enum status status = STATUS_OK;

    for (size_t i = 0; i < wanted(adoption) && status == STATUS_OK; i++) {
        const struct position_header *header = &adoption->headers[i];

        if (header->serial == 0) {
            continue; /* lost */
        }
        if (header->is_review) {
            status = adopt_review(claim, header, error);
            quiet = header->offset - 1 > quiet ? header->offset - 1 : quiet;
        } else {
            adopt_verdict(claim, header);
        }
    }
    if (quiet >= claim->applied.offset) {
        partition_set_quiet(claim->fold, quiet);
    }
    return status;
}

/* Their views were lost with the state. Before the EXEC: if that fails they are shown again. */
static void
show_all(const struct adoption *adoption, const struct claim_context *context)
{
    for (size_t i = 0; i < wanted(adoption); i++) {
        if (adoption->headers[i].is_review) {
            context->show_review(context->show_context, buffer_span(&adoption->values[i]));
        }
    }
}

/* Whether a published record speaks for the same group, or gives the same verdict. */
static bool
is_superseded(const struct adoption *adoption, const struct position_header *pending)
{
    for (size_t i = 0; i < wanted(adoption); i++) {
        const struct position_header *header = &adoption->headers[i];

        if (header->serial != 0 && header->is_review == pending->is_review &&
                (pending->is_review ? span_equal(buffer_span(&header->dimensions),
                                              buffer_span(&pending->dimensions))
                                    : header->offset == pending->offset)) {
            return true;
        }
    }
    return false;
}

/* The headers of a pending record, with another serial in its rw-position. */
static void
renumber(const struct claim_record *record, const struct position_header *position,
        const struct position_origin *origin, struct buffer *headers)
{
    struct reader reader = reader_of(record->out.headers);
    struct span name, value;

    while (headers_next(&reader, &name, &value)) {
        if (span_equal(name, span_of("rw-position"))) {
            position_put(headers, origin, position);
        } else {
            char text[64] = {0};

            memcpy(text, name.data, name.size < sizeof(text) ? name.size : sizeof(text) - 1);
            headers_put(headers, text, value);
        }
    }
}

static enum status
position_of(const struct claim_record *record, const struct position_origin *origin,
        struct position_header *position, struct error *error)
{
    struct reader reader = reader_of(record->out.headers);
    struct span name, value;
    bool ours = false;

    while (headers_next(&reader, &name, &value)) {
        if (span_equal(name, span_of("rw-position"))) {
            const enum status status = position_parse(value, origin, position, &ours, error);

            if (status != STATUS_OK || ours) {
                return status;
            }
        }
    }
    return error_set(error, STATUS_REFUSED,
            "pending serial %" PRIu64 " has no position: " COUNT_ANEW, record->serial);
}

/* What is pending and was never published goes on, with serials above the cursor. */
static enum status
keep_pending(const struct adoption *adoption, struct claim_records *kept, struct error *error)
{
    const struct claim *claim = adoption->claim;

    for (size_t i = 0; i < claim->pending.count; i++) {
        const struct claim_record *record = &claim->pending.items[i];
        struct position_header position = {0};
        const enum status status = position_of(record, adoption->origin, &position, error);

        if (status != STATUS_OK) {
            return status;
        }
        if (!is_superseded(adoption, &position)) {
            struct claim_record copy = *record;
            struct buffer headers = {0};

            copy.serial = position.serial = claim->cursor.serial + kept->count + 1;
            renumber(record, &position, adoption->origin, &headers);
            record_own(&copy, record->out.key, record->out.value, buffer_span(&headers));
            records_add(kept, copy);
            buffer_fini(&headers);
        }
        position_header_fini(&position);
    }
    return STATUS_OK;
}

enum status
claim_adopt(
        struct claim *claim, struct claim_context *context, int64_t wall_ms, struct error *error)
{
    const struct claim_record *pending =
            claim->pending.count != 0 ? &claim->pending.items[0] : NULL;
    struct adoption adoption = {
            .claim = claim,
            .origin = &context->origin,
            .first = (pending != NULL ? pending->serial : claim->applied.serial + 1),
            .last = claim->cursor.serial,
    };
    struct claim_records kept = {0};
    enum status status;

    adoption.headers = memory_new(wanted(&adoption), sizeof(*adoption.headers));
    adoption.values = memory_new(wanted(&adoption), sizeof(*adoption.values));
    status = read_published(&adoption, context->readback, context->rebuild != REBUILD_NONE, error);
    if (status == STATUS_OK) {
        status = keep_pending(&adoption, &kept, error);
    }
    if (status == STATUS_OK) {
        status = adopt_all(&adoption, error);
    }
    if (status == STATUS_OK) {
        log_warn("adopt",
                "partition=%" PRId32 " from_serial=%" PRIu64 " to_serial=%" PRIu64 " kept=%zu "
                "lost=%zu text=\"%s; what was published stands\"",
                claim->partition, adoption.first, adoption.last, kept.count, claim->lost_count,
                context->rebuild != REBUILD_NONE ? "counted anew"
                                                 : "Redis had lost its last writes");
        show_all(&adoption, context);
        status = claim_exec_adopted(claim, context, wall_ms, &kept, error);
    }
    for (size_t i = 0; i < wanted(&adoption); i++) {
        position_header_fini(&adoption.headers[i]);
        buffer_fini(&adoption.values[i]);
    }
    free(adoption.values);
    free(adoption.headers);
    return status;
}

/* ---- counting anew ----------------------------------------------------------------------------
 */

struct verdicts {
    struct claim *claim;
    const struct position_origin *origin;
};

static enum status
visit_verdict(void *context, struct span position, struct span value, struct error *error)
{
    const struct verdicts *verdicts = context;
    struct position_header header = {0};
    bool ours = false;
    const enum status status = position_parse(position, verdicts->origin, &header, &ours, error);

    (void)value;
    if (status == STATUS_OK && ours) {
        if (!header.is_review && header.partition == verdicts->claim->partition) {
            adopt_verdict(verdicts->claim, &header);
        }
        position_header_fini(&header);
    }
    return status;
}

enum status
claim_skip_verdicts(struct claim *claim, struct claim_context *context, struct error *error)
{
    struct verdicts verdicts = {claim, &context->origin};

    return context->readback->ops->read(
            context->readback, TIME_NULL, visit_verdict, &verdicts, error);
}
