#ifndef RV_OS_USER_H
#define RV_OS_USER_H

/*
 * Users and groups by name.  A name must resolve; digits are a uid only when written `uid:NNN` (a
 * name that begins with a digit, or a failed look-up, must never become root: systemd's
 * CVE-2017-1000082).  Supervisor and worker at start, CLI.  Reads NSS: not for a hot path.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct rv_user {
	uid_t uid;
	gid_t gid;      /* primary group */
	char name[64];  /* "" for a uid:NNN that has no name */
	char home[512]; /* "/" when unknown */
	char shell[128];
	gid_t *groups; /* all of them, the primary one included; owned */
	size_t ngroups;
};

/* RV_E_NOTFOUND with a sentence.  Free with rv_user_fini. */
int rv_user_find(const char *text, struct rv_user *ret_user, struct rv_why *why) RV_MUST_CHECK;
int rv_user_by_uid(uid_t uid, struct rv_user *ret_user, struct rv_why *why) RV_MUST_CHECK;
void rv_user_fini(struct rv_user *user);

/* A group's name, or `gid:NNN`. */
int rv_group_find(const char *text, gid_t *ret_gid, struct rv_why *why) RV_MUST_CHECK;
/* Is this process, by its effective and supplementary groups, in ${gid}? */
bool rv_group_mine(gid_t gid);

/* Is this process root to the kernel as well, and not only in a namespace of users? */
bool rv_user_is_root(void);

/* May this process start others as ${uid}, with groups of their own?  By its capabilities. */
bool rv_user_may_switch(uid_t uid);

#endif
