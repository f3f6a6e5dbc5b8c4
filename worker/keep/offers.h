#ifndef RV_KEEP_OFFERS_H
#define RV_KEEP_OFFERS_H

/*
 * Jobs that clients hand over: connections the supervisor has passed on (offers.c), and what is
 * there on all of them in one transaction (offers_round.c).  client/offer.h has the words.
 */

#include "keep/keeper.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"

#define RV_OFFERS_MAX   256              /* connections */
#define RV_OFFERS_LINES RV_LIMIT(128, 4) /* of one transaction … */
#define RV_OFFERS_JOBS  256              /* … some 10 ms of the write lock */
#define RV_OFFERS_BYTES (1U << 20)       /* … to be parsed before it */

struct rv_offer_peer {
	struct rv_keeper *keeper;
	int fd; /* -1: a free place */
	uid_t uid;
	struct rv_loop_io io;
	int wants; /* of io: what it waits for */
	struct rv_buf in, out;
	size_t sent;      /* of out */
	size_t length;    /* of the line that is due */
	bool is_due;      /* a whole line waits for its round; nothing more is read until then */
	bool is_last;     /* closed when all is sent */
	uint64_t round;   /* the last in which it had a line */
	int64_t since_us; /* mono: the first byte of the line, the answer, or when it came */
};

struct rv_offers {
	struct rv_offer_peer peers[RV_OFFERS_MAX];
	unsigned ndue;
	unsigned next; /* where the next round begins: all have their turn */
	uint64_t round;
	int64_t commit_us; /* how long the last one took */
	struct rv_loop_timer turn;
	bool is_gathering;     /* turn waits for more of them */
	bool is_ripe;          /* a round is due at the end of this turn */
	bool is_in_round;      /* what comes now is planned for at its end */
	struct rv_arena arena; /* of a round */
	struct rv_req *reqs;   /* RV_OFFERS_LINES; too large for the struct */
	struct rv_req *list[RV_OFFERS_LINES];
	struct rv_offer_peer *who[RV_OFFERS_LINES];
};

/*
 * gather.c: how long to wait for more lines while ${due} are there, of ${lively} connections that
 * had one a moment ago, when a transaction takes ${commit_us}.  Who was just answered sends the
 * next line within the time it takes to wake; without a pause it always comes too late, and waits
 * for two.
 */
int64_t rv_offers_patience(unsigned due, unsigned lively, int64_t commit_us);

/* offers.c: what is in peer->out goes out; the line that was due is done with. */
void rv_offers_answered(struct rv_offer_peer *peer);
/* offers.c: without a word: whoever waits must not take what we say for the outcome. */
void rv_offers_drop(struct rv_offer_peer *peer);
/* offers.c: there may be lines due: sets the time of the next round. */
void rv_offers_plan(struct rv_keeper *keeper);

#endif
