/*
 * Measurements of what a queue promises, through the contract, in one process: draws, how often
 * each weight of a weighted queue is claimed; lists, how long a page of many jobs takes to read,
 * and how long forgetting finished jobs holds the write lock.
 */
#include "measure.h"

#include "base/seam.h"
#include "core/pace.h"
#include "store/read.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKER  (1ULL << 32 | 1)
#define WEIGHTS 5
#define WAITING 100 /* jobs of each weight that wait at any time */
#define PAGE    100
#define PAGES   200
#define PURGED  128 /* jobs that reeve delete --query forgets in one transaction at most */
#define SPARSE  64  /* one cancelled job in so many */

static void execute(struct rv_store *store, struct rv_req *const *reqs, size_t count)
{
	struct rv_why why = {0};

	if (rv_store_do(store, reqs, count, RV_DURABILITY_NORMAL, 60 * RV_S_US, &why) != RV_OK)
		rv_measure_die("transaction", why.text);
	for (size_t i = 0; i < count; i++)
		if (reqs[i]->err != RV_OK)
			rv_measure_die("request", rv_why_text(&reqs[i]->why, reqs[i]->err));
}

static void enqueue(struct rv_store *store, struct rv_job_new *jobs, size_t count)
{
	static int64_t ids[1000];
	static struct rv_req req;
	struct rv_req *one = &req;

	req = (struct rv_req){.kind = RV_REQ_ENQUEUE};
	req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = count, .ret_ids = ids};
	execute(store, &one, 1);
}

static void join(struct rv_store *store)
{
	static struct rv_req req;
	struct rv_req *one = &req;

	req = (struct rv_req){.kind = RV_REQ_JOIN};
	req.u.join = (struct rv_req_join){.incarnation = WORKER,
					  .pid = getpid(),
					  .slot = 1,
					  .pool = "default",
					  .boot_id = "measure",
					  .beat_deadline_us = INT64_MAX};
	execute(store, &one, 1);
}

/* Acks what ${req} claimed the last time and claims ${want} more. */
static void turn(struct rv_store *store, struct rv_req *req, uint32_t want)
{
	struct rv_req_turn *t = &req->u.turn;
	int64_t now = rv_wall_us();

	req->kind = RV_REQ_TURN;
	t->incarnation = WORKER;
	t->nacks = t->nclaimed;
	for (uint32_t i = 0; i < t->nacks; i++)
		t->acks[i] = (struct rv_ack){.job = t->claimed[i].job,
					     .fence = t->claimed[i].fence,
					     .started_us = now,
					     .ended_us = now};
	t->want = want;
	t->nqueues = 1;
	(void)snprintf(t->queues[0], RV_NAME_MAX, "default");
	execute(store, &req, 1);
}

static void make_weighted(struct rv_store *store)
{
	static const struct rv_task_def task = {
		.name = "noop", .queue = "default", .max_attempts = 5};
	static const struct rv_queue_def queue = {.name = "default",
						  .strategy = RV_STRATEGY_WEIGHTED};
	static struct rv_req req;
	struct rv_req *one = &req;

	req = (struct rv_req){.kind = RV_REQ_MIRROR};
	req.u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	execute(store, &one, 1);
}

/* As many wait of each weight before each draw, so each is drawn in proportion to its weight. */
int rv_measure_draws(int argc, char **argv)
{
	static struct rv_req req;
	int64_t draws = rv_measure_number(argv[2]);
	int64_t counts[WEIGHTS] = {0};
	struct rv_job_view view;
	char path[4096];

	(void)argc;
	struct rv_store *store = rv_measure_store(argv[1], "draws.db", path, sizeof path);

	make_weighted(store);
	join(store);
	for (int i = 0; i < WEIGHTS * WAITING; i++) {
		struct rv_job_new job = {.task = "noop", .priority = -1, .weight = 1 + i % WEIGHTS};

		enqueue(store, &job, 1);
	}
	for (int64_t i = 0; i < draws; i++) {
		turn(store, &req, 1);
		if (req.u.turn.nclaimed != 1 ||
		    rv_store_job(store, req.u.turn.claimed[0].job, &view) != RV_OK ||
		    view.weight < 1 || view.weight > WEIGHTS)
			rv_measure_die("draws", "not the job that was expected");
		counts[view.weight - 1]++;
		struct rv_job_new job = {.task = "noop", .priority = -1, .weight = view.weight};

		enqueue(store, &job, 1);
	}
	for (int i = 0; i < WEIGHTS; i++)
		(void)printf("%s%lld", i ? "," : "{\"counts\":[", (long long)counts[i]);
	(void)printf("]}\n");
	rv_store_close(store);
	return 0;
}

static int count_row(void *ctx, const struct rv_job_view *view)
{
	(void)view;
	++*(int *)ctx;
	return RV_OK;
}

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void print_times(const char *name, int64_t *took, size_t count)
{
	qsort(took, count, sizeof *took, ascending);
	(void)printf(",\"%s\":{\"p50_us\":%lld,\"p99_us\":%lld,\"max_us\":%lld}", name,
		     (long long)took[count / 2], (long long)took[count * 99 / 100],
		     (long long)took[count - 1]);
}

/* Pages from anywhere of the list that ${filter} asks for. */
static void time_pages(struct rv_store *store, const char *name, struct rv_job_filter filter,
		       int64_t last)
{
	int64_t took[PAGES];

	filter.limit = PAGE;
	for (int i = 0; i < PAGES; i++) {
		int rows = 0;

		filter.before_id = (int64_t)rv_random_below((uint64_t)last) + PAGE;
		int64_t began = rv_mono_us();

		if (rv_store_jobs(store, &filter, count_row, &rows) != RV_OK)
			rv_measure_die("lists", "a page cannot be read");
		took[i] = rv_mono_us() - began;
	}
	print_times(name, took, PAGES);
}

/* Forgets the ${count} oldest as reeve does it: how long each transaction held the write lock. */
static void time_purge(struct rv_store *store, int64_t count)
{
	static struct rv_req reqs[PURGED];
	struct rv_req *list[PURGED];
	int64_t *held = calloc((size_t)count + 1, sizeof *held);
	int64_t began = rv_mono_us();
	uint32_t pace = RV_PACE_FIRST;
	size_t n = 0;

	if (!held)
		rv_measure_die("lists", "no memory");
	for (int64_t id = 1; id <= count;) {
		uint32_t now = pace > count - id + 1 ? (uint32_t)(count - id + 1) : pace;

		for (uint32_t k = 0; k < now; k++) {
			reqs[k] = (struct rv_req){.kind = RV_REQ_DELETE, .u.remove.job = id++};
			list[k] = &reqs[k];
		}
		execute(store, list, now);
		held[n] = rv_store_held(store).held_us;
		pace = rv_pace_next(now, rv_store_held(store).worked_us, PURGED);
		(void)poll(NULL, 0, (int)((rv_pace_pause_us(held[n++]) + 999) / 1000));
		(void)!rv_store_checkpoint(store, 4 << 20, NULL);
	}
	(void)printf(",\"purge_rate\":%.0f,\"purge_each\":%.1f",
		     (double)count * 1e6 / (double)(rv_mono_us() - began + 1),
		     (double)count / (double)(n > 0 ? n : 1));
	print_times("purge", held, n > 0 ? n : 1);
	free(held);
}

/* One in so many of those that wait, from all over the list. */
static void cancel_some(struct rv_store *store, int64_t from, int64_t to)
{
	static struct rv_req req;
	struct rv_req *one = &req;

	for (int64_t id = from; id <= to; id += SPARSE) {
		req = (struct rv_req){.kind = RV_REQ_CANCEL, .u.cancel.job = id};
		execute(store, &one, 1);
		(void)!rv_store_checkpoint(store, 4 << 20, NULL);
	}
}

/* Half of the jobs finished, half of them ready but for one in 64, which is cancelled. */
int rv_measure_lists(int argc, char **argv)
{
	static struct rv_job_new jobs[1000];
	static struct rv_req req;
	int64_t count = rv_measure_number(argv[2]) / 2000 * 2000;
	char path[4096];

	(void)argc;
	struct rv_store *store = rv_measure_store(argv[1], "lists.db", path, sizeof path);

	join(store);
	for (size_t i = 0; i < RV_ARRAY_LEN(jobs); i++)
		jobs[i] = (struct rv_job_new){.task = "noop", .priority = -1};
	for (int64_t i = 0; i < count; i += 1000) {
		enqueue(store, jobs, RV_ARRAY_LEN(jobs));
		(void)!rv_store_checkpoint(store, 4 << 20, NULL);
	}
	for (int64_t left = count / 2; left > 0; left -= (int64_t)req.u.turn.nclaimed) {
		turn(store, &req, left > RV_TURN_MAX ? RV_TURN_MAX : (uint32_t)left);
		(void)!rv_store_checkpoint(store, 4 << 20, NULL);
	}
	turn(store, &req, 0);
	cancel_some(store, count / 2 + RV_TURN_MAX, count);
	(void)printf("{\"jobs\":%lld", (long long)count);
	time_pages(store, "any", (struct rv_job_filter){.state = -1}, count);
	time_pages(store, "ready", (struct rv_job_filter){.state = RV_JOB_READY}, count);
	time_pages(store, "succeeded", (struct rv_job_filter){.state = RV_JOB_SUCCEEDED}, count);
	time_pages(store, "queue", (struct rv_job_filter){.state = -1, .queue = "default"}, count);
	time_pages(store, "sparse", (struct rv_job_filter){.state = RV_JOB_CANCELLED}, count);
	time_pages(store, "dead", (struct rv_job_filter){.state = RV_JOB_DEAD}, count);
	time_purge(store, count / 2);
	(void)printf("}\n");
	rv_store_close(store);
	return 0;
}
