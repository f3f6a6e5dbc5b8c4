/*
 * Removing the outputs of jobs.  Runs in the CLI.  Must never remove those of another store: a copy
 * has the ids of the one that it was made of.
 */
#include "cli.h"

#include "conf/conf.h"
#include "obs/output.h"
#include "os/file.h"

#include <stdio.h>
#include <sys/stat.h>

const char *rv_outputs_home(const struct rv_cli *cli, char *folder, size_t space)
{
	char lock[RV_PATH_MAX];
	struct stat st;

	if (!cli->client.store_named)
		return cli->client.conf->reeve.state_dir;
	if (rv_path_folder(folder, space, cli->client.store_path) != RV_OK ||
	    rv_client_lock_path(&cli->client, lock, sizeof(lock)) != RV_OK || stat(lock, &st) != 0)
		return NULL;
	return folder;
}

void rv_outputs_forget(const struct rv_cli *cli, int64_t job, int runs)
{
	char folder[RV_PATH_MAX];
	struct rv_output_how how = {.state_dir = rv_outputs_home(cli, folder, sizeof(folder)),
				    .job = job};

	for (how.run = 1; how.state_dir && how.run <= runs; how.run++) {
		if (rv_output_remove(&how) != RV_OK)
			return; /* not ours to remove: db cleanup finds it */
	}
}
