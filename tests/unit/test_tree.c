/* Removing a tree: all of it, nothing outside of it, whatever it is made of. */
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "os/tree.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONG_US 60000000LL

static const char *make(const char *name)
{
	static char path[4096];

	(void)snprintf(path, sizeof path, "%s/%s", rv_test_tmpdir(), name);
	cr_assert(eq(int, mkdir(path, 0700), 0));
	return path;
}

static void fill(const char *folder, int files)
{
	for (int i = 0; i < files; i++) {
		char name[4096];

		(void)snprintf(name, sizeof name, "%s/%d", folder, i);
		int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0000);

		cr_assert(le(int, 0, fd));
		(void)close(fd);
	}
}

static void holds(const char *path, const char *text)
{
	char *got = rv_test_read_file(path);

	rv_assert_text(got, text);
	free(got);
}

Test(tree, what_links_point_to_stays)
{
	char path[4096];
	const char *kept = rv_test_path("%s/kept", rv_test_tmpdir());

	rv_test_write_file(kept, "%s", "here");
	(void)snprintf(path, sizeof path, "%s", make("tree"));
	cr_assert(eq(int, symlink(kept, rv_test_path("%s/file", path)), 0));
	cr_assert(eq(int, symlink(rv_test_tmpdir(), rv_test_path("%s/folder", path)), 0));
	cr_assert(eq(int, symlink("nowhere", rv_test_path("%s/broken", path)), 0));
	cr_assert(eq(int, mkfifo(rv_test_path("%s/fifo", path), 0600), 0));
	cr_assert(eq(int, rv_tree_remove(path, LONG_US), RV_OK));
	cr_assert(eq(int, access(path, F_OK), -1));
	holds(kept, "here");
	cr_assert(eq(int, rv_tree_remove(path, LONG_US), RV_OK), "absent is fine");
	/* A link in its place is not what was meant. */
	cr_assert(eq(int, symlink(rv_test_tmpdir(), path), 0));
	cr_assert(ne(int, rv_tree_remove(path, LONG_US), RV_OK));
	holds(kept, "here");
	rv_test_tmpdir_end();
}

/* Deeper than there are descriptors, and than a path can say. */
Test(tree, any_depth)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof path, "%s", make("deep"));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 2000; i++) {
		int next;

		cr_assert(eq(int, mkdirat(fd, "a folder", 0700), 0));
		next = openat(fd, "a folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cr_assert(le(int, 0, next));
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	cr_assert(eq(int, rv_tree_remove(path, LONG_US), RV_OK));
	cr_assert(eq(int, access(path, F_OK), -1));
	rv_test_tmpdir_end();
}

Test(tree, a_bound_of_time_is_kept_and_the_next_call_goes_on)
{
	char path[4096];

	(void)snprintf(path, sizeof path, "%s", make("wide"));
	fill(path, 3000);
	cr_assert(eq(int, rv_tree_remove(path, 0), RV_E_BUSY));
	cr_assert(eq(int, access(path, F_OK), 0));
	while (rv_tree_remove(path, 1000) == RV_E_BUSY)
		continue;
	cr_assert(eq(int, access(path, F_OK), -1));
	rv_test_tmpdir_end();
}

/* Folders that their owner may not write to or look into, as build tools leave them. */
Test(tree, folders_that_are_closed_to_us)
{
	char path[4096];

	if (geteuid() == 0) {
		cr_assert(eq(int, chmod(rv_test_tmpdir(), 0777), 0));
		cr_assert(eq(int, setresuid(65534, 65534, 0), 0));
	}
	(void)snprintf(path, sizeof path, "%s", make("closed"));
	cr_assert(eq(int, mkdir(rv_test_path("%s/r", path), 0700), 0));
	cr_assert(eq(int, mkdir(rv_test_path("%s/r/s", path), 0700), 0));
	fill(rv_test_path("%s/r/s", path), 3);
	cr_assert(eq(int, chmod(rv_test_path("%s/r/s", path), 0000), 0));
	cr_assert(eq(int, chmod(rv_test_path("%s/r", path), 0500), 0));
	cr_assert(eq(int, chmod(path, 0500), 0));
	cr_assert(eq(int, rv_tree_remove(path, LONG_US), RV_OK));
	cr_assert(eq(int, access(path, F_OK), -1));
	cr_assert(eq(int, errno, ENOENT));
	if (getuid() == 65534)
		cr_assert(eq(int, setresuid(0, 0, 0), 0));
	rv_test_tmpdir_end();
}
