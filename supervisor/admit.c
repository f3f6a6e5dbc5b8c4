/*
 * Who may begin more jobs now.  Runs in the supervisor only.  It judges nothing and looks at
 * nothing; must never keep a pool waiting when nobody is there to let it go on.
 */
#include "supervisor/admit.h"

#include "base/check.h"
#include "obs/log.h"
#include "supervisor/child.h"
#include "wire/sup.h"

#include <stdio.h>

/*
 * What a job waits for begins all the same, one for each that waits: else a job that has the memory
 * would wait for a job that waits for the memory.
 */
static bool heeds(const struct rv_child *child)
{
	return child->pool != RV_POOL_NONE && !child->is_nested;
}

static void tell_all(struct rv_sup *sup, int pool)
{
	for (size_t i = 1; i < sup->nslots; i++) {
		struct rv_child *child = &sup->children[i];

		if (child->pool == pool && heeds(child) && rv_life_has_process(child->life))
			(void)rv_child_tell(child, RV_SUP_WAIT, sup->pools[pool].waits, 0);
	}
}

static void set(struct rv_sup *sup, int p, bool waits)
{
	struct rv_pool *pool = &sup->pools[p];

	if (pool->waits == waits)
		return;
	pool->waits = waits;
	tell_all(sup, p);
	if (waits)
		rv_log(RV_LOG_INFO, RV_EV_pool_waits, "pool %s waits: %s", pool->name,
		       pool->waits_why);
	else
		rv_log(RV_LOG_INFO, RV_EV_pool_waits, "pool %s goes on", pool->name);
}

void rv_admit_heard(struct rv_sup *sup, uint64_t token, bool waits, const unsigned char *text,
		    size_t size)
{
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		struct rv_pool *pool = &sup->pools[p];

		if (!pool->is_used || rv_ring_token(pool->name) != token)
			continue;
		(void)snprintf(pool->waits_why, sizeof pool->waits_why, "%.*s",
			       (int)(size < RV_SUP_TEXT ? size : RV_SUP_TEXT), (const char *)text);
		for (char *c = pool->waits_why; *c != '\0'; c++) {
			if (*c < ' ' || *c > '~')
				*c = '?';
		}
		set(sup, p, waits);
	}
}

void rv_admit_born(struct rv_sup *sup, struct rv_child *child)
{
	PRE(child->chan >= 0);
	if (heeds(child) && sup->pools[child->pool].waits)
		(void)rv_child_tell(child, RV_SUP_WAIT, 1, 0);
}

void rv_admit_forget(struct rv_sup *sup)
{
#ifdef RV_MUTANT_WAIT_FOR_EVER
	return;
#endif
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used)
			set(sup, p, false);
	}
}
