/*
 * A job's place in its queue, computed once at enqueue so that every claim is one index seek.
 * Enqueuers and the store.  Pure; a place is never computed again for a retry of the same job.
 */
#include "core/order.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/err.h"

#include <math.h>
#include <string.h>

#define SEQUENCE_BITS 47 /* 16 bits of priority above them fill the positive half of an int64 */

static const char *const names[] = {
	[RV_STRATEGY_FIFO] = "fifo",         [RV_STRATEGY_LIFO] = "lifo",
	[RV_STRATEGY_PRIORITY] = "priority", [RV_STRATEGY_WEIGHTED] = "weighted",
	[RV_STRATEGY_DEADLINE] = "deadline", [RV_STRATEGY_FAIR] = "fair",
};

static int64_t by_priority(const struct rv_order *job)
{
	int64_t place;

	if (job->aging_us == 0)
		return ((int64_t)job->priority << SEQUENCE_BITS) | job->sequence;
	if (__builtin_add_overflow(job->since_us, job->priority * job->aging_us, &place))
		return INT64_MAX;
	return place;
}

/* Spreads ${x} over all 64 bits: the finalizer of SplitMix64 (Steele, Lea & Flood 2014). */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* Exp(1) / weight, in units; what is drawn is never 0 nor 1. */
static int64_t draw(uint64_t chance, int weight)
{
	double u = ((double)(mix(chance) >> 11) + 0.5) / 9007199254740992.0;

	return (int64_t)(-log(u) * (double)RV_ORDER_UNIT / weight);
}

void rv_order_queues(const int *weights, unsigned count, uint64_t chance, uint16_t *ret_order)
{
	int64_t places[RV_QUEUES_MAX];

	PRE(count <= RV_QUEUES_MAX);
	for (unsigned i = 0; i < count; i++) {
		int64_t place = draw(chance + i, weights[i] > 0 ? weights[i] : 1);
		unsigned at = i;

		for (; at > 0 && places[at - 1] > place; at--) {
			places[at] = places[at - 1];
			ret_order[at] = ret_order[at - 1];
		}
		places[at] = place;
		ret_order[at] = (uint16_t)i;
	}
}

static int64_t bounded(int64_t virtual_time)
{
	if (virtual_time < 0)
		return 0;
	return virtual_time < RV_ORDER_END ? virtual_time : RV_ORDER_END;
}

int64_t rv_order_place(const struct rv_order *job)
{
	int64_t now = bounded(job->virtual_now);
	int64_t finish = bounded(job->finish);

	PRE(rv_order_sequence_sane(job->sequence));
	PRE(job->priority >= 0 && job->priority <= RV_PRIORITY_MAX);
	PRE(job->weight >= 1 && job->weight <= RV_WEIGHT_MAX);
	PRE(job->aging_us >= 0 && job->aging_us <= RV_AGING_MAX_US);
	switch (job->strategy) {
	case RV_STRATEGY_FIFO:
		return job->sequence;
	case RV_STRATEGY_LIFO:
		return -job->sequence;
	case RV_STRATEGY_PRIORITY:
		return by_priority(job);
	case RV_STRATEGY_WEIGHTED:
		return now + draw((uint64_t)job->sequence, job->weight);
	case RV_STRATEGY_DEADLINE:
		return job->deadline_us > 0 ? job->deadline_us : INT64_MAX;
	case RV_STRATEGY_FAIR:
		return now > finish ? now : finish;
	default:
		IMPOSSIBLE("a strategy that is none");
	}
}

int64_t rv_order_finish(int64_t place, int weight)
{
	PRE(weight >= 1 && weight <= RV_WEIGHT_MAX);
	return bounded(place) + RV_ORDER_UNIT / weight;
}

bool rv_order_sequence_sane(int64_t sequence)
{
	return sequence >= 0 && sequence < (1LL << SEQUENCE_BITS);
}

bool rv_order_passes(enum rv_strategy strategy, int64_t now, int64_t place)
{
	return (strategy == RV_STRATEGY_WEIGHTED || strategy == RV_STRATEGY_FAIR) && place > now &&
	       place <= RV_ORDER_END;
}

bool rv_strategy_sane(int strategy)
{
	return strategy >= 0 && (size_t)strategy < RV_ARRAY_LEN(names);
}

const char *rv_strategy_name(int strategy)
{
	return rv_strategy_sane(strategy) ? names[strategy] : "unknown";
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
