#ifndef RV_REEVE_INTERRUPT_H
#define RV_REEVE_INTERRUPT_H

/* INT, TERM and HUP as data, for the verbs that wait: they tidy up before they end. */

#include "base/attr.h"

#include <stdbool.h>

/* Blocks the signals; close with rv_interrupt_close (also for RV_AUTO). */
int rv_interrupt_open(int *ret_fd) RV_MUST_CHECK;
void rv_interrupt_close(int *fd);
/* Whether one has come, and which. */
bool rv_interrupt_read(int fd, int *ret_signo);

#endif
