# Tests: random streams against a model that recounts them (tests/support/oracle).
add_executable(stream_driver support/stream_driver.c support/fold_store.c)
target_link_libraries(stream_driver PRIVATE consumer)
add_test(NAME property.oracle
    COMMAND python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/support/oracle/oracle.py
        --streams 200 $<TARGET_FILE:stream_driver>)
set_tests_properties(property.oracle PROPERTIES LABELS property TIMEOUT 600 PROCESSORS 2)
