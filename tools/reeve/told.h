#ifndef RV_REEVE_TOLD_H
#define RV_REEVE_TOLD_H

/* What a job said of itself, for people and scripts. */

#include <jansson.h>

struct rv_cli;
struct rv_told;

/* Sets "progress" and "result" of a job's object; RV_E_NOMEM. */
int rv_told_json(const struct rv_told *told, json_t *job);
/* The lines of `reeve show`. */
void rv_told_print(const struct rv_told *told, int64_t job, int64_t now_us);

#endif
