#ifndef RV_CLIENT_BELL_H
#define RV_CLIENT_BELL_H

/* Waking whom a commit concerns.  A ring is a hint: nothing here can fail.  CLI and tests. */

#include "client/client.h"

/* Rings the daemon's doorbell with ${token} (wire/sup.h). */
void rv_bell_ring(struct rv_client *client, uint64_t token);
/* After a commit: everyone the store's rings name. */
void rv_bell_after_commit(struct rv_client *client);

#endif
