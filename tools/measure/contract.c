/*
 * Measurements through the contract: the product's own store code in one process, without daemon.
 * claim: a fused turn with few and with many jobs queued; bulk: enqueueing; ping: what a wake-up
 * costs at least (one durable commit and one datagram); added: from enqueue to the job's start in a
 * running daemon.
 */
#include "measure.h"

#include "base/seam.h"
#include "core/order.h"
#include "os/sock.h"
#include "store/read.h"
#include "wire/sup.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSY_US (60 * RV_S_US)

static void must(int err, const struct rv_why *why, const char *what)
{
	if (err != RV_OK)
		rv_measure_die(what, rv_why_text(why, err));
}

static void execute(struct rv_store *store, struct rv_req *req, enum rv_durability durability)
{
	struct rv_why why = {0};

	must(rv_store_do(store, &req, 1, durability, BUSY_US, &why), &why, "transaction");
	must(req->err, &req->why, "request");
}

struct rv_store *rv_measure_store(const char *dir, const char *name, char *path, size_t space)
{
	static const struct rv_task_def task = {.name = "noop",
						.queue = "default",
						.max_attempts = 5,
						.max_crashes = 3,
						.durability = RV_DURABILITY_FULL};
	static const struct rv_queue_def queue = {.name = "default"};
	static struct rv_req req;
	struct rv_store *store = NULL;
	struct rv_why why = {0};

	(void)snprintf(path, space, "%s/%s", dir, name);
	must(rv_store_open(&(struct rv_store_open){.backend = "sqlite",
						   .path = path,
						   .create = true,
						   .migrate = true,
						   .group = (gid_t)-1},
			   &store, &why),
	     &why, path);
	req = (struct rv_req){.kind = RV_REQ_MIRROR};
	req.u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	execute(store, &req, RV_DURABILITY_FULL);
	return store;
}

static void enqueue(struct rv_store *store, size_t count)
{
	static struct rv_job_new jobs[1000];
	static int64_t ids[1000];
	static struct rv_req req;

	for (size_t i = 0; i < count; i++)
		jobs[i] = (struct rv_job_new){.task = "noop", .priority = -1};
	req = (struct rv_req){.kind = RV_REQ_ENQUEUE};
	req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = count, .ret_ids = ids};
	execute(store, &req, RV_DURABILITY_FULL);
}

int rv_measure_bulk(int argc, char **argv)
{
	size_t jobs = (size_t)rv_measure_number(argv[2]);
	size_t per = (size_t)rv_measure_number(argv[3]);
	char path[4096];

	(void)argc;
	if (per < 1 || per > 1000)
		rv_measure_die("bulk", "PER_REQUEST is 1 to 1000");
	struct rv_store *store = rv_measure_store(argv[1], "reeve.db", path, sizeof path);
	int64_t began = rv_mono_us();
	for (size_t done = 0; done < jobs; done += per)
		enqueue(store, per);
	(void)printf("{\"rate\":%.1f}\n", (double)jobs * 1e6 / (double)(rv_mono_us() - began));
	rv_store_close(store);
	return 0;
}

static void join(struct rv_store *store)
{
	static struct rv_req req;

	req = (struct rv_req){.kind = RV_REQ_JOIN};
	req.u.join = (struct rv_req_join){.incarnation = 1ULL << 32 | 1,
					  .pid = getpid(),
					  .slot = 1,
					  .pool = "default",
					  .boot_id = "measure",
					  .beat_deadline_us = INT64_MAX};
	execute(store, &req, RV_DURABILITY_NORMAL);
}

/* One fused turn: acks what ${req} claimed the last time, claims ${want}; how long it took. */
static int64_t turn(struct rv_store *store, struct rv_req *req, unsigned want)
{
	struct rv_req_turn *t = &req->u.turn;
	uint32_t acks = t->nclaimed;
	int64_t now = rv_wall_us();

	for (uint32_t i = 0; i < acks; i++) {
		t->acks[i] = (struct rv_ack){.job = t->claimed[i].job,
					     .fence = t->claimed[i].fence,
					     .outcome = RV_OUTCOME_SUCCEEDED,
					     .started_us = now,
					     .ended_us = now};
	}
	req->kind = RV_REQ_TURN;
	t->incarnation = 1ULL << 32 | 1;
	t->nacks = acks;
	t->want = want;
	if (t->nqueues == 0)
		(void)snprintf(t->queues[t->nqueues++], RV_NAME_MAX, "default");
	int64_t began = rv_mono_us();
	execute(store, req, RV_DURABILITY_NORMAL);
	int64_t took = rv_mono_us() - began;
	if (t->nclaimed != want)
		rv_measure_die("claim", "fewer jobs than asked for");
	return took;
}

#define SAMPLES 400

static int64_t sample(struct rv_store *store, struct rv_req *req)
{
	static int64_t took[SAMPLES];

	for (int i = 0; i < SAMPLES; i++)
		took[i] = turn(store, req, 1);
	return rv_measure_median(took, SAMPLES);
}

static void top_up(struct rv_store *store, int64_t count)
{
	for (; count > 0; count -= 1000)
		enqueue(store, count > 1000 ? 1000 : (size_t)count);
	must(rv_store_checkpoint(store, 0, NULL), NULL, "checkpoint");
}

/* Both stores stand side by side and are sampled in turn, so that the machine's mood hits both. */
int rv_measure_claim(int argc, char **argv)
{
	static struct rv_req small_req, big_req;
	int64_t big = rv_measure_number(argv[3]);
	int rounds = (int)rv_measure_number(argv[4]);
	char path[4096];

	(void)argc;
	struct rv_store *few = rv_measure_store(argv[1], "few.db", path, sizeof path);
	struct rv_store *many = rv_measure_store(argv[1], "many.db", path, sizeof path);

	join(few);
	join(many);
	top_up(few, rv_measure_number(argv[2]) + SAMPLES);
	top_up(many, 2 * big + (int64_t)rounds * SAMPLES);
	for (int64_t done = 0; done < big; done += 64)
		(void)turn(many, &big_req, 64);
	(void)turn(many, &big_req, 1);
	must(rv_store_checkpoint(many, 0, NULL), NULL, "checkpoint");
	int64_t figures[2][64];
	for (int i = 0; i < rounds && i < 64; i++) {
		figures[0][i] = sample(few, &small_req);
		top_up(few, SAMPLES);
		figures[1][i] = sample(many, &big_req);
		must(rv_store_checkpoint(many, 0, NULL), NULL, "checkpoint");
	}
	for (int which = 0; which < 2; which++) {
		(void)printf("%s\"%s\":[", which ? "," : "{", which ? "big_us" : "small_us");
		for (int i = 0; i < rounds && i < 64; i++)
			(void)printf("%s%lld", i ? "," : "", (long long)figures[which][i]);
		(void)printf("]");
	}
	(void)printf("}\n");
	rv_store_close(few);
	rv_store_close(many);
	return 0;
}

#define WIDE 16 /* queues of the widest pool that is measured */

/* The worker's queues: all that fill() makes, and the one with jobs last. */
static void serve_all(struct rv_req_turn *turn)
{
	for (int i = 1; i < WIDE; i++)
		(void)snprintf(turn->queues[turn->nqueues++], RV_NAME_MAX, "empty-%d", i);
	(void)snprintf(turn->queues[turn->nqueues++], RV_NAME_MAX, "default");
}

#define HOT 31000 /* jobs over their limit at the head of a queue */

/* What a claim has to look at; names of rv_measure_order. */
static const struct load {
	const char *name;
	struct rv_limits limits; /* of the queue */
	int task;                /* concurrency of the task */
	int64_t hot;             /* jobs of one key that is at its limit, before all others; then
				    beside a queue with the same limit and without them */
} loads[] = {
	{"limit", {.concurrency = 64}, 0, 0},
	{"key-limit", {.key_concurrency = 4}, 0, 0},
	{"rate", {.rate = {1000000, RV_S_US}}, 0, 0},
	{"limits", {.concurrency = 64, .key_concurrency = 4, .rate = {1000000, RV_S_US}}, 64, 0},
	{"parked", {.key_concurrency = 1}, 0, HOT},
};

/* One of them runs, the others are parked by the claims that meet them first. */
static void park(struct rv_store *store, int64_t count)
{
	static struct rv_req holder;
	static struct rv_req looker;
	struct rv_req_turn *t = &looker.u.turn;
	int64_t done = 0;

	(void)turn(store, &holder, 1);
	looker.kind = RV_REQ_TURN;
	t->incarnation = 1ULL << 32 | 1;
	t->want = t->nqueues = 1;
	(void)snprintf(t->queues[0], RV_NAME_MAX, "default");
	for (t->nclaimed = 0; t->nclaimed == 0 && done < count; done += 32)
		execute(store, &looker, RV_DURABILITY_NORMAL);
}

/* The queue of a fresh store gets ${strategy} and ${count} jobs as different as theirs may be. */
static void fill(struct rv_store *store, enum rv_strategy strategy, const struct load *load,
		 int64_t count)
{
	static struct rv_job_new hot[1000];
	static struct rv_job_new jobs[1000];
	static char keys[1000][16];
	static int64_t ids[1000];
	static struct rv_req req;
	const struct rv_task_def task = {.name = "noop",
					 .queue = "default",
					 .max_attempts = 5,
					 .limits = {.concurrency = load ? load->task : 0}};
	struct rv_queue_def queues[WIDE] = {{.name = "default", .strategy = strategy}};

	if (load)
		queues[0].limits = load->limits;
	for (int i = 1; i < WIDE; i++)
		(void)snprintf(queues[i].name, RV_NAME_MAX, "empty-%d", i);
	req = (struct rv_req){.kind = RV_REQ_MIRROR};
	req.u.mirror = (struct rv_req_mirror){
		.tasks = &task, .ntasks = 1, .queues = queues, .nqueues = WIDE};
	execute(store, &req, RV_DURABILITY_NORMAL);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(keys[i], sizeof keys[i], "tenant-%d", i);
		jobs[i] = (struct rv_job_new){.task = "noop",
					      .priority = i * 7 % 100,
					      .weight = 1 + i % 5,
					      .key = keys[i],
					      .deadline_us = rv_wall_us() + i * 977 % 1000};
	}
	for (int i = 0; i < 1000; i++)
		hot[i] = (struct rv_job_new){.task = "noop", .priority = -1, .key = "hot"};
	for (int64_t left = load ? load->hot : 0; left > 0; left -= 1000) {
		req = (struct rv_req){.kind = RV_REQ_ENQUEUE};
		req.u.enqueue = (struct rv_req_enqueue){.jobs = hot, .count = 1000, .ret_ids = ids};
		execute(store, &req, RV_DURABILITY_NORMAL);
	}
	for (; count > 0; count -= 1000) {
		req = (struct rv_req){.kind = RV_REQ_ENQUEUE};
		req.u.enqueue =
			(struct rv_req_enqueue){.jobs = jobs, .count = 1000, .ret_ids = ids};
		execute(store, &req, RV_DURABILITY_NORMAL);
	}
	if (load && load->hot > 0)
		park(store, load->hot);
	must(rv_store_checkpoint(store, 0, NULL), NULL, "checkpoint");
}

/*
 * The claim from ${argv[2]} jobs by one strategy beside that by fifo, sampled in turn.  The
 * strategy "wide": fifo, but for a worker of 16 queues; those of loads: fifo with limits beside
 * fifo without, or with jobs over their limit in front beside none in front.
 */
int rv_measure_order(int argc, char **argv)
{
	static struct rv_req fifo_req, other_req;
	int64_t jobs = rv_measure_number(argv[2]);
	int rounds = (int)rv_measure_number(argv[3]);
	enum rv_strategy strategy = RV_STRATEGY_FIFO;
	const struct load *load = NULL;
	struct load floor = {0};
	char path[4096];

	(void)argc;
	for (size_t i = 0; i < RV_ARRAY_LEN(loads); i++)
		if (strcmp(argv[4], loads[i].name) == 0)
			load = &loads[i];
	if (strcmp(argv[4], "wide") == 0)
		serve_all(&other_req.u.turn);
	else if (!load && rv_strategy_parse(argv[4], &strategy) != RV_OK)
		rv_measure_die(argv[4], "there is no such strategy");
	struct rv_store *fifo = rv_measure_store(argv[1], "fifo.db", path, sizeof path);
	struct rv_store *other = rv_measure_store(argv[1], "other.db", path, sizeof path);

	join(fifo);
	join(other);
	if (load && load->hot > 0)
		floor.limits = load->limits;
	fill(fifo, RV_STRATEGY_FIFO, &floor, jobs + (int64_t)rounds * SAMPLES);
	fill(other, strategy, load, jobs + (int64_t)rounds * SAMPLES);
	(void)printf("{\"ratio\":[");
	for (int i = 0; i < rounds; i++) {
		int64_t floor_us = sample(fifo, &fifo_req);
		int64_t took_us = sample(other, &other_req);

		(void)printf("%s%.3f", i ? "," : "", (double)took_us / (double)floor_us);
		must(rv_store_checkpoint(fifo, 0, NULL), NULL, "checkpoint");
		must(rv_store_checkpoint(other, 0, NULL), NULL, "checkpoint");
	}
	(void)printf("]}\n");
	rv_store_close(fifo);
	rv_store_close(other);
	return 0;
}

/* The echo: answers each ring with one byte on ${out}. */
static void answer_rings(int bell, int out)
{
	struct pollfd at[2] = {{.fd = bell, .events = POLLIN}, {.fd = out, .events = 0}};

	while (poll(at, 2, -1) > 0 && !(at[1].revents & (POLLHUP | POLLERR))) {
		uint64_t token;

		while (rv_sock_rung(bell, &token) == RV_OK) {
			if (write(out, "!", 1) != 1)
				_exit(1);
		}
	}
	_exit(0);
}

int rv_measure_ping(int argc, char **argv)
{
	int count = (int)rv_measure_number(argv[2]);
	char path[4096];
	char bell_path[4096 + 8];
	struct rv_why why = {0};
	int pair[2];
	int bell;

	(void)argc;
	(void)snprintf(bell_path, sizeof bell_path, "%s/bell", argv[1]);
	must(rv_sock_bell(bell_path, 0600, &bell, &why), &why, bell_path);
	if (count < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		rv_measure_die("ping", "no socket");
	pid_t pid = fork(); /* no handle is open yet */
	if (pid == 0) {
		(void)close(pair[0]);
		answer_rings(bell, pair[1]);
	}
	(void)close(pair[1]);
	struct rv_store *store = rv_measure_store(argv[1], "reeve.db", path, sizeof path);
	int64_t *took = calloc((size_t)count, sizeof *took);
	if (!took || pid < 0)
		rv_measure_die("ping", "no memory");
	for (int i = 0; i < count; i++) {
		char byte;
		int64_t began = rv_mono_us();

		enqueue(store, 1);
		rv_sock_ring(bell_path, rv_ring_token("default"));
		if (read(pair[0], &byte, 1) != 1)
			rv_measure_die("ping", "no answer");
		took[i] = rv_mono_us() - began;
	}
	(void)printf("{\"p50_us\":%lld}\n", (long long)rv_measure_median(took, (size_t)count));
	free(took);
	(void)close(pair[0]);
	(void)waitpid(pid, NULL, 0);
	rv_store_close(store);
	return 0;
}

/* Each job is awaited before the next, so that the daemon is idle again: its started_at tells. */
int rv_measure_added(int argc, char **argv)
{
	static struct rv_req req;
	int count = (int)rv_measure_number(argv[3]);
	char bell[4096];
	struct rv_store *store = NULL;
	struct rv_why why = {0};

	(void)argc;
	(void)snprintf(bell, sizeof bell, "%s/doorbell", argv[2]);
	must(rv_store_open(&(struct rv_store_open){.backend = "sqlite",
						   .path = argv[1],
						   .group = (gid_t)-1},
			   &store, &why),
	     &why, argv[1]);
	int64_t *took = calloc((size_t)count, sizeof *took);
	if (!took)
		rv_measure_die("added", "no memory");
	for (int i = 0; i < count; i++) {
		struct rv_job_new job = {.task = "noop", .priority = -1};
		struct rv_job_view view = {0};
		int64_t id = 0;
		int64_t began = rv_wall_us();

		req = (struct rv_req){.kind = RV_REQ_ENQUEUE};
		req.u.enqueue = (struct rv_req_enqueue){.jobs = &job, .count = 1, .ret_ids = &id};
		execute(store, &req, RV_DURABILITY_FULL);
		rv_sock_ring(bell, rv_ring_token("default"));
		do {
			(void)poll(NULL, 0, 2); /* leaves the processor to the daemon */
			must(rv_store_job(store, id, &view), NULL, "job");
		} while (view.state != RV_JOB_SUCCEEDED && rv_wall_us() - began < 10 * RV_S_US);
		if (view.state != RV_JOB_SUCCEEDED)
			rv_measure_die("added", "a job was not run within 10 s");
		took[i] = view.started_us - began;
	}
	(void)printf("{\"p50_us\":%lld}\n", (long long)rv_measure_median(took, (size_t)count));
	free(took);
	rv_store_close(store);
	return 0;
}
