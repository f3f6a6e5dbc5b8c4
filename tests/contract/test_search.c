/* Lists by several states, and searches by a query: what is found, in which order, page by page. */
#include "fixture.h"

#include "store/search.h"

struct found {
	int64_t id[64];
	size_t n, stop_at; /* stop_at 0: never */
	char next[RV_CURSOR_SPACE];
};

static int note(void *ctx, const struct rv_job_view *view)
{
	struct found *to = ctx;

	cr_assert(lt(sz, to->n, RV_ARRAY_LEN(to->id)));
	to->id[to->n++] = view->id;
	return to->n == to->stop_at ? RV_E_CLOSED : RV_OK;
}

static int try_search(struct fixture *f, const char *text, const char *cursor, int64_t limit,
		      struct found *found)
{
	static struct rv_query query;
	struct rv_search search = {.query = &query, .cursor = cursor, .limit = limit};
	size_t at;

	ERR(rv_query_parse(text, rv_wall_us(), &query, &at, &f->why), RV_OK);
	found->n = 0;
	return rv_store_search(f->store, &search, note, found, found->next, &f->why);
}

static struct found search(struct fixture *f, const char *text)
{
	struct found found = {.n = 0};

	ERR(try_search(f, text, NULL, 0, &found), RV_OK);
	TEXT(found.next, "");
	return found;
}

static void found_are(const struct found *found, const int64_t *want, size_t n)
{
	IS(found->n, n);
	for (size_t i = 0; i < n; i++)
		IS(found->id[i], want[i]);
}

#define FINDS(query, ...)                                                                          \
	do {                                                                                       \
		struct found got = search(f, query);                                               \
		const int64_t want[] = {0, __VA_ARGS__};                                           \
		found_are(&got, want + 1, sizeof want / sizeof *want - 1);                         \
	} while (0)

struct zoo {
	int64_t ready, due, blocked, running, fine, dead, gone, fetched, bulk;
};

/* A job in every state; the dead one ran for 40 s, the fine one for 10. */
static struct zoo zoo(struct fixture *f)
{
	struct zoo z;
	int64_t fence;

	z.fine = add(f, JOB(.key = "a"));
	fence = claim(f, W1, z.fine);
	tick(f, S(10));
	ERR(ack(f, W1, z.fine, fence, RV_OUTCOME_SUCCEEDED), RV_OK);
	z.dead = add(f, JOB(.key = "b", .labels = "[\"x\",\"y z\"]"));
	fence = claim(f, W1, z.dead);
	tick(f, S(40));
	ERR(ack_with(f, W1,
		     ACK(.job = z.dead, .fence = fence, .outcome = RV_OUTCOME_FATAL, .exit_code = 3,
			 .error = "disk 7 is full", .started_us = f->wall_us - S(40),
			 .ended_us = f->wall_us)),
	    RV_OK);
	z.gone = add(f, JOB(.key = "a"));
	ERR(cancel(f, z.gone), RV_OK);
	z.due = add(f, JOB(.run_at_us = f->wall_us + S(100)));
	z.running = add(f, JOB(.priority = 3));
	(void)claim(f, W1, z.running);
	z.blocked = add(f, JOB(.after = &z.running, .nafter = 1));
	z.fetched = add(f, JOB(.weight = 5));
	IS(prefetch(f, W2, 1, "default")->claimed[0].job, z.fetched);
	z.ready = add(f, JOB(.key = "b"));
	z.bulk = add(f, JOB(.queue = "bulk", .task = "once"));
	return z;
}

CONTRACT(search, by_states)
{
	struct zoo z = zoo(f);

	FINDS("", z.bulk, z.ready, z.fetched, z.blocked, z.running, z.due, z.gone, z.dead, z.fine);
	FINDS("state:ready", z.bulk, z.ready, z.fetched);
	FINDS("state:dead,cancelled", z.gone, z.dead);
	FINDS("state:scheduled,blocked,running", z.blocked, z.running, z.due);
	FINDS("state!=ready", z.blocked, z.running, z.due, z.gone, z.dead, z.fine);
	FINDS("state!=ready state:succeeded,ready", z.fine);
	FINDS("state:dead state:ready");
	FINDS("queue:bulk", z.bulk);
	FINDS("queue:bulk state:dead,ready", z.bulk);
	FINDS("queue:default state:dead,ready,succeeded", z.ready, z.fetched, z.dead, z.fine);
	FINDS("queue:none");
	FINDS("queue!=default", z.bulk);
	FINDS("task:once", z.bulk);
	FINDS("task:on* queue:bulk,default", z.bulk);
}

CONTRACT(search, by_the_other_fields)
{
	struct zoo z = zoo(f);

	FINDS("key:a", z.gone, z.fine);
	FINDS("key:*", z.ready, z.gone, z.dead, z.fine);
	FINDS("label:\"y z\"", z.dead);
	FINDS("label:nothing");
	FINDS("error:disk*", z.dead);
	FINDS("fingerprint:*", z.gone, z.dead);
	FINDS("fingerprint:????????  error:disk*", z.dead);
	FINDS("exit:3", z.dead);
	FINDS("attempts>0 state!=running", z.dead, z.fine);
	FINDS("worker:*", z.running, z.dead, z.fine);
	FINDS("priority:3", z.running);
	FINDS("weight>1", z.fetched);
	FINDS("due<2m", z.due);
	FINDS("due<1m");
	FINDS("finished<20s", z.gone, z.dead);
	FINDS("finished>20s", z.fine);
	FINDS("created>35s", z.dead, z.fine);
	FINDS("duration>30s", z.dead);
	FINDS("runs>0 state!=dead duration<30s", z.running, z.fine);
}

CONTRACT(search, by_metadata)
{
	int64_t a = add(f, JOB(.meta = "{\"tenant\":\"acme\",\"n\":5,\"on\":true}"));
	int64_t b = add(f, JOB(.meta = "{\"tenant\":\"other\",\"o\":{\"x\":[1,null]}}"));
	int64_t c = add(f, JOB(.key = "k"));
	int64_t d = add(f, JOB(.meta = "no JSON"));

	FINDS("meta.tenant:acme", a);
	FINDS("meta.tenant:*", b, a);
	FINDS("meta.tenant!=acme", d, c, b);
	FINDS("meta.n:5 meta.on:true", a);
	FINDS("meta.o:'*'");
	FINDS("meta.o:*null*", b);
	FINDS("meta.none:*");
}

CONTRACT(search, by_id)
{
	struct zoo z = zoo(f);
	struct rv_job_filter filter = {
		.state = -1, .above_id = z.fine, .before_id = z.gone, .limit = 9};
	struct found found = {.n = 0};
	char text[64];

	ERR(rv_store_jobs(f->store, &filter, note, &found), RV_OK);
	found_are(&found, &z.dead, 1);
	(void)snprintf(text, sizeof text, "id:%lld", (long long)z.due);
	FINDS(text, z.due);
	(void)snprintf(text, sizeof text, "id<=%lld", (long long)z.dead);
	FINDS(text, z.dead, z.fine);
	(void)snprintf(text, sizeof text, "id>%lld state:ready", (long long)z.fetched);
	FINDS(text, z.bulk, z.ready);
	FINDS("id>1000000");
	FINDS("id<1");
	FINDS("id>=5 id<5");
}

/* Every page, put together, is the whole; a page never overlaps another. */
static void by_pages(struct fixture *f, const char *text, int64_t size)
{
	struct found all = search(f, text);
	struct found page = {.n = 0};
	size_t at = 0;
	char cursor[RV_CURSOR_SPACE] = "";

	do {
		ERR(try_search(f, text, cursor[0] ? cursor : NULL, size, &page), RV_OK);
		for (size_t i = 0; i < page.n; i++)
			IS(page.id[i], all.id[at++]);
		(void)snprintf(cursor, sizeof cursor, "%s", page.next);
		if (cursor[0])
			IS(page.n, size);
	} while (cursor[0]);
	IS(at, all.n);
}

CONTRACT(search, by_pages)
{
	static const char *const queries[] = {"",
					      "state:ready",
					      "sort:id",
					      "sort:-created",
					      "sort:duration",
					      "sort:-duration",
					      "key:*",
					      "sort:-weight",
					      "sort:exit",
					      "state!=dead",
					      "sort:due queue:default"};

	(void)zoo(f);
	for (size_t i = 0; i < RV_ARRAY_LEN(queries); i++)
		for (int64_t size = 1; size < 11; size++)
			by_pages(f, queries[i], size);
}

CONTRACT(search, in_order)
{
	struct zoo z = zoo(f);

	FINDS("sort:id state:ready", z.fetched, z.ready, z.bulk);
	FINDS("sort:-duration runs>0", z.dead, z.fine, z.running);
	FINDS("sort:duration state:dead,succeeded,cancelled", z.fine, z.dead, z.gone);
	FINDS("sort:finished state:dead,succeeded,cancelled", z.fine, z.gone, z.dead);
}

/* All ids of a search, however many; ${limit} a page. */
struct listed {
	int64_t id[2000];
	size_t n;
};

static int note_all(void *ctx, const struct rv_job_view *view)
{
	struct listed *to = ctx;

	cr_assert(lt(sz, to->n, RV_ARRAY_LEN(to->id)));
	to->id[to->n++] = view->id;
	return RV_OK;
}

static void list_all(struct fixture *f, const char *text, int64_t limit, struct listed *to)
{
	static struct rv_query query;
	struct rv_search search = {.query = &query, .limit = limit};
	char cursor[RV_CURSOR_SPACE] = "";
	char next[RV_CURSOR_SPACE];
	size_t at;

	to->n = 0;
	do {
		size_t before = to->n;

		ERR(rv_query_parse(text, rv_wall_us(), &query, &at, &f->why), RV_OK);
		search.cursor = cursor[0] ? cursor : NULL;
		ERR(rv_store_search(f->store, &search, note_all, to, next, &f->why), RV_OK);
		if (next[0])
			IS(to->n - before, limit);
		(void)snprintf(cursor, sizeof cursor, "%s", next);
	} while (cursor[0]);
}

/* Crowds and long gaps between them: the oldest first is the newest first turned round. */
CONTRACT(search, oldest_first_over_crowds_and_gaps)
{
	static const char *const queries[] = {"queue:bulk",           "key:a",
					      "queue:bulk key:a",     "key:a state:cancelled",
					      "id>700 id<1100 key:a", ""};
	static const int64_t sizes[] = {0, 1, 7, 64, 300};
	static struct listed down;
	static struct listed up;

	for (int i = 0; i < 1200; i++) {
		bool crowd = i % 400 < 3 || (i >= 500 && i < 900);
		int64_t id = add(f, JOB(.queue = crowd ? "bulk" : "default",
					.key = crowd || i == 1100 ? "a" : "b"));

		if (i % 97 == 0)
			ERR(cancel(f, id), RV_OK);
	}
	for (size_t i = 0; i < RV_ARRAY_LEN(queries) * RV_ARRAY_LEN(sizes); i++) {
		const char *query = queries[i / RV_ARRAY_LEN(sizes)];
		int64_t size = sizes[i % RV_ARRAY_LEN(sizes)];
		char text[64];

		(void)snprintf(text, sizeof text, "%s sort:id", query);
		list_all(f, query, 0, &down);
		cr_assert(lt(sz, 0, down.n), "%s", query);
		if (size == 1 && down.n > 500)
			continue; /* says no more, and takes long */
		list_all(f, text, size, &up);
		IS(up.n, down.n);
		for (size_t k = 0; k < up.n; k++)
			IS(up.id[k], down.id[down.n - 1 - k]);
	}
}

CONTRACT(search, a_page_ends_when_its_reader_says)
{
	struct zoo z = zoo(f);
	struct found found = {.stop_at = 2};

	ERR(try_search(f, "", NULL, 0, &found), RV_E_CLOSED);
	IS(found.n, 2);
	ERR(try_search(f, "sort:id", NULL, 0, &found), RV_E_CLOSED);
	IS(found.id[0], z.fine);
}

CONTRACT(search, a_cursor_that_is_none)
{
	struct found found = {.n = 0};

	ERR(try_search(f, "", "x", 1, &found), RV_E_USAGE);
	ERR(try_search(f, "", "0", 1, &found), RV_E_USAGE);
	ERR(try_search(f, "", "5:5", 1, &found), RV_E_USAGE);
	ERR(try_search(f, "sort:exit", "5", 1, &found), RV_E_USAGE);
	ERR(try_search(f, "sort:exit", "x:5", 1, &found), RV_E_USAGE);
	ERR(try_search(f, "sort:exit", "3:5", 1, &found), RV_OK);
	HAS(f->why.text, "no place in this list");
}
