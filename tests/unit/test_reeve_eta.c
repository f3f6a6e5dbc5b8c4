/* tools/reeve/eta.c: each rule on both sides of its thresholds, and the words. */
#include "helpers/assert.h"

#include "eta.h"

#include <string.h>

#define S(n)            ((n)*1000000LL)
#define MIN(n)          S((n)*60LL)
#define H(n)            MIN((n)*60LL)
#define SEEN(...)       ((struct rv_eta_seen){__VA_ARGS__}) /* 0 percent: it has said nothing yet */
#define IS(us, ...)     is(__LINE__, RV_ETA_LEFT, us, SEEN(__VA_ARGS__))
#define OVER(us, ...)   is(__LINE__, RV_ETA_OVER, us, SEEN(__VA_ARGS__))
#define NONE(...)       is(__LINE__, RV_ETA_NONE, -7, SEEN(__VA_ARGS__))
#define SAYS(text, ...) says(__LINE__, text, SEEN(__VA_ARGS__))

static void is(int line, enum rv_eta want, int64_t us, struct rv_eta_seen seen)
{
	int64_t got = -7;
	enum rv_eta eta = rv_eta(&seen, &got);

	cr_assert(eq(int, (int)eta, (int)want), "line %d", line);
	cr_assert(eq(i64, got, us), "line %d", line);
}

static void says(int line, const char *want, struct rv_eta_seen seen)
{
	char out[RV_ETA_SPACE];

	cr_assert(zero(int, strcmp(rv_eta_text(&seen, out), want)), "line %d: %s", line, out);
}

Test(eta, nothing_is_known)
{
	NONE(.left = 0);
	NONE(.left = 1);
	NONE(.left = 5, .elapsed_us = H(1));
	NONE(.left = 5, .running = 2, .run_us = S(5));
	NONE(.left = 5, .usual_us = S(9)); /* nothing runs, nobody knows when it will */
	NONE(.left = 0, .done = 9, .elapsed_us = S(9), .running = 1, .usual_us = S(9));
}

Test(eta, what_a_job_says_itself)
{
	IS(S(30), .left = 1, .running = 1, .run_us = S(10), .percent = 25);
	IS(S(97), .left = 1, .running = 1, .run_us = S(3), .percent = 3);
	NONE(.left = 1, .running = 1, .run_us = S(3), .percent = 2);
	NONE(.left = 1, .running = 1, .run_us = S(3), .percent = -1);
	IS(S(1), .left = 1, .running = 1, .run_us = S(99), .percent = 99);
	NONE(.left = 1, .running = 1, .run_us = S(99), .percent = 100);
	IS(S(1), .left = 1, .running = 1, .run_us = S(1), .percent = 50);
	NONE(.left = 1, .running = 1, .run_us = S(1) - 1, .percent = 50);
	/* before what is usual, unless it says too little */
	IS(S(10), .left = 1, .running = 1, .run_us = S(10), .percent = 50, .usual_us = S(300));
	IS(S(290), .left = 1, .running = 1, .run_us = S(10), .percent = 2, .usual_us = S(300));
	/* one of several does not speak for the others; the last of many does */
	NONE(.left = 2, .running = 1, .run_us = S(10), .percent = 50);
	IS(S(10), .left = 1, .running = 1, .run_us = S(10), .percent = 50, .done = 99,
	   .elapsed_us = S(99));
	/* a stalled one takes longer, and never less than nothing */
	IS(S(900), .left = 1, .running = 1, .run_us = S(100), .percent = 10);
}

Test(eta, what_is_usual)
{
	IS(S(50), .left = 1, .running = 1, .run_us = S(10), .usual_us = S(60));
	IS(1, .left = 1, .running = 1, .run_us = S(60) - 1, .usual_us = S(60));
	OVER(S(60), .left = 1, .running = 1, .run_us = S(60), .usual_us = S(60));
	OVER(S(60), .left = 1, .running = 1, .run_us = H(60), .usual_us = S(60));
	/* in rounds of as many as run */
	IS(S(50), .left = 4, .running = 4, .run_us = S(10), .usual_us = S(60));
	IS(S(110), .left = 5, .running = 4, .run_us = S(10), .usual_us = S(60));
	IS(S(110), .left = 8, .running = 4, .run_us = S(10), .usual_us = S(60));
	IS(S(170), .left = 9, .running = 4, .run_us = S(10), .usual_us = S(60));
	IS(S(60), .left = 8, .running = 4, .run_us = S(60),
	   .usual_us = S(60)); /* late: a round more */
	OVER(S(60), .left = 4, .running = 4, .run_us = S(61), .usual_us = S(60));
}

Test(eta, how_fast_it_goes)
{
	IS(S(70), .done = 3, .left = 7, .elapsed_us = S(30));
	NONE(.done = 2, .left = 8, .elapsed_us = S(30));
	IS(S(7) / 3, .done = 3, .left = 7, .elapsed_us = S(1));
	NONE(.done = 3, .left = 7, .elapsed_us = S(1) - 1);
	/* from the third on it takes the place of what is usual */
	IS(S(70), .done = 3, .left = 7, .elapsed_us = S(30), .running = 2, .usual_us = S(600));
	IS(S(2400), .done = 2, .left = 8, .elapsed_us = S(30), .running = 2, .usual_us = S(600));
	/* while more are left than run; the last ones end when they end */
	IS(S(50), .done = 3, .left = 5, .elapsed_us = S(30), .running = 4, .run_us = S(1),
	   .usual_us = S(600));
	IS(S(599), .done = 3, .left = 4, .elapsed_us = S(30), .running = 4, .run_us = S(1),
	   .usual_us = S(600));
	/* what is usual not being known, what was so far: 3 in 30 s, 4 at a time, are 40 s each */
	IS(S(39), .done = 3, .left = 4, .elapsed_us = S(30), .running = 4, .run_us = S(1));
	OVER(S(40), .done = 3, .left = 4, .elapsed_us = S(30), .running = 4, .run_us = S(41));
}

Test(eta, nobody_can_know)
{
	IS(RV_ETA_MOST_US, .done = 3, .left = 3, .elapsed_us = RV_ETA_MOST_US);
	NONE(.done = 3, .left = 4, .elapsed_us = RV_ETA_MOST_US);
	NONE(.done = 3, .left = INT64_MAX, .elapsed_us = INT64_MAX);
	NONE(.left = 1, .running = 1, .run_us = H(24 * 20), .percent = 3);
	NONE(.done = 3, .left = 9, .running = 9, .elapsed_us = INT64_MAX);
	NONE(.left = INT64_MAX, .running = 1, .run_us = INT64_MAX, .usual_us = INT64_MAX);
	IS(1, .done = INT64_MAX, .left = 1, .elapsed_us = S(1)); /* nothing is less than that */
}

Test(eta, in_words)
{
	SAYS("", .left = 1);
	SAYS("~1 s left", .left = 1, .running = 1, .usual_us = 1);
	SAYS("~1 s left", .left = 1, .running = 1, .usual_us = 1499999);
	SAYS("~2 s left", .left = 1, .running = 1, .usual_us = 1500000);
	SAYS("~59 s left", .left = 1, .running = 1, .usual_us = 59499999);
	SAYS("~1 min left", .left = 1, .running = 1, .usual_us = 59500000);
	SAYS("~1 min left", .left = 1, .running = 1, .usual_us = S(89));
	SAYS("~2 min left", .left = 1, .running = 1, .usual_us = S(90));
	SAYS("~3 min left", .left = 1, .running = 1, .usual_us = MIN(3));
	SAYS("~90 min left", .left = 1, .running = 1, .usual_us = S(5399));
	SAYS("~2 h left", .left = 1, .running = 1, .usual_us = S(5400));
	SAYS("~36 h left", .left = 1, .running = 1, .usual_us = H(36) - S(1));
	SAYS("~2 d left", .left = 1, .running = 1, .usual_us = H(36));
	SAYS("~30 d left", .left = 1, .running = 1, .usual_us = RV_ETA_MOST_US);
	SAYS("", .left = 1, .running = 1, .usual_us = RV_ETA_MOST_US + S(1));
	SAYS("over its usual 2 min", .left = 1, .running = 1, .usual_us = MIN(2), .run_us = MIN(2));
	SAYS("over their usual 2 min", .left = 2, .running = 2, .usual_us = MIN(2),
	     .run_us = MIN(3));
}
