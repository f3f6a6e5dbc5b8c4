#ifndef RV_CONTRACT_DIFFER_H
#define RV_CONTRACT_DIFFER_H

/* The two stores side by side, and what the chooser of requests remembers. */

#include "dice.h"
#include "store/batch.h"
#include "store/read.h"
#include "store/schedule.h"

#define JOBS_MAX    4096
#define LEASES_MAX  256
#define WORKERS_MAX 32
#define BLOCK_MAX   4 /* jobs of one ENQUEUE */

struct side {
	const char *name;
	struct rv_store *handles[2]; /* of one store; one only where nothing else sees it */
	struct rv_store *store;      /* the one of this transaction */
	struct rv_req req;
	int64_t ids[BLOCK_MAX];
};

struct lease {
	int64_t job, fence;
	uint64_t who;
};

struct world {
	struct side side[2];
	struct dice dice;
	struct still clock;
	int64_t jobs[JOBS_MAX]; /* given out and not deleted */
	size_t njobs;
	int64_t fresh[RV_TURN_MAX]; /* jobs that nobody asked for */
	size_t nfresh;
	int64_t nbatches;                /* given out */
	struct lease leases[LEASES_MAX]; /* the last ones, live or not */
	size_t nleases;
	uint64_t workers[WORKERS_MAX], gone[WORKERS_MAX]; /* believed to live; were ended */
	size_t nworkers, ngone;
	uint64_t start; /* of this daemon: incarnations are start << 32 | n */
	int boot;
	uint32_t next_worker;
	/* the last that lends: more of the same shall be its children */
	int64_t lender;
	int eager; /* requests until they are there and asked for */
	char lender_task[RV_NAME_MAX], lender_key[RV_KEY_MAX], lender_queue[RV_NAME_MAX];
	int64_t touched[RV_TURN_MAX * 3 + BLOCK_MAX];
	size_t ntouched;
	/* what a request borrows until it is executed */
	struct rv_job_new news[BLOCK_MAX];
	char texts[BLOCK_MAX][4][32];
	int64_t parents[BLOCK_MAX][3];
	struct rv_queue_def turned;
	struct rv_task_def tasks[8];
	struct rv_resource_def resources[2];
	struct rv_schedule_def schedules[4], schedule;
	long step, next_look;
	bool verbose;
	uint64_t asked[RV_REQ_KINDS], refused[RV_REQ_KINDS];
};

/* differ_ask.c: a random request into side 0; differ_learn.c: after it was executed, what it
 * taught.
 */
void choose(struct world *w, struct rv_req *req);
void learn(struct world *w, const struct rv_req *req, const int64_t *ids);
void learn_callbacks(struct world *w);
void mirror_request(struct rv_req *req);
void raise_request(struct world *w, struct rv_req *req);

/* differ_lend.c: the job becomes a child of the last that lends, sometimes. */
void child_of_lender(struct world *w, struct rv_job_new *job);
void ask_lend(struct world *w, struct rv_req *req);

/* differ_same.c: each ends the process with words when the sides differ. */
void differ_fail(const struct world *w, const char *format, ...) RV_PRINTF(2, 3) RV_NORETURN;
void same_answers(struct world *w, const struct rv_req *a, const struct rv_req *b);
void same_rings(struct world *w);
void same_job(struct world *w, int64_t id);
void same_everything(struct world *w);

#endif
