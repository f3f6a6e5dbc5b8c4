#ifndef RV_REEVE_LEFT_H
#define RV_REEVE_LEFT_H

/* What the last run of a job left for the next one (obs/resume.h), for people and scripts. */

#include "core/job.h"

#include <stdint.h>

struct rv_cli;

/* 0: nothing, or not for us to see. */
int64_t rv_left_bytes(const struct rv_cli *cli, int64_t job, enum rv_job_state state);
/* The line of `reeve show`, if there is something. */
void rv_left_print(const struct rv_cli *cli, int64_t job, enum rv_job_state state);

#endif
