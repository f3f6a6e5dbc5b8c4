/* cgroup v2 for the end-to-end tests (e2e_group.h). */
#include "process/e2e_group.h"

#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* How many entries of ${folder} begin with ${prefix}; ${inner}: of those of them, too. */
static int count_in(const char *folder, const char *prefix, const char *inner)
{
	const struct dirent *entry;
	DIR *dir = opendir(folder);
	int count = 0;

	while (dir && (entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		count += inner ? count_in(rv_test_path("%s/%s", folder, entry->d_name), inner, NULL)
			       : 1;
	}
	if (dir)
		(void)closedir(dir);
	return count;
}

struct ground {
	const char *base;
	const char *inner; /* NULL: the groups of workers themselves */
	int count;
};

static bool has_groups(void *ctx)
{
	const struct ground *ground = ctx;

	return count_in(ground->base, "reeve-", ground->inner) == ground->count;
}

static void await(struct rv_e2e *e, const char *base, const char *inner, int count)
{
	struct ground ground = {base, inner, count};

	RV_NEED(e, rv_test_wait_until(has_groups, &ground, RV_E2E_WAIT_MS), "%d groups %s, not %d",
		count_in(base, "reeve-", inner), inner ? inner : "reeve-", count);
}

int rv_e2e_groups(struct rv_e2e *e, const char *base)
{
	RV_NEED(e, access(base, F_OK) == 0, "%s: %s", base, strerror(errno));
	return count_in(base, "reeve-", NULL);
}

void rv_e2e_groups_are(struct rv_e2e *e, const char *base, int count)
{
	await(e, base, NULL, count);
}

void rv_e2e_leaves_are(struct rv_e2e *e, const char *base, int count)
{
	await(e, base, "run-", count);
}

char *rv_e2e_group_of(pid_t pid, const char *base)
{
	char *text = rv_test_read_file(rv_test_path("/proc/%d/cgroup", (int)pid));
	/* As the kernel names it: from the topmost that this machine sees. */
	const char *name = rv_test_path("%s/", strrchr(base, '/'));
	char *line = text ? strstr(text, "0::/") : NULL;
	char *at = line ? strstr(line, name) : NULL;
	char *group;

	if (at)
		at[strcspn(at, "\n")] = '\0';
	group = strdup(at ? rv_test_path("%s/%s", base, at + strlen(name)) : "");
	free(text);
	if (!group)
		abort();
	return group;
}

/* All controllers that limits need, in ${base}, where groups of it could have them. */
static bool has_controllers(const char *base)
{
	char *text = rv_test_read_file(rv_test_path("%s/cgroup.controllers", base));
	bool all = text && strstr(text, "memory") && strstr(text, "pids") &&
		   (strncmp(text, "cpu ", 4) == 0 || strstr(text, " cpu "));

	free(text);
	return all;
}

int rv_e2e_delegated(const char *name, bool limits, void (*body)(const char *base))
{
	const char *const mounts[] = {getenv("RV_CGROUP"), "/sys/fs/cgroup/unified",
				      "/sys/fs/cgroup"};

	for (size_t i = mounts[0] ? 0 : 1; i < RV_ARRAY_LEN(mounts); i++) {
		char *home = strdup(rv_test_path("%s/cgroup.procs", mounts[i]));
		char *base = strdup(rv_test_path("%s/rv-e2e-%d", mounts[i], (int)getpid()));
		bool can = access(home, W_OK) == 0 && mkdir(base, 0755) == 0;
		bool fit = can && access(rv_test_path("%s/cgroup.kill", base), W_OK) == 0 &&
			   setxattr(base, "trusted.delegate", "1", 1, 0) == 0;

		fit = fit && (!limits || has_controllers(base));
		if (fit)
			body(base);
		if (can && rmdir(base) != 0)
			(void)fprintf(stderr, "%s: %s\n", base, strerror(errno));
		free(home);
		free(base);
		if (fit)
			return 0;
	}
	(void)printf("%s: there is no cgroup v2 that could be delegated here%s\n", name,
		     limits ? ", with the controllers memory, cpu and pids" : "");
	return 77;
}
