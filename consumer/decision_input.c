/* decision_input.c - what a person types of a decision, on the command line or when asked.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/decision_input.h"

#include "consumer/config_table.h"
#include "consumer/decision_write.h"
#include "consumer/human.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

enum status
decision_read_action(const char *text, uint8_t *action, struct error *error)
{
    for (uint8_t i = 0; i < ACTION_COUNT; i++) {
        const char number[] = {(char)('1' + i), '\0'};

        if (strcmp(text, action_names[i]) == 0 || strcmp(text, number) == 0) {
            *action = i;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_BAD_CONFIG, "no such action; allowed: %s, %s, %s, %s or %s",
            action_names[0], action_names[1], action_names[2], action_names[3], action_names[4]);
}

enum status
decision_read_end(const char *text, int64_t start_ms, int64_t *end_ms, struct error *error)
{
    int64_t span_ms = 0;

    if (config_duration_parse(text, &span_ms) && span_ms > 0) {
        *end_ms = span_ms < INT64_MAX - start_ms ? start_ms + span_ms : INT64_MAX;
        return STATUS_OK;
    }
    if (config_time_parse(text, end_ms, NULL) == STATUS_OK) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_BAD_CONFIG,
            "no end; allowed: 4h, 3d, 2026-09-26 or 2026-09-26T18:00:00Z");
}

enum status
decision_read_share(const char *text, int32_t *bps, struct error *error)
{
    char *end = NULL;

    errno = 0;
    const double percent = strtod(text, &end);

    if (errno != 0 || end == text || (strcmp(end, "%") != 0 && *end != '\0') ||
            !(percent >= 0 && percent <= 100)) {
        return error_set(
                error, STATUS_BAD_CONFIG, "no share; allowed: 0%% to 100%%, such as 12.5%%");
    }
    *bps = (int32_t)(percent * 100 + 0.5);
    return STATUS_OK;
}

/* ---- questions ----------------------------------------------------------------------------- */

/* The next line without its end and the blanks around it; owned. NULL at the end of input. */
static char *
read_line(FILE *in)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size = getline(&line, &capacity, in);
    size_t begin = 0;

    if (size < 0) {
        free(line);
        return NULL;
    }
    while (size > 0 &&
            (line[size - 1] == '\n' || line[size - 1] == '\r' || line[size - 1] == ' ')) {
        line[--size] = '\0';
    }
    while (line[begin] == ' ' || line[begin] == '\t') {
        begin++;
    }
    memmove(line, line + begin, (size_t)size - begin + 1);
    return line;
}

static enum status
input_ended(FILE *out, struct error *error)
{
    fputc('\n', out);
    return error_set(error, STATUS_FAILED, "the input ended; nothing was written");
}

bool
decision_ask_yes(FILE *in, FILE *out, const char *question)
{
    for (;;) {
        fprintf(out, "%s [y/N] ", question);
        fflush(out);

        char *line = read_line(in);
        const bool yes =
                line != NULL && (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0);
        const bool no = line == NULL || line[0] == '\0' || strcasecmp(line, "n") == 0 ||
                        strcasecmp(line, "no") == 0;

        free(line);
        if (yes || no) {
            return yes;
        }
    }
}

/* Takes the answer into the decision. Errors: what is wrong with it. */
typedef enum status take_answer(struct decision_questions *questions, struct decision *decision,
        char *answer, struct error *error);

/* Ask until the answer can be used; an empty one stands for fallback, if there is any. */
static enum status
ask(struct decision_questions *questions, struct decision *decision, const char *question,
        const char *fallback, take_answer *take, struct error *error)
{
    for (;;) {
        fprintf(questions->out, "%s", question);
        if (fallback != NULL) {
            fprintf(questions->out, " [%s]", fallback);
        }
        fputs(": ", questions->out);
        fflush(questions->out);

        char *line = read_line(questions->in);

        if (line == NULL) {
            return input_ended(questions->out, error);
        }
        if (line[0] == '\0' && fallback != NULL) {
            free(line);
            line = config_text_copy(fallback);
        }

        struct error wrong = {0};
        const enum status status = take(questions, decision, line, &wrong);

        free(line);
        if (status == STATUS_OK) {
            return STATUS_OK;
        }
        fprintf(questions->out, "  %s\n", wrong.text);
    }
}

static enum status
take_action(struct decision_questions *questions, struct decision *decision, char *answer,
        struct error *error)
{
    (void)questions;
    return decision_read_action(answer, &decision->action, error);
}

/* The text stays in *kept, which the decision then points to. */
static enum status
take_text(struct decision *decision, struct span *field, char **kept, const char *answer,
        struct error *error)
{
    free(*kept);
    *kept = config_text_copy(answer);
    *field = span_of(*kept);
    if (answer[0] == '\0') {
        return error_set(error, STATUS_INVALID, "it must not be empty");
    }
    return decision_check_texts(decision, error);
}

static enum status
take_reason(struct decision_questions *questions, struct decision *decision, char *answer,
        struct error *error)
{
    const size_t size = human_width(span_of(answer));

    if (size > DECISION_REASON_MAX) {
        return error_set(
                error, STATUS_INVALID, "%zu characters; at most %d", size, DECISION_REASON_MAX);
    }
    return take_text(decision, &decision->reason, &questions->reason, answer, error);
}

static enum status
take_owner(struct decision_questions *questions, struct decision *decision, char *answer,
        struct error *error)
{
    return take_text(
            decision, &decision->decision_owner, &questions->decision_owner, answer, error);
}

static enum status
take_end(struct decision_questions *questions, struct decision *decision, char *answer,
        struct error *error)
{
    int64_t end_ms = 0;
    const enum status status = decision_read_end(answer, questions->start_ms, &end_ms, error);

    if (status != STATUS_OK) {
        return status;
    }
    if (end_ms <= questions->start_ms) {
        return error_set(error, STATUS_INVALID, "that is before it starts");
    }
    if (end_ms - questions->start_ms > questions->rule->decision_max_ms) {
        return error_set(error, STATUS_INVALID, "no decision holds longer than %" PRId64 " days",
                questions->rule->decision_max_ms / 86400000);
    }
    decision->expires_at_ms = end_ms;
    return STATUS_OK;
}

static enum status
ask_action(struct decision_questions *questions, struct decision *decision, struct error *error)
{
    fputs("\nWhat do you decide?\n", questions->out);
    for (int i = 0; i < ACTION_COUNT; i++) {
        const bool proposed =
                questions->proposed != NULL && strcmp(questions->proposed, action_names[i]) == 0;

        fprintf(questions->out, "  %d  %s%s\n", i + 1, action_names[i],
                proposed ? "  (proposed)" : "");
    }
    return ask(questions, decision, "Action", questions->proposed, take_action, error);
}

static enum status
ask_end(struct decision_questions *questions, struct decision *decision, struct error *error)
{
    const int64_t minutes = questions->rule->decision_default_ms / 60000;
    char fallback[32];

    snprintf(fallback, sizeof(fallback), "%" PRId64 "%s",
            minutes % 60 == 0 ? minutes / 60 : minutes, minutes % 60 == 0 ? "h" : "m");
    return ask(questions, decision, "For how long, or until when (4h, 3d, 2026-09-26T18:00:00Z)",
            fallback, take_end, error);
}

enum status
decision_ask(struct decision_questions *questions, struct decision *decision, struct error *error)
{
    enum status status = STATUS_OK;

    if (decision->action >= ACTION_COUNT) {
        status = ask_action(questions, decision, error);
    }
    if (status == STATUS_OK && decision->reason.data == NULL) {
        status = ask(questions, decision, "Why", NULL, take_reason, error);
    }
    if (status == STATUS_OK && questions->ask_end) {
        status = ask_end(questions, decision, error);
    }
    if (status == STATUS_OK && questions->ask_risk) {
        fprintf(questions->out,
                "Without a share of its own a decision holds up to %.2f times the retry share that "
                "it meets,\nor %.2f times if the spend risk is accepted.\n",
                (double)questions->rule->limit_factor_bps / BPS,
                (double)questions->rule->limit_risk_factor_bps / BPS);
        decision->accepts_spend_risk = decision_ask_yes(
                questions->in, questions->out, "Do you accept the risk that spend rises further?");
    }
    if (status == STATUS_OK && decision->decision_owner.data == NULL) {
        status = ask(questions, decision, "Who decides", questions->person, take_owner, error);
    }
    return status;
}
