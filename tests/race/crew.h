#ifndef RV_TEST_CREW_H
#define RV_TEST_CREW_H

/*
 * A crew: processes over one SQLite store and one area, each the test program itself started again
 * with a role.  The test is the ground they stand on: it holds the store for setting up and
 * looking, and can hold the area's mutex.  Everything that fails to be set up aborts.
 */

#include "helpers/child.h"
#include "store/read.h"
#include "store/writer.h"

#define CREW_QUEUES     512 /* q0, q1, …: a fresh one for each case */
#define CREW_TIMEOUT_MS 60000

struct crew {
	char *path;
	struct rv_store *store;
	struct rv_area area;
	int area_fd;
	uint64_t last_incarnation;
	int passed, failed;
};

/* One process of it. */
struct crew_hand {
	struct rv_test_child child;
	unsigned slot;
	uint64_t incarnation;
};

/* What a hand answers to an order: "= result err a b c". */
struct crew_answer {
	int result, err;
	int64_t a, b, c;
};

/* A fresh store with task t (many attempts, many crashes) and the queues; then areas, one at a
 * time. */
void crew_open(struct crew *crew);
void crew_area(struct crew *crew, unsigned nslots);
/* Looks for broken invariants, prints "N passed, N failed, 0 skipped", returns main's value. */
int crew_close(struct crew *crew);
void crew_check_store(struct crew *crew, bool full);
/* Counts, and prints what was expected if it is not so. */
bool crew_check(struct crew *crew, bool holds, const char *format, ...) RV_PRINTF(3, 4);

/*
 * Starts this program again: ROLE STORE AREA SLOT INCARNATION [word], with RV_FAULT=${fault} (may
 * be NULL), the next incarnation, which has joined, and waits until its writer is open.
 */
void crew_start(struct crew *crew, struct crew_hand *ret_hand, const char *role, unsigned slot,
		const char *fault, const char *word);
/* crew_start without waiting for "open". */
void crew_launch(struct crew *crew, struct crew_hand *ret_hand, const char *role, unsigned slot,
		 const char *fault, const char *word);
/* Tells it "quit" and waits for exit code 0. */
void crew_quit(struct crew *crew, struct crew_hand *hand);
/* KILLs and reaps. */
void crew_kill(struct crew_hand *hand);
/* SIGSTOPs and waits until it stands; waits until it was stopped by itself. */
void crew_stop(struct crew_hand *hand);
void crew_wait_stopped(struct crew_hand *hand);
void crew_order(struct crew_hand *hand, const char *format, ...) RV_PRINTF(2, 3);
/* The next line of it, which must begin with ${word}; false: it did not come in time. */
bool crew_hear(struct crew_hand *hand, const char *word, char *ret_line, size_t space);
/* Passes over what it said while it waited. */
bool crew_answered(struct crew_hand *hand, struct crew_answer *ret_answer);

/* For setting up, without the area.  job: one of task t in ${queue}. */
void crew_do(struct crew *crew, struct rv_req *req);
struct rv_req *crew_request(int kind); /* one static buffer, zeroed */
void crew_join(struct crew *crew, uint64_t incarnation, unsigned slot);
int64_t crew_job(struct crew *crew, const char *queue, int64_t run_at_us);
void crew_jobs(struct crew *crew, const char *queue, size_t count);
/* Claims one of ${queue} for ${incarnation}. */
void crew_claim(struct crew *crew, uint64_t incarnation, const char *queue, int64_t *ret_job,
		int64_t *ret_fence);
int64_t crew_count(struct crew *crew, const char *queue, enum rv_job_state state);

/* The side of the hand. */
struct crew_self {
	const char *word;
	struct rv_store *store;
	struct rv_area area;
	struct rv_writer *writer;
	unsigned slot;
	uint64_t incarnation;
};
/* From main's arguments; prints "open". */
void crew_self_open(struct crew_self *self, int argc, char **argv);
void crew_self_close(struct crew_self *self);
/* The role "hand": does what it is ordered until "quit". */
int crew_hand_main(int argc, char **argv);

#endif
