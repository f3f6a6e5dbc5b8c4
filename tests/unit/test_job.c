/* The states of a job: names both ways, and that the table of moves has the shape of the design. */
#include "base/err.h"
#include "core/job.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define EACH(state)                                                                                \
	for (enum rv_job_state state = 0; state < RV_JOB_STATES;                                   \
	     state = (enum rv_job_state)(state + 1))

Test(job, names_are_read_back_and_differ)
{
	EACH(state)
	{
		enum rv_job_state read = RV_JOB_STATES;

		cr_assert(eq(int, rv_job_state_parse(rv_job_state_name(state), &read), RV_OK));
		cr_assert(eq(int, (int)read, (int)state));
	}
}

Test(job, an_unknown_name_leaves_the_answer_alone)
{
	const char *const bad[] = {"", "Ready", "read", "readyy", "running ", "done"};

	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		enum rv_job_state read = RV_JOB_DEAD;

		cr_assert(eq(int, rv_job_state_parse(bad[i], &read), RV_E_NOTFOUND));
		cr_assert(eq(int, (int)read, RV_JOB_DEAD));
	}
}

Test(job, no_move_to_itself)
{
	EACH(state)
	cr_assert(not(rv_job_move_legal(state, state)), "%s", rv_job_state_name(state));
}

/* A final job ends there, or goes back to ready by a person's word; a success is for ever. */
Test(job, final_states_move_to_ready_only)
{
	EACH(from)
	{
		if (!rv_job_state_final(from))
			continue;
		EACH(to)
		cr_assert(eq(int, rv_job_move_legal(from, to),
			     from != RV_JOB_SUCCEEDED && to == RV_JOB_READY));
	}
}

Test(job, running_is_reached_from_ready_only_and_every_waiting_job_can_be_cancelled)
{
	EACH(from)
	{
		cr_assert(eq(int, rv_job_move_legal(from, RV_JOB_RUNNING), from == RV_JOB_READY));
		cr_assert(eq(int, rv_job_move_legal(from, RV_JOB_CANCELLED),
			     !rv_job_state_final(from)));
		cr_assert(
			eq(int, rv_job_move_legal(from, RV_JOB_SUCCEEDED), from == RV_JOB_RUNNING));
		cr_assert(eq(int, rv_job_move_legal(from, RV_JOB_BLOCKED),
			     from == RV_JOB_READY || from == RV_JOB_SCHEDULED));
	}
}

/* From any state that is not a success, some path leads to every final state: nothing is a trap. */
Test(job, every_job_can_still_finish)
{
	EACH(start)
	{
		unsigned reached = 1U << start;
		unsigned before;

		if (start == RV_JOB_SUCCEEDED)
			continue;
		do {
			before = reached;
			EACH(from)
			EACH(to)
			if ((reached >> from & 1U) && rv_job_move_legal(from, to))
				reached |= 1U << to;
		} while (reached != before);
		EACH(to)
		if (rv_job_state_final(to))
			cr_assert(reached >> to & 1U, "%s never becomes %s",
				  rv_job_state_name(start), rv_job_state_name(to));
	}
}
