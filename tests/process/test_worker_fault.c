/*
 * The real worker where something fails: no process or descriptor to be had, a full disk under the
 * output, a death at each step of a job's way.  Nothing is lost, and nothing is done without a run.
 */
#include "process/worker_room.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static const char ini[] =
	"[defaults]\nmax_attempts = 1\nbackoff = none\n"
	"[pool:default]\nworkers = 1\nheartbeat = 50ms\nhang_timeout = 20s\nlease = 30s\n"
	"[task:noop]\nhandler = builtin\nbuiltin = noop\n";

static void open_room(void)
{
	rv_fakesup_open(&sup, ini);
	rv_fakesup_store(&sup);
}

TestSuite(worker_fault, .init = open_room, .fini = close_room);

static void start_with(const char *fault)
{
	const char *const env[] = {fault, NULL};

	sup.env = env;
	rv_fakesup_start(&sup, 1, &subject);
	sup.env = NULL;
}

/* A job that leaves a line in a file each time it runs. */
static int64_t run_counted(void)
{
	char command[512];

	(void)snprintf(command, sizeof(command), "echo ran >> %s/effects", sup.folder);
	return run_shell(command);
}

static size_t effects(void)
{
	char *text = rv_test_read_file(rv_test_path("%s/effects", sup.folder));
	size_t lines = text ? strlen(text) / strlen("ran\n") : 0;

	free(text);
	return lines;
}

struct awaited {
	int64_t job;
	enum rv_job_state state;
};

/* No keeper is here: the worker promotes what is due itself, when it is told to look. */
static bool look_and_see(void *ctx)
{
	const struct awaited *awaited = ctx;
	struct rv_sup_msg msg;

	rv_fakesup_tell(&subject, RV_SUP_WAKE, 1, 0, 0);
	cr_assert(rv_fakesup_hear(&subject, RV_SUP_STATUS, 20000, &msg));
	return rv_fakesup_job(&sup, awaited->job)->state == awaited->state;
}

static void until_after_looks(int64_t job, enum rv_job_state state)
{
	struct awaited awaited = {job, state};

	cr_assert(rv_test_wait_until(look_and_see, &awaited, 30000), "job %lld is %s",
		  (long long)job, rv_job_state_name(rv_fakesup_job(&sup, job)->state));
}

Test(worker_fault, f16_no_process_to_be_had_burns_no_attempt)
{
	int64_t job;

	start_with("RV_FAULT=spawn:busy:1:worker");
	job = run_counted();
	UNTIL(job, SCHEDULED);
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->attempt, 0));
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->runs, 1));
	until_after_looks(job, RV_JOB_SUCCEEDED);
	cr_expect(eq(sz, effects(), 1));
}

Test(worker_fault, f16_no_descriptors_for_ever_is_a_failure_in_the_end)
{
	struct rlimit few = {12, 4096}, enough = {4096, 4096};
	int64_t job;

	rv_fakesup_start(&sup, 1, &subject);
	cr_assert(prlimit(subject.proc.pid, RLIMIT_NOFILE, &few, NULL) == 0);
	job = run_counted();
	UNTIL(job, SCHEDULED);
	HAS(rv_fakesup_attempt(&sup, job)->error, "no pipes");
	until_after_looks(job, RV_JOB_DEAD);
	cr_expect(le(int, 5, rv_fakesup_job(&sup, job)->runs));
	cr_expect(le(int, rv_fakesup_job(&sup, job)->runs, 7));
	cr_expect(eq(sz, effects(), 0));
	cr_assert(prlimit(subject.proc.pid, RLIMIT_NOFILE, &enough, NULL) == 0);
	job = run_counted();
	UNTIL(job, SUCCEEDED);
}

Test(worker_fault, f14_output_that_cannot_be_written_costs_the_output_only)
{
	int64_t job;

	start_with("RV_FAULT=output_write:enospc:1:worker");
	job = run_shell("echo lost");
	UNTIL(job, SUCCEEDED);
	cr_expect(eq(i64, rv_fakesup_attempt(&sup, job)->output_bytes, 5));
	cr_expect(eq(sz, strlen(output_of(job, 0)), 0));
	cr_assert(rv_test_wait_text(sup.log, "job.output_lost", 5000));
}

static const struct {
	const char *fault;
	size_t effects; /* of all runs together */
	int runs, crashes;
} deaths[] = {
	{"RV_FAULT=worker_claimed:kill:1:worker", 1, 2, 1},
	{"RV_FAULT=worker_started:kill:1:worker", 0, 2, 1}, /* 1 or 2: the first may not get far */
	{"RV_FAULT=worker_ended:kill:1:worker", 2, 2, 1},
	{"RV_FAULT=worker_acked:kill:1:worker", 1, 1, 0},
	{"RV_FAULT=worker_ended:abort:1:worker", 2, 2, 1},
};

Test(worker_fault, f01_a_death_at_each_step_loses_nothing)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(deaths); i++) {
		int64_t job;

		(void)unlink(rv_test_path("%s/effects", sup.folder));
		start_with(deaths[i].fault);
		job = run_counted();
		cr_assert(le(int, 128, rv_fakesup_wait(&subject, 20000)), "%s", deaths[i].fault);
		expire(&subject, RV_DIED_CRASH);
		cr_expect(eq(int, rv_fakesup_broken(&sup), 0));
		rv_fakesup_start(&sup, 1, &subject);
		UNTIL(job, SUCCEEDED);
		if (deaths[i].effects > 0)
			cr_expect(eq(sz, effects(), deaths[i].effects), "%s", deaths[i].fault);
		else
			cr_expect(effects() >= 1 && effects() <= 2, "%s", deaths[i].fault);
		cr_expect(eq(int, rv_fakesup_job(&sup, job)->runs, deaths[i].runs), "%s",
			  deaths[i].fault);
		cr_expect(eq(int, rv_fakesup_job(&sup, job)->crashes, deaths[i].crashes), "%s",
			  deaths[i].fault);
		cr_assert(eq(int, rv_fakesup_stop(&subject), 0));
	}
	rv_fakesup_start(&sup, 1, &subject);
}

static const char *const batch_deaths[] = {
	"RV_FAULT=worker_claimed:kill:9:worker",  "RV_FAULT=worker_ended:kill:100:worker",
	"RV_FAULT=worker_acked:kill:9:worker",    "RV_FAULT=round_executed:kill:9:worker",
	"RV_FAULT=round_committed:kill:9:worker", "RV_FAULT=round_begun:kill:9:worker",
};

Test(worker_fault, f01_a_death_within_a_batch_loses_nothing)
{
	struct rv_job_new quick = {.task = "noop", .priority = -1};

	for (size_t i = 0; i < RV_ARRAY_LEN(batch_deaths); i++) {
		int64_t last = 0;

		for (int k = 0; k < 400; k++)
			last = rv_fakesup_add(&sup, &quick);
		start_with(batch_deaths[i]);
		cr_assert(eq(int, rv_fakesup_wait(&subject, 20000), 128 + SIGKILL), "%s",
			  batch_deaths[i]);
		expire(&subject, RV_DIED_CRASH);
		cr_expect(eq(int, rv_fakesup_broken(&sup), 0), "%s", batch_deaths[i]);
		rv_fakesup_start(&sup, 1, &subject);
		UNTIL(last, SUCCEEDED);
		cr_assert(eq(int, rv_fakesup_stop(&subject), 0));
		for (int64_t id = last - 399; id <= last; id++)
			cr_assert(rv_fakesup_job(&sup, id)->state == RV_JOB_SUCCEEDED);
	}
	rv_fakesup_start(&sup, 1, &subject);
}

Test(worker_fault, a_worker_that_cannot_start_says_why_by_its_exit_code)
{
	static const struct {
		const char *fault;
		int code;
	} starts[] = {{"RV_FAULT=worker_ready:eio:1:worker", 74},
		      {"RV_FAULT=worker_ready:busy:1:worker", 75}};

	for (size_t i = 0; i < RV_ARRAY_LEN(starts); i++) {
		const char *const env[] = {starts[i].fault, NULL};

		sup.env = env;
		rv_fakesup_fork(&sup, 1, &subject);
		cr_expect(eq(int, rv_fakesup_wait(&subject, 20000), starts[i].code));
		expire(&subject, RV_DIED_LOST);
	}
	sup.env = NULL;
	rv_fakesup_start(&sup, 1, &subject);
}

Test(worker_fault, a_foreign_writer_delays_and_loses_nothing)
{
	struct rv_why why = {.text = ""};
	struct rv_sup_msg msg;
	int64_t job, end;

	rv_fakesup_start(&sup, 1, &subject);
	job = run_shell("echo up; sleep 0.2");
	UNTIL(job, RUNNING);
	cr_assert(rv_store_begin(sup.store, RV_DURABILITY_NORMAL, 10 * RV_S_US, &why) == RV_OK);
	end = rv_mono_us() + 5 * RV_S_US;
	while (rv_mono_us() < end) {
		int64_t beat = atomic_load(&sup.area.hints[1].beat_us);

		(void)rv_fakesup_hear(&subject, RV_SUP_NONE, 500, &msg);
		cr_expect(lt(i64, beat, atomic_load(&sup.area.hints[1].beat_us)), "no beat");
	}
	rv_store_rollback(sup.store);
	UNTIL(job, SUCCEEDED);
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->runs, 1));
}

Test(adhoc_no, a_command_that_got_into_the_store_is_not_run)
{
	int64_t job;

	rv_fakesup_open(&sup, "#adhoc=no\n[pool:default]\nworkers = 1\n");
	rv_fakesup_store(&sup);
	rv_fakesup_start(&sup, 1, &subject);
	job = run_counted();
	UNTIL(job, DEAD);
	HAS(rv_fakesup_job(&sup, job)->error, "adhoc");
	cr_expect(eq(sz, effects(), 0));
	close_room();
}

static const char with_old[] = "[defaults]\nbackoff = none\n[pool:default]\nworkers = 1\n"
			       "[task:old]\ncommand = /bin/true\nmax_attempts = 1\n";
static const char without_old[] = "[defaults]\nbackoff = none\n[pool:default]\nworkers = 1\n";

/* A reload adds a task, and a worker that it has not replaced yet claims the first job of it. */
Test(task_gone, a_worker_of_the_old_configuration_burns_no_attempt_of_a_new_task)
{
	int64_t job;

	rv_fakesup_open(&sup, with_old);
	rv_fakesup_store(&sup);
	rv_fakesup_conf(&sup, without_old);
	rv_fakesup_start(&sup, 1, &subject);
	job = rv_fakesup_run(&sup, &subject, "old", NULL);
	UNTIL(job, SCHEDULED);
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->attempt, 0));
	HAS(rv_fakesup_attempt(&sup, job)->error, "old");
	cr_expect(eq(int, rv_fakesup_stop(&subject), 0));
	rv_fakesup_conf(&sup, with_old);
	rv_fakesup_start(&sup, 1, &subject);
	until_after_looks(job, RV_JOB_SUCCEEDED);
	close_room();
}

static const char wants_x[] = "[defaults]\nbackoff = none\n[pool:default]\nworkers = 1\n"
			      "[task:old]\ncommand = /bin/echo ${arg.x}\nmax_attempts = 1\n";

/* A reload drops an argument, and a worker with the old definition claims a job without it. */
Test(task_gone, a_worker_of_the_old_definition_burns_no_attempt_of_a_job_of_the_new)
{
	int64_t job;

	rv_fakesup_open(&sup, with_old);
	rv_fakesup_store(&sup);
	rv_fakesup_conf(&sup, wants_x);
	rv_fakesup_start(&sup, 1, &subject);
	job = rv_fakesup_run(&sup, &subject, "old", NULL);
	UNTIL(job, SCHEDULED);
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->attempt, 0));
	HAS(rv_fakesup_attempt(&sup, job)->error, "no argument x");
	cr_expect(eq(int, rv_fakesup_stop(&subject), 0));
	rv_fakesup_conf(&sup, with_old);
	rv_fakesup_start(&sup, 1, &subject);
	until_after_looks(job, RV_JOB_SUCCEEDED);
	close_room();
}

/* Where every worker wants it, it is the job's failure in the end. */
Test(task_gone, a_job_without_an_argument_fails_with_its_name)
{
	int64_t job;

	rv_fakesup_open(&sup, wants_x);
	rv_fakesup_store(&sup);
	rv_fakesup_start(&sup, 1, &subject);
	job = rv_fakesup_run(&sup, &subject, "old", NULL);
	until_after_looks(job, RV_JOB_DEAD);
	HAS(rv_fakesup_job(&sup, job)->error, "no argument x");
	close_room();
}

Test(task_gone, a_job_whose_task_is_not_configured_fails_with_its_name)
{
	int64_t job;

	rv_fakesup_open(&sup, with_old);
	rv_fakesup_store(&sup);
	job = rv_fakesup_run(&sup, NULL, "old", NULL);
	/* A worker of a configuration that does not have it. */
	rv_fakesup_conf(&sup, without_old);
	rv_fakesup_start(&sup, 1, &subject);
	until_after_looks(job, RV_JOB_DEAD);
	HAS(rv_fakesup_job(&sup, job)->error, "old");
	close_room();
}
