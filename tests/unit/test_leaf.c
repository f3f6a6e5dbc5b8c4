/* The cgroup of a run, in a folder that is one as far as it is looked at. */
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "run/leaf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rv_leaf leaf;

/* "run-1", with a group that the run has made in it. */
static void make(bool has_memory)
{
	leaf = (struct rv_leaf){.has_memory = has_memory};
	(void)snprintf(leaf.path, sizeof(leaf.path), "%s/run-1", rv_test_tmpdir());
	cr_assert(eq(int, mkdir(leaf.path, 0700), 0));
	cr_assert(eq(int, mkdir(rv_test_path("%s/inner", leaf.path), 0700), 0));
}

static void says(const char *name, const char *text)
{
	rv_test_write_file(rv_test_path("%s/%s", leaf.path, name), "%s", text);
}

Test(leaf, it_is_removed_with_what_was_made_in_it)
{
	char path[sizeof(leaf.path)];

	make(false);
	(void)snprintf(path, sizeof(path), "%s", leaf.path);
	rv_leaf_remove(&leaf);
	rv_assert_text(leaf.path, "");
	cr_assert(ne(int, access(path, F_OK), 0), "it is still there");
	rv_leaf_remove(&leaf); /* none */
}

Test(leaf, all_in_it_is_killed_by_one_write)
{
	char *text;

	make(false);
	says("cgroup.kill", "");
	rv_leaf_kill(&leaf);
	text = rv_test_read_file(rv_test_path("%s/cgroup.kill", leaf.path));
	cr_assert(ne(ptr, text, NULL));
	rv_assert_text(text, "1");
	free(text);
}

Test(leaf, it_is_empty_when_the_kernel_says_so)
{
	make(false);
	says("cgroup.events", "populated 1\nfrozen 0\n");
	cr_assert(not(rv_leaf_is_empty(&leaf)));
	says("cgroup.events", "populated 0\nfrozen 0\n");
	cr_assert(rv_leaf_is_empty(&leaf));
	cr_assert(eq(int, unlink(rv_test_path("%s/cgroup.events", leaf.path)), 0));
	cr_assert(rv_leaf_is_empty(&leaf), "one that is gone");
}

Test(leaf, out_of_memory_is_what_the_kernel_counted)
{
	bool oom = true;

	make(true);
	cr_assert(not(rv_leaf_knows(&leaf, &oom)), "nothing was counted");
	says("memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 0\noom_group_kill 0\n");
	cr_assert(rv_leaf_knows(&leaf, &oom));
	cr_assert(not(oom), "somebody else was killed, or nobody");
	says("memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n");
	cr_assert(rv_leaf_knows(&leaf, &oom));
	cr_assert(oom);
	leaf.has_memory = false;
	cr_assert(not(rv_leaf_knows(&leaf, &oom)), "a group without that limit tells nothing");
}
