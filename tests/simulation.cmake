# Tests: the service loop in a simulated world.
add_executable(simulate simulation/simulate.c simulation/check.c simulation/history.c
    simulation/input.c simulation/world.c simulation/world_feed.c simulation/world_kafka.c
    simulation/world_store.c)
target_compile_definitions(simulate PRIVATE _GNU_SOURCE)
target_link_libraries(simulate PRIVATE consumer)
add_test(NAME simulation.random COMMAND simulate --seeds 600)
set_tests_properties(simulation.random PROPERTIES LABELS simulation TIMEOUT 600)
add_test(NAME simulation.exhaustive COMMAND simulate --exhaustive)
set_tests_properties(simulation.exhaustive PROPERTIES LABELS simulation TIMEOUT 600)
