/*
 * Where the outputs of jobs lie.  Runs in the CLI.
 */
#include "cli.h"

#include "follow.h"
#include "obs/output.h"
#include "os/file.h"

void rv_outputs_forget(const struct rv_cli *cli, int64_t job, int runs)
{
	char folder[RV_PATH_MAX];
	struct rv_output_how how = {
		.state_dir = rv_follow_state_dir(cli, "output", folder, sizeof(folder)),
		.job = job};

	for (how.run = 1; how.run <= runs; how.run++) {
		if (rv_output_remove(&how) != RV_OK)
			return; /* not ours to remove: db cleanup finds it */
	}
}
