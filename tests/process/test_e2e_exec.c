/* How one job runs: its timeouts, and what it is told of them, through the real daemon. */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

/* [task:t] with ${keys}. */
static void up(const char *keys)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 1\n[task:t]\nmax_attempts = 1\n%s", keys);
	rv_e2e_start(e);
}

static const char *id_text(int64_t job)
{
	static char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)job);
	return text;
}

static const char *output(int64_t job)
{
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", "--raw", id_text(job), NULL), 0), "%s",
		  rv_buf_text(&e->err));
	return rv_buf_text(&e->out);
}

static int64_t ends(enum rv_job_state state)
{
	int64_t job = rv_e2e_add(e, "t", NULL);

	rv_e2e_until(e, job, state);
	return job;
}

/* ---- soft_timeout */

Test(e2e_exec, a_job_is_told_that_its_time_runs_out_and_goes_on)
{
	int64_t job;

	up("shell = yes\nsoft_timeout = 200ms\nsoft_signal = USR1\n"
	   "command = trap 'echo told; sleep 0.3; echo done; exit 0' USR1; echo up; "
	   "sleep 60 & wait\n");
	job = ends(RV_JOB_SUCCEEDED);
	rv_assert_text(output(job), "up\ntold\ndone\n");
	cr_assert(eq(ptr, (void *)(size_t)rv_e2e_view(e, job)->error, NULL));
	rv_e2e_logged(e, "was told that its time runs out");
	rv_e2e_end(e);
}

Test(e2e_exec, what_does_not_heed_it_goes_on_until_its_timeout)
{
	int64_t job;

	up("shell = yes\nsoft_timeout = 100ms\ntimeout = 600ms\nkill_after = 100ms\n"
	   "command = trap '' TERM; sleep 60\n");
	job = ends(RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 600ms");
	cr_assert(eq(int, rv_e2e_log_count(e, "was told that its time runs out"), 1));
	rv_e2e_end(e);
}

Test(e2e_exec, who_dies_of_it_has_had_its_time)
{
	int64_t job;

	up("command = sleep 60\nsoft_timeout = 100ms\n"
	   "[task:ruled]\ncommand = sleep 60\nsoft_timeout = 100ms\noutcome = timeout: snooze 1h\n"
	   "[task:quick]\ncommand = true\nsoft_timeout = 100ms\n");
	job = ends(RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error,
		       "killed by signal 15, told after its soft timeout of 100ms");
	job = rv_e2e_add(e, "ruled", NULL);
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 0), "a snooze burns nothing");
	job = rv_e2e_add(e, "quick", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_end(e);
}

/* A handler that asked for it gets a line; one that did not keeps its peace, and its other jobs. */
Test(e2e_exec, a_pipe_handler_is_told_by_a_line)
{
	int64_t job;

	up("handler = pipe\nshell = yes\nsoft_timeout = 100ms\n"
	   "command = echo '{\"reeve\":1,\"soft_timeout\":true}' >&3; read -r job; read -r line; "
	   "printf '{\"job\":1,\"run\":1,\"ok\":true,\"result\":%s}\\n' \"$line\" >&3; "
	   "cat >/dev/null\n"
	   "[task:deaf]\nhandler = pipe\nshell = yes\nsoft_timeout = 100ms\n"
	   "command = echo '{\"reeve\":1}' >&3; read -r job; sleep 0.4; "
	   "printf '{\"job\":2,\"run\":1,\"ok\":true}\\n' >&3; cat >/dev/null\n");
	job = ends(RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_reeve(e, "result", id_text(job), NULL), 0));
	rv_assert_text(rv_buf_text(&e->out), "{\"soft_timeout\":1,\"run\":1}");
	job = rv_e2e_add(e, "deaf", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_logged(e, "runs out of time, and has no ear for it");
	rv_e2e_end(e);
}

/* ---- what of the machine it gets */

Test(e2e_exec, shares_limits_and_rights_are_as_the_task_says)
{
	int64_t job;

	up("shell = yes\ncpus = 0\nionice = best-effort 5\noom_score_adj = 700\nnice = 3\n"
	   "umask = 027\nlimit_nofile = 77\nlimit_fsize = 1M\nlimit_core = 0\n"
	   "command = grep Cpus_allowed_list /proc/self/status; ionice -p $$; "
	   "cat /proc/self/oom_score_adj; umask; ulimit -n; ulimit -f; "
	   "grep NoNewPrivs /proc/self/status\n"
	   "[task:free]\nno_new_privs = no\ncommand = grep NoNewPrivs /proc/self/status\n");
	job = ends(RV_JOB_SUCCEEDED);
	rv_assert_text(output(job), "Cpus_allowed_list:\t0\nbest-effort: prio 5\n700\n0027\n77\n"
				    "2048\nNoNewPrivs:\t1\n");
	job = rv_e2e_add(e, "free", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_assert_text(output(job), "NoNewPrivs:\t0\n");
	rv_e2e_end(e);
}

static int entries(const char *folder)
{
	const struct dirent *entry;
	DIR *dir = opendir(folder);
	int count = 0;

	cr_assert(ne(ptr, dir, NULL));
	while ((entry = readdir(dir)) != NULL)
		count += strncmp(entry->d_name, "reeve-", 6) == 0;
	(void)closedir(dir);
	return count;
}

static char *tmp_folder(void)
{
	char *folder = strdup(rv_e2e_path(e, "tmp"));

	cr_assert(eq(int, mkdir(folder, 0777), 0));
	cr_assert(eq(int, chmod(folder, 01777), 0));
	rv_e2e_env(e, "TMPDIR=%s", folder);
	return folder;
}

/* Root tests it for another user, where that one can go there at all. */
static bool is_another(const char *folder)
{
	bool can = geteuid() == 0 && seteuid(65534) == 0;

	can = can && eaccess(folder, W_OK | X_OK) == 0;
	if (getuid() == 0)
		cr_assert(eq(int, seteuid(0), 0));
	return can;
}

Test(e2e_exec, a_private_tmp_is_ones_own_and_goes_with_the_run)
{
	char *folder;
	bool another;
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	folder = tmp_folder();
	cr_assert(eq(int, chmod(e->dir, 0711), 0));
	another = is_another(folder);
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = 1\n[task:t]\nshell = yes\nprivate_tmp = yes\n%s"
		   "command = test -z \"$(ls -A \"$TMPDIR\")\" && stat -c %%a:%%U \"$TMPDIR\" && "
		   "cd \"$TMPDIR\" && mkdir -p a/b && ln -s / a/b/root && touch a/b/c && mktemp\n"
		   "[task:two]\nhandler = pipe\nshell = yes\nprivate_tmp = yes\nrecycle_jobs = 1\n"
		   "command = echo '{\"reeve\":1}' >&3; read -r job; touch \"$TMPDIR/x\"; "
		   "printf '{\"job\":3,\"run\":1,\"ok\":true}\\n' >&3; cat >/dev/null\n",
		   another ? "user = nobody\n" : "");
	rv_e2e_start(e);
	for (int i = 0; i < 2; i++) {
		job = ends(RV_JOB_SUCCEEDED);
		rv_assert_has(output(job), another ? "700:nobody\n" : "700:");
		rv_assert_has(output(job), rv_test_path("%s/reeve-", folder));
		cr_assert(eq(int, entries(folder), 0));
	}
	job = rv_e2e_add(e, "two", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_e2e_stop(e);
	cr_assert(eq(int, entries(folder), 0));
	cr_assert(eq(int, rmdir(folder), 0));
	free(folder);
	rv_e2e_fini(e);
}

struct emptied {
	const char *folder;
};

static bool is_empty(void *ctx)
{
	return entries(((const struct emptied *)ctx)->folder) == 0;
}

Test(e2e_exec, what_a_killed_worker_left_of_it_is_removed_by_the_next)
{
	struct emptied wanted;
	char *folder;
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 2\n");
	rv_e2e_ini(e,
		   "[pool:default]\nworkers = 2\nrestart_delay = 10ms\n[task:t]\nshell = yes\n"
		   "private_tmp = yes\nmax_crashes = 0\n"
		   "command = touch \"$TMPDIR/x\"; kill -9 $PPID; sleep 60\n"
		   "[task:stays]\nshell = yes\nprivate_tmp = yes\ncommand = touch \"$TMPDIR/x\"; "
		   "echo up; until test -e '%s/go'; do sleep 0.05; done; ls \"$TMPDIR\"\n",
		   e->dir);
	folder = tmp_folder();
	wanted.folder = folder;
	rv_e2e_start(e);
	job = rv_e2e_add(e, "stays", NULL);
	rv_e2e_until(e, job, RV_JOB_RUNNING);
	(void)ends(RV_JOB_DEAD);
	(void)ends(RV_JOB_DEAD);
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_assert_has(output(job), "x\n");
	/* The last of them by the start of a worker yet to come. */
	(void)ends(RV_JOB_DEAD);
	(void)rv_e2e_reeve(e, "wait", "--all", NULL);
	rv_e2e_kill(e);
	cr_assert(rv_e2e_gone(e, RV_E2E_WAIT_MS));
	rv_e2e_start(e);
	cr_assert(rv_test_wait_until(is_empty, &wanted, 20000), "%d are left", entries(folder));
	rv_e2e_stop(e);
	cr_assert(eq(int, rmdir(folder), 0));
	free(folder);
	rv_e2e_fini(e);
}

/* It cannot be many, cannot get away, and its neighbour goes on. */
Test(e2e_exec, a_fork_bomb_within_limits_is_killed_whole)
{
	int64_t job;

	if (geteuid() != 0)
		cr_skip("needs root: RLIMIT_NPROC counts all processes of a user");
	up("user = nobody\nlimit_nproc = 60\nlimit_cpu = 5s\ntimeout = 800ms\nkill_after = 100ms\n"
	   "shell = yes\ncommand = b() { setsid sh -c 'sleep 60' & b | b & }; b; exec sleep 60\n");
	job = ends(RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 800ms");
	cr_assert(eq(int, rv_e2e_reeve(e, "run", "--", "echo", "alive", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "alive\n");
	rv_e2e_end(e);
}

/*
 * Each of its processes forks on in a session of its own, and so does who is left when some are
 * killed.  It ends by its own clock as well, whatever becomes of us, and has a user for itself: the
 * limit counts all of a user.  perl-base is in each Debian.
 */
#define BOMB                                                                                       \
	"user = games\nlimit_nproc = 60\nlimit_cpu = 10s\ntimeout = 1s\nkill_after = 100ms\n"      \
	"max_attempts = 1\nmax_crashes = 1\ncommand = /usr/bin/perl -e 'use POSIX; $end = time + " \
	"20; %s while (time < $end) { $p = fork; if (!defined $p) { select undef, undef, undef, "  \
	"0.002 } elsif (!$p) { POSIX::setsid() } }'\n"

static void survives(const char *task)
{
	int64_t before = rv_mono_us();
	int64_t job = rv_e2e_add(e, task, NULL);

	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 1s");
	cr_assert(lt(i64, rv_mono_us() - before, 10 * RV_S_US));
}

Test(e2e_exec, a_fork_bomb_whose_children_fork_on_is_killed_whole)
{
	if (geteuid() != 0)
		cr_skip("needs root: RLIMIT_NPROC counts all processes of a user");
	rv_e2e_new(e,
		   "[pool:default]\nworkers = 1\n[task:exec]\n" BOMB
		   "[task:pipe]\nhandler = pipe\n" BOMB,
		   "", "open A, \">&=3\"; syswrite A, \"{\\\"reeve\\\":1}\\n\"; <STDIN>;");
	rv_e2e_start(e);
	survives("exec");
	survives("pipe");
	cr_assert(eq(int, rv_e2e_reeve(e, "run", "--", "echo", "alive", NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "alive\n");
	rv_e2e_end(e);
}

/* ---- memory that ran out */

/* The kernel of the test counts in a file of its own. */
static void count_ooms(const char *name)
{
	rv_test_write_file(rv_e2e_path(e, "vmstat"), "nr_free_pages 12\noom_kill %s\nswap_ra 0\n",
			   name);
}

Test(e2e_exec, out_of_memory_is_told_apart_from_a_kill)
{
	static const char tasks[] =
		"[pool:default]\nworkers = 1\n[task:t]\nmax_attempts = 1\nshell = yes\n"
		"command = sleep 0.2; echo big >&2; printf 'oom_kill 4\\n' >'%s/vmstat'; kill -9 "
		"$$\n"
		"[task:child]\nmax_attempts = 1\nshell = yes\noutcome = oom: snooze 1h\n"
		"command = sleep 0.2; printf 'oom_kill 5\\n' >'%s/vmstat'; sh -c 'kill -9 $$'; "
		"exit $?\n"
		"[task:killed]\nmax_attempts = 1\nshell = yes\noutcome = oom: snooze 1h\n"
		"command = sleep 0.2; kill -9 $$\n"
		"[task:late]\nmax_attempts = 1\nshell = yes\ntimeout = 300ms\nkill_after = 0s\n"
		"command = printf 'oom_kill 9\\n' >'%s/vmstat'; sleep 60\n"
		"[task:limited]\nmax_attempts = 1\nlimit_as = 60M\n"
		"command = dd if=/dev/zero of=/dev/null bs=512M count=1\n";
	json_t *json;
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	rv_e2e_ini(e, tasks, e->dir, e->dir, e->dir);
	count_ooms("3");
	rv_e2e_env(e, "RV_VMSTAT=%s/vmstat", e->dir);
	rv_e2e_start(e);
	job = ends(RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "out of memory: killed by the kernel: big");
	cr_assert(eq(int, rv_e2e_reeve(e, "show", id_text(job), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "result       out of memory\n");
	json = rv_e2e_json(e, "show", id_text(job), NULL);
	rv_assert_text(json_string_value(json_object_get(json, "reason")), "out of memory");
	cr_assert(eq(int, json_typeof(json_object_get(json, "exit_code")), JSON_NULL));
	cr_assert(eq(i64, json_integer_value(json_object_get(json, "signal")), SIGKILL));
	json_decref(json);
	/* The one that a shell had, and that it tells by its own code; and the rule for both. */
	job = rv_e2e_add(e, "child", NULL);
	rv_e2e_until(e, job, RV_JOB_SCHEDULED);
	cr_assert(eq(int, rv_e2e_view(e, job)->attempt, 0));
	/* A person's kill, our own, and a limit that the job came up against. */
	job = rv_e2e_add(e, "killed", NULL);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "killed by signal 9");
	json = rv_e2e_json(e, "show", id_text(job), NULL);
	cr_assert(eq(int, json_typeof(json_object_get(json, "reason")), JSON_NULL));
	json_decref(json);
	job = rv_e2e_add(e, "late", NULL);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error, "timed out after 300ms");
	job = rv_e2e_add(e, "limited", NULL);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	rv_assert_has(rv_e2e_view(e, job)->error, "exit code 1: dd: memory exhausted");
	rv_e2e_no_env(e);
	rv_e2e_stop(e);
	cr_assert(eq(int, unlink(rv_e2e_path(e, "vmstat")), 0));
	rv_e2e_fini(e);
}

/* ---- what a run leaves for the next one */

/* Three runs: two leave where they are, the last one finds it. */
#define RESUMES                                                                                    \
	"shell = yes\nmax_crashes = 5\ncommand = at=$(cat \"$REEVE_STATE_FILE\" 2>/dev/null); "    \
	"echo \"from ${at:-0}\"; echo $((at + 1)) >\"$REEVE_STATE_FILE.new\"; "                    \
	"mv \"$REEVE_STATE_FILE.new\" \"$REEVE_STATE_FILE\"; echo '##reeve retry-after=10ms'; "

static bool is_gone(void *ctx)
{
	return access(ctx, F_OK) != 0;
}

static bool has_left(int64_t job)
{
	return access(rv_e2e_path(e, rv_test_path("state/resume/%lld", (long long)job)), F_OK) == 0;
}

Test(e2e_exec, a_run_goes_on_where_the_last_one_left)
{
	int64_t job;

	up(RESUMES "test \"$at\" = 2 || exit 75\n");
	job = ends(RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 3));
	rv_assert_text(output(job), "from 2\n##reeve retry-after=10ms\n");
	cr_assert(not(has_left(job)));
	rv_e2e_end(e);
}

/* The state outlives the worker as well, and who dies in between is charged as ever. */
Test(e2e_exec, what_a_crashed_run_left_is_handed_on)
{
	int64_t job;

	up(RESUMES "test \"$at\" = 2 || kill -9 $PPID; test \"$at\" = 2\n");
	job = ends(RV_JOB_SUCCEEDED);
	cr_assert(eq(int, rv_e2e_view(e, job)->crashes, 2));
	rv_assert_has(output(job), "from 2\n");
	cr_assert(not(has_left(job)));
	rv_e2e_end(e);
}

Test(e2e_exec, a_dead_letter_keeps_it_until_it_is_deleted)
{
	json_t *json;
	char path[512];
	int64_t job;

	up(RESUMES "test \"$at\" = 1 || exit 65\n");
	job = ends(RV_JOB_DEAD);
	cr_assert(eq(int, rv_e2e_reeve(e, "show", id_text(job), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "state file   2 bytes, handed to the next run\n");
	json = rv_e2e_json(e, "show", id_text(job), NULL);
	cr_assert(eq(i64, json_integer_value(json_object_get(json, "state_file_bytes")), 2));
	json_decref(json);
	cr_assert(eq(int, rv_e2e_reeve(e, "retry", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_assert_has(output(job), "from 1\n");
	job = ends(RV_JOB_DEAD);
	cr_assert(has_left(job));
	(void)snprintf(path, sizeof path, "%s/state/resume/%lld", e->dir, (long long)job);
	cr_assert(eq(int, rv_e2e_reeve(e, "delete", id_text(job), NULL), 0));
	cr_assert(rv_test_wait_until(is_gone, path, RV_E2E_WAIT_MS), "the keeper removes it");
	rv_e2e_end(e);
}

Test(e2e_exec, what_is_cancelled_leaves_nothing)
{
	int64_t job;

	up("shell = yes\ncommand = echo x >\"$REEVE_STATE_FILE\"; echo up; sleep 60\n");
	job = rv_e2e_add(e, "t", NULL);
	while (!has_left(job) || !strstr(output(job), "up"))
		rv_e2e_until(e, job, RV_JOB_RUNNING);
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_CANCELLED);
	cr_assert(eq(int, rv_e2e_reeve(e, "wait", id_text(job), NULL), 1));
	rv_e2e_stop(e);
	cr_assert(not(has_left(job)));
	rv_e2e_fini(e);
}

/* Too much of it, and what is no file: dropped, and said. */
Test(e2e_exec, no_more_is_kept_than_may_be)
{
	int64_t job;

	up("shell = yes\nstate_max = 1K\ncommand = echo '##reeve retry-after=10ms'; "
	   "test -e \"$REEVE_STATE_FILE\" && echo found; "
	   "head -c 1025 /dev/zero >\"$REEVE_STATE_FILE\"; exit 1\n"
	   "[task:link]\nmax_attempts = 1\nshell = yes\n"
	   "command = ln -s /etc/passwd \"$REEVE_STATE_FILE\"; exit 1\n"
	   "[task:none]\nstate_max = 0B\nshell = yes\ncommand = echo \"<$REEVE_STATE_FILE>\"\n");
	job = ends(RV_JOB_DEAD);
	rv_assert_text(rv_e2e_view(e, job)->error,
		       "exit code 1 (its state file was dropped: 1025B, state_max is 1K)");
	cr_assert(not(has_left(job)));
	job = rv_e2e_add(e, "link", NULL);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	cr_assert(not(has_left(job)));
	cr_assert(eq(int, access("/etc/passwd", F_OK), 0));
	job = rv_e2e_add(e, "none", NULL);
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	rv_assert_text(output(job), "<>\n");
	rv_e2e_end(e);
}

Test(e2e_exec, another_user_has_it_as_a_descriptor)
{
	int64_t job;

	if (geteuid() != 0)
		cr_skip("needs root");
	up("user = nobody\nshell = yes\ncommand = at=$(cat \"$REEVE_STATE_FILE\"); "
	   "echo \"$REEVE_STATE_FILE ${at:-0}\"; echo $((at + 1)) >\"$REEVE_STATE_FILE\"; "
	   "echo '##reeve retry-after=10ms'; test \"$at\" = 2 || exit 75\n");
	job = ends(RV_JOB_SUCCEEDED);
	rv_assert_has(output(job), "/dev/fd/4 2\n");
	cr_assert(not(has_left(job)));
	rv_e2e_end(e);
}
