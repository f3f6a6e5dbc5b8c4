# The house rules for building: one flags target, and one function that makes a floor.
#
# rv_floor(NAME USES floor… LINK lib… SOURCES file…)
#   makes the static library rv_NAME from common/NAME.  Its headers are reachable as "NAME/file.h"
#   only by targets that link it (through build/floors/NAME/NAME -> common/NAME), so an include
#   that goes up or sideways does not compile.

find_package(PkgConfig REQUIRED)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
find_library(LIBEV ev REQUIRED)

add_library(rv_flags INTERFACE)
target_compile_features(rv_flags INTERFACE c_std_17)
target_compile_definitions(rv_flags INTERFACE _GNU_SOURCE RV_VERSION="${PROJECT_VERSION}")
target_compile_options(rv_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes
  -Wundef -Wformat=2 -Wvla -Wwrite-strings -Wpointer-arith -Wswitch-enum -Wimplicit-fallthrough
  -Wdouble-promotion -Wcast-qual -fno-common -fstack-protector-strong
  -fno-omit-frame-pointer
  $<$<C_COMPILER_ID:GNU>:-Wlogical-op;-Wduplicated-cond;-Wduplicated-branches;-Wjump-misses-init>
  $<$<BOOL:${RV_WERROR}>:-Werror>)
target_compile_options(rv_flags INTERFACE
  $<$<CONFIG:Release>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3;-fstack-clash-protection>)
target_link_options(rv_flags INTERFACE -Wl,-z,relro,-z,now,--as-needed)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)

if(RV_SANITIZE)
  target_compile_options(rv_flags INTERFACE -fsanitize=${RV_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(rv_flags INTERFACE -fsanitize=${RV_SANITIZE})
endif()
if(RV_COVERAGE)
  target_compile_options(rv_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(rv_flags INTERFACE --coverage)
endif()
foreach(flag IN ITEMS RV_FAULTS RV_TORTURE)
  if(${flag})
    target_compile_definitions(rv_flags INTERFACE ${flag}=1)
  endif()
endforeach()

function(rv_floor name)
  cmake_parse_arguments(F "" "" "USES;LINK;SOURCES" ${ARGN})
  set(view ${CMAKE_BINARY_DIR}/floors/${name})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${name} SYMBOLIC)
  add_library(rv_${name} STATIC ${F_SOURCES})
  target_include_directories(rv_${name} PUBLIC ${view})
  target_link_libraries(rv_${name} PRIVATE rv_flags ${F_LINK})
  foreach(below IN LISTS F_USES)
    target_link_libraries(rv_${name} PUBLIC rv_${below})
  endforeach()
endfunction()

# rv_program(NAME [LIBEXEC] USES floor… LINK lib… SOURCES file…)
function(rv_program name)
  cmake_parse_arguments(P "LIBEXEC" "" "USES;LINK;SOURCES" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  target_link_libraries(${name} PRIVATE rv_flags ${P_LINK})
  foreach(below IN LISTS P_USES)
    target_link_libraries(${name} PRIVATE rv_${below})
  endforeach()
  if(P_LIBEXEC)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${RV_LIBEXEC_OUTPUT})
    install(TARGETS ${name} DESTINATION ${RV_LIBEXEC_INSTALL})
  else()
    install(TARGETS ${name} DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()
