/* What the kernel refuses a new process, and that the words say which of its wishes it was. */
#include "helpers/assert.h"
#include "helpers/child.h"
#include "os/spawn.h"

#include <sys/resource.h>
#include <unistd.h>

Test(spawn_refused, a_limit_that_cannot_be_is_named)
{
	const struct rv_spawn_limit limits[] = {{RLIMIT_CORE, {0, 0}, NULL},
						{RLIMIT_NOFILE, {100, 50}, NULL}};
	const struct rv_spawn_limit named[] = {
		{RLIMIT_CORE, {0, 0}, "limit_core"},
		{RLIMIT_NOFILE, {100, 50}, "limit_nofile"},
	};
	const struct rv_spawn_limit more[] = {{RLIMIT_NOFILE, {100, 2000}, "limit_nofile"}};
	const struct rlimit ours = {.rlim_cur = 1000, .rlim_max = 1000};
	char *const *words = RV_WORDS("true");
	struct rv_spawn how = {.argv = words, .limits = limits, .nlimits = 2};
	struct rv_why why = {{0}};
	struct rv_proc proc;

	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_IO));
	rv_assert_has(why.text, "resource limits: Invalid argument");
	how.limits = named;
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_IO));
	rv_assert_text(why.text, "cannot start true: limit_nofile: Invalid argument");
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
		cr_skip("cannot be nobody");
	cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &ours), 0));
	how.limits = more;
	how.nlimits = 1;
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_E_DENIED));
	rv_assert_text(why.text, "cannot start true: limit_nofile: more than the hard limit here, "
				 "1000");
	(void)close(STDERR_FILENO); /* nobody cannot write coverage, and need not say so */
}
