/*
 * The cheapest module there can be, for `tools/bench handlers`: each job is done at once, or all
 * that are there (BATCH).  Loaded by reeve-runner.
 */
#include "runner/reeve_module.h"

#ifdef BATCH
static void noops(void *state, struct reeve_run *const *runs, size_t count)
{
	(void)state;
	(void)runs;
	(void)count; /* each is REEVE_RUN_DONE already */
}
#else
static int noop(void *state, struct reeve_run *run)
{
	(void)state;
	(void)run;
	return REEVE_RUN_DONE;
}
#endif

const struct reeve_module reeve_module = {
	.abi = REEVE_MODULE_ABI,
	.size = sizeof(struct reeve_module),
	.name = "noop",
	.ahead = REEVE_MODULE_AHEAD_MAX,
#ifdef BATCH
	.run_batch = noops,
#else
	.run = noop,
#endif
};
