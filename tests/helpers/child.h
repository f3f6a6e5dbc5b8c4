#ifndef RV_TESTHELP_CHILD_H
#define RV_TESTHELP_CHILD_H

/*
 * Starting processes from a test, the one way that works under Criterion (TESTING.md): PDEATHSIG,
 * empty signal mask, no BXFI_MAP, no leaked descriptor, pidfd.  Every failure of the helpers
 * themselves prints a sentence and aborts: a test cannot go on without its process.
 */

#include "base/attr.h"
#include "os/spawn.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rv_test_child {
	pid_t pid;
	int pidfd; /* -1 once it was waited for */
	int in;    /* our end of its stdin; -1 when it has /dev/null */
	int out;   /* our end of its stdout; -1 when it has ours */
	int err;   /* our end of its stderr; -1 when it has ours */
};

/* A list of words as rv_spawn wants it, alive until the end of the block. */
#define RV_WORDS(...) ((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

/* What to give the child; a zeroed one with argv set: /dev/null, our stdout, stderr, environment.
 */
struct rv_test_start {
	const char *const *argv; /* argv[0] is searched along PATH */
	const char *const *env;  /* NAME=value, put over our environment; may be NULL */
	const char *cwd;
	bool pipe_in, pipe_out, pipe_err; /* a pipe to the test instead */
	const char *out_file;             /* stdout and stderr appended to this file instead */
	bool bare_env;                    /* exactly ${env}, nothing of ours */
	bool blocked_chld; /* start it with SIGCHLD ignored and all signals blocked (F12) */
};

void rv_test_start(const struct rv_test_start *how, struct rv_test_child *ret_child);
/* rv_test_start with nothing but words, the last one NULL, stdout to a pipe. */
void rv_test_startl(struct rv_test_child *ret_child, const char *word, ...)
	__attribute__((sentinel));

void rv_test_signal(const struct rv_test_child *child, int signo);
bool rv_test_running(const struct rv_test_child *child);
/* Waits up to ${timeout_ms}; false: it still runs. */
bool rv_test_wait(struct rv_test_child *child, int64_t timeout_ms, struct rv_exit *ret_exit);
/* rv_test_wait, and KILL plus abort when it takes longer; the exit code, or 128 + signal. */
int rv_test_finish(struct rv_test_child *child, int64_t timeout_ms);
/* KILLs it if it runs, waits, closes everything; a child that was never started is allowed. */
void rv_test_end(struct rv_test_child *child);

/* Runs to the end, gives stdout (NUL-terminated, cut to the space; may be NULL), returns as finish.
 */
int rv_test_output(const char *const *argv, char *ret_text, size_t space, int64_t timeout_ms);

/* How many processes on this machine have NAME=value in their environment. */
int rv_test_count_marked(const char *name, const char *value);
/* How many descriptors this process has open. */
int rv_test_count_fds(void);

#endif
