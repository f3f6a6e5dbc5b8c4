/*
 * F23: making and migrating a store.  Killed at every write, truncation, sync and deletion of its
 * making: the next who opens goes on from there.  Eight processes that make the same store at once
 * all succeed.  A newer or foreign file is refused with its words, and stays as it was byte for
 * byte.
 */
#include "helpers/shim_vfs.h"
#include "helpers/tmpdir.h"
#include "scene.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[600];

static pid_t fork_child(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0, "no process");
	if (pid == 0)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Killed at the ${n}-th step of making a store; false when it has fewer. */
static bool kill_in_making(uint64_t n)
{
	static struct scene s;
	int status = 0;
	pid_t pid;

	scene_remove(path);
	pid = fork_child();
	if (pid == 0) {
		rv_shim_fail(n, RV_SHIM_WRITE | RV_SHIM_TRUNCATE | RV_SHIM_SYNC | RV_SHIM_DELETE,
			     RV_SHIM_KILL, false);
		scene_start(&s, path, RV_DURABILITY_FULL);
		_exit(scene_open(&s) == RV_OK ? 0 : 2);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "no child");
	CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0,
	      "it ended with %x", (unsigned)status);
	scene_make(path, RV_DURABILITY_FULL);
	scene_start(&s, path, RV_DURABILITY_FULL);
	scene_verify(&s, "after a kill in its making");
	return WIFSIGNALED(status);
}

static void make_at_once(int round)
{
	pid_t pids[8];
	static struct scene s;
	int gate[2];

	scene_remove(path);
	CHECK(pipe2(gate, O_CLOEXEC) == 0, "no pipe");
	for (size_t i = 0; i < RV_ARRAY_LEN(pids); i++) {
		pids[i] = fork_child();
		if (pids[i] == 0) {
			char byte;

			(void)close(gate[1]);
			(void)!read(gate[0], &byte, 1); /* the start: all others closed it */
			scene_start(&s, path, RV_DURABILITY_FULL);
			if (scene_open(&s) == RV_OK)
				_exit(0);
			(void)fprintf(stderr, "%s\n", s.why.text);
			_exit(1);
		}
	}
	(void)close(gate[0]);
	(void)close(gate[1]);
	for (size_t i = 0; i < RV_ARRAY_LEN(pids); i++) {
		int status = -1;

		CHECK(waitpid(pids[i], &status, 0) == pids[i], "no child");
		CHECK(status == 0, "round %d: one of eight ended with %x", round, (unsigned)status);
	}
	scene_start(&s, path, RV_DURABILITY_FULL);
	scene_verify(&s, "made by eight");
}

static uint64_t sum_of(const char *name)
{
	char *text = NULL;
	uint64_t sum = 1469598103934665603ULL;
	struct stat st;
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	CHECK(fstat(fd, &st) == 0 && (text = malloc((size_t)st.st_size + 1)) != NULL, "no memory");
	CHECK(read(fd, text, (size_t)st.st_size) == st.st_size, "cannot read %s", name);
	for (off_t i = 0; i < st.st_size; i++)
		sum = (sum ^ (unsigned char)text[i]) * 1099511628211ULL;
	free(text);
	(void)close(fd);
	return sum;
}

static void sql(const char *statements)
{
	sqlite3 *db = NULL;

	CHECK(sqlite3_open(path, &db) == SQLITE_OK, "%s", path);
	CHECK(sqlite3_exec(db, statements, NULL, NULL, NULL) == SQLITE_OK, "%s",
	      sqlite3_errmsg(db));
	CHECK(sqlite3_close(db) == SQLITE_OK, "it stays open");
}

/* Opening fails with ${err} and ${words}, and neither file nor folder has changed. */
static void refused(int err, const char *words)
{
	static struct scene s;
	char log[640];
	uint64_t before = sum_of(path);
	bool had_log;
	int got;

	(void)snprintf(log, sizeof log, "%s-wal", path);
	had_log = access(log, F_OK) == 0;
	scene_start(&s, path, RV_DURABILITY_FULL);
	got = scene_open(&s);
	CHECK(got == err, "%s: %s", rv_err_name(got), s.why.text);
	CHECK(strstr(s.why.text, words), "\"%s\" has no \"%s\"", s.why.text, words);
	CHECK(strstr(s.why.text, "s.db"), "\"%s\" does not name the file", s.why.text);
	CHECK(sum_of(path) == before, "%s: the file was changed", words);
	CHECK((access(log, F_OK) == 0) == had_log, "%s: a log was made", words);
}

static void strangers(void)
{
	static struct scene s;

	scene_remove(path);
	scene_make(path, RV_DURABILITY_FULL);
	sql("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)");
	refused(RV_E_SCHEMA, "newer");
	scene_remove(path);
	scene_make(path, RV_DURABILITY_FULL);
	scene_start(&s, path, RV_DURABILITY_FULL);
	CHECK(scene_open(&s) == RV_OK, "%s", s.why.text); /* so that the log is kept */
	sql("PRAGMA user_version = 99");
	scene_close(&s);
	refused(RV_E_SCHEMA, "newer");
	scene_remove(path);
	scene_make(path, RV_DURABILITY_FULL);
	scene_start(&s, path, RV_DURABILITY_FULL);
	CHECK(scene_open(&s) == RV_OK, "%s", s.why.text);
	sql("ALTER TABLE tally DROP COLUMN tables");
	scene_close(&s);
	refused(RV_E_SCHEMA, "another build");
	scene_remove(path);
	sql("CREATE TABLE mine(x); INSERT INTO mine VALUES (1)");
	refused(RV_E_SCHEMA, "not a store of reeve");
	scene_remove(path);
	rv_test_write_file(path, "%s", "to be, or not to be: that is the question\n");
	refused(RV_E_SCHEMA, "not a SQLite database");
	scene_remove(path);
	scene_make(path, RV_DURABILITY_FULL);
	sql("PRAGMA wal_checkpoint(TRUNCATE)");
	CHECK(truncate(path, 4096 * 3 + 7) == 0, "no truncation");
	refused(RV_E_CORRUPT, "missing");
	scene_remove(path);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 && strcmp(argv[1], "--all") == 0 ? 500 : 20;
	uint64_t n = 1;

	scene_begin();
	rv_shim_install();
	(void)snprintf(path, sizeof path, "%s/s.db", rv_test_tmpdir());
	strangers();
	while (kill_in_making(n))
		n++;
	CHECK(n > 20, "only %llu steps", (unsigned long long)n);
	(void)printf("killed at each of %llu steps of the making\n", (unsigned long long)n - 1);
	for (int i = 0; i < rounds; i++)
		make_at_once(i);
	(void)printf("made by eight at once, %d times\n", rounds);
	return 0;
}
