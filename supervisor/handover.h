#ifndef RV_SUPERVISOR_HANDOVER_H
#define RV_SUPERVISOR_HANDOVER_H

/*
 * The supervisor's state as JSON, from one image of it to the next in the same process (upgrade.c).
 * Written and read by releases that may differ: what the reader does not know is passed over, what
 * it needs and does not find is refused, and so is a release whose processes could not work
 * together with those of the other (version, area, messages, states).
 */

#include "supervisor/sup.h"

struct rv_buf;

#define RV_HANDOVER_MAX   (4U << 20) /* bytes */
#define RV_HANDOVER_WORDS 64

/* Appends. */
int rv_handover_write(const struct rv_sup *sup, struct rv_buf *out) RV_MUST_CHECK;
/*
 * Into a zeroed ${sup} with no table yet: pools, table, obituaries.  Nothing is watched and no
 * descriptor is looked at.  RV_E_REFUSED, RV_E_PARSE, RV_E_NOTFOUND with a sentence; the table is
 * ${sup}'s in any case.
 */
int rv_handover_read(struct rv_sup *sup, const char *text, size_t size,
		     struct rv_why *why) RV_MUST_CHECK;

/*
 * A line, without its end, that only somebody can say who has read ${text} and means by it what we
 * do: how a program that is asked says yes (an exit code of 0 says nothing: true(1) has it too).
 */
void rv_handover_words(const char *text, size_t size, char out[static RV_HANDOVER_WORDS]);

/* Calls ${fn} for each descriptor that is handed over; the first error. */
int rv_handover_fds(const struct rv_sup *sup, int (*fn)(int fd, void *ctx),
		    void *ctx) RV_MUST_CHECK;

#endif
