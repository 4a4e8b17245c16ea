/* demo.c - the command demo: a private Redis and broker, a rise, and what the service finds.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/child.h"
#include "consumer/cli.h"
#include "consumer/clock.h"
#include "consumer/commands/commands.h"
#include "consumer/file.h"
#include "consumer/human.h"
#include "consumer/kafka_admin.h"
#include "consumer/stop_signal.h"
#include "consumer/view_reader.h"

#include <ctype.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define EVENTS 20000
#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number
#define DIR_SIZE 80 /* a Unix socket's path, in the directory, has 107 characters at most */
#define PATH_SIZE (DIR_SIZE + 32)
#define NAME_SIZE 256
#define KEY_SIZE (NAME_SIZE + 32)
#define WAIT_MS 60000 /* for what takes a second or two on an idle machine */
#define END_MS 20000
#define LOOK_EVERY_MS 100
#define SHOWN_EVERY_MS 20
#define LOG_MAX (16 << 20)
#define LOG_LINES 20

struct demo {
    const char *bootstrap; /* "": the embedded broker */
    const char *delivery;
    bool keep;
    bool colour;
    char self[PATH_MAX]; /* this program */
    char dir[DIR_SIZE];  /* everything is in there; "" before it is made */
    char address[NAME_SIZE];
    struct child redis, broker, service;
    struct config *config;
    struct view_reader *reader;
    char review[NAME_SIZE], owner[NAME_SIZE]; /* the first that waits for a decision */
};

/* ---- what is shown ------------------------------------------------------------------------- */

static void
say(const struct demo *demo, const char *title)
{
    printf("\n%s== %s%s\n", demo->colour ? "\033[1m" : "", title, demo->colour ? "\033[0m" : "");
}

/* A command as one would type it. */
static void
print_command(const struct demo *demo, const char *const *words)
{
    fputs(demo->colour ? "\033[1m$" : "$", stdout);
    for (; *words != NULL; words++) {
        printf(strchr(*words, '*') != NULL ? " '%s'" : " %s", *words);
    }
    puts(demo->colour ? "\033[0m" : "");
    fflush(stdout); /* before what the command prints */
}

static enum status
stopped(struct error *error)
{
    return error_set(error, STATUS_FAILED, "demo: stopped before its end");
}

/* Show a command of ours or of redis-cli, and what it prints; words end with NULL. */
static enum status
show(const struct demo *demo, const char *const *words, struct error *error)
{
    const bool ours = strcmp(words[0], "retrywatch") == 0;
    struct child child = {0};

    print_command(demo, words);
    const enum status status = child_start(
            &(struct child_options){.program = ours ? demo->self : words[0], .argv = words}, &child,
            error);

    if (status != STATUS_OK) {
        return status;
    }
    while (!child_ended(&child)) {
        if (stop_signal_came()) {
            child_end(&child, END_MS);
            return stopped(error);
        }
        clock_system.sleep_ms(&clock_system, SHOWN_EVERY_MS);
    }
    return child.code == 0 ? STATUS_OK
                           : error_set(error, STATUS_FAILED, "demo: %s %s ended with exit code %d",
                                     words[0], words[1], child.code);
}
#define SHOW(demo, error, ...) show(demo, (const char *const[]){__VA_ARGS__, NULL}, error)

/* The last lines of a log in the directory, which is gone soon. */
static void
tell_end_of(const struct demo *demo, const char *log)
{
    char path[PATH_SIZE];
    char *text = NULL;
    size_t size = 0;
    size_t lines = 0;

    snprintf(path, sizeof(path), "%s/%s", demo->dir, log);
    if (file_read(path, LOG_MAX, &text, &size, NULL) != STATUS_OK) {
        return;
    }
    size_t at = size;

    while (at > 0 && (lines < LOG_LINES || text[at - 1] != '\n')) {
        at--;
        lines += text[at] == '\n' ? 1 : 0;
    }
    fprintf(stderr, "%s ends with\n%s", log, text + at);
    free(text);
}

/* Wait until there() is true, while the child, which writes that log, lives. */
static enum status
wait_for(struct demo *demo, bool (*there)(struct demo *demo), const char *what, struct child *child,
        const char *log, struct error *error)
{
    const int64_t limit_ms = clock_system.monotonic_ms(&clock_system) + WAIT_MS;

    while (!there(demo)) {
        if (stop_signal_came()) {
            return stopped(error);
        }
        if (child_ended(child) || clock_system.monotonic_ms(&clock_system) > limit_ms) {
            tell_end_of(demo, log);
            return error_set(error, STATUS_FAILED, "demo: no %s", what);
        }
        clock_system.sleep_ms(&clock_system, LOOK_EVERY_MS);
    }
    return STATUS_OK;
}

/* ---- the stage ----------------------------------------------------------------------------- */

/* Settings of a real service must not reach this one: it would write into that Redis. */
static void
forget_settings(void)
{
    char **variable = environ;

    while (*variable != NULL) {
        char name[NAME_SIZE];
        const size_t size = strcspn(*variable, "=");

        if (strncmp(*variable, "RETRYWATCH_", strlen("RETRYWATCH_")) == 0 && size < sizeof(name)) {
            memcpy(name, *variable, size);
            name[size] = '\0';
            unsetenv(name); /* moves the others here */
        } else {
            variable++;
        }
    }
}

static enum status
make_directory(struct demo *demo, struct error *error)
{
    const char *parent = getenv("TMPDIR");
    char dir[DIR_SIZE];
    bool plain = true; /* goes into a URL and into YAML as it is */

    parent = parent != NULL && parent[0] == '/' ? parent : "/tmp";
    for (const char *at = parent; *at != '\0'; at++) {
        plain = plain && (isalnum((unsigned char)*at) != 0 || strchr("/._-", *at) != NULL);
    }
    if (!plain || snprintf(dir, sizeof(dir), "%s/retrywatch-demo-XXXXXX", parent) >= DIR_SIZE) {
        return error_set(error, STATUS_FAILED,
                "demo: the path of TMPDIR is too long, or has strange characters; try TMPDIR=/tmp");
    }
    if (mkdtemp(dir) == NULL) {
        return error_set(error, STATUS_FAILED, "demo: no directory can be made in %s: %m", parent);
    }
    memcpy(demo->dir, dir, sizeof(dir));
    return STATUS_OK;
}

/* Start something that runs until the end. words end with NULL. */
static enum status
start(const struct demo *demo, const char *program, const char *const *words, const char *log,
        struct child *child, struct error *error)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/%s", demo->dir, log);
    return child_start(
            &(struct child_options){
                    .program = program, .argv = words, .log_path = path, .stays = demo->keep},
            child, error);
}

static enum status
start_redis(struct demo *demo, struct error *error)
{
    char socket[PATH_SIZE];
    struct error problem = {0};

    snprintf(socket, sizeof(socket), "%s/redis", demo->dir);
    const char *const words[] = {"redis-server", "--port", "0", "--unixsocket", socket,
            "--unixsocketperm", "700", "--dir", demo->dir, "--save", "", "--appendonly", "yes",
            NULL};

    if (start(demo, words[0], words, "redis.log", &demo->redis, &problem) != STATUS_OK) {
        return error_set(error, STATUS_FAILED,
                "demo: %s; the package redis-server has it: apt-get install redis-server",
                problem.text);
    }
    return STATUS_OK;
}

/* The embedded broker has written its address. */
static bool
broker_there(struct demo *demo)
{
    char path[PATH_SIZE];
    char *text = NULL;
    size_t size = 0;

    snprintf(path, sizeof(path), "%s/broker", demo->dir);
    if (file_read(path, sizeof(demo->address) - 1, &text, &size, NULL) != STATUS_OK) {
        return false;
    }
    text[strcspn(text, "\n")] = '\0';
    memcpy(demo->address, text, strlen(text) + 1);
    free(text);
    return true;
}

static enum status
start_broker(struct demo *demo, struct error *error)
{
    char path[PATH_SIZE];

    if (demo->bootstrap[0] != '\0') {
        snprintf(demo->address, sizeof(demo->address), "%s", demo->bootstrap);
        return STATUS_OK;
    }
    snprintf(path, sizeof(path), "%s/broker", demo->dir);
    const char *const words[] = {"retrywatch", "broker", "--listen-file", path, NULL};
    const enum status status = start(demo, demo->self, words, "broker.log", &demo->broker, error);

    return status != STATUS_OK
                   ? status
                   : wait_for(demo, broker_there, "broker", &demo->broker, "broker.log", error);
}

/* Write the configuration, and have this process and its children use it. */
static enum status
configure(struct demo *demo, struct error *error)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/retrywatch.yaml", demo->dir);
    FILE *file = fopen(path, "wxe");

    if (file == NULL) {
        return error_set(error, STATUS_FAILED, "cannot write %s: %m", path);
    }
    fprintf(file,
            "kafka:\n  bootstrap.servers: \"%s\"\ndelivery: %s\nredis:\n  url: unix://%s/redis\n"
            "http:\n  listen: \"\"\n",
            demo->address, demo->delivery, demo->dir);
    if (fclose(file) != 0) {
        return error_set(error, STATUS_FAILED, "cannot write %s: %m", path);
    }
    setenv(CONFIG_PATH_VARIABLE, path, 1);
    enum status status = config_load(&(struct config_sources){.path = path}, &demo->config, error);

    if (status == STATUS_OK) {
        status = view_reader_new(demo->config, &demo->reader, error);
    }
    return status;
}

/* 20,000 invented events do not belong into a topic that others use. */
static enum status
check_unused(const struct demo *demo, struct error *error)
{
    char policy[KAFKA_SETTING_SIZE];
    const char *topic = demo->config->topics.outcomes;

    if (demo->bootstrap[0] == '\0') {
        return STATUS_OK;
    }
    const enum status status =
            kafka_topic_setting(demo->config, topic, "cleanup.policy", policy, error);

    if (status == STATUS_OK) {
        return error_set(error, STATUS_REFUSED,
                "demo: Kafka at %s has a topic %s already, and the demo would write invented "
                "events into it; leave --bootstrap out, or give it an empty Kafka",
                demo->address, topic);
    }
    return status == STATUS_REFUSED ? STATUS_OK : status;
}

static bool
redis_there(struct demo *demo)
{
    json_t *reviews = NULL;
    const enum status status = view_reader_reviews(demo->reader, false, &reviews, NULL);

    json_decref(reviews);
    return status == STATUS_OK;
}

static enum status
set_up(struct demo *demo, struct error *error)
{
    enum status status = make_directory(demo, error);

    if (status == STATUS_OK) {
        say(demo, "A private Redis and a broker");
        status = start_redis(demo, error);
    }
    if (status == STATUS_OK) {
        status = start_broker(demo, error);
    }
    if (status == STATUS_OK) {
        status = configure(demo, error);
    }
    if (status == STATUS_OK) {
        status = check_unused(demo, error);
    }
    if (status == STATUS_OK) {
        status = wait_for(demo, redis_there, "Redis", &demo->redis, "redis.log", error);
    }
    if (status == STATUS_OK) {
        printf("Kafka at %s, Redis at %s/redis, delivery %s\n", demo->address, demo->dir,
                demo->delivery);
    }
    return status;
}

/* ---- the story ----------------------------------------------------------------------------- */

/* Everything is counted, as far as the views say, and a review is open. */
static bool
review_there(struct demo *demo)
{
    json_t *owners = NULL;
    json_t *reviews = NULL;
    int64_t attempts = 0;

    if (view_reader_owners(demo->reader, VIEW_SORT_LAST, 0, &owners, NULL) == STATUS_OK &&
            view_reader_reviews(demo->reader, false, &reviews, NULL) == STATUS_OK &&
            json_array_size(reviews) > 0) {
        const char *id = "";
        const char *owner = "";
        size_t i = 0;
        json_t *view = NULL;

        json_array_foreach(owners, i, view)
        {
            const json_t *day = json_object_get(json_object_get(view, "windows"), "24h");

            attempts += json_integer_value(json_object_get(day, "attempts"));
        }
        if (json_unpack(json_array_get(reviews, 0), "{s:s, s:{s:s}}", "review_id", &id, "scope",
                    "owner_tag", &owner) == 0) {
            snprintf(demo->review, sizeof(demo->review), "%s", id);
            snprintf(demo->owner, sizeof(demo->owner), "%s", owner);
        }
    }
    json_decref(owners);
    json_decref(reviews);
    return attempts == EVENTS && demo->review[0] != '\0';
}

static enum status
find_review(struct demo *demo, struct error *error)
{
    const char *const words[] = {"retrywatch", "run", "--create-topics", NULL};

    say(demo, "The service");
    print_command(demo, words);
    const enum status status = start(demo, demo->self, words, "service.log", &demo->service, error);

    return status != STATUS_OK ? status
                               : wait_for(demo, review_there, "open review", &demo->service,
                                         "service.log", error);
}

/* What a dashboard reads, without any program of ours. */
static enum status
show_keys(const struct demo *demo, struct error *error)
{
    char socket[PATH_SIZE];
    char key[KEY_SIZE];
    char pattern[KEY_SIZE];

    snprintf(socket, sizeof(socket), "%s/redis", demo->dir);
    snprintf(key, sizeof(key), "rw:view:owner:%s", demo->owner);
    snprintf(pattern, sizeof(pattern), "rw:view:*:%s", demo->owner);
    say(demo, "The same for programs: Redis keys that a dashboard reads");
    enum status status =
            SHOW(demo, error, "redis-cli", "-s", socket, "--scan", "--pattern", pattern);

    if (status == STATUS_OK) {
        status = SHOW(
                demo, error, "redis-cli", "-s", socket, "--scan", "--pattern", "rw:view:review*");
    }
    if (status == STATUS_OK) {
        status = SHOW(demo, error, "redis-cli", "-s", socket, "hmget", key, "60m:attempts",
                "60m:retries", "60m:retry_share_bps", "open_reviews");
    }
    return status;
}

static enum status
tell_story(struct demo *demo, struct error *error)
{
    say(demo, "Five hours of attempts of twelve owners; the retries of one rise near the end");
    enum status status = SHOW(demo, error, "retrywatch", "generate", "--create-topics", "--events",
            TEXT(EVENTS), "--owners", "12", "--scenario", "rise", "--seed", "7");

    if (status == STATUS_OK) {
        status = find_review(demo, error);
    }
    if (status == STATUS_OK) {
        say(demo, "Owners, as Redis has them");
        status = SHOW(demo, error, "retrywatch", "owners");
    }
    if (status == STATUS_OK) {
        say(demo, "Reviews that wait for a decision");
        status = SHOW(demo, error, "retrywatch", "reviews");
    }
    if (status == STATUS_OK) {
        say(demo, "The review-required event, as a budget owner sees it");
        status = SHOW(demo, error, "retrywatch", "review", demo->review);
    }
    return status == STATUS_OK ? show_keys(demo, error) : status;
}

/* ---- the end ------------------------------------------------------------------------------- */

static int
remove_entry(const char *path, const struct stat *stat, int type, struct FTW *where)
{
    (void)stat;
    (void)type;
    (void)where;
    return remove(path);
}

/* The service first: it stores and commits what it has read, then the others may go. */
static enum status
end_all(struct demo *demo, struct error *error)
{
    const bool ran = demo->service.pid != 0;
    const int code = child_end(&demo->service, END_MS);
    enum status status = STATUS_OK;

    child_end(&demo->broker, END_MS);
    child_end(&demo->redis, END_MS);
    if (ran && code != 0) {
        tell_end_of(demo, "service.log");
        status = error_set(error, STATUS_FAILED, "demo: the service ended with exit code %d", code);
    }
    if (demo->dir[0] != '\0' && nftw(demo->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0 &&
            status == STATUS_OK) {
        status = error_set(error, STATUS_FAILED, "demo: %s cannot be removed: %m", demo->dir);
    }
    return status;
}

static void
tell_how_to_end(const struct demo *demo)
{
    say(demo, "Left running");
    printf("Look around:\n  export " CONFIG_PATH_VARIABLE "=%s/retrywatch.yaml\n"
           "  %s owner %s\n  %s generate --help\n  redis-cli -s %s/redis\n"
           "  tail -f %s/service.log\nEnd it:\n  kill %ld; sleep 3; kill",
            demo->dir, demo->self, demo->owner, demo->self, demo->dir, demo->dir,
            (long)demo->service.pid);
    if (demo->broker.pid != 0) {
        printf(" %ld", (long)demo->broker.pid);
    }
    printf(" %ld; sleep 1; rm -rf %s\n", (long)demo->redis.pid, demo->dir);
}

static enum status
play(struct demo *demo, struct error *error)
{
    const int64_t begun_ms = clock_system.monotonic_ms(&clock_system);
    struct error at_end = {0};
    enum status status = set_up(demo, error);

    if (status == STATUS_OK) {
        status = tell_story(demo, error);
    }
    if (status == STATUS_OK && demo->keep && !stop_signal_came()) {
        tell_how_to_end(demo);
    } else {
        const enum status ended = end_all(demo, &at_end);

        if (status == STATUS_OK && ended != STATUS_OK) {
            *error = at_end;
            status = ended;
        } else if (status == STATUS_OK) {
            say(demo, "Done: the service has ended, and nothing is left");
            printf("It took %.0f s; --keep leaves everything running to look around.\n",
                    (double)(clock_system.monotonic_ms(&clock_system) - begun_ms) / 1000);
        }
    }
    view_reader_destroy(demo->reader);
    config_destroy(demo->config);
    return status;
}

static enum status
check_options(struct demo *demo, struct error *error)
{
    const bool given = demo->bootstrap[0] != '\0';
    const bool exactly = strcmp(demo->delivery, "exactly_once") == 0;

    if (demo->delivery[0] == '\0') {
        demo->delivery = given ? "exactly_once" : "at_least_once";
    } else if (!exactly && strcmp(demo->delivery, "at_least_once") != 0) {
        return error_set(error, STATUS_BAD_CONFIG,
                "demo: --delivery: \"%s\" is not allowed; allowed: exactly_once or at_least_once",
                demo->delivery);
    } else if (exactly && !given) {
        return error_set(error, STATUS_BAD_CONFIG,
                "demo: --delivery exactly_once needs --bootstrap: the embedded broker has no "
                "working transactions");
    }
    if (strpbrk(demo->bootstrap, "\"\\\n") != NULL || strlen(demo->bootstrap) >= NAME_SIZE) {
        return error_set(error, STATUS_BAD_CONFIG, "demo: --bootstrap is no HOST:PORT");
    }
    return STATUS_OK;
}

int
command_demo(int argc, char **argv)
{
    struct demo demo = {.bootstrap = "", .delivery = "", .colour = human_colour(stdout)};
    const struct cli_option options[] = {
            {"--bootstrap", "HOST:PORT", "An empty Kafka to use instead of the embedded broker",
                    CLI_TEXT, &demo.bootstrap, 0, 0},
            {"--delivery", "MODE", "exactly_once (default with --bootstrap) or at_least_once",
                    CLI_TEXT, &demo.delivery, 0, 0},
            {"--keep", NULL, "Leave everything running, and say how to look around", CLI_FLAG,
                    &demo.keep, 0, 0},
    };
    struct cli cli = {.name = "demo",
            .summary = "Shows in half a minute what the service does: starts a private Redis and "
                       "the embedded broker,\nwrites invented events of twelve owners, runs the "
                       "service, and shows the one whose retries rise.\nNeeds redis-server; its "
                       "files are in a directory of their own, and gone at the end. No "
                       "configuration\nis read, neither from RETRYWATCH_* nor from a file.",
            .options = options,
            .option_count = sizeof(options) / sizeof(options[0])};
    struct error error = {0};
    const int code = cli_parse(&cli, argc, argv);

    if (code != CLI_GO_ON) {
        return code;
    }
    if (check_options(&demo, &error) != STATUS_OK) {
        return cli_fail(&error);
    }
    if (readlink("/proc/self/exe", demo.self, sizeof(demo.self) - 1) < 0) {
        error_set(&error, STATUS_FAILED, "demo: it cannot find itself in /proc: %m");
        return cli_fail(&error);
    }
    stop_signal_catch();
    forget_settings();
    return play(&demo, &error) == STATUS_OK ? 0 : cli_fail(&error);
}
