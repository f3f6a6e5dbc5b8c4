/*
 * F20: the checkpoint against everything that made SQLite before 3.51.3 lose commits.  The shim
 * aborts when the main file is written without the writer lock: driven with a foreign writer that
 * holds the lock for a while, with readers, with both, and killed at every write and sync.  And the
 * probe: in the window of the WAL-reset bug another process tries to commit; nothing may be lost.
 */
#include "actor.h"
#include "helpers/shim_vfs.h"
#include "helpers/tmpdir.h"
#include "store/sqlite.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char clean[600];
static char path[600];
static struct scene scene;
static int64_t how; /* 0: RESTART; RV_CHECKPOINT_TRUNCATE */

static void fill(int jobs)
{
	static char payload[6000];
	struct rv_job_new job = {
		.task = "t", .priority = -1, .payload = payload, .payload_size = sizeof payload};

	for (int i = 0; i < jobs; i++) {
		scene.njobs = 0;
		CHECK(scene_add(&scene, &job) > 0, "%s", scene.req.why.text);
	}
}

static void broken(void *ctx, const char *rule, const char *what)
{
	(void)ctx;
	CHECK(false, "%s: %s", rule, what);
}

static int64_t jobs_there(void)
{
	struct rv_store_totals totals;
	int64_t sum = 0;

	CHECK(rv_store_totals(scene.store, &totals) == RV_OK, "no totals");
	for (int i = 0; i < RV_JOB_STATES; i++)
		sum += totals.counts[i];
	return sum;
}

static void start(void)
{
	scene_copy(clean, path);
	scene_start(&scene, path, RV_DURABILITY_NORMAL);
}

static void end(int64_t jobs)
{
	CHECK(jobs_there() == jobs, "%lld jobs, %lld were told", (long long)jobs_there(),
	      (long long)jobs);
	CHECK(rv_store_check(scene.store, true, broken, NULL) == RV_OK, "cannot be checked");
	scene_close(&scene);
}

static int64_t log_bytes(void)
{
	char name[620];
	struct stat st;

	(void)snprintf(name, sizeof name, "%s-wal", path);
	return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* A foreign writer holds the lock for ${ms}; a reader stands still as well, if asked for. */
static void foreign_writer(int ms, bool reader)
{
	struct actor writer;
	struct actor sitter;
	int64_t size;
	int64_t took;
	int err;

	start();
	actor_start(&writer, path, ms);
	actor_start(&sitter, path, 0);
	CHECK(scene_open(&scene) == RV_OK, "%s", scene.why.text);
	fill(40);
	if (reader)
		CHECK(actor_ask(&sitter, ACTOR_READ) == 'y', "no snapshot");
	fill(40);
	if (ms > 0)
		CHECK(actor_ask(&writer, ACTOR_HOLD_MS) == 'y', "no lock");
	took = rv_mono_us();
	err = rv_store_checkpoint(scene.store, how, &size);
	took = rv_mono_us() - took;
	if (ms > 2000 || reader)
		CHECK(err == RV_E_BUSY, "%d ms%s: %s", ms, reader ? " and a reader" : "",
		      rv_err_name(err));
	else
		CHECK(err == RV_OK, "%d ms: %s", ms, rv_err_name(err));
	CHECK(took < 4 * RV_S_US, "it took %lld us", (long long)took);
	if (reader)
		CHECK(actor_ask(&sitter, ACTOR_DONE) == 'y', "no end of a snapshot");
	CHECK(actor_stop(&writer) && actor_stop(&sitter), "an actor failed");
	CHECK(rv_store_checkpoint(scene.store, how, &size) == RV_OK && size == 0, "not even alone");
	CHECK(how == 0 || log_bytes() == 0, "%lld bytes of log", (long long)log_bytes());
	end(80);
	(void)printf("writer %d ms%s: %s after %lld ms\n", ms, reader ? ", reader" : "",
		     rv_err_name(err), (long long)(took / 1000));
}

/* Killed at the ${n}-th write or sync of a checkpoint; false when it has fewer. */
static bool kill_in_checkpoint(uint64_t n)
{
	int status = 0;
	int64_t size;
	pid_t pid;

	scene_copy(clean, path);
	pid = fork();
	CHECK(pid >= 0, "no process");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		scene_start(&scene, path, RV_DURABILITY_NORMAL);
		if (scene_open(&scene) != RV_OK)
			_exit(2);
		fill(20);
		rv_shim_fail(n, RV_SHIM_WRITE | RV_SHIM_SYNC | RV_SHIM_TRUNCATE, RV_SHIM_KILL,
			     false);
		_exit(rv_store_checkpoint(scene.store, how, &size) == RV_OK ? 0 : 3);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "no child");
	CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0,
	      "it ended with %x", (unsigned)status);
	scene_start(&scene, path, RV_DURABILITY_NORMAL);
	CHECK(scene_open(&scene) == RV_OK, "killed at %llu: %s", (unsigned long long)n,
	      scene.why.text);
	end(20);
	return WIFSIGNALED(status);
}

struct probe {
	struct actor *other;
	int64_t told, tries;
};

/* In the window: a commit now would start the log anew under the checkpoint's eyes. */
static void in_window(void *ctx)
{
	struct probe *probe = ctx;

	probe->tries++;
	if (actor_ask(probe->other, ACTOR_WRITE) == 'y')
		probe->told++;
}

static void reset_probe(int rounds)
{
	struct actor other;
	struct probe probe = {.other = &other};
	int64_t told = 0;
	int64_t size;

	start();
	actor_start(&other, path, 0);
	CHECK(scene_open(&scene) == RV_OK, "%s", scene.why.text);
	CHECK(sqlite3_exec(RV_SQLITE_OF(scene.store)->db, "PRAGMA mmap_size = 1073741824", NULL,
			   NULL, NULL) == SQLITE_OK,
	      "no mmap");
	rv_shim_on_checkpoint(in_window, &probe);
	for (int i = 0; i < rounds; i++) {
		/* the other commits and moves all to the file: our view of the log is old, and full
		 */
		CHECK(actor_ask(&other, ACTOR_WRITE) == 'y', "round %d: no commit", i);
		CHECK(actor_ask(&other, ACTOR_CHECK) == 'y', "round %d: no checkpoint", i);
		told++;
		CHECK(rv_store_checkpoint(scene.store, how, &size) == RV_OK, "round %d", i);
	}
	rv_shim_on_checkpoint(NULL, NULL);
	CHECK(probe.tries >= rounds / 2, "the window was met %lld times only",
	      (long long)probe.tries);
	CHECK(actor_stop(&other), "the other process failed");
	end(told + probe.told);
	(void)printf("probe: %lld windows, %lld commits in them, nothing lost\n",
		     (long long)probe.tries, (long long)probe.told);
}

/* What RESTART must withstand, and TRUNCATE, which is the same and then empties the log. */
static void withstand(int64_t mode, bool all)
{
	uint64_t n = 1;

	how = mode;
	foreign_writer(0, false);
	foreign_writer(500, false);
	foreign_writer(2600, false);
	foreign_writer(0, true);
	foreign_writer(500, true);
	if (all) {
		foreign_writer(1000, true);
		foreign_writer(5000, false);
		foreign_writer(5000, true);
	}
	while (kill_in_checkpoint(n))
		n++;
	CHECK(n > 10, "only %llu writes", (unsigned long long)n);
	(void)printf("killed at each of %llu writes and syncs\n", (unsigned long long)n - 1);
	reset_probe(all ? 1000 : 200);
}

int main(int argc, char **argv)
{
	bool all = argc > 1 && strcmp(argv[1], "--all") == 0;

	scene_begin();
	rv_shim_install();
	rv_shim_rule(true);
	(void)snprintf(clean, sizeof clean, "%s/clean.db", rv_test_tmpdir());
	(void)snprintf(path, sizeof path, "%s/s.db", rv_test_tmpdir());
	scene_make(clean, RV_DURABILITY_FULL);
	withstand(0, all);
	withstand(RV_CHECKPOINT_TRUNCATE, all);
	return 0;
}
