/*
 * Searching a store by a query, over either backend: the CLI and whoever links the library.
 * Newest first it streams; oldest first it goes by stretches of ids; in any other order it keeps
 * the best of a page in memory, then reads them once more.  Changes nothing.
 */
#include "store/search.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/fmt.h"
#include "core/fingerprint.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_SPACE ((size_t)16 << 10) /* bytes of labels, see rules.h */
#define ENOUGH       1                  /* no error: the page is full */
#define STRETCH      RV_LIMIT(256, 2)   /* ids of a stretch that are kept at once */

/* A job in the order of the query. */
struct hit {
	int64_t value, id;
};

struct finder {
	struct rv_store *store;
	const struct rv_search *search;
	int (*each)(void *ctx, const struct rv_job_view *view);
	void *ctx;
	struct hit after; /* the last one of the page before; id 0: none */
	int64_t given, last;
	bool more;
	struct hit *hits; /* owned: the best so far; a heap, the last one on top, once it is full */
	size_t nhits, space;
};

/* The labels of a row, parsed only when somebody asks for them. */
struct labels {
	json_t *json;
	const char **texts;
};

static int read_labels(const char *text, struct labels *labels, struct rv_query_row *row)
{
	json_t *item;
	size_t i;
	int err;

	if (!text)
		return RV_OK;
	err = rv_json_parse(text, strlen(text), LABELS_SPACE * 2, &labels->json, NULL);
	if (err != RV_OK)
		return err == RV_E_NOMEM ? err : RV_OK; /* a label that is none matches nothing */
	labels->texts = calloc(json_array_size(labels->json) + 1, sizeof *labels->texts);
	if (!labels->texts)
		return RV_E_NOMEM;
	json_array_foreach(labels->json, i, item)
	{
		if (json_is_string(item))
			labels->texts[row->nlabels++] = json_string_value(item);
	}
	row->labels = labels->texts;
	return RV_OK;
}

/* A value of a row's metadata: a text as it is, else as JSON writes it. */
static int read_value(const json_t *value, struct rv_arena *arena, const char **ret_text)
{
	struct rv_buf buf;
	int err;

	*ret_text = json_string_value(value);
	if (*ret_text)
		return RV_OK;
	rv_buf_init(&buf);
	err = rv_json_dump(value, false, &buf);
	if (err == RV_OK) {
		*ret_text = rv_arena_strdup(arena, rv_buf_text(&buf));
		err = *ret_text ? RV_OK : RV_E_NOMEM;
	}
	rv_buf_fini(&buf);
	return err;
}

/* Parsed, as labels, only when somebody asks; texts in ${arena} and in ${*ret_json}. */
static int read_meta(const char *text, struct rv_arena *arena, json_t **ret_json,
		     struct rv_query_row *row)
{
	struct rv_query_meta *pairs;
	const char *name;
	json_t *value;
	int err;

	if (!text)
		return RV_OK;
	err = rv_json_parse(text, strlen(text), (size_t)RV_META_MAX * 2, ret_json, NULL);
	if (err != RV_OK)
		return err == RV_E_NOMEM ? err : RV_OK;
	pairs = rv_arena_alloc(arena, (json_object_size(*ret_json) + 1) * sizeof *pairs);
	if (!pairs)
		return RV_E_NOMEM;
	row->meta = pairs;
	json_object_foreach(*ret_json, name, value)
	{
		pairs[row->nmeta].name = name;
		err = read_value(value, arena, &pairs[row->nmeta++].value);
		if (err != RV_OK)
			return err;
	}
	return RV_OK;
}

static int64_t time_of(int64_t wall_us)
{
	return wall_us == 0 ? RV_QUERY_ABSENT : wall_us;
}

static int64_t duration_of(const struct rv_query *query, const struct rv_job_view *view)
{
	if (view->started_us == 0)
		return RV_QUERY_ABSENT;
	if (view->state == RV_JOB_RUNNING)
		return query->now_us - view->started_us;
	if (view->finished_us == 0)
		return RV_QUERY_ABSENT;
	return view->finished_us - view->started_us;
}

static void fill_row(const struct rv_query *query, const struct rv_job_view *view,
		     struct rv_query_row *row)
{
	bool ran = view->runs > 0;

	row->number[RV_QUERY_ID] = view->id;
	row->number[RV_QUERY_STATE] = (int64_t)view->state;
	row->number[RV_QUERY_PRIORITY] = view->priority;
	row->number[RV_QUERY_WEIGHT] = view->weight;
	row->number[RV_QUERY_ATTEMPTS] = view->attempt;
	row->number[RV_QUERY_MAX_ATTEMPTS] = view->max_attempts;
	row->number[RV_QUERY_RUNS] = view->runs;
	row->number[RV_QUERY_CRASHES] = view->crashes;
	row->number[RV_QUERY_EXIT] =
		ran && view->exit_code >= 0 ? view->exit_code : RV_QUERY_ABSENT;
	row->number[RV_QUERY_SIGNAL] = view->signo > 0 ? view->signo : RV_QUERY_ABSENT;
	row->number[RV_QUERY_CREATED] = time_of(view->created_us);
	row->number[RV_QUERY_STARTED] = time_of(view->started_us);
	row->number[RV_QUERY_FINISHED] = time_of(view->finished_us);
	row->number[RV_QUERY_DUE] =
		view->state == RV_JOB_SCHEDULED ? view->run_at_us : RV_QUERY_ABSENT;
	row->number[RV_QUERY_EXPIRES] = time_of(view->expires_us);
	row->number[RV_QUERY_DEADLINE] = time_of(view->deadline_us);
	row->number[RV_QUERY_DURATION] = duration_of(query, view);
	row->number[RV_QUERY_BATCH] =
		view->batch > 0 && !view->callback ? view->batch : RV_QUERY_ABSENT;
	row->number[RV_QUERY_PARENT] = view->parent > 0 ? view->parent : RV_QUERY_ABSENT;
	row->text[RV_QUERY_QUEUE] = view->queue;
	row->text[RV_QUERY_TASK] = view->task;
	row->text[RV_QUERY_KEY] = view->key;
	row->text[RV_QUERY_UNIQUE] = view->unique_key;
	row->text[RV_QUERY_ERROR] = view->error;
	row->text[RV_QUERY_WORKER] = view->worker;
}

/* Whether the query asks for it, and its value in the query's order. */
static int look(const struct rv_query *query, const struct rv_job_view *view, bool *ret_matches,
		int64_t *ret_value)
{
	struct rv_query_row row = {.nlabels = 0};
	struct labels labels = {.json = NULL};
	struct rv_arena arena;
	json_t *meta = NULL;
	char fingerprint[RV_FINGERPRINT_SPACE];
	int err = RV_OK;

	rv_arena_init(&arena);
	fill_row(query, view, &row);
	if (rv_query_uses(query, RV_QUERY_FINGERPRINT) && view->error)
		row.text[RV_QUERY_FINGERPRINT] = rv_fingerprint(fingerprint, view->error);
	if (rv_query_uses(query, RV_QUERY_LABEL))
		err = read_labels(view->labels, &labels, &row);
	if (err == RV_OK && rv_query_uses(query, RV_QUERY_META))
		err = read_meta(view->meta, &arena, &meta, &row);
	if (err == RV_OK) {
		*ret_matches = rv_query_match(query, &row);
		*ret_value = row.number[query->sort];
	}
	free(labels.texts);
	json_decref(labels.json);
	json_decref(meta);
	rv_arena_reset(&arena);
	return err;
}

static bool by_id(const struct rv_query *query)
{
	return query->sort == RV_QUERY_ID && !query->ascending;
}

static int order(const struct finder *f, const struct hit *a, const struct hit *b)
{
	return rv_query_order(f->search->query, a->value, a->id, b->value, b->id);
}

/* "ID" newest first, else "VALUE:ID", "-:ID" where there is no value. */
static int read_cursor(const struct rv_search *search, struct hit *ret_after, struct rv_why *why)
{
	const char *cursor = search->cursor;
	const char *colon = cursor ? strrchr(cursor, ':') : NULL;
	char value[RV_CURSOR_SPACE];
	struct hit after = {.value = RV_QUERY_ABSENT};
	bool good;

	if (!cursor)
		return RV_OK;
	if (by_id(search->query)) {
		good = rv_parse_int(cursor, 1, INT64_MAX, &after.id) == RV_OK;
		after.value = after.id;
	} else {
		good = colon && colon - cursor < (ptrdiff_t)sizeof value &&
		       rv_parse_int(colon + 1, 1, INT64_MAX, &after.id) == RV_OK;
		(void)snprintf(value, sizeof value, "%.*s", good ? (int)(colon - cursor) : 0,
			       cursor);
		good = good &&
		       (strcmp(value, "-") == 0 ||
			rv_parse_int(value, INT64_MIN + 1, INT64_MAX, &after.value) == RV_OK);
	}
	if (!good)
		return rv_fail(why, RV_E_USAGE, "%s is no place in this list", cursor);
	*ret_after = after;
	return RV_OK;
}

static void write_cursor(const struct rv_query *query, const struct hit *last,
			 char out[RV_CURSOR_SPACE])
{
	if (by_id(query))
		(void)snprintf(out, RV_CURSOR_SPACE, "%lld", (long long)last->id);
	else if (last->value == RV_QUERY_ABSENT)
		(void)snprintf(out, RV_CURSOR_SPACE, "-:%lld", (long long)last->id);
	else
		(void)snprintf(out, RV_CURSOR_SPACE, "%lld:%lld", (long long)last->value,
			       (long long)last->id);
}

static struct rv_job_filter pushed(const struct rv_query *query)
{
	struct rv_query_push push;

	rv_query_pushed(query, &push);
	return (struct rv_job_filter){
		.state = -1,
		.states = push.states,
		.queue = push.queue,
		.task = push.task,
		.batch = push.batch,
		.above_id = push.above,
		.before_id = push.below == INT64_MAX ? 0 : push.below,
	};
}

/* Nothing can be in no state, or below the first id. */
static bool is_empty(const struct rv_query *query)
{
	struct rv_query_push push;

	rv_query_pushed(query, &push);
	return push.states == 0 || push.below <= 1 || push.above >= push.below - 1;
}

/* --- newest first --------------------------------------------------------------------------- */

static int stream(void *ctx, const struct rv_job_view *view)
{
	struct finder *f = ctx;
	bool matches = false;
	int64_t value;
	int err = look(f->search->query, view, &matches, &value);

	if (err != RV_OK || !matches)
		return err;
	if (f->search->limit > 0 && f->given == f->search->limit) {
		f->more = true;
		return ENOUGH;
	}
	f->given++;
	f->last = view->id;
	return f->each(f->ctx, view);
}

static int find_newest(struct finder *f, char ret_next[RV_CURSOR_SPACE])
{
	struct rv_job_filter filter = pushed(f->search->query);
	int err;

	if (f->after.id > 0 && (filter.before_id == 0 || f->after.id < filter.before_id))
		filter.before_id = f->after.id;
	err = rv_store_jobs(f->store, &filter, stream, f);
	if (err == ENOUGH)
		err = RV_OK;
	if (err == RV_OK && f->more)
		write_cursor(f->search->query, &(struct hit){f->last, f->last}, ret_next);
	return err;
}

/* --- oldest first --------------------------------------------------------------------------- */

/*
 * Stores list the newest first, so what is asked for is listed by stretches of ids, and each of
 * them is turned round: longer ones where there is little, shorter ones where there is more than
 * can be kept.  A page costs what it shows and the looks that it takes to find the right length.
 */
struct stretch {
	struct finder *f;
	int64_t length; /* of ids that it spans */
	int64_t crowd;  /* up to there are more than can be kept */
	int64_t ids[STRETCH];
	size_t n, most; /* most: what a page can want of it, and one more */
};

static int note_id(void *ctx, const struct rv_job_view *view)
{
	struct stretch *stretch = ctx;
	bool matches = false;
	int64_t value;
	int err = look(stretch->f->search->query, view, &matches, &value);

	if (err != RV_OK || !matches)
		return err;
	if (stretch->n == stretch->most)
		return ENOUGH;
	stretch->ids[stretch->n++] = view->id;
	return RV_OK;
}

static int note_newest(void *ctx, const struct rv_job_view *view)
{
	*(int64_t *)ctx = view->id;
	return ENOUGH;
}

/* Read once more: what is gone or no longer asked for is left out. */
static int give_one(struct finder *f, int64_t id)
{
	struct rv_job_view view;
	bool matches = false;
	int64_t value;
	int err = rv_store_job(f->store, id, &view);

	if (err == RV_OK)
		err = look(f->search->query, &view, &matches, &value);
	if (err != RV_OK || !matches)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	f->given++;
	f->last = id;
	return f->each(f->ctx, &view);
}

static int give_stretch(struct finder *f, const struct stretch *stretch)
{
	int err = RV_OK;

	for (size_t i = stretch->n; err == RV_OK && i-- > 0 && !f->more;) {
		if (f->search->limit > 0 && f->given == f->search->limit)
			f->more = true;
		else
			err = give_one(f, stretch->ids[i]);
	}
	return err;
}

/* The next one, from ${low} on: longer if there was little, but not on into a crowd. */
static void lengthen(struct stretch *stretch, int64_t low)
{
	if (stretch->n * 4 <= stretch->most && stretch->length <= INT64_MAX / 4)
		stretch->length *= stretch->n == 0 ? 4 : 2;
	if (low < stretch->crowd && stretch->length > (stretch->crowd - low + 1) / 2)
		stretch->length = (stretch->crowd - low + 1) / 2;
}

static int find_oldest(struct finder *f, char ret_next[RV_CURSOR_SPACE])
{
	struct rv_job_filter filter = pushed(f->search->query);
	int64_t limit = f->search->limit;
	int64_t low = filter.above_id > f->after.id ? filter.above_id : f->after.id;
	int64_t high = 0;
	struct stretch stretch = {.f = f, .length = STRETCH, .most = STRETCH};
	int err = rv_store_jobs(f->store, &filter, note_newest, &high);

	if (limit > 0 && limit < STRETCH)
		stretch.most = (size_t)limit + 1;
	if (err == ENOUGH)
		err = RV_OK;
	while (err == RV_OK && low < high && !f->more) {
		if (stretch.length > high - low)
			stretch.length = high - low;
		filter.above_id = low;
		filter.before_id = low + stretch.length + 1;
		stretch.n = 0;
		err = rv_store_jobs(f->store, &filter, note_id, &stretch);
		if (err == ENOUGH) { /* so there is more than one */
			INV(stretch.length > (int64_t)stretch.most);
			stretch.crowd = low + stretch.length;
			err = RV_OK;
#ifndef RV_MUTANT_CROWD_PASSED
			stretch.length = (stretch.length + 7) / 8;
			continue;
#endif
		}
		if (err == RV_OK)
			err = give_stretch(f, &stretch);
		low += stretch.length;
		lengthen(&stretch, low);
	}
	if (err == RV_OK && f->more)
		write_cursor(f->search->query, &(struct hit){f->last, f->last}, ret_next);
	return err;
}

/* --- any other order ------------------------------------------------------------------------ */

/* The heap's order is restored from ${at} down: each row comes after those under it. */
static void sink(struct finder *f, size_t at)
{
	for (;;) {
		size_t last = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
			if (child < f->nhits && order(f, &f->hits[child], &f->hits[last]) > 0)
				last = child;
		}
		if (last == at)
			return;
		struct hit hit = f->hits[at];

		f->hits[at] = f->hits[last];
		f->hits[last] = hit;
		at = last;
	}
}

static int keep(struct finder *f, const struct hit *hit)
{
	size_t most = f->search->limit > 0 ? (size_t)f->search->limit : SIZE_MAX;

	if (f->nhits == most) {
		f->more = true;
		if (order(f, hit, &f->hits[0]) < 0) {
			f->hits[0] = *hit;
			sink(f, 0);
		}
		return RV_OK;
	}
	if (f->nhits == f->space) {
		size_t space = f->space == 0 ? RV_LIMIT(256, 1) : f->space * 2;
		struct hit *grown = reallocarray(f->hits, space, sizeof *grown);

		if (!grown)
			return RV_E_NOMEM;
		f->hits = grown;
		f->space = space;
	}
	f->hits[f->nhits++] = *hit;
	if (f->nhits == most) {
		for (size_t at = f->nhits / 2; at-- > 0;)
			sink(f, at);
	}
	return RV_OK;
}

static int collect(void *ctx, const struct rv_job_view *view)
{
	struct finder *f = ctx;
	struct hit hit = {.id = view->id};
	bool matches = false;
	int err = look(f->search->query, view, &matches, &hit.value);

	if (err != RV_OK || !matches || (f->after.id > 0 && order(f, &hit, &f->after) <= 0))
		return err;
	return keep(f, &hit);
}

static int by_order(const void *a, const void *b, void *ctx)
{
	return order(ctx, a, b);
}

static int give(struct finder *f)
{
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < f->nhits; i++)
		err = give_one(f, f->hits[i].id);
	return err;
}

static int find_sorted(struct finder *f, char ret_next[RV_CURSOR_SPACE])
{
	struct rv_job_filter filter = pushed(f->search->query);
	int err = rv_store_jobs(f->store, &filter, collect, f);

	if (err != RV_OK || f->nhits == 0)
		return err;
	qsort_r(f->hits, f->nhits, sizeof *f->hits, by_order, f);
	if (f->more)
		write_cursor(f->search->query, &f->hits[f->nhits - 1], ret_next);
	return give(f);
}

int rv_store_search(struct rv_store *store, const struct rv_search *search,
		    int (*each)(void *ctx, const struct rv_job_view *view), void *ctx,
		    char ret_next[RV_CURSOR_SPACE], struct rv_why *why)
{
	struct finder f = {.store = store, .search = search, .each = each, .ctx = ctx};
	int err = read_cursor(search, &f.after, why);

	PRE(search->query && search->limit >= 0);
	if (err != RV_OK)
		return err;
	ret_next[0] = '\0';
	if (is_empty(search->query))
		return RV_OK;
	if (by_id(search->query))
		err = find_newest(&f, ret_next);
	else if (search->query->sort == RV_QUERY_ID)
		err = find_oldest(&f, ret_next);
	else
		err = find_sorted(&f, ret_next);
	free(f.hits);
	return err;
}
