#ifndef RV_CLIENT_OFFER_H
#define RV_CLIENT_OFFER_H

/*
 * Handing jobs to the keeper, by a connection that the daemon's control socket passed on to it:
 * what is said on it.  docs/PROTOCOL.md §handing jobs over is normative. ←
 * {"v":1,"ok":true,"version":"0.1.0","store":"DEVICE-INODE"}        it has the connection →
 * {"v":1,"jobs":[{…},…]}                                            all or nothing ←
 * {"v":1,"ok":true,"ids":[…],"repeated":0,"skipped":0,"rescheduled":0,"replaced":0} ←
 * {"v":1,"ok":false,"error":"…","name":"CONFLICT","exit":5,…} An answer to jobs is sent after the
 * COMMIT, or when it is sure that there will be none.
 */

#include "client/client.h"
#include "store/request.h"

struct rv_arena;
struct rv_buf;
struct rv_conf;
struct rv_submit_jobs;

#define RV_OFFER_LINE (64U << 10) /* bytes of a line, either way, with its newline */
#define RV_OFFER_JOBS 64          /* of a line */

/* ---- the client's end */

/*
 * Hands ${jobs} to the keeper of ${client}'s store.  RV_E_NOTRUN: nothing was done, and there is
 * the direct way.  RV_E_UNKNOWN: the answer was lost, and not every job has an idempotency key by
 * which it could be asked for again.  Else as rv_submit_jobs.  The connection stays open for the
 * next.
 */
int rv_offer_jobs(struct rv_client *client, struct rv_submit_jobs *jobs,
		  struct rv_why *why) RV_MUST_CHECK;
/* NULL is allowed. */
void rv_offer_close(struct rv_offer *offer);

/* The words. */
int rv_offer_write(const struct rv_job_new *jobs, size_t count, struct rv_buf *out) RV_MUST_CHECK;
/* The line with which it begins: RV_E_NOTRUN unless it is of our release and of ${store}. */
int rv_offer_greeted(const char *line, size_t size, const char *store) RV_MUST_CHECK;
/*
 * The outcome that a line tells: RV_OK with ids and counts in ${jobs}, or its error.  RV_E_CLOSED:
 * it tells none.  RV_E_NOTRUN: the offer was not taken, so nothing was done.
 */
int rv_offer_outcome(const char *line, size_t size, struct rv_submit_jobs *jobs,
		     struct rv_why *why) RV_MUST_CHECK;

/* ---- the keeper's end */

/* What makes sure that both mean the same store: of the file at ${path} (stat, never open). */
#define RV_OFFER_STORE 40
int rv_offer_store(const char *path, char out[RV_OFFER_STORE]) RV_MUST_CHECK;
int rv_offer_hello(const char *store, struct rv_buf *out) RV_MUST_CHECK;

struct rv_offer_jobs {
	const struct rv_conf *conf; /* borrowed */
	struct rv_arena *arena;     /* borrowed; all of it lives there */
	uid_t uid;                  /* who asks, as the kernel has it */
	struct rv_job_new *jobs;    /* out */
	size_t count;               /* out, at least 1 */
	size_t failed;              /* out: which job is wrong; RV_OFFER_JOBS: the line is */
};
/* The jobs of a line.  Errors of rv_newjob_from_object. */
int rv_offer_read(const char *line, size_t size, struct rv_offer_jobs *offer,
		  struct rv_why *why) RV_MUST_CHECK;
/* The answer: ${done} is the request that was carried out. */
int rv_offer_answer(const struct rv_req_enqueue *done, struct rv_buf *out) RV_MUST_CHECK;
/* Or why not; ${done} may be NULL, ${failed}: which job it is about, RV_OFFER_JOBS: none. */
int rv_offer_refuse(int err, const struct rv_why *why, const struct rv_req_enqueue *done,
		    size_t failed, struct rv_buf *out) RV_MUST_CHECK;

#endif
