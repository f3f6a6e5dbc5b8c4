#ifndef RV_SUPERVISOR_RESTART_H
#define RV_SUPERVISOR_RESTART_H

/*
 * The restart policy of one slot (DESIGN §2 "Restart policy").  Pure: time and chance are handed
 * in. The first restart after a stable life is at once, then delay ×2 up to a cap, each spread by
 * ±20 %; more than `burst` counted deaths in `burst_us` make the slot degraded: it is probed at the
 * cap until it lives stably again.
 */

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

enum rv_reason {
#define REASON(sym, name, counts, text) RV_REASON_##sym,
#include "supervisor/reasons.def"
#undef REASON
	RV_REASONS
};

const char *rv_reason_name(enum rv_reason reason);
/* A failure of its own, for which delays grow. */
bool rv_reason_counts(enum rv_reason reason);
const char *rv_reason_text(enum rv_reason reason);

#define RV_RESTART_BURST_MAX 1000 /* the upper bound of restart_burst in conf/keys.def */
#define RV_RESTART_NEVER     (-1)

struct rv_restart_policy {
	int64_t delay_us;
	int64_t delay_max_us;
	int64_t stable_us;
	int burst; /* 1..RV_RESTART_BURST_MAX */
	int64_t burst_us;
};

struct rv_restart {
	unsigned in_a_row; /* counted deaths since it was stable */
	unsigned total;    /* restarts for any reason but the operator's, ever */
	bool is_degraded;
	unsigned next; /* where the next time goes in times */
	unsigned filled;
	int64_t *times; /* of the last counted deaths, RV_RESTART_BURST_MAX places; borrowed */
};

struct rv_restart_death {
	enum rv_reason reason;
	int64_t now_us;
	int64_t lived_us; /* since it was ready; < 0: it never was */
	uint32_t chance;  /* uniform over all values: the jitter */
};

/* The wait before the slot is started again in microseconds, or RV_RESTART_NEVER (until reload). */
int64_t rv_restart_after(struct rv_restart *restart, const struct rv_restart_policy *policy,
			 const struct rv_restart_death *death) RV_MUST_CHECK;

/* It has lived ${policy}.stable_us: all is forgotten but the total. */
void rv_restart_stable(struct rv_restart *restart);

#endif
