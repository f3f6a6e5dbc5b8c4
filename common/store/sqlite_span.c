/*
 * Spans: which jobs stand in which state, a bit each.  Whoever executes requests.  Lists and the
 * oldest job of a full queue are read from them: a claim, an ack or a retry must never depend on
 * what stands there.
 */
#include "store/sqlite_move.h"
#include "store/sqlite_tally.h"

#include "base/check.h"
#include "core/varint.h"

#include <stdlib.h>
#include <string.h>

#define BACK 4 /* entries looked at for the same row: jobs of a request mostly are neighbours */

static struct rv_sqlite_span *find(struct rv_sqlite *s, int64_t scope, enum rv_job_state state,
				   int64_t block)
{
	size_t least = s->nspans > BACK ? s->nspans - BACK : 0;

	if (least < s->spans_before) /* what came before this request is not touched */
		least = s->spans_before;
	for (size_t i = s->nspans; i > least; i--) {
		struct rv_sqlite_span *span = &s->spans[i - 1];

		if (span->block == block && span->state == state && span->scope == scope)
			return span;
	}
	return NULL;
}

static int note(struct rv_sqlite *s, int64_t scope, enum rv_job_state state, int64_t id, bool there)
{
	uint64_t bit = 1ULL << (id & ((1 << RV_SPAN_SHIFT) - 1));
	struct rv_sqlite_span *span = find(s, scope, state, id >> RV_SPAN_SHIFT);

	INV(s->spans_before <= s->nspans && s->nspans <= s->spans_space);
	if (!span && s->nspans == s->spans_space) {
		size_t space = s->spans_space == 0 ? RV_LIMIT(64, 1) : s->spans_space * 2;
		struct rv_sqlite_span *grown = reallocarray(s->spans, space, sizeof *grown);

		if (!grown)
			return RV_E_NOMEM;
		s->spans = grown;
		s->spans_space = space;
	}
	if (!span) {
		span = &s->spans[s->nspans];
		*span = (struct rv_sqlite_span){.scope = scope,
						.state = state,
						.block = id >> RV_SPAN_SHIFT,
						.number = s->nspans++};
	}
	span->written = false;
	span->set = there ? span->set | bit : span->set & ~bit;
	span->clear = there ? span->clear & ~bit : span->clear | bit;
	POST((span->set & span->clear) == 0);
	return RV_OK;
}

static int note_scope(struct rv_sqlite *s, int64_t scope, int64_t id, enum rv_job_state was,
		      enum rv_job_state is)
{
	int err = was == RV_JOB_NONE ? RV_OK : note(s, scope, was, id, false);

	PRE(scope != 0 && was != is);
	if (err != RV_OK || is == RV_JOB_NONE)
		return err;
	return note(s, scope, is, id, true);
}

int rv_sqlite_span_moved(struct rv_sqlite *s, const struct rv_sqlite_place *place,
			 enum rv_job_state from, enum rv_job_state to)
{
	enum rv_job_state was = RV_SPAN_STATE(from);
	enum rv_job_state is = RV_SPAN_STATE(to);
	int64_t batch = 0;
	int err;

	PRE(s->open && place->id > 0 && place->queue->id > 0);
	if (was == is)
		return RV_OK;
#ifdef RV_MUTANT_SPAN_NOT_NOTED
	if (is == RV_JOB_SUCCEEDED)
		return RV_OK;
#endif
	s->tally.dirty = true;
	err = note_scope(s, place->queue->id, place->id, was, is);
	if (err != RV_OK || !(place->marks & RV_MARK_BATCH))
		return err;
	err = rv_sqlite_number(s, RV_SQL_JOB_BATCH, &batch, "i", place->id);
	if (err == RV_E_NOTFOUND || (err == RV_OK && batch <= 0))
		return RV_E_CORRUPT;
	return err == RV_OK ? note_scope(s, -batch, place->id, was, is) : err;
}

/* The row as it is now; one without any job is gone. */
static int put(struct rv_sqlite *s, const struct rv_sqlite_span *span)
{
	int64_t jobs = 0;
	int err = rv_sqlite_number(s, RV_SQL_SPAN_OF, &jobs, "iii", span->scope,
				   (int64_t)span->state, span->block);
	bool there = err == RV_OK;
	uint64_t now = ((uint64_t)jobs & ~span->clear) | span->set;

	if (err != RV_OK && err != RV_E_NOTFOUND)
		return err;
	if (there ? now == (uint64_t)jobs : now == 0)
		return RV_OK;
	if (!there)
		return rv_sqlite_run(s, RV_SQL_SPAN_NEW, NULL, "iiii", span->scope,
				     (int64_t)span->state, span->block, (int64_t)now);
	if (now == 0)
		return rv_sqlite_run1(s, RV_SQL_SPAN_DROP, "iii", span->scope, (int64_t)span->state,
				      span->block);
	return rv_sqlite_run1(s, RV_SQL_SPAN_SET, "iiii", span->scope, (int64_t)span->state,
			      span->block, (int64_t)now);
}

/* By row; the changes of one in the order in which they were made. */
static int by_row(const void *left, const void *right)
{
	const struct rv_sqlite_span *a = left;
	const struct rv_sqlite_span *b = right;

	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	if (a->state != b->state)
		return a->state < b->state ? -1 : 1;
	if (a->block != b->block)
		return a->block < b->block ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

static bool same_row(const struct rv_sqlite_span *a, const struct rv_sqlite_span *b)
{
	return a->scope == b->scope && a->state == b->state && a->block == b->block;
}

/* ${later} on top of ${row}. */
static void fold(struct rv_sqlite_span *row, const struct rv_sqlite_span *later)
{
	PRE(same_row(row, later));
	row->set = (row->set & ~later->clear) | later->set;
	row->clear = (row->clear & ~later->set) | later->clear;
	row->written = false;
}

static int put_late(struct rv_sqlite *s)
{
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < s->nlate; i++)
		err = put(s, &s->late[i]);
	s->nlate = 0;
	return err;
}

/* Too many to be kept: each row once. */
static int put_all(struct rv_sqlite *s)
{
	int err = put_late(s);

	qsort(s->spans, s->nspans, sizeof *s->spans, by_row);
	for (size_t i = 0; err == RV_OK && i < s->nspans; i++) {
		struct rv_sqlite_span row = s->spans[i];

		while (i + 1 < s->nspans && same_row(&row, &s->spans[i + 1]))
			fold(&row, &s->spans[++i]);
		err = put(s, &row);
	}
	return err;
}

static int keep(struct rv_sqlite *s, const struct rv_sqlite_span *span)
{
	int err = RV_OK;

	INV(s->late && s->nlate <= RV_SPAN_LATE);
	for (size_t i = 0; i < s->nlate; i++) {
		if (same_row(&s->late[i], span)) {
			fold(&s->late[i], span);
			return RV_OK;
		}
	}
	if (s->nlate == RV_SPAN_LATE)
		err = put_late(s);
	s->late[s->nlate] = *span;
	s->late[s->nlate++].written = false;
	return err;
}

int rv_sqlite_span_store(struct rv_sqlite *s)
{
	int err = RV_OK;

	PRE(s->open);
	if (s->nspans > RV_SPAN_LATE)
		err = put_all(s);
	else
		for (size_t i = 0; err == RV_OK && i < s->nspans; i++)
			err = keep(s, &s->spans[i]);
	s->nspans = s->spans_before = 0;
	return err;
}

size_t rv_sqlite_span_encode(const struct rv_sqlite *s, unsigned char ret_data[RV_SPAN_LATE_SPACE])
{
	size_t n = 0;

	for (size_t i = 0; i < s->nlate; i++) {
		const struct rv_sqlite_span *span = &s->late[i];

		ret_data[n++] = (unsigned char)((unsigned)span->state << 1 | (span->scope < 0));
		n += rv_varint_put(ret_data + n,
				   (uint64_t)(span->scope < 0 ? -span->scope : span->scope));
		n += rv_varint_put(ret_data + n, (uint64_t)span->block);
		n += rv_varint_put(ret_data + n, span->set);
		n += rv_varint_put(ret_data + n, span->clear);
	}
	POST(n <= RV_SPAN_LATE_SPACE);
	return n;
}

int rv_sqlite_span_decode(const unsigned char *data, size_t size,
			  struct rv_sqlite_span ret_late[RV_SPAN_LATE], size_t *ret_n)
{
	const unsigned char *at = data;
	const unsigned char *end = data + size;
	size_t n = 0;

	for (; at < end; n++) {
		struct rv_sqlite_span *span = &ret_late[n];
		unsigned char first = *at++;

		if (n == RV_SPAN_LATE || first >> 1 >= RV_JOB_STATES)
			return RV_E_CORRUPT;
		*span = (struct rv_sqlite_span){.state = (enum rv_job_state)(first >> 1)};
		if (rv_varint_int(&at, end, &span->scope) != RV_OK ||
		    rv_varint_int(&at, end, &span->block) != RV_OK ||
		    rv_varint_get(&at, end, &span->set) != RV_OK ||
		    rv_varint_get(&at, end, &span->clear) != RV_OK ||
		    span->block > INT64_MAX >> RV_SPAN_SHIFT)
			return RV_E_CORRUPT;
		span->scope = first & 1 ? -span->scope : span->scope;
	}
	*ret_n = n;
	return RV_OK;
}

int rv_sqlite_span_load(struct rv_sqlite *s, sqlite3_stmt *stmt, int column)
{
	const void *data = sqlite3_column_blob(stmt, column);
	int size = sqlite3_column_bytes(stmt, column);

	s->nspans = s->spans_before = s->nlate = 0;
	if (!s->late)
		s->late = calloc(RV_SPAN_LATE, sizeof *s->late);
	if (!s->late)
		return RV_E_NOMEM;
	return data ? rv_sqlite_span_decode(data, (size_t)size, s->late, &s->nlate) : RV_OK;
}

int rv_sqlite_span_read(struct rv_sqlite *s)
{
	sqlite3_stmt *stmt;
	int err;

	PRE(!s->open);
	err = rv_sqlite_start(s, RV_SQL_SPAN_LATE, &stmt, "");
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_E_CORRUPT : err;
	err = rv_sqlite_span_load(s, stmt, 0);
	rv_sqlite_end(stmt);
	return err;
}

/* In the order of the changes; they are kept, for the rollback of a savepoint may undo this. */
int rv_sqlite_span_flush(struct rv_sqlite *s)
{
	int err = RV_OK;

	PRE(s->open);
	for (size_t i = 0; err == RV_OK && i < s->nlate + s->nspans; i++) {
		struct rv_sqlite_span *span = i < s->nlate ? &s->late[i] : &s->spans[i - s->nlate];

		if (span->written)
			continue;
		err = put(s, span);
		span->written = err == RV_OK;
	}
	return err;
}

void rv_sqlite_span_restore(struct rv_sqlite *s)
{
	PRE(s->spans_before <= s->nspans);
#ifndef RV_MUTANT_SPAN_OF_THE_REFUSED
	s->nspans = s->spans_before;
#endif
	for (size_t i = 0; i < s->nspans; i++)
		s->spans[i].written = false;
	for (size_t i = 0; i < s->nlate; i++)
		s->late[i].written = false;
}

/* The lowest bit of ${jobs} that stands for a job which no worker has. */
static int first_free(struct rv_sqlite *s, int64_t block, uint64_t jobs, int64_t *ret_id)
{
	int err = RV_OK;

	for (; err == RV_OK && jobs != 0; jobs &= jobs - 1) {
		int64_t started;

		*ret_id = (block << RV_SPAN_SHIFT) + __builtin_ctzll(jobs);
		err = rv_sqlite_number(s, RV_SQL_LEASE_STARTED, &started, "i", *ret_id);
		if (err == RV_E_NOTFOUND)
			return RV_OK;
	}
	return err == RV_OK ? RV_E_NOTFOUND : err;
}

int rv_sqlite_span_oldest(struct rv_sqlite *s, int64_t queue, enum rv_job_state state,
			  int64_t *ret_id)
{
	sqlite3_stmt *stmt;
	int64_t id = 0;
	int err = rv_sqlite_span_flush(s);

	PRE(queue > 0 && state == RV_SPAN_STATE(state));
	if (err == RV_OK)
		err = rv_sqlite_start(s, RV_SQL_SPANS_UP, &stmt, "ii", queue, (int64_t)state);
	if (err != RV_OK)
		return err;
	while ((err = rv_sqlite_step(s, stmt)) == RV_OK) {
		err = first_free(s, sqlite3_column_int64(stmt, 0),
				 (uint64_t)sqlite3_column_int64(stmt, 1), &id);
		if (err != RV_E_NOTFOUND)
			break;
	}
	rv_sqlite_end(stmt);
	if (err == RV_OK)
		*ret_id = id;
	return err;
}
