# Faults of whole processes: killed at system calls, stopped and failed at named points.
rv_main_test(f02_syscalls ROOM fault TIMEOUT 1800 USES testhelp store os SOURCES f02_syscalls.c)
add_dependencies(f02_syscalls reeve)
# rv_e2e is made in the room process, which comes first.
if(TARGET rv_e2e)
  rv_main_test(fault_e2e_points ROOM fault TIMEOUT 600 USES e2e SOURCES e2e_points.c)
endif()
