#ifndef RV_REEVE_QUEUES_H
#define RV_REEVE_QUEUES_H

/* Whether a queue is there, for verbs that take -q. */

#include "cli.h"
#include "store/request.h"

/* Pauses, drains or opens a queue; errors of PAUSE. */
int rv_queues_gate(struct rv_cli *cli, const char *queue, enum rv_queue_gate gate) RV_MUST_CHECK;
/* RV_OK also for NULL (not said); RV_E_NOTFOUND with the nearest name.  The store is open. */
int rv_queues_check(struct rv_cli *cli, const char *queue) RV_MUST_CHECK;

#endif
