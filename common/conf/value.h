#ifndef RV_CONF_VALUE_H
#define RV_CONF_VALUE_H

/* Values by type: text to field and back.  The modules of this folder only. */

#include "conf/keys.h"

struct rv_arena;
struct rv_buf;

/*
 * Sets ${field} from ${text} (not empty, expanded already); a list gets one or more items more.
 * RV_E_PARSE with ${why}, a sentence without key or value; RV_E_NOMEM.  Texts go to ${arena}.
 */
typedef int rv_value_set_fn(const struct rv_conf_key *key, const char *text, void *field,
			    struct rv_arena *arena, struct rv_why *why);
/* Adds the value as one would write it (a list in one line, "" for none). */
typedef int rv_value_print_fn(const struct rv_conf_key *key, const void *field, struct rv_buf *out);

int rv_value_set(const struct rv_conf_key *key, const char *text, void *field,
		 struct rv_arena *arena, struct rv_why *why) RV_MUST_CHECK;
int rv_value_print(const struct rv_conf_key *key, const void *field,
		   struct rv_buf *out) RV_MUST_CHECK;
/* Makes ${field} empty: no text, no item, no limit. */
void rv_value_clear(const struct rv_conf_key *key, void *field);
/* The words that a value of this type may be, "fifo, priority"; "" when it is not of words. */
int rv_value_words(enum rv_conf_type type, struct rv_buf *out) RV_MUST_CHECK;
/* How a value of this type is written, for the manual: "a duration". */
const char *rv_value_kind(enum rv_conf_type type);

/* Lists and composites, in list.c. */
rv_value_set_fn rv_value_set_codes, rv_value_set_names, rv_value_set_path_item, rv_value_set_env,
	rv_value_set_rule, rv_value_set_env_names, rv_value_set_backoff, rv_value_set_rate,
	rv_value_set_takes, rv_value_set_arg, rv_value_set_catch_up;
/* Of processes, in value_proc.c. */
rv_value_set_fn rv_value_set_cpus, rv_value_set_ionice, rv_value_set_decimal;
rv_value_print_fn rv_value_print_cpus, rv_value_print_ionice, rv_value_print_decimal;
rv_value_print_fn rv_value_print_codes, rv_value_print_list, rv_value_print_backoff,
	rv_value_print_rate, rv_value_print_catch_up;

#endif
