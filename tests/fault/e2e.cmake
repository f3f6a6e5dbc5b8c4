# Faults of whole processes: killed at system calls, stopped and failed at named points.
rv_main_test(f02_syscalls ROOM fault TIMEOUT 1800 USES testhelp store os SOURCES f02_syscalls.c)
