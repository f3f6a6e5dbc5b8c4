/* Signals as data.  Every process; installs no handler. */
#include "os/sig.h"

#include "base/err.h"
#include "base/fmt.h"
#include "os/fd.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

void rv_sig_reset(void)
{
	struct sigaction deflt = {.sa_handler = SIG_DFL};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++) {
		if (signo == SIGKILL || signo == SIGSTOP)
			continue;
		(void)sigaction(signo, signo == SIGPIPE ? &ignore : &deflt, NULL);
	}
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int rv_sig_open(const int *signals, size_t count, int *ret_fd)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		(void)sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return rv_err_from_errno(errno);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return rv_err_from_errno(errno);
	*ret_fd = fd;
	return RV_OK;
}

int rv_sig_read(int fd, struct rv_sig *ret_sig)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do {
		n = read(fd, &info, sizeof info);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof info)
		return n < 0 ? rv_err_from_errno(errno) : RV_E_IO;
	*ret_sig = (struct rv_sig){
		.signo = (int)info.ssi_signo,
		.pid = (pid_t)info.ssi_pid,
		.uid = info.ssi_uid,
		.from_kernel = info.ssi_code == SI_KERNEL,
	};
	return RV_OK;
}

const char *rv_sig_name(int signo)
{
	static char realtime[NSIG][16]; /* one each: a name stays what it is */
	const char *name;

	if (signo >= SIGRTMIN && signo <= SIGRTMAX) {
		(void)snprintf(realtime[signo], sizeof realtime[signo], "RTMIN+%d",
			       signo - SIGRTMIN);
		return realtime[signo];
	}
	name = sigabbrev_np(signo);
	return name ? name : "?";
}

int rv_sig_parse(const char *text, int *ret_signo)
{
	int64_t number = 0;

	if (isdigit((unsigned char)text[0])) {
		if (rv_parse_int(text, 1, SIGRTMAX, &number) != RV_OK)
			return RV_E_PARSE;
		*ret_signo = (int)number;
		return RV_OK;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int signo = 1; signo <= SIGRTMAX; signo++) {
		const char *name = rv_sig_name(signo);

		if (name[0] != '?' && strcasecmp(text, name) == 0) {
			*ret_signo = signo;
			return RV_OK;
		}
	}
	return RV_E_PARSE;
}
