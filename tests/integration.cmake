# Tests: integration, against Apache Kafka and Redis as others built them.
set(fixtures ${CMAKE_CURRENT_BINARY_DIR}/fixtures)
set(venv ${PROJECT_SOURCE_DIR}/build/venv)
set(support ${CMAKE_CURRENT_SOURCE_DIR}/support)

add_test(NAME integration.start COMMAND ${support}/fixtures.sh start ${fixtures} ${venv})
add_test(NAME integration.stop COMMAND ${support}/fixtures.sh stop ${fixtures} ${venv})
set_tests_properties(integration.start PROPERTIES
    FIXTURES_SETUP brokers LABELS integration TIMEOUT 600)
set_tests_properties(integration.stop PROPERTIES
    FIXTURES_CLEANUP brokers LABELS integration TIMEOUT 60)

# integration_test(<name> <timeout in seconds>): integration/test_<name>.py, skipped without Java.
function(integration_test name timeout)
    add_test(NAME integration.${name}
        COMMAND ${support}/python.sh ${venv} ${CMAKE_CURRENT_SOURCE_DIR}/integration/test_${name}.py)
    set_tests_properties(integration.${name} PROPERTIES
        FIXTURES_REQUIRED brokers LABELS integration TIMEOUT ${timeout} SKIP_RETURN_CODE 77
        ENVIRONMENT "RETRYWATCH=$<TARGET_FILE:retrywatch>;RETRYWATCH_FIXTURES=${fixtures}")
endfunction()

integration_test(at_least_once 180)
integration_test(bad_input 180)
integration_test(canary 180)
integration_test(commands 120)
integration_test(decide 300)
integration_test(config 60)
integration_test(end_to_end 180)
integration_test(fencing 300)
integration_test(json_input 180)
integration_test(million 600)
integration_test(notify 300)
integration_test(rebuild 420)
integration_test(redis_restored 420)
integration_test(registry 180)
integration_test(smoke_test 300)
integration_test(trouble 300)

# The Kafka clients in C: on the mock broker always, on Apache Kafka where there is one.
retrywatch_test(integration kafka_clients consumer)
set_tests_properties(integration.kafka_clients PROPERTIES TIMEOUT 120)
add_test(NAME integration.kafka_clients_on_kafka COMMAND test_kafka_clients)
set_tests_properties(integration.kafka_clients_on_kafka PROPERTIES
    FIXTURES_REQUIRED brokers LABELS integration TIMEOUT 180 SKIP_RETURN_CODE 77
    ENVIRONMENT "RETRYWATCH_FIXTURES=${fixtures}")
set_property(TEST integration.kafka_clients integration.kafka_clients_on_kafka APPEND PROPERTY
    ENVIRONMENT "LSAN_OPTIONS=suppressions=${support}/lsan.supp:print_suppressions=0")

# The decode plan beside fastavro; needs the Python clients alone.
integration_test(decode_fastavro 120)
set_property(TEST integration.decode_fastavro APPEND PROPERTY
    ENVIRONMENT "DECODE_DRIVER=$<TARGET_FILE:decode_driver>")

# State and views in a Redis that the test starts itself.
retrywatch_test(integration store_redis consumer)
retrywatch_test(integration store_space consumer)
retrywatch_test(integration views consumer)
retrywatch_test(integration view_reader consumer)
add_test(NAME integration.show
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/show.sh $<TARGET_FILE:retrywatch>)
set_tests_properties(integration.show PROPERTIES LABELS integration TIMEOUT 60)
# The demo starts what it needs itself.
add_test(NAME integration.demo
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/demo.sh $<TARGET_FILE:retrywatch>)
set_tests_properties(integration.demo PROPERTIES LABELS integration TIMEOUT 180)
