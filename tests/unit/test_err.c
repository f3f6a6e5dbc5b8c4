/* Errors, their sentences, and the exits of failed checks and fault points. */
#include "base/check.h"
#include "base/err.h"
#include "base/fault.h"
#include "helpers/assert.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

Test(err, every_error_has_a_name_a_sentence_and_an_exit_code)
{
	for (int err = 0; - err < RV_ERRS; err--) {
		cr_assert(eq(int, strncmp(rv_err_name(err), "RV_", 3), 0));
		cr_assert(ne(int, rv_err_text(err)[0], '\0'));
		cr_assert(eq(int, rv_err_exit(err) == 0, err == 0), "%s", rv_err_name(err));
		for (int other = err - 1; - other < RV_ERRS; other--)
			cr_assert(ne(int, strcmp(rv_err_name(err), rv_err_name(other)), 0));
	}
}

Test(err, exit_codes_are_those_of_the_interface)
{
	cr_assert(eq(int, rv_err_exit(RV_E_LOCKED), 75));
	cr_assert(eq(int, rv_err_exit(RV_E_NOTFOUND), 3));
	cr_assert(eq(int, rv_err_exit(RV_E_NOSPACE), 6), "full");
	cr_assert(eq(int, rv_err_exit(RV_E_REFUSED), 6));
	cr_assert(eq(int, rv_err_exit(RV_E_IO), 74));
	cr_assert(eq(int, rv_err_exit(RV_E_NOTRUN), 7));
	cr_assert(eq(int, rv_err_exit(RV_E_CONF), 78));
	cr_assert(eq(int, rv_err_exit(RV_E_TIMEOUT), 124));
}

Test(err, any_number_is_accepted)
{
	rv_assert_text(rv_err_name(1), "RV_E_INTERNAL");
	rv_assert_text(rv_err_name(-RV_ERRS), "RV_E_INTERNAL");
	cr_assert(eq(int, rv_err_exit(99), 1));
}

Test(err, why_is_set_wrapped_and_cut)
{
	struct rv_why why = {{0}};
	char big[1000];

	memset(big, 'y', sizeof big);
	big[sizeof big - 1] = '\0';
	rv_assert_text(rv_why_text(&why, RV_E_BUSY), "busy, try later");
	rv_assert_text(rv_why_text(NULL, RV_E_BUSY), "busy, try later");
	cr_assert(eq(int, rv_wrap(&why, RV_E_IO, "first"), RV_E_IO));
	rv_assert_text(why.text, "first");
	errno = ENOENT;
	cr_assert(eq(int, rv_fail(&why, RV_E_IO, "cannot read %s: %m", "x"), RV_E_IO));
	rv_assert_text(why.text, "cannot read x: No such file or directory");
	cr_assert(eq(int, rv_wrap(&why, RV_E_CONF, "in %d", 7), RV_E_CONF));
	rv_assert_text(rv_why_text(&why, RV_E_CONF),
		       "in 7: cannot read x: No such file or directory");
	cr_assert(eq(int, rv_wrap(&why, RV_E_CONF, "%s", big), RV_E_CONF));
	cr_assert(eq(sz, strlen(why.text), sizeof why.text - 1));
	cr_assert(eq(int, rv_fail(NULL, RV_E_IO, "nobody listens"), RV_E_IO));
	cr_assert(eq(int, rv_wrap(NULL, RV_E_IO, "nobody listens"), RV_E_IO));
}

static const struct {
	int errnum;
	int err;
} errnos[] = {
	{ENOMEM, RV_E_NOMEM},      {ENOSPC, RV_E_NOSPACE}, {EDQUOT, RV_E_NOSPACE},
	{EACCES, RV_E_DENIED},     {EROFS, RV_E_DENIED},   {ENOENT, RV_E_NOTFOUND},
	{EEXIST, RV_E_CONFLICT},   {EAGAIN, RV_E_BUSY},    {EMFILE, RV_E_BUSY},
	{ETIMEDOUT, RV_E_TIMEOUT}, {EPIPE, RV_E_CLOSED},   {ECONNRESET, RV_E_CLOSED},
	{EMSGSIZE, RV_E_TOOBIG},   {EIO, RV_E_IO},         {0, RV_E_IO},
};

Test(err, errno_values_find_their_like)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(errnos); i++)
		cr_assert(eq(int, rv_err_from_errno(errnos[i].errnum), errnos[i].err), "%zu", i);
}

Test(check, a_broken_promise_ends_the_process, .signal = SIGABRT)
{
	(void)close(STDERR_FILENO);
	PRE(1 + 1 == 2);
	INV(1 + 1 == 3);
}

Test(check, the_impossible_ends_the_process, .signal = SIGABRT)
{
	(void)close(STDERR_FILENO);
	IMPOSSIBLE("this line runs");
}

static void fault(const char *plan)
{
	cr_assert(eq(int, setenv("RV_FAULT", plan, 1), 0));
	rv_fault_iam("worker");
}

Test(fault, no_plan_no_fault)
{
	(void)unsetenv("RV_FAULT");
	cr_assert(eq(int, rv_fault_hit(RV_FAULT_spawn), RV_OK));
}

Test(fault, the_nth_passage_of_the_named_process_fails_once)
{
	fault("spawn:enospc:3:worker");
	cr_assert(eq(int, rv_fault_hit(RV_FAULT_spawn), RV_OK));
	cr_assert(eq(int, rv_fault_hit(RV_FAULT_checkpoint), RV_OK));
	cr_assert(eq(int, rv_fault_hit(RV_FAULT_spawn), RV_OK));
	cr_assert(eq(int, rv_fault_hit(RV_FAULT_spawn), RV_E_NOSPACE));
	cr_assert(eq(int, rv_fault_hit(RV_FAULT_spawn), RV_OK));
}

Test(fault, another_process_is_left_alone)
{
	fault("spawn:eio:1:keeper");
	cr_assert(eq(int, rv_fault_hit(RV_FAULT_spawn), RV_OK));
}

Test(fault, errors_have_their_names)
{
	fault("spawn:busy");
	cr_assert(eq(int, rv_fault_hit(RV_FAULT_spawn), RV_E_BUSY));
}

Test(fault, an_unreadable_plan_is_none)
{
	fault("spawn");
	cr_assert(eq(int, rv_fault_hit(RV_FAULT_spawn), RV_OK));
}

Test(fault, kill, .signal = SIGKILL)
{
	fault("spawn:kill");
	(void)rv_fault_hit(RV_FAULT_spawn);
}

Test(fault, abort, .signal = SIGABRT)
{
	fault("spawn:abort:1:worker");
	(void)rv_fault_hit(RV_FAULT_spawn);
}

Test(fault, exit, .exit_code = 1)
{
	fault("spawn:exit");
	(void)rv_fault_hit(RV_FAULT_spawn);
}
