#ifndef RV_SUPERVISOR_JUDGE_H
#define RV_SUPERVISOR_JUDGE_H

/* Who is too late: the times of the child table, looked at once a turn of the loop. */

#include "supervisor/sup.h"

/* Does the keeper tick?  While it does not, no worker is judged. */
bool rv_judge_keeper_ticks(const struct rv_sup *sup, int64_t now_us);

/* Lets TIMEOUT happen where it is due, and judges the silent. */
void rv_judge(struct rv_sup *sup, int64_t now_us);
/* When it has to be called next. */
int64_t rv_judge_next(const struct rv_sup *sup, int64_t now_us);
/* The supervisor itself was held up (stopped, starved) for ${gap_us}: that is nobody's fault. */
void rv_judge_forgive(struct rv_sup *sup, int64_t gap_us);

/* A follower reports that the leader in ${slot} stands still. */
void rv_judge_stuck(struct rv_sup *sup, uint64_t slot);
/* The keeper reports a stale beat. */
void rv_judge_hung(struct rv_sup *sup, uint64_t slot, uint64_t incarnation);

#endif
