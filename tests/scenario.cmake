# Tests: scenario. Each file is one test, named after it.
add_executable(run_scenario scenario/run_scenario.c scenario/script.c scenario/expect.c
    support/fold_store.c)
target_link_libraries(run_scenario PRIVATE codec)
file(GLOB scenario_files CONFIGURE_DEPENDS scenario/*.scenario)
foreach(scenario_file IN LISTS scenario_files)
    cmake_path(GET scenario_file STEM scenario_name)
    add_test(NAME scenario.${scenario_name} COMMAND run_scenario ${scenario_file})
    set_tests_properties(scenario.${scenario_name} PROPERTIES LABELS scenario)
endforeach()
