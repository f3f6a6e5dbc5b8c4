#ifndef RV_CONF_DUMP_H
#define RV_CONF_DUMP_H

/* Walking the sections of a finished configuration.  The modules of this folder only. */

#include "conf/keys.h"

struct rv_visit {
	enum rv_conf_section section;
	const char *name; /* "" of a single one */
	const void *base; /* its struct */
};

size_t rv_conf_visits(const struct rv_conf *conf);
/* The ${index}-th section, in the order of sections.def. */
struct rv_visit rv_conf_visit(const struct rv_conf *conf, size_t index);

#endif
