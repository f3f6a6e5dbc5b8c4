# Run by `cmake --install`: RV_PC_IN, a .pc.in, with the prefix that it is installed to.
set(RV_PREFIX "${CMAKE_INSTALL_PREFIX}")
get_filename_component(name "${RV_PC_IN}" NAME_WLE)
set(to "${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig/${name}")
message(STATUS "Installing: $ENV{DESTDIR}${to}")
configure_file("${RV_PC_IN}" "$ENV{DESTDIR}${to}" @ONLY)
list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${to}")
