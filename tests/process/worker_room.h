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

#endif
