/*
 * F2: SIGKILL at the system calls of enqueue, claim, ack, cancel, expire, promote, checkpoint and
 * of making and migrating a store, by `strace -e inject=CALL:signal=KILL:when=N`.  This program is
 * both sides: `f02_syscalls act VERB STORE` is what gets killed and says what it was told; the
 * driver copies a store (which it never opens), lets act die, and lets `act look` open it again:
 * every invariant holds, what was told is there, and work goes on.
 *
 * By default every call is hit at some of its passages, chosen by the day's seed; RV_ALL=1: at all.
 */
#include "base/seam.h"
#include "helpers/child.h"
#include "helpers/tier.h"
#include "helpers/tmpdir.h"
#include "os/self.h"
#include "os/spawn.h"
#include "store/read.h"
#include "wire/sup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKER   0x700000001ULL
#define SOME     3 /* passages of a call that are hit by default */
#define POINTS   100000
#define FINISHED 255

#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			(void)fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #cond);   \
			(void)fprintf(stderr, __VA_ARGS__);                                        \
			(void)fputc('\n', stderr);                                                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* ---- the side that is killed */

static struct rv_store *store;
static struct rv_req req;
static struct rv_why why;

static void must_open(const char *path)
{
	struct rv_store_open how = {.backend = "sqlite",
				    .path = path,
				    .create = true,
				    .migrate = true,
				    .group = (gid_t)-1};

	CHECK(rv_store_open(&how, &store, &why) == RV_OK, "%s", why.text);
}

static int ask(void)
{
	struct rv_req *reqs[] = {&req};
	int err = rv_store_do(store, reqs, 1, RV_DURABILITY_FULL, 10 * RV_S_US, &why);

	return err == RV_OK ? req.err : err;
}

static void must(void)
{
	int err = ask();

	CHECK(err == RV_OK, "%s: %s %s %s", rv_req_name(req.kind), rv_err_name(err), why.text,
	      req.why.text);
}

/* Written at once: the next thing that happens may be the end. */
static void told(const char *what, int64_t id)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%s %lld\n", what, (long long)id);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(71);
}

static void mirror(void)
{
	static const struct rv_task_def task = {
		.name = "t", .queue = "default", .max_attempts = 3, .max_crashes = 2};
	static const struct rv_queue_def queue = {.name = "default"};

	req = (struct rv_req){.kind = RV_REQ_MIRROR};
	req.u.mirror =
		(struct rv_req_mirror){.tasks = &task, .ntasks = 1, .queues = &queue, .nqueues = 1};
	must();
}

static void raise_and_join(uint64_t incarnation)
{
	uint64_t ticks = 0;
	char boot[37];

	CHECK(rv_boot_id(boot) == RV_OK && rv_proc_start_time(getpid(), &ticks) == RV_OK,
	      "who am I");
	req = (struct rv_req){.kind = RV_REQ_RAISE};
	req.u.raise = (struct rv_req_raise){.pid = getpid(),
					    .start_ticks = (int64_t)ticks,
					    .area = incarnation,
					    .incarnation_base = incarnation - 1};
	(void)snprintf(req.u.raise.boot_id, sizeof req.u.raise.boot_id, "%s", boot);
	(void)snprintf(req.u.raise.runtime_dir, sizeof req.u.raise.runtime_dir, "/nowhere");
	must();
	req = (struct rv_req){.kind = RV_REQ_JOIN};
	req.u.join = (struct rv_req_join){.incarnation = incarnation,
					  .pid = getpid(),
					  .start_ticks = (int64_t)ticks,
					  .slot = 1,
					  .pool = "default",
					  .beat_deadline_us = INT64_MAX};
	(void)snprintf(req.u.join.boot_id, sizeof req.u.join.boot_id, "%s", boot);
	must();
}

static void enqueue(size_t count, const struct rv_job_new *job)
{
	int64_t ids[64];
	struct rv_job_new jobs[64];

	for (size_t i = 0; i < count; i++)
		jobs[i] = *job;
	req = (struct rv_req){.kind = RV_REQ_ENQUEUE};
	req.u.enqueue = (struct rv_req_enqueue){.jobs = jobs, .count = count, .ret_ids = ids};
	must();
	for (size_t i = 0; i < count; i++)
		told("there", ids[i]);
}

/* Acks ${acks} with success, claims ${want}. */
static uint32_t turn(uint64_t incarnation, uint32_t want, const struct rv_claimed *acks,
		     uint32_t nacks, struct rv_claimed *ret_claimed)
{
	req = (struct rv_req){.kind = RV_REQ_TURN};
	req.u.turn = (struct rv_req_turn){
		.incarnation = incarnation, .want = want, .nqueues = 1, .nacks = nacks};
	(void)snprintf(req.u.turn.queues[0], RV_NAME_MAX, "default");
	req.u.turn.prefetch = want > 1;
	for (uint32_t i = 0; i < nacks; i++)
		req.u.turn.acks[i] = (struct rv_ack){.job = acks[i].job,
						     .fence = acks[i].fence,
						     .outcome = RV_OUTCOME_SUCCEEDED,
						     .started_us = rv_wall_us(),
						     .ended_us = rv_wall_us()};
	must();
	for (uint32_t i = 0; i < nacks; i++) {
		CHECK(req.u.turn.acks[i].err == RV_OK, "the ack of %lld", (long long)acks[i].job);
		told("done", acks[i].job);
	}
	for (uint32_t i = 0; i < req.u.turn.nclaimed; i++)
		ret_claimed[i] = req.u.turn.claimed[i];
	return req.u.turn.nclaimed;
}

static void act_seed(void)
{
	struct rv_claimed claimed[RV_TURN_MAX];
	struct rv_job_new plain = {.task = "t", .priority = -1};
	struct rv_job_new later = {.task = "t", .priority = -1};

	mirror();
	raise_and_join(WORKER);
	enqueue(6, &plain);
	later.run_at_us = rv_wall_us() + RV_S_US / 1000;
	enqueue(2, &later);
	CHECK(turn(WORKER, 1, NULL, 0, claimed) == 1, "a lease to cancel or expire");
}

static void act_make(void)
{
	mirror();
	told("mirrored", 0);
}

static void act_enqueue(void)
{
	char payload[20000];
	struct rv_job_new job = {.task = "t", .priority = -1, .payload = payload};
	struct rv_job_new keyed = {.task = "t", .priority = -1, .unique_key = "u", .idem_key = "i"};

	memset(payload, 'x', sizeof payload);
	job.payload_size = sizeof payload;
	enqueue(3, &job);
	enqueue(1, &keyed);
}

static void act_turn(void)
{
	struct rv_claimed claimed[RV_TURN_MAX];
	uint32_t n = turn(WORKER, 1, NULL, 0, claimed);

	n = turn(WORKER, 4, claimed, n, claimed);
	(void)turn(WORKER, 0, claimed, n, claimed);
}

static void act_cancel(void)
{
	for (int64_t id = 1; id <= 3; id++) { /* 1 runs, the others are ready */
		req = (struct rv_req){.kind = RV_REQ_CANCEL};
		req.u.cancel.job = id;
		must();
		told("cancelled", id);
	}
}

static void act_expire(void)
{
	req = (struct rv_req){.kind = RV_REQ_EXPIRE};
	req.u.expire.count = 1;
	req.u.expire.who[0] = (struct rv_expire_one){.incarnation = WORKER, .died = RV_DIED_CRASH};
	must();
	told("expired", 1);
}

static void act_promote(void)
{
	req = (struct rv_req){.kind = RV_REQ_PROMOTE};
	req.u.promote.limit = 100;
	must();
	told("promoted", (int64_t)req.u.promote.promoted);
}

static void act_checkpoint(void)
{
	enqueue(2, &(struct rv_job_new){.task = "t", .priority = -1});
	CHECK(rv_store_checkpoint(store, 0, NULL) == RV_OK, "nobody is in the way");
	told("moved", 0);
}

static int each_job(void *ctx, const struct rv_job_view *view)
{
	(void)ctx;
	told(rv_job_state_name(view->state), view->id);
	return RV_OK;
}

static void on_broken(void *ctx, const char *rule, const char *what)
{
	(void)fprintf(stderr, "broken: %s: %s\n", rule, what);
	*(int *)ctx += 1;
}

static void check(void)
{
	int broken = 0;

	CHECK(rv_store_check(store, true, on_broken, &broken) == RV_OK, "the check");
	CHECK(broken == 0, "%d invariants", broken);
}

/* After the kill: looks at everything, then a new daemon finishes what is left. */
static void act_look(void)
{
	const struct rv_job_filter all = {.state = -1};
	struct rv_claimed claimed[RV_TURN_MAX];
	uint32_t n;

	check();
	CHECK(rv_store_jobs(store, &all, each_job, NULL) == RV_OK, "the list");
	mirror();
	raise_and_join(WORKER + (1ULL << 32));
	act_promote();
	enqueue(1, &(struct rv_job_new){.task = "t", .priority = -1});
	while ((n = turn(WORKER + (1ULL << 32), 8, NULL, 0, claimed)) > 0)
		(void)turn(WORKER + (1ULL << 32), 0, claimed, n, claimed);
	check();
}

/* run: in this program; else `reeve WORD…` on the store. */
static const struct verb {
	const char *name;
	void (*run)(void);
	bool from_nothing;
	const char *words[6];
	const char *says; /* what a number that reeve prints means */
} verbs[] = {
	{"make", act_make, true, {NULL}, NULL},
	{"enqueue", act_enqueue, false, {NULL}, NULL},
	{"turn", act_turn, false, {NULL}, NULL},
	{"cancel", act_cancel, false, {NULL}, NULL},
	{"expire", act_expire, false, {NULL}, NULL},
	{"promote", act_promote, false, {NULL}, NULL},
	{"moved", act_checkpoint, false, {NULL}, NULL},
	{"seed", act_seed, true, {NULL}, NULL},
	{"reeve add", NULL, false, {"add", "--", "true", NULL}, "there"},
	{"reeve add, no store", NULL, true, {"add", "--", "true", NULL}, "there"},
	{"reeve cancel", NULL, false, {"cancel", "2", "3", NULL}, NULL},
	{"look", act_look, false, {NULL}, NULL},
};
#define KILLED_VERBS (RV_ARRAY_LEN(verbs) - 1) /* all but look */

static int act(const char *name, const char *path)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, name) != 0 || !verbs[i].run)
			continue;
		must_open(path);
		verbs[i].run();
		rv_store_close(store);
		return FINISHED;
	}
	return 2;
}

/* ---- the driver */

static const char *const calls[] = {"pwrite64", "fdatasync", "fsync", "fcntl",  "ftruncate",
				    "write",    "openat",    "mmap",  "unlink", "fchmod",
				    "pread64",  "close",     "munmap"};

static char self[4096];
static char reeve[4096];
static const char *dir;

static void copy_file(const char *from, const char *to)
{
	char *data = malloc(64U << 20);
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out;
	ssize_t n;

	(void)unlink(to);
	if (in >= 0) {
		CHECK(data, "memory");
		n = read(in, data, 64U << 20);
		out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		CHECK(n >= 0 && out >= 0 && write(out, data, (size_t)n) == n, "%s", to);
		(void)close(out);
		(void)close(in);
	}
	free(data);
}

static void make_clean(const struct verb *verb)
{
	static const char *const tails[] = {"", "-wal", "-shm", "-journal", ".ballast"};

	for (size_t i = 0; i < RV_ARRAY_LEN(tails); i++) {
		if (verb->from_nothing)
			(void)unlink(rv_test_path("%s/work/db%s", dir, tails[i]));
		else if (strcmp(tails[i], "-shm") == 0)
			(void)unlink(rv_test_path("%s/work/db-shm", dir));
		else
			copy_file(rv_test_path("%s/seed/db%s", dir, tails[i]),
				  rv_test_path("%s/work/db%s", dir, tails[i]));
	}
}

static int run(const char *const *words, char *said, size_t space)
{
	return rv_test_output(words, said, space, 60000);
}

/* The whole run of a verb under strace with ${option} -e ${what}; what it said, as act says it. */
static int trace(const struct verb *verb, const char *log, const char *what, char *said,
		 size_t space)
{
	static char store_path[4096];
	const char *words[24] = {"strace", "-qq", "-o", log, "-e", what};
	size_t n = 6;
	char first[64];
	int code;

	(void)snprintf(store_path, sizeof store_path, "%s/work/db", dir);
	if (verb->run) {
		words[n++] = self;
		words[n++] = "act";
		words[n++] = verb->name;
		words[n++] = store_path;
	} else {
		words[n++] = reeve;
		words[n++] = "--store";
		words[n++] = store_path;
		words[n++] = "-o";
		words[n++] = "reeve.adhoc=yes";
		for (size_t i = 0; verb->words[i]; i++)
			words[n++] = verb->words[i];
	}
	code = run(words, said, space);
	if (verb->run)
		return code;
	(void)snprintf(first, sizeof first, "%.*s", (int)strcspn(said, "\n"), said);
	said[0] = '\0';
	if (verb->says && first[0] != '\0')
		(void)snprintf(said, space, "%s %s\n", verb->says, first);
	return code == 0 ? FINISHED : code;
}

/* How often a whole run of the verb makes the call. */
static int passages(const struct verb *verb, const char *call)
{
	const char *log = rv_test_path("%s/trace", dir);
	char only[32];
	char said[4096];
	char *text;
	int count = 0;
	int code;

	(void)snprintf(only, sizeof only, "trace=%s", call);
	make_clean(verb);
	code = trace(verb, log, only, said, sizeof said);
	CHECK(code == FINISHED, "%s ends by itself: %d", verb->name, code);
	text = rv_test_read_file(log);
	for (const char *at = text; at && (at = strstr(at, call)); at++)
		count += at[strlen(call)] == '(';
	free(text);
	return count;
}

/* Was ${id} told with ${word}? */
static bool has_line(const char *text, const char *word, int64_t id)
{
	char line[64];
	const char *at;

	(void)snprintf(line, sizeof line, "%s %lld\n", word, (long long)id);
	at = strstr(text, line);
	return at && (at == text || at[-1] == '\n');
}

/* What was said before the kill against what is there after it. */
static void compare(const char *said, const char *found, const char *what)
{
	char *copy = strdup(said);
	char *rest = NULL;

	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char word[16] = "";
		long long id = 0;
		bool is_there = false;

		CHECK(sscanf(line, "%15s %lld", word, &id) == 2, "%s", line);
		for (int state = 0; state < RV_JOB_STATES; state++)
			is_there |=
				has_line(found, rv_job_state_name((enum rv_job_state)state), id);
		if (strcmp(word, "there") == 0)
			CHECK(is_there, "%s: job %lld was told and is lost", what, id);
		if (strcmp(word, "done") == 0)
			CHECK(has_line(found, "succeeded", id), "%s: job %lld was acked", what, id);
		if (strcmp(word, "cancelled") == 0 && id != 1)
			CHECK(has_line(found, "cancelled", id), "%s: job %lld", what, id);
		if (strcmp(word, "expired") == 0)
			CHECK(has_line(found, "ready", id), "%s: job %lld", what, id);
	}
	free(copy);
}

/* Kills at passage ${n}; false when the run came to its end. */
static bool kill_at(const struct verb *verb, const char *call, int n)
{
	const char *const look[] = {self, "act", "look", rv_test_path("%s/work/db", dir), NULL};
	char inject[80];
	char what[128];
	char said[8192];
	char found[8192];
	int code;

	(void)snprintf(inject, sizeof inject, "inject=%s:signal=KILL:when=%d", call, n);
	(void)snprintf(what, sizeof what, "%s killed at %s %d", verb->name, call, n);
	make_clean(verb);
	code = trace(verb, "/dev/null", inject, said, sizeof said);
	CHECK(code == 137 || code == FINISHED, "%s: it ended with %d", what, code);
	if (run(look, found, sizeof found) != FINISHED)
		CHECK(false, "%s: it cannot be used any more", what);
	compare(said, found, what);
	return code == 137;
}

static void make_seed(void)
{
	const char *const words[] = {self, "act", "seed", rv_test_path("%s/seed/db", dir), NULL};
	char said[4096];

	CHECK(mkdir(rv_test_path("%s/seed", dir), 0700) == 0, "mkdir");
	CHECK(mkdir(rv_test_path("%s/work", dir), 0700) == 0, "mkdir");
	CHECK(run(words, said, sizeof said) == FINISHED, "the seed");
}

/* Of ${count} passages: all, or the first, the last and some in between. */
static int next_point(int n, int count, uint64_t *dice)
{
#ifdef __SANITIZE_ADDRESS__
	bool all = false; /* most of its calls are the sanitizer's own */
#else
	bool all = rv_test_all();
#endif
	int step = count / SOME;

	if (all || step <= 1)
		return n + 1;
	if (n == count)
		return n + 1;
	*dice = *dice * 6364136223846793005U + 1442695040888963407U;
	n += 1 + (int)((*dice >> 33) % (uint64_t)(2 * step));
	return n < count ? n : count;
}

static void f02_kill_at_every_system_call(const struct verb *verb, uint64_t *dice, int *points)
{
	for (size_t c = 0; c < RV_ARRAY_LEN(calls); c++) {
		int count = passages(verb, calls[c]);

		for (int n = next_point(0, count, dice); n <= count;
		     n = next_point(n, count, dice)) {
			(void)kill_at(verb, calls[c], n);
			(*points)++;
		}
	}
}

int main(int argc, char **argv)
{
	const char *seed = getenv("RV_SEED");
	uint64_t dice = seed ? strtoull(seed, NULL, 10) : (uint64_t)(rv_wall_us() / 86400000000LL);
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int points = 0;

	if (argc == 4 && strcmp(argv[1], "act") == 0)
		return act(argv[2], argv[3]);
	CHECK(n > 0, "our own name");
	self[n] = '\0';
	CHECK(rv_self_sibling("reeve", reeve, sizeof reeve, &why) == RV_OK, "%s", why.text);
	(void)printf("seed %llu\n", (unsigned long long)dice);
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);     /* where a sync costs nothing */
	(void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* it does not work under strace */
	dir = rv_test_tmpdir();
	make_seed();
	for (size_t i = 0; i < KILLED_VERBS; i++) {
		int before = points;

		f02_kill_at_every_system_call(&verbs[i], &dice, &points);
		(void)printf("%s: killed at %d points\n", verbs[i].name, points - before);
		(void)fflush(stdout);
	}
	CHECK(points > 50, "strace finds calls to kill at");
	return 0;
}
