/*
 * Statistics, the writing half.  Whoever executes requests.  Each run that ends is a note of some
 * 12 bytes in the store's own row, which its commit writes anyhow; only when there are
 * RV_RECENT_MAX bytes of them are they added up in the table stat, so that a commit pays neither
 * for another page nor for another statement.  What cannot be read is forgotten: statistics must
 * never stop work.  Wider than others by the one header that has its contract.
 */
#include "store/sqlite_stats.h"

#include "base/check.h"
#include "core/varint.h"
#include "store/sqlite_move.h"
#include "store/sqlite_stats_rows.h"
#include "store/sqlite_tally.h"

#include <stdlib.h>
#include <string.h>

#define TASK_BITS  20 /* of a lease's waited: what remains is as long as a histogram reaches */
#define TASK_MASK  ((1LL << TASK_BITS) - 1)
#define NOTE_LEAST 5 /* bytes: a minute, a queue, a task, bits, a number */

/* Small numbers of either sign become small numbers. */
static uint64_t folded(int64_t value)
{
	return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t unfolded(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

int rv_sqlite_ended_load(struct rv_sqlite *s, sqlite3_stmt *stmt, int column)
{
	const void *data = sqlite3_column_blob(stmt, column);
	int size = sqlite3_column_bytes(stmt, column);

	s->nended = 0;
	rv_buf_reset(&s->recent);
	if (!data || size > 2 * RV_RECENT_MAX) /* nobody of ours wrote that */
		return RV_OK;
	return rv_buf_add(&s->recent, data, (size_t)size);
}

int64_t rv_sqlite_waited(struct rv_sqlite *s, const char *task, int64_t due_us)
{
	int64_t id = rv_sqlite_task_id(s, task);
	int64_t waited = s->now_us - due_us;

	if (id < 0 || id > TASK_MASK)
		id = 0;
	if (due_us == 0)
		return id;
	if (waited < 0)
		waited = 0;
	if (waited > RV_HISTOGRAM_LAST)
		waited = RV_HISTOGRAM_LAST;
	return (waited + 1) << TASK_BITS | id;
}

static struct rv_sqlite_ended *new_note(struct rv_sqlite *s)
{
	INV(s->nended <= s->ended_space);
	if (s->nended == s->ended_space) {
		size_t space = s->ended_space == 0 ? RV_LIMIT(64, 1) : s->ended_space * 2;
		struct rv_sqlite_ended *grown = reallocarray(s->ended, space, sizeof *grown);

		if (!grown)
			return NULL;
		s->ended = grown;
		s->ended_space = space;
	}
	return &s->ended[s->nended++];
}

int rv_sqlite_ended(struct rv_sqlite *s, const struct rv_sqlite_lease *lease,
		    struct rv_run_end *run)
{
	int64_t waited = (lease->waited >> TASK_BITS) - 1;
	struct rv_sqlite_ended *note = new_note(s);

	PRE(s->open);
	if (!note)
		return RV_E_NOMEM;
	run->due_us = waited >= 0 ? lease->started_at - waited : 0;
	note->minute = rv_stats_minute(s->now_us);
	note->queue = lease->place.queue->id;
	note->task = lease->waited & TASK_MASK;
	note->added = 0;
	rv_rules_ended(run, &note->run);
	s->tally.dirty = true;
	return RV_OK;
}

/* The first thing in the list is a minute; each note says how much later it is. */
static int write_note(struct rv_buf *to, const struct rv_sqlite_ended *note)
{
	const unsigned char *at = (const unsigned char *)to->data;
	unsigned char bytes[4 * RV_VARINT_MAX + RV_ENDED_SPACE];
	int64_t first = note->minute;
	size_t n = 0;

	if (to->size == 0)
		n += rv_varint_put(bytes, (uint64_t)first);
	else if (rv_varint_int(&at, at + to->size, &first) != RV_OK)
		return RV_E_CORRUPT;
	n += rv_varint_put(bytes + n, folded(note->minute - first));
	n += rv_varint_put(bytes + n, (uint64_t)note->queue);
	n += rv_varint_put(bytes + n, (uint64_t)note->task);
	n += rv_ended_encode(&note->run, bytes + n);
	POST(n <= sizeof bytes);
	return rv_buf_add(to, bytes, n);
}

static int read_note(const unsigned char **at, const unsigned char *end, int64_t first,
		     struct rv_sqlite_ended *note)
{
	uint64_t later;

	note->added = 0;
	if (rv_varint_get(at, end, &later) != RV_OK ||
	    __builtin_add_overflow(first, unfolded(later), &note->minute) || note->minute < 0 ||
	    rv_varint_int(at, end, &note->queue) != RV_OK ||
	    rv_varint_int(at, end, &note->task) != RV_OK || note->queue == 0)
		return RV_E_CORRUPT;
	return rv_ended_decode(at, end, &note->run);
}

int rv_sqlite_ended_read(const struct rv_sqlite *s, size_t more, struct rv_sqlite_ended **ret_notes,
			 size_t *ret_count)
{
	const unsigned char *at = (const unsigned char *)s->recent.data;
	const unsigned char *end = at + s->recent.size;
	struct rv_sqlite_ended *notes =
		calloc(s->recent.size / NOTE_LEAST + 1 + more, sizeof *notes);
	int64_t first = 0;
	size_t n = 0;
	int err = RV_OK;

	if (!notes)
		return RV_E_NOMEM;
	if (s->recent.size > 0)
		err = rv_varint_int(&at, end, &first);
	while (err == RV_OK && at < end && n < s->recent.size / NOTE_LEAST) {
		err = read_note(&at, end, first, &notes[n]);
		n += err == RV_OK;
	}
	*ret_notes = notes;
	*ret_count = n;
	return err == RV_OK && at < end ? RV_E_CORRUPT : err;
}

int64_t rv_sqlite_stat_slot(int64_t minute)
{
	PRE(minute >= 0);
	return RV_STAT_OLD + 1 + minute % RV_STATS_MINUTES;
}

int rv_sqlite_stat(struct rv_sqlite *s, int64_t slot, int64_t scope, int64_t *ret_minute,
		   struct rv_stats *to)
{
	sqlite3_stmt *stmt;
	int err = rv_sqlite_start(s, RV_SQL_STAT_OF, &stmt, "ii", slot, scope);

	PRE(scope != 0);
	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	*ret_minute = sqlite3_column_int64(stmt, 0);
	err = rv_stats_decode(sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1),
			      to);
	rv_sqlite_end(stmt);
	return err;
}

/* What an addition needs beside the stack, some 35 KiB. */
struct sums {
	struct rv_stats now, old;
	unsigned char data[RV_STATS_SPACE];
};

static int put(struct rv_sqlite *s, struct sums *sums, int64_t slot, int64_t scope, int64_t minute,
	       const struct rv_stats *stats)
{
	size_t size = rv_stats_encode(stats, sums->data);

	PRE(slot >= RV_STAT_OLD && slot <= RV_STATS_MINUTES);
	return rv_sqlite_run(s, RV_SQL_STAT_PUT, NULL, "iiib", slot, scope, minute,
			     (const void *)sums->data, size);
}

/* sums->now: what the slot has of ${minute}.  An older minute there goes to what is old. */
static int take_slot(struct rv_sqlite *s, struct sums *sums, int64_t scope, int64_t minute)
{
	int64_t slot = rv_sqlite_stat_slot(minute);
	int64_t there = 0;
	int64_t ignored;
	int err;

	sums->now = (struct rv_stats){0};
	err = rv_sqlite_stat(s, slot, scope, &there, &sums->now);
	if (err == RV_OK && there == minute)
		return RV_OK;
	if (err == RV_OK) {
		sums->old = (struct rv_stats){0};
		err = rv_sqlite_stat(s, RV_STAT_OLD, scope, &ignored, &sums->old);
		if (err == RV_E_CORRUPT)
			sums->old = (struct rv_stats){0};
		if (err != RV_OK && err != RV_E_NOTFOUND && err != RV_E_CORRUPT)
			return err;
#ifndef RV_MUTANT_STATS_MINUTE_LOST
		rv_stats_merge(&sums->old, &sums->now);
#endif
		err = put(s, sums, RV_STAT_OLD, scope, there, &sums->old);
	}
	sums->now = (struct rv_stats){0};
	return err == RV_E_NOTFOUND || err == RV_E_CORRUPT ? RV_OK : err;
}

static int64_t scope_of(const struct rv_sqlite_ended *note, int which)
{
	return which == 0 ? note->queue : RV_STAT_SCOPE_TASK(note->task);
}

/* Adds all notes that belong where the first one does. */
static int add_scope(struct rv_sqlite *s, struct sums *sums, struct rv_sqlite_ended *notes,
		     size_t count, int which)
{
	int64_t scope = scope_of(&notes[0], which);
	int64_t minute = notes[0].minute;
	int err;

	PRE(count > 0);
	if (scope == 0 || notes[0].added & 1U << which)
		return RV_OK;
	err = take_slot(s, sums, scope, minute);
	if (err != RV_OK)
		return err;
	for (size_t i = 0; i < count; i++) {
		if (notes[i].minute != minute || scope_of(&notes[i], which) != scope)
			continue;
		rv_stats_add(&sums->now, &notes[i].run);
		notes[i].added |= 1U << which;
	}
	return put(s, sums, rv_sqlite_stat_slot(minute), scope, minute, &sums->now);
}

static int add_up(struct rv_sqlite *s, struct sums *sums, struct rv_sqlite_ended *notes,
		  size_t count)
{
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < count; i++) {
		err = add_scope(s, sums, notes + i, count - i, 0);
		if (err == RV_OK)
			err = add_scope(s, sums, notes + i, count - i, 1);
	}
	return err;
}

/* All notes go to stat: those of the row first, for they are older. */
static int fold(struct rv_sqlite *s)
{
	struct rv_sqlite_ended *notes = NULL;
	struct sums *sums = malloc(sizeof *sums);
	size_t count = 0;
	int err = sums ? rv_sqlite_ended_read(s, s->nended, &notes, &count) : RV_E_NOMEM;

	PRE(s->open);
	if (err == RV_E_CORRUPT)
		err = RV_OK;
	if (err == RV_OK && s->nended > 0)
		memcpy(notes + count, s->ended, s->nended * sizeof *notes);
	if (err == RV_OK)
		err = add_up(s, sums, notes, count + s->nended);
	if (err == RV_OK) {
		rv_buf_reset(&s->recent);
		s->nended = 0;
	}
	free(notes);
	free(sums);
	return err;
}

int rv_sqlite_ended_store(struct rv_sqlite *s)
{
	size_t before = s->recent.size;
	int err = RV_OK;

	PRE(s->open);
	if (s->nended == 0)
		return RV_OK;
	if (before + s->nended * NOTE_LEAST > RV_RECENT_MAX)
		return fold(s);
	for (size_t i = 0; err == RV_OK && i < s->nended; i++)
		err = write_note(&s->recent, &s->ended[i]);
	if (err == RV_OK && s->recent.size <= RV_RECENT_MAX) {
		s->nended = 0;
		return RV_OK;
	}
	s->recent.size = before;
	return err == RV_OK || err == RV_E_CORRUPT ? fold(s) : err;
}
