# Tests: lint, what the tree promises.
set(support ${CMAKE_CURRENT_SOURCE_DIR}/support)

# retrywatch_lint(<name> <command>...)
function(retrywatch_lint name)
    add_test(NAME lint.${name} COMMAND ${ARGN})
    set_tests_properties(lint.${name} PROPERTIES LABELS lint TIMEOUT 120)
endfunction()

# The pure core links nothing: no Kafka, no Redis, no clock, no log. libc may give it these.
retrywatch_lint(aggregator_is_pure ${support}/check_symbols.sh $<TARGET_FILE:aggregator>
    __assert_fail abort calloc free malloc memchr memcmp memcpy memmove memset qsort realloc
    snprintf strlen vsnprintf)

retrywatch_lint(headers ${support}/check_headers.sh ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
# The example for Alertmanager, where its own checker is here.
retrywatch_lint(alertmanager_example ${support}/check_alertmanager.sh
    ${PROJECT_SOURCE_DIR}/deploy/alertmanager.example.yml)
set_tests_properties(lint.alertmanager_example PROPERTIES SKIP_RETURN_CODE 77)
retrywatch_lint(tree ${support}/check_tree.sh)
retrywatch_lint(docs ${support}/docs.sh check $<TARGET_FILE:retrywatch>)
