/*
 * The real worker under a supervisor made of this test: it claims, runs and acknowledges; whatever
 * a job does, its end is what the design says, and nothing of it is left.
 */
#include "helpers/tier.h"
#include "process/worker_room.h"

#include "os/fd.h"
#include "os/sock.h"
#include "store/sqlite.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ini[] =
	"[defaults]\nmax_attempts = 1\nkill_after = 300ms\noutput_max = 1M\nbackoff = fixed 1h\n"
	"[pool:default]\nworkers = 1\nheartbeat = 50ms\nhang_timeout = 20s\nlease = 30s\n"
	"[task:hello]\ncommand = /bin/echo ${arg.who} 'and more'\n"
	"[task:line]\ncommand = echo \"<$REEVE_ARG_who>\" | tr a-z A-Z\nshell = yes\n"
	"[task:again]\ncommand = /bin/sh -c 'exit 3'\nmax_attempts = 3\n"
	"[task:short]\ncommand = /bin/sleep 600\ntimeout = 200ms\n"
	"[task:silent]\ncommand = /bin/sh -c 'echo x; exec sleep 600'\nidle_timeout = 200ms\n"
	"[task:chatty]\ncommand = /bin/sh -c 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done'\n"
	"idle_timeout = 400ms\n"
	"[task:stubborn]\ncommand = /bin/sh -c 'trap \"\" TERM; echo up; while :; do sleep 1; "
	"done'\n"
	"timeout = 300ms\n"
	"[task:usr1]\ncommand = /bin/sh -c 'trap \"echo got it; exit 4\" USR1; echo up; "
	"while :; do sleep 0.05; done'\nstop_signal = USR1\ntimeout = 300ms\n"
	"[task:env]\ncommand = /usr/bin/env\nenv = A=b c\npass_env = PASSED\ntimeout = 5m\n"
	"[task:limits]\ncommand = /bin/sh -c 'ulimit -n; umask; pwd; nice'\nlimit_nofile = 99\n"
	"umask = 027\ncwd = /usr\nnice = 3\n"
	"[task:five]\ncommand = /bin/sh -c 'exit 5'\nsuccess_exit = 0, 5\n"
	"[task:noop]\nhandler = builtin\nbuiltin = noop\n"
	"[task:nap]\nhandler = builtin\nbuiltin = sleep\n"
	"[task:long]\ncommand = /bin/sleep 600\n"
	"[task:flop]\nhandler = builtin\nbuiltin = fail\n";

static const char *const child_env[] = {"PASSED=through", "SECRET=not", NULL};

static void open_room(void)
{
	rv_fakesup_open(&sup, ini);
	sup.env = child_env;
	rv_fakesup_store(&sup);
	rv_fakesup_start(&sup, 1, &subject);
}

TestSuite(worker, .init = open_room, .fini = close_room);

Test(worker, runs_a_command_and_keeps_its_output)
{
	int64_t job = run_shell("echo out; echo err >&2; echo '{}' >&3");
	const struct rv_attempt_view *attempt;

	UNTIL(job, SUCCEEDED);
	cr_expect(strcmp(output_of(job, RV_OUTPUT_STDOUT), "out\n") == 0);
	cr_expect(strcmp(output_of(job, RV_OUTPUT_STDERR), "err\n") == 0);
	cr_expect(strcmp(output_of(job, RV_OUTPUT_PROGRESS), "{}\n") == 0);
	attempt = rv_fakesup_attempt(&sup, job);
	cr_expect(eq(int, attempt->exit_code, 0));
	cr_expect(eq(i64, attempt->output_bytes, 11));
	cr_expect(lt(i64, 100000, attempt->maxrss_bytes));
	cr_expect(attempt->started_us > 0 && attempt->started_us <= attempt->ended_us);
	cr_expect(rv_fakesup_job(&sup, job)->error[0] == '\0');
}

Test(worker, a_tasks_arguments_are_words)
{
	int64_t job = rv_fakesup_run(&sup, &subject, "hello", "{\"args\":{\"who\":\"a b;$(id)\"}}");

	UNTIL(job, SUCCEEDED);
	cr_expect(strcmp(output_of(job, 0), "a b;$(id) and more\n") == 0, "%s", printed);
	job = rv_fakesup_run(&sup, &subject, "line", "{\"args\":{\"who\":\"$(id)`id`;\\\"x\"}}");
	UNTIL(job, SUCCEEDED);
	cr_expect(strcmp(output_of(job, 0), "<$(ID)`ID`;\"X>\n") == 0, "%s", printed);
	/* Later: the definition may be the one before a reload (test_worker_fault's task_gone). */
	job = rv_fakesup_run(&sup, &subject, "hello", "{}");
	UNTIL(job, SCHEDULED);
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->attempt, 0));
	HAS(rv_fakesup_attempt(&sup, job)->error, "who");
}

static const struct {
	const char *command;
	enum rv_job_state state;
	const char *error;
	int exit_code, signo, attempt;
} endings[] = {
	{"exit 0", RV_JOB_SUCCEEDED, "", 0, 0, 1},
	{"echo first >&2; printf 'the reason\\\\n\\\\n ' >&2; exit 3", RV_JOB_DEAD,
	 "exit code 3: the reason", 3, 0, 1},
	{"exit 64", RV_JOB_DEAD, "exit code 64", 64, 0, 1},
	{"exit 75", RV_JOB_SCHEDULED, "exit code 75", 75, 0, 1},
	{"kill -9 $$", RV_JOB_DEAD, "killed by signal 9", -1, 9, 1},
	{"printf 'a\\\\tb\\\\377\\\\033c' >&2; exit 1", RV_JOB_DEAD, "exit code 1: a b? c", 1, 0,
	 1},
};

Test(worker, every_ending_has_its_outcome_and_words)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		int64_t job = run_shell(endings[i].command);
		const struct rv_attempt_view *attempt;

		cr_assert(rv_fakesup_until(&sup, job, endings[i].state, 20000), "%s",
			  endings[i].command);
		attempt = rv_fakesup_attempt(&sup, job);
		cr_expect(strcmp(attempt->error ? attempt->error : "", endings[i].error) == 0,
			  "%s: %s", endings[i].command, attempt->error);
		cr_expect(eq(int, attempt->exit_code, endings[i].exit_code));
		cr_expect(eq(int, attempt->signo, endings[i].signo));
	}
}

Test(worker, a_failure_waits_for_its_backoff_and_try_later_burns_nothing)
{
	int64_t job = rv_fakesup_run(&sup, &subject, "again", NULL);
	int64_t now;

	UNTIL(job, SCHEDULED);
	now = rv_wall_us();
	cr_expect(lt(i64, now + 3500 * RV_S_US, rv_fakesup_job(&sup, job)->run_at_us));
	cr_expect(lt(i64, rv_fakesup_job(&sup, job)->run_at_us, now + 3700 * RV_S_US));
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->attempt, 1));
	job = run_shell("exit 75");
	UNTIL(job, SCHEDULED);
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->attempt, 0));
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->runs, 1));
}

Test(worker, success_is_what_the_task_says)
{
	int64_t job = rv_fakesup_run(&sup, &subject, "five", NULL);

	UNTIL(job, SUCCEEDED);
	cr_expect(eq(int, rv_fakesup_attempt(&sup, job)->exit_code, 5));
}

Test(worker, what_cannot_be_executed_is_dead_at_once)
{
	int64_t job = rv_fakesup_run(&sup, &subject, "", "{\"command\":[\"/nonexistent/tool\"]}");

	UNTIL(job, DEAD);
	HAS(rv_fakesup_job(&sup, job)->error, "/nonexistent/tool");
	HAS(rv_fakesup_job(&sup, job)->error, "No such file");
	job = rv_fakesup_run(&sup, &subject, "", "{\"command\":[\"/etc/passwd\"]}");
	UNTIL(job, DEAD);
	HAS(rv_fakesup_job(&sup, job)->error, "Permission denied");
	job = rv_fakesup_run(&sup, &subject, "",
			     "{\"command\":[\"true\"],\"cwd\":\"/nonexistent/folder\"}");
	UNTIL(job, DEAD);
	HAS(rv_fakesup_job(&sup, job)->error, "/nonexistent/folder");
	job = rv_fakesup_run(&sup, &subject, "",
			     "{\"command\":[\"true\"],\"env\":{\"LD_PRELOAD\":\"x\"}}");
	UNTIL(job, DEAD);
	HAS(rv_fakesup_job(&sup, job)->error, "LD_PRELOAD");
}

Test(worker, a_job_past_its_timeout_is_stopped)
{
	int64_t before = rv_mono_us();
	int64_t job = rv_fakesup_run(&sup, &subject, "short", NULL);

	UNTIL(job, DEAD);
	cr_expect(strcmp(rv_fakesup_job(&sup, job)->error, "timed out after 200ms") == 0);
	cr_expect(eq(int, rv_fakesup_attempt(&sup, job)->signo, SIGTERM));
	cr_expect(le(i64, 200 * RV_MS_US, rv_mono_us() - before));
}

Test(worker, a_silent_job_is_stopped_and_a_chatty_one_is_not)
{
	int64_t job = rv_fakesup_run(&sup, &subject, "silent", NULL);

	UNTIL(job, DEAD);
	cr_expect(strcmp(rv_fakesup_job(&sup, job)->error, "no output for 200ms") == 0);
	job = rv_fakesup_run(&sup, &subject, "chatty", NULL);
	UNTIL(job, SUCCEEDED);
}

Test(worker, stop_signal_first_then_kill)
{
	int64_t job = rv_fakesup_run(&sup, &subject, "usr1", NULL);

	UNTIL(job, DEAD);
	HAS(output_of(job, 0), "got it");
	cr_expect(eq(int, rv_fakesup_attempt(&sup, job)->exit_code, 4));
	cr_expect(strcmp(rv_fakesup_job(&sup, job)->error, "timed out after 300ms") == 0);
	job = rv_fakesup_run(&sup, &subject, "stubborn", NULL);
	UNTIL(job, DEAD);
	cr_expect(eq(int, rv_fakesup_attempt(&sup, job)->signo, SIGKILL));
}

Test(worker, the_environment_is_clean)
{
	static const char *const allowed[] = {"REEVE_JOB_ID=",
					      "REEVE_TASK=env",
					      "REEVE_QUEUE=default",
					      "REEVE_ATTEMPT=1",
					      "REEVE_FENCE=",
					      "REEVE_DEADLINE=",
					      "REEVE_IDEMPOTENCY_KEY=",
					      "REEVE_MAX_ATTEMPTS=1",
					      "PATH=",
					      "A=b c",
					      "PASSED=through",
					      "REEVE_PROGRESS_FD=3",
					      "REEVE_STATE_FILE=/",
					      "REEVE_STORE=",
					      "REEVE_STATE_DIR=",
					      "REEVE_ADHOC=",
					      "REEVE_INSTANCE="};
	int64_t job = rv_fakesup_run(&sup, &subject, "env", NULL);
	size_t lines = 0;
	char *save = NULL;

	UNTIL(job, SUCCEEDED);
	(void)output_of(job, 0);
	for (char *line = strtok_r(printed, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		bool found = false;

		for (size_t i = 0; i < RV_ARRAY_LEN(allowed); i++)
			found = found || strncmp(line, allowed[i], strlen(allowed[i])) == 0;
		cr_expect(found, "the job's environment has %s", line);
		lines++;
	}
	cr_expect(eq(sz, lines, RV_ARRAY_LEN(allowed)));
}

Test(worker, limits_folder_umask_and_nice_are_set)
{
	int64_t job = rv_fakesup_run(&sup, &subject, "limits", NULL);
	char wanted[64];

	UNTIL(job, SUCCEEDED);
	(void)snprintf(wanted, sizeof(wanted), "99\n0027\n/usr\n%d\n",
		       getpriority(PRIO_PROCESS, 0) + 3);
	cr_expect(strcmp(output_of(job, 0), wanted) == 0, "%s", printed);
}

Test(worker, f36_a_job_has_its_four_descriptors_and_no_other)
{
	int64_t job = run_shell("i=0; while [ $i -lt 1000 ]; do [ -e /proc/$$/fd/$i ] && echo $i; "
				"i=$((i+1)); done; [ $(ps -o sid= -p $$) = $$ ] && echo leader");

	UNTIL(job, SUCCEEDED);
	cr_expect(strcmp(output_of(job, 0), "0\n1\n2\n3\nleader\n") == 0, "%s", printed);
}

Test(worker, f26_a_daemon_that_holds_the_pipe_does_not_hold_the_job)
{
	int64_t before;
	int64_t job;

	before = rv_mono_us();
	job = run_shell("(setsid sleep 999 &) ; (sleep 999 &) ; echo said");
	UNTIL(job, SUCCEEDED);
	cr_expect(lt(i64, rv_mono_us() - before, 1500 * RV_MS_US));
	cr_expect(strcmp(output_of(job, 0), "said\n") == 0);
	cr_expect(eq(int, left_behind(), 1)); /* the worker */
}

Test(worker, what_a_helper_prints_after_the_leader_is_kept)
{
	int64_t job =
		run_shell("(while kill -0 $$ 2>/dev/null; do :; done; echo late) & echo early");

	UNTIL(job, SUCCEEDED);
	cr_expect(strcmp(output_of(job, 0), "early\nlate\n") == 0, "%s", printed);
}

Test(worker, r9_escapees_that_ignore_term_are_gone_when_the_job_is)
{
	int name = 100000 + getpid(); /* seconds that no other test sleeps */
	char command[512], pattern[32], count[32];
	const char *const pgrep[] = {"pgrep", "-c", "-f", pattern, NULL};
	int64_t job;

	(void)snprintf(command, sizeof(command),
		       "trap '' TERM; i=0; while [ $i -lt 150 ]; do "
		       "env -i setsid /bin/sh -c 'trap \\\"\\\" TERM; exec sleep %d' & "
		       "i=$((i+1)); done; echo up; wait; sleep %d",
		       name, name);
	(void)snprintf(pattern, sizeof(pattern), "^sleep %d$", name);
	job = run_shell(command);
	until_printed(job, "up");
	cancel(job, true);
	UNTIL(job, CANCELLED);
	cr_expect(eq(int, rv_fakesup_attempt(&sup, job)->signo, SIGKILL));
	/* Their environment is empty: only the worker's list of children can have known them. */
	(void)rv_test_output(pgrep, count, sizeof(count), 20000);
	cr_expect(strcmp(count, "0\n") == 0, "%s escapees", count);
}

/* The most memory that a process ever had, in KiB. */
static long peak_memory(pid_t pid)
{
	char *status = rv_test_read_file(rv_test_path("/proc/%d/status", (int)pid));
	char *at = status ? strstr(status, "\nVmHWM:") : NULL;
	long kib = at ? atol(at + strlen("\nVmHWM:")) : -1;

	free(status);
	return kib;
}

Test(worker, f25_endless_output_costs_the_cap_and_blocks_nobody)
{
	/* 1 GiB in the long run, 64 MiB else: of one line, and of short ones. */
	const int64_t size = rv_test_all() ? 1LL << 30 : 64LL << 20;
	char commands[3][128] = {"", "", "exec >&- 2>&-; sleep 0.1"};
	struct rv_output_how how = {.state_dir = sup.folder, .run = 1};
	char path[512];
	struct stat st;

	(void)snprintf(commands[0], sizeof(commands[0]), "head -c %lld /dev/zero", (long long)size);
	(void)snprintf(commands[1], sizeof(commands[1]), "yes | head -c %lld", (long long)size);
	for (size_t i = 0; i < RV_ARRAY_LEN(commands); i++) {
		int64_t job = run_shell(commands[i]);
		int64_t kept = 0;

		UNTIL(job, SUCCEEDED);
		how.job = job;
		for (int tail = 0; tail < 2; tail++) {
			cr_assert(rv_output_path(path, sizeof(path), &how, tail != 0) == RV_OK);
			kept += stat(path, &st) == 0 ? st.st_size : 0;
		}
		cr_expect(le(i64, kept, 1 << 20));
		if (i < 2) {
			cr_expect(lt(i64, 1000000, kept));
			cr_expect(eq(i64, rv_fakesup_attempt(&sup, job)->output_bytes, size));
		}
	}
#ifndef __SANITIZE_ADDRESS__
	cr_expect(lt(long, peak_memory(subject.proc.pid), 12 << 10));
#endif
	cr_expect(lt(long, 0, peak_memory(subject.proc.pid)));
}

static void run_payload(const void *data, size_t size)
{
	const char *path = rv_test_path("%s/payload", sup.folder);
	char spec[512];
	struct rv_job_new job = {.task = "",
				 .queue = "default",
				 .spec = spec,
				 .payload = data,
				 .payload_size = size,
				 .priority = -1};
	FILE *file = fopen(path, "w");
	int64_t id;

	cr_assert(file != NULL);
	cr_assert(fwrite(data, 1, size, file) == size && fclose(file) == 0);
	(void)snprintf(spec, sizeof(spec), "{\"command\":[\"cmp\",\"-\",\"%s\"]}", path);
	id = rv_fakesup_add(&sup, &job);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	UNTIL(id, SUCCEEDED);
}

Test(worker, f27_a_payload_arrives_byte_for_byte)
{
	size_t size = 16 << 20;
	unsigned char *data = malloc(size);
	int64_t job;

	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 2654435761U >> 24);
	run_payload("a\0b\xff\r\n", 6);
	run_payload(data, 65536);
	run_payload(data, size);
	free(data);
	job = run_shell("cat | wc -c");
	UNTIL(job, SUCCEEDED);
	cr_expect(strcmp(output_of(job, 0), "0\n") == 0);
}

/* A job is put in, its row is changed by ${sql}, then it is run: it must not be. */
static void expect_damage(const struct rv_job_new *job, const char *sql, const char *what)
{
	int64_t id = rv_fakesup_add(&sup, job);
	char text[256];

	(void)snprintf(text, sizeof(text), "UPDATE job SET %s WHERE id = %lld", sql, (long long)id);
	cr_assert(eq(int, sqlite3_exec(RV_SQLITE_OF(sup.store)->db, text, NULL, NULL, NULL), 0));
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	UNTIL(id, DEAD);
	HAS(rv_fakesup_job(&sup, id)->error, "damaged in the store");
	HAS(rv_fakesup_job(&sup, id)->error, what);
	cr_expect(eq(int, rv_fakesup_job(&sup, id)->runs, 1), "not tried again");
	cr_expect(strcmp(output_of(id, 0), "") == 0, "nothing was run");
}

Test(worker, f22_work_that_was_damaged_in_the_store_is_not_run)
{
	struct rv_job_new command = {.task = "",
				     .queue = "default",
				     .spec = "{\"command\":[\"/bin/sh\",\"-c\",\"echo a; cat\"]}",
				     .payload = "some input",
				     .payload_size = 10,
				     .priority = -1,
				     .max_attempts = 3};
	struct rv_job_new named = {.task = "hello",
				   .spec = "{\"args\":{\"who\":\"you\"}}",
				   .priority = -1,
				   .max_attempts = 3};
	struct rv_job_new nap = {.task = "nap",
				 .spec = "{\"args\":{\"duration\":\"1ms\"}}",
				 .priority = -1,
				 .max_attempts = 3};

	expect_damage(&command, "spec = replace(spec, 'echo a', 'echo c')", "arguments");
	expect_damage(&command, "payload = CAST('some inpur' AS BLOB)", "payload");
	expect_damage(&command, "payload = CAST('some inpu' AS BLOB)", "payload");
	expect_damage(&command, "payload = NULL", "payload");
	expect_damage(&command, "sum = sum + 1", "payload");
	expect_damage(&named, "spec = replace(spec, 'you', 'yoo')", "arguments");
	expect_damage(&named, "spec = NULL", "arguments");
	expect_damage(&named, "task = 'env'", "task");
	expect_damage(&named, "payload = CAST('x' AS BLOB)", "payload");
	expect_damage(&nap, "spec = replace(spec, '1ms', '2ms')", "arguments");
	run_payload("whole", 5);
}

Test(worker, many_quick_jobs_are_fetched_many_at_once)
{
	struct rv_job_new job = {.task = "noop", .priority = -1};
	int64_t last = 0;

	for (int i = 0; i < 500; i++)
		last = rv_fakesup_add(&sup, &job);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	UNTIL(last, SUCCEEDED);
	cr_expect(eq(uint, atomic_load(&sup.area.hints[1].jobs_done), 500));
	for (int64_t id = last - 499; id <= last; id++)
		cr_assert(rv_fakesup_job(&sup, id)->state == RV_JOB_SUCCEEDED);
}

static void five_hundred_noops(void)
{
	struct rv_job_new job = {.task = "noop", .priority = -1};
	int64_t last = 0;

	for (int i = 0; i < 500; i++)
		last = rv_fakesup_add(&sup, &job);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	UNTIL(last, SUCCEEDED);
}

/* They tell the keeper what their owner died of, until it has buried it. */
Test(worker, the_words_of_a_predecessor_are_left_alone)
{
	struct rv_area_slot *slot = &sup.area.slots[1];
	uint64_t predecessor = 4711;

	atomic_store(&slot->words[0].job, 17);
	atomic_store(&slot->words[0].fence, 18);
	atomic_store(&slot->words[0].word, RV_WORD_STARTED);
	atomic_store(&slot->words_owner, predecessor);
	five_hundred_noops();
	cr_expect(atomic_load(&slot->words_owner) == predecessor);
	cr_expect(eq(i64, atomic_load(&slot->words[0].job), 17));
	cr_expect(eq(i64, atomic_load(&slot->words[0].fence), 18));
	cr_expect(eq(uint, atomic_load(&slot->words[0].word), RV_WORD_STARTED));
	atomic_store(&slot->words_owner, 0);
	five_hundred_noops();
	cr_expect(atomic_load(&slot->words_owner) == subject.incarnation);
	cr_expect(lt(i64, 500, atomic_load(&slot->words[0].job)), "it prefetches now");
}

Test(worker, a_slow_job_of_a_batch_gives_the_others_back)
{
	struct rv_job_new quick = {.task = "noop", .priority = -1};
	struct rv_job_new slow = {
		.task = "nap", .spec = "{\"args\":{\"duration\":\"600s\"}}", .priority = -1};
	int64_t nap, last = 0;

	for (int i = 0; i < 300; i++)
		last = rv_fakesup_add(&sup, &quick);
	nap = rv_fakesup_add(&sup, &slow);
	for (int i = 0; i < 300; i++)
		last = rv_fakesup_add(&sup, &quick);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	UNTIL(nap - 1, SUCCEEDED);
	/* Whoever comes now gets all that is behind it. */
	struct rv_fakesup_child other;

	rv_fakesup_start(&sup, 2, &other);
	UNTIL(last, SUCCEEDED);
	for (int64_t id = nap + 1; id <= last; id++)
		cr_assert(rv_fakesup_job(&sup, id)->state == RV_JOB_SUCCEEDED);
	cancel(nap, true);
	UNTIL(nap, CANCELLED);
	cr_expect(eq(int, rv_fakesup_stop(&other), 0));
}

static int64_t add_many(const char *task, const char *spec, int n)
{
	struct rv_job_new job = {.task = task, .spec = spec, .priority = -1};
	int64_t first = 0;

	for (int i = 0; i < n; i++) {
		int64_t id = rv_fakesup_add(&sup, &job);

		first = first ? first : id;
	}
	return first;
}

static bool is_running(void *ctx)
{
	return atomic_load(&sup.area.hints[1].job) >= *(const int64_t *)ctx;
}

struct span {
	int64_t first, last;
};

static bool nobody_waits(void *ctx)
{
	const struct span *span = ctx;

	for (int64_t id = span->first; id <= span->last; id++) {
		if (rv_fakesup_job(&sup, id)->prefetched)
			return false;
	}
	return true;
}

/* ${slow} stands among quick ones: those behind it are anybody's 20 ms and a round later. */
static void expect_release(const char *slow, const char *spec)
{
	int64_t quick = add_many("noop", NULL, 300);
	int64_t job = add_many(slow, spec, 1);
	struct span behind = {job + 1, job + 200};

	(void)add_many("noop", NULL, 200);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	cr_assert(rv_test_wait_until(is_running, &job, 20000));
	cr_assert(rv_test_wait_until(nobody_waits, &behind, 20000));
	/* Wide, for a busy machine: the job itself takes 600 s. */
	cr_expect(lt(i64, rv_mono_us() - atomic_load(&sup.area.hints[1].started_us),
		     20 * RV_MS_US + 2 * RV_S_US));
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_RUNNING ||
		  rv_fakesup_job(&sup, job)->prefetched);
	cancel(job, true);
	UNTIL(job, CANCELLED);
	UNTIL(behind.last, SUCCEEDED);
	UNTIL(quick, SUCCEEDED);
}

Test(worker, no_prefetched_job_waits_behind_a_slow_one)
{
	expect_release("nap", "{\"args\":{\"duration\":\"600s\"}}");
	expect_release("long", NULL);
}

/* None of them takes 20 ms, all of them together a second. */
Test(worker, no_prefetched_job_waits_behind_many_that_are_not_quick)
{
	int64_t quick = add_many("noop", NULL, 300);
	int64_t nap = add_many("nap", "{\"args\":{\"duration\":\"15ms\"}}", 100);
	int64_t fifth = nap + 4;
	struct span behind = {nap + 6, nap + 99};

	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	cr_assert(rv_test_wait_until(is_running, &fifth, 20000));
	cr_expect(nobody_waits(&behind), "the rest of the batch was given back");
	UNTIL(quick, SUCCEEDED);
	UNTIL(behind.last, SUCCEEDED);
}

Test(worker, builtin_tasks)
{
	int64_t job = rv_fakesup_run(&sup, &subject, "flop", "{\"args\":{\"error\":\"as told\"}}");

	UNTIL(job, DEAD);
	cr_expect(strcmp(rv_fakesup_job(&sup, job)->error, "as told") == 0);
	job = rv_fakesup_run(&sup, &subject, "flop", "{\"args\":{\"outcome\":\"later\"}}");
	UNTIL(job, SCHEDULED);
	job = rv_fakesup_run(&sup, &subject, "flop", "{\"args\":{\"outcome\":\"none\"}}");
	UNTIL(job, DEAD);
	HAS(rv_fakesup_job(&sup, job)->error, "outcome");
	job = rv_fakesup_run(&sup, &subject, "nap", "{\"args\":{\"duration\":\"10ms\"}}");
	UNTIL(job, SUCCEEDED);
	job = rv_fakesup_run(&sup, &subject, "nap", "{\"args\":{\"duration\":\"soon\"}}");
	UNTIL(job, DEAD);
	HAS(rv_fakesup_job(&sup, job)->error, "soon");
}
