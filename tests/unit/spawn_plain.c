/*
 * Starting processes without Criterion, so that it runs under ThreadSanitizer as well, where the
 * child is forked: the same promises by the other way.
 */
#include "base/check.h"
#include "helpers/child.h"
#include "os/fd.h"
#include "os/spawn.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPECT(what)                                                                               \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			(void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);   \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static int finish(struct rv_proc *proc)
{
	struct rv_exit how;

	EXPECT(rv_fd_wait(proc->pidfd, POLLIN, 30000000) == RV_OK);
	EXPECT(rv_proc_reap(proc, &how) == RV_OK);
	return how.signo ? 128 + how.signo : how.code;
}

static void output_and_environment(void)
{
	struct rv_spawn how = {.argv = RV_WORDS("/bin/sh", "-c", "echo $A >&9; exit 3"),
			       .envp = RV_WORDS("A=given")};
	struct rv_proc proc;
	char text[64] = "";
	size_t got = 0;
	int fds[2];

	EXPECT(rv_fd_pipe(fds, false) == RV_OK);
	how.fds[how.nfds++] = (struct rv_spawn_fd){.from = fds[1], .to = 9};
	EXPECT(rv_spawn(&how, &proc, NULL) == RV_OK);
	rv_fd_close(&fds[1]);
	EXPECT(rv_fd_read_all(fds[0], text, sizeof text - 1, &got) == RV_OK);
	rv_fd_close(&fds[0]);
	EXPECT(strcmp(text, "given\n") == 0);
	EXPECT(finish(&proc) == 3);
}

static void failures(void)
{
	struct rv_spawn missing = {.argv = RV_WORDS("/nonexistent/program")};
	struct rv_spawn nowhere = {.argv = RV_WORDS("/bin/true"), .cwd = "/nonexistent"};
	struct rv_why why = {{0}};
	struct rv_proc proc;

	EXPECT(rv_spawn(&missing, &proc, &why) == RV_E_MISSING);
	EXPECT(strstr(why.text, "No such file or directory"));
	EXPECT(rv_spawn(&nowhere, &proc, &why) == RV_E_IO);
	EXPECT(strstr(why.text, "cannot enter the folder"));
}

static void signals(void)
{
	struct rv_spawn how = {.argv = RV_WORDS("/bin/sleep", "600"),
			       .new_session = true,
			       .parent_death_signal = SIGKILL};
	struct rv_proc proc;

	EXPECT(rv_spawn(&how, &proc, NULL) == RV_OK);
	EXPECT(rv_proc_signal(&proc, SIGTERM, true) == RV_OK);
	EXPECT(finish(&proc) == 128 + SIGTERM);
}

int main(void)
{
	int before = rv_test_count_fds();

	for (int i = 0; i < 100; i++) {
		output_and_environment();
		failures();
		signals();
	}
	EXPECT(rv_test_count_fds() == before);
	(void)puts("as promised");
	return 0;
}
