#ifndef RV_SUPERVISOR_DEATH_H
#define RV_SUPERVISOR_DEATH_H

/* From a child's end to its obituary: collect, sweep, tell the keeper. */

#include "supervisor/sup.h"

/* Its process has ended: reaps it, writes the obituary, decides on the restart. */
void rv_death(struct rv_sup *sup, struct rv_child *child);
/* It could not even be started. */
void rv_death_unborn(struct rv_sup *sup, struct rv_child *child, enum rv_reason reason);

/* One turn of the sweep if it is due (≤ 5 ms), and whatever obituaries may be told then. */
void rv_death_sweep(struct rv_sup *sup, int64_t now_us);
/* Something of unknown parentage has ended (SIGCHLD): the sweep is due. */
void rv_death_look(struct rv_sup *sup);
/* Sends what the keeper is to know and its socket takes. */
void rv_death_tell(struct rv_sup *sup);
/* The keeper ticks: what it has not ACKed for long it may have had no room for, and gets again. */
void rv_death_retell(struct rv_sup *sup, int64_t now_us);
/* A keeper is READY: it gets all open obituaries, then the list of who must not be expired. */
void rv_death_keeper_ready(struct rv_sup *sup);
/* Is nothing left to sweep, and nothing to tell? */
bool rv_death_all_told(struct rv_sup *sup);
bool rv_death_all_swept(struct rv_sup *sup);

#endif
