# Tests: consumer.
retrywatch_test(unit digest consumer)
retrywatch_test(unit config consumer)
retrywatch_test(unit config_errors consumer)
retrywatch_test(unit log consumer)
retrywatch_test(unit registry consumer)
retrywatch_test(unit nearest consumer)
retrywatch_test(unit position consumer)
retrywatch_test(unit notify consumer)
retrywatch_test(unit notify_alert consumer)
retrywatch_test(unit cli consumer)
retrywatch_test(unit decision_write consumer)
retrywatch_fuzz(config consumer)
retrywatch_test(unit generator consumer)
add_test(NAME unit.command_line
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/unit/command_line.sh $<TARGET_FILE:retrywatch>)
set_tests_properties(unit.command_line PROPERTIES LABELS unit)
retrywatch_test(unit redis_address consumer)
retrywatch_test(unit redis_space consumer)
retrywatch_test(unit rebuild_compare consumer)
retrywatch_test(unit rebuild_source consumer)

# hiredis' own formatter is the oracle of ours.
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
retrywatch_test(unit resp consumer)
target_link_libraries(test_resp PRIVATE PkgConfig::HIREDIS)

# What people and dashboards see.
retrywatch_test(unit human consumer)
retrywatch_test(unit table_print consumer)
retrywatch_test(unit review_print consumer)
retrywatch_test(unit views_commands codec_support)
target_link_libraries(test_views_commands PRIVATE consumer PkgConfig::HIREDIS)
