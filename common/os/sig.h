#ifndef RV_OS_SIG_H
#define RV_OS_SIG_H

/*
 * Signals as data: a program blocks the ones of its signals.def and reads them from a signalfd in
 * its loop (rv_loop_signals).  No handler of ours ever runs.  Every process.
 */

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * First call of a program: undoes what its parent left behind.  Every disposition back to default
 * (an inherited SIG_IGN of SIGCHLD gives ECHILD for every child), except SIGPIPE, which is ignored;
 * an empty mask.  rv_spawn does the same in each child, SIGPIPE included.
 */
void rv_sig_reset(void);

/* Blocks ${signals} and gives a non-blocking, O_CLOEXEC signalfd of them. */
int rv_sig_open(const int *signals, size_t count, int *ret_fd) RV_MUST_CHECK;

struct rv_sig {
	int signo;
	pid_t pid; /* who sent it; 0: the kernel.  For the log only, never to act upon */
	uid_t uid;
	bool from_kernel; /* a key of the terminal, its new size: nobody sent it */
};

/* One pending signal; RV_E_BUSY when there is none. */
int rv_sig_read(int fd, struct rv_sig *ret_sig) RV_MUST_CHECK;

/* "TERM" for SIGTERM, "RTMIN+3"; "?" for what is none.  Borrowed, static. */
const char *rv_sig_name(int signo);
/* Reads "TERM", "SIGTERM", "term" or "15". */
int rv_sig_parse(const char *text, int *ret_signo) RV_MUST_CHECK;

#endif
