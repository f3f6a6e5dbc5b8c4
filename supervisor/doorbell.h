#ifndef RV_SUPERVISOR_DOORBELL_H
#define RV_SUPERVISOR_DOORBELL_H

/* The doorbell: a token in, at most one WAKE for each pool that serves its queue out. */

#include "supervisor/sup.h"

int rv_doorbell_open(struct rv_sup *sup, struct rv_why *why) RV_MUST_CHECK;
/* The same with the socket of our last image. */
int rv_doorbell_adopt(struct rv_sup *sup, struct rv_why *why) RV_MUST_CHECK;
/* Takes the socket away. */
void rv_doorbell_close(struct rv_sup *sup);

#endif
