# Run by `cmake --install`: conf/reeve.service with the programs where they are installed.
set(programs "${CMAKE_INSTALL_PREFIX}/${RV_BINDIR}")
set(to "${CMAKE_INSTALL_PREFIX}/lib/systemd/system/reeve.service")
file(READ "${RV_UNIT}" text)
string(REPLACE "=/usr/bin/" "=${programs}/" text "${text}")
message(STATUS "Installing: $ENV{DESTDIR}${to}")
file(WRITE "$ENV{DESTDIR}${to}" "${text}")
file(CHMOD "$ENV{DESTDIR}${to}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${to}")
