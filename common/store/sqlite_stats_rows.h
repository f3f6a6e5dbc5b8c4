#ifndef RV_STORE_SQLITE_STATS_ROWS_H
#define RV_STORE_SQLITE_STATS_ROWS_H

/* What sqlite_stats.c and sqlite_stats_read.c share: the notes, and the slots of the table stat. */

#include "core/stats.h"
#include "store/sqlite.h"

/* A note. */
struct rv_sqlite_ended {
	int64_t minute, queue, task; /* ids */
	struct rv_ended run;
	unsigned added; /* bits: to its queue, to its task */
};

/*
 * All notes of the store's row, in an array that the caller frees and that has room for ${more}.
 * RV_E_CORRUPT: there is something else; those before it are given.
 */
int rv_sqlite_ended_read(const struct rv_sqlite *s, size_t more, struct rv_sqlite_ended **ret_notes,
			 size_t *ret_count) RV_MUST_CHECK;

/* The slot of ${minute}, and the one of what is older. */
#define RV_STAT_OLD 0
int64_t rv_sqlite_stat_slot(int64_t minute);
#define RV_STAT_SCOPE_TASK(id) (-(id))

/* Adds what stands in a slot to ${to}: NOTFOUND, nothing; CORRUPT, it cannot be read. */
int rv_sqlite_stat(struct rv_sqlite *s, int64_t slot, int64_t scope, int64_t *ret_minute,
		   struct rv_stats *to) RV_MUST_CHECK;

#endif
