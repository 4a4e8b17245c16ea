# Tests: the service loop in a simulated world.
add_executable(simulate simulation/simulate.c simulation/check.c simulation/history.c
    simulation/input.c simulation/world.c simulation/world_feed.c simulation/world_kafka.c
    simulation/world_rebuild.c simulation/world_store.c)
target_compile_definitions(simulate PRIVATE _GNU_SOURCE)
target_link_libraries(simulate PRIVATE consumer)

# retrywatch_simulation(<name> <command>...)
function(retrywatch_simulation name)
    add_test(NAME simulation.${name} COMMAND ${ARGN})
    set_tests_properties(simulation.${name} PROPERTIES LABELS simulation TIMEOUT 900)
endfunction()

# Many seeds and all pairs of crash points in an optimised build; some seeds, and every crash point,
# as this tree is built.
retrywatch_simulation(random ${CMAKE_CURRENT_SOURCE_DIR}/simulation/run.sh 2000)
retrywatch_simulation(pairs ${CMAKE_CURRENT_SOURCE_DIR}/simulation/run.sh --pairs)
retrywatch_simulation(calls simulate --calls)
retrywatch_simulation(here simulate --seed 1000001 --seeds 100)
retrywatch_simulation(bugs python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/simulation/bugs.py --check)
set_tests_properties(simulation.random simulation.pairs PROPERTIES
    RESOURCE_LOCK build_release) # both may build it

# The rules of delivery alone, exhaustively, and mutants of them. Optimised in every build.
add_executable(check_model model/check_model.c model/model.c model/model_load.c)
target_compile_options(check_model PRIVATE -O2)
target_compile_definitions(check_model PRIVATE _GNU_SOURCE)
target_link_libraries(check_model PRIVATE aggregator)
add_test(NAME model COMMAND check_model)
set_tests_properties(model PROPERTIES LABELS simulation TIMEOUT 600)
