/* plan_steps.h - the steps of a decode plan: made by plan_compile.c, carried out by plan.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_PLAN_STEPS_H
#define RETRYWATCH_CODEC_PLAN_STEPS_H

#include "codec/plan.h"
#include "codec/schema.h"

enum step_op {
    STEP_END,          /* the program is done */
    STEP_TEXT,         /* string or bytes to the span at offset */
    STEP_MAYBE_TEXT,   /* MAYBE: a union of null and that, see null_byte */
    STEP_NUMBER,       /* int or long to the int64_t at offset; sets the bool at flag */
    STEP_MAYBE_NUMBER, /* … */
    STEP_TIME,         /* int or long, divided by arg, to the int64_t at offset */
    STEP_MAYBE_TIME,
    STEP_ATTEMPT,       /* int to the int32_t at offset */
    STEP_MAYBE_ATTEMPT, /* never made, for null does not fit */
    STEP_SYMBOL,        /* enum to the uint8_t at offset: symbols[arg + index], index < count */
    STEP_MAYBE_SYMBOL,
    STEP_URLS,        /* array; arg is the program of an item, or NO_PROGRAM for plain text */
    STEP_MAYBE,       /* a union of null and what the next arg steps skip */
    STEP_SKIP_NUMBER, /* int, long or enum */
    STEP_SKIP_BYTES,  /* string or bytes */
    STEP_SKIP_FIXED,  /* arg bytes */
    STEP_SKIP_ARRAY,  /* arg is the program of an item, or NO_PROGRAM if items have no bytes */
    STEP_SKIP_MAP,    /* the same of a value */
    STEP_UNION,       /* program targets[arg + index], index < count */
    STEP_CALL,        /* program arg */
    STEP_MARK,        /* a foreign field of kind arg comes */
    STEP_MISFIT       /* a union branch that cannot be read */
};

#define NO_PROGRAM UINT32_MAX
#define DECODE_DEPTH_MAX 64 /* programs inside programs, for recursive schemas */

struct step {
    uint8_t op;
    uint8_t null_byte; /* MAYBE: the union index of null as it is encoded: 0 or 2 */
    bool narrow;       /* the writer has an int: a larger value is malformed */
    uint16_t offset;   /* in struct decoded */
    uint16_t flag;     /* in struct decoded */
    uint32_t arg;
    uint32_t count;
};

/* What a plan fills: the outcome, and a place for what is checked but not kept. */
struct decoded {
    struct outcome outcome;
    struct span url; /* the item of source_urls that is being read */
    struct span unused_text;
    int64_t unused_number;
    bool unused_flag;
};

struct plan {
    struct schema *schema; /* owned; holds the names */
    struct step *steps;    /* one program after the other, each with its STEP_END */
    const char **names;    /* names[step]: of the field that the step is for, or NULL */
    uint32_t *programs;    /* programs[number]: its first step; 0 is the main program */
    uint32_t *targets;     /* programs of union branches */
    struct outcome blank;  /* as outcome_init() makes it */
    uint8_t *symbols;      /* the reader's symbol for each of a writer's */
    size_t step_count, step_capacity;
    size_t name_capacity;
    size_t program_count, program_capacity;
    size_t target_count, target_capacity;
    size_t symbol_count, symbol_capacity;
};

#endif
