/*
 * The outputs of runs that a restore has undone.  Runs in the CLI, while it holds the daemon's
 * lock. Removes nothing; what it sets aside is a file that reeve has named, of a run that the
 * restored store does not know.
 */
#include "cli.h"

#include "base/seam.h"
#include "os/file.h"
#include "store/read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct undone {
	struct rv_cli *cli;
	char *aside;
	const char *thousand; /* the folder that is looked into: "17" */
	int64_t count;
	int64_t job,
		runs; /* the one looked up last, and how often it has run; INT64_MAX: unknown */
};

int rv_each_name(struct rv_cli *cli, const char *folder,
		 int (*each)(void *ctx, const char *folder, const char *name), void *ctx)
{
	DIR *dir = opendir(folder);
	int err = RV_OK;

	if (!dir)
		return errno == ENOENT ? RV_OK
				       : rv_fail(&cli->why, rv_err_from_errno(errno),
						 "cannot look into %s: %m", folder);
	for (struct dirent *entry; !err && (entry = readdir(dir)) != NULL;) {
		if (entry->d_name[0] != '.')
			err = each(ctx, folder, entry->d_name);
	}
	(void)closedir(dir);
	return err;
}

bool rv_output_of(const char *name, int64_t *ret_job, int64_t *ret_run)
{
	char *end;

	errno = 0;
	*ret_job = strtoll(name, &end, 10);
	if (errno != 0 || *ret_job < 1 || *end != '.')
		return false;
	*ret_run = strtoll(end + 1, &end, 10);
	return errno == 0 && (strcmp(end, ".out") == 0 || strcmp(end, ".tail") == 0);
}

static int look_up(struct undone *undone, int64_t job)
{
	struct rv_job_view view;
	int err;

	if (undone->job == job)
		return RV_OK;
	err = rv_store_job(undone->cli->client.store, job, &view);
	if (err != RV_OK && err != RV_E_NOTFOUND)
		return rv_fail(&undone->cli->why, err, "cannot look up job %lld", (long long)job);
	undone->job = job;
	undone->runs = err == RV_OK ? view.runs : INT64_MAX;
	return RV_OK;
}

/* "output.undone-20261122T031500Z", with the rights of what it is to take in. */
static int make_folders(struct undone *undone, const char *from, char *ret_folder)
{
	struct stat st;
	int err = rv_path_join(ret_folder, RV_PATH_MAX, undone->aside, undone->thousand);

	if (!err && stat(from, &st) != 0)
		err = rv_fail(&undone->cli->why, rv_err_from_errno(errno), "cannot look at %s: %m",
			      from);
	return err ? err : rv_folder_make(ret_folder, st.st_mode & 07777, &undone->cli->why);
}

static int each_output(void *ctx, const char *folder, const char *name)
{
	struct undone *undone = ctx;
	char from[RV_PATH_MAX];
	char to[RV_PATH_MAX];
	char into[RV_PATH_MAX];
	int64_t job;
	int64_t run;
	int err;

	if (!rv_output_of(name, &job, &run))
		return RV_OK;
	err = look_up(undone, job);
	if (err || run <= undone->runs)
		return err;
	err = make_folders(undone, folder, into);
	if (!err)
		err = rv_path_join(from, sizeof(from), folder, name);
	if (!err)
		err = rv_path_join(to, sizeof(to), into, name);
	if (!err && renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) != 0)
		err = rv_fail(&undone->cli->why, rv_err_from_errno(errno),
			      "cannot set %s aside: %m", from);
	undone->count += err == RV_OK;
	return err;
}

static int each_thousand(void *ctx, const char *folder, const char *name)
{
	struct undone *undone = ctx;
	char path[RV_PATH_MAX];
	int err;

	if (name[strspn(name, "0123456789")] != '\0')
		return RV_OK;
	undone->thousand = name;
	err = rv_path_join(path, sizeof(path), folder, name);
	return err ? err : rv_each_name(undone->cli, path, each_output, undone);
}

/* A name that nothing has: the second time in a second it gets a -2. */
static int name_aside(struct rv_cli *cli, const char *home, char *ret_aside)
{
	time_t now = (time_t)(rv_wall_us() / RV_S_US);
	char stamp[32];
	char name[64];
	struct stat st;
	struct tm tm;
	int err;

	if (!gmtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm) == 0)
		return rv_fail(&cli->why, RV_E_INTERNAL, "the clock cannot be read");
	(void)snprintf(name, sizeof(name), "output.undone-%s", stamp);
	err = rv_path_join(ret_aside, RV_PATH_MAX, home, name);
	for (int i = 2; !err && lstat(ret_aside, &st) == 0; i++) {
		(void)snprintf(name, sizeof(name), "output.undone-%s-%d", stamp, i);
		err = rv_path_join(ret_aside, RV_PATH_MAX, home, name);
	}
	return err;
}

int rv_outputs_undone(struct rv_cli *cli, char *ret_aside, int64_t *ret_count)
{
	struct undone undone = {.cli = cli, .aside = ret_aside};
	char folder[RV_PATH_MAX];
	char path[RV_PATH_MAX];
	const char *home = rv_outputs_home(cli, folder, sizeof(folder));
	int err;

	*ret_count = 0;
	ret_aside[0] = '\0';
	if (!home) {
		rv_cli_note("outputs were left alone: nobody can tell whether they are those of %s",
			    cli->client.store_path);
		return RV_OK;
	}
	err = rv_client_store(&cli->client, RV_CLIENT_READ, &cli->why);
	if (!err)
		err = rv_path_join(path, sizeof(path), home, "output");
	if (!err)
		err = name_aside(cli, home, ret_aside);
	if (!err)
		err = rv_each_name(cli, path, each_thousand, &undone);
	*ret_count = undone.count;
	if (undone.count == 0)
		ret_aside[0] = '\0';
	return err;
}
