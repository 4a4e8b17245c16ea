# Tests: codec.
add_library(codec_support STATIC
    support/avro_random.c support/outcome_print.c support/random_codec.c)
target_link_libraries(codec_support PUBLIC codec)

retrywatch_test(unit avro_data codec_support)
retrywatch_test(unit buffer codec_support)
retrywatch_test(unit credential codec)
retrywatch_test(unit decision_codec codec_support)
retrywatch_test(unit decoder codec_support)
retrywatch_test(unit forbidden codec)
retrywatch_test(unit frame codec_support)
retrywatch_test(unit outcome_json codec_support)
retrywatch_test(unit plan codec_support)
retrywatch_test(unit plan_bytes codec_support)
retrywatch_test(unit review_codec codec_support)
retrywatch_test(unit state codec)
retrywatch_test(unit times codec)
retrywatch_test(unit url codec)

retrywatch_test(property codec_round_trip codec_support)

# Avro-C is the oracle for what we write by hand.
pkg_check_modules(AVRO REQUIRED IMPORTED_TARGET avro-c)
target_link_libraries(test_review_codec PRIVATE PkgConfig::AVRO)
target_link_libraries(test_decision_codec PRIVATE PkgConfig::AVRO)

retrywatch_fuzz(decision codec)
retrywatch_fuzz(outcome_json codec_support)
retrywatch_fuzz(review codec)
retrywatch_fuzz(state codec)

# Avro-C as the oracle, in a process of its own: hostile bytes break it.
add_executable(avro_oracle support/avro_oracle.c)
target_compile_definitions(avro_oracle PRIVATE _GNU_SOURCE)
target_link_libraries(avro_oracle PRIVATE PkgConfig::AVRO)
retrywatch_test(property plan_differential codec_support)
target_compile_definitions(test_plan_differential PRIVATE
    AVRO_ORACLE="$<TARGET_FILE:avro_oracle>")
add_dependencies(test_plan_differential avro_oracle)

retrywatch_fuzz(frame codec)
retrywatch_fuzz(plan codec)
retrywatch_fuzz(schema codec)

add_executable(decode_driver support/decode_driver.c)
target_link_libraries(decode_driver PRIVATE codec_support)
