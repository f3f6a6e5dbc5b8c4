#ifndef RV_CORE_STATS_H
#define RV_CORE_STATS_H

/*
 * What is counted of a queue or a task: how many jobs ended how, how long they waited and ran, what
 * they used.  Pure; the store keeps it, by minutes of the wall clock, as docs/QUEUES.md says.
 */

#include "core/histogram.h"

#include <stdbool.h>

/* A run that has ended. */
struct rv_ended {
	int64_t wait_us;      /* to the first start of its job; -1: it was not the first */
	int64_t run_us;       /* -1: it was stopped, so how long it took says nothing */
	int64_t cpu_us;       /* user and system time of the run; -1: not known */
	int64_t maxrss_bytes; /* kept in KiB; ≤ 0: not known */
	bool failed;          /* the run failed, or crashed its worker */
	bool succeeded, dead; /* the job is that now */
};

struct rv_stats {
	int64_t succeeded, dead; /* jobs */
	int64_t failed;          /* runs */
	int64_t cpu_us, run_us;  /* sums; cpu: of what is known */
	int64_t maxrss_kib;      /* the most of any run */
	struct rv_histogram wait, run;
	struct rv_histogram cpu; /* of the runs that are in it, as far as known */
	struct rv_histogram rss; /* the same, in KiB */
};

void rv_stats_add(struct rv_stats *to, const struct rv_ended *ended);
void rv_stats_merge(struct rv_stats *to, const struct rv_stats *from);
/* Jobs that ended by themselves: succeeded or dead. */
int64_t rv_stats_finished(const struct rv_stats *of);
/* Runs that succeeded or failed, and how many of a thousand of them failed; -1 of none. */
int64_t rv_stats_runs(const struct rv_stats *of);
int rv_stats_failed_per_mille(const struct rv_stats *of);
/* The sum; -1: there were runs, and of none of them it is known.  The same of memory, in KiB. */
int64_t rv_stats_cpu_us(const struct rv_stats *of);
int64_t rv_stats_memory_kib(const struct rv_stats *of);
bool rv_stats_same(const struct rv_stats *a, const struct rv_stats *b);

/* As bytes; decode adds to ${to}.  RV_E_CORRUPT: it is none, ${to} may have got some. */
#define RV_STATS_SPACE 30060
size_t rv_stats_encode(const struct rv_stats *of, unsigned char *out);
int rv_stats_decode(const unsigned char *data, size_t size, struct rv_stats *to) RV_MUST_CHECK;

/* One run as bytes, for a list of those not yet added up. */
#define RV_ENDED_SPACE 48
size_t rv_ended_encode(const struct rv_ended *ended, unsigned char *out);
int rv_ended_decode(const unsigned char **at, const unsigned char *end,
		    struct rv_ended *ret_ended) RV_MUST_CHECK;

/*
 * Time is kept by the minute.  The last hour is the minute of ${now} and the 59 before it.  The
 * last minute is the one of ${now} so far and, of the one before it, the share that is not older:
 * both counts are given.
 */
#define RV_STATS_MINUTES 60
int64_t rv_stats_minute(int64_t wall_us);
bool rv_stats_in_hour(int64_t minute, int64_t now_minute);
int64_t rv_stats_last_minute(int64_t this_minute, int64_t minute_before, int64_t now_us);

#endif
