#ifndef RV_REEVE_ETA_H
#define RV_REEVE_ETA_H

/* How much longer: an estimate for people, or nothing.  Pure. */

#include <stdint.h>

/* What is seen of work that is waited for. */
struct rv_eta_seen {
	int64_t done, left; /* jobs (or bytes) that have ended since we look; that have not */
	int64_t elapsed_us; /* since we look */
	int64_t running;    /* of those left; 0: none, or nobody knows */
	int64_t run_us;     /* how long these have run, on average */
	int64_t usual_us;   /* how long theirs usually take (p50 of their tasks); 0 unknown */
	int percent;        /* what the only one that is left says of itself; -1 nothing */
};

enum rv_eta {
	RV_ETA_NONE, /* nothing is known that is worth saying */
	RV_ETA_LEFT, /* so much longer */
	RV_ETA_OVER, /* longer already than this, which is usual */
};

/*
 * In this order: the only one that is left by what it says itself; while more are left than run,
 * by how many have ended so far; else by what is usual, or was so far.  ${*ret_us} > 0 unless NONE.
 */
enum rv_eta rv_eta(const struct rv_eta_seen *seen, int64_t *ret_us);

/* "~3 min left", "over its usual 20 s" (their, of several), ""; ${out}: RV_ETA_SPACE bytes. */
#define RV_ETA_SPACE 48
const char *rv_eta_text(const struct rv_eta_seen *seen, char out[RV_ETA_SPACE]);

/* --- the thresholds */
#define RV_ETA_PERCENT    3                          /* what a job says counts from there, */
#define RV_ETA_RUN_US     1000000LL                  /* and when it has run for so long */
#define RV_ETA_DONE       3                          /* so many must have ended, */
#define RV_ETA_ELAPSED_US 1000000LL                  /* in so long, to go by them */
#define RV_ETA_MOST_US    (30LL * 86400 * 1000000LL) /* more than that nobody can tell */

#endif
