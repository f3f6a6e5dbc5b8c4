/*
 * Lists of jobs by every filter that a store looks for itself, page by page and from both ends,
 * against the same picked by hand from the list of all; in a crowd of several hundred jobs that
 * have gone all ways a job can go.
 */
#include "fixture.h"

#include "core/job.h"
#include "wire/sup.h"

#include <stdlib.h>

#define JOBS 420

struct one {
	int64_t id, batch;
	enum rv_job_state state;
	char queue[RV_NAME_MAX], task[RV_NAME_MAX];
};

struct all {
	struct one jobs[JOBS];
	size_t n;
};

static int note(void *ctx, const struct rv_job_view *view)
{
	struct all *all = ctx;
	struct one *one = &all->jobs[all->n++];

	cr_assert(le(sz, all->n, JOBS));
	*one = (struct one){
		.id = view->id, .batch = view->callback ? 0 : view->batch, .state = view->state};
	(void)snprintf(one->queue, sizeof one->queue, "%s", view->queue);
	(void)snprintf(one->task, sizeof one->task, "%s", view->task);
	return RV_OK;
}

static void list(struct fixture *f, const struct rv_job_filter *filter, struct all *ret_all)
{
	ret_all->n = 0;
	ERR(rv_store_jobs(f->store, filter, note, ret_all), RV_OK);
}

static bool matches(const struct rv_job_filter *filter, const struct one *one)
{
	return (filter->states & 1U << one->state) &&
	       (!filter->queue || strcmp(filter->queue, one->queue) == 0) &&
	       (!filter->task || strcmp(filter->task, one->task) == 0) &&
	       (filter->batch == 0 || filter->batch == one->batch) &&
	       (filter->before_id == 0 || one->id < filter->before_id) &&
	       one->id > filter->above_id;
}

/* The list from ${filter}->before_id on, in pages, is what ${all} has of it. */
static void in_pages(struct fixture *f, const struct all *all, struct rv_job_filter filter)
{
	static struct all page;
	size_t at = 0;

	do {
		list(f, &filter, &page);
		cr_assert(le(i64, (int64_t)page.n, filter.limit));
		for (size_t i = 0; i < page.n; i++, at++) {
			while (at < all->n && !matches(&filter, &all->jobs[at]))
				at++;
			cr_assert(lt(sz, at, all->n), "job %lld is not asked for",
				  (long long)page.jobs[i].id);
			IS(page.jobs[i].id, all->jobs[at].id);
		}
		if (page.n > 0)
			filter.before_id = page.jobs[page.n - 1].id;
	} while ((int64_t)page.n == filter.limit);
	for (; at < all->n; at++)
		cr_assert(not(matches(&filter, &all->jobs[at])), "states %x: job %lld is missing",
			  filter.states, (long long)all->jobs[at].id);
}

static void every_filter(struct fixture *f)
{
	static const unsigned states[] = {1,     2,     4,    8,    16,   32,   64,  2 | 8,
					  2 | 4, 8 | 4, 0x70, 0x77, 0x6f, 0x7f, 0x7d};
	static const char *const queues[] = {NULL, "default", "bulk", "critical", "nosuch"};
	static const char *const tasks[] = {NULL, "once"};
	static const struct {
		int64_t before, above, limit;
	} parts[] = {{0, 0, 3},     {0, 0, 64},    {0, 0, 1000},  {65, 0, 7},   {64, 0, 100},
		     {2, 0, 5},     {1, 0, 5},     {0, 127, 50},  {0, 128, 50}, {0, 383, 9},
		     {200, 63, 11}, {129, 127, 2}, {129, 128, 2}, {70, 300, 2}, {0, JOBS, 4}};
	static struct all all;

	list(f, &(struct rv_job_filter){.state = -1}, &all);
	cr_assert(lt(sz, 300, all.n));
	for (size_t i = 0; i < RV_ARRAY_LEN(states) * RV_ARRAY_LEN(queues); i++)
		for (size_t k = 0; k < 3 * RV_ARRAY_LEN(tasks); k++)
			for (size_t p = 0; p < 3; p++) {
				size_t part = (i + 5 * k + 4 * p) % RV_ARRAY_LEN(parts);

				in_pages(f, &all,
					 (struct rv_job_filter){
						 .state = -1,
						 .states = states[i / RV_ARRAY_LEN(queues)],
						 .queue = queues[i % RV_ARRAY_LEN(queues)],
						 .task = tasks[k / 3],
						 .batch = (int64_t)(k % 3),
						 .before_id = parts[part].before,
						 .above_id = parts[part].above,
						 .limit = parts[part].limit});
			}
}

static void new_batch(struct fixture *f)
{
	f->req.u.new_batch = (struct rv_req_new_batch){.uid = 1};
	ERR(ask_kind(f, RV_REQ_NEW_BATCH), RV_OK);
}

/* Ready, scheduled and blocked ones of two queues; some in a batch, one in seven of the second. */
static void gather(struct fixture *f)
{
	int64_t parent = add(f, JOB(.run_at_us = START_US + S(1000)));

	new_batch(f);
	new_batch(f);
	for (int i = 1; i < JOBS; i++) {
		struct rv_job_new job = JOB(.queue = i % 3 == 0 ? "bulk" : "default",
					    .task = i % 10 == 0 ? "once" : "t");

		job.batch = i % 7 == 0 ? 2 : i % 5 == 0 ? 1 : 0;
		job.run_at_us = i % 8 == 0 ? START_US + S(50 + i) : 0;
		if (i % 11 == 0) {
			job.after = &parent;
			job.nafter = 1;
		}
		IS(add(f, job), i + 1);
	}
}

/* What W1 has claimed ends in every way that a run can end. */
static void work(struct fixture *f, uint32_t want, const char *queues)
{
	static const enum rv_outcome ends[] = {RV_OUTCOME_SUCCEEDED,  RV_OUTCOME_SUCCEEDED,
					       RV_OUTCOME_FATAL,      RV_OUTCOME_FAILED,
					       RV_OUTCOME_SUCCEEDED,  RV_OUTCOME_LATER,
					       RV_OUTCOME_INTERRUPTED};
	struct rv_req_turn *t = turn(f, W1, want, queues);

	t->nacks = t->nclaimed;
	t->want = 0;
	for (uint32_t i = 0; i < t->nacks; i++)
		t->acks[i] = ACK(.job = t->claimed[i].job, .fence = t->claimed[i].fence,
				 .outcome = ends[t->claimed[i].job % (int)RV_ARRAY_LEN(ends)],
				 .retry_us = t->claimed[i].job % 2 == 0 ? S(20) : 0,
				 .started_us = f->wall_us, .ended_us = f->wall_us);
	ERR(ask_kind(f, RV_REQ_TURN), RV_OK);
	for (uint32_t i = 0; i < t->nacks; i++)
		ERR(t->acks[i].err, RV_OK);
}

CONTRACT(lists, by_every_filter)
{
	gather(f);
	every_filter(f);
	for (int i = 0; i < 4; i++)
		work(f, 60, i % 2 == 0 ? "default" : "bulk default");
	(void)turn(f, W2, 3, "default"); /* these go on running, those are fetched only */
	(void)prefetch(f, W2, 5, "default bulk");
	every_filter(f);
	for (int64_t id = 3; id < JOBS; id += 9) /* refused where it makes no sense */
		(void)cancel(f, id);
	for (int64_t id = 5; id < JOBS; id += 13)
		(void)retry(f, id);
	for (int64_t id = 1; id < JOBS; id += 6)
		(void)forget(f, id);
	tick(f, S(60));
	(void)promote(f, 20);
	for (int64_t id = 4; id < JOBS; id += 17) {
		f->req.u.hold = (struct rv_req_hold){.job = id, .held = true};
		(void)ask_kind(f, RV_REQ_HOLD);
	}
	(void)died(f, W2, RV_DIED_CRASH, 0, "killed by signal 9");
	fixture_check(f);
	every_filter(f);
}

static struct rv_req *enqueue_of(struct rv_job_new *jobs, size_t count)
{
	static int64_t ids[4];
	struct rv_req *req = calloc(1, sizeof *req);

	cr_assert(req != NULL);
	req->kind = RV_REQ_ENQUEUE;
	req->u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = count, .ret_ids = ids};
	return req;
}

/*
 * A full queue looks for its oldest job among what the transaction itself has brought, and a
 * request that is refused takes back what it had done by then, and nothing of the others.
 */
CONTRACT(lists, of_a_transaction_that_refuses_some)
{
	static const struct rv_task_def task = {.name = "t", .queue = "q", .max_attempts = 3};
	static const struct rv_queue_def queue = {.name = "q",
						  .strategy = RV_STRATEGY_PRIORITY,
						  .max = 3,
						  .on_full = RV_ON_FULL_DROP_OLDEST};
	struct rv_job_new first[2] = {JOB(.run_at_us = START_US + S(9)), JOB(.priority = 5)};
	struct rv_job_new bad[4] = {JOB(.priority = 7), JOB(.priority = 1),
				    JOB(.run_at_us = START_US + S(5)), JOB(.task = "nobody")};
	struct rv_job_new good[2] = {JOB(.priority = 9), JOB(.run_at_us = START_US + S(7))};
	struct rv_req *reqs[] = {enqueue_of(first, 2), enqueue_of(bad, 4), enqueue_of(good, 2),
				 enqueue_of(bad, 4)};
	static struct all all;

	f->req.u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	ERR(ask_kind(f, RV_REQ_MIRROR), RV_OK);
	ERR(rv_store_do(f->store, reqs, RV_ARRAY_LEN(reqs), RV_DURABILITY_FULL, S(5), &f->why),
	    RV_OK);
	for (size_t i = 0; i < RV_ARRAY_LEN(reqs); i++) {
		IS(reqs[i]->err, i % 2 == 0 ? RV_OK : RV_E_NOTFOUND);
		free(reqs[i]);
	}
	list(f, &(struct rv_job_filter){.state = RV_JOB_SCHEDULED, .queue = "q"}, &all);
	IS(all.n, 2);
	IS(all.jobs[0].id, 4);
	IS(all.jobs[1].id, 1);
	list(f, &(struct rv_job_filter){.state = RV_JOB_READY, .queue = "q"}, &all);
	IS(all.n, 1);
	IS(all.jobs[0].id, 3);
	list(f, &(struct rv_job_filter){.state = RV_JOB_CANCELLED, .queue = "q"}, &all);
	IS(all.n, 1);
	IS(all.jobs[0].id, 2);
}
