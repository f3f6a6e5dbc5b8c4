#ifndef RV_CONF_DOC_H
#define RV_CONF_DOC_H

/* What is written about the keys, made from conf/keys.def: the CLI, and a test that compares. */

#include "base/err.h"

struct rv_buf;

/* The commented sample: conf/reeve.ini.  RV_E_NOMEM. */
int rv_conf_sample(struct rv_buf *out) RV_MUST_CHECK;
/* The manual page in scdoc: docs/man/reeve.ini.5.scd.  RV_E_NOMEM. */
int rv_conf_manual(struct rv_buf *out) RV_MUST_CHECK;
/*
 * One key, "pool.workers", "pool:NAME.workers" or "workers" (all of that name), in a few lines.
 * RV_E_NOTFOUND: ${why} has the nearest name.
 */
int rv_conf_explain(const char *key, struct rv_buf *out, struct rv_why *why) RV_MUST_CHECK;

#endif
