#ifndef RV_CONTRACT_FIXTURE_H
#define RV_CONTRACT_FIXTURE_H

/*
 * What the tests of the store contract share: a fresh store of one backend with a frozen wall
 * clock, some tasks, queues, a daemon and two workers; short words for requests; and at the end
 * every invariant looked at.  CONTRACT(suite, name) is a test that runs once for each row of
 * store.def.
 */

#include "base/seam.h"
#include "store/batch.h"
#include "store/read.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include <stdio.h>
#include <string.h>

#define START_US   1800000000000000LL    /* wall clock at the beginning of each test */
#define W1         0x0000000700000001ULL /* two workers of one daemon start */
#define W2         0x0000000700000002ULL
#define W_BASE     0x0000000700000000ULL
#define ABSENT_PID 2147480000 /* above any pid_max, so this process is gone */

struct fixture {
	struct rv_store *store;
	const char *backend;
	char path[512];
	int64_t wall_us;
	struct rv_why why; /* of the last request or call */
	struct rv_req req; /* of the last request */
	struct rv_job_view seen;
};

size_t fixture_backends(void);
void fixture_open(struct fixture *f, size_t backend); /* with mirror, daemon, W1 and W2 */
void fixture_close(struct fixture *f);                /* with rv_store_check */
void fixture_check(struct fixture *f);

/* One request in a transaction of its own: its err.  f->req and f->why are what came back. */
int ask(struct fixture *f, const struct rv_req *req);
int ask_kind(struct fixture *f, int kind); /* of f->req, filled in by the caller */
void tick(struct fixture *f, int64_t us);

/* Jobs.  add: must be accepted. */
int64_t add(struct fixture *f, struct rv_job_new job);
int64_t add_task(struct fixture *f, const char *task);
int try_add(struct fixture *f, struct rv_job_new job, int64_t *ret_id);

/* Turns; the answer is f->req.u.turn until the next request. */
struct rv_req_turn *turn(struct fixture *f, uint64_t who, uint32_t want, const char *queues);
struct rv_req_turn *prefetch(struct fixture *f, uint64_t who, uint32_t want, const char *queues);
/* Claims exactly the job ${id}; its fence. */
int64_t claim(struct fixture *f, uint64_t who, int64_t id);
int ack(struct fixture *f, uint64_t who, int64_t id, int64_t fence, enum rv_outcome outcome);
int ack_with(struct fixture *f, uint64_t who, struct rv_ack ack);
/* Claim and ack. */
void run(struct fixture *f, int64_t id, enum rv_outcome outcome);

int cancel(struct fixture *f, int64_t id);
int retry(struct fixture *f, int64_t id);
int forget(struct fixture *f, int64_t id);
int pause_queue(struct fixture *f, const char *queue, int paused);
int wait_for(struct fixture *f, int64_t id, const char *path, int64_t expires_us);
int join(struct fixture *f, uint64_t who, int slot);
int leave(struct fixture *f, uint64_t who);
int died(struct fixture *f, uint64_t who, int how, int64_t started_fence, const char *words);
struct rv_req_promote *promote(struct fixture *f, uint32_t limit);

/* What a job looks like (strings until the next call on the store). */
struct rv_job_view *see(struct fixture *f, int64_t id);
const char *state(struct fixture *f, int64_t id);
int64_t count_of(struct fixture *f, const char *queue, enum rv_job_state state);
/* The rings of the last transaction in a fixed order: "Q bulk;Q default;S;W /p 3;" */
const char *rings(struct fixture *f);

#define IS(a, b)     cr_assert(eq(i64, (int64_t)(a), (int64_t)(b)))
#define ERR(a, b)    cr_assert(eq(int, (a), (b)), "%s", f->why.text)
#define TEXT(a, b)   same_text(__FILE__, __LINE__, a, b)
#define STATE(id, b) same_text(__FILE__, __LINE__, state(f, id), b)
#define HAS(a, b)    has_text(__FILE__, __LINE__, a, b)
void same_text(const char *file, int line, const char *is, const char *want);
void has_text(const char *file, int line, const char *is, const char *part);

#define CONTRACT(suite, name)                                                                      \
	static void suite##_##name(struct fixture *f);                                             \
	ParameterizedTestParameters(suite, name)                                                   \
	{                                                                                          \
		static size_t which[8];                                                            \
		for (size_t i = 0; i < fixture_backends(); i++)                                    \
			which[i] = i;                                                              \
		return cr_make_param_array(size_t, which, fixture_backends());                     \
	}                                                                                          \
	ParameterizedTest(size_t *backend, suite, name)                                            \
	{                                                                                          \
		static struct fixture fixture;                                                     \
		fixture_open(&fixture, *backend);                                                  \
		suite##_##name(&fixture);                                                          \
		fixture_close(&fixture);                                                           \
	}                                                                                          \
	static void suite##_##name(struct fixture *f)

/* What is said overrides the default; that is meant. */
#pragma GCC diagnostic ignored "-Woverride-init"
#define JOB(...) ((struct rv_job_new){.task = "t", .priority = -1, __VA_ARGS__})
#define ACK(...) ((struct rv_ack){.exit_code = -1, __VA_ARGS__})
#define S(n)     ((int64_t)(n)*RV_S_US)

#endif
