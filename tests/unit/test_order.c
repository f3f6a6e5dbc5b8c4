/* A job's place: what each strategy promises, in numbers and over whole queues. */
#include "base/err.h"
#include "core/order.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#define LAST ((1LL << 47) - 1)

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 16;
}

static struct rv_order of(enum rv_strategy strategy, int64_t sequence)
{
	return (struct rv_order){.strategy = strategy, .sequence = sequence, .weight = 1};
}

static int64_t by_priority(int priority, int64_t sequence)
{
	struct rv_order job = of(RV_STRATEGY_PRIORITY, sequence);

	job.priority = priority;
	return rv_order_place(&job);
}

Test(order, fifo_is_the_sequence_and_lifo_its_reverse)
{
	struct rv_order job = of(RV_STRATEGY_FIFO, LAST);

	job.priority = RV_PRIORITY_MAX;
	cr_assert(eq(i64, rv_order_place(&job), LAST));
	job.strategy = RV_STRATEGY_LIFO;
	cr_assert(eq(i64, rv_order_place(&job), -LAST));
	job.sequence = 0;
	cr_assert(eq(i64, rv_order_place(&job), 0));
}

Test(order, the_corners_of_priority_fit)
{
	cr_assert(eq(i64, by_priority(0, 0), 0));
	cr_assert(eq(i64, by_priority(0, LAST), LAST));
	cr_assert(eq(i64, by_priority(1, 0), LAST + 1));
	cr_assert(eq(i64, by_priority(RV_PRIORITY_MAX, LAST), INT64_MAX));
}

/* Comparing places is comparing (priority, sequence), for 100,000 random pairs. */
Test(order, places_compare_as_priority_then_sequence)
{
	uint64_t state = 1;

	for (int i = 0; i < 100000; i++) {
		int pa = (int)(next_random(&state) % (RV_PRIORITY_MAX + 1));
		int pb = next_random(&state) % 2 ? pa : (int)(next_random(&state) % 65536);
		int64_t sa = (int64_t)(next_random(&state) % (1ULL << 47));
		int64_t sb = (int64_t)(next_random(&state) % (1ULL << 47));
		int want = pa != pb ? (pa < pb ? -1 : 1) : (sa < sb ? -1 : sa > sb);
		int64_t a = by_priority(pa, sa);
		int64_t b = by_priority(pb, sb);

		cr_assert(eq(int, a<b ? -1 : a> b, want));
		cr_assert(ge(i64, a, 0));
	}
}

/* A job of priority 100 goes before each one of priority 10 that comes 90 steps later. */
Test(order, aging_bounds_the_wait)
{
	const int64_t step = 1000000;
	struct rv_order patient = of(RV_STRATEGY_PRIORITY, 1);
	struct rv_order urgent = of(RV_STRATEGY_PRIORITY, 2);

	patient.aging_us = urgent.aging_us = step;
	patient.priority = 100;
	urgent.priority = 10;
	patient.since_us = 5000 * step;
	urgent.since_us = 5089 * step;
	cr_assert(lt(i64, rv_order_place(&urgent), rv_order_place(&patient)));
	urgent.since_us = 5091 * step;
	cr_assert(gt(i64, rv_order_place(&urgent), rv_order_place(&patient)));
	patient.since_us = INT64_MAX - 5;
	cr_assert(eq(i64, rv_order_place(&patient), INT64_MAX), "it does not overflow");
}

Test(order, the_earliest_deadline_goes_first_and_none_last)
{
	struct rv_order soon = of(RV_STRATEGY_DEADLINE, 9);
	struct rv_order late = of(RV_STRATEGY_DEADLINE, 1);
	struct rv_order none = of(RV_STRATEGY_DEADLINE, 0);

	soon.deadline_us = 1000;
	late.deadline_us = 2000;
	cr_assert(lt(i64, rv_order_place(&soon), rv_order_place(&late)));
	cr_assert(lt(i64, rv_order_place(&late), rv_order_place(&none)));
}

struct waiting {
	int64_t place;
	int id, kind;
};

static int compare(const void *a, const void *b)
{
	const struct waiting *x = a;
	const struct waiting *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

#define CROWD 20000

/* Half the jobs weigh 3: they are three of four that are drawn, as long as both kinds are left. */
Test(order, weighted_draws_in_proportion)
{
	struct waiting *queue = calloc(CROWD, sizeof(*queue));
	int heavy = 0;

	cr_assert(queue != NULL);
	for (int i = 0; i < CROWD; i++) {
		struct rv_order job = of(RV_STRATEGY_WEIGHTED, i + 1);

		job.weight = i % 2 ? 3 : 1;
		job.virtual_now = 7;
		queue[i] = (struct waiting){rv_order_place(&job), i, i % 2};
		cr_assert(ge(i64, queue[i].place, 7));
	}
	qsort(queue, CROWD, sizeof(*queue), compare);
	for (int i = 0; i < 2000; i++)
		heavy += queue[i].kind;
	/* 1,500 ± 5 standard deviations of a binomial draw (19.4) */
	cr_assert(gt(int, heavy, 1400));
	cr_assert(lt(int, heavy, 1600));
	free(queue);
}

/* What waits longer is not overtaken for ever: virtual time moves past every place. */
Test(order, weighted_starves_nobody)
{
	struct rv_order old = of(RV_STRATEGY_WEIGHTED, 1);
	int64_t place = rv_order_place(&old);
	struct rv_order heavy = of(RV_STRATEGY_WEIGHTED, 2);
	int64_t now = 0;
	int overtaken = 0;

	heavy.weight = RV_WEIGHT_MAX;
	for (; now < place; overtaken++) {
		int64_t next;

		heavy.sequence++;
		heavy.virtual_now = now;
		next = rv_order_place(&heavy);
		cr_assert(rv_order_passes(RV_STRATEGY_WEIGHTED, now, next) || next == now);
		now = next;
		cr_assert(lt(int, overtaken, 100 * RV_WEIGHT_MAX));
	}
}

/* Three tenants, one of whom has a thousand jobs: the others' last ones come within thirty. */
Test(order, fair_serves_the_keys_in_turn)
{
	struct waiting queue[1020];
	int64_t finish[3] = {0};
	size_t n = 0;
	int last[3] = {0};

	for (int key = 0; key < 3; key++) {
		for (int i = 0; i < (key == 0 ? 1000 : 10); i++) {
			struct rv_order job = of(RV_STRATEGY_FAIR, (int64_t)n + 1);

			job.finish = finish[key];
			queue[n] = (struct waiting){rv_order_place(&job), (int)n, key};
			finish[key] = rv_order_finish(queue[n].place, job.weight);
			n++;
		}
	}
	qsort(queue, n, sizeof(*queue), compare);
	for (size_t i = 0; i < n; i++)
		last[queue[i].kind] = (int)i;
	cr_assert(lt(int, last[1], 30));
	cr_assert(lt(int, last[2], 30));
	cr_assert(eq(int, last[0], 1019));
}

/* Weight 2 gets two of three; who comes late begins at the virtual time, not before. */
Test(order, fair_knows_weights_and_latecomers)
{
	struct rv_order late = of(RV_STRATEGY_FAIR, 1);
	int64_t light = 0;
	int64_t heavy = 0;

	for (int i = 0; i < 10; i++) {
		light = rv_order_finish(light, 1);
		heavy = rv_order_finish(rv_order_finish(heavy, 2), 2);
	}
	cr_assert(eq(i64, light, heavy));
	late.virtual_now = 50 * RV_ORDER_UNIT;
	late.finish = 3 * RV_ORDER_UNIT;
	cr_assert(eq(i64, rv_order_place(&late), 50 * RV_ORDER_UNIT));
	cr_assert(rv_order_passes(RV_STRATEGY_FAIR, 0, 1));
	cr_assert(not(rv_order_passes(RV_STRATEGY_FAIR, 1, 1)));
	cr_assert(not(rv_order_passes(RV_STRATEGY_FAIR, 0, INT64_MAX)), "a foreign place");
	cr_assert(not(rv_order_passes(RV_STRATEGY_FIFO, 0, 1)));
}

/* A damaged store may say anything of the time. */
Test(order, virtual_time_is_bounded)
{
	struct rv_order job = of(RV_STRATEGY_FAIR, 1);

	job.virtual_now = INT64_MAX;
	job.finish = INT64_MIN;
	cr_assert(eq(i64, rv_order_place(&job), RV_ORDER_END));
	job.strategy = RV_STRATEGY_WEIGHTED;
	cr_assert(ge(i64, rv_order_place(&job), RV_ORDER_END));
	cr_assert(gt(i64, rv_order_finish(INT64_MAX, 1), 0));
}

/* Weights 6, 3 and 1: looked at first 6, 3 and 1 times of ten; each queue in each order. */
Test(order, queues_are_drawn_by_weight)
{
	static const int weights[] = {6, 3, 0};
	uint64_t state = 5;
	int first[3] = {0};

	for (int i = 0; i < 10000; i++) {
		uint16_t order[3];

		rv_order_queues(weights, 3, next_random(&state), order);
		first[order[0]]++;
		cr_assert(eq(int, (1 << order[0]) + (1 << order[1]) + (1 << order[2]), 7));
	}
	/* ± 5 standard deviations of a binomial draw (49, 46, 30) */
	cr_assert(ge(int, first[0], 5755));
	cr_assert(le(int, first[0], 6245));
	cr_assert(ge(int, first[1], 2770));
	cr_assert(le(int, first[1], 3230));
	cr_assert(ge(int, first[2], 850));
	cr_assert(le(int, first[2], 1150));
}

Test(order, strategies_are_read_back)
{
	enum rv_strategy read = RV_STRATEGY_FIFO;

	for (int i = 0; rv_strategy_sane(i); i++) {
		cr_assert(eq(int, rv_strategy_parse(rv_strategy_name(i), &read), RV_OK));
		cr_assert(eq(int, (int)read, i));
	}
	cr_assert(eq(int, rv_strategy_parse("random", &read), RV_E_NOTFOUND));
	cr_assert(strcmp(rv_strategy_name(-1), "unknown") == 0);
	cr_assert(strcmp(rv_strategy_name(RV_STRATEGY_FAIR + 1), "unknown") == 0);
}
