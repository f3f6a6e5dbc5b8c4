/*
 * Users and groups by name.  Supervisor, worker, CLI; reads NSS, so it may wait and allocate: at
 * start and at reload, not on the way to a job.
 */
#include "os/user.h"

#include "base/attr.h"
#include "base/fmt.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NSS_SPACE 4096
#define NSS_MOST  ((size_t)1 << 20) /* a group of tens of thousands of members */

/* "uid:NNN" → NNN.  The highest id means "do not change" to the kernel: no user. */
static int parse_id(const char *text, const char *prefix, int64_t *ret_id)
{
	size_t length = strlen(prefix);

	if (strncmp(text, prefix, length) != 0)
		return RV_E_NOTFOUND;
	return rv_parse_int(text + length, 0, UINT32_MAX - 1LL, ret_id);
}

void rv_user_fini(struct rv_user *user)
{
	free(user->groups);
	user->groups = NULL;
	user->ngroups = 0;
}

static int read_groups(const char *name, gid_t gid, struct rv_user *user)
{
	int count = 32;

	for (;;) {
		gid_t *groups = calloc((size_t)count, sizeof *groups);
		int room = count;

		if (!groups)
			return RV_E_NOMEM;
		if (getgrouplist(name, gid, groups, &count) >= 0) {
			user->groups = groups;
			user->ngroups = (size_t)count;
			return RV_OK;
		}
		free(groups);
		if (count <= room)
			count = room * 2;
	}
}

/* A number without a name: a user with nothing but itself. */
static int bare_user(uid_t uid, struct rv_user *ret_user)
{
	struct rv_user user = {.uid = uid, .gid = (gid_t)uid, .home = "/", .shell = "/bin/sh"};

	user.groups = calloc(1, sizeof *user.groups);
	if (!user.groups)
		return RV_E_NOMEM;
	user.groups[0] = user.gid;
	user.ngroups = 1;
	*ret_user = user;
	return RV_OK;
}

static int from_entry(const struct passwd *entry, struct rv_user *ret_user)
{
	struct rv_user user = {.uid = entry->pw_uid, .gid = entry->pw_gid};
	int err;

	if (strlen(entry->pw_name) >= sizeof user.name ||
	    strlen(entry->pw_dir) >= sizeof user.home ||
	    strlen(entry->pw_shell) >= sizeof user.shell)
		return RV_E_TOOBIG;
	(void)snprintf(user.name, sizeof user.name, "%s", entry->pw_name);
	(void)snprintf(user.home, sizeof user.home, "%s", entry->pw_dir[0] ? entry->pw_dir : "/");
	(void)snprintf(user.shell, sizeof user.shell, "%s",
		       entry->pw_shell[0] ? entry->pw_shell : "/bin/sh");
	err = read_groups(entry->pw_name, entry->pw_gid, &user);
	if (err == RV_OK)
		*ret_user = user;
	return err;
}

/* One try with ${space} bytes for what NSS finds; RV_E_TOOBIG: it wants more. */
static int try_look_up(const char *name, uid_t uid, size_t space, struct rv_user *ret_user)
{
	char *memory = malloc(space);
	struct passwd entry;
	struct passwd *found = NULL;
	int err;
	int rc;

	if (!memory)
		return RV_E_NOMEM;
	rc = name ? getpwnam_r(name, &entry, memory, space, &found)
		  : getpwuid_r(uid, &entry, memory, space, &found);
	if (found)
		err = from_entry(found, ret_user);
	else if (rc == ERANGE)
		err = RV_E_TOOBIG;
	else if (rc == ENOMEM || rc == EIO || rc == EMFILE || rc == ENFILE)
		err = rv_err_from_errno(rc);
	else
		err = RV_E_NOTFOUND; /* NSS says "none" in many ways (getpwnam_r(3)) */
	free(memory);
	return err;
}

/* By name, or by uid where ${name} is NULL.  RV_E_NOTFOUND: NSS knows none. */
static int look_up(const char *name, uid_t uid, struct rv_user *ret_user)
{
	int err = RV_E_TOOBIG;

	for (size_t space = NSS_SPACE; space <= NSS_MOST && err == RV_E_TOOBIG; space *= 2)
		err = try_look_up(name, uid, space, ret_user);
	return err;
}

static int look_up_group(const char *name, size_t space, gid_t *ret_gid)
{
	char *memory = malloc(space);
	struct group entry;
	struct group *found = NULL;
	int err = RV_E_NOTFOUND;

	if (!memory)
		return RV_E_NOMEM;
	if (getgrnam_r(name, &entry, memory, space, &found) == ERANGE)
		err = RV_E_TOOBIG;
	if (found) {
		*ret_gid = found->gr_gid;
		err = RV_OK;
	}
	free(memory);
	return err;
}

int rv_user_by_uid(uid_t uid, struct rv_user *ret_user, struct rv_why *why)
{
	int err = look_up(NULL, uid, ret_user);

	if (err == RV_E_NOTFOUND)
		err = bare_user(uid, ret_user);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot look up the user %u: %s", (unsigned)uid,
			       rv_err_text(err));
	return RV_OK;
}

int rv_user_find(const char *text, struct rv_user *ret_user, struct rv_why *why)
{
	int64_t id = 0;
	int err = parse_id(text, "uid:", &id);

	if (err == RV_OK)
		return rv_user_by_uid((uid_t)id, ret_user, why);
	if (err == RV_E_PARSE)
		return rv_fail(why, RV_E_NOTFOUND, "\"%s\" is no user: uid: wants a number", text);
	if (isdigit((unsigned char)text[0]))
		return rv_fail(why, RV_E_NOTFOUND, "\"%s\" is no user: write uid:%s for a number",
			       text, text);
	err = look_up(text, 0, ret_user);
	if (err == RV_E_NOTFOUND)
		return rv_fail(why, err, "there is no user \"%s\"", text);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot look up the user \"%s\": %s", text,
			       rv_err_text(err));
	return RV_OK;
}

int rv_group_find(const char *text, gid_t *ret_gid, struct rv_why *why)
{
	int64_t id = 0;
	int err = parse_id(text, "gid:", &id);

	if (err == RV_OK) {
		*ret_gid = (gid_t)id;
		return RV_OK;
	}
	if (err == RV_E_PARSE || isdigit((unsigned char)text[0]))
		return rv_fail(why, RV_E_NOTFOUND, "\"%s\" is no group: write gid:NNN for a number",
			       text);
	err = RV_E_TOOBIG;
	for (size_t space = NSS_SPACE; space <= NSS_MOST && err == RV_E_TOOBIG; space *= 2)
		err = look_up_group(text, space, ret_gid);
	if (err == RV_E_NOTFOUND)
		return rv_fail(why, err, "there is no group \"%s\"", text);
	if (err != RV_OK)
		return rv_fail(why, err, "cannot look up the group \"%s\": %s", text,
			       rv_err_text(err));
	return RV_OK;
}

bool rv_group_mine(gid_t gid)
{
	int count = getgroups(0, NULL);
	gid_t *groups;
	bool found = getegid() == gid;

	if (found || count <= 0)
		return found;
	groups = calloc((size_t)count, sizeof *groups);
	if (!groups)
		return false;
	count = getgroups(count, groups);
	for (int i = 0; i < count; i++)
		found = found || groups[i] == gid;
	free(groups);
	return found;
}

bool rv_user_may_switch(uid_t uid)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct has[2] = {{0}, {0}};
	uint32_t wanted = 1U << CAP_SETGID;

	if (uid != geteuid())
		wanted |= 1U << CAP_SETUID;
	return syscall(SYS_capget, &header, has) == 0 && (has[0].effective & wanted) == wanted;
}

bool rv_user_is_root(void)
{
	FILE *file = geteuid() == 0 ? fopen("/proc/self/uid_map", "re") : NULL;
	unsigned long outer = 0;
	char line[128];

	if (!file)
		return geteuid() == 0;
	/* Each line: the first id inside, what it is outside, and how many. */
	while (fgets(line, sizeof line, file)) {
		char *at;

		if (strtoul(line, &at, 10) != 0)
			continue;
		outer = strtoul(at, NULL, 10);
		break;
	}
	(void)fclose(file);
	return outer == 0;
}
