#ifndef RV_PROCESS_WORKER_ROOM_H
#define RV_PROCESS_WORKER_ROOM_H

/* What the suites of worker and keeper share: a store, a worker, and how a test ends. */

#include "base/err.h"
#include "base/seam.h"
#include "helpers/fakesup.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "obs/output.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rv_fakesup sup;
static struct rv_fakesup_child subject; /* the worker or keeper that is tested */

#define HAS(text, part)                                                                            \
	do {                                                                                       \
		const char *has_ = (text);                                                         \
		cr_expect(strstr(has_, (part)) != NULL, "\"%s\" has no \"%s\"", has_, (part));     \
	} while (0)

/* Every process that bears the mark of one of our children. */
static inline int left_behind(void)
{
	int count = 0;

	for (uint64_t i = (sup.last_incarnation & ~0xffffffffULL) + 1; i <= sup.last_incarnation;
	     i++) {
		char mark[24];

		(void)snprintf(mark, sizeof(mark), "%016llx", (unsigned long long)i);
		count += rv_test_count_marked("REEVE_INSTANCE", mark);
	}
	return count;
}

/* The end of each test: the worker drains and ends cleanly, the store is whole, nothing is left. */
static inline void close_room(void)
{
	cr_expect(eq(int, rv_fakesup_stop(&subject), 0));
	cr_expect(eq(int, rv_fakesup_broken(&sup), 0));
	cr_expect(eq(int, left_behind(), 0));
	rv_fakesup_close(&sup);
	rv_test_tmpdir_end();
}

/* ${command} by /bin/sh as an ad-hoc job; nothing in it may need escapes in JSON. */
static inline int64_t run_shell(const char *command)
{
	char spec[2048];

	(void)snprintf(spec, sizeof(spec), "{\"command\":[\"/bin/sh\",\"-c\",\"%s\"]}", command);
	return rv_fakesup_run(&sup, &subject, "", spec);
}

#define UNTIL(job, state)                                                                          \
	cr_assert(rv_fakesup_until(&sup, (job), RV_JOB_##state, 20000), "job %lld is not " #state, \
		  (long long)(job))

static char printed[1 << 20]; /* what output_of() found */

static inline const char *output_of(int64_t job, int stream)
{
	(void)rv_fakesup_output(&sup, job, 1, stream, printed, sizeof(printed));
	return printed;
}

/* Waits until the running job has printed ${part}. */
struct awaited_output {
	int64_t job;
	const char *part;
};

static inline bool has_printed(void *ctx)
{
	const struct awaited_output *wanted = ctx;

	return strstr(output_of(wanted->job, 0), wanted->part) != NULL;
}

static inline void until_printed(int64_t job, const char *part)
{
	struct awaited_output wanted = {job, part};

	cr_assert(rv_test_wait_until(has_printed, &wanted, 20000), "job %lld never said %s",
		  (long long)job, part);
}

static inline void cancel(int64_t job, bool tell)
{
	struct rv_req *req = calloc(1, sizeof(*req));

	req->kind = RV_REQ_CANCEL;
	req->u.cancel.job = job;
	cr_assert(rv_fakesup_do(&sup, req) == RV_OK);
	if (tell)
		rv_fakesup_tell(&subject, RV_SUP_CANCEL, (uint64_t)job,
				(uint64_t)req->u.cancel.fence, 0);
	free(req);
}

/* Ends a life as the keeper would. */
static inline void expire(const struct rv_fakesup_child *child, enum rv_died died)
{
	struct rv_req *req = calloc(1, sizeof(*req));

	req->kind = RV_REQ_EXPIRE;
	req->u.expire.count = 1;
	req->u.expire.who[0].incarnation = child->incarnation;
	req->u.expire.who[0].died = died;
	cr_assert(rv_fakesup_do(&sup, req) == RV_OK);
	free(req);
}

#endif
