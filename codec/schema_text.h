/* schema_text.h - the JSON text of a schema, checked and put into its canonical form.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_SCHEMA_TEXT_H
#define RETRYWATCH_CODEC_SCHEMA_TEXT_H

#include "codec/buffer.h"

#define SCHEMA_TEXT_MAX ((size_t)256 * 1024) /* bytes of JSON */
#define SCHEMA_DEPTH_MAX 64                  /* types inside types */

/* The canonical form drops logical types; those that change how a time is read are kept here. */
struct time_field {
    char *record;    /* full name of the record that has the field */
    size_t field;    /* its number in that record */
    int32_t divisor; /* its units in a millisecond: 1,000 or 1,000,000 */
};

struct schema_text {
    struct buffer canonical; /* Parsing Canonical Form, not ended by NUL */
    uint64_t fingerprint;    /* CRC-64-AVRO of canonical */
    struct time_field *times;
    size_t time_count, time_capacity;
};

/**
 * Check JSON text that may be hostile, so that what follows needs no more checks: every name is
 * one, is defined once and before its use, and nothing is nested too deeply.
 *
 * text:   to be given to schema_text_fini(), on errors too.
 * Errors: STATUS_BAD_SCHEMA.
 * Source: Apache Avro 1.11 specification, "Parsing Canonical Form for Schemas".
 */
enum status schema_text_parse(
        struct span json, struct schema_text *text, struct error *error) MUST_CHECK;
void schema_text_fini(struct schema_text *text);

#endif
