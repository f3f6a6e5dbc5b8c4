/*
 * Where the outputs of jobs lie.  Runs in the CLI.
 */
#include "cli.h"

#include "conf/conf.h"
#include "obs/output.h"
#include "os/file.h"

#include <sys/stat.h>

const char *rv_outputs_dir(const struct rv_cli *cli, char *folder, size_t space)
{
	const char *ours = cli->client.conf->reeve.state_dir;
	char output[RV_PATH_MAX];
	struct stat st;

	if (rv_path_folder(folder, space, cli->client.store_path) == RV_OK &&
	    rv_path_join(output, sizeof(output), folder, "output") == RV_OK &&
	    stat(output, &st) == 0)
		return folder;
	return stat(ours, &st) == 0 ? ours : folder;
}

void rv_outputs_forget(const struct rv_cli *cli, int64_t job, int runs)
{
	char folder[RV_PATH_MAX];
	struct rv_output_how how = {.state_dir = rv_outputs_dir(cli, folder, sizeof(folder)),
				    .job = job};

	for (how.run = 1; how.run <= runs; how.run++) {
		if (rv_output_remove(&how) != RV_OK)
			return; /* not ours to remove: db cleanup finds it */
	}
}
