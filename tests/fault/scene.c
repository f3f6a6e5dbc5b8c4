/*
 * The story the fault tests play; see scene.h.  It never stops at an error: it notes what it was
 * told, opens the store again where the handle is dead, and goes on.
 */
#include "scene.h"

#include "wire/sup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIG 40000 /* bytes of a payload with pages of its own */

static int64_t now_us = 1800000000LL * RV_S_US;

static int64_t scene_wall(void *ctx)
{
	(void)ctx;
	return now_us += 1000;
}

void scene_begin(void)
{
	static struct rv_seam seam;

	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	seam = *rv_seam();
	seam.wall_us = scene_wall;
	rv_seam_install(&seam);
}

void scene_start(struct scene *s, const char *path, enum rv_durability durability)
{
	memset(s, 0, sizeof *s);
	(void)snprintf(s->path, sizeof s->path, "%s", path);
	s->durability = durability;
	s->worker = 0x700000001ULL;
}

int scene_open(struct scene *s)
{
	struct rv_store_open how = {.backend = "sqlite",
				    .path = s->path,
				    .create = true,
				    .migrate = true,
				    .group = (gid_t)-1};

	return rv_store_open(&how, &s->store, &s->why);
}

void scene_close(struct scene *s)
{
	rv_store_close(s->store);
	s->store = NULL;
}

int scene_ask(struct scene *s)
{
	struct rv_req *reqs[] = {&s->req};
	int err;

	if (!s->store)
		return RV_E_IO;
	err = rv_store_do(s->store, reqs, 1, s->durability, 2 * RV_S_US, &s->why);
	if (err == RV_OK)
		err = s->req.err;
	if (err != RV_OK) {
		s->errors++;
		s->last_error = err;
	}
	if (err == RV_E_UNKNOWN) {
		scene_close(s);
		(void)!scene_open(s);
	}
	return err;
}

static void tell(struct scene *s, int64_t id, int err, enum told told)
{
	for (int i = 0; i < s->njobs; i++) {
		if (s->ids[i] != id)
			continue;
		if (err == RV_OK)
			s->told[i] = told;
		else if (err == RV_E_UNKNOWN)
			s->told[i] = TOLD_ANY;
	}
	if (err == RV_OK && s->acked)
		s->acked(s);
}

int64_t scene_add(struct scene *s, const struct rv_job_new *job)
{
	int64_t id = 0;
	int err;

	memset(&s->req, 0, sizeof s->req);
	s->req.kind = RV_REQ_ENQUEUE;
	s->req.u.enqueue.jobs = job;
	s->req.u.enqueue.count = 1;
	s->req.u.enqueue.ret_ids = &id;
	err = scene_ask(s);
	s->unknown = s->unknown || err == RV_E_UNKNOWN;
	if (err != RV_OK)
		return 0;
	CHECK(s->njobs < SCENE_JOBS, "too many jobs for the ledger");
	s->ids[s->njobs++] = id;
	tell(s, id, RV_OK, TOLD_THERE);
	return id;
}

int scene_turn(struct scene *s, uint32_t want, const struct rv_ack *acks, uint32_t nacks)
{
	struct rv_req_turn *turn = &s->req.u.turn;
	int err;

	memset(&s->req, 0, sizeof s->req);
	s->req.kind = RV_REQ_TURN;
	turn->incarnation = s->worker;
	turn->want = want;
	turn->nqueues = 2;
	(void)snprintf(turn->queues[0], sizeof turn->queues[0], "default");
	(void)snprintf(turn->queues[1], sizeof turn->queues[1], "prio");
	turn->nacks = nacks;
	if (nacks > 0)
		memcpy(turn->acks, acks, nacks * sizeof *acks);
	err = scene_ask(s);
	for (uint32_t i = 0; i < nacks; i++) {
		int one = err == RV_OK ? turn->acks[i].err : err;

		tell(s, acks[i].job, one,
		     acks[i].outcome == RV_OUTCOME_SUCCEEDED ? TOLD_SUCCEEDED : TOLD_THERE);
	}
	return err;
}

static int ask_job(struct scene *s, int kind, int64_t id, enum told told)
{
	int err;

	if (id == 0)
		return RV_E_NOTFOUND;
	memset(&s->req, 0, sizeof s->req);
	s->req.kind = kind;
	s->req.u.cancel.job = id; /* the first field of all three */
	err = scene_ask(s);
	tell(s, id, err, told);
	return err;
}

static int join(struct scene *s)
{
	memset(&s->req, 0, sizeof s->req);
	s->req.kind = RV_REQ_JOIN;
	s->req.u.join.incarnation = s->worker;
	s->req.u.join.slot = 1;
	(void)snprintf(s->req.u.join.pool, sizeof s->req.u.join.pool, "default");
	(void)snprintf(s->req.u.join.boot_id, sizeof s->req.u.join.boot_id, "boot");
	return scene_ask(s);
}

void scene_make(const char *path, enum rv_durability durability)
{
	static const struct rv_task_def tasks[] = {
		{.name = "t", .queue = "default", .max_attempts = 3, .max_crashes = 2},
		{.name = "p", .queue = "prio", .max_attempts = 2, .max_crashes = 1},
	};
	static const struct rv_queue_def queues[] = {
		{.name = "default"}, {.name = "prio", .strategy = RV_STRATEGY_PRIORITY}};
	struct scene *s = calloc(1, sizeof *s);

	CHECK(s, "no memory");
	scene_start(s, path, durability);
	CHECK(scene_open(s) == RV_OK, "%s", s->why.text);
	s->req.kind = RV_REQ_MIRROR;
	s->req.u.mirror.tasks = tasks;
	s->req.u.mirror.ntasks = RV_ARRAY_LEN(tasks);
	s->req.u.mirror.queues = queues;
	s->req.u.mirror.nqueues = RV_ARRAY_LEN(queues);
	CHECK(scene_ask(s) == RV_OK, "%s", s->why.text);
	memset(&s->req, 0, sizeof s->req);
	s->req.kind = RV_REQ_RAISE;
	s->req.u.raise.pid = getpid();
	s->req.u.raise.incarnation_base = 0x700000000ULL;
	(void)snprintf(s->req.u.raise.boot_id, sizeof s->req.u.raise.boot_id, "boot");
	CHECK(scene_ask(s) == RV_OK, "%s", s->why.text);
	CHECK(join(s) == RV_OK, "%s", s->why.text);
	scene_close(s);
	free(s);
}

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	char data[65536];
	ssize_t got;
	int out;

	(void)unlink(to);
	if (in < 0)
		return;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(out >= 0, "cannot write %s", to);
	while ((got = read(in, data, sizeof data)) > 0)
		CHECK(write(out, data, (size_t)got) == got, "cannot write %s", to);
	(void)close(in);
	(void)close(out);
}

static const char *const endings[] = {"", "-wal", "-shm", "-journal", ".ballast"};

void scene_remove(const char *path)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(endings); i++) {
		char name[600];

		(void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
		(void)unlink(name);
	}
}

void scene_copy(const char *from, const char *to)
{
	char a[600];
	char b[600];

	scene_remove(to);
	copy_file(from, to);
	(void)snprintf(a, sizeof a, "%s-wal", from);
	(void)snprintf(b, sizeof b, "%s-wal", to);
	copy_file(a, b);
}

/* What the last turn gave us, as an ack with an outcome. */
static bool given(struct scene *s, uint32_t i, int outcome, struct rv_ack *ret_ack)
{
	const struct rv_req_turn *turn = &s->req.u.turn;

	if (s->req.kind != RV_REQ_TURN || s->req.err != RV_OK || i >= turn->nclaimed)
		return false;
	*ret_ack = (struct rv_ack){.job = turn->claimed[i].job,
				   .fence = turn->claimed[i].fence,
				   .outcome = outcome,
				   .exit_code = outcome,
				   .started_us = now_us,
				   .ended_us = now_us};
	return true;
}

/* The worker is gone while it runs jobs; another one comes. */
static void crash_and_replace(struct scene *s)
{
	memset(&s->req, 0, sizeof s->req);
	s->req.kind = RV_REQ_EXPIRE;
	s->req.u.expire.count = 1;
	s->req.u.expire.who[0].incarnation = s->worker;
	s->req.u.expire.who[0].died = RV_DIED_CRASH;
	(void)snprintf(s->req.u.expire.who[0].words, sizeof s->req.u.expire.who[0].words,
		       "killed by signal 9");
	if (scene_ask(s) == RV_OK || s->last_error == RV_E_UNKNOWN)
		s->worker++;
	(void)join(s);
}

static void play_first_half(struct scene *s, int64_t *ret_cancelled)
{
	struct rv_job_new plain = {.task = "t", .priority = -1};
	struct rv_job_new keyed = {.task = "t", .priority = -1, .unique_key = "u", .idem_key = "i"};
	struct rv_job_new later = {.task = "p", .priority = 5, .run_at_us = now_us + 5 * RV_S_US};
	struct rv_ack acks[2];
	int64_t parent = scene_add(s, &plain);
	struct rv_job_new child = {.task = "p", .priority = 7, .after = &parent, .nafter = 1};
	uint32_t n = 0;

	(void)scene_add(s, &keyed);
	(void)scene_add(s, &later);
	if (parent)
		(void)scene_add(s, &child);
	*ret_cancelled = scene_add(s, &plain);
	(void)scene_turn(s, 2, NULL, 0);
	n += given(s, 0, RV_OUTCOME_SUCCEEDED, &acks[n]);
	n += given(s, 1, RV_OUTCOME_FAILED, &acks[n]);
	(void)ask_job(s, RV_REQ_CANCEL, *ret_cancelled, TOLD_CANCELLED);
	(void)scene_turn(s, 1, acks, n);
	crash_and_replace(s);
}

bool scene_play(struct scene *s)
{
	static char payload[BIG];
	struct rv_job_new big = {
		.task = "t", .priority = -1, .payload = payload, .payload_size = sizeof payload};
	struct rv_job_new mortal = {.task = "t", .priority = -1, .ttl_us = 10};
	struct rv_ack ack;
	int64_t cancelled;
	int64_t size;
	int64_t done;

	if (scene_open(s) != RV_OK)
		return false;
	play_first_half(s, &cancelled);
	done = scene_add(s, &big);
	(void)scene_add(s, &mortal);
	memset(&s->req, 0, sizeof s->req);
	s->req.kind = RV_REQ_PROMOTE;
	s->req.u.promote.limit = 10;
	now_us += 10 * RV_S_US;
	(void)scene_ask(s);
	for (int i = 0; i < 3; i++) {
		(void)scene_turn(s, 1, NULL, 0);
		if (given(s, 0, RV_OUTCOME_SUCCEEDED, &ack))
			(void)scene_turn(s, 0, &ack, 1);
	}
	if (s->store)
		(void)!rv_store_checkpoint(s->store, 0, &size);
	(void)ask_job(s, RV_REQ_RETRY, cancelled, TOLD_THERE);
	if (done && ask_job(s, RV_REQ_CANCEL, done, TOLD_CANCELLED) == RV_OK)
		(void)ask_job(s, RV_REQ_DELETE, done, TOLD_GONE);
	if (s->store)
		(void)!rv_store_checkpoint(s->store, 0, &size);
	scene_close(s);
	return true;
}

static bool as_told(const struct scene *ledger, int i, int err, const struct rv_job_view *view)
{
	switch (ledger->told[i]) {
	case TOLD_NOTHING:
	case TOLD_ANY:
		return true;
	case TOLD_GONE:
		return err == RV_E_NOTFOUND;
	case TOLD_SUCCEEDED:
		return err == RV_OK && view->state == RV_JOB_SUCCEEDED;
	case TOLD_CANCELLED: /* or asked to end, when it was leased */
		return err == RV_OK && (view->state == RV_JOB_CANCELLED || view->cancel_requested);
	case TOLD_THERE:
	default:
		return err == RV_OK;
	}
}

int scene_lost(const struct scene *ledger, struct rv_store *store)
{
	int lost = 0;

	for (int i = 0; i < ledger->njobs; i++) {
		struct rv_job_view view;
		int err = rv_store_job(store, ledger->ids[i], &view);

		CHECK(err == RV_OK || err == RV_E_NOTFOUND, "job %lld: %s",
		      (long long)ledger->ids[i], rv_err_text(err));
		lost += !as_told(ledger, i, err, &view);
	}
	return lost;
}

static void broken(void *ctx, const char *rule, const char *what)
{
	CHECK(false, "%s: %s: %s", (const char *)ctx, rule, what);
}

void scene_verify_at(const struct scene *ledger, const char *path, const char *what)
{
	struct rv_store_open how = {
		.backend = "sqlite", .path = path, .migrate = true, .group = (gid_t)-1};
	struct rv_store *store = NULL;
	struct rv_why why = {{0}};
	char name[256];
	int lost;

	(void)snprintf(name, sizeof name, "%s", what);
	CHECK(rv_store_open(&how, &store, &why) == RV_OK, "%s: %s", what, why.text);
	CHECK(rv_store_check(store, true, broken, name) == RV_OK, "%s", what);
	lost = scene_lost(ledger, store);
	CHECK(lost == 0, "%s: %d of %d jobs are not what was told", what, lost, ledger->njobs);
	rv_store_close(store);
}

void scene_verify(struct scene *s, const char *what)
{
	scene_close(s);
	scene_verify_at(s, s->path, what);
}
