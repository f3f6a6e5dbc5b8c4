/* Looks whether a run has left something for the next one.  Runs in the CLI; changes nothing. */
#include "left.h"

#include "follow.h"
#include "obs/resume.h"
#include "os/file.h"

#include <stdio.h>

int64_t rv_left_bytes(const struct rv_cli *cli, int64_t job, enum rv_job_state state)
{
	char folder[RV_PATH_MAX];

	/* Of these the file goes, if not at once. */
	if (state == RV_JOB_SUCCEEDED || state == RV_JOB_CANCELLED)
		return 0;
	return rv_resume_size(rv_follow_state_dir(cli, "resume", folder, sizeof(folder)), job);
}

void rv_left_print(const struct rv_cli *cli, int64_t job, enum rv_job_state state)
{
	int64_t bytes = rv_left_bytes(cli, job, state);

	if (bytes > 0)
		(void)printf("%-12s %lld bytes, handed to the next run\n", "state file",
			     (long long)bytes);
}
