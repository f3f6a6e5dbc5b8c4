#ifndef RV_CONF_UPKEEP_H
#define RV_CONF_UPKEEP_H

/*
 * Schedules that reeve brings with it (upkeep.def).  build.c, before the structs are made; doc.c
 * for the sample and the manual.
 */

#include <stddef.h>

struct rv_builder;

#define RV_UPKEEP_DOC                                                                              \
	"Upkeep that reeve brings with it: a section of this name alone switches it on, whatever " \
	"it says differs, and enabled = no switches it off. The task of the same name runs it, "   \
	"as "                                                                                      \
	"the user of the daemon, once a slot; [task:NAME] can say another command, queue or "      \
	"limit."

struct rv_upkeep {
	const char *name; /* "reeve.backup", of the schedule and its task */
	const char *cron;
	const char *command;
	const char *doc;
};

extern const struct rv_upkeep rv_upkeeps[];
extern const size_t rv_upkeeps_count;

/*
 * Fills in what [schedule:reeve.NAME] and [task:reeve.NAME] do not say.  A name that begins with
 * "reeve." and is none of them becomes an error.
 */
void rv_upkeep_imply(struct rv_builder *b);

#endif
