/*
 * The real keeper under a supervisor made of this test.  The workers are rows and hints that the
 * test writes itself, so that each can be as dead, silent or late as it has to be.
 */
#include "process/worker_room.h"

#include "os/fd.h"
#include "os/self.h"
#include "os/sock.h"
#include "os/spawn.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const char ini[] = "[pool:default]\nworkers = 4\nqueues = default, other\n"
			  "heartbeat = 100ms\nhang_timeout = 400ms\nlease = 900ms\n"
			  "[task:plain]\nhandler = builtin\nbuiltin = noop\nmax_attempts = 2\n"
			  "max_crashes = 1\n[queue:other]\nstrategy = priority\n";

static void open_room(void)
{
	rv_fakesup_open(&sup, ini);
	rv_fakesup_start(&sup, 0, &subject);
	rv_fakesup_attach(&sup);
}

TestSuite(keeper, .init = open_room, .fini = close_room);

/* A life of slot ${slot} in the store, alive for ${lease_us}; its hint as well. */
static uint64_t join(unsigned slot, int64_t lease_us)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	struct rv_req_join *how = &req->u.join;
	struct rv_area_hint *hint = &sup.area.hints[slot];
	uint64_t ticks;

	req->kind = RV_REQ_JOIN;
	cr_assert(rv_proc_start_time(getpid(), &ticks) == RV_OK);
	cr_assert(rv_boot_id(how->boot_id) == RV_OK);
	how->incarnation = ++sup.last_incarnation;
	how->pid = getpid();
	how->start_ticks = (int64_t)ticks;
	how->slot = (int32_t)slot;
	(void)snprintf(how->pool, sizeof(how->pool), "default");
	how->beat_deadline_us = rv_mono_us() + lease_us;
	cr_assert(rv_fakesup_do(&sup, req) == RV_OK, "%s", req->why.text);
	free(req);
	atomic_store(&hint->idle, 0);
	atomic_store(&hint->job, 0);
	atomic_store(&hint->limit_us, 0);
	atomic_store(&hint->beat_us, rv_mono_us());
	atomic_store(&hint->incarnation, sup.last_incarnation);
	return sup.last_incarnation;
}

/* A job of the task plain, claimed by ${incarnation}; its fence in ${ret_fence}. */
static int64_t claim(uint64_t incarnation, bool prefetch, int64_t *ret_fence)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	struct rv_req_turn *turn = &req->u.turn;
	int64_t job = rv_fakesup_run(&sup, NULL, "plain", NULL);

	req->kind = RV_REQ_TURN;
	turn->incarnation = incarnation;
	turn->want = 1;
	turn->prefetch = prefetch;
	turn->nqueues = 1;
	(void)snprintf(turn->queues[0], RV_NAME_MAX, "default");
	cr_assert(rv_fakesup_do(&sup, req) == RV_OK, "%s", req->why.text);
	cr_assert(eq(uint, turn->nclaimed, 1));
	cr_assert(eq(i64, turn->claimed[0].job, job));
	if (ret_fence)
		*ret_fence = turn->claimed[0].fence;
	free(req);
	return job;
}

static struct rv_sup_msg died(uint64_t number, uint64_t incarnation, unsigned slot,
			      enum rv_died how, int signo)
{
	struct rv_sup_msg msg = {
		.kind = RV_SUP_DIED,
		.a = number,
		.b = incarnation,
		.c = how,
		.d = (uint64_t)signo,
		.e = slot,
		.size = 5,
	};

	memcpy(msg.text, "ouch!", 5);
	return msg;
}

static void hear(enum rv_sup_kind kind, struct rv_sup_msg *msg)
{
	cr_assert(rv_fakesup_hear(&subject, kind, 10000, msg), "no %s", rv_sup_name(kind));
}

Test(keeper, makes_the_store_and_ticks_each_second)
{
	struct rv_instance instance;
	struct rv_sup_msg msg;
	int64_t first;

	cr_expect(eq(uint, atomic_load(&sup.area.head->epoch_ok), 1));
	cr_assert(rv_store_instance(sup.store, &instance) == RV_OK);
	cr_expect(eq(i64, instance.pid, getpid()));
	cr_expect(strcmp(instance.runtime_dir, sup.folder) == 0);
	(void)rv_fakesup_run(&sup, NULL, "plain", NULL);
	hear(RV_SUP_TICK, &msg);
	hear(RV_SUP_TICK, &msg);
	first = rv_mono_us();
	hear(RV_SUP_TICK, &msg);
	cr_expect(lt(i64, rv_mono_us() - first, 1500 * RV_MS_US));
	cr_expect(lt(i64, 700 * RV_MS_US, rv_mono_us() - first));
	cr_expect(msg.a == 1);
	cr_expect(msg.b > 1000000 && msg.b < 5000000, "the oldest is %llu us old",
		  (unsigned long long)msg.b);
	cr_expect(msg.c == 0);
}

Test(keeper, an_obituary_ends_the_leases_and_is_answered)
{
	struct rv_sup_msg msg;
	uint64_t crashed = join(1, RV_S_US * 60), drained = join(2, RV_S_US * 60);
	int64_t job = claim(crashed, false, NULL), other = claim(drained, false, NULL);

	msg = died(1, crashed, 1, RV_DIED_CRASH, 9);
	msg.d |= RV_SUP_END(0, 0, true);
	msg.f = 5;
	msg.g = 6;
	msg.h = 7 << 20;
	rv_fakesup_say(&subject, &msg);
	hear(RV_SUP_ACK, &msg);
	cr_expect(msg.a == 1);
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_READY);
	cr_expect(eq(int, rv_fakesup_job(&sup, job)->crashes, 1));
	HAS(rv_fakesup_attempt(&sup, job)->error, "killed by signal 9");
	HAS(rv_fakesup_attempt(&sup, job)->error, "(core dumped): ouch!");
	cr_expect(eq(i64, rv_fakesup_attempt(&sup, job)->user_us, 5));
	cr_expect(eq(i64, rv_fakesup_attempt(&sup, job)->sys_us, 6));
	cr_expect(eq(i64, rv_fakesup_attempt(&sup, job)->maxrss_bytes, 7 << 20));
	msg = died(2, drained, 2, RV_DIED_LOST, 15);
	rv_fakesup_say(&subject, &msg);
	/* Told again: nothing more happens, and it is answered. */
	rv_fakesup_say(&subject, &msg);
	hear(RV_SUP_ACK, &msg);
	cr_expect(msg.a == 2);
	cr_expect(rv_fakesup_job(&sup, other)->state == RV_JOB_READY);
	cr_expect(eq(int, rv_fakesup_job(&sup, other)->crashes, 0));
}

/* ${n} jobs prefetched by ${incarnation}, in the words of slot 3, the second of them STARTED. */
static void prefetch(uint64_t incarnation, int64_t *jobs, int n)
{
	struct rv_area_slot *slot = &sup.area.slots[3];

	for (int i = 0; i < n; i++) {
		int64_t fence;

		jobs[i] = claim(incarnation, true, &fence);
		atomic_store(&slot->words[i].job, jobs[i]);
		atomic_store(&slot->words[i].fence, fence);
		atomic_store(&slot->words[i].word, i == 1 ? RV_WORD_STARTED : RV_WORD_WAITING);
	}
	atomic_store(&slot->words_owner, incarnation);
}

static void expect_crashes(const int64_t *jobs, int n, int of_second)
{
	for (int i = 0; i < n; i++) {
		cr_expect(rv_fakesup_job(&sup, jobs[i])->state == RV_JOB_READY);
		cr_expect(eq(int, rv_fakesup_job(&sup, jobs[i])->crashes, i == 1 ? of_second : 0));
	}
}

static void tell_died(uint64_t number, uint64_t incarnation)
{
	struct rv_sup_msg msg = died(number, incarnation, 3, RV_DIED_CRASH, 11);

	rv_fakesup_say(&subject, &msg);
	hear(RV_SUP_ACK, &msg);
	cr_assert(msg.a == number);
}

Test(keeper, of_a_prefetch_only_the_started_job_is_charged)
{
	uint64_t incarnation = join(3, RV_S_US * 60);
	int64_t jobs[3];

	prefetch(incarnation, jobs, 3);
	tell_died(1, incarnation);
	expect_crashes(jobs, 3, 1);
	cr_expect(atomic_load(&sup.area.slots[3].words_owner) == 0, "the words are free again");
}

/* The slot has a new worker before the obituary of the old one is there. */
Test(keeper, the_words_of_another_charge_nobody)
{
	uint64_t dead = join(3, RV_S_US * 60);
	int64_t jobs[3];

	prefetch(dead, jobs, 3);
	uint64_t successor = join(3, RV_S_US * 60);

	atomic_store(&sup.area.slots[3].words_owner, successor);
	tell_died(1, dead);
	expect_crashes(jobs, 3, 0);
	cr_expect(atomic_load(&sup.area.slots[3].words_owner) == successor, "not the keeper's");
	/* Words that were left of a lease that is over do not charge the job's next one. */
	for (int i = 0; i < 3; i++)
		cancel(jobs[i], false);
	uint64_t third = join(3, RV_S_US * 60);
	int64_t fence = atomic_load(&sup.area.slots[3].words[1].fence);
	int64_t more[2];

	prefetch(third, more, 2);
	atomic_store(&sup.area.slots[3].words[1].job, more[1]);
	atomic_store(&sup.area.slots[3].words[1].fence, fence);
	tell_died(2, third);
	expect_crashes(more, 2, 0);
}

/* LIVING in parts of at most ${part}. */
static void tell_living(uint64_t highest, const uint64_t *ids, size_t count, size_t part)
{
	size_t from = 0;

	do {
		size_t some = count - from < part ? count - from : part;
		struct rv_sup_msg msg = {
			.kind = RV_SUP_LIVING,
			.a = highest,
			.b = some,
			.c = from > 0,
			.d = count,
			.size = (uint32_t)(some * sizeof(*ids)),
		};

		if (some > 0)
			memcpy(msg.text, ids + from, msg.size);
		rv_fakesup_say(&subject, &msg);
		from += some;
	} while (from < count);
}

Test(keeper, whoever_is_not_on_the_list_is_expired)
{
	uint64_t alive[2], gone, late;
	int64_t jobs[4];

	alive[0] = join(1, RV_S_US * 60);
	gone = join(2, RV_S_US * 60);
	alive[1] = join(3, RV_S_US * 60);
	late = join(4, RV_S_US * 60);
	jobs[0] = claim(alive[0], false, NULL);
	jobs[1] = claim(gone, false, NULL);
	jobs[2] = claim(alive[1], false, NULL);
	jobs[3] = claim(late, false, NULL);
	tell_living(late - 1, alive, 2, 1);
	UNTIL(jobs[1], READY);
	cr_expect(eq(int, rv_fakesup_job(&sup, jobs[1])->crashes, 0));
	cr_expect(rv_fakesup_job(&sup, jobs[0])->state == RV_JOB_RUNNING);
	cr_expect(rv_fakesup_job(&sup, jobs[2])->state == RV_JOB_RUNNING);
	cr_expect(rv_fakesup_job(&sup, jobs[3])->state == RV_JOB_RUNNING);
	tell_living(late, NULL, 0, 1);
	UNTIL(jobs[3], READY);
}

Test(keeper, a_scheduled_job_is_ready_at_its_time)
{
	struct rv_job_new job = {.task = "plain", .priority = -1};
	uint64_t token = 0;
	int64_t id, before;

	job.run_at_us = rv_wall_us() + 3600 * RV_S_US;
	(void)rv_fakesup_add(&sup, &job);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	before = rv_mono_us();
	job.run_at_us = rv_wall_us() + 300 * RV_MS_US;
	id = rv_fakesup_add(&sup, &job);
	cr_expect(rv_fakesup_job(&sup, id)->state == RV_JOB_SCHEDULED);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	cr_assert(rv_fd_wait(sup.bell_fd, POLLIN, 10 * RV_S_US) == RV_OK);
	cr_assert(rv_sock_rung(sup.bell_fd, &token) == RV_OK);
	cr_expect(token == rv_ring_token("default"));
	cr_expect(rv_fakesup_job(&sup, id)->state == RV_JOB_READY);
	cr_expect(le(i64, 295 * RV_MS_US, rv_mono_us() - before));
	cr_expect(lt(i64, rv_mono_us() - before, 700 * RV_MS_US));
}

Test(keeper, a_crowd_that_is_due_at_once_is_promoted_to_the_last)
{
	struct rv_job_new job = {.task = "plain", .priority = -1};
	int64_t last = 0;

	job.run_at_us = rv_wall_us() + 200 * RV_MS_US;
	for (int i = 0; i < 250; i++)
		last = rv_fakesup_add(&sup, &job);
	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	for (int64_t id = last - 249; id <= last; id++)
		UNTIL(id, READY);
}

Test(keeper, what_nobody_rang_for_is_found_by_the_poll)
{
	uint64_t token = 0;

	(void)join(1, RV_S_US * 60);
	atomic_store(&sup.area.hints[1].idle, 1);
	(void)rv_fakesup_run(&sup, NULL, "plain", NULL);
	for (int i = 0; i < 2; i++) { /* also when that ring was lost */
		cr_assert(rv_fd_wait(sup.bell_fd, POLLIN, 3 * RV_S_US) == RV_OK);
		while (rv_sock_rung(sup.bell_fd, &token) == RV_OK)
			cr_expect(token == rv_ring_token("default"));
	}
}

Test(keeper, a_stale_beat_is_reported_and_an_idle_one_is_not)
{
	struct rv_sup_msg msg;
	uint64_t incarnation = join(2, RV_S_US * 60);

	(void)join(3, RV_S_US * 60);
	atomic_store(&sup.area.hints[3].idle, 1);
	atomic_store(&sup.area.hints[3].beat_us, 1);
	hear(RV_SUP_HUNG, &msg);
	cr_expect(msg.a == 2);
	cr_expect(msg.b == incarnation);
}

Test(keeper, a_job_past_its_limit_is_reported)
{
	struct rv_sup_msg msg;
	int64_t end = rv_mono_us() + 5 * RV_S_US;
	uint64_t incarnation = join(2, RV_S_US * 60);

	atomic_store(&sup.area.hints[2].job, 7);
	atomic_store(&sup.area.hints[2].limit_us, rv_mono_us() + 100);
	/* It beats all the while. */
	while (!rv_fakesup_hear(&subject, RV_SUP_HUNG, 50, &msg) && rv_mono_us() < end)
		atomic_store(&sup.area.hints[2].beat_us, rv_mono_us());
	cr_expect(msg.kind == RV_SUP_HUNG && msg.b == incarnation);
}

/* Beats for slot ${slot} until ${end_us}. */
static void beat_until(unsigned slot, int64_t end_us)
{
	struct rv_sup_msg msg;

	while (rv_mono_us() < end_us) {
		atomic_store(&sup.area.hints[slot].beat_us, rv_mono_us());
		(void)rv_fakesup_hear(&subject, RV_SUP_NONE, 50, &msg);
	}
}

Test(keeper, who_beats_keeps_its_lease_and_who_does_not_loses_it)
{
	uint64_t loud = join(1, 900 * RV_MS_US), silent = join(2, 900 * RV_MS_US);
	int64_t kept = claim(loud, false, NULL), lost = claim(silent, false, NULL);

	beat_until(1, rv_mono_us() + 4 * RV_S_US);
	cr_expect(rv_fakesup_job(&sup, kept)->state == RV_JOB_RUNNING);
	cr_expect(rv_fakesup_job(&sup, lost)->state == RV_JOB_READY);
	cr_expect(eq(int, rv_fakesup_job(&sup, lost)->crashes, 0));
}

Test(keeper, time_in_which_it_was_stopped_is_nobodys_fault)
{
	uint64_t incarnation = join(1, 900 * RV_MS_US);
	int64_t job = claim(incarnation, false, NULL);
	struct rv_sup_msg msg;
	int64_t end = rv_mono_us() + 4 * RV_S_US;

	cr_assert(rv_proc_signal(&subject.proc, SIGSTOP, false) == RV_OK);
	while (rv_mono_us() < end)
		(void)rv_fakesup_hear(&subject, RV_SUP_NONE, 500, &msg);
	cr_assert(rv_proc_signal(&subject.proc, SIGCONT, false) == RV_OK);
	/* It was stopped as well and beats again now. */
	beat_until(1, rv_mono_us() + 3 * RV_S_US);
	cr_assert(rv_test_wait_text(sup.log, "keeper.gap", 5000));
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_RUNNING);
}

static bool is_stopped(void *ctx)
{
	struct rv_procstat stat;

	return rv_procstat(*(const pid_t *)ctx, &stat) == RV_OK && stat.state == 'T';
}

Test(keeper, stopped_in_the_middle_of_its_second_it_blames_nobody)
{
	static const char *const env[] = {"RV_FAULT=keeper_tick:stop:1:keeper", NULL};
	struct rv_sup_msg msg;
	uint64_t incarnation;
	int64_t end, job;

	cr_assert(eq(int, rv_fakesup_stop(&subject), 0));
	sup.env = env;
	rv_fakesup_start(&sup, 0, &subject);
	sup.env = NULL;
	incarnation = join(1, 900 * RV_MS_US);
	job = claim(incarnation, false, NULL);
	cr_assert(rv_test_wait_until(is_stopped, &subject.proc.pid, 10000));
	end = rv_mono_us() + 4 * RV_S_US;
	while (rv_mono_us() < end)
		(void)rv_fakesup_hear(&subject, RV_SUP_NONE, 500, &msg);
	cr_assert(rv_proc_signal(&subject.proc, SIGCONT, false) == RV_OK);
	/* The worker was stopped as well; its first beat comes after the end of the keeper's
	 * second. */
	cr_assert(rv_test_wait_text(sup.log, "keeper.gap", 5000));
	end = rv_mono_us() + 2 * RV_S_US;
	while (rv_mono_us() < end) {
		atomic_store(&sup.area.hints[1].beat_us, rv_mono_us());
		cr_assert(not(rv_fakesup_hear(&subject, RV_SUP_HUNG, 50, &msg)));
	}
	cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_RUNNING);
}

Test(keeper, tells_who_blocks_the_writers_and_goes_on_ticking)
{
	struct rv_why why = {.text = ""};
	struct rv_sup_msg msg;
	int64_t last = rv_mono_us(), end = last + 5 * RV_S_US;
	bool named = false;

	(void)join(1, 60 * RV_S_US);
	cr_assert(rv_store_begin(sup.store, RV_DURABILITY_NORMAL, 10 * RV_S_US, &why) == RV_OK);
	while (rv_mono_us() < end) {
		atomic_store(&sup.area.hints[1].beat_us, rv_mono_us());
		if (!rv_fakesup_hear(&subject, RV_SUP_TICK, 50, &msg))
			continue;
		cr_expect(lt(i64, rv_mono_us() - last, 2500 * RV_MS_US), "%lld ms without a TICK",
			  (long long)(rv_mono_us() - last) / 1000);
		last = rv_mono_us();
		named = named || msg.c == (uint64_t)getpid();
	}
	rv_store_rollback(sup.store);
	cr_expect(named, "the writer was not named");
	cr_assert(rv_test_wait_text(sup.log, "writer.free", 10000));
}

Test(keeper, a_cancellation_is_passed_on_when_it_comes_and_by_its_poll)
{
	struct rv_req *req = calloc(1, sizeof(*req));
	uint64_t incarnation = join(2, RV_S_US * 60);
	struct rv_sup_msg msg;
	int64_t fence, job = claim(incarnation, false, &fence);

	atomic_store(&sup.area.hints[2].idle, 1); /* it shall not count as hung */
	req->kind = RV_REQ_CANCEL;
	req->u.cancel.job = job;
	cr_assert(rv_fakesup_do(&sup, req) == RV_OK);
	free(req);
	hear(RV_SUP_KICK, &msg);
	cr_expect(msg.a == 2 && msg.b == (uint64_t)job && msg.c == (uint64_t)fence);
	/* And by the next keeper. */
	rv_fakesup_kill(&subject);
	rv_fakesup_start(&sup, 0, &subject);
	hear(RV_SUP_KICK, &msg);
	cr_expect(msg.b == (uint64_t)job);
}

Test(keeper, a_job_not_started_within_its_ttl_is_cancelled)
{
	struct rv_job_new job = {.task = "plain", .priority = -1, .ttl_us = 100 * RV_MS_US};
	int64_t id = rv_fakesup_add(&sup, &job);

	rv_fakesup_tell(&subject, RV_SUP_WAKE, 0, 0, 0);
	cr_assert(rv_fakesup_until(&sup, id, RV_JOB_CANCELLED, 15000));
}

static const char *const points[] = {"RV_FAULT=keeper_died:kill:1:keeper",
				     "RV_FAULT=keeper_expired:kill:1:keeper"};

Test(keeper, an_obituary_survives_its_keeper)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(points); i++) {
		const char *const env[] = {points[i], NULL};
		struct rv_sup_msg msg;
		uint64_t incarnation = join(1, RV_S_US * 60);
		int64_t job = claim(incarnation, false, NULL);

		cr_assert(eq(int, rv_fakesup_stop(&subject), 0));
		sup.env = env;
		rv_fakesup_start(&sup, 0, &subject);
		msg = died(i + 1, incarnation, 1, RV_DIED_CRASH, 9);
		rv_fakesup_say(&subject, &msg);
		cr_assert(eq(int, rv_fakesup_wait(&subject, 10000), 128 + SIGKILL));
		sup.env = NULL;
		rv_fakesup_start(&sup, 0, &subject);
		rv_fakesup_say(&subject, &msg);
		hear(RV_SUP_ACK, &msg);
		cr_expect(msg.a == i + 1);
		cr_expect(rv_fakesup_job(&sup, job)->state == RV_JOB_READY);
		cr_expect(eq(int, rv_fakesup_job(&sup, job)->crashes, 1));
		/* So that the next claim is of the next job. */
		struct rv_req *req = calloc(1, sizeof(*req));

		req->kind = RV_REQ_CANCEL;
		req->u.cancel.job = job;
		cr_assert(rv_fakesup_do(&sup, req) == RV_OK);
		free(req);
	}
}

Test(keeper, ends_with_its_supervisor)
{
	(void)close(subject.chan);
	subject.chan = -1;
	cr_expect(eq(int, rv_fakesup_wait(&subject, 5000), 0));
	rv_fakesup_start(&sup, 0, &subject);
}

Test(keeper, a_store_that_was_replaced_ends_it)
{
	cr_assert(rename(sup.path, rv_test_path("%s.away", sup.path)) == 0);
	rv_test_write_file(sup.path, "another file");
	cr_expect(eq(int, rv_fakesup_wait(&subject, 5000), 74));
	cr_assert(rename(rv_test_path("%s.away", sup.path), sup.path) == 0);
	rv_fakesup_start(&sup, 0, &subject);
}

Test(keeper_start, a_file_that_is_no_store_is_refused_and_left_alone)
{
	struct rv_fakesup_child child;
	char *content;

	rv_fakesup_open(&sup, ini);
	rv_test_write_file(sup.path, "%s",
			   "my precious notes, longer than a header of sqlite is, "
			   "so that nobody can take this for an empty database");
	rv_fakesup_fork(&sup, 0, &child);
	cr_expect(eq(int, rv_fakesup_wait(&child, 10000), 78));
	content = rv_test_read_file(sup.path);
	HAS(content, "my precious notes");
	free(content);
	rv_fakesup_close(&sup);
	rv_test_tmpdir_end();
}

Test(keeper_start, a_worker_without_a_store_does_not_make_one)
{
	struct rv_fakesup_child child;

	rv_fakesup_open(&sup, ini);
	rv_fakesup_fork(&sup, 1, &child);
	cr_expect(lt(int, 0, rv_fakesup_wait(&child, 10000)));
	cr_expect(ne(int, access(sup.path, F_OK), 0));
	rv_fakesup_close(&sup);
	rv_test_tmpdir_end();
}
