#ifndef RV_REEVE_ENQUEUE_H
#define RV_REEVE_ENQUEUE_H

/* From jobs to be to ids: what add, add --from-file and run share. */

#include "cli.h"
#include "client/submit.h"

/*
 * rv_submit_jobs; where the queue is full and is to be waited for, waits until there is room, at
 * most --full-timeout (RV_E_TIMEOUT).  A signal that ends us does so when nothing is left behind.
 */
int rv_room_submit(struct rv_cli *cli, struct rv_submit_jobs *jobs) RV_MUST_CHECK;

/* Says "stored; reeved is not running" on stderr if it is not. */
void rv_enqueue_note(struct rv_cli *cli);

/*
 * The job of the command line, enqueued; once: a command of one's own gets one attempt unless said.
 * ${one}: where its id goes, and what became of it.
 */
int rv_enqueue_args(struct rv_cli *cli, bool once, struct rv_submit_jobs *one) RV_MUST_CHECK;

/* --dry-run: what it would be, and nothing is stored; the program's exit code. */
int rv_enqueue_dry(struct rv_cli *cli);

/* add --from-file: the program's exit code. */
int rv_enqueue_file(struct rv_cli *cli, const char *path) RV_MUST_CHECK;

#endif
