#ifndef RV_RUNNER_JOB_H
#define RV_RUNNER_JOB_H

/*
 * A job in a runner: from its line to the struct reeve_run that a module sees, and from what the
 * module said of it to its answer.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "runner/reeve_module.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_channel;

#define RV_JOB_ERROR_MAX 1000

struct rv_job {
	struct reeve_run run;       /* what the module sees */
	struct rv_channel *channel; /* borrowed */
	bool behind;                /* another is to be answered first: what it says waits */
	struct rv_buf later;        /* that */
	struct rv_arena arena;      /* of all texts of the run */
	const char *result;         /* in the arena; NULL none */
	size_t result_size;
	int64_t again_ms; /* -1: not said */
	char error[RV_JOB_ERROR_MAX + 1];
};

void rv_job_init(struct rv_job *job, struct rv_channel *channel);
/* Forgets the last run, reads the line of a new one.  RV_E_PARSE, RV_E_NOMEM. */
int rv_job_read(struct rv_job *job, const char *line, size_t size) RV_MUST_CHECK;
/* Adds what waits and the answer, by the run's ${outcome}, to ${out}.  RV_E_NOMEM. */
int rv_job_answer(const struct rv_job *job, struct rv_buf *out) RV_MUST_CHECK;
/* Gives the memory of its texts back. */
void rv_job_reset(struct rv_job *job);

#endif
