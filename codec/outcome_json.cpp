/* outcome_json.cpp - JSON events through simdjson.
 *
 * simdjson finds the structure and checks that all is UTF-8; the values are read here, from their
 * tokens. On-Demand does not look into what it skips, so what is skipped is walked as well: the
 * same event is JSON for every reader, or for none.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

/* Errors are return values: nothing may be thrown through the callers, who are C. */
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include "codec/outcome_json.h"

/* In C a function may be named like a struct. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "codec/forbidden.h"
#include "codec/json_token.h"
#include "codec/times.h"
#include "codec/url.h"
}
#pragma GCC diagnostic pop

namespace ondemand = simdjson::ondemand;

namespace
{

constexpr int DEPTH_MAX = 64;          /* of what is skipped, as in Avro */
constexpr size_t REMEMBERED_KEYS = 64; /* keys of an event that are recognised by their place */
constexpr size_t KEY_BYTES_MAX = 48;   /* of such a key; below simdjson's padding */
constexpr size_t SYMBOLS_MAX = 16;
constexpr size_t NO_FLAG = SIZE_MAX;

static_assert(KEY_BYTES_MAX < simdjson::SIMDJSON_PADDING, "keys are compared before their end");

enum class kind { text, time, attempt, number, symbol, urls };

/* An enum of the schema. */
struct symbols {
    const char *const *names;
    size_t count;
    uint8_t unknown; /* what a symbol that is not known reads as */
    uint8_t null;    /* what null reads as */
};

constexpr symbols layers = {retry_layer_names, LAYER_COUNT, LAYER_UNKNOWN, LAYER_UNKNOWN};
constexpr symbols results = {result_names, RESULT_COUNT, RESULT_UNKNOWN, RESULT_UNKNOWN};
constexpr symbols errors = {error_category_names, ERROR_COUNT, ERROR_OTHER, SYMBOL_NULL};
constexpr symbols causes = {retry_cause_names, CAUSE_COUNT, CAUSE_UNKNOWN, SYMBOL_NULL};
constexpr symbols decisions = {
        retry_decision_names, RETRY_DECISION_COUNT, RETRY_DECISION_RETRY, SYMBOL_NULL};
constexpr symbols usages = {usage_source_names, USAGE_COUNT, USAGE_REPORTED, USAGE_REPORTED};

/* What is filled: the outcome, and places for what is checked but not kept. */
struct decoded {
    struct outcome outcome;
    struct span unused_text;
    int64_t unused_number;
    bool has_event_time;
    bool has_attempt_number;
    bool unused_flag;
};

struct field {
    const char *name;
    enum kind kind;
    size_t offset;                 /* in struct decoded */
    size_t flag;                   /* a bool in struct decoded: not null; or NO_FLAG */
    const struct symbols *symbols; /* kind symbol */
    const char *primary;           /* of an alias: the name that beats it */
};

constexpr size_t
dimension_at(size_t dimension)
{
    return offsetof(struct outcome, dimensions) + dimension * sizeof(struct span);
}

#define IN(member) offsetof(struct outcome, member)
#define TEXT(name, offset)                                  \
    {                                                       \
        name, kind::text, offset, NO_FLAG, nullptr, nullptr \
    }
#define NUMBER(name, offset, flag)                         \
    {                                                      \
        name, kind::number, offset, flag, nullptr, nullptr \
    }
#define SYMBOL(name, offset, symbols)                            \
    {                                                            \
        name, kind::symbol, offset, NO_FLAG, &(symbols), nullptr \
    }

static_assert(offsetof(decoded, outcome) == 0, "offsets in the outcome are offsets in decoded");

constexpr field fields[] = {
        TEXT("event_id", IN(event_id)),
        TEXT("source", IN(source)),
        {"event_time", kind::time, IN(event_time_ms), offsetof(decoded, has_event_time), nullptr,
                nullptr},
        TEXT("operation_id", IN(operation_id)),
        {"attempt_number", kind::attempt, IN(attempt_number), offsetof(decoded, has_attempt_number),
                nullptr, nullptr},
        SYMBOL("retry_layer", IN(retry_layer), layers),
        TEXT("owner_tag", dimension_at(DIM_OWNER)),
        {"owner_group", kind::text, dimension_at(DIM_OWNER), NO_FLAG, nullptr, "owner_tag"},
        TEXT("workload_tag", dimension_at(DIM_WORKLOAD)),
        TEXT("environment", dimension_at(DIM_ENVIRONMENT)),
        TEXT("request_class", dimension_at(DIM_CLASS)),
        TEXT("budget_bucket", dimension_at(DIM_BUCKET)),
        TEXT("unit_metric", IN(unit_metric)),
        TEXT("project_tag", offsetof(decoded, unused_text)),
        TEXT("product_tag", offsetof(decoded, unused_text)),
        TEXT("allocation_rule_id", IN(allocation_rule_id)),
        SYMBOL("result_category", IN(result), results),
        {"outcome", kind::symbol, IN(result), NO_FLAG, &results, "result_category"},
        SYMBOL("error_category", IN(error_category), errors),
        SYMBOL("retry_cause", IN(retry_cause), causes),
        SYMBOL("retry_decision", IN(retry_decision), decisions),
        NUMBER("input_tokens", IN(input_tokens), IN(has_input_tokens)),
        NUMBER("output_tokens", IN(output_tokens), IN(has_output_tokens)),
        NUMBER("cached_input_tokens", offsetof(decoded, unused_number),
                offsetof(decoded, unused_flag)),
        NUMBER("units", IN(units), IN(has_units)),
        SYMBOL("usage_source", IN(usage_source), usages),
        {"source_urls", kind::urls, IN(source_urls), NO_FLAG, nullptr, nullptr},
        {"pricing_source_checked_at", kind::time, IN(pricing_source_checked_at_ms), NO_FLAG,
                nullptr, nullptr},
};

constexpr size_t FIELD_COUNT = sizeof(fields) / sizeof(fields[0]);
static_assert(FIELD_COUNT <= 32, "one bit for each in seen");

/* A key, and what it was found to be. */
struct known_key {
    char name[KEY_BYTES_MAX];
    size_t size;          /* 0: nothing is remembered */
    size_t field;         /* index into fields, or FIELD_COUNT for a foreign one */
    enum forbidden carry; /* of a foreign one */
};

} // namespace

struct outcome_json {
    ondemand::parser parser;
    known_key keys[REMEMBERED_KEYS]; /* of the event before: producers keep the order */
    size_t name_sizes[FIELD_COUNT];
    uint8_t symbol_sizes[FIELD_COUNT][SYMBOLS_MAX];
};

namespace
{

/* One decoding. What fails writes the error and returns false. */
struct machine {
    struct outcome_json *json;
    struct arena *arena;
    struct error *error;
    enum status status;
    uint32_t seen; /* bit for each of fields that came, null or not */
    unsigned forbidden;
    struct decoded decoded;
};

/* ---- failures -------------------------------------------------------------------------------- */

__attribute__((cold, noinline)) bool
fail_json(machine *m, simdjson::error_code code)
{
    if (code == simdjson::MEMALLOC) {
        std::abort(); /* as everywhere when memory is out */
    }
    m->status = error_set(m->error, STATUS_MALFORMED, "JSON: %s", simdjson::error_message(code));
    return false;
}

__attribute__((cold, noinline)) bool
fail_value(machine *m)
{
    m->status = error_set(m->error, STATUS_MALFORMED, "JSON: a value is not valid");
    return false;
}

const char *
type_name(std::string_view token)
{
    switch (token[0]) {
    case '"':
        return "a string";
    case '{':
        return "an object";
    case '[':
        return "an array";
    case 't':
    case 'f':
        return "a boolean";
    case 'n':
        return "null";
    default:
        return "a number";
    }
}

__attribute__((cold, noinline)) bool
fail_type(machine *m, const field &field, const char *want, std::string_view token)
{
    m->status = error_set(m->error, STATUS_MALFORMED, "JSON: %s must be %s, but is %s", field.name,
            want, type_name(token));
    return false;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/** The token of a value without the white space behind it; "" is never a token. */
std::string_view
token_of(ondemand::value &value)
{
    std::string_view token = value.raw_json_token();

    while (token.size() > 1 && static_cast<unsigned char>(token.back()) <= ' ') {
        token.remove_suffix(1);
    }
    return token;
}

/** What is between the quotes. Stage 1 of simdjson has seen to it that there are two. */
std::string_view
inside(std::string_view token)
{
    return token.size() >= 2 ? token.substr(1, token.size() - 2) : std::string_view();
}

struct span
span_of_view(std::string_view text)
{
    return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

/* ---- what is skipped ------------------------------------------------------------------------- */

bool walk(machine *m, ondemand::value &value, int depth);

bool
scalar_is_sound(std::string_view token)
{
    switch (token[0]) {
    case '"':
        return json_escapes_are_sound(span_of_view(inside(token)));
    case 't':
        return token == "true";
    case 'f':
        return token == "false";
    case 'n':
        return token == "null";
    default:
        return json_number_is_sound(span_of_view(token));
    }
}

/** Note what a foreign field could carry, unless it is null. */
void
mark(machine *m, enum forbidden carry, std::string_view token)
{
    if (carry != FORBIDDEN_COUNT && token != "null") {
        m->forbidden |= 1U << carry;
    }
}

enum forbidden
carry_of(std::string_view name)
{
    return forbidden_name(span_of_view(name));
}

bool
walk_object(machine *m, ondemand::value &value, int depth)
{
    ondemand::object object;

    if (const auto code = value.get_object().get(object)) {
        return fail_json(m, code);
    }
    for (auto item : object) {
        ondemand::field field;
        std::string_view key;

        if (const auto code = std::move(item).get(field)) {
            return fail_json(m, code);
        }
        if (const auto code = field.unescaped_key().get(key)) {
            return fail_json(m, code);
        }
        mark(m, carry_of(key), token_of(field.value()));
        if (!walk(m, field.value(), depth)) {
            return false;
        }
    }
    return true;
}

bool
walk_array(machine *m, ondemand::value &value, int depth)
{
    ondemand::array array;

    if (const auto code = value.get_array().get(array)) {
        return fail_json(m, code);
    }
    for (auto item : array) {
        ondemand::value inner;

        if (const auto code = item.get(inner)) {
            return fail_json(m, code);
        }
        if (!walk(m, inner, depth)) {
            return false;
        }
    }
    return true;
}

/** Check a value that is not ours. */
bool
walk(machine *m, ondemand::value &value, int depth)
{
    const std::string_view token = token_of(value);

    if (token[0] != '{' && token[0] != '[') {
        return scalar_is_sound(token) || fail_value(m);
    }
    if (depth == DEPTH_MAX) {
        m->status =
                error_set(m->error, STATUS_MALFORMED, "JSON: nested more than %d deep", DEPTH_MAX);
        return false;
    }
    return token[0] == '{' ? walk_object(m, value, depth + 1) : walk_array(m, value, depth + 1);
}

/* ---- our fields ------------------------------------------------------------------------------ */

template <typename type>
type *
place(machine *m, size_t offset)
{
    return reinterpret_cast<type *>(reinterpret_cast<uint8_t *>(&m->decoded) + offset);
}

/** Read a string; it points into the copy of the event, or, if it had escapes, into the arena. */
bool
read_string(machine *m, ondemand::value &value, std::string_view token, struct span *text)
{
    std::string_view plain = inside(token);

    if (std::memchr(plain.data(), '\\', plain.size()) != nullptr) {
        if (const auto code = value.get_string().get(plain)) {
            return fail_json(m, code);
        }
        *text = arena_copy(m->arena, span_of_view(plain));
        return true;
    }
    *text = span_of_view(plain);
    return true;
}

bool
read_text(machine *m, const field &field, ondemand::value &value, std::string_view token)
{
    if (token[0] != '"') {
        return fail_type(m, field, "a string", token);
    }
    return read_string(m, value, token, place<struct span>(m, field.offset));
}

bool
read_time(machine *m, const field &field, ondemand::value &value, std::string_view token)
{
    static const char want[] = "epoch milliseconds or an RFC 3339 time with its offset";
    int64_t *time_ms = place<int64_t>(m, field.offset);

    if (token[0] == '"') {
        struct span text;

        if (!read_string(m, value, token, &text)) {
            return false;
        }
        return time_parse(text, time_ms) || fail_type(m, field, want, token);
    }
    return json_integer_parse(span_of_view(token), time_ms) || fail_type(m, field, want, token);
}

bool
read_number(machine *m, const field &field, std::string_view token)
{
    return json_integer_parse(span_of_view(token), place<int64_t>(m, field.offset)) ||
           fail_type(m, field, "a whole number of at most 64 bits", token);
}

bool
read_attempt(machine *m, const field &field, std::string_view token)
{
    int64_t number = 0;

    if (!json_integer_parse(span_of_view(token), &number)) {
        return fail_type(m, field, "a whole number", token);
    }
    if (number < INT32_MIN || number > INT32_MAX) {
        m->status = error_set(
                m->error, STATUS_INVALID, "attempt_number is outside 1..%d", OUTCOME_ATTEMPT_MAX);
        return false;
    }
    *place<int32_t>(m, field.offset) = static_cast<int32_t>(number);
    return true;
}

bool
read_symbol(machine *m, const field &field, ondemand::value &value, std::string_view token)
{
    const struct symbols &symbols = *field.symbols;
    const uint8_t *sizes = m->json->symbol_sizes[&field - fields];
    struct span text;

    if (token[0] != '"') {
        return fail_type(m, field, "a string", token);
    }
    if (!read_string(m, value, token, &text)) {
        return false;
    }

    uint8_t symbol = symbols.unknown;

    for (size_t i = 0; i < symbols.count; i++) {
        if (sizes[i] == text.size && std::memcmp(symbols.names[i], text.data, text.size) == 0) {
            symbol = static_cast<uint8_t>(i);
            break;
        }
    }
    *place<uint8_t>(m, field.offset) = symbol;
    return true;
}

bool
read_urls(machine *m, const field &field, ondemand::value &value, std::string_view token)
{
    struct outcome *outcome = &m->decoded.outcome;
    ondemand::array array;

    if (token[0] != '[') {
        return fail_type(m, field, "an array of strings", token);
    }
    if (const auto code = value.get_array().get(array)) {
        return fail_json(m, code);
    }
    outcome->source_url_count = 0;
    for (auto item : array) {
        ondemand::value inner;
        struct span url;

        if (const auto code = item.get(inner)) {
            return fail_json(m, code);
        }

        const std::string_view text = token_of(inner);

        if (text[0] != '"') {
            return fail_type(m, field, "an array of strings", text);
        }
        if (!read_string(m, inner, text, &url)) {
            return false;
        }
        if (outcome->source_url_count < OUTCOME_URLS_MAX) {
            url = url_strip(url, m->arena);
            if (url.data != nullptr) {
                outcome->source_urls[outcome->source_url_count++] = url;
            }
        }
    }
    return true;
}

/** What a field has that is absent: it may have been set by one of the same name before. */
void
read_null(machine *m, const field &field)
{
    switch (field.kind) {
    case kind::text:
        *place<struct span>(m, field.offset) = {nullptr, 0};
        break;
    case kind::time:
        *place<int64_t>(m, field.offset) = TIME_NULL;
        break;
    case kind::attempt:
        *place<int32_t>(m, field.offset) = 0;
        break;
    case kind::number:
        *place<int64_t>(m, field.offset) = 0;
        break;
    case kind::symbol:
        *place<uint8_t>(m, field.offset) = field.symbols->null;
        break;
    case kind::urls:
        m->decoded.outcome.source_url_count = 0;
        break;
    }
}

bool
read_present(machine *m, const field &field, ondemand::value &value, std::string_view token)
{
    switch (field.kind) {
    case kind::text:
        return read_text(m, field, value, token);
    case kind::time:
        return read_time(m, field, value, token);
    case kind::attempt:
        return read_attempt(m, field, token);
    case kind::number:
        return read_number(m, field, token);
    case kind::symbol:
        return read_symbol(m, field, value, token);
    case kind::urls:
        return read_urls(m, field, value, token);
    }
    return false;
}

size_t
find_field(const struct outcome_json *json, std::string_view name)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (json->name_sizes[i] == name.size() &&
                std::memcmp(fields[i].name, name.data(), name.size()) == 0) {
            return i;
        }
    }
    return FIELD_COUNT;
}

bool
read_field(machine *m, size_t index, ondemand::value &value)
{
    const field &field = fields[index];
    const std::string_view token = token_of(value);

    if (field.primary != nullptr) {
        const size_t primary = find_field(m->json, field.primary);

        if ((m->seen >> primary & 1) != 0) {
            return walk(m, value, 1);
        }
    }
    m->seen |= UINT32_C(1) << index;

    const bool present = token != "null";

    if (field.flag != NO_FLAG) {
        *place<bool>(m, field.flag) = present;
    }
    if (!present) {
        read_null(m, field);
        return true;
    }
    return read_present(m, field, value, token);
}

/* ---- the event ------------------------------------------------------------------------------- */

/** Whether the key that is next is the one that was at this place the last time. */
bool
is_remembered(const known_key &known, ondemand::field &field)
{
    /* The copy of the event is padded, so these bytes can be read; that the quote follows makes
     * them the whole key, and that a remembered name has no backslash makes them all of it. */
    const char *raw = reinterpret_cast<const char *>(field.key().raw());

    return known.size != 0 && std::memcmp(raw, known.name, known.size) == 0 &&
           raw[known.size] == '"';
}

void
remember(known_key *known, std::string_view name)
{
    known->size = 0;
    if (name.size() < KEY_BYTES_MAX && name.find('\\') == std::string_view::npos &&
            name.find('"') == std::string_view::npos) {
        std::memcpy(known->name, name.data(), name.size());
        known->size = name.size();
    }
}

bool
read_item(machine *m, size_t index, ondemand::field &field)
{
    known_key other; /* for keys beyond those that are remembered */
    known_key *known = index < REMEMBERED_KEYS ? &m->json->keys[index] : &other;

    if (known == &other || !is_remembered(*known, field)) {
        std::string_view name;

        if (const auto code = field.unescaped_key().get(name)) {
            return fail_json(m, code);
        }
        remember(known, name);
        known->field = find_field(m->json, name);
        known->carry = known->field == FIELD_COUNT ? carry_of(name) : FORBIDDEN_COUNT;
    }
    if (known->field != FIELD_COUNT) {
        return read_field(m, known->field, field.value());
    }
    mark(m, known->carry, token_of(field.value()));
    return walk(m, field.value(), 1);
}

bool
read_event(machine *m, ondemand::document &document)
{
    ondemand::object object;
    size_t index = 0;

    if (const auto code = document.get_object().get(object)) {
        return fail_json(m, code);
    }
    for (auto item : object) {
        ondemand::field field;

        if (const auto code = std::move(item).get(field)) {
            return fail_json(m, code);
        }
        if (!read_item(m, index++, field)) {
            return false;
        }
    }
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
        return fail_json(m, simdjson::TRAILING_CONTENT);
    }
    return true;
}

bool
check_required(machine *m)
{
    if (m->decoded.has_event_time && m->decoded.has_attempt_number) {
        return true;
    }
    m->status = error_set(m->error, STATUS_MALFORMED, "JSON: %s is missing",
            m->decoded.has_event_time ? "attempt_number" : "event_time");
    return false;
}

/** A copy with the padding that simdjson needs to read past the end. */
uint8_t *
padded_copy(struct span value, struct arena *arena)
{
    uint8_t *copy =
            static_cast<uint8_t *>(arena_new(arena, value.size + simdjson::SIMDJSON_PADDING, 1));

    std::memcpy(copy, value.data, value.size);
    return copy;
}

} // namespace

struct outcome_json *
outcome_json_new(void)
{
    auto *json = new (std::nothrow) outcome_json();

    if (json == nullptr) {
        std::abort();
    }
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        json->name_sizes[i] = std::strlen(fields[i].name);
        for (size_t s = 0; fields[i].symbols != nullptr && s < fields[i].symbols->count; s++) {
            json->symbol_sizes[i][s] =
                    static_cast<uint8_t>(std::strlen(fields[i].symbols->names[s]));
        }
    }
    return json;
}

void
outcome_json_destroy(struct outcome_json *json)
{
    delete json;
}

enum status
outcome_json_decode(struct outcome_json *json, struct span value, struct arena *arena,
        struct outcome *outcome, unsigned *forbidden, struct error *error)
{
    machine m;
    ondemand::document document;

    m.json = json;
    m.arena = arena;
    m.error = error;
    m.status = STATUS_OK;
    m.seen = 0;
    m.forbidden = 0;
    m.decoded.has_event_time = false;
    m.decoded.has_attempt_number = false;
    outcome_init(&m.decoded.outcome);

    const simdjson::padded_string_view padded(
            padded_copy(value, arena), value.size, value.size + simdjson::SIMDJSON_PADDING);

    if (const auto code = json->parser.iterate(padded).get(document)) {
        fail_json(&m, code);
        return m.status;
    }
    if (!read_event(&m, document) || !check_required(&m)) {
        return m.status;
    }
    *outcome = m.decoded.outcome;
    *forbidden = m.forbidden;
    return STATUS_OK;
}
