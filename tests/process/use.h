#ifndef RV_PROCESS_USE_H
#define RV_PROCESS_USE_H

/* What a process has open, forked and allocated, and whether that is as it was. */

#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct use {
	int fds, children;
	long memory_kib;
};

static inline int entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && readdir(dir) != NULL)
		count++;
	if (dir)
		(void)closedir(dir);
	return count;
}

static inline struct use use_of(pid_t pid)
{
	struct use use = {.fds = entries(rv_test_path("/proc/%d/fd", (int)pid))};
	char *status = rv_test_read_file(rv_test_path("/proc/%d/status", (int)pid));
	char *list =
		rv_test_read_file(rv_test_path("/proc/%d/task/%d/children", (int)pid, (int)pid));

	for (const char *at = list; at && (at = strchr(at, ' ')) != NULL; at++)
		use.children++;
	if (status && strstr(status, "RssAnon:"))
		use.memory_kib = atol(strstr(status, "RssAnon:") + strlen("RssAnon:"));
	free(status);
	free(list);
	return use;
}

struct was {
	struct use before;
	pid_t pid;
	long kib;
};

static inline bool is_as_it_was(void *ctx)
{
	const struct was *was = ctx;
	struct use now = use_of(was->pid);

#ifdef __SANITIZE_ADDRESS__ /* which keeps what was freed */
	now.memory_kib = 0;
#endif
	return now.fds > 0 && now.fds <= was->before.fds && now.children <= was->before.children &&
	       now.memory_kib <= was->before.memory_kib + was->kib;
}

/*
 * No more descriptors and children, and no more than ${kib} of memory on top: at once, or when what
 * it has open for a moment (the log of the store is written back) is closed.  A leak stays.
 */
static inline void is_same(struct use before, pid_t pid, long kib, const char *who)
{
	struct was was = {before, pid, kib};
	bool same = rv_test_wait_until(is_as_it_was, &was, 5000);
	struct use now = use_of(pid);

	cr_assert(same, "%s: %d to %d descriptors, %d to %d children, %ld to %ld KiB", who,
		  before.fds, now.fds, before.children, now.children, before.memory_kib,
		  now.memory_kib);
}

#endif
