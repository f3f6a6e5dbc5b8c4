#ifndef RV_CONF_RULE_H
#define RV_CONF_RULE_H

/*
 * A rule of [task] outcome: what the end of a run means, beside its exit code.  One line:
 *   exit 3, 7-9: dead            signal KILL, SEGV: retry
 *   oom: dead
 *   timeout: snooze 10m          stderr /429 Too Many Requests/: snooze 5m
 * Read by conf, to refuse what is none, and by the worker when a run has ended.
 */

#include "base/err.h"
#include "conf/types.h"

#include <signal.h>

#define RV_RULE_PATTERN_MAX 256

enum rv_rule_when {
	RV_RULE_EXIT,
	RV_RULE_SIGNAL,
	RV_RULE_TIMEOUT, /* timeout or idle_timeout */
	RV_RULE_STDERR,
	RV_RULE_OOM, /* the kernel ended it for want of memory */
};
enum rv_rule_then {
	RV_RULE_RETRY,  /* failed: again after the backoff while attempts are left */
	RV_RULE_SNOOZE, /* again after delay_us; no attempt is burned */
	RV_RULE_DEAD,   /* never again */
};

struct rv_rule {
	enum rv_rule_when when;
	struct rv_conf_codes codes;        /* EXIT */
	sigset_t signals;                  /* SIGNAL */
	char pattern[RV_RULE_PATTERN_MAX]; /* STDERR: a POSIX extended regular expression */
	enum rv_rule_then then;
	int64_t delay_us;
};

/* RV_E_PARSE with what is wrong in ${why}. */
int rv_rule_parse(const char *text, struct rv_rule *ret_rule, struct rv_why *why) RV_MUST_CHECK;
/*
 * Whether the rule is about a run that ended so: ${exit_code} RV_EXIT_* and ${signo} 0 when there
 * is none;
 * ${words}: the end of its stderr.
 */
bool rv_rule_fits(const struct rv_rule *rule, int exit_code, int signo, bool timed_out,
		  const char *words);

#endif
