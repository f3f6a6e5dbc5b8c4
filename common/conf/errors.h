#ifndef RV_CONF_ERRORS_H
#define RV_CONF_ERRORS_H

/* Adding to a struct rv_conf_errors: the modules of this folder only. */

#include "conf/conf.h"

struct rv_where {
	const char *text; /* "file:line", or the name of an override */
	uint64_t order;   /* by this the errors are sorted: number of the file << 32 | line */
};

/* ${where} and the text are copied. */
void rv_conf_error_add(struct rv_conf_errors *errors, const struct rv_where *where,
		       const char *format, ...) RV_PRINTF(3, 4);
void rv_conf_warning_add(struct rv_conf_errors *errors, const struct rv_where *where,
			 const char *format, ...) RV_PRINTF(3, 4);
/* By order; equal ones stay as they were added. */
void rv_conf_errors_sort(struct rv_conf_errors *errors);

#endif
