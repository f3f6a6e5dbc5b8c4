/*
 * What the rules of a task say of a run that has ended ([task] outcome).  Worker processes.  The
 * first rule that fits decides; without one the exit code does.
 */
#include "run/ruling.h"

#include "conf/conf.h"
#include "conf/rule.h"
#include "run/turn.h"

#include <stdio.h>

static bool is_about_us(const struct rv_turn *turn)
{
	return turn->reason != RV_STOP_CANCEL && turn->reason != RV_STOP_DRAIN &&
	       turn->reason != RV_STOP_FENCED && turn->reason != RV_STOP_BEHIND &&
	       (turn->result.kind == RV_RESULT_EXIT || turn->result.exit_code == RV_EXIT_OOM);
}

bool rv_ruling(const struct rv_turn *turn, struct rv_ruling *ret_ruling)
{
	const struct rv_conf_list *rules = &turn->task->outcome;
	const struct rv_result *result = &turn->result;
	/* What dies of the signal of its soft timeout has had its time as well. */
	bool timed_out = turn->reason == RV_STOP_TIMEOUT || turn->reason == RV_STOP_IDLE ||
			 (turn->warned && result->signo == turn->task->soft_signal);
	struct rv_rule rule;

	for (size_t i = 0; i < rules->count && is_about_us(turn); i++) {
		if (rv_rule_parse(rules->items[i], &rule, NULL) != RV_OK ||
		    /* An answer decides itself, and a handler's exit code is not its job's. */
		    (result->kind != RV_RESULT_EXIT && rule.when != RV_RULE_OOM) ||
		    !rv_rule_fits(&rule, result->exit_code, result->signo, timed_out,
				  result->words))
			continue;
		*ret_ruling = (struct rv_ruling){.delay_us = -1};
		switch (rule.then) {
		case RV_RULE_RETRY:
			ret_ruling->outcome = RV_OUTCOME_FAILED;
			break;
		case RV_RULE_SNOOZE:
			ret_ruling->outcome = RV_OUTCOME_LATER;
			ret_ruling->delay_us = rule.delay_us;
			break;
		case RV_RULE_DEAD:
			ret_ruling->outcome = RV_OUTCOME_FATAL;
			break;
		}
		(void)snprintf(ret_ruling->rule, sizeof(ret_ruling->rule), "%s", rules->items[i]);
		return true;
	}
	return false;
}
