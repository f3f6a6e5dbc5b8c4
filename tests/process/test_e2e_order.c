/* The order in which a real daemon takes jobs: strategies, a change of them, weights of queues. */
#include "process/e2e.h"

#include "helpers/assert.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

#define ONE_WORKER "[pool:default]\nworkers = 1\nmax_batch = 1\n"

static int64_t started(int64_t job)
{
	int64_t at = rv_e2e_view(e, job)->started_us;

	cr_assert(gt(i64, at, 0));
	return at;
}

static void in_order(const int64_t *ids, size_t count)
{
	for (size_t i = 1; i < count; i++)
		cr_assert(lt(i64, started(ids[i - 1]), started(ids[i])), "job %lld after job %lld",
			  (long long)ids[i], (long long)ids[i - 1]);
}

#define IN_ORDER(...)                                                                              \
	in_order((const int64_t[]){__VA_ARGS__},                                                   \
		 sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* Stored while nothing runs, so that all of them wait when the worker comes. */
Test(e2e_order, tenants_have_their_turns)
{
	int64_t a[3];
	int64_t b;

	rv_e2e_new(e, ONE_WORKER "[queue:default]\nstrategy = fair\n");
	for (int i = 0; i < 3; i++)
		a[i] = rv_e2e_add(e, "--key", "a", "job", "do=say=a", NULL);
	b = rv_e2e_add(e, "--key", "b", "job", "do=say=b", NULL);
	rv_e2e_start(e);
	rv_e2e_wait_all(e, 0);
	IN_ORDER(a[0], b, a[1], a[2]);
	rv_e2e_end(e);
}

Test(e2e_order, the_earliest_deadline_goes_first)
{
	int64_t none;
	int64_t late;
	int64_t soon;

	rv_e2e_new(e, ONE_WORKER "[queue:default]\nstrategy = deadline\n");
	none = rv_e2e_add(e, "job", "do=say=none", NULL);
	late = rv_e2e_add(e, "--deadline", "+2h", "job", "do=say=late", NULL);
	soon = rv_e2e_add(e, "--deadline", "+1h", "--weight", "3", "job", "do=say=soon", NULL);
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--deadline", "soon", "job", NULL), 2));
	rv_assert_has(rv_buf_text(&e->err), "--deadline soon: not a time");
	rv_e2e_start(e);
	rv_e2e_wait_all(e, 0);
	IN_ORDER(soon, late, none);
	rv_e2e_end(e);
}

/* 1,200 jobs wait, more than two batches of the keeper, when their queue becomes lifo. */
Test(e2e_order, a_reload_changes_the_strategy_of_what_waits)
{
	enum { CROWD = 1200 };
	int64_t *ids = calloc(CROWD, sizeof(*ids));

	cr_assert(ids != NULL);
	rv_e2e_new(e, ONE_WORKER);
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "default", NULL), 0));
	rv_e2e_submit(e, "say=x", CROWD, ids);
	rv_e2e_ini(e, ONE_WORKER "[queue:default]\nstrategy = lifo\n");
	cr_assert(eq(int, rv_e2e_reeve(e, "reload", NULL), 0), "%s", rv_buf_text(&e->err));
	rv_e2e_logged(e, "every waiting job has its place");
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", "1", NULL), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "resume", "default", NULL), 0));
	rv_e2e_until(e, ids[CROWD - 20], RV_JOB_SUCCEEDED);
	for (int i = CROWD - 20; i < CROWD - 1; i++)
		cr_assert(lt(i64, started(ids[i + 1]), started(ids[i])));
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "default", NULL), 0));
	rv_e2e_end(e);
	free(ids);
}

struct looked {
	int64_t at;
	bool heavy;
};

static int compare(const void *a, const void *b)
{
	const struct looked *x = a;
	const struct looked *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* Weights 3 and 1: three of four starts are of the first, and the second is never forgotten. */
Test(e2e_order, a_pool_heeds_the_weights_of_its_queues)
{
	enum { EACH = 120 };
	struct looked starts[2 * EACH];
	int64_t ids[2 * EACH];
	int heavy = 0;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\nmax_batch = 1\nqueues = often:3, default:1\n"
		      "[task:other]\nhandler = builtin\nbuiltin = noop\nqueue = often\n");
	for (int i = 0; i < 2 * EACH; i++)
		ids[i] = rv_e2e_add(e, i % 2 ? "other" : "noop", NULL);
	rv_e2e_start(e);
	rv_e2e_wait_all(e, 0);
	for (int i = 0; i < 2 * EACH; i++)
		starts[i] = (struct looked){started(ids[i]), i % 2 != 0};
	qsort(starts, 2 * EACH, sizeof(starts[0]), compare);
	for (int i = 0; i < EACH; i++)
		heavy += starts[i].heavy;
	/* 90 of 120 ± 6 standard deviations (4.7) */
	cr_assert(gt(int, heavy, 61));
	cr_assert(lt(int, heavy, 119));
	rv_e2e_end(e);
}
