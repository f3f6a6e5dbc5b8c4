/*
 * INBOX: what programs have inserted into reeve_inbox becomes jobs.  The keeper's own process, in
 * its round.  A row is a job and gone, or it stays with its error; what is wrong with one must not
 * touch another, and what is wrong with the store must not be put down to a row.
 */
#include "store/sqlite.h"
#include "store/sqlite_move.h"
#include "store/sqlite_tally.h"

#include "base/check.h"

#include <stdlib.h>

/* NULL stays NULL. */
static int copy(struct rv_arena *arena, sqlite3_stmt *stmt, int column, const char **ret)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	*ret = text ? rv_arena_strdup(arena, text) : NULL;
	return text && !*ret ? RV_E_NOMEM : RV_OK;
}

/* The next row, copied: it is deleted before its job is stored. */
static int read_row(struct rv_sqlite *s, struct rv_arena *arena, struct rv_inbox_row *row)
{
	sqlite3_stmt *stmt;
	const void *payload;
	int err = rv_sqlite_start(s, RV_SQL_INBOX_NEXT, &stmt, "");

	if (err == RV_OK)
		err = rv_sqlite_step(s, stmt);
	if (err != RV_OK)
		return err;
	*row = (struct rv_inbox_row){.id = sqlite3_column_int64(stmt, 0), .priority = -1};
	err = copy(arena, stmt, 1, &row->task);
	if (err == RV_OK)
		err = copy(arena, stmt, 2, &row->args);
	if (err == RV_OK)
		err = copy(arena, stmt, 3, &row->queue);
	if (err == RV_OK)
		err = copy(arena, stmt, 5, &row->options);
	if (sqlite3_column_type(stmt, 4) != SQLITE_NULL)
		row->priority = sqlite3_column_int(stmt, 4);
	payload = sqlite3_column_blob(stmt, 6);
	row->payload_size = (size_t)sqlite3_column_bytes(stmt, 6);
	if (err == RV_OK && payload) {
		row->payload = rv_arena_memdup(arena, payload, row->payload_size);
		err = row->payload ? RV_OK : RV_E_NOMEM;
	}
	rv_sqlite_end(stmt);
	return err;
}

/* Whether it is about the row, not about the store. */
static bool of_the_row(int err)
{
	switch (err) {
	case RV_E_USAGE:
	case RV_E_PARSE:
	case RV_E_TOOBIG:
	case RV_E_NOTFOUND:
	case RV_E_CONFLICT:
	case RV_E_REFUSED:
	case RV_E_FULL:
	case RV_E_DENIED:
	case RV_E_INTERNAL: /* else it would stop the rows behind it for ever */
		return true;
	default:
		return false;
	}
}

/* The row waits for room in its queue, and those behind it with it: NOTFOUND, none is left now. */
static int wait_row(struct rv_sqlite *s)
{
	int err = rv_sqlite_run(s, RV_SQL_ROW_ROLLBACK_TO, NULL, "");

	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_ROW_RELEASE, NULL, "");
	if (err != RV_OK)
		return err;
	s->nfallen = 0;
	s->ngates = 0;
	s->lend_due = false;
	rv_sqlite_tally_restore(s);
	return RV_E_NOTFOUND;
}

/* ${one}: for the ENQUEUE that the row is; too large for a stack. */
static int accept_row(struct rv_sqlite *s, struct rv_req_inbox *inbox,
		      const struct rv_inbox_row *row, struct rv_req *one)
{
	struct rv_job_new job;
	int64_t id;
	int err = inbox->make(inbox->ctx, row, &job, &one->why);

	one->kind = RV_REQ_ENQUEUE;
	one->u.enqueue = (struct rv_req_enqueue){.jobs = &job,
						 .count = 1,
						 .ret_ids = &id,
						 .adhoc_refused = true,
						 .idem_ttl_us = inbox->idem_ttl_us};
#ifdef RV_MUTANT_INBOX_TAKEN_TWICE
	if (err == RV_OK)
		err = rv_sqlite_do_enqueue(s, one);
	if (err == RV_OK)
		err = rv_sqlite_tally_store(s);
	if (err == RV_OK)
		err = rv_sqlite_exec(s, "COMMIT; BEGIN IMMEDIATE; SAVEPOINT row");
	return err == RV_OK ? rv_sqlite_run1(s, RV_SQL_INBOX_DROP, "i", row->id) : err;
#endif
	if (err == RV_OK)
		err = rv_sqlite_run1(s, RV_SQL_INBOX_DROP, "i", row->id);
#ifdef RV_MUTANT_INBOX_ROW_LOST
	if (err == RV_OK)
		err = rv_sqlite_exec(s, "COMMIT; BEGIN IMMEDIATE; SAVEPOINT row");
#endif
	if (err == RV_OK)
		err = rv_sqlite_do_enqueue(s, one);
	return err == RV_OK ? rv_sqlite_settle(s) : err;
}

static int refuse_row(struct rv_sqlite *s, struct rv_req_inbox *inbox, int64_t id,
		      const struct rv_why *why)
{
	int err;

	PRE(why->text[0] != '\0');
	s->nfallen = 0;
	s->ngates = 0;
	s->lend_due = false;
	if (sqlite3_get_autocommit(s->db)) /* SQLite itself has given the transaction up */
		return RV_E_IO;
	inbox->refused++;
	inbox->refused_id = id;
	inbox->refused_why = *why;
	err = rv_sqlite_run(s, RV_SQL_ROW_ROLLBACK_TO, NULL, "");
	if (err != RV_OK)
		return err;
	rv_sqlite_tally_restore(s);
	return rv_sqlite_run1(s, RV_SQL_INBOX_REFUSE, "it", id, why->text);
}

static int take_row(struct rv_sqlite *s, struct rv_req_inbox *inbox, struct rv_arena *arena,
		    struct rv_req *one)
{
	struct rv_inbox_row row;
	int err = read_row(s, arena, &row);

	if (err == RV_OK)
		err = rv_sqlite_run(s, RV_SQL_ROW_SAVEPOINT, NULL, "");
	if (err != RV_OK)
		return err;
	rv_sqlite_tally_save(s);
	one->why.text[0] = '\0';
	err = accept_row(s, inbox, &row, one);
	if (err == RV_OK) {
		INV(s->nfallen == 0);
		inbox->taken++;
	} else if (err == RV_E_FULL && one->u.enqueue.may_wait) {
		return wait_row(s);
	} else if (of_the_row(err)) {
		if (one->why.text[0] == '\0')
			(void)rv_fail(&one->why, err, "%s", rv_err_text(err));
		err = refuse_row(s, inbox, row.id, &one->why);
	}
	return err == RV_OK ? rv_sqlite_run(s, RV_SQL_ROW_RELEASE, NULL, "") : err;
}

int rv_sqlite_do_inbox(struct rv_sqlite *s, struct rv_req *req)
{
	struct rv_req_inbox *inbox = &req->u.inbox;
	struct rv_req *one = calloc(1, sizeof *one);
	struct rv_arena arena;
	int err = one ? RV_OK : RV_E_NOMEM;

	PRE(inbox->make && inbox->limit > 0);
	inbox->taken = inbox->refused = 0;
	rv_arena_init(&arena);
	while (err == RV_OK && inbox->taken + inbox->refused < inbox->limit) {
		err = take_row(s, inbox, &arena, one);
		rv_arena_reset(&arena);
	}
	free(one);
	inbox->more = err == RV_OK;
	if (err == RV_E_NOTFOUND) /* of read_row: none is left */
		err = RV_OK;
	POST(err != RV_OK || inbox->taken + inbox->refused <= inbox->limit);
	return err;
}
