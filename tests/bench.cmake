# Tests: bench.

# What the pipeline is measured against.
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
add_executable(null_consumer bench/null_consumer.c)
target_link_libraries(null_consumer PRIVATE project_options PkgConfig::RDKAFKA)

add_executable(bench_apply bench/bench_apply.c)
target_link_libraries(bench_apply PRIVATE aggregator m)

pkg_check_modules(AVRO REQUIRED IMPORTED_TARGET avro-c)

add_executable(bench_decode bench/bench_decode.c)
target_link_libraries(bench_decode PRIVATE consumer PkgConfig::AVRO)

add_executable(bench_store bench/bench_store.c)
target_link_libraries(bench_store PRIVATE consumer)

add_executable(fill bench/fill.c)
target_link_libraries(fill PRIVATE codec PkgConfig::RDKAFKA)
