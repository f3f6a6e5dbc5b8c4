#ifndef RV_CONF_DOC_TEXT_H
#define RV_CONF_DOC_TEXT_H

/* Sentences about a key, shared by the sample, the manual and `config explain`. */

#include "conf/keys.h"

struct rv_buf;

/* "Value: a duration, 0 to 1w; a reload applies it at once." */
int rv_doc_facts(struct rv_buf *out, const struct rv_conf_key *key) RV_MUST_CHECK;

#endif
