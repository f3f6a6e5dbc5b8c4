#ifndef RV_TEST_WRITER_FIXTURE_H
#define RV_TEST_WRITER_FIXTURE_H

/*
 * A writer over the memory backend in an area of its own, a frozen clock, and the means to play the
 * other processes by hand: posting in their slots, holding the mutex, dying in a round.
 */

#include "base/seam.h"
#include "store/backend.h"
#include "store/writer.h"

#define SLOTS  70 /* more than one word of the bitmap */
#define OURS   2u
#define OTHER  66u
#define WE     0x100000002ULL
#define THEY   0x100000042ULL
#define SECOND RV_S_US

struct writer_fixture {
	struct rv_store *store; /* task t in queue q, 8 jobs; WE and THEY have joined */
	struct rv_area area;
	struct rv_writer *writer; /* WE in slot OURS */
	int area_fd;
	uint64_t area_id;
	int64_t clock_us; /* the frozen mono */
};

/* What the callbacks saw, and what a beat is to do. */
struct writer_seen {
	int beats, stucks, rings;
	unsigned stuck_slot;
	struct rv_ring ring;
	void (*on_beat)(void);
};

extern struct writer_fixture fx;
extern struct writer_seen seen;
extern int64_t ids[8]; /* of the last enqueue() */

void writer_setup(void);
void writer_teardown(void);

struct rv_writer_open how(unsigned slot, uint64_t incarnation);
/* Each is malloc'ed. */
struct rv_req *request(int kind);
struct rv_req *enqueue(size_t count);
struct rv_req *claim(uint64_t incarnation, uint32_t want);
/* Executes it without the writer. */
void must_do(struct rv_req *req);
int64_t running(void);

uint32_t state_of(unsigned slot);
bool marked(unsigned slot);
struct rv_req *in_slot(unsigned slot);
/* What another process would do; post frees ${req}. */
void post_as(unsigned slot, const struct rv_req *req, uint32_t state);
void post(unsigned slot, struct rv_req *req);
void assert_at_rest(void);
/* The mutex is held by "somebody": for a normal mutex the same thread's trylock is EBUSY too. */
void hold(void);
void release(void);

/* rv_writer_do with a second's patience; _idle: a request that does nothing. */
int lead(struct rv_req *req);
int lead_idle(void);
/* A leader died in round 7 after it had executed the claim of OTHER; the store has ${in_store}. */
void left_open(uint64_t in_store);

#endif
