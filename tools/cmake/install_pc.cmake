# Run by `cmake --install`: reeve.pc with the prefix that it is installed to.
set(RV_PREFIX "${CMAKE_INSTALL_PREFIX}")
set(to "${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig/reeve.pc")
message(STATUS "Installing: $ENV{DESTDIR}${to}")
configure_file("${RV_PC_IN}" "$ENV{DESTDIR}${to}" @ONLY)
list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${to}")
