#ifndef RV_PROCESS_PIPE_USED_H
#define RV_PROCESS_PIPE_USED_H

/* What runs at handlers have used, as people are told. */

#include "process/pipe_scene.h"

/* What is told of the last run of a job: -1 not at all, -2 not by a number. */
static inline int64_t used(int64_t job, const char *what, char ret_of[16])
{
	json_t *all = rv_e2e_json(e, "show", id_text(job), NULL);
	const json_t *runs = json_object_get(all, "attempts");
	const json_t *run = json_array_get(runs, json_array_size(runs) - 1);
	const json_t *value = json_object_get(run, what);
	int64_t number = !value ? -2 : json_is_null(value) ? -1 : json_integer_value(value);
	const char *of = json_string_value(json_object_get(run, "usage_of"));

	(void)snprintf(ret_of, 16, "%s", of ? of : "");
	json_decref(all);
	return number;
}

/* The CPU time of its last run, which was measured at its handler, is ${ms}, and some. */
static inline void burned(int64_t job, int64_t ms)
{
	char of[16];
	int64_t us = used(job, "cpu_us", of);

	rv_assert_text(of, "handler");
	cr_assert(ge(i64, us, ms * RV_MS_US));
#ifndef __SANITIZE_ADDRESS__ /* at its end it looks for leaks */
	cr_assert(le(i64, us, (ms + 150) * RV_MS_US));
#endif
	cr_assert(eq(i64, used(job, "user_us", of), -1), "nobody can tell them apart");
	cr_assert(eq(i64, used(job, "sys_us", of), -1));
}

static inline int64_t memory_of(int64_t job)
{
	char of[16];

	return used(job, "maxrss_bytes", of);
}

#endif
