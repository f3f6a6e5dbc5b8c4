/* The fixture of the contract tests: see fixture.h. */
#include "fixture.h"

#include "base/check.h"
#include "core/job.h"
#include "helpers/tmpdir.h"
#include "wire/sup.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *const backends[] = {
#define STORE(name, doc) #name,
#include "store/store.def"
#undef STORE
};

static struct fixture *current;
static uint64_t random_state = 88172645463325252ULL;

size_t fixture_backends(void)
{
	return RV_ARRAY_LEN(backends);
}

/* The wall stands still until a test moves it; the monotonic one runs, for time limits of waits. */
static int64_t wall_now(void *ctx)
{
	(void)ctx;
	return current->wall_us;
}

static int64_t mono_now(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	cr_assert(eq(int, clock_gettime(CLOCK_MONOTONIC, &ts), 0));
	return (int64_t)ts.tv_sec * RV_S_US + ts.tv_nsec / 1000;
}

static void next_random(void *ctx, void *buffer, size_t size)
{
	unsigned char *bytes = buffer;

	(void)ctx;
	for (size_t i = 0; i < size; i++) {
		random_state ^= random_state << 13;
		random_state ^= random_state >> 7;
		random_state ^= random_state << 17;
		bytes[i] = (unsigned char)(random_state >> 32);
	}
}

static const struct rv_seam frozen = {
	.mono_us = mono_now, .wall_us = wall_now, .random = next_random};

void tick(struct fixture *f, int64_t us)
{
	f->wall_us += us;
}

static void mirror(struct fixture *f)
{
	static const struct rv_queue_def queues[] = {
		{.name = "default", .strategy = RV_STRATEGY_FIFO},
		{.name = "critical", .strategy = RV_STRATEGY_FIFO},
		{.name = "bulk", .strategy = RV_STRATEGY_FIFO},
		{.name = "prio", .strategy = RV_STRATEGY_PRIORITY}};
	static const struct rv_task_def tasks[] = {
		{.name = "t",
		 .queue = "default",
		 .max_attempts = 3,
		 .max_crashes = 2,
		 .timeout_us = S(60)},
		{.name = "once", .queue = "default", .max_attempts = 1, .max_crashes = 2},
		{.name = "frail", .queue = "default", .max_attempts = 2, .max_crashes = 0},
		{.name = "urgent", .queue = "critical", .max_attempts = 3, .max_crashes = 2},
		{.name = "ranked", .queue = "prio", .max_attempts = 3, .max_crashes = 2}};
	struct rv_req req = {.kind = RV_REQ_MIRROR};

	req.u.mirror = (struct rv_req_mirror){.tasks = tasks,
					      .ntasks = RV_ARRAY_LEN(tasks),
					      .queues = queues,
					      .nqueues = RV_ARRAY_LEN(queues)};
	ERR(ask(f, &req), RV_OK);
}

void fixture_open(struct fixture *f, size_t backend)
{
	struct rv_store_open how = {
		.backend = backends[backend], .create = true, .migrate = true, .group = (gid_t)-1};

	memset(f, 0, sizeof *f);
	f->backend = backends[backend];
	f->wall_us = START_US;
	current = f;
	rv_seam_install(&frozen);
	(void)snprintf(f->path, sizeof f->path, "%s/reeve.db", rv_test_tmpdir());
	how.path = f->path;
	ERR(rv_store_open(&how, &f->store, &f->why), RV_OK);
	mirror(f);
	f->req.u.raise =
		(struct rv_req_raise){.pid = getpid(), .incarnation_base = W_BASE, .area = 1};
	(void)snprintf(f->req.u.raise.boot_id, sizeof f->req.u.raise.boot_id, "boot-a");
	(void)snprintf(f->req.u.raise.runtime_dir, sizeof f->req.u.raise.runtime_dir, "/run/reeve");
	ERR(ask_kind(f, RV_REQ_RAISE), RV_OK);
	ERR(join(f, W1, 1), RV_OK);
	ERR(join(f, W2, 2), RV_OK);
}

static void broken(void *ctx, const char *rule, const char *what)
{
	(void)fprintf(stderr, "broken: %s: %s\n", rule, what);
	++*(int *)ctx;
}

void fixture_check(struct fixture *f)
{
	int found = 0;

	ERR(rv_store_check(f->store, false, broken, &found), RV_OK);
	cr_assert(eq(int, found, 0), "invariants are broken");
}

void fixture_close(struct fixture *f)
{
	fixture_check(f);
	rv_store_close(f->store);
	rv_test_tmpdir_end();
	rv_seam_install(NULL);
}

int ask(struct fixture *f, const struct rv_req *req)
{
	struct rv_req *one = &f->req;

	if (req != one)
		*one = *req;
	one->err = 1;
	memset(&f->why, 0, sizeof f->why);
	cr_assert(
		eq(int, rv_store_do(f->store, &one, 1, RV_DURABILITY_NORMAL, S(5), &f->why), RV_OK),
		"%s", f->why.text);
	f->why = one->why;
	if (one->err == RV_OK)
		cr_assert(eq(int, one->why.text[0], 0), "words without an error: %s",
			  one->why.text);
	return one->err;
}

int ask_kind(struct fixture *f, int kind)
{
	f->req.kind = kind;
	return ask(f, &f->req);
}

int try_add(struct fixture *f, struct rv_job_new job, int64_t *ret_id)
{
	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = &job, .count = 1, .ret_ids = ret_id};
	return ask_kind(f, RV_REQ_ENQUEUE);
}

int64_t add(struct fixture *f, struct rv_job_new job)
{
	int64_t id = 0;

	ERR(try_add(f, job, &id), RV_OK);
	cr_assert(gt(i64, id, 0));
	return id;
}

int64_t add_task(struct fixture *f, const char *task)
{
	return add(f, JOB(.task = task));
}

static struct rv_req_turn *any_turn(struct fixture *f, uint64_t who, uint32_t want,
				    const char *queues, uint32_t ahead)
{
	struct rv_req_turn *t = &f->req.u.turn;
	char list[256];
	char *rest = NULL;

	memset(t, 0, sizeof *t);
	t->incarnation = who;
	t->want = want;
	t->prefetch = ahead;
	(void)snprintf(list, sizeof list, "%s", queues);
	for (char *q = strtok_r(list, " ", &rest); q; q = strtok_r(NULL, " ", &rest))
		(void)snprintf(t->queues[t->nqueues++], RV_NAME_MAX, "%s", q);
	return t;
}

struct rv_req_turn *turn(struct fixture *f, uint64_t who, uint32_t want, const char *queues)
{
	struct rv_req_turn *t = any_turn(f, who, want, queues, 0);

	ERR(ask_kind(f, RV_REQ_TURN), RV_OK);
	return t;
}

struct rv_req_turn *prefetch(struct fixture *f, uint64_t who, uint32_t want, const char *queues)
{
	struct rv_req_turn *t = any_turn(f, who, want, queues, 1);

	ERR(ask_kind(f, RV_REQ_TURN), RV_OK);
	return t;
}

int64_t claim(struct fixture *f, uint64_t who, int64_t id)
{
	struct rv_req_turn *t = turn(f, who, 1, "critical default bulk prio");

	cr_assert(eq(u32, t->nclaimed, 1));
	IS(t->claimed[0].job, id);
	return t->claimed[0].fence;
}

int ack_with(struct fixture *f, uint64_t who, struct rv_ack one)
{
	struct rv_req_turn *t = any_turn(f, who, 0, "", 0);

	t->nacks = 1;
	t->acks[0] = one;
	t->acks[0].err = 1;
	ERR(ask_kind(f, RV_REQ_TURN), RV_OK);
	IS(t->nclaimed, 0);
	return t->acks[0].err;
}

int ack(struct fixture *f, uint64_t who, int64_t id, int64_t fence, enum rv_outcome outcome)
{
	return ack_with(f, who,
			ACK(.job = id, .fence = fence, .outcome = (int32_t)outcome,
			    .started_us = f->wall_us, .ended_us = f->wall_us + 5));
}

void run(struct fixture *f, int64_t id, enum rv_outcome outcome)
{
	ERR(ack(f, W1, id, claim(f, W1, id), outcome), RV_OK);
}

int cancel(struct fixture *f, int64_t id)
{
	f->req.u.cancel = (struct rv_req_cancel){.job = id, .was = -1, .slot = -9};
	return ask_kind(f, RV_REQ_CANCEL);
}

int retry(struct fixture *f, int64_t id)
{
	f->req.u.retry = (struct rv_req_retry){.job = id, .was = -1};
	return ask_kind(f, RV_REQ_RETRY);
}

int forget(struct fixture *f, int64_t id)
{
	f->req.u.remove = (struct rv_req_remove){.job = id};
	return ask_kind(f, RV_REQ_DELETE);
}

int pause_queue(struct fixture *f, const char *queue, int paused)
{
	f->req.u.pause = (struct rv_req_pause){.paused = paused};
	(void)snprintf(f->req.u.pause.queue, RV_NAME_MAX, "%s", queue);
	return ask_kind(f, RV_REQ_PAUSE);
}

int wait_for(struct fixture *f, int64_t id, const char *path, int64_t expires_us)
{
	f->req.u.waiter = (struct rv_req_waiter){.job = id, .expires_us = expires_us};
	(void)snprintf(f->req.u.waiter.path, sizeof f->req.u.waiter.path, "%s", path);
	return ask_kind(f, RV_REQ_WAITER);
}

int join(struct fixture *f, uint64_t who, int slot)
{
	f->req.u.join = (struct rv_req_join){.incarnation = who,
					     .pid = ABSENT_PID,
					     .start_ticks = 5,
					     .slot = slot,
					     .pool = "default",
					     .boot_id = "boot-a",
					     .beat_deadline_us = S(1000)};
	return ask_kind(f, RV_REQ_JOIN);
}

int leave(struct fixture *f, uint64_t who)
{
	f->req.u.leave = (struct rv_req_leave){.incarnation = who};
	return ask_kind(f, RV_REQ_LEAVE);
}

int died(struct fixture *f, uint64_t who, int how, int64_t started_fence, const char *words)
{
	struct rv_req_expire *e = &f->req.u.expire;

	memset(e, 0, sizeof *e);
	e->count = 1;
	e->who[0] = (struct rv_expire_one){
		.incarnation = who, .died = how, .started_fence = started_fence};
	(void)snprintf(e->who[0].words, sizeof e->who[0].words, "%s", words);
	ERR(ask_kind(f, RV_REQ_EXPIRE), RV_OK);
	return e->who[0].released;
}

struct rv_req_promote *promote(struct fixture *f, uint32_t limit)
{
	f->req.u.promote = (struct rv_req_promote){.limit = limit, .sweep = limit};
	ERR(ask_kind(f, RV_REQ_PROMOTE), RV_OK);
	return &f->req.u.promote;
}

struct rv_job_view *see(struct fixture *f, int64_t id)
{
	ERR(rv_store_job(f->store, id, &f->seen), RV_OK);
	IS(f->seen.id, id);
	return &f->seen;
}

const char *state(struct fixture *f, int64_t id)
{
	return rv_job_state_name(see(f, id)->state);
}

struct wanted_count {
	const char *queue;
	enum rv_job_state state;
	int64_t count;
};

static int note_count(void *ctx, const struct rv_queue_view *view)
{
	struct wanted_count *want = ctx;

	if (strcmp(view->name, want->queue) == 0)
		want->count = view->counts[want->state];
	return RV_OK;
}

int64_t count_of(struct fixture *f, const char *queue, enum rv_job_state which)
{
	struct wanted_count want = {.queue = queue, .state = which, .count = -1};

	ERR(rv_store_queues(f->store, note_count, &want), RV_OK);
	return want.count;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

const char *rings(struct fixture *f)
{
	static char text[4096];
	const struct rv_ring *list = NULL;
	size_t n = rv_store_rings(f->store, &list);
	char one[64][160];
	size_t used = 0;

	cr_assert(le(sz, n, RV_ARRAY_LEN(one)));
	for (size_t i = 0; i < n; i++) {
		if (list[i].kind == RV_RING_QUEUE)
			(void)snprintf(one[i], sizeof one[i], "Q %s;", list[i].name);
		else if (list[i].kind == RV_RING_SCHEDULED)
			(void)snprintf(one[i], sizeof one[i], "S;");
		else
			(void)snprintf(one[i], sizeof one[i], "W %s %lld;", list[i].name,
				       (long long)list[i].job);
	}
	qsort(one, n, sizeof one[0], by_text);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s", one[i]);
	return text;
}

void same_text(const char *file, int line, const char *is, const char *want)
{
	bool same = is && want ? strcmp(is, want) == 0 : is == want;

	cr_assert(same, "%s:%d: \"%s\" should be \"%s\"", file, line, is ? is : "(null)",
		  want ? want : "(null)");
}

void has_text(const char *file, int line, const char *is, const char *part)
{
	cr_assert(is && strstr(is, part) != NULL, "%s:%d: \"%s\" should have \"%s\" in it", file,
		  line, is ? is : "(null)", part);
}
