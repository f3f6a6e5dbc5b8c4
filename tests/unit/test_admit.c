/* How a new job is admitted: what a parent's end means, how long a key is held, the words. */
#include "base/fmt.h"
#include "core/admit.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

/* Rows: how it must end; columns: the states as they stand in job_states.def. */
static const enum rv_admit want[3][RV_JOB_STATES] = {
	[RV_AFTER_SUCCESS] =
		{[RV_JOB_SUCCEEDED] = RV_ADMIT_MET, [RV_JOB_CANCELLED] = RV_ADMIT_NEVER},
	[RV_AFTER_FAILURE] = {[RV_JOB_SUCCEEDED] = RV_ADMIT_NEVER,
			      [RV_JOB_DEAD] = RV_ADMIT_MET,
			      [RV_JOB_CANCELLED] = RV_ADMIT_NEVER},
	[RV_AFTER_ANY] = {[RV_JOB_SUCCEEDED] = RV_ADMIT_MET,
			  [RV_JOB_DEAD] = RV_ADMIT_MET,
			  [RV_JOB_CANCELLED] = RV_ADMIT_MET},
};

Test(admit, what_the_end_of_a_parent_means)
{
	for (int on = 0; on < 3; on++) {
		for (int state = 0; state < RV_JOB_STATES; state++)
			cr_assert(
				eq(int,
				   (int)rv_admit_after((enum rv_after)on, (enum rv_job_state)state),
				   (int)want[on][state]),
				"%s after %s", rv_admit_after_name((enum rv_after)on),
				rv_job_state_name((enum rv_job_state)state));
	}
	cr_assert(not(rv_admit_after_sane(3)));
	cr_assert(not(rv_admit_after_sane(-1)));
}

Test(admit, how_long_a_key_is_held)
{
	cr_assert(eq(i64, rv_admit_held_until(RV_UNTIL_FINISHED, 5), 0));
	cr_assert(eq(i64, rv_admit_held_until(RV_UNTIL_STARTED, 5), 0));
	cr_assert(eq(i64, rv_admit_held_until(7, 5), 12));
	cr_assert(eq(i64, rv_admit_held_until(INT64_MAX, 5), INT64_MAX));
}

Test(admit, words)
{
	enum rv_on_held on_held = RV_ON_HELD_REJECT;
	enum rv_after on = RV_AFTER_SUCCESS;
	int64_t until = 77;

	cr_assert(eq(int, rv_admit_after_parse("any", &on), RV_OK));
	cr_assert(eq(int, (int)on, RV_AFTER_ANY));
	cr_assert(eq(int, rv_admit_after_parse("an", &on), RV_E_USAGE));
	cr_assert(eq(int, rv_admit_on_held_parse("reschedule", &on_held), RV_OK));
	cr_assert(eq(int, (int)on_held, RV_ON_HELD_RESCHEDULE));
	cr_assert(eq(int, rv_admit_on_held_parse("", &on_held), RV_E_USAGE));
	cr_assert(eq(int, (int)on_held, RV_ON_HELD_RESCHEDULE));
	cr_assert(eq(int, rv_admit_until_parse("10m", &until), RV_OK));
	cr_assert(eq(i64, until, 600000000));
	for (const char *const *bad =
		     (const char *const[]){"0", "0s", "-1s", "10", "finish", "", 0};
	     *bad; bad++)
		cr_assert(eq(int, rv_admit_until_parse(*bad, &until), RV_E_USAGE), "%s", *bad);
	cr_assert(eq(i64, until, 600000000));
	cr_assert(eq(int, rv_admit_until_parse("started", &until), RV_OK));
	cr_assert(eq(i64, until, RV_UNTIL_STARTED));
	cr_assert(eq(int, rv_admit_until_parse("finished", &until), RV_OK));
	cr_assert(eq(i64, until, RV_UNTIL_FINISHED));
}

Test(admit, words_come_back)
{
	static const char *const words[] = {"finished", "started", "1h30m", "250ms"};

	for (size_t i = 0; i < RV_ARRAY_LEN(words); i++) {
		char out[RV_FMT_SPACE];
		int64_t until = 0;

		cr_assert(eq(int, rv_admit_until_parse(words[i], &until), RV_OK));
		cr_assert(strcmp(rv_job_until_name(out, until), words[i]) == 0, "%s", words[i]);
	}
}
