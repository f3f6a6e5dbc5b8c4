/* What happened, in order: pages, what a deletion takes away, callbacks that end it. */
#include "fixture.h"

#include "store/events.h"

struct seen {
	struct rv_event_view events[64];
	size_t n;
	size_t stop_at; /* 0: never */
};

static int note(void *ctx, const struct rv_event_view *view)
{
	struct seen *seen = ctx;

	cr_assert(lt(sz, seen->n, RV_ARRAY_LEN(seen->events)));
	seen->events[seen->n++] = *view;
	return seen->n == seen->stop_at ? RV_E_CLOSED : RV_OK;
}

static int64_t last_of(struct fixture *f)
{
	int64_t last = -1;

	ERR(rv_store_events_last(f->store, &last), RV_OK);
	return last;
}

CONTRACT(events, tell_each_change_in_order)
{
	struct seen seen = {.n = 0};
	int64_t before = last_of(f);
	int64_t a = add(f, JOB(.key = "a"));
	int64_t b = add(f, JOB(.run_at_us = START_US + S(60)));

	tick(f, S(1));
	run(f, a, RV_OUTCOME_SUCCEEDED);
	ERR(rv_store_events(f->store, before, 100, note, &seen), RV_OK);
	IS(seen.n, 4);
	IS(seen.events[0].job, a);
	IS(seen.events[0].from, RV_EVENT_ACCEPTED);
	IS(seen.events[0].to, RV_JOB_READY);
	IS(seen.events[0].at_us, START_US);
	IS(seen.events[1].job, b);
	IS(seen.events[1].to, RV_JOB_SCHEDULED);
	IS(seen.events[2].from, RV_JOB_READY);
	IS(seen.events[2].to, RV_JOB_RUNNING);
	IS(seen.events[2].at_us, START_US + S(1));
	IS(seen.events[3].job, a);
	IS(seen.events[3].to, RV_JOB_SUCCEEDED);
	IS(seen.events[3].seq, last_of(f));
	cr_assert(lt(i64, seen.events[0].seq, seen.events[1].seq));
}

CONTRACT(events, come_in_pages_and_end_when_told)
{
	struct seen seen = {.n = 0};
	int64_t before = last_of(f);

	for (int i = 0; i < 5; i++)
		(void)add(f, JOB(.key = "a"));
	ERR(rv_store_events(f->store, before, 2, note, &seen), RV_OK);
	IS(seen.n, 2);
	ERR(rv_store_events(f->store, seen.events[1].seq, 50, note, &seen), RV_OK);
	IS(seen.n, 5);
	ERR(rv_store_events(f->store, last_of(f), 50, note, &seen), RV_OK);
	IS(seen.n, 5);
	seen = (struct seen){.stop_at = 3};
	ERR(rv_store_events(f->store, before, 50, note, &seen), RV_E_CLOSED);
	IS(seen.n, 3);
}

CONTRACT(events, of_a_deleted_job_are_gone)
{
	struct seen seen = {.n = 0};
	int64_t before = last_of(f);
	int64_t a = add(f, JOB(.key = "a"));
	int64_t b = add(f, JOB(.key = "b"));

	run(f, a, RV_OUTCOME_SUCCEEDED);
	ERR(forget(f, a), RV_OK);
	ERR(rv_store_events(f->store, before, 50, note, &seen), RV_OK);
	IS(seen.n, 1);
	IS(seen.events[0].job, b);
	cr_assert(lt(i64, seen.events[0].seq, last_of(f)));
}

static int note_path(void *ctx, const char *path)
{
	char *text = ctx;

	(void)snprintf(text + strlen(text), 200 - strlen(text), "%s;", path);
	return RV_OK;
}

CONTRACT(events, followers_are_rung_by_each_commit_that_has_some)
{
	const char *both = "W /run/a 9223372036854775807;W /run/b 9223372036854775807;";
	char paths[200] = "";
	struct rv_job_new two[] = {JOB(.key = "a"), JOB(.run_at_us = START_US + S(9))};
	struct rv_req more = {.kind = RV_REQ_ENQUEUE};
	int64_t ids[2];
	int64_t id;

	ERR(wait_for(f, RV_WAITER_FOLLOWS, "/run/a", START_US + S(60)), RV_OK);
	TEXT(rings(f), "");
	ERR(wait_for(f, RV_WAITER_FOLLOWS, "/run/b", START_US + S(60)), RV_OK);
	ERR(wait_for(f, RV_WAITER_FOLLOWS, "/run/late", START_US + S(1)), RV_OK);
	ERR(rv_store_followers(f->store, note_path, paths), RV_OK);
	TEXT(paths, "/run/a;/run/b;/run/late;");
	tick(f, S(2));
	id = add(f, JOB(.key = "a"));
	HAS(rings(f), both);
	ERR(pause_queue(f, "bulk", 1), RV_OK); /* no event */
	TEXT(rings(f), "");
	ERR(cancel(f, id), RV_OK);
	TEXT(rings(f), both); /* again: asking once is enough */
	ERR(cancel(f, id), RV_E_CONFLICT);
	TEXT(rings(f), "");
	more.u.enqueue = (struct rv_req_enqueue){.jobs = two, .count = 2, .ret_ids = ids};
	ERR(ask(f, &more), RV_OK);
	HAS(rings(f), both);
	ERR(wait_for(f, RV_WAITER_FOLLOWS, "/run/a", 0), RV_OK);
	ERR(cancel(f, ids[0]), RV_OK);
	TEXT(rings(f), "W /run/b 9223372036854775807;");
	ERR(wait_for(f, 0, "/run/b", 0), RV_OK);
	ERR(cancel(f, ids[1]), RV_OK);
	TEXT(rings(f), "");
}
