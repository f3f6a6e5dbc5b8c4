#ifndef RV_SUPERVISOR_UPGRADE_H
#define RV_SUPERVISOR_UPGRADE_H

/*
 * The supervisor executed anew in place: the same process, the same children, sockets and lock, the
 * program that lies at its path now.  That program is first run beside us and asked whether it
 * could go on; whatever fails leaves all as it is.  Then workers and keeper are replaced.
 */

#include "supervisor/handover.h"
#include "supervisor/sup.h"

const char *rv_upgrade_name(enum rv_upgrade_state state);

/* ${only_check}: asks and goes no further.  RV_E_CONFLICT: the daemon is ending, or one is on. */
int rv_upgrade_begin(struct rv_sup *sup, bool only_check, struct rv_why *why) RV_MUST_CHECK;
/* At the end of a turn: executes it when the time has come (does not return then).  When to be
 * called next; 0: no need. */
int64_t rv_upgrade_step(struct rv_sup *sup, int64_t now_us);
/* The program that is asked: a child that is not in the table. */
bool rv_upgrade_is_checker(const struct rv_sup *sup, pid_t pid);
bool rv_upgrade_has_checker(const struct rv_sup *sup);

/* reeved --can-resume: could we go on from what ${fd} says?  The configuration is on RV_CONF_FD.
 * ${ret_words}: the line to say then. */
int rv_upgrade_check(int fd, char ret_words[static RV_HANDOVER_WORDS],
		     struct rv_why *why) RV_MUST_CHECK;

#endif
