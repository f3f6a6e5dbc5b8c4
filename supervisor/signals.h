#ifndef RV_SUPERVISOR_SIGNALS_H
#define RV_SUPERVISOR_SIGNALS_H

/* The signals of signals.def, read from a signalfd in the loop; no handler of ours ever runs. */

#include "supervisor/sup.h"

/* First thing of a start: what does not end us waits until somebody reads it.  TERM, INT and QUIT
 * end a start at once, as nothing of it has to be undone. */
void rv_signals_hold(void);
int rv_signals_open(struct rv_sup *sup, struct rv_why *why) RV_MUST_CHECK;
/* For --help: a line a signal. */
void rv_signals_help(void);

/* Reopens our log and tells every child to.  USR1 and the verb reopen. */
int rv_signals_reopen(struct rv_sup *sup, struct rv_why *why) RV_MUST_CHECK;

#endif
