/*
 * A job's place in its queue, computed once at enqueue so that every claim is one index seek.
 * Enqueuers and the store.  Pure; a place is never computed again for a retry of the same job.
 */
#include "core/order.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/err.h"

#include <string.h>

#define SEQUENCE_BITS 47 /* 16 bits of priority above them fill the positive half of an int64 */

static const char *const names[] = {
	[RV_STRATEGY_FIFO] = "fifo",
	[RV_STRATEGY_PRIORITY] = "priority",
};

int64_t rv_order(enum rv_strategy strategy, int priority, int64_t sequence)
{
	int64_t place;

	PRE(sequence >= 0 && sequence < (1LL << SEQUENCE_BITS));
	PRE(priority >= 0 && priority <= RV_PRIORITY_MAX);
	switch (strategy) {
	case RV_STRATEGY_FIFO:
		return sequence;
	case RV_STRATEGY_PRIORITY:
		place = ((int64_t)priority << SEQUENCE_BITS) | sequence;
		POST(place >= 0);
		return place;
	default:
		IMPOSSIBLE("a strategy that is none");
	}
}

const char *rv_strategy_name(enum rv_strategy strategy)
{
	PRE((unsigned)strategy < RV_ARRAY_LEN(names));
	return names[strategy];
}

int rv_strategy_parse(const char *name, enum rv_strategy *ret_strategy)
{
	PRE(name);
	for (unsigned i = 0; i < RV_ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_strategy = (enum rv_strategy)i;
			return RV_OK;
		}
	}
	return RV_E_NOTFOUND;
}
