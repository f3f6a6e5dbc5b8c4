#ifndef RV_SUPERVISOR_ADMIT_H
#define RV_SUPERVISOR_ADMIT_H

/*
 * Pools that begin nothing more for now, because the machine has too much to do: what the keeper
 * says of them ([pool] max_load, min_memory, max_rss_total) goes on to their workers.
 */

#include "supervisor/sup.h"

/* The keeper's word: ${text} (of ${size} bytes, untrusted) is why, for people. */
void rv_admit_heard(struct rv_sup *sup, uint64_t token, bool waits, const unsigned char *text,
		    size_t size);
/* A child has been started: a worker finds on its descriptor 3 what the others know. */
void rv_admit_born(struct rv_sup *sup, struct rv_child *child);
/* The keeper is gone: nobody looks, so nobody waits. */
void rv_admit_forget(struct rv_sup *sup);

#endif
