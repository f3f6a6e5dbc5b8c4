/* The fixture of the writer's tests: see writer_fixture.h. */
#include "writer_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct writer_fixture fx = {.area_fd = -1, .clock_us = 5 * SECOND};
struct writer_seen seen;
int64_t ids[8];

static struct rv_seam frozen;

static int64_t frozen_mono(void *ctx)
{
	(void)ctx;
	return fx.clock_us;
}

static void on_beat(void *ctx)
{
	(void)ctx;
	seen.beats++;
	if (seen.on_beat)
		seen.on_beat();
}

static void on_stuck(void *ctx, unsigned slot)
{
	(void)ctx;
	seen.stucks++;
	seen.stuck_slot = slot;
}

static void on_ring(void *ctx, const struct rv_ring *ring)
{
	(void)ctx;
	/* The next leader must not wait for our rings. */
	cr_assert(eq(int, pthread_mutex_trylock(&fx.area.head->mutex), 0));
	pthread_mutex_unlock(&fx.area.head->mutex);
	seen.rings++;
	seen.ring = *ring;
}

struct rv_writer_open how(unsigned slot, uint64_t incarnation)
{
	return (struct rv_writer_open){.store = fx.store,
				       .area = &fx.area,
				       .slot = slot,
				       .incarnation = incarnation,
				       .beat = on_beat,
				       .stuck = on_stuck,
				       .ring = on_ring};
}

struct rv_req *request(int kind)
{
	struct rv_req *req = calloc(1, sizeof *req);

	cr_assert(req != NULL);
	req->kind = kind;
	return req;
}

void must_do(struct rv_req *req)
{
	struct rv_req *reqs[] = {req};
	struct rv_why why = {""};
	int err = rv_store_do(fx.store, reqs, 1, RV_DURABILITY_NORMAL, 0, &why);

	cr_assert(err == RV_OK && req->err == RV_OK, "%s: %s %s", rv_req_name(req->kind),
		  rv_why_text(&why, err), rv_why_text(&req->why, req->err));
}

static void join(uint64_t incarnation, unsigned slot)
{
	struct rv_req *req = request(RV_REQ_JOIN);

	req->u.join = (struct rv_req_join){.incarnation = incarnation,
					   .pid = getpid(),
					   .slot = (int32_t)slot,
					   .pool = "p",
					   .boot_id = "b",
					   .beat_deadline_us = fx.clock_us + 3600 * SECOND};
	must_do(req);
	free(req);
}

struct rv_req *enqueue(size_t count)
{
	static struct rv_job_new jobs[8];
	struct rv_req *req = request(RV_REQ_ENQUEUE);

	for (size_t i = 0; i < count; i++)
		jobs[i] = (struct rv_job_new){.task = "t", .spec = "{\"args\":{}}", .priority = -1};
	req->u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = count, .ret_ids = ids};
	return req;
}

struct rv_req *claim(uint64_t incarnation, uint32_t want)
{
	struct rv_req *req = request(RV_REQ_TURN);

	req->u.turn.incarnation = incarnation;
	req->u.turn.want = want;
	req->u.turn.nqueues = 1;
	memcpy(req->u.turn.queues[0], "q", 2);
	return req;
}

int64_t running(void)
{
	struct rv_store_totals totals;

	cr_assert(eq(int, rv_store_totals(fx.store, &totals), RV_OK));
	return totals.counts[RV_JOB_RUNNING];
}

void writer_setup(void)
{
	struct rv_store_open open = {.backend = "memory",
				     .create = true,
				     .group = (gid_t)-1,
				     .interrupt = rv_writer_busy,
				     .ctx = &fx.writer};
	struct rv_queue_def queue = {.name = "q"};
	struct rv_task_def task = {.name = "t", .queue = "q", .max_attempts = 3, .max_crashes = 3};
	struct rv_req *mirror = request(RV_REQ_MIRROR);
	struct rv_writer_open mine;

	frozen = *rv_seam();
	frozen.mono_us = frozen_mono;
	rv_seam_install(&frozen);
	cr_assert(eq(int, rv_store_open(&open, &fx.store, NULL), RV_OK));
	cr_assert(eq(int, rv_area_create(SLOTS, &fx.area_fd, &fx.area_id, NULL), RV_OK));
	cr_assert(eq(int, rv_area_map(fx.area_fd, &fx.area, NULL), RV_OK));
	mirror->u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	must_do(mirror);
	free(mirror);
	join(WE, OURS);
	join(THEY, OTHER);
	struct rv_req *jobs = enqueue(8);

	must_do(jobs);
	free(jobs);
	mine = how(OURS, WE);
	cr_assert(eq(int, rv_writer_open(&mine, &fx.writer, NULL), RV_OK));
}

void writer_teardown(void)
{
	rv_writer_close(fx.writer);
	rv_store_close(fx.store);
	rv_area_unmap(&fx.area);
	close(fx.area_fd);
}

uint32_t state_of(unsigned slot)
{
	return atomic_load(&fx.area.slots[slot].state) & RV_SLOT_STATE_MASK;
}

bool marked(unsigned slot)
{
	return (atomic_load(&fx.area.head->posted[slot / 64]) >> slot % 64 & 1) != 0;
}

struct rv_req *in_slot(unsigned slot)
{
	return (struct rv_req *)(void *)fx.area.slots[slot].body;
}

/* What another process would do. */
void post_as(unsigned slot, const struct rv_req *req, uint32_t state)
{
	memcpy(in_slot(slot), req, sizeof *req);
	atomic_store(&fx.area.slots[slot].state, state);
	atomic_fetch_or(&fx.area.head->posted[slot / 64], 1ULL << slot % 64);
}

void post(unsigned slot, struct rv_req *req)
{
	post_as(slot, req, RV_SLOT_POSTED);
	free(req);
}

void assert_at_rest(void)
{
	cr_assert(eq(u64, atomic_load(&fx.area.head->open), 0));
	cr_assert(eq(u32, atomic_load(&fx.area.head->leader), 0));
	cr_assert(eq(u32, atomic_load(&fx.area.head->phase), RV_PHASE_NONE));
	cr_assert(eq(int, pthread_mutex_trylock(&fx.area.head->mutex), 0));
	pthread_mutex_unlock(&fx.area.head->mutex);
}

int lead(struct rv_req *req)
{
	return rv_writer_do(fx.writer, req, RV_DURABILITY_NORMAL, SECOND);
}

int lead_idle(void)
{
	struct rv_req *idle = request(RV_REQ_BEATS);
	int err = lead(idle);

	free(idle);
	return err;
}

/* The mutex is held by "somebody": for a normal mutex the same thread's trylock is EBUSY too. */
void hold(void)
{
	cr_assert(eq(int, pthread_mutex_trylock(&fx.area.head->mutex), 0));
}

void release(void)
{
	pthread_mutex_unlock(&fx.area.head->mutex);
}

/* The leader died in round 7 after it had executed the request of OTHER; was it committed? */
void left_open(uint64_t in_store)
{
	post(OTHER, claim(THEY, 1));
	atomic_store(&fx.area.slots[OTHER].state, RV_SLOT_TAKEN);
	in_slot(OTHER)->u.turn.nclaimed = 1;
	in_slot(OTHER)->u.turn.claimed[0].job = 4242;
	atomic_store(&fx.area.slots[OTHER].stamp, 7);
	atomic_store(&fx.area.head->posted[OTHER / 64], 0);
	atomic_store(&fx.area.head->round, 7);
	atomic_store(&fx.area.head->open, 7);
	cr_assert(eq(int, rv_store_begin(fx.store, RV_DURABILITY_NORMAL, 0, NULL), RV_OK));
	cr_assert(eq(int, rv_store_round_set(fx.store, fx.area_id, in_store), RV_OK));
	cr_assert(eq(int, rv_store_commit(fx.store, NULL), RV_OK));
}
