/* service.c - the parts that the service is made of, and how they are put together.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "consumer/service.h"

#include "consumer/clock.h"
#include "consumer/digest.h"
#include "consumer/file.h"
#include "consumer/log.h"
#include "consumer/registry.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

#define CHECK_TIMEOUT_MS 5000
#define KEEP_BLOCK (32 << 20) /* bytes; the largest that glibc allows */
#define KEEP_FREE (256 << 20) /* bytes at the end of a heap */
#define KEEP_AHEAD (4 << 20)  /* bytes by which a heap grows; not touched before they are used */
#define SCHEMA_SIZE_MAX ((size_t)1 << 20)

enum status
service_check_kafka(struct service *service, struct error *error)
{
    return kafka_check(
            service->config, service->create_topics, CHECK_TIMEOUT_MS, &service->facts, error);
}

struct store_meta
service_meta(const struct service *service)
{
    return (struct store_meta){
            .cluster_id = service->facts.cluster_id,
            .topic = service->config->topics.outcomes,
            .partition_count = service->facts.partition_count,
            .group = service->config->group,
            .layout = service->config->layout,
    };
}

enum status
service_make_decoder(struct service *service, struct error *error)
{
    const struct config *config = service->config;
    struct decoder_options options = {
            .format = config->input.format,
            .record_bytes_max = (size_t)config->record_bytes,
    };

    if (config->schema.outcome[0] != '\0') {
        size_t size = 0;
        const enum status status = file_read(
                config->schema.outcome, SCHEMA_SIZE_MAX, &service->writer_schema, &size, error);

        if (status != STATUS_OK) {
            return status;
        }
        options.writer_schema = service->writer_schema;
    }
    if (config->schema.registry[0] != '\0') {
        service->registry = registry_new(config, &clock_system);
        options.fetch = registry_fetch;
        options.fetch_context = service->registry;
    }
    return decoder_new(&options, &service->decoder, error);
}

enum status
service_make_loop(struct service *service, bool rebuilds, struct error *error)
{
    struct loop_options options = {
            .config = service->config,
            .clock = &clock_system,
            .decoder = service->decoder,
            .digest = digest_sha256,
            .partition_count = service->facts.partition_count,
            .rebuilds = rebuilds,
    };

    if (getrandom(&options.process, sizeof(options.process), 0) !=
            (ssize_t)sizeof(options.process)) {
        return error_set(error, STATUS_FAILED, "the kernel gives no random numbers");
    }
    service->decisions = decisions_new();
    options.decisions = service->decisions;
    service->loop = loop_new(&options);
    return STATUS_OK;
}

enum status
service_make_clients(
        struct service *service, const struct source_listener *listener, struct error *error)
{
    const struct config *config = service->config;
    enum status status = source_kafka_new(config, &clock_system, listener, &service->source, error);

    if (status == STATUS_OK) {
        status = publisher_kafka_new(config, service->source, &service->publisher, error);
    }
    if (status == STATUS_OK) {
        status = decisions_kafka_new(config, &clock_system, &service->feed, error);
    }
    if (status == STATUS_OK) {
        service->readback = readback_kafka_new(config, &clock_system);
    }
    return status;
}

void
service_fini(struct service *service)
{
    if (service->source != NULL) {
        service->source->ops->destroy(service->source);
    }
    if (service->publisher != NULL) {
        service->publisher->ops->destroy(service->publisher);
    }
    if (service->feed != NULL) {
        service->feed->ops->destroy(service->feed);
    }
    if (service->readback != NULL) {
        service->readback->ops->destroy(service->readback);
    }
    loop_destroy(service->loop);
    if (service->store != NULL) {
        service->store->ops->destroy(service->store);
    }
    decisions_destroy(service->decisions);
    decoder_destroy(service->decoder);
    registry_destroy(service->registry);
    free(service->writer_schema);
}

/* The limit alone is not enough: where core_pattern is a pipe, the kernel does not ask for it. */
void
service_forbid_core_dumps(void)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0) {
        log_warn("start", "error=\"core dumps cannot be forbidden: %m\"");
    }
}

void
service_keep_freed_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, KEEP_BLOCK);
    mallopt(M_TRIM_THRESHOLD, KEEP_FREE);
    mallopt(M_TOP_PAD, KEEP_AHEAD);
}
