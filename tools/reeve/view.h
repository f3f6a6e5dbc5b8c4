#ifndef RV_REEVE_VIEW_H
#define RV_REEVE_VIEW_H

/* A job, an attempt, a queue as people and scripts see them (INTERFACE "--json"). */

#include "out.h"
#include "store/read.h"

#include <jansson.h>

struct rv_batch_view;
struct rv_buf;

/* New objects; NULL when out of memory. */
json_t *rv_view_job(const struct rv_job_view *view) RV_MUST_CHECK;
/* What became of it, and what it was; progress and result are null. */
json_t *rv_view_result(const struct rv_job_view *view) RV_MUST_CHECK;
json_t *rv_view_attempt(const struct rv_attempt_view *view) RV_MUST_CHECK;
/* "run", "worker", "handler": whose usage it is; NULL: not known.  Its CPU time; -1. */
const char *rv_view_usage_of(const struct rv_attempt_view *view);
int64_t rv_view_cpu_us(const struct rv_attempt_view *view);
json_t *rv_view_queue(const struct rv_queue_view *view, int64_t now_us) RV_MUST_CHECK;

/* How long it has run so far; 0: it does not run.  ${now_us} 0: now. */
int64_t rv_view_run_us(const struct rv_job_view *view, int64_t now_us);
/* What a job said of itself: sets "progress", with how much longer by that a job takes that has
 * run for ${run_us} so far (0: it does not run), and "result"; RV_E_NOMEM.  In verb_result.c. */
int rv_told_json(const struct rv_told *told, int64_t run_us, json_t *job) RV_MUST_CHECK;
/* The lines of `reeve show`. */
void rv_told_print(const struct rv_told *told, int64_t job, int64_t now_us);

json_t *rv_view_batch(const struct rv_batch_view *view) RV_MUST_CHECK;
/* "open", "closed", "ended" */
const char *rv_view_batch_state(const struct rv_batch_view *view);

/* The colour of a state; the word for how a run ended ("succeeded", "failed", "running" for -1). */
enum rv_style rv_view_style(enum rv_job_state state);
const char *rv_view_outcome(int outcome);

/* "thumbnail in=a.png", or "$ gzip -9 'big log'": words quoted as a shell wants them, not escaped.
 */
int rv_view_what(const struct rv_job_view *view, struct rv_buf *buf) RV_MUST_CHECK;
/* The same as a cell, cut. */
int rv_view_what_cell(const struct rv_job_view *view, struct rv_table *table) RV_MUST_CHECK;
/* The line "labels  eu, nightly" of what the store keeps as JSON; none without labels. */
void rv_view_line_labels(const char *text);
/* "exit code 3" or "signal 9 (KILL)", "" when neither. */
const char *rv_view_exit(int exit_code, int signo, char *out, size_t space);
/* "3m ago", "in 5s"; "-" for 0.  ${now_us} 0: now.  ${out}: RV_VIEW_AGO_SPACE bytes. */
#define RV_VIEW_AGO_SPACE 64
const char *rv_view_ago(char *out, int64_t wall_us, int64_t now_us);
/* "in 5s", and "now" from then on.  ${out}: RV_VIEW_AGO_SPACE bytes. */
const char *rv_view_due(char *out, int64_t wall_us);

/*
 * Why ${job}, which has a gate (core/limit.h), waits there: a sentence or two, each with its code.
 * Reads the store. In limits.c.
 */
typedef void rv_limits_say_fn(void *ctx, const char *code, const char *text);
int rv_limits_why(struct rv_store *store, const struct rv_job_view *job, int64_t now_us,
		  rv_limits_say_fn *say, void *ctx) RV_MUST_CHECK;

/* A job's schedule and slot by its metadata: "nightly, slot 2026-…"; "": none made it.  In crons.c.
 */
#define RV_CRONS_MADE 160
void rv_crons_made(char out[RV_CRONS_MADE], const char *meta);

/* What a batch has to do with a job that waits; nothing is said without one.  In verb_batch.c. */
int rv_batch_why(struct rv_store *store, const struct rv_job_view *view, rv_limits_say_fn *say,
		 void *ctx) RV_MUST_CHECK;

/*
 * How ${run} of ${view}'s job ended so that another follows: "attempt 1 of 5 failed: exit code 1",
 * or, when it asked for it, "it asked to be tried later (exit code 75); no attempt was used".
 * RV_E_NOTFOUND: that run is not kept, or has not ended.  In view_last.c.
 */
#define RV_VIEW_LAST_SPACE 640
int rv_view_last(struct rv_store *store, const struct rv_job_view *view, int run,
		 char out[RV_VIEW_LAST_SPACE]) RV_MUST_CHECK;

#endif
