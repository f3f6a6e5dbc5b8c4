#ifndef RV_CORE_ADVISE_H
#define RV_CORE_ADVISE_H

/*
 * What to recommend for a task from what is known of its runs: `reeve advise`.  Pure: the same
 * facts give the same advice.  The rules are advise.def.
 */

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A limit that its jobs start under.  Texts are borrowed. */
struct rv_advise_limit {
	const char *key;       /* that says it: "concurrency"; of another section: "[queue] rate" */
	const char *of;        /* the queue's, the resource's name; "": the task's own */
	int64_t count, per_us; /* so many at once; per_us > 0: so many starts in it; > 0 */
	int64_t each;          /* units of ${count} that a job takes; > 0 */
	int64_t keys;          /* of its jobs, each with a limit of its own; else 1 */
};
#define RV_ADVISE_LIMITS 16 /* four of a task, four of its queue, RV_TAKES_MAX resources */

/* -1: not known, unless it says otherwise.  Times are us. */
struct rv_facts {
	bool trial;                              /* runs for the sake of this advice */
	int64_t runs, failed;                    /* that ended by themselves; ≥ 0 */
	int64_t p50_us, p99_us, p95_us, most_us; /* how long those took */
	int64_t wait95_us;                       /* for the first start */
	int64_t cpu_us, busy_us;                 /* of those runs together; busy ≥ 0 */
	int64_t rss_kib;                         /* the most of one */
	int64_t hour_runs;                       /* in the last hour */
	/* of the newest jobs; ≥ 0 */
	int64_t jobs, timeouts;           /* that have ended; whose last run timed out */
	int64_t again, recovered;         /* first run failed, tried again; then succeeded */
	int64_t at_second, most_attempts; /* of recovered: at the second; the most of any */
	int64_t crashed, crash_recovered;
	int64_t gaps, gap05_us, gap50_us, gap95_us; /* between two that came; gaps ≥ 0 */
	int64_t bursts;                             /* of the gaps: at most RV_ADVISE_BURST_US */
	int64_t printing, silence_us;               /* runs that print; longest silence of one */
	/* the machine and the configuration */
	int64_t cpus, memory_kib, workers; /* workers: that serve its queue */
	int64_t timeout_us;                /* now; 0 none */
	bool pipe, scheduled;              /* it is a pipe handler's; has a schedule */
	size_t nlimits;
	struct rv_advise_limit limits[RV_ADVISE_LIMITS];
};

#define RV_ADVISE_RUNS       20
#define RV_ADVISE_TRIAL_RUNS 3
#define RV_ADVISE_SHORT_US   200000LL
#define RV_ADVISE_OFTEN      600 /* runs in an hour */
#define RV_ADVISE_GAPS       5
#define RV_ADVISE_PERIOD_US  (30 * 1000000LL)
#define RV_ADVISE_BURST_US   100000LL
#define RV_ADVISE_BURST_JOBS 100
#define RV_ADVISE_LONG_US    (600 * 1000000LL)
#define RV_ADVISE_LEAST_US   (10 * 1000000LL) /* of a timeout */
#define RV_ADVISE_LEAST_KIB  (4LL << 20)      /* of address space */
#define RV_ADVISE_AGAIN      10
#define RV_ADVISE_CRASHED    5

enum rv_advice_rule {
#define ADVICE(sym, name, meaning) RV_ADVICE_##sym,
#include "core/advise.def"
#undef ADVICE
	RV_ADVICES
};

/* Where a setting belongs.  NOTE: nothing to set. */
enum rv_advice_place { RV_ADVICE_NOTE, RV_ADVICE_TASK, RV_ADVICE_SCHEDULE, RV_ADVICE_POOL };

struct rv_advice {
	enum rv_advice_rule rule;
	enum rv_advice_place place;
	const char *key;   /* of the setting; static.  NOTE: "pattern" or "" */
	bool by_hand;      /* the program must be made for it: not to be pasted as it is */
	char value[64];    /* of the setting, or of the pattern */
	char because[192]; /* the numbers */
};

const char *rv_advice_name(enum rv_advice_rule rule);
const char *rv_advice_meaning(enum rv_advice_rule rule);

/* What the rules say, in their order, at most one of each; how many (≤ RV_ADVICES). */
size_t rv_advise(const struct rv_facts *facts, struct rv_advice ret_list[RV_ADVICES]);

/* The next time of a ladder that people would write (… 1s 2s 5s 10s 15s 20s 30s 1m …), not less. */
int64_t rv_advise_round(int64_t us);

#endif
