/*
 * The memory backend: a new job whose unique key is held.  Tests only.  What is done to the holder
 * is undone with the whole request when the job is refused after all.
 */
#include "store/memory_rows.h"

#include "base/check.h"
#include "core/job.h"

#include <stdio.h>
#include <string.h>

static void let_go(struct mem_store *m, const char *key)
{
	for (size_t i = m->now.uniques.n; i-- > 0;)
		if (strcmp(m->now.uniques.rows[i].key, key) == 0)
			MEM_REMOVE(m, uniques, i);
}

struct mem_unique *rv_memory_holder(struct mem_store *m, const char *key)
{
	MEM_EACH(m, uniques, u)
	{
		if (strcmp(u->key, key) != 0)
			continue;
		if (u->until_us == 0 || u->until_us > m->wall_us)
			return u;
		let_go(m, key); /* its time is over */
		return NULL;
	}
	return NULL;
}

static void replace(struct mem_store *m, struct mem_job *holder, const char *key)
{
	char says[64];

	(void)snprintf(says, sizeof says, RV_SAYS_REPLACED, (long long)m->now.next_id);
	rv_memory_to_final(m, holder, RV_JOB_CANCELLED, says);
	let_go(m, key);
}

int rv_memory_unique(struct mem_store *m, struct rv_req_enqueue *req, size_t i, bool *ret_answered,
		     struct rv_why *why)
{
	const struct rv_job_new *new = &req->jobs[i];
	const char *key = rv_rules_said(new->unique_key);
	const struct mem_unique *u = key ? rv_memory_holder(m, key) : NULL;
	struct rv_holder holder = {.shown = -1};
	struct mem_job *j;
	bool moves = new->on_held == RV_ON_HELD_REPLACE || new->on_held == RV_ON_HELD_RESCHEDULE;

	PRE(i < req->count);
	*ret_answered = false;
	if (!u)
		return RV_OK;
	holder.id = req->ret_ids[i] = u->id;
	holder.until_us = u->until_us;
	j = rv_memory_job(m, u->id);
	if (j) {
		holder.shown = (int32_t)rv_memory_shown(j);
		holder.leased = j->place == MEM_LEASE;
	}
	if (new->on_held == RV_ON_HELD_REJECT ||
	    (moves && (!j || j->place == MEM_LEASE || j->place == MEM_DONE)))
		return rv_rules_held(why, &holder, moves, m->wall_us);
	if (new->on_held == RV_ON_HELD_REPLACE) {
		replace(m, j, key);
		req->replaced++;
		return RV_OK;
	}
	if (new->on_held == RV_ON_HELD_RESCHEDULE) {
		rv_memory_reschedule(m, j, new->run_at_us ? new->run_at_us : m->wall_us);
		req->rescheduled++;
	}
	req->skipped++;
	*ret_answered = true;
	return RV_OK;
}
