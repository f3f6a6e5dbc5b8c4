/* JOIN, LEAVE, EXPIRE, BEATS, RAISE: lives of workers, and what becomes of what they held. */
#include "fixture.h"

#include "core/job.h"
#include "os/self.h"
#include "wire/sup.h"

#include <unistd.h>

struct worker_seen {
	uint64_t incarnation;
	struct rv_worker_view view;
	char pool[RV_NAME_MAX];
	int live;
};

static int note_worker(void *ctx, const struct rv_worker_view *view)
{
	struct worker_seen *to = ctx;

	to->live += view->live;
	if (view->incarnation == to->incarnation) {
		to->view = *view;
		(void)snprintf(to->pool, sizeof to->pool, "%s", view->pool);
	}
	return RV_OK;
}

static struct worker_seen look(struct fixture *f, uint64_t who)
{
	struct worker_seen seen = {.incarnation = who};

	ERR(rv_store_workers(f->store, note_worker, &seen), RV_OK);
	return seen;
}

CONTRACT(workers, join_makes_a_life)
{
	struct worker_seen seen = look(f, W2);

	IS(seen.live, 2);
	IS(seen.view.live, true);
	IS(seen.view.pid, ABSENT_PID);
	IS(seen.view.slot, 2);
	IS(seen.view.beat_deadline_us, S(1000));
	IS(seen.view.leases, 0);
	TEXT(seen.pool, "default");
	(void)add_task(f, "t");
	(void)add_task(f, "t");
	(void)turn(f, W2, 1, "default");
	(void)prefetch(f, W2, 1, "default");
	IS(look(f, W2).view.leases, 2);
}

CONTRACT(workers, a_life_that_is_over_never_comes_back)
{
	ERR(leave(f, W1), RV_OK);
	IS(look(f, W1).live, 1);
	ERR(join(f, W1, 1), RV_E_STALE);
	ERR(leave(f, W1), RV_OK); /* told twice */
	IS(died(f, W1, RV_DIED_CRASH, 0, "killed by signal 9"), 0);
	ERR(leave(f, W1 + 60), RV_OK); /* never seen */
	IS(died(f, W1 + 61, RV_DIED_CRASH, 0, "killed by signal 9"), 0);
}

CONTRACT(workers, a_life_begins_under_the_daemon_of_this_boot)
{
	f->req.u.join = (struct rv_req_join){
		.incarnation = W1 + 5, .slot = 3, .pool = "default", .boot_id = "boot-b"};
	ERR(ask_kind(f, RV_REQ_JOIN), RV_E_STALE);
	f->req.u.join = (struct rv_req_join){.incarnation = 0, .boot_id = "boot-a"};
	ERR(ask_kind(f, RV_REQ_JOIN), RV_E_USAGE);
}

CONTRACT(workers, leave_gives_back_and_counts_nothing)
{
	int64_t a = add_task(f, "once");
	int64_t b = add_task(f, "once");
	int64_t fence = claim(f, W1, a);

	IS(prefetch(f, W1, 1, "default")->nclaimed, 1);
	ERR(leave(f, W1), RV_OK);
	TEXT(rings(f), "Q default;");
	STATE(a, "ready");
	STATE(b, "ready");
	IS(see(f, a)->attempt, 0);
	IS(see(f, a)->crashes, 0);
	IS(see(f, a)->runs, 1);
	IS(see(f, b)->runs, 0);
	cr_assert(gt(i64, claim(f, W2, a), fence));
}

CONTRACT(workers, crashes_count_and_burn_nothing)
{
	int64_t id = add_task(f, "t"); /* two crashes, three attempts */

	for (int i = 1; i <= 3; i++) {
		ERR(join(f, W2 + (uint64_t)i, 1), RV_OK);
		(void)claim(f, W2 + (uint64_t)i, id);
		IS(died(f, W2 + (uint64_t)i, i == 2 ? RV_DIED_HUNG : RV_DIED_CRASH, 0,
			"killed by signal 9"),
		   1);
		TEXT(rings(f), i < 3 ? "Q default;" : "");
		IS(see(f, id)->crashes, i);
		IS(see(f, id)->attempt, 0);
		STATE(id, i < 3 ? "ready" : "dead");
	}
	HAS(see(f, id)->error, "crashed its worker 3 times: killed by signal 9");
	ERR(retry(f, id), RV_OK);
	IS(see(f, id)->crashes, 0);
	(void)claim(f, W1, id);
	IS(died(f, W1, RV_DIED_CRASH, 0, "exit 70"), 1);
	STATE(id, "ready");
}

/* A handler that dies under a worker that lives: the worker says so itself. */
CONTRACT(workers, a_crash_of_a_handler_counts_as_one)
{
	int64_t id = add_task(f, "t"); /* two crashes, three attempts */

	for (int i = 1; i <= 3; i++) {
		struct rv_ack crash = {.job = id,
				       .outcome = RV_OUTCOME_CRASHED,
				       .exit_code = 3,
				       .retry_us = S(60),
				       .started_us = START_US,
				       .error = "its handler ended with exit code 3"};

		crash.fence = claim(f, W1, id);
		ERR(ack_with(f, W1, crash), RV_OK);
		IS(see(f, id)->crashes, i);
		IS(see(f, id)->attempt, 0);
		STATE(id, i < 3 ? "ready" : "dead"); /* at once: there is nothing to wait for */
	}
	HAS(see(f, id)->error, "crashed its handler 3 times: its handler ended with exit code 3");
}

CONTRACT(workers, one_crash_is_too_many_for_some)
{
	int64_t id = add_task(f, "frail");

	(void)claim(f, W1, id);
	IS(died(f, W1, RV_DIED_CRASH, 0, "exit 70"), 1);
	STATE(id, "dead");
	HAS(see(f, id)->error, "exit 70");
}

CONTRACT(workers, clean_and_lost_count_nothing)
{
	static const int how[] = {RV_DIED_CLEAN, RV_DIED_LOST};
	int64_t id = add_task(f, "frail");

	for (size_t i = 0; i < RV_ARRAY_LEN(how); i++) {
		uint64_t who = W2 + 1 + i;

		ERR(join(f, who, 3), RV_OK);
		(void)claim(f, who, id);
		IS(died(f, who, how[i], 0, "the area was lost"), 1);
		STATE(id, "ready");
		IS(see(f, id)->crashes, 0);
	}
}

CONTRACT(workers, of_the_prefetched_only_the_started_is_charged)
{
	int64_t ids[3];
	int64_t fence;

	for (int i = 0; i < 3; i++)
		ids[i] = add_task(f, "t");
	IS(prefetch(f, W1, 3, "default")->nclaimed, 3);
	IS(f->req.u.turn.claimed[1].job, ids[1]);
	fence = f->req.u.turn.claimed[1].fence;
	IS(died(f, W1, RV_DIED_CRASH, fence, "killed by signal 11"), 3);
	for (int i = 0; i < 3; i++) {
		STATE(ids[i], "ready");
		IS(see(f, ids[i])->crashes, i == 1);
		IS(see(f, ids[i])->runs, i == 1);
	}
	ERR(join(f, W2 + 1, 1), RV_OK);
	IS(prefetch(f, W2 + 1, 3, "default")->nclaimed, 3);
	IS(died(f, W2 + 1, RV_DIED_CRASH, 0, "killed by signal 11"), 3);
	for (int i = 0; i < 3; i++)
		IS(see(f, ids[i])->crashes, i == 1);
	/* The fence of a lease that was another's charges nobody, though the job is the same. */
	ERR(join(f, W2 + 2, 1), RV_OK);
	IS(prefetch(f, W2 + 2, 3, "default")->nclaimed, 3);
	IS(died(f, W2 + 2, RV_DIED_CRASH, fence, "killed by signal 11"), 3);
	for (int i = 0; i < 3; i++)
		IS(see(f, ids[i])->crashes, i == 1);
}

CONTRACT(workers, a_prefetched_job_that_crashes_too_often_is_dead)
{
	int64_t id = add_task(f, "frail");

	IS(prefetch(f, W1, 3, "default")->nclaimed, 1);
	IS(died(f, W1, RV_DIED_CRASH, f->req.u.turn.claimed[0].fence, "killed by signal 11"), 1);
	STATE(id, "dead");
	IS(see(f, id)->runs, 1);
}

CONTRACT(workers, a_cancelled_job_does_not_survive_its_worker)
{
	static const int how[] = {RV_DIED_CLEAN, RV_DIED_CRASH, RV_DIED_HUNG, RV_DIED_LOST};

	for (size_t i = 0; i < RV_ARRAY_LEN(how); i++) {
		int64_t id = add_task(f, "t");
		int64_t ahead = add_task(f, "t");
		uint64_t who = W2 + 1 + i;

		ERR(join(f, who, 3), RV_OK);
		(void)claim(f, who, id);
		IS(prefetch(f, who, 1, "default")->nclaimed, 1);
		ERR(cancel(f, id), RV_OK);
		ERR(cancel(f, ahead), RV_OK);
		IS(died(f, who, how[i], 0, "gone"), 2);
		STATE(id, "cancelled");
		STATE(ahead, "cancelled");
	}
}

CONTRACT(workers, many_die_at_once)
{
	struct rv_req_expire *e = &f->req.u.expire;
	int64_t ids[3];

	for (int i = 0; i < 3; i++) {
		ids[i] = add_task(f, "t");
		ERR(join(f, W2 + 1 + (uint64_t)i, 3 + i), RV_OK);
		(void)claim(f, W2 + 1 + (uint64_t)i, ids[i]);
	}
	memset(e, 0, sizeof *e);
	e->count = 2;
	e->who[0] =
		(struct rv_expire_one){.incarnation = W2 + 1, .died = RV_DIED_CRASH, .words = "a"};
	e->who[1] =
		(struct rv_expire_one){.incarnation = W2 + 3, .died = RV_DIED_LOST, .words = "b"};
	ERR(ask_kind(f, RV_REQ_EXPIRE), RV_OK);
	IS(e->who[0].released, 1);
	IS(e->who[1].released, 1);
	STATE(ids[0], "ready");
	STATE(ids[1], "running");
	STATE(ids[2], "ready");
	memset(e, 0, sizeof *e);
	e->count = RV_EXPIRE_MAX + 1;
	ERR(ask_kind(f, RV_REQ_EXPIRE), RV_E_USAGE);
}

CONTRACT(workers, beats_and_overdue)
{
	struct rv_req_beats *b = &f->req.u.beats;
	struct rv_req_expire *e = &f->req.u.expire;
	int64_t a = add_task(f, "t");
	int64_t c = add_task(f, "t");

	(void)claim(f, W1, a);
	(void)claim(f, W2, c);
	memset(b, 0, sizeof *b);
	b->deadline_us = S(2000);
	b->count = 2;
	b->incarnations[0] = W2;
	b->incarnations[1] = W2 + 90; /* nobody */
	ERR(ask_kind(f, RV_REQ_BEATS), RV_OK);
	IS(look(f, W1).view.beat_deadline_us, S(1000));
	IS(look(f, W2).view.beat_deadline_us, S(2000));
	memset(e, 0, sizeof *e);
	e->overdue_us = S(1000);
	ERR(ask_kind(f, RV_REQ_EXPIRE), RV_OK);
	STATE(a, "running"); /* a deadline is reached when it is past */
	memset(e, 0, sizeof *e);
	e->overdue_us = S(1500);
	ERR(ask_kind(f, RV_REQ_EXPIRE), RV_OK);
	STATE(a, "ready");
	IS(see(f, a)->crashes, 0);
	STATE(c, "running");
	IS(look(f, W1).view.live, false);
	memset(b, 0, sizeof *b);
	b->deadline_us = S(3000);
	b->count = 1;
	b->incarnations[0] = W1;
	ERR(ask_kind(f, RV_REQ_BEATS), RV_OK);
	IS(look(f, W1).view.live, false); /* a beat does not wake the dead */
	b->count = 257;
	ERR(ask_kind(f, RV_REQ_BEATS), RV_E_USAGE);
}

CONTRACT(workers, all_of_another_daemon_start)
{
	struct rv_req_expire *e = &f->req.u.expire;
	uint64_t stranger = 0x0000000900000001ULL;
	int64_t a = add_task(f, "t");
	int64_t c = add_task(f, "t");

	ERR(join(f, stranger, 1), RV_OK);
	(void)claim(f, W1, a);
	(void)claim(f, stranger, c);
	memset(e, 0, sizeof *e);
	e->all_below = W_BASE + 9;
	ERR(ask_kind(f, RV_REQ_EXPIRE), RV_OK);
	STATE(a, "running");
	STATE(c, "ready");
	IS(see(f, c)->crashes, 0);
}

static int64_t raise_as(struct fixture *f, const char *boot, uint64_t base, int64_t pid,
			int64_t ticks, uint64_t area)
{
	f->req.u.raise = (struct rv_req_raise){
		.pid = pid, .start_ticks = ticks, .incarnation_base = base, .area = area};
	(void)snprintf(f->req.u.raise.boot_id, sizeof f->req.u.raise.boot_id, "%s", boot);
	(void)snprintf(f->req.u.raise.runtime_dir, sizeof f->req.u.raise.runtime_dir, "/run/other");
	ERR(ask_kind(f, RV_REQ_RAISE), RV_OK);
	return f->req.u.raise.epoch;
}

CONTRACT(workers, raise_tells_where_the_daemon_is)
{
	struct rv_instance at;

	ERR(rv_store_instance(f->store, &at), RV_OK);
	IS(at.pid, getpid());
	TEXT(at.boot_id, "boot-a");
	TEXT(at.runtime_dir, "/run/reeve");
	int64_t epoch = at.epoch;
	IS(raise_as(f, "boot-a", 0x800000000ULL, 77, 5, 2),
	   epoch); /* the same boot: the same epoch */
	ERR(rv_store_instance(f->store, &at), RV_OK);
	IS(at.pid, 77);
	IS(at.start_ticks, 5);
	TEXT(at.runtime_dir, "/run/other");
	IS(at.epoch, epoch);
}

CONTRACT(workers, another_boot_raises_the_epoch_and_ends_all_lives)
{
	int64_t id = add_task(f, "frail");
	int64_t wanted = add_task(f, "t");
	int64_t old = claim(f, W1, id);
	int64_t epoch = old >> 40;

	(void)claim(f, W1, wanted);
	ERR(cancel(f, wanted), RV_OK);
	IS(raise_as(f, "boot-b", 0x800000000ULL, 77, 5, 2), epoch + 1);
	STATE(id, "ready");
	IS(see(f, id)->crashes, 0);
	STATE(wanted, "cancelled");
	IS(look(f, W1).live, 0);
	f->req.u.join = (struct rv_req_join){
		.incarnation = 0x800000001ULL, .slot = 1, .pool = "default", .boot_id = "boot-b"};
	ERR(ask_kind(f, RV_REQ_JOIN), RV_OK);
	int64_t fence = claim(f, 0x800000001ULL, id);
	IS(fence >> 40, epoch + 1);
	cr_assert(gt(i64, fence, old));
	ERR(ack(f, 0x800000001ULL, id, old, RV_OUTCOME_SUCCEEDED), RV_E_STALE);
	ERR(ack(f, 0x800000001ULL, id, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
}

CONTRACT(workers, a_new_daemon_of_the_same_boot_ends_only_the_dead)
{
	uint64_t living = 0x0000000900000001ULL;
	int64_t a = add_task(f, "frail");
	int64_t c = add_task(f, "frail");
	struct rv_procstat me;

	ERR(rv_procstat(0, &me), RV_OK);
	f->req.u.join = (struct rv_req_join){.incarnation = living,
					     .pid = getpid(),
					     .slot = 3,
					     .start_ticks = (int64_t)me.start_ticks,
					     .pool = "default",
					     .boot_id = "boot-a",
					     .beat_deadline_us = S(1000)};
	ERR(ask_kind(f, RV_REQ_JOIN), RV_OK);
	(void)claim(f, W1, a);
	(void)claim(f, living, c);
	(void)raise_as(f, "boot-a", 0x800000000ULL, 77, 5, 2);
	STATE(a, "ready"); /* its process is gone */
	IS(see(f, a)->crashes, 0);
	STATE(c, "running"); /* this one still runs, until it is told of */
	IS(died(f, living, RV_DIED_LOST, 0, "swept"), 1);
	STATE(c, "ready");
}

struct kicked {
	int n, slot;
	int64_t job, fence;
};

static int note_kick(void *ctx, int64_t job, int64_t fence, int slot)
{
	struct kicked *to = ctx;

	*to = (struct kicked){.n = to->n + 1, .slot = slot, .job = job, .fence = fence};
	return RV_OK;
}

CONTRACT(workers, cancels_are_listed_for_a_new_keeper)
{
	int64_t id = add_task(f, "t");
	int64_t fence = claim(f, W2, id);
	struct kicked seen = {0};

	ERR(rv_store_cancels(f->store, note_kick, &seen), RV_OK);
	IS(seen.n, 0);
	ERR(cancel(f, id), RV_OK);
	ERR(rv_store_cancels(f->store, note_kick, &seen), RV_OK);
	IS(seen.n, 1);
	IS(seen.job, id);
	IS(seen.fence, fence);
	IS(seen.slot, 2);
}
