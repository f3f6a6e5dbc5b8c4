/*
 * F24: a store that may not be written: by its mode, its folder's, or a file system that is
 * read-only as a whole.  A writer is refused with path and reason; a reader works as long as the
 * file can be read.  A missing -shm is made anew.  What needs root is told as skipped without it.
 */
#include "helpers/tmpdir.h"
#include "scene.h"

#include <grp.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[600];
static char path[640];

static int open_as(bool read_only, struct rv_store **ret_store, struct rv_why *why)
{
	struct rv_store_open how = {.backend = "sqlite",
				    .path = path,
				    .create = !read_only,
				    .migrate = !read_only,
				    .read_only = read_only,
				    .group = (gid_t)-1};

	return rv_store_open(&how, ret_store, why);
}

static void may_not_write(const char *words)
{
	struct rv_store *store = NULL;
	struct rv_why why = {{0}};
	int err = open_as(false, &store, &why);

	CHECK(err == RV_E_DENIED, "%s: %s", rv_err_name(err), why.text);
	CHECK(strstr(why.text, "s.db") && strstr(why.text, words), "\"%s\" has no \"%s\"", why.text,
	      words);
}

static void may_read(void)
{
	struct rv_store *store = NULL;
	struct rv_why why = {{0}};
	struct rv_store_totals totals;
	struct rv_req req = {.kind = RV_REQ_PROMOTE};
	struct rv_req *reqs[] = {&req};

	CHECK(open_as(true, &store, &why) == RV_OK, "%s", why.text);
	CHECK(rv_store_totals(store, &totals) == RV_OK, "no totals");
	CHECK(totals.counts[RV_JOB_READY] == 1, "%lld ready",
	      (long long)totals.counts[RV_JOB_READY]);
	CHECK(rv_store_do(store, reqs, 1, RV_DURABILITY_FULL, RV_S_US, &why) == RV_E_DENIED,
	      "a reader wrote");
	rv_store_close(store);
}

/* Runs ${test} in a child that is nobody (or has a mount of its own); 77: it could not be arranged.
 */
static void in_child(const char *name, int (*prepare)(void), void (*test)(void))
{
	int status = -1;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	CHECK(pid >= 0, "no process");
	if (pid == 0) {
		if (prepare() != 0)
			_exit(77);
		test();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "no child");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		(void)printf("%s: skipped, it needs root\n", name);
	else
		CHECK(status == 0, "%s: it ended with %x", name, (unsigned)status);
}

static int become_nobody(void)
{
	if (geteuid() != 0)
		return 0; /* modes are for us, too */
	return setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
	       setresuid(65534, 65534, 65534) != 0;
}

static int freeze(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return 1;
	if (mount(folder, folder, NULL, MS_BIND, NULL) != 0)
		return 1;
	return mount(NULL, folder, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
}

static void file_denied(void)
{
	may_not_write("cannot write");
	may_read();
}

static void folder_denied(void)
{
	may_not_write("folder");
}

static void nothing_allowed(void)
{
	struct rv_store *store = NULL;
	struct rv_why why = {{0}};
	int err = open_as(true, &store, &why);

	CHECK(err == RV_E_DENIED, "%s: %s", rv_err_name(err), why.text);
	CHECK(strstr(why.text, "s.db"), "\"%s\" names no file", why.text);
}

static void frozen(void)
{
	may_not_write("Read-only");
	may_read();
}

static void modes(mode_t folder_mode, mode_t file_mode)
{
	static const char *const endings[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < RV_ARRAY_LEN(endings); i++) {
		char name[700];

		(void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
		CHECK(chmod(name, file_mode) == 0 || i > 0, "cannot change %s", name);
	}
	CHECK(chmod(folder, folder_mode) == 0, "cannot change %s", folder);
}

int main(void)
{
	struct rv_job_new job = {.task = "t", .priority = -1};
	struct rv_store *store = NULL;
	struct rv_why why = {{0}};
	static struct scene s;
	char shm[700];
	int64_t size;

	scene_begin();
	(void)snprintf(folder, sizeof folder, "%s", rv_test_tmpdir());
	(void)snprintf(path, sizeof path, "%s/s.db", folder);
	(void)snprintf(shm, sizeof shm, "%s-shm", path);
	scene_make(path, RV_DURABILITY_FULL);
	scene_start(&s, path, RV_DURABILITY_FULL);
	CHECK(scene_open(&s) == RV_OK && scene_add(&s, &job) == 1, "%s", s.why.text);
	CHECK(rv_store_checkpoint(s.store, 0, &size) == RV_OK, "no checkpoint");
	scene_close(&s);
	modes(0755, 0444);
	in_child("a file that may not be written", become_nobody, file_denied);
	modes(0555, 0666);
	in_child("a folder that may not be written", become_nobody, folder_denied);
	modes(0755, 0000);
	in_child("a file that may not be read", become_nobody, nothing_allowed);
	modes(0755, 0600);
	in_child("a file system that is read-only", freeze, frozen);
	modes(0700, 0600);
	CHECK(unlink(shm) == 0 || access(shm, F_OK) != 0, "the -shm stays");
	CHECK(open_as(false, &store, &why) == RV_OK, "without -shm: %s", why.text);
	rv_store_close(store);
	scene_verify(&s, "in the end");
	return 0;
}
