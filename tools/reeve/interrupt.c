/*
 * INT, TERM and HUP as data.  Runs in the CLI's waiting verbs.  No handler ever runs.
 */
#include "interrupt.h"

#include "base/err.h"
#include "os/fd.h"
#include "os/sig.h"

#include <signal.h>

int rv_interrupt_open(int *ret_fd)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	int heeded[RV_ARRAY_LEN(signals)];
	size_t count = 0;

	for (size_t i = 0; i < RV_ARRAY_LEN(signals); i++) {
		struct sigaction action;

		/* Ignored by nohup or a shell's background: a signalfd would hear it all the same.
		 */
		if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			continue;
		heeded[count++] = signals[i];
	}
	return rv_sig_open(heeded, count, ret_fd);
}

void rv_interrupt_close(int *fd)
{
	rv_fd_close(fd);
}

bool rv_interrupt_read(int fd, int *ret_signo)
{
	struct rv_sig sig;

	if (rv_sig_read(fd, &sig) != RV_OK)
		return false;
	*ret_signo = sig.signo;
	return true;
}
