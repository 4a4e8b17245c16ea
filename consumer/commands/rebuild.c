/* rebuild.c - the command rebuild: count the log once more, beside the state that is in use.
 *
 * The service is stopped meanwhile: the rebuild is the only member of its group, and ends when
 * another one joins. What it counts goes into a namespace of its own, and nothing is published; the
 * service takes it up after a switch, which is one write (docs/delivery.md).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/cli.h"
#include "consumer/claim.h"
#include "consumer/clock.h"
#include "consumer/commands/commands.h"
#include "consumer/commands/rebuild_print.h"
#include "consumer/kafka_admin.h"
#include "consumer/log.h"
#include "consumer/rebuild.h"
#include "consumer/rebuild_compare.h"
#include "consumer/service.h"
#include "consumer/stop_signal.h"
#include "consumer/views.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define PROGRESS_MS 1000 /* between two lines on a terminal */
#define JOIN_MS 10000    /* after the first partition, until all have to be assigned */

struct wish {
    bool switches, switches_back, drops_old, drops_new, json;
};

/* What is known of one partition before it is counted. */
struct old_partition {
    struct rebuild_old old;
    bool is_there;
    struct error unread; /* STATUS_OK: it can be read */
};

struct rebuild {
    struct service service;
    struct wish wish;
    struct store_spaces spaces;
    struct store *old_store;
    struct old_partition *olds; /* olds[partition_count] */
    size_t partition_count;
    struct source *source;
    struct readback *published;
    struct source_listener listener; /* between the source and the loop */
    bool disturbed;                  /* a partition was taken away */
    size_t assigned;                 /* partitions */
    int64_t assigned_ms;             /* monotonic: the last of them */
    int64_t shown_ms;                /* monotonic */
    struct rebuild_compare *compare;
};

/* ---- alone in the group ---------------------------------------------------------------------- */

static enum status
check_stopped(const struct config *config, struct error *error)
{
    struct kafka_progress progress;
    const enum status status = kafka_group_progress(config, 0, &progress, error);

    if (status != STATUS_OK || progress.members == 0) {
        return status;
    }
    return error_set(error, STATUS_REFUSED,
            "the service is running: group %s has %d member%s: stop it first. One that was killed, "
            "or that has an `instance`, is forgotten after session.timeout.ms (15 s, unless "
            "`kafka` sets it)",
            config->group, progress.members, progress.members == 1 ? "" : "s");
}

static void
on_assigned(void *context, const int32_t *partitions, size_t count)
{
    struct rebuild *rebuild = context;
    const struct source_listener *loop = loop_listener(rebuild->service.loop);

    rebuild->assigned += count;
    rebuild->assigned_ms = clock_system.monotonic_ms(&clock_system);
    loop->assigned(loop->context, partitions, count);
}

static void
on_revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    struct rebuild *rebuild = context;
    const struct source_listener *loop = loop_listener(rebuild->service.loop);

    rebuild->disturbed = true;
    loop->revoked(loop->context, partitions, count, lost);
}

static enum status
check_alone(const struct rebuild *rebuild, struct error *error)
{
    if (stop_signal_came()) {
        return error_set(error, STATUS_FAILED, "stopped; run it again to go on");
    }
    if (!rebuild->disturbed &&
            (rebuild->assigned == 0 || rebuild->assigned == rebuild->partition_count ||
                    clock_system.monotonic_ms(&clock_system) - rebuild->assigned_ms < JOIN_MS)) {
        return STATUS_OK;
    }
    return error_set(error, STATUS_REFUSED,
            "another member has joined group %s, or this one was silent for too long: nothing was "
            "switched. Stop the service, then run it again",
            rebuild->service.config->group);
}

/* ---- the state in use ------------------------------------------------------------------------ */

/* What is pending begins with the first that is not known to be published. */
static void
take_old(struct old_partition *partition, const struct claim *claim)
{
    const struct applied *applied = &claim->applied;

    partition->is_there = claim->stored;
    if (claim->stored) {
        partition->old = (struct rebuild_old){
                .offset = applied->offset,
                .known = claim->pending.count != 0 ? claim->pending.items[0].serial - 1
                                                   : applied->serial,
                .counted_ms = applied->last_record_ms,
                .counted_sum = applied->last_checksum,
        };
    }
}

/* State that cannot be read is no reason not to count anew, but one to do so. */
static enum status
read_olds(struct rebuild *rebuild, struct error *error)
{
    struct claim_context context = {.store = rebuild->old_store};

    rebuild->partition_count = (size_t)rebuild->service.facts.partition_count;
    rebuild->olds = memory_new(rebuild->partition_count, sizeof(*rebuild->olds));
    for (size_t i = 0; i < rebuild->partition_count; i++) {
        struct old_partition *partition = &rebuild->olds[i];
        struct claim *claim = claim_new((int32_t)i);
        const enum status status = claim_read_stored(claim, &context, &partition->unread);

        if (status == STATUS_OK) {
            take_old(partition, claim);
        }
        claim_destroy(claim);
        if (status != STATUS_OK && status != STATUS_REFUSED) {
            *error = partition->unread;
            return status;
        }
    }
    return STATUS_OK;
}

/* ---- counting -------------------------------------------------------------------------------- */

static enum status
connect_loop(struct rebuild *rebuild, struct error *error)
{
    struct service *service = &rebuild->service;
    const struct config *config = service->config;
    const struct position_origin origin = {config->topics.outcomes, config->group};
    struct rebuild_old *olds = memory_new(rebuild->partition_count, sizeof(*olds));
    enum status status = service_make_loop(service, true, error);

    rebuild->listener = (struct source_listener){rebuild, on_assigned, on_revoked};
    if (status == STATUS_OK) {
        status = service_make_clients(service, &rebuild->listener, error);
    }
    if (status == STATUS_OK) {
        for (size_t i = 0; i < rebuild->partition_count; i++) {
            olds[i] = rebuild->olds[i].old;
        }
        rebuild->published = rebuild_readback_new(service->readback, &origin);
        rebuild->source = rebuild_source_new(&(struct rebuild_source_options){
                .inner = service->source,
                .published = rebuild->published,
                .at_least_once = config->delivery == DELIVERY_AT_LEAST_ONCE,
                .olds = olds,
                .partition_count = rebuild->partition_count,
        });
        loop_connect(service->loop, rebuild->source, service->store, service->publisher,
                service->feed, rebuild->published);
    }
    free(olds);
    return status;
}

static void
show_progress(struct rebuild *rebuild)
{
    const int64_t now_ms = clock_system.monotonic_ms(&clock_system);
    int64_t counted = 0;
    int64_t all = 0;

    if (isatty(STDERR_FILENO) == 0 || now_ms - rebuild->shown_ms < PROGRESS_MS) {
        return;
    }
    rebuild->shown_ms = now_ms;
    for (size_t i = 0; i < rebuild->partition_count; i++) {
        const struct rebuild_progress progress =
                rebuild_source_progress(rebuild->source, (int32_t)i);

        counted += progress.at - progress.from;
        all += progress.to - progress.from;
    }
    fprintf(stderr, "counted %" PRId64 " of %" PRId64 " records\n", counted, all);
}

/* Turns of the loop until every partition has come to the end of this step. */
static enum status
run_step(struct rebuild *rebuild, struct error *error)
{
    struct loop *loop = rebuild->service.loop;
    enum status status = STATUS_OK;
    bool done = false;

    while (status == STATUS_OK && !done) {
        status = loop_turn(loop, error);
        if (status == STATUS_OK) {
            status = check_alone(rebuild, error);
        }
        done = loop_is_ready(loop) && rebuild_source_is_done(rebuild->source);
        show_progress(rebuild);
    }
    return status;
}

static enum status
count_anew(struct rebuild *rebuild, struct error *error)
{
    enum status status = run_step(rebuild, error);

    if (status == STATUS_OK) {
        rebuild_source_go_on(rebuild->source);
        loop_rebuild_reviews(rebuild->service.loop);
        status = run_step(rebuild, error);
    }
    return status;
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* As they are stored, both of them. */
static enum status
compare_partition(struct rebuild *rebuild, int32_t number, struct error *error)
{
    struct old_partition *partition = &rebuild->olds[number];
    struct loop *loop = rebuild->service.loop;
    struct claim *old_claim = NULL;
    struct claim *new_claim = NULL;
    enum status status = STATUS_OK;

    if (!partition->is_there || partition->unread.status != STATUS_OK) {
        return STATUS_OK;
    }
    status = loop_look(loop, rebuild->old_store, number, &old_claim, &partition->unread);
    if (status != STATUS_OK) {
        *error = partition->unread;
        return status == STATUS_REFUSED ? STATUS_OK : status;
    }
    status = loop_look(loop, rebuild->service.store, number, &new_claim, error);
    if (status == STATUS_OK && old_claim->fold != NULL && new_claim->fold != NULL) {
        rebuild_compare_add(rebuild->compare, number, old_claim->fold, new_claim->fold);
    }
    claim_destroy(new_claim);
    claim_destroy(old_claim);
    return status;
}

static enum status
compare(struct rebuild *rebuild, struct error *error)
{
    enum status status = STATUS_OK;

    rebuild->compare = rebuild_compare_new();
    for (size_t i = 0; i < rebuild->partition_count && status == STATUS_OK; i++) {
        status = compare_partition(rebuild, (int32_t)i, error);
    }
    return status;
}

/* ---- report ---------------------------------------------------------------------------------- */

static json_t *
report_partition(struct rebuild *rebuild, int32_t number)
{
    const struct old_partition *partition = &rebuild->olds[number];
    const struct rebuild_progress progress = rebuild_source_progress(rebuild->source, number);
    json_t *json = json_object();

    json_object_set_new(json, "partition", json_integer(number));
    json_object_set_new(json, "from", json_integer(progress.from));
    json_object_set_new(json, "to", json_integer(progress.to));
    json_object_set_new(
            json, "old", partition->is_there ? json_integer(partition->old.offset) : json_null());
    json_object_set_new(json, "old_error",
            partition->unread.status != STATUS_OK ? json_string(partition->unread.text)
                                                  : json_null());
    json_object_set_new(json, "position_from_reviews", json_boolean(progress.mended));
    json_object_set_new(json, "reviews_lost",
            json_integer((json_int_t)loop_lost_count(rebuild->service.loop, number)));
    return json;
}

static json_t *
make_report(struct rebuild *rebuild)
{
    json_t *report = rebuild_compare_report(rebuild->compare);
    json_t *partitions = json_array();

    for (size_t i = 0; i < rebuild->partition_count; i++) {
        json_array_append_new(partitions, report_partition(rebuild, (int32_t)i));
    }
    json_object_set_new(report, "partitions", partitions);
    return report;
}

static void
print_report(struct rebuild *rebuild, json_t *report, bool switched)
{
    const struct store_spaces *spaces = &rebuild->spaces;

    json_object_set_new(report, "switched", json_boolean(switched));
    json_object_set_new(report, "namespace", json_integer((json_int_t)spaces->used));
    json_object_set_new(report, "other_namespace", json_integer((json_int_t)spaces->other));
    if (rebuild->wish.json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        rebuild_print(report, stdout);
    }
}

/* ---- switching ------------------------------------------------------------------------------- */

struct forgetting {
    struct views *views;
};

static void
forget_owner(void *context, int32_t partition, struct span owner)
{
    const struct forgetting *forgetting = context;

    views_forget_owner(forgetting->views, partition, owner);
}

/* The service writes the views of owners that it knows, and would never touch those of others. */
static void
forget_gone(struct rebuild *rebuild)
{
    struct store *store = rebuild->service.store;
    struct forgetting forgetting = {views_new(rebuild->service.config->redis.prefix)};
    struct error error = {0};
    struct span commands;
    size_t count = 0;

    rebuild_compare_gone(rebuild->compare, forget_owner, &forgetting);
    commands = views_commands(forgetting.views, &count);
    if (count != 0 && store->ops->write_views(store, commands, count, &error) != STATUS_OK) {
        log_warn("views", "error=\"%s\"", error.text);
    }
    views_destroy(forgetting.views);
}

/* One more turn hears whether somebody has joined while the two were compared. */
static enum status
switch_now(struct rebuild *rebuild, struct error *error)
{
    const struct store_meta meta = service_meta(&rebuild->service);
    enum status status = run_step(rebuild, error);

    if (status == STATUS_OK) {
        status = store_redis_space_switch(rebuild->service.store, &meta, &rebuild->spaces, error);
    }
    if (status == STATUS_OK) {
        forget_gone(rebuild);
    }
    return status;
}

/* ---- the tasks ------------------------------------------------------------------------------- */

static enum status
begin(struct rebuild *rebuild, struct error *error)
{
    const struct store_meta meta = service_meta(&rebuild->service);
    struct store *store = rebuild->service.store;
    const enum status status = store_redis_space_begin(store, &meta, &rebuild->spaces, error);

    if (status == STATUS_OK) {
        store_redis_pin(store, rebuild->spaces.other);
        rebuild->old_store = store_redis_new(rebuild->service.config);
        store_redis_pin(rebuild->old_store, rebuild->spaces.used);
    }
    return status;
}

static enum status
count_and_compare(struct rebuild *rebuild, struct error *error)
{
    enum status status = service_make_decoder(&rebuild->service, error);

    if (status == STATUS_OK) {
        status = begin(rebuild, error);
    }
    if (status == STATUS_OK) {
        status = read_olds(rebuild, error);
    }
    if (status == STATUS_OK) {
        status = connect_loop(rebuild, error);
    }
    if (status == STATUS_OK) {
        status = count_anew(rebuild, error);
    }
    return status == STATUS_OK ? compare(rebuild, error) : status;
}

static enum status
count(struct rebuild *rebuild, struct error *error)
{
    enum status status = count_and_compare(rebuild, error);

    if (status == STATUS_OK) {
        json_t *report = make_report(rebuild);

        if (rebuild->wish.switches) {
            status = switch_now(rebuild, error);
        }
        print_report(rebuild, report, rebuild->wish.switches && status == STATUS_OK);
        json_decref(report);
    }
    return status;
}

static enum status
say(const struct rebuild *rebuild, const char *what, uint64_t keys)
{
    const struct store_spaces *spaces = &rebuild->spaces;

    if (rebuild->wish.json) {
        printf("{\"namespace\": %" PRIu64 ", \"other_namespace\": %" PRIu64
               ", \"keys_deleted\": %" PRIu64 "}\n",
                spaces->used, spaces->other_is == STORE_OTHER_NONE ? 0 : spaces->other, keys);
    } else {
        printf("%s Namespace %" PRIu64 " is in use.\n", what, spaces->used);
    }
    return STATUS_OK;
}

static enum status
switch_back(struct rebuild *rebuild, struct error *error)
{
    const struct store_meta meta = service_meta(&rebuild->service);

    if (rebuild->spaces.other_is != STORE_OTHER_OLD) {
        return error_set(error, STATUS_REFUSED, "there is no old state to switch back to");
    }
    const enum status status =
            store_redis_space_switch(rebuild->service.store, &meta, &rebuild->spaces, error);

    return status == STATUS_OK ? say(rebuild, "Switched back; the other one is kept.", 0) : status;
}

static enum status
drop(struct rebuild *rebuild, enum store_other what, struct error *error)
{
    const struct store_meta meta = service_meta(&rebuild->service);
    const enum store_other other_is = rebuild->spaces.other_is;
    uint64_t keys = 0;
    char text[80];

    if (other_is != what && other_is != STORE_OTHER_GONE) {
        return error_set(error, STATUS_REFUSED,
                other_is == STORE_OTHER_NONE  ? "there is no other state than the one in use"
                : other_is == STORE_OTHER_OLD ? "the other state is an old one: --drop-old"
                                              : "the other state was never in use: --drop-new");
    }
    const enum status status =
            store_redis_space_drop(rebuild->service.store, &meta, &rebuild->spaces, &keys, error);

    snprintf(text, sizeof(text), "Deleted %" PRIu64 " keys.", keys);
    return status == STATUS_OK ? say(rebuild, text, keys) : status;
}

/* An old state may be deleted while the service runs: nobody uses it. */
static enum status
run_task(struct rebuild *rebuild, struct error *error)
{
    struct service *service = &rebuild->service;
    const struct wish *wish = &rebuild->wish;
    enum status status = service_check_kafka(service, error);

    if (status == STATUS_OK && !wish->drops_old) {
        status = check_stopped(service->config, error);
    }
    if (status == STATUS_OK) {
        const struct store_meta meta = service_meta(service);

        service->store = store_redis_new(service->config);
        status = store_redis_spaces(service->store, &meta, &rebuild->spaces, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (wish->switches_back) {
        return switch_back(rebuild, error);
    }
    if (wish->drops_old || wish->drops_new) {
        return drop(rebuild, wish->drops_old ? STORE_OTHER_OLD : STORE_OTHER_NEW, error);
    }
    return count(rebuild, error);
}

static void
rebuild_fini(struct rebuild *rebuild)
{
    rebuild_compare_destroy(rebuild->compare);
    service_fini(&rebuild->service);
    if (rebuild->source != NULL) {
        rebuild->source->ops->destroy(rebuild->source);
    }
    if (rebuild->published != NULL) {
        rebuild->published->ops->destroy(rebuild->published);
    }
    if (rebuild->old_store != NULL) {
        rebuild->old_store->ops->destroy(rebuild->old_store);
    }
    free(rebuild->olds);
}

static int
check_wish(const struct wish *wish)
{
    if (wish->switches + wish->switches_back + wish->drops_old + wish->drops_new > 1) {
        fputs("retrywatch rebuild: --switch, --switch-back, --drop-old and --drop-new exclude one "
              "another\n",
                stderr);
        return 2;
    }
    return CLI_GO_ON;
}

int
command_rebuild(int argc, char **argv)
{
    struct rebuild rebuild = {0};
    const struct cli_option options[] = {
            {"--switch", NULL, "then let the service use what was counted; the old state is kept",
                    CLI_FLAG, &rebuild.wish.switches, 0, 0},
            {"--switch-back", NULL, "return to the old state; the new one is kept", CLI_FLAG,
                    &rebuild.wish.switches_back, 0, 0},
            {"--drop-old", NULL, "delete the old state; the service may run", CLI_FLAG,
                    &rebuild.wish.drops_old, 0, 0},
            {"--drop-new", NULL, "delete what was counted, to begin again or not at all", CLI_FLAG,
                    &rebuild.wish.drops_new, 0, 0},
    };
    struct cli cli = {
            .name = "rebuild",
            .summary = "Counts the input topic once more, beside the state that is in use, and "
                       "compares the two.\nFor state that the service refuses, or that nobody "
                       "trusts. The service must be stopped; nothing is\npublished, and nothing "
                       "changes for it without --switch. Run again after a crash, it goes on.",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0]),
            .common = CLI_CONFIG | CLI_OUTPUT,
    };
    struct error error = {0};
    int code = cli_parse(&cli, argc, argv);

    if (code == CLI_GO_ON) {
        code = check_wish(&rebuild.wish);
    }
    if (code == CLI_GO_ON) {
        code = cli_config(&cli, &rebuild.service.config);
    }
    if (code != CLI_GO_ON) {
        return code;
    }
    rebuild.wish.json = cli.json;
    if (!rebuild.service.config->process.core_dumps) {
        service_forbid_core_dumps();
    }
    service_keep_freed_memory();
    stop_signal_catch();

    const enum status status = run_task(&rebuild, &error);

    code = status == STATUS_OK ? 0 : cli_fail(&error);
    rebuild_fini(&rebuild);
    config_destroy(rebuild.service.config);
    return code;
}
