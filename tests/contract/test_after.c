/* Children: how their parents must end, and what is told at once. */
#include "fixture.h"

#include "core/job.h"

static int try_after(struct fixture *f, int64_t parent, enum rv_after on, int64_t *ret_id)
{
	return try_add(f, JOB(.queue = "bulk", .after = &parent, .nafter = 1, .on = on), ret_id);
}

static int64_t after(struct fixture *f, int64_t parent, enum rv_after on)
{
	int64_t id = 0;

	ERR(try_after(f, parent, on, &id), RV_OK);
	STATE(id, "blocked");
	return id;
}

enum end { SUCCEEDS, DIES, IS_CANCELLED };

static void end(struct fixture *f, int64_t id, enum end how)
{
	if (how == IS_CANCELLED)
		ERR(cancel(f, id), RV_OK);
	else
		run(f, id, how == SUCCEEDS ? RV_OUTCOME_SUCCEEDED : RV_OUTCOME_FATAL);
}

/* What becomes of a child that waits, and what is told of a new one. */
static const struct {
	enum rv_after on;
	enum end how;
	const char *waiting;
	int late;
	const char *says;
} rows[] = {
	{RV_AFTER_SUCCESS, SUCCEEDS, "ready", RV_OK, ""},
	{RV_AFTER_SUCCESS, DIES, "blocked", RV_E_CONFLICT, "is dead"},
	{RV_AFTER_SUCCESS, IS_CANCELLED, "cancelled", RV_E_CONFLICT, "was cancelled"},
	{RV_AFTER_FAILURE, SUCCEEDS, "cancelled", RV_E_CONFLICT, "succeeded"},
	{RV_AFTER_FAILURE, DIES, "ready", RV_OK, ""},
	{RV_AFTER_FAILURE, IS_CANCELLED, "cancelled", RV_E_CONFLICT, "was cancelled"},
	{RV_AFTER_ANY, SUCCEEDS, "ready", RV_OK, ""},
	{RV_AFTER_ANY, DIES, "ready", RV_OK, ""},
	{RV_AFTER_ANY, IS_CANCELLED, "ready", RV_OK, ""},
};

CONTRACT(after, each_end_means_what_it_should)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		int64_t parent = add(f, JOB(.queue = "critical"));
		int64_t child = after(f, parent, rows[i].on);
		int64_t late = 0;

		end(f, parent, rows[i].how);
		STATE(child, rows[i].waiting);
		if (strcmp(rows[i].waiting, "cancelled") == 0)
			HAS(see(f, child)->error, rows[i].says);
		cr_assert(eq(int, try_after(f, parent, rows[i].on, &late), rows[i].late),
			  "row %zu: %s", i, f->why.text);
		if (rows[i].late != RV_OK)
			HAS(f->why.text, rows[i].says);
		else
			STATE(late, "ready");
		(void)cancel(f, child);
		(void)cancel(f, late);
	}
}

CONTRACT(after, a_failure_that_is_tried_again_is_none)
{
	int64_t parent = add(f, JOB(.queue = "critical", .max_attempts = 2));
	int64_t child = after(f, parent, RV_AFTER_FAILURE);

	run(f, parent, RV_OUTCOME_FAILED);
	STATE(child, "blocked");
	run(f, parent, RV_OUTCOME_FAILED);
	STATE(parent, "dead");
	STATE(child, "ready");
	TEXT(rings(f), "Q bulk;");
	ERR(retry(f, parent), RV_OK); /* what was started by the failure stays */
	run(f, parent, RV_OUTCOME_SUCCEEDED);
	STATE(child, "ready");
}

CONTRACT(after, every_parent_must_end_as_said)
{
	int64_t both[2] = {add(f, JOB(.queue = "critical")), add(f, JOB(.queue = "critical"))};
	int64_t child =
		add(f, JOB(.queue = "bulk", .after = both, .nafter = 2, .on = RV_AFTER_FAILURE));
	int64_t grandchild = after(f, child, RV_AFTER_SUCCESS);
	int64_t mourner = after(f, child, RV_AFTER_ANY);

	run(f, both[0], RV_OUTCOME_FATAL);
	STATE(child, "blocked");
	IS(see(f, child)->parent_left, 1);
	run(f, both[1], RV_OUTCOME_SUCCEEDED);
	STATE(child, "cancelled");
	HAS(see(f, child)->error, "succeeded");
	STATE(grandchild, "cancelled"); /* its parent was cancelled */
	STATE(mourner, "ready");
}

CONTRACT(after, a_held_child_stays_held)
{
	int64_t parent = add(f, JOB(.queue = "critical"));
	int64_t child = after(f, parent, RV_AFTER_ANY);

	f->req.u.hold = (struct rv_req_hold){.job = child, .held = 1};
	ERR(ask_kind(f, RV_REQ_HOLD), RV_OK);
	ERR(cancel(f, parent), RV_OK);
	STATE(child, "blocked");
	f->req.u.hold = (struct rv_req_hold){.job = child};
	ERR(ask_kind(f, RV_REQ_HOLD), RV_OK);
	STATE(child, "ready");
}

CONTRACT(after, a_dead_parent_with_children_is_not_deleted)
{
	int64_t parent = add(f, JOB(.queue = "critical"));
	int64_t child = after(f, parent, RV_AFTER_SUCCESS);
	int64_t other = after(f, parent, RV_AFTER_FAILURE);

	run(f, parent, RV_OUTCOME_FATAL);
	STATE(other, "ready");
	ERR(forget(f, parent), RV_E_CONFLICT);
	ERR(cancel(f, child), RV_OK);
	ERR(forget(f, parent), RV_OK);
}

CONTRACT(after, a_parent_that_was_there_is_gone)
{
	int64_t parent = add_task(f, "t");
	int64_t id = 0;

	run(f, parent, RV_OUTCOME_SUCCEEDED);
	ERR(forget(f, parent), RV_OK);
	for (int on = RV_AFTER_SUCCESS; on <= RV_AFTER_ANY; on++) {
		ERR(try_after(f, parent, (enum rv_after)on, &id), RV_E_NOTFOUND);
		HAS(f->why.text, "is gone");
		ERR(try_after(f, parent + 1, (enum rv_after)on, &id), RV_E_NOTFOUND);
		HAS(f->why.text, "there is no job");
	}
}

/*
 * A job can name only what was accepted before it, so that parents never go in a circle: neither
 * itself nor one that comes later in its block has a number yet.
 */
CONTRACT(after, a_circle_cannot_be_made)
{
	int64_t last = add_task(f, "t");
	int64_t self = last + 1;
	int64_t next = last + 2;
	struct rv_job_new block[2] = {JOB(.after = &next, .nafter = 1),
				      JOB(.after = &self, .nafter = 1)};
	int64_t ids[2] = {0};
	int64_t id = 0;

	ERR(try_add(f, JOB(.after = &self, .nafter = 1), &id), RV_E_NOTFOUND);
	ERR(try_add(f, JOB(.after = &next, .nafter = 1), &id), RV_E_NOTFOUND);
	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = block, .count = 2, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_E_NOTFOUND);
	IS(f->req.u.enqueue.failed_index, 0);
	block[0] = JOB(.key = "first");
	f->req.u.enqueue = (struct rv_req_enqueue){.jobs = block, .count = 2, .ret_ids = ids};
	ERR(ask_kind(f, RV_REQ_ENQUEUE), RV_OK);
	IS(ids[0], self);
	STATE(ids[1], "blocked");
}
