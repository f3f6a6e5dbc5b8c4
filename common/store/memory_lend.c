/*
 * The memory backend: a job that sleeps until its children have ended lends them what it holds of
 * limits.  A unit changes hands, so no more is ever used than before.
 */
#include "store/memory_rows.h"

#include "base/check.h"

#include <string.h>

#define WAITS_MAX 2047U

struct mem_hold *rv_memory_holds(struct mem_store *m, const struct mem_job *j,
				 enum rv_gate_kind kind)
{
	const char *queue = m->now.queues.rows[j->queue].name;
	char gate[RV_GATE_MAX];

	if (kind == RV_GATE_RESOURCE)
		return NULL;
	rv_gate_own(kind, queue, j->task, j->key ? j->key : "", gate);
	MEM_EACH(m, holds, h)
	if (h->job == j->id && strcmp(h->gate, gate) == 0)
		return h;
	return NULL;
}

static struct mem_job *running_parent(struct mem_store *m, const struct mem_job *j)
{
	struct mem_job *parent = j->parent != 0 ? rv_memory_job(m, j->parent) : NULL;

	return parent && parent->place == MEM_LEASE ? parent : NULL;
}

bool rv_memory_is_awaited(struct mem_store *m, const struct mem_job *j)
{
	const struct mem_job *parent = running_parent(m, j);

	return parent && parent->waits > 0;
}

bool rv_memory_may_borrow(struct mem_store *m, const struct mem_job *j, const struct rv_need *need)
{
	const struct mem_hold *hold;

	if (!rv_memory_is_awaited(m, j))
		return false;
	hold = rv_memory_holds(m, running_parent(m, j), need->kind);
	return hold && strcmp(hold->gate, need->gate) == 0;
}

void rv_memory_borrow(struct mem_store *m, struct mem_job *j, const struct rv_need *need)
{
	struct mem_job *parent = running_parent(m, j);
	struct mem_hold *hold = rv_memory_holds(m, parent, need->kind);

	PRE(parent->waits > 0 && hold->n == 1);
	hold->job = j->id;
	parent->lent |= 1U << need->kind;
	j->borrowed = true;
}

/* The kind of the unit, if the job has lent one of this gate; RV_GATE_KINDS: it has not. */
static enum rv_gate_kind lent_as(struct mem_store *m, const struct mem_job *j, const char *gate)
{
	enum rv_gate_kind kind = 0;

	for (; kind < RV_GATE_KINDS; kind++) {
		char own[RV_GATE_MAX];

		if (!(j->lent & 1U << kind))
			continue;
		rv_gate_own(kind, m->now.queues.rows[j->queue].name, j->task, j->key ? j->key : "",
			    own);
		if (strcmp(own, gate) == 0)
			break;
	}
	return kind;
}

bool rv_memory_return(struct mem_store *m, const struct mem_job *j, struct mem_hold *hold)
{
	PRE(hold->job == j->id);
	if (!j->borrowed)
		return false;
	while (j->parent != 0) {
		struct mem_job *parent = rv_memory_job(m, j->parent);
		enum rv_gate_kind kind;

		if (!parent)
			break;
		kind = parent->place == MEM_LEASE ? lent_as(m, parent, hold->gate) : RV_GATE_KINDS;
		if (kind < RV_GATE_KINDS) {
			hold->job = parent->id;
			parent->lent &= ~(1U << kind);
			m->now.lend_due = m->now.lend_due || parent->waits > 0;
			return true;
		}
		j = parent;
	}
	return false;
}

int rv_memory_do_lend(struct mem_store *m, struct rv_req_lend *req, struct rv_why *why)
{
	struct mem_job *j = rv_memory_job(m, req->job);

	if (!j || j->place != MEM_LEASE || !j->started || j->fence != req->fence)
		return rv_fail(why, RV_E_STALE, RV_SAYS_NOT_RUNNING, (long long)req->job);
	if (req->on) {
		j->waits += j->waits < WAITS_MAX;
		m->now.lend_due = true;
	} else if (j->waits > 0) {
		j->waits--;
	}
	return RV_OK;
}
