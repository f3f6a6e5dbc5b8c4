# The whole of reeve: reeved, keeper, workers, CLI, over a store (e2e.h).
add_executable(rv_testjob testjob.c)
set_target_properties(rv_testjob PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(rv_testjob PRIVATE rv_flags)
add_library(rv_e2e STATIC e2e.c e2e_store.c)
target_link_libraries(rv_e2e PUBLIC rv_testhelp rv_client rv_store rv_conf rv_wire rv_os rv_base
  PkgConfig::JANSSON PRIVATE rv_flags)
add_dependencies(rv_e2e reeved reeve reeve-worker reeve-keeper rv_testjob)

foreach(test IN ITEMS work stop fault)
  rv_test(process_e2e_${test} ROOM process TIMEOUT 600 USES e2e SOURCES test_e2e_${test}.c)
endforeach()
rv_main_test(process_e2e_death ROOM process USES e2e SOURCES e2e_death.c)
# Storms: 500 kills in five entries of two seeds; RV_ALL=1: 20 seeds each, 5,000 kills.
add_executable(e2e_storm e2e_storm.c)
set_target_properties(e2e_storm PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(e2e_storm PRIVATE rv_flags rv_e2e)
foreach(part IN ITEMS 1 101 201 301 401)
  add_test(NAME process_e2e_storm_${part} COMMAND e2e_storm ${part} 2)
  rv_test_common(process_e2e_storm_${part} process 600)
endforeach()
