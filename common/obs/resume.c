/*
 * The files that runs leave for the next ones.  Workers, keeper, CLI.  A job may have put anything
 * there: never follow a link, never take what is no plain file.
 */
#include "obs/resume.h"

#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int folder_of(char *out, size_t space, const char *state_dir)
{
	int n = snprintf(out, space, "%s/resume", state_dir);

	return n < 0 || (size_t)n >= space ? RV_E_TOOBIG : RV_OK;
}

int rv_resume_path(char *out, size_t space, const char *state_dir, int64_t job)
{
	int n = snprintf(out, space, "%s/resume/%lld", state_dir, (long long)job);

	PRE(job > 0);
	return n < 0 || (size_t)n >= space ? RV_E_TOOBIG : RV_OK;
}

int rv_resume_ready(const char *state_dir)
{
	char path[PATH_MAX];
	int err = folder_of(path, sizeof(path), state_dir);

	if (err != RV_OK || mkdir(path, 0700) == 0 || errno == EEXIST)
		return err;
	return rv_err_from_errno(errno);
}

int rv_resume_check(const char *state_dir, int64_t job, int64_t max, int64_t *ret_size)
{
	char path[PATH_MAX];
	struct stat st;
	int err = rv_resume_path(path, sizeof(path), state_dir, job);

	if (err != RV_OK)
		return err;
	*ret_size = 0;
	if (lstat(path, &st) != 0)
		return errno == ENOENT ? RV_OK : rv_err_from_errno(errno);
	*ret_size = (int64_t)st.st_size;
	if (S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size > 0 && st.st_size <= max)
		return RV_OK;
	if (unlink(path) != 0)
		return errno == EISDIR ? RV_E_REFUSED : rv_err_from_errno(errno);
	return S_ISREG(st.st_mode) && st.st_size == 0 ? RV_OK : RV_E_TOOBIG;
}

int64_t rv_resume_size(const char *state_dir, int64_t job)
{
	char path[PATH_MAX];
	struct stat st;

	if (rv_resume_path(path, sizeof(path), state_dir, job) != RV_OK || lstat(path, &st) != 0)
		return 0;
	return S_ISREG(st.st_mode) ? (int64_t)st.st_size : 0;
}

void rv_resume_remove(const char *state_dir, int64_t job)
{
	char path[PATH_MAX];

	if (rv_resume_path(path, sizeof(path), state_dir, job) == RV_OK)
		(void)unlink(path); /* what stays is the keeper's */
}

/* ---- the walk */

/* The job of "17" or "17.new"; 0: no name of ours. */
static int64_t job_of(const char *name)
{
	char *end;
	long long job;

	if (name[0] < '1' || name[0] > '9')
		return 0;
	errno = 0;
	job = strtoll(name, &end, 10);
	return errno == 0 && (*end == '\0' || *end == '.') ? job : 0;
}

void rv_resume_walk_end(struct rv_resume_walk **walk)
{
	if (*walk)
		(void)closedir((DIR *)*walk);
	*walk = NULL;
}

void rv_resume_walk(struct rv_resume_walk **walk, const char *state_dir, int limit,
		    int (*is_over)(void *ctx, int64_t job), void *ctx)
{
	const struct dirent *entry;
	char path[PATH_MAX];

	PRE(limit > 0);
	if (!*walk && folder_of(path, sizeof(path), state_dir) == RV_OK)
		*walk = (struct rv_resume_walk *)opendir(path);
	while (*walk && limit-- > 0) {
		int64_t job;

		entry = readdir((DIR *)*walk);
		if (!entry) {
			rv_resume_walk_end(walk);
			return;
		}
		job = job_of(entry->d_name);
		if (job > 0 && is_over(ctx, job))
			(void)unlinkat(dirfd((DIR *)*walk), entry->d_name, 0);
	}
}
