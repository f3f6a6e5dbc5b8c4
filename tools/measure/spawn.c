/* The bare loop: vfork, exec /bin/true, wait; without pipes, store or hygiene. */
#include "measure.h"

#include "base/seam.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Never inlined: the counters of a caller may be clobbered across a vfork. */
static __attribute__((noinline)) void run_one(void)
{
	static char name[] = "/bin/true";
	static char *const argv[] = {name, NULL};
	const pid_t pid =
		vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): the floor */

	if (pid == 0) {
		(void)execv(name, argv);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
}

int rv_measure_spawn(int argc, char **argv)
{
	int count = (int)rv_measure_number(argv[1]);
	int processes = (int)rv_measure_number(argv[2]);
	int64_t began = rv_mono_us();

	(void)argc;
	if (processes < 1)
		rv_measure_die("spawn", "PROCESSES is at least 1");
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			rv_measure_die("spawn", "cannot fork");
		for (int left = pid == 0 ? count / processes : 0; left > 0; left--)
			run_one();
		if (pid == 0)
			_exit(0);
	}
	while (wait(NULL) > 0)
		continue;
	(void)printf("{\"rate\":%.1f}\n", (double)count * 1e6 / (double)(rv_mono_us() - began));
	return 0;
}
