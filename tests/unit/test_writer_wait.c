/*
 * The poster's side of the writer: how it waits, when it gives up, what it reports, and what it
 * finds when it becomes the leader itself.  Its beats play the leader that it waits for.
 */
#include "writer_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

TestSuite(writer_wait, .init = writer_setup, .fini = writer_teardown);

/* Beats as another process: what a leader somewhere else would do while we wait. */
static void be_leader(int result)
{
	struct rv_area_slot *slot = &fx.area.slots[OURS];

	if (state_of(OURS) != RV_SLOT_POSTED)
		return;
	struct rv_req *mine = in_slot(OURS);
	struct rv_req *copy = request(RV_REQ_NONE);

	cr_assert(eq(int, rv_req_copy(copy, mine, RV_REQ_INPUT), RV_OK));
	if (result == RV_OK)
		must_do(copy);
	cr_assert(eq(int, rv_req_copy(mine, copy, RV_REQ_ANSWER), RV_OK));
	free(copy);
	atomic_store(&slot->result, result);
	atomic_store(&slot->state, RV_SLOT_ANSWERED);
}

static void beat_answers(void)
{
	be_leader(RV_OK);
}

static void beat_refuses(void)
{
	be_leader(RV_E_NOSPACE);
}

static void beat_garbles(void)
{
	be_leader(17);
}

Test(writer_wait, follower_gets_its_answer)
{
	struct rv_req *req = claim(WE, 2);

	seen.on_beat = beat_answers;
	hold();
	cr_assert(eq(int, lead(req), RV_OK));
	release();
	cr_assert(eq(int, req->err, RV_OK));
	cr_assert(eq(u32, req->u.turn.nclaimed, 2));
	cr_assert(eq(i64, running(), 2));
	cr_assert(eq(u32, state_of(OURS), RV_SLOT_EMPTY));
	free(req);
}

Test(writer_wait, follower_gets_the_transactions_error)
{
	struct rv_req *req = claim(WE, 2);

	seen.on_beat = beat_refuses;
	hold();
	cr_assert(eq(int, lead(req), RV_E_NOSPACE));
	cr_assert(eq(int, req->err, RV_E_NOSPACE));
	seen.on_beat = beat_garbles;
	cr_assert(eq(int, lead(req), RV_E_FAILED), "no leader writes such a result");
	release();
	free(req);
}

static void beat_passes_time(void)
{
	fx.clock_us += 100 * RV_MS_US;
}

Test(writer_wait, busy_withdraws)
{
	struct rv_req *req = claim(WE, 1);

	seen.on_beat = beat_passes_time;
	hold();
	cr_assert(eq(int, rv_writer_do(fx.writer, req, RV_DURABILITY_FULL, 250 * RV_MS_US),
		     RV_E_BUSY));
	cr_assert(eq(int, req->err, RV_E_BUSY));
	cr_assert(eq(u32, state_of(OURS), RV_SLOT_EMPTY));
	cr_assert(not(marked(OURS)));
	release();
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(i64, running(), 0), "what was withdrawn is not executed");
	free(req);
}

/* Several at once do not travel: they wait for the mutex, and are all told when it was not had. */
Test(writer_wait, many_are_busy_together)
{
	struct rv_req *reqs[2] = {claim(WE, 1), claim(WE, 1)};

	seen.on_beat = beat_passes_time;
	hold();
	cr_assert(eq(int, rv_writer_do_all(fx.writer, reqs, 2, RV_DURABILITY_FULL, 250 * RV_MS_US),
		     RV_E_BUSY));
	cr_assert(eq(int, reqs[0]->err, RV_E_BUSY));
	cr_assert(eq(int, reqs[1]->err, RV_E_BUSY));
	cr_assert(eq(u32, state_of(OURS), RV_SLOT_EMPTY));
	release();
	cr_assert(eq(int, lead_idle(), RV_OK));
	cr_assert(eq(i64, running(), 0));
	free(reqs[0]);
	free(reqs[1]);
}

/* Taken at the deadline: the answer may be a success, so BUSY would be a lie. */
static void beat_takes_then_answers(void)
{
	fx.clock_us += 100 * RV_MS_US;
	if (seen.beats == 1)
		atomic_store(&fx.area.slots[OURS].state, RV_SLOT_TAKEN);
	if (seen.beats < 6)
		return;
	atomic_store(&fx.area.slots[OURS].state, RV_SLOT_POSTED);
	be_leader(RV_OK);
}

Test(writer_wait, deadline_does_not_end_what_is_taken)
{
	struct rv_req *req = claim(WE, 1);

	seen.on_beat = beat_takes_then_answers;
	hold();
	cr_assert(eq(int, rv_writer_do(fx.writer, req, RV_DURABILITY_FULL, 250 * RV_MS_US), RV_OK));
	release();
	cr_assert(eq(u32, req->u.turn.nclaimed, 1));
	cr_assert(eq(int, seen.beats, 6));
	free(req);
}

static void beat_releases(void)
{
	if (seen.beats == 3)
		release();
}

Test(writer_wait, follower_leads_when_the_mutex_is_free)
{
	struct rv_req *req = claim(WE, 1);

	seen.on_beat = beat_releases;
	hold();
	cr_assert(eq(int, lead(req), RV_OK));
	cr_assert(eq(u32, req->u.turn.nclaimed, 1));
	cr_assert(eq(i64, running(), 1));
	cr_assert(eq(u32, state_of(OURS), RV_SLOT_EMPTY));
	assert_at_rest();
	free(req);
}

Test(writer_wait, large_request_waits_for_the_mutex)
{
	struct rv_req *req = enqueue(1);

	seen.on_beat = beat_releases;
	hold();
	cr_assert(eq(int, lead(req), RV_OK));
	cr_assert(eq(u32, state_of(OURS), RV_SLOT_EMPTY));
	cr_assert(not(marked(OURS)));
	assert_at_rest();
	free(req);
}

/* A dead leader had taken ours, and it is in the store: we lead, and find our own answer. */
static void beat_dies_committed(void)
{
	if (state_of(OURS) != RV_SLOT_POSTED)
		return;
	be_leader(RV_OK);
	atomic_store(&fx.area.slots[OURS].state, RV_SLOT_TAKEN);
	atomic_store(&fx.area.slots[OURS].stamp, 7);
	atomic_store(&fx.area.head->round, 7);
	atomic_store(&fx.area.head->open, 7);
	cr_assert(eq(int, rv_store_begin(fx.store, RV_DURABILITY_NORMAL, 0, NULL), RV_OK));
	cr_assert(eq(int, rv_store_round_set(fx.store, fx.area_id, 7), RV_OK));
	cr_assert(eq(int, rv_store_commit(fx.store, NULL), RV_OK));
	release();
}

Test(writer_wait, follower_takes_its_own_answer_over)
{
	struct rv_req *req = claim(WE, 2);

	seen.on_beat = beat_dies_committed;
	hold();
	cr_assert(eq(int, lead(req), RV_OK));
	cr_assert(eq(u32, req->u.turn.nclaimed, 2));
	cr_assert(eq(i64, running(), 2), "once");
	cr_assert(eq(u32, state_of(OURS), RV_SLOT_EMPTY));
	assert_at_rest();
	free(req);
}

Test(writer_wait, still_tick_is_stuck)
{
	struct rv_req *req = claim(WE, 1);

	seen.on_beat = beat_passes_time;
	hold();
	atomic_store(&fx.area.head->leader, OTHER + 1);
	atomic_store(&fx.area.head->phase, RV_PHASE_COMMIT);
	cr_assert(eq(int, rv_writer_do(fx.writer, req, RV_DURABILITY_FULL, 1150 * RV_MS_US),
		     RV_E_BUSY));
	release();
	cr_assert(eq(int, seen.stucks, 1));
	cr_assert(eq(u32, seen.stuck_slot, OTHER));
	free(req);
}

static void beat_ticks(void)
{
	fx.clock_us += 100 * RV_MS_US;
	if (seen.beats % 9 == 0)
		atomic_fetch_add(&fx.area.head->tick, 1);
}

Test(writer_wait, moving_tick_is_not_stuck)
{
	struct rv_req *req = claim(WE, 1);

	seen.on_beat = beat_ticks;
	hold();
	atomic_store(&fx.area.head->leader, OTHER + 1);
	atomic_store(&fx.area.head->phase, RV_PHASE_ACQUIRE);
	cr_assert(eq(int, rv_writer_do(fx.writer, req, RV_DURABILITY_FULL, 5 * SECOND), RV_E_BUSY));
	release();
	cr_assert(eq(int, seen.stucks, 0));
	free(req);
}

Test(writer_wait, leader_out_of_bounds_is_nobody)
{
	struct rv_req *req = claim(WE, 1);

	seen.on_beat = beat_passes_time;
	hold();
	atomic_store(&fx.area.head->leader, 4000000000u);
	cr_assert(eq(int, rv_writer_do(fx.writer, req, RV_DURABILITY_FULL, 3 * SECOND), RV_E_BUSY));
	release();
	cr_assert(eq(int, seen.stucks, 0));
	free(req);
}

static void beat_evicts(void)
{
	atomic_store(&fx.area.slots[OURS].owner, THEY);
}

Test(writer_wait, slot_given_to_another_is_stale)
{
	struct rv_req *req = claim(WE, 1);

	seen.on_beat = beat_evicts;
	hold();
	cr_assert(eq(int, lead(req), RV_E_STALE));
	release();
	cr_assert(eq(int, lead(req), RV_E_STALE));
	cr_assert(eq(i64, running(), 0));
	free(req);
}

Test(writer_wait, failed_area_is_left)
{
	struct rv_writer_open theirs = how(OTHER, THEY + 1);
	struct rv_writer *newcomer = NULL;
	struct rv_req *req = claim(WE, 1);
	struct rv_why why = {""};

	left_open(6);
	atomic_store(&fx.area.head->failed, 1);
	cr_assert(eq(int, lead(req), RV_E_FAILED));
	cr_assert(eq(int, rv_writer_open(&theirs, &newcomer, &why), RV_E_FAILED));
	cr_assert(why.text[0] != 0);
	cr_assert(eq(u64, atomic_load(&fx.area.head->open), 7), "nobody takes it over");
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_TAKEN));
	cr_assert(eq(i64, running(), 0));
	free(req);
}

/* At saturation the mutex is never free for one who only tries: a newcomer must not need it. */
Test(writer_wait, newcomer_does_not_wait_for_the_leader)
{
	struct rv_writer_open theirs = how(OTHER, THEY + 1);
	struct rv_writer *newcomer = NULL;

	post(OTHER, claim(THEY, 1));
	hold();
	cr_assert(eq(int, rv_writer_open(&theirs, &newcomer, NULL), RV_OK));
	cr_assert(eq(int, seen.beats, 0), "it did not wait");
	release();
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_EMPTY));
	cr_assert(eq(u64, atomic_load(&fx.area.slots[OTHER].owner), THEY + 1));
	rv_writer_close(newcomer);
}

static void beat_answers_the_dead(void)
{
	atomic_store(&fx.area.slots[OTHER].state, RV_SLOT_ANSWERED);
}

/* Its predecessor's request is being executed: the leader writes to the slot until it answers. */
Test(writer_wait, newcomer_waits_while_its_slot_is_taken)
{
	struct rv_writer_open theirs = how(OTHER, THEY + 1);
	struct rv_writer *newcomer = NULL;

	atomic_store(&fx.area.slots[OTHER].state, RV_SLOT_TAKEN);
	seen.on_beat = beat_answers_the_dead;
	hold();
	cr_assert(eq(int, rv_writer_open(&theirs, &newcomer, NULL), RV_OK));
	release();
	cr_assert(eq(int, seen.beats, 1));
	cr_assert(eq(u32, state_of(OTHER), RV_SLOT_EMPTY));
	rv_writer_close(newcomer);
}

Test(writer_wait, slots_are_bounded)
{
	struct rv_writer_open theirs = how(SLOTS, THEY);
	struct rv_writer *newcomer = NULL;

	cr_assert(eq(int, rv_writer_open(&theirs, &newcomer, NULL), RV_E_FAILED));
	fx.area.head->nslots = 4000000000u;
	theirs.slot = 1;
	cr_assert(eq(int, rv_writer_open(&theirs, &newcomer, NULL), RV_E_FAILED));
	fx.area.head->nslots = RV_AREA_SLOTS_MAX; /* more than the mapping has */
	cr_assert(eq(int, rv_writer_open(&theirs, &newcomer, NULL), RV_E_FAILED));
	cr_assert(newcomer == NULL);
}

Test(writer_wait, busy_hook_ticks_only_for_a_leader)
{
	uint64_t tick = atomic_load(&fx.area.head->tick);
	struct rv_writer *none = NULL;

	cr_assert(not(rv_writer_busy(&none)));
	cr_assert(not(rv_writer_busy(&fx.writer)));
	cr_assert(eq(int, seen.beats, 1));
	cr_assert(eq(u64, atomic_load(&fx.area.head->tick), tick));
}

/* Ours was taken by a dead leader, and we cannot begin: done or not?  Only a transaction knows. */
static void beat_dies_taken(void)
{
	if (state_of(OURS) != RV_SLOT_POSTED)
		return;
	atomic_store(&fx.area.slots[OURS].state, RV_SLOT_TAKEN);
	atomic_store(&fx.area.head->round, 7);
	atomic_store(&fx.area.head->open, 7);
	fx.clock_us += 10 * SECOND;
	release();
}

Test(writer_wait, busy_is_not_said_of_what_a_dead_leader_took)
{
	struct rv_req *req = claim(WE, 1);

	setenv("RV_FAULT", "round_begin:busy", 1);
	seen.on_beat = beat_dies_taken;
	hold();
	cr_assert(eq(int, lead(req), RV_OK), "it went on past its deadline");
	cr_assert(eq(u32, req->u.turn.nclaimed, 1));
	cr_assert(eq(i64, running(), 1));
	free(req);
}

Test(writer_wait, unknown_is_said_of_what_a_dead_leader_took)
{
	struct rv_req *req = claim(WE, 1);

	setenv("RV_FAULT", "round_begin:eio", 1);
	seen.on_beat = beat_dies_taken;
	hold();
	cr_assert(eq(int, lead(req), RV_E_UNKNOWN));
	free(req);
}
