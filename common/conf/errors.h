#ifndef RV_CONF_ERRORS_H
#define RV_CONF_ERRORS_H

/* Adding to a struct rv_conf_errors: the modules of this folder only. */

#include "conf/conf.h"

/* ${where} is "file:line" or the name of an override.  Both are copied. */
void rv_conf_error_add(struct rv_conf_errors *errors, const char *where, const char *format, ...)
	RV_PRINTF(3, 4);
void rv_conf_warning_add(struct rv_conf_errors *errors, const char *where, const char *format, ...)
	RV_PRINTF(3, 4);

#endif
