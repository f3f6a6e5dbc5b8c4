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

	return rv_sig_open(signals, RV_ARRAY_LEN(signals), ret_fd);
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
