/*
 * The leader's side of the writer, in one process over the memory backend: what it does with what
 * stands in the slots, take-over, commits that fail.  Several processes: tests/race.
 */
#include "writer_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(writer, .init = writer_setup, .fini = writer_teardown);

Test(writer, alone_leaves_no_round)
{
	struct rv_req *req = claim(WE, 2);
	uint64_t tick = atomic_load(&fx.area.head->tick);
	uint64_t n = 99;

	cr_assert(eq(int, lead(req), RV_OK));
	cr_assert(eq(int, req->err, RV_OK));
	cr_assert(eq(u32, req->u.turn.nclaimed, 2));
	cr_assert(eq(i64, running(), 2));
	cr_assert(lt(u64, tick, atomic_load(&fx.area.head->tick)));
	cr_assert(eq(u64, atomic_load(&fx.area.head->round), 0));
	assert_at_rest();
	cr_assert(eq(int, rv_store_begin(fx.store, RV_DURABILITY_NORMAL, 0, NULL), RV_OK));
	cr_assert(eq(int, rv_store_round_get(fx.store, fx.area_id, &n), RV_OK));
	rv_store_rollback(fx.store);
	cr_assert(eq(u64, n, 0));
	free(req);
}

Test(writer, error_of_a_request_is_its_own)
{
	struct rv_req *bad = request(RV_REQ_CANCEL);

	bad->u.cancel.job = 987654;
	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, lead(bad), RV_OK));
	cr_assert(eq(int, bad->err, RV_E_NOTFOUND));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
	cr_assert(eq(int, in_slot(OTHER)->err, RV_OK));
	cr_assert(eq(u32, in_slot(OTHER)->u.turn.nclaimed, 1));
	free(bad);
}

Test(writer, leader_answers_what_is_posted)
{
	struct rv_req *req = claim(WE, 1);
	uint64_t n = 0;

	post(OTHER, claim(THEY, 3));
	cr_assert(eq(int, lead(req), RV_OK));
	cr_assert(eq(u32, req->u.turn.nclaimed, 1));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
	cr_assert(eq(int, atomic_load(&fx.area.slots[OTHER].result), RV_OK));
	cr_assert(eq(u64, atomic_load(&fx.area.slots[OTHER].stamp), 1));
	cr_assert(eq(u32, atomic_load(&fx.area.slots[OTHER].tries), 0));
	cr_assert(eq(u32, in_slot(OTHER)->u.turn.nclaimed, 3));
	cr_assert(not(marked(OTHER)));
	cr_assert(eq(i64, running(), 4));
	assert_at_rest();
	cr_assert(eq(int, rv_store_begin(fx.store, RV_DURABILITY_NORMAL, 0, NULL), RV_OK));
	cr_assert(eq(int, rv_store_round_get(fx.store, fx.area_id, &n), RV_OK));
	rv_store_rollback(fx.store);
	cr_assert(eq(u64, n, 1));
	free(req);
}

Test(writer, large_request_is_led_by_its_own)
{
	struct rv_req *req = enqueue(3);

	ids[0] = 0;
	cr_assert(eq(int, lead(req), RV_OK));
	cr_assert(eq(int, req->err, RV_OK));
	cr_assert(lt(i64, 0, ids[0]));
	cr_assert(lt(int, 0, seen.rings));
	cr_assert(eq(int, (int)seen.ring.kind, RV_RING_QUEUE));
	cr_assert(strcmp(seen.ring.name, "q") == 0);
	free(req);
}

/* A slot in shared memory may hold anything: it is refused, and nobody else is hurt. */
Test(writer, hostile_slots_are_refused)
{
	struct rv_req *req = claim(THEY, 1);

	req->u.turn.nacks = 1000000000;
	post(3, req);
	req = enqueue(1);
	post(4, req);
	req = request(12345);
	post(5, req);
	post_as(6, in_slot(5), RV_SLOT_STATE_MASK);    /* no such state */
	atomic_store(&fx.area.head->posted[1], ~0ULL); /* slots that do not exist */
	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(int, atomic_load(&fx.area.slots[3].result), RV_E_TOOBIG));
	cr_assert(eq(int, atomic_load(&fx.area.slots[4].result), RV_E_USAGE));
	cr_assert(eq(int, atomic_load(&fx.area.slots[5].result), RV_E_USAGE));
	cr_assert(eq(u32, state_of(6), RV_SLOT_STATE_MASK));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
	cr_assert(eq(i64, running(), 1));
	assert_at_rest();
}

Test(writer, stale_marks_are_cleaned)
{
	atomic_store(&fx.area.head->posted[0], 1ULL << 7);
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(not(marked(7)));
	post_as(8, in_slot(8), RV_SLOT_CALLING);
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(marked(8), "who wants the mutex keeps its mark");
	cr_assert(eq(u32, state_of(8), RV_SLOT_CALLING));
	cr_assert(lt(u32, RV_SLOT_WAKE_ONE - 1, atomic_load(&fx.area.slots[8].state)),
		  "and was woken to lead next");
}

Test(writer, take_over_of_a_committed_round_flips)
{
	left_open(7);
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
	cr_assert(eq(i64, in_slot(OTHER)->u.turn.claimed[0].job, 4242));
	cr_assert(eq(i64, running(), 0), "it was not executed again");
	cr_assert(eq(u64, atomic_load(&fx.area.head->round), 7));
	assert_at_rest();
}

Test(writer, take_over_of_an_uncommitted_round_executes)
{
	left_open(6);
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
	cr_assert(eq(i64, running(), 1));
	cr_assert(ne(i64, in_slot(OTHER)->u.turn.claimed[0].job, 4242));
	cr_assert(eq(u64, atomic_load(&fx.area.slots[OTHER].stamp), 8));
	assert_at_rest();
}

/* Taken, not executed yet, in a round that happened to be the store's: the stamp decides. */
Test(writer, take_over_without_a_stamp_executes)
{
	left_open(7);
	atomic_store(&fx.area.slots[OTHER].stamp, 0);
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(i64, running(), 1));
}

Test(writer, take_over_does_not_touch_who_was_flipped)
{
	left_open(7);
	/* Its owner got the answer and has posted again. */
	atomic_store(&fx.area.slots[OTHER].stamp, 0);
	atomic_store(&fx.area.slots[OTHER].state, RV_SLOT_POSTED);
	atomic_store(&fx.area.head->posted[OTHER / 64], 1ULL << OTHER % 64);
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(i64, running(), 1));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
}

Test(writer, killer_of_leaders_is_given_up)
{
	atomic_store(&fx.area.slots[OTHER].tries, 2);
	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
	cr_assert(eq(int, atomic_load(&fx.area.slots[OTHER].result), RV_E_INTERNAL));
	cr_assert(eq(i64, running(), 0));
	atomic_store(&fx.area.slots[OTHER].tries, 1);
	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(int, atomic_load(&fx.area.slots[OTHER].result), RV_OK));
	cr_assert(eq(i64, running(), 1));
}

Test(writer, newcomer_clears_the_slot)
{
	struct rv_writer_open theirs = how(OTHER, THEY + 1);
	struct rv_writer *newcomer = NULL;

	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, rv_writer_open(&theirs, &newcomer, NULL), RV_OK));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_EMPTY));
	cr_assert(eq(u64, atomic_load(&fx.area.slots[OTHER].owner), THEY + 1));
	cr_assert(not(marked(OTHER)));
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(i64, running(), 0), "what the dead one posted is nobody's");
	assert_at_rest();
	rv_writer_close(newcomer);
	rv_writer_close(NULL);
}

Test(writer, newcomer_leaves_an_open_round_to_the_next)
{
	struct rv_writer_open theirs = how(3, THEY + 1);
	struct rv_writer *newcomer = NULL;

	left_open(7);
	cr_assert(eq(int, rv_writer_open(&theirs, &newcomer, NULL), RV_OK));
	cr_assert(eq(u64, atomic_load(&fx.area.head->open), 7));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_TAKEN));
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
	rv_writer_close(newcomer);
}

/* Several of our own, and what others have posted, are one transaction; each has its own outcome.
 */
Test(writer, many_of_our_own_are_one_round)
{
	struct rv_req *reqs[3] = {claim(WE, 1), request(RV_REQ_CANCEL), claim(WE, 2)};
	uint64_t n = 0;

	reqs[1]->u.cancel.job = 987654;
	post(OTHER, claim(THEY, 3));
	cr_assert(eq(int, rv_writer_do_all(fx.writer, reqs, 3, RV_DURABILITY_FULL, SECOND), RV_OK));
	cr_assert(eq(u32, reqs[0]->u.turn.nclaimed, 1));
	cr_assert(eq(int, reqs[1]->err, RV_E_NOTFOUND));
	cr_assert(eq(u32, reqs[2]->u.turn.nclaimed, 2));
	cr_assert(eq(u32, in_slot(OTHER)->u.turn.nclaimed, 3));
	cr_assert(eq(i64, running(), 6));
	assert_at_rest();
	cr_assert(eq(int, rv_store_begin(fx.store, RV_DURABILITY_NORMAL, 0, NULL), RV_OK));
	cr_assert(eq(int, rv_store_round_get(fx.store, fx.area_id, &n), RV_OK));
	rv_store_rollback(fx.store);
	cr_assert(eq(u64, n, 1));
	for (size_t i = 0; i < 3; i++)
		free(reqs[i]);
}

/* A COMMIT that does not commit, and says ${commit_err} once. */
static int commit_err;
static struct rv_store_ops bent;
static const struct rv_store_ops *straight;

static int bad_commit(struct rv_store *which, struct rv_why *why)
{
	which->ops = straight;
	straight->rollback(which);
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_TAKEN), "nobody is told before the commit");
	return rv_fail(why, commit_err, "the disk says no");
}

static void bend_commit(int err)
{
	commit_err = err;
	straight = fx.store->ops;
	bent = *straight;
	bent.commit = bad_commit;
	fx.store->ops = &bent;
}

/* The dead leader's commit lands while we wait for the write lock: who looked before saw nothing.
 */
static int late_begin(struct rv_store *which, enum rv_durability durability, int64_t timeout_us,
		      struct rv_why *why)
{
	if (timeout_us == 0)
		return RV_E_BUSY;
	which->ops = straight;
	cr_assert(eq(int, straight->begin(which, durability, 0, why), RV_OK));
	cr_assert(eq(int, straight->round_set(which, fx.area_id, 7), RV_OK));
	cr_assert(eq(int, straight->commit(which, why), RV_OK));
	return straight->begin(which, durability, timeout_us, why);
}

Test(writer, round_is_read_inside_the_transaction)
{
	left_open(6);
	straight = fx.store->ops;
	bent = *straight;
	bent.begin = late_begin;
	fx.store->ops = &bent;
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
	cr_assert(eq(i64, in_slot(OTHER)->u.turn.claimed[0].job, 4242));
	cr_assert(eq(i64, running(), 0), "it was not executed again");
}

/* What begin was asked for; while it waits for the write lock, OTHER posts. */
static enum rv_durability begun;
static uint32_t late_full;

static int posting_begin(struct rv_store *which, enum rv_durability durability, int64_t timeout_us,
			 struct rv_why *why)
{
	begun = durability;
	if (late_full) {
		atomic_store(&fx.area.slots[OTHER].full, 1);
		post(OTHER, claim(THEY, 1));
		late_full = 0;
	}
	return straight->begin(which, durability, timeout_us, why);
}

static void watch_begin(void)
{
	straight = fx.store->ops;
	bent = *straight;
	bent.begin = posting_begin;
	fx.store->ops = &bent;
}

Test(writer, one_full_request_makes_the_round_full)
{
	watch_begin();
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(int, (int)begun, RV_DURABILITY_NORMAL));
	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(int, (int)begun, RV_DURABILITY_NORMAL));
	atomic_store(&fx.area.slots[OTHER].full, 1);
	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(int, (int)begun, RV_DURABILITY_FULL));
	cr_assert(eq(i64, running(), 2));
}

Test(writer, normal_round_leaves_full_to_the_next)
{
	watch_begin();
	late_full = 1;
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(int, (int)begun, RV_DURABILITY_NORMAL));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_POSTED));
	cr_assert(eq(i64, running(), 0));
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(int, (int)begun, RV_DURABILITY_FULL));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
	cr_assert(eq(i64, running(), 1));
}

/* A commit of which nobody knows whether it is there: the area is failed, and all hear it. */
Test(writer, unknown_commit_fails_the_area)
{
	struct rv_req *req = claim(WE, 1);

	bend_commit(RV_E_UNKNOWN);
	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, lead(req), RV_E_UNKNOWN));
	cr_assert(eq(u32, atomic_load(&fx.area.head->failed), 1));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_ANSWERED));
	cr_assert(eq(int, atomic_load(&fx.area.slots[OTHER].result), RV_E_UNKNOWN));
	cr_assert(eq(int, lead(req), RV_E_FAILED));
	free(req);
}

/* Definite: nothing was done, and all may try again. */
Test(writer, full_disk_is_everybodys)
{
	struct rv_req *req = claim(WE, 1);

	bend_commit(RV_E_NOSPACE);
	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, lead(req), RV_E_NOSPACE));
	cr_assert(eq(int, req->err, RV_E_NOSPACE));
	cr_assert(strcmp(req->why.text, "the disk says no") == 0);
	cr_assert(eq(u32, atomic_load(&fx.area.head->failed), 0));
	cr_assert(eq(int, atomic_load(&fx.area.slots[OTHER].result), RV_E_NOSPACE));
	cr_assert(eq(i64, running(), 0));
	assert_at_rest();
	cr_assert(eq(int, lead(req), RV_OK));
	cr_assert(eq(i64, running(), 1));
	free(req);
}

Test(writer, full_disk_is_of_all_our_own)
{
	struct rv_req *reqs[2] = {claim(WE, 1), claim(WE, 1)};

	bend_commit(RV_E_NOSPACE);
	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, rv_writer_do_all(fx.writer, reqs, 2, RV_DURABILITY_FULL, SECOND),
		     RV_E_NOSPACE));
	for (size_t i = 0; i < 2; i++) {
		cr_assert(eq(int, reqs[i]->err, RV_E_NOSPACE));
		cr_assert(strcmp(reqs[i]->why.text, "the disk says no") == 0);
		free(reqs[i]);
	}
	cr_assert(eq(i64, running(), 0));
	assert_at_rest();
}

/* An error before anything was taken is the leader's own; the others are left as they are. */
Test(writer, busy_store_is_the_leaders_own)
{
	struct rv_req *req = claim(WE, 1);

	setenv("RV_FAULT", "round_begun:busy", 1);
	post(OTHER, claim(THEY, 1));
	cr_assert(eq(int, lead(req), RV_E_BUSY));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_POSTED));
	cr_assert(marked(OTHER));
	assert_at_rest();
	free(req);
}
