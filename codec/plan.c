/* plan.c - carries out the steps of a decode plan on the bytes of one event.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/bytes.h"
#include "codec/plan_steps.h"
#include "codec/url.h"
#include "codec/utf8.h"

#include <assert.h>
#include <stdlib.h>

/* One decoding. The functions below take the place to read at and return the place after what
 * they read, or NULL: then the machine holds why. */
struct machine {
    const struct plan *plan;
    const uint8_t *end;
    struct arena *arena;
    const char *why;           /* of a failure */
    const struct step *failed; /* of the outermost program */
    unsigned forbidden;
    int depth;
    struct decoded decoded;
};

static const uint8_t *run(struct machine *m, const struct step *step, const uint8_t *at);

static __attribute__((cold, noinline)) const uint8_t *
fail(struct machine *m, const char *why)
{
    m->why = why;
    return NULL;
}

static void *
place(struct machine *m, uint16_t offset)
{
    return (uint8_t *)&m->decoded + offset;
}

static inline int64_t
unzigzag(uint64_t bits)
{
    return (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
}

static __attribute__((noinline)) const uint8_t *
read_long_bytes(struct machine *m, const uint8_t *at, int64_t *value)
{
    uint64_t bits = 0;

    for (int shift = 0; shift < 70; shift += 7) {
        if (at == m->end) {
            return fail(m, "ends inside a number");
        }

        const uint8_t byte = *at++;

        /* Like Avro-C, drop what the tenth byte has beyond 64 bits. */
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = unzigzag(bits);
            return at;
        }
    }
    return fail(m, "number of more than 10 bytes");
}

/* A number of many bytes, such as a time of six: three steps push the groups of 7 bits together,
 * two, four and eight at once, where a loop would take a turn for each byte. */
static inline const uint8_t *
read_long_wide(struct machine *m, const uint8_t *at, int64_t *value)
{
    if (m->end - at < 8) {
        return read_long_bytes(m, at, value);
    }

    uint64_t bits = load64_little(at);
    const uint64_t ends = ~bits & HIGH_BITS; /* one for each byte that ends a number */

    if (ends == 0) {
        return read_long_bytes(m, at, value);
    }
    bits &= (ends ^ (ends - 1)) & ~HIGH_BITS; /* up to the first end */
    bits = (bits & UINT64_C(0x007f007f007f007f)) | (bits & UINT64_C(0x7f007f007f007f00)) >> 1;
    bits = (bits & UINT64_C(0x00003fff00003fff)) | (bits & UINT64_C(0x3fff00003fff0000)) >> 2;
    bits = (bits & UINT64_C(0x000000000fffffff)) | (bits & UINT64_C(0x0fffffff00000000)) >> 4;
    *value = unzigzag(bits);
    return at + __builtin_ctzll(ends) / 8 + 1;
}

static inline const uint8_t *
read_long(struct machine *m, const uint8_t *at, int64_t *value)
{
    if (LIKELY(at != m->end && *at < 0x80)) {
        *value = unzigzag(*at);
        return at + 1;
    }
    if (m->end - at >= 2 && at[1] < 0x80) { /* token counts */
        *value = unzigzag((uint64_t)(at[0] & 0x7f) | (uint64_t)at[1] << 7);
        return at + 2;
    }

    int64_t wide = 0; /* so that *value may stay in a register */

    at = read_long_bytes(m, at, &wide);
    *value = wide;
    return at;
}

static inline const uint8_t *
read_bytes(struct machine *m, const uint8_t *at, struct span *bytes)
{
    int64_t size = 0;

    at = read_long(m, at, &size);
    if (at == NULL) {
        return NULL;
    }
    if (size < 0 || size > m->end - at) {
        return fail(m, "text of more bytes than are left");
    }
    *bytes = (struct span){at, (size_t)size};
    return at + size;
}

/* Text of any size, up to the last byte. */
static __attribute__((noinline)) const uint8_t *
read_text_any(struct machine *m, const uint8_t *at, struct span *text)
{
    struct span bytes;

    at = read_bytes(m, at, &bytes);
    if (at == NULL) {
        return NULL;
    }
    if (!(bytes.size >= 16 && is_ascii_from_16(bytes.data, bytes.size)) && !utf8_valid(bytes)) {
        return fail(m, "text is not UTF-8");
    }
    *text = bytes;
    return at;
}

/* Nearly all text is ASCII, and its size takes one byte. More than 16 bytes are left, so that 16 of
 * text can be looked at whatever its size is. */
static inline const uint8_t *
read_text_inside(struct machine *m, const uint8_t *at, struct span *text)
{
    const size_t first = *at;
    const size_t size = first / 2;

    if (LIKELY((first & 0x81) == 0) &&
            LIKELY(size < 16 ? is_ascii_below_16(at + 1, size)
                             : size < (size_t)(m->end - at) && is_ascii_from_16(at + 1, size))) {
        *text = (struct span){at + 1, size};
        return at + 1 + size;
    }
    return read_text_any(m, at, text);
}

static inline const uint8_t *
read_text(struct machine *m, const uint8_t *at, struct span *text)
{
    return LIKELY(m->end - at > 16) ? read_text_inside(m, at, text) : read_text_any(m, at, text);
}

static inline const uint8_t *
read_number(struct machine *m, const uint8_t *at, bool narrow, int64_t *number)
{
    int64_t value = 0;

    at = read_long(m, at, &value);
    if (at == NULL) {
        return NULL;
    }
    if (narrow && value != (int32_t)value) {
        return fail(m, "int is out of range");
    }
    *number = value;
    return at;
}

static inline __attribute__((always_inline)) const uint8_t *
read_time(struct machine *m, const uint8_t *at, const struct step *step)
{
    const int64_t divisor = (int64_t)step->arg;
    int64_t value = 0;

    at = read_long_wide(m, at, &value);
    if (at == NULL) {
        return NULL;
    }
    if (step->narrow && value != (int32_t)value) {
        return fail(m, "int is out of range");
    }
    if (divisor != 1) {
        value = value / divisor - (value % divisor < 0); /* down, before 1970 too */
    }
    *(int64_t *)place(m, step->offset) = value;
    return at;
}

static __attribute__((noinline)) const uint8_t *
read_index_any(struct machine *m, const uint8_t *at, uint32_t count, uint32_t *index)
{
    int64_t value = 0;

    at = read_long(m, at, &value);
    if (at == NULL) {
        return NULL;
    }
    if (value < 0 || value >= count) {
        return fail(m, "enum or union index is out of range");
    }
    *index = (uint32_t)value;
    return at;
}

static inline const uint8_t *
read_index(struct machine *m, const uint8_t *at, uint32_t count, uint32_t *index)
{
    if (LIKELY(at != m->end && (*at & 0x81) == 0 && *at / 2U < count)) {
        *index = *at / 2U;
        return at + 1;
    }

    uint32_t any = 0;

    at = read_index_any(m, at, count, &any);
    *index = any;
    return at;
}

static inline const uint8_t *
read_symbol(struct machine *m, const uint8_t *at, const struct step *step)
{
    uint32_t index = 0;

    at = read_index(m, at, step->count, &index);
    if (at != NULL) {
        *(uint8_t *)place(m, step->offset) = m->plan->symbols[step->arg + index];
    }
    return at;
}

static __attribute__((noinline)) const uint8_t *
read_present_any(struct machine *m, const uint8_t *at, const struct step *step, bool *present)
{
    uint32_t index = 0;

    at = read_index(m, at, 2, &index);
    *present = index * 2 != step->null_byte;
    return at;
}

/* The index of a union of null and something else. */
static inline const uint8_t *
read_present(struct machine *m, const uint8_t *at, const struct step *step, bool *present)
{
    if (LIKELY(at != m->end)) {
        if (*at == step->null_byte) {
            *present = false;
            return at + 1;
        }
        if (LIKELY((*at & ~2) == 0)) {
            *present = true;
            return at + 1;
        }
    }

    bool any = true; /* so that *present may stay in a register */

    at = read_present_any(m, at, step, &any);
    *present = any;
    return at;
}

static const uint8_t *
call(struct machine *m, const uint8_t *at, uint32_t program)
{
    if (m->depth == DECODE_DEPTH_MAX) {
        return fail(m, "nested more than 64 deep");
    }
    m->depth += 1;
    at = run(m, m->plan->steps + m->plan->programs[program], at);
    m->depth -= 1;
    return at;
}

static const uint8_t *
read_union(struct machine *m, const uint8_t *at, const struct step *step)
{
    uint32_t index = 0;

    at = read_index(m, at, step->count, &index);
    return at != NULL ? call(m, at, m->plan->targets[step->arg + index]) : NULL;
}

/* How many items the next block has; 0 at the end of the array or map. */
static const uint8_t *
read_block(struct machine *m, const uint8_t *at, int64_t *count)
{
    int64_t bytes = 0;

    at = read_long(m, at, count);
    if (at != NULL && *count < 0) {
        /* The block's size in bytes follows, for those who skip it unseen. We do not: what is in
         * it must be as sound as the rest. */
        *count = *count == INT64_MIN ? INT64_MAX : -*count;
        at = read_long(m, at, &bytes);
    }
    /* Items without bytes are no exception, or a few bytes could claim any number of them. */
    if (at != NULL && *count > m->end - at) {
        return fail(m, "block of more items than bytes are left");
    }
    return at;
}

static const uint8_t *
skip_blocks(struct machine *m, const uint8_t *at, const struct step *step)
{
    int64_t count = 0;
    struct span key;

    for (;;) {
        at = read_block(m, at, &count);
        if (at == NULL || count == 0) {
            return at;
        }
        if (step->arg == NO_PROGRAM && step->op == STEP_SKIP_ARRAY) {
            continue;
        }
        for (; count > 0 && at != NULL; count--) {
            if (step->op == STEP_SKIP_MAP) {
                at = read_bytes(m, at, &key);
            }
            if (at != NULL && step->arg != NO_PROGRAM) {
                at = call(m, at, step->arg);
            }
        }
        if (at == NULL) {
            return NULL;
        }
    }
}

static void
keep_url(struct machine *m)
{
    struct outcome *outcome = &m->decoded.outcome;

    if (outcome->source_url_count == OUTCOME_URLS_MAX) {
        return;
    }

    const struct span url = url_strip(m->decoded.url, m->arena);

    if (url.data != NULL) {
        outcome->source_urls[outcome->source_url_count++] = url;
    }
}

static __attribute__((noinline)) const uint8_t *
read_some_urls(struct machine *m, const uint8_t *at, const struct step *step)
{
    int64_t count = 0;

    for (;;) {
        at = read_block(m, at, &count);
        if (at == NULL || count == 0) {
            return at;
        }
        for (; count > 0; count--) {
            at = step->arg == NO_PROGRAM ? read_text(m, at, &m->decoded.url)
                                         : call(m, at, step->arg);
            if (at == NULL) {
                return NULL;
            }
            keep_url(m);
        }
    }
}

/* Most events name no source. */
static inline const uint8_t *
read_urls(struct machine *m, const uint8_t *at, const struct step *step)
{
    if (LIKELY(at != m->end) && *at == 0) {
        return at + 1;
    }
    return read_some_urls(m, at, step);
}

static inline const uint8_t *
skip_fixed(struct machine *m, const uint8_t *at, uint32_t size)
{
    return (int64_t)size <= m->end - at ? at + size : fail(m, "ends inside a value");
}

static inline const uint8_t *
skip_bytes(struct machine *m, const uint8_t *at)
{
    struct span bytes;

    return read_bytes(m, at, &bytes);
}

static inline const uint8_t *
skip_number(struct machine *m, const uint8_t *at)
{
    int64_t number = 0;

    return read_long(m, at, &number);
}

static inline const uint8_t *
read_attempt(struct machine *m, const uint8_t *at, const struct step *step)
{
    int64_t number = 0;

    at = read_number(m, at, true, &number);
    if (at != NULL) {
        *(int32_t *)place(m, step->offset) = (int32_t)number;
    }
    return at;
}

/* The steps that few schemas have. Apart, so that run() keeps its values in registers. */
static __attribute__((noinline)) const uint8_t *
run_rare(struct machine *m, const uint8_t *at, const struct step *step)
{
    switch (step->op) {
    case STEP_SKIP_ARRAY:
    case STEP_SKIP_MAP:
        return skip_blocks(m, at, step);
    case STEP_UNION:
        return read_union(m, at, step);
    case STEP_CALL:
        return call(m, at, step->arg);
    case STEP_MARK:
        m->forbidden |= 1U << step->arg;
        return at;
    default:
        return fail(m, "union branch does not fit the field");
    }
}

static __attribute__((noinline)) const uint8_t *
read_maybe_text_any(struct machine *m, const uint8_t *at, const struct step *step)
{
    bool present = true;

    at = read_present(m, at, step, &present);
    return at != NULL && present ? read_text(m, at, place(m, step->offset)) : at;
}

/* One check for the branch, the size and 16 bytes of text. */
static inline const uint8_t *
read_maybe_text(struct machine *m, const uint8_t *at, const struct step *step)
{
    if (LIKELY(m->end - at > 17)) {
        if (*at == step->null_byte) {
            return at + 1;
        }
        if (LIKELY((*at & ~2) == 0)) {
            return read_text_inside(m, at + 1, place(m, step->offset));
        }
    }
    return read_maybe_text_any(m, at, step);
}

static inline const uint8_t *
read_maybe_symbol(struct machine *m, const uint8_t *at, const struct step *step)
{
    bool present = true;

    at = read_present(m, at, step, &present);
    return at != NULL && present ? read_symbol(m, at, step) : at;
}

static inline const uint8_t *
read_flagged(struct machine *m, const uint8_t *at, const struct step *step)
{
    *(bool *)place(m, step->flag) = true;
    return read_number(m, at, step->narrow, place(m, step->offset));
}

static inline const uint8_t *
read_maybe_number(struct machine *m, const uint8_t *at, const struct step *step)
{
    bool present = true;

    at = read_present(m, at, step, &present);
    return at != NULL && present ? read_flagged(m, at, step) : at;
}

static inline const uint8_t *
read_maybe_time(struct machine *m, const uint8_t *at, const struct step *step)
{
    bool present = true;

    at = read_present(m, at, step, &present);
    return at != NULL && present ? read_time(m, at, step) : at;
}

/* Carry out one program. Fields of one kind often follow each other, and a loop over them costs
 * less than the switch. It begins at a cache line, or where the linker puts it would make it a
 * quarter slower at times. */
static __attribute__((aligned(64))) const uint8_t *
run(struct machine *m, const struct step *step, const uint8_t *at)
{
    bool present = true;

    for (;; step++) {
        switch (step->op) {
        case STEP_END:
            return at;
        case STEP_MAYBE_TEXT:
            at = read_maybe_text(m, at, step);
            while (LIKELY(at != NULL) && step[1].op == STEP_MAYBE_TEXT) {
                at = read_maybe_text(m, at, ++step);
            }
            break;
        case STEP_MAYBE_SYMBOL:
            at = read_maybe_symbol(m, at, step);
            while (LIKELY(at != NULL) && step[1].op == STEP_MAYBE_SYMBOL) {
                at = read_maybe_symbol(m, at, ++step);
            }
            break;
        case STEP_MAYBE_NUMBER:
            at = read_maybe_number(m, at, step);
            while (LIKELY(at != NULL) && step[1].op == STEP_MAYBE_NUMBER) {
                at = read_maybe_number(m, at, ++step);
            }
            break;
        case STEP_TEXT:
            at = read_text(m, at, place(m, step->offset));
            break;
        case STEP_SYMBOL:
            at = read_symbol(m, at, step);
            break;
        case STEP_NUMBER:
            at = read_flagged(m, at, step);
            break;
        case STEP_TIME:
            at = read_time(m, at, step);
            break;
        case STEP_MAYBE_TIME:
            at = read_maybe_time(m, at, step);
            break;
        case STEP_ATTEMPT:
            at = read_attempt(m, at, step);
            break;
        case STEP_URLS:
            at = read_urls(m, at, step);
            break;
        case STEP_SKIP_NUMBER:
            at = skip_number(m, at);
            break;
        case STEP_SKIP_BYTES:
            at = skip_bytes(m, at);
            break;
        case STEP_SKIP_FIXED:
            at = skip_fixed(m, at, step->arg);
            break;
        case STEP_MAYBE:
            at = read_present(m, at, step, &present);
            step += at != NULL && !present ? step->arg : 0;
            break;
        default:
            at = run_rare(m, at, step);
            break;
        }
        if (!LIKELY(at != NULL)) {
            m->failed = step;
            return NULL;
        }
    }
}

enum status
plan_decode(const struct plan *plan, struct span body, struct arena *arena, struct outcome *outcome,
        unsigned *forbidden, struct error *error)
{
    struct machine m;

    assert(body.data != NULL);
    m.plan = plan;
    m.end = body.data + body.size;
    m.arena = arena;
    m.forbidden = 0;
    m.depth = 0;
    memcpy(&m.decoded.outcome, &plan->blank, OUTCOME_HEAD);

    const uint8_t *at = run(&m, plan->steps, body.data);

    if (at == NULL) {
        const char *name = plan->names[m.failed - plan->steps];

        return error_set(error, STATUS_MALFORMED, "%s%.100s: %s", name != NULL ? "field " : "",
                name != NULL ? name : "record", m.why);
    }
    if (at != m.end) {
        return error_set(error, STATUS_MALFORMED,
                "%td bytes after the last field; was it written with another schema?", m.end - at);
    }
    memcpy(outcome, &m.decoded.outcome, OUTCOME_HEAD);
    for (size_t i = 0; i < m.decoded.outcome.source_url_count; i++) {
        outcome->source_urls[i] = m.decoded.outcome.source_urls[i];
    }
    *forbidden = m.forbidden;
    return STATUS_OK;
}

void
plan_destroy(struct plan *plan)
{
    if (plan == NULL) {
        return;
    }
    schema_destroy(plan->schema);
    free(plan->steps);
    free(plan->names);
    free(plan->programs);
    free(plan->targets);
    free(plan->symbols);
    free(plan);
}

uint64_t
plan_fingerprint(const struct plan *plan)
{
    return plan->schema->fingerprint;
}
