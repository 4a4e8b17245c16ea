/* schema.h - a writer schema, checked, parsed by Avro-C, and laid out flat for the plan.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRYWATCH_CODEC_SCHEMA_H
#define RETRYWATCH_CODEC_SCHEMA_H

#include "aggregator/span.h"
#include "aggregator/status.h"

enum schema_kind {
    SCHEMA_NULL,
    SCHEMA_BOOLEAN,
    SCHEMA_INT,
    SCHEMA_LONG,
    SCHEMA_FLOAT,
    SCHEMA_DOUBLE,
    SCHEMA_BYTES,
    SCHEMA_STRING,
    SCHEMA_FIXED,
    SCHEMA_ENUM,
    SCHEMA_ARRAY,
    SCHEMA_MAP,
    SCHEMA_UNION,
    SCHEMA_RECORD
};

#define SCHEMA_NODES_MAX 32768

/* One type. A record that is used in several places, or in itself, is one node. */
struct schema_node {
    enum schema_kind kind;
    uint32_t
            first; /* record: in fields; enum: in symbols; union: in branches; array, map: a node */
    uint32_t count; /* fields, symbols or branches */
    uint32_t size;  /* bytes of a fixed */
};

struct schema_field {
    char *name;
    uint32_t node;
    int32_t time_divisor; /* units in a millisecond if it is a time; else 1 */
};

/* The root is node 0. */
struct schema {
    uint64_t fingerprint; /* CRC-64-AVRO of the canonical form */
    struct schema_node *nodes;
    struct schema_field *fields;
    char **symbols;
    uint32_t *branches; /* nodes */
    size_t node_count, node_capacity;
    size_t field_count, field_capacity;
    size_t symbol_count, symbol_capacity;
    size_t branch_count, branch_capacity;
};

/**
 * Parse JSON text, which may be hostile. Returns owned in *out.
 *
 * Errors: STATUS_BAD_SCHEMA.
 */
enum status schema_new(struct span json, struct schema **out, struct error *error) MUST_CHECK;
void schema_destroy(struct schema *schema);

/** The kind in the words of the specification. */
const char *schema_kind_name(enum schema_kind kind);

#endif
