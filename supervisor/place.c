/*
 * The folders of a daemon, and what of them its configured group may use.  Runs in the supervisor,
 * at its start.  Must never open the store: it changes modes by paths that are not followed.
 */
#include "supervisor/place.h"

#include "base/attr.h"
#include "base/check.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/user.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 02770
#define OUTPUT_MODE 02750 /* members read what jobs printed; workers write it */
#define FILE_MODE   0660

/* Ours and nobody else's to write, or with the group's members when one is configured. */
static int make_folder(const char *path, const char *group, struct rv_why *why)
{
	struct stat st;
	gid_t gid;
	int err;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode) && (st.st_mode & S_IWOTH) != 0)
			return rv_fail(why, RV_E_CONF,
				       "everyone may write to %s: whoever does can run commands as "
				       "you; chmod o-w it, or choose another folder",
				       path);
		return rv_folder_make(path, 0700, why);
	}
	err = rv_folder_make(path, 0700, why);
	if (err != RV_OK || !group)
		return err;
	err = rv_group_find(group, &gid, why);
	if (err != RV_OK)
		return rv_wrap(why, RV_E_CONF, "[reeve] group");
	if (chown(path, (uid_t)-1, gid) != 0 || chmod(path, FOLDER_MODE) != 0)
		return rv_fail(why, RV_E_DENIED, "cannot give %s to the group %s: %m", path, group);
	return RV_OK;
}

static int check_group(const struct rv_conf *conf, struct rv_why *why)
{
	gid_t gid;
	int err;

	if (!conf->reeve.group)
		return RV_OK;
	err = rv_group_find(conf->reeve.group, &gid, why);
	if (err != RV_OK)
		return rv_wrap(why, RV_E_CONF, "[reeve] group");
	if (geteuid() != 0 && !rv_group_mine(gid))
		return rv_fail(why, RV_E_CONF, "[reeve] group: the daemon's user is not in %s",
			       conf->reeve.group);
	return RV_OK;
}

int rv_place_make(const struct rv_conf *conf, struct rv_why *why)
{
	char folder[RV_PATH_MAX];
	int err = check_group(conf, why);

	if (err == RV_OK)
		err = make_folder(conf->reeve.state_dir, conf->reeve.group, why);
	if (err == RV_OK)
		err = make_folder(conf->reeve.runtime_dir, conf->reeve.group, why);
	if (err == RV_OK)
		err = rv_path_folder(folder, sizeof folder, conf->store.path);
	if (err == RV_OK)
		err = make_folder(folder, conf->reeve.group, why);
	return err;
}

struct share {
	const char *group;
	gid_t gid;
};

/* Who may write the folder could put a link or another's file under the name. */
static bool is_ours(const struct stat *st)
{
	if (S_ISREG(st->st_mode) ? st->st_nlink > 1 : !S_ISDIR(st->st_mode))
		return false;
	return st->st_uid == geteuid() || geteuid() == 0;
}

static bool give(int fd, gid_t gid, mode_t mode)
{
	char link[64];

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	return fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) == 0 && chmod(link, mode) == 0;
}

/*
 * The group, and at least the bits of ${mode}; what is not there, or right already, is left alone.
 * Whether something was changed.  The descriptor is one of the path only: closing it drops no lock.
 */
static bool share_one(const struct share *share, const char *path, mode_t mode)
{
	RV_AUTO(rv_fd_close) int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return false;
	if (st.st_gid == share->gid && (st.st_mode & mode) == mode)
		return false;
	if (is_ours(&st) && give(fd, share->gid, (st.st_mode & 07777) | mode)) {
		rv_log(RV_LOG_INFO, RV_EV_place_shared, "%s is given to the group %s, mode %o",
		       path, share->group, (unsigned)((st.st_mode & 07777) | mode));
		return true;
	}
	rv_log(RV_LOG_WARN, RV_EV_place_private,
	       "[reeve] group: members of %s cannot use %s, which belongs to uid %u; as that user "
	       "or root: chgrp %s %s && chmod %o %s",
	       share->group, path, (unsigned)st.st_uid, share->group, path,
	       (unsigned)((st.st_mode & 07777) | mode), path);
	return false;
}

/* The folder of the outputs was private until now: so were the ones in it. */
static void share_shards(const struct share *share, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char shard[RV_PATH_MAX];

	while (dir && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' &&
		    rv_path_join(shard, sizeof shard, path, entry->d_name) == RV_OK)
			(void)share_one(share, shard, OUTPUT_MODE);
	}
	if (dir)
		(void)closedir(dir);
}

void rv_place_share(const struct rv_conf *conf)
{
	static const char *const endings[] = {"", "-wal", "-shm", ".lock", ".ballast"};
	struct share share = {.group = conf->reeve.group};
	char path[RV_PATH_MAX];

	PRE(conf->reeve.state_dir && conf->store.path);
	if (!share.group || rv_group_find(share.group, &share.gid, NULL) != RV_OK)
		return;
	(void)share_one(&share, conf->reeve.state_dir, FOLDER_MODE);
	(void)share_one(&share, conf->reeve.runtime_dir, FOLDER_MODE);
	if (rv_path_folder(path, sizeof path, conf->store.path) == RV_OK)
		(void)share_one(&share, path, FOLDER_MODE);
	for (size_t i = 0; i < RV_ARRAY_LEN(endings); i++) {
		int n = snprintf(path, sizeof path, "%s%s", conf->store.path, endings[i]);

		if (n > 0 && (size_t)n < sizeof path)
			(void)share_one(&share, path, FILE_MODE);
	}
	if (rv_path_join(path, sizeof path, conf->reeve.state_dir, "output") == RV_OK &&
	    share_one(&share, path, OUTPUT_MODE))
		share_shards(&share, path);
}
