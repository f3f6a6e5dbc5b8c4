/*
 * The memory backend: limits.  A job passes all its gates at once or waits at the one that it
 * lacks; who waits holds nothing.  A gate that got room is open until the head of its line was
 * looked at.
 */
#include "store/memory_rows.h"

#include "base/check.h"

#include <string.h>

static struct mem_gate *gate_named(struct mem_store *m, const char *name)
{
	struct mem_gate *gate;

	MEM_EACH(m, gates, g)
	if (strcmp(g->name, name) == 0)
		return g;
	gate = MEM_ADD(m, gates);
	gate->name = rv_memory_keep(m, name);
	return gate;
}

static int64_t line_of(const struct mem_job *j, const char *gate)
{
	return rv_gate_line(gate, j->ord, j->id);
}

static bool before(const struct mem_job *a, const struct mem_job *b, const char *gate)
{
	int64_t x = line_of(a, gate);
	int64_t y = line_of(b, gate);

	return x < y || (x == y && a->id < b->id);
}

struct mem_job *rv_memory_gate_head(struct mem_store *m, const char *gate)
{
	struct mem_job *head = NULL;

	MEM_EACH(m, jobs, j)
	if (j->gate && strcmp(j->gate, gate) == 0 && (!head || before(j, head, gate)))
		head = j;
	return head;
}

void rv_memory_needs(struct mem_store *m, const struct mem_job *j, struct rv_needs *ret_needs)
{
	const struct mem_queue *q = &m->now.queues.rows[j->queue];
	struct rv_limited job = {.queue = q->name,
				 .task = j->task,
				 .key = j->key,
				 .takes = j->takes,
				 .queue_limits = &q->limits,
				 .resources = m->now.resources.rows,
				 .nresources = m->now.resources.n};

	MEM_EACH(m, tasks, task)
	{
		if (strcmp(task->name, j->task) != 0)
			continue;
		job.task_limits = &task->limits;
		if (!job.takes)
			job.takes = task->takes;
	}
	rv_needs_of(&job, ret_needs);
}

struct mem_job *rv_memory_reserver(struct mem_store *m)
{
	struct mem_job *oldest = NULL;

	MEM_EACH(m, jobs, j)
	if (j->gate && j->moves >= RV_MOVES_MAX && (!oldest || j->id < oldest->id) &&
	    m->now.queues.rows[j->queue].gate != RV_QUEUE_PAUSED)
		oldest = j;
	return oldest;
}

void rv_memory_look_again(struct mem_store *m, const struct mem_job *was)
{
	const struct mem_job *now = rv_memory_reserver(m);
	struct rv_needs needs;

	if (now == was)
		return;
	if (now)
		gate_named(m, now->gate)->open = true;
	if (!was)
		return;
	rv_memory_needs(m, was, &needs);
	MEM_EACH(m, gates, gate)
	if (rv_need_of(&needs, gate->name) && rv_memory_gate_head(m, gate->name))
		gate->open = true;
}

/* Whether the gate lets it pass with what its parent lends. */
static bool borrows(struct mem_store *m, const struct mem_job *j, const struct rv_need *need,
		    int64_t *ret_due)
{
	*ret_due = 0;
	if (!rv_memory_may_borrow(m, j, need))
		return false;
	*ret_due = rv_rate_due(&need->rate, gate_named(m, need->gate)->full_us, m->wall_us);
	return *ret_due == 0;
}

/*
 * The first gate that does not let it pass, NULL: all do, those of ${*ret_borrows} (1 << kind) with
 * what its parent lends.  ${*ret_due}: when it has a token.
 */
static struct mem_gate *lacks(struct mem_store *m, const struct mem_job *j,
			      const struct rv_needs *needs, int64_t *ret_due, unsigned *ret_borrows)
{
	const struct mem_job *reserver = rv_memory_reserver(m);
	struct rv_needs kept = {.count = 0};

	*ret_borrows = 0;
	/* Who starved may wait for the parent that waits for this one. */
	if (reserver && reserver != j && !rv_memory_is_awaited(m, j))
		rv_memory_needs(m, reserver, &kept);
	for (size_t i = 0; i < needs->count; i++) {
		const struct rv_need *need = &needs->of[i];
		struct mem_gate *gate = gate_named(m, need->gate);
		const struct mem_job *head = rv_memory_gate_head(m, need->gate);

		bool fits = rv_need_fits(need, gate->used, &kept);
		bool behind = head && head != j && j != reserver && before(head, j, need->gate);

		*ret_due = fits ? rv_rate_due(&need->rate, gate->full_us, m->wall_us) : 0;
		if (fits && *ret_due == 0 && !behind)
			continue;
		if (*ret_due != 0 || !borrows(m, j, need, ret_due))
			return gate;
		*ret_borrows |= 1U << need->kind;
	}
	return NULL;
}

static void take(struct mem_store *m, struct mem_job *j, const struct rv_needs *needs,
		 unsigned borrowed)
{
	for (size_t i = 0; i < needs->count; i++) {
		const struct rv_need *need = &needs->of[i];
		struct mem_gate *gate = gate_named(m, need->gate);

		gate->full_us = rv_rate_take(&need->rate, gate->full_us, m->wall_us);
		if (borrowed & 1U << need->kind) {
			rv_memory_borrow(m, j, need);
			continue;
		}
		if (need->max < 0)
			continue;
		gate->used += need->n;
		*MEM_ADD(m, holds) =
			(struct mem_hold){.job = j->id, .n = need->n, .gate = gate->name};
	}
	j->passed = needs->count > 0;
}

bool rv_memory_pass(struct mem_store *m, struct mem_job *j)
{
	struct rv_needs needs;
	struct mem_gate *gate;
	unsigned borrowed;
	int64_t due;

	PRE(j->place == MEM_READY && !j->passed);
	rv_memory_needs(m, j, &needs);
	gate = lacks(m, j, &needs, &due, &borrowed);
	if (!gate) {
		take(m, j, &needs, borrowed);
		return true;
	}
	gate->open = true;
	m->now.lend_due = m->now.lend_due || (due != 0 && j->parent != 0);
	rv_memory_to_parked(m, j, gate->name);
	return false;
}

void rv_memory_give_back(struct mem_store *m, struct mem_job *j)
{
	for (size_t i = m->now.holds.n; i-- > 0;) {
		struct mem_hold hold = m->now.holds.rows[i];
		struct mem_gate *gate = gate_named(m, hold.gate);

		if (hold.job != j->id || rv_memory_return(m, j, &m->now.holds.rows[i]))
			continue;
		INV(gate->used >= hold.n);
		gate->used -= hold.n;
		gate->open = gate->open || rv_memory_gate_head(m, gate->name);
		MEM_REMOVE(m, holds, i);
	}
	j->lent = 0;
	j->passed = j->borrowed = false;
}

void rv_memory_leave_line(struct mem_store *m, struct mem_job *j)
{
	const struct mem_job *was = rv_memory_reserver(m);

	if (j->gate)
		gate_named(m, j->gate)->open = true;
	j->gate = NULL;
	j->moves = 0;
	rv_memory_look_again(m, was);
}

static struct mem_gate *open_gate(struct mem_store *m)
{
	struct mem_gate *first = NULL;

	MEM_EACH(m, gates, gate)
	if (gate->open && (!first || strcmp(gate->name, first->name) < 0))
		first = gate;
	return first;
}

static void shut(struct mem_store *m, struct mem_gate *gate, int64_t due_us)
{
	gate->open = false;
	gate->due_us = due_us;
	if (due_us != 0)
		rv_store_note_ring(&m->base, RV_RING_SCHEDULED, "", 0);
}

static void change_line(struct mem_store *m, struct mem_job *j, struct mem_gate *to)
{
	const struct mem_job *was = rv_memory_reserver(m);
	struct mem_gate *from = gate_named(m, j->gate);

	PRE(j->place == MEM_BLOCKED);
	if (from == to)
		return;
	j->gate = to->name;
	j->moves++;
	to->open = from->open = true;
	rv_memory_look_again(m, was);
}

/* Who starved is called whatever line it stands in; false: the head of this one is to be looked at.
 */
static bool look_at_reserver(struct mem_store *m, struct mem_gate *gate, uint32_t *granted)
{
	struct mem_job *j = rv_memory_reserver(m);
	struct mem_gate *other;
	struct rv_needs needs;
	unsigned borrowed;
	int64_t due = 0;

	if (!j)
		return false;
	rv_memory_needs(m, j, &needs);
	if (!rv_need_of(&needs, gate->name) && strcmp(j->gate, gate->name) != 0)
		return false;
	other = lacks(m, j, &needs, &due, &borrowed);
	if (!other) {
		rv_memory_to_ready(m, j);
		take(m, j, &needs, borrowed);
		++*granted;
		return true;
	}
	change_line(m, j, other);
	if (other != gate || due == 0)
		return false;
	shut(m, gate, due);
	return true;
}

/* The head of the line of an open gate: it goes, or moves to another line, or the gate is shut. */
static uint32_t look_at_head(struct mem_store *m, struct mem_gate *gate)
{
	struct mem_job *head = rv_memory_gate_head(m, gate->name);
	const struct mem_queue *q;
	const char *name = gate->name;
	struct mem_gate *other;
	struct rv_needs needs;
	unsigned borrowed;
	int64_t due = 0;

	if (!head) {
		shut(m, gate, 0);
		return 0;
	}
	q = &m->now.queues.rows[head->queue];
	if (q->gate == RV_QUEUE_PAUSED && rv_gate_of_queue(name, q->name)) {
		shut(m, gate, 0);
		return 0;
	}
	if (q->gate == RV_QUEUE_PAUSED) { /* it is in nobody's way where it holds nothing and waits
					     for nothing */
		rv_memory_to_ready(m, head);
		return 1;
	}
	rv_memory_needs(m, head, &needs);
	other = lacks(m, head, &needs, &due, &borrowed);
	if (!other) {
		rv_memory_to_ready(m, head);
		take(m, head, &needs, borrowed);
		return 1;
	}
	if (strcmp(other->name, name) == 0) {
		if (due == 0 && other->due_us > m->wall_us)
			due = other->due_us; /* a child behind this one may wait for a token */
		m->now.lend_due = m->now.lend_due || (due == 0 && rv_memory_reserver(m));
		shut(m, other, due);
		return 0;
	}
	m->now.lend_due = m->now.lend_due || (due != 0 && head->parent != 0);
	change_line(m, head, other);
	return 0;
}

static uint32_t look(struct mem_store *m, struct mem_gate *gate)
{
	uint32_t granted = 0;

	return look_at_reserver(m, gate, &granted) ? granted : look_at_head(m, gate);
}

/* The keeper goes on with it; where nobody waits, with the line of who starved and needs it. */
static void put_off(struct mem_store *m, struct mem_gate *gate)
{
	struct mem_job *j = rv_memory_reserver(m);
	struct rv_needs needs;

	shut(m, gate, rv_memory_gate_head(m, gate->name) ? m->wall_us : 0);
	if (!j)
		return;
	rv_memory_needs(m, j, &needs);
	if (rv_need_of(&needs, gate->name))
		shut(m, gate_named(m, j->gate), m->wall_us);
}

/* The next child of ${parent} in the line of the gate, of no paused queue; NULL: none. */
static struct mem_job *next_child(struct mem_store *m, const char *gate, int64_t parent,
				  int64_t after)
{
	struct mem_job *next = NULL;

	MEM_EACH(m, jobs, j)
	if (j->gate && j->parent == parent && j->id > after && (!next || j->id < next->id) &&
	    m->now.queues.rows[j->queue].gate != RV_QUEUE_PAUSED && strcmp(j->gate, gate) == 0)
		next = j;
	return next;
}

/* To the first of its children in the line that lacks nothing but what it has there. */
static uint32_t lend_at(struct mem_store *m, const char *name, int64_t parent)
{
	struct mem_gate *gate = gate_named(m, name);
	struct mem_job *j;
	int64_t after = 0;

	for (unsigned looks = 0; rv_memory_gate_head(m, name); looks++, after = j->id) {
		struct mem_gate *other;
		struct rv_needs needs;
		unsigned borrowed;
		int64_t due = 0;

		if (looks == RV_GRANT_MAX) {
			shut(m, gate, m->wall_us);
			return 0;
		}
		j = next_child(m, name, parent, after);
		if (!j)
			return 0;
		rv_memory_needs(m, j, &needs);
		other = lacks(m, j, &needs, &due, &borrowed);
		if (!other) {
			rv_memory_to_ready(m, j);
			take(m, j, &needs, borrowed);
			return 1;
		}
		gate = gate_named(m, name); /* gates may have come */
		if (strcmp(other->name, name) == 0) {
			if (due != 0)
				shut(m, gate, due);
			return 0;
		}
		m->now.lend_due = m->now.lend_due || due != 0;
		change_line(m, j, other);
	}
	return 0;
}

/* Who sleeps and has something that a child of it lacks, lends it. */
static uint32_t lend(struct mem_store *m)
{
	const struct mem_job *reserver;
	struct rv_needs kept;
	uint32_t granted = 0;
	int64_t at = 0;

	for (;;) {
		struct mem_job *next = NULL;

		MEM_EACH(m, jobs, j)
		if (j->waits > 0 && j->id > at && (!next || j->id < next->id))
			next = j;
		if (!next)
			return granted;
		at = next->id;
		reserver = rv_memory_reserver(m);
		kept.count = 0;
		if (reserver)
			rv_memory_needs(m, reserver, &kept);
		for (enum rv_gate_kind kind = 0; kind < RV_GATE_KINDS; kind++) {
			const struct mem_hold *hold = rv_memory_holds(m, next, kind);

			if (hold)
				granted += lend_at(m, hold->gate, at);
		}
		for (size_t i = 0; i < kept.count; i++)
			granted += lend_at(m, gate_named(m, kept.of[i].gate)->name, at);
	}
}

uint32_t rv_memory_grant(struct mem_store *m)
{
	struct mem_gate *gate;
	uint32_t granted = 0;

	for (uint32_t looks = 0; (gate = open_gate(m)) || m->now.lend_due; looks++) {
		if (!gate) {
			m->now.lend_due = false;
			granted += lend(m);
			continue;
		}
		if (looks < RV_GRANT_MAX)
			granted += look(m, gate);
		else
			put_off(m, gate);
	}
	return granted;
}

uint32_t rv_memory_grant_due(struct mem_store *m, uint32_t limit)
{
	uint32_t before = rv_memory_grant(m);

	for (uint32_t n = 0; n < limit; n++) {
		struct mem_gate *first = NULL;

		MEM_EACH(m, gates, gate)
		if (!gate->open && gate->due_us != 0 && gate->due_us <= m->wall_us &&
		    (!first || gate->due_us < first->due_us ||
		     (gate->due_us == first->due_us && strcmp(gate->name, first->name) < 0)))
			first = gate;
		if (!first)
			break;
		first->open = m->now.lend_due = true;
	}
	return before + rv_memory_grant(m);
}

/* Whoever waits at gates of ${queue} (NULL: at any) is looked at anew, by the keeper. */
void rv_memory_reconsider(struct mem_store *m, const char *queue)
{
	MEM_EACH(m, gates, gate)
	if ((!queue || rv_gate_of_queue(gate->name, queue)) && rv_memory_gate_head(m, gate->name))
		shut(m, gate, m->wall_us);
}

static void adopt(struct mem_store *m, struct mem_job *j)
{
	struct rv_needs needs;

	rv_memory_needs(m, j, &needs);
	for (size_t i = 0; i < needs.count; i++) {
		const struct rv_need *need = &needs.of[i];
		struct mem_gate *gate = gate_named(m, need->gate);
		bool held = need->max < 0 || (j->lent & 1U << need->kind); /* its own */

		j->passed = j->passed || need->max >= 0;
		MEM_EACH(m, holds, h)
		held = held || (h->job == j->id && strcmp(h->gate, gate->name) == 0);
		if (held)
			continue;
		gate->used += need->n;
		*MEM_ADD(m, holds) =
			(struct mem_hold){.job = j->id, .n = need->n, .gate = gate->name};
	}
}

/* After a change of limits: what runs counts. */
void rv_memory_adopt(struct mem_store *m)
{
	m->now.lend_due = true;
	MEM_EACH(m, jobs, j)
	if (j->place == MEM_LEASE || (j->place == MEM_READY && j->passed))
		adopt(m, j);
}

/* A paused queue holds nothing that others could use. */
void rv_memory_yield(struct mem_store *m, int queue)
{
	MEM_EACH(m, jobs, j)
	if (j->place == MEM_READY && j->queue == queue && j->passed)
		rv_memory_give_back(m, j);
}

int64_t rv_memory_gate_due(const struct mem_store *m)
{
	int64_t next = 0;

	MEM_EACH(m, gates, gate)
	if (gate->due_us != 0 && (next == 0 || gate->due_us < next))
		next = gate->due_us;
	return next;
}

int rv_memory_read_gates(struct rv_store *store,
			 int (*each)(void *ctx, const struct rv_gate_view *view), void *ctx)
{
	struct mem_store *m = MEM_OF(store);
	const struct mem_job *reserver = rv_memory_reserver(m);
	struct rv_needs kept = {.count = 0};
	const char *last = "";

	if (reserver)
		rv_memory_needs(m, reserver, &kept);
	for (;;) {
		struct rv_gate_view v = {.max = -1};
		struct rv_limited known = {.resources = m->now.resources.rows,
					   .nresources = m->now.resources.n};
		struct mem_gate *next = NULL;
		char owner[RV_NAME_MAX];
		struct rv_need need;
		int err;

		MEM_EACH(m, gates, g)
		if (strcmp(g->name, last) > 0 && (!next || strcmp(g->name, next->name) < 0))
			next = g;
		if (!next)
			return RV_OK;
		last = v.name = next->name;
		MEM_EACH(m, jobs, j)
		v.waiting += j->gate && strcmp(j->gate, next->name) == 0;
		if (next->used == 0 && v.waiting == 0)
			continue;
		rv_rules_gate_owner(next->name, owner);
		known.queue = known.task = owner;
		MEM_EACH(m, queues, q)
		if (strcmp(q->name, owner) == 0)
			known.queue_limits = &q->limits;
		MEM_EACH(m, tasks, t)
		if (strcmp(t->name, owner) == 0)
			known.task_limits = &t->limits;
		if (rv_rules_gate(&known, next->name, &need) == RV_OK) {
			v.max = need.max;
			v.rate = need.rate;
		}
		v.used = next->used;
		v.due_us = next->due_us;
		v.kept_for = rv_need_of(&kept, next->name) ? reserver->id : 0;
		err = each(ctx, &v);
		if (err != RV_OK)
			return err;
	}
}

int rv_memory_read_holds(struct rv_store *store,
			 int (*each)(void *ctx, int64_t job, const char *gate, int64_t n),
			 void *ctx)
{
	struct mem_store *m = MEM_OF(store);

	MEM_EACH(m, jobs, j)
	{
		const char *last = "";

		for (;;) {
			const struct mem_hold *next = NULL;
			int err;

			MEM_EACH(m, holds, h)
			if (h->job == j->id && strcmp(h->gate, last) > 0 &&
			    (!next || strcmp(h->gate, next->gate) < 0))
				next = h;
			if (!next)
				break;
			last = next->gate;
			err = each(ctx, next->job, next->gate, next->n);
			if (err != RV_OK)
				return err;
		}
	}
	return RV_OK;
}
