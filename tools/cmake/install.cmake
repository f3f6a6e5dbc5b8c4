# What `cmake --install` puts beside the programs: manual pages, completions, the unit, the samples;
# in the folders where Debian looks for them.

set(share ${CMAKE_BINARY_DIR}/share)
file(MAKE_DIRECTORY ${share})

# Manual pages, from scdoc.
find_program(RV_SCDOC scdoc)
set(made)
if(RV_SCDOC)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.scd)
  foreach(source IN LISTS pages)
    get_filename_component(page ${source} NAME)
    string(REGEX REPLACE "\\.scd$" "" page ${page})
    string(REGEX REPLACE "^.*\\." "" section ${page})
    add_custom_command(OUTPUT ${share}/${page} DEPENDS ${source} VERBATIM
      COMMAND sh -c "\"$1\" <\"$2\" >\"$3\"" sh ${RV_SCDOC} ${source} ${share}/${page})
    list(APPEND made ${share}/${page})
    install(FILES ${share}/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  endforeach()
else()
  message(NOTICE "scdoc is not installed: the manual pages are neither made nor installed")
endif()

# Completions, from reeve itself.
foreach(shell IN ITEMS bash zsh fish)
  add_custom_command(OUTPUT ${share}/reeve.${shell} DEPENDS reeve VERBATIM
    COMMAND sh -c "\"$1\" completion \"$2\" >\"$3\"" sh $<TARGET_FILE:reeve> ${shell}
      ${share}/reeve.${shell})
  list(APPEND made ${share}/reeve.${shell})
endforeach()
add_custom_target(share ALL DEPENDS ${made})
set(data ${CMAKE_INSTALL_DATADIR})
install(FILES ${share}/reeve.bash DESTINATION ${data}/bash-completion/completions RENAME reeve)
install(FILES ${share}/reeve.zsh DESTINATION ${data}/zsh/vendor-completions RENAME _reeve)
install(FILES ${share}/reeve.fish DESTINATION ${data}/fish/vendor_completions.d)

# The sample is everything at its default: a sample, never /etc/reeve/reeve.ini itself.
install(FILES conf/reeve.ini DESTINATION ${data}/doc/reeve/examples)
file(GLOB examples CONFIGURE_DEPENDS conf/examples/c/*.c)
install(FILES ${examples} DESTINATION ${data}/doc/reeve/examples/c)
install(FILES conf/examples/node/enqueue.js DESTINATION ${data}/doc/reeve/examples/node)
file(GLOB handlers CONFIGURE_DEPENDS conf/examples/pipe/*)
install(FILES ${handlers} DESTINATION ${data}/doc/reeve/examples/pipe)
install(FILES conf/examples/module/words.c conf/examples/module/Makefile
  DESTINATION ${data}/doc/reeve/examples/module)
install(FILES README.md CHANGELOG.md DESTINATION ${data}/doc/reeve)
install(FILES LICENSE DESTINATION ${data}/doc/reeve RENAME copyright)

# The unit names the programs by their path, which only the install knows (--prefix).
install(CODE "set(RV_UNIT \"${CMAKE_SOURCE_DIR}/conf/reeve.service\")
set(RV_BINDIR \"${CMAKE_INSTALL_BINDIR}\")")
install(SCRIPT tools/cmake/install_unit.cmake)
