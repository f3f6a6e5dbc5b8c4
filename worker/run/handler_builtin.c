/*
 * The built-in tasks (builtin.def).  Worker processes.  They are over at once, or wait on a timer
 * of the loop; none starts a process.
 */
#include "run/handler.h"

#include "base/check.h"
#include "base/fmt.h"
#include "conf/types.h"
#include "loop/loop.h"
#include "run/worker.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define SPEC_MAX (1U << 20)

static struct rv_loop_timer nap; /* one job at a time, so one of them */

static void finish(struct rv_worker *worker, enum rv_outcome outcome, const char *text)
{
	struct rv_result *result = &worker->turn.result;

	result->kind = RV_RESULT_OUTCOME;
	result->outcome = outcome;
	(void)snprintf(result->text, sizeof(result->text), "%s", text);
	rv_turn_ended(&worker->turn);
}

/* The text of args.${name} in the turn's arena; ${*ret} stays as it is when there is none. */
static int argument(struct rv_worker *worker, struct rv_turn *turn, const char *name,
		    const char **ret, struct rv_why *why)
{
	RV_AUTO(rv_json_free) json_t *spec = NULL;
	const char *text = NULL;
	json_t *args = NULL;
	int err = turn->spec ? RV_OK : rv_turn_load(worker, turn, why);

	if (err != RV_OK || turn->spec[0] == '\0')
		return err;
	err = rv_json_parse(turn->spec, strlen(turn->spec), SPEC_MAX, &spec, why);
	if (err == RV_OK)
		err = rv_json_get_object(spec, "args", &args, why);
	if (err == RV_OK)
		err = rv_json_get_text(args, name, &text, why);
	if (err == RV_E_NOTFOUND)
		return RV_OK;
	if (err != RV_OK)
		return err;
	*ret = rv_arena_strdup(&turn->arena, text);
	return *ret ? RV_OK : RV_E_NOMEM;
}

static int start_none(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why)
{
	(void)worker;
	return rv_fail(why, RV_E_CONF, "the task %s says builtin, but not which", turn->task->name);
}

static int start_noop(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why)
{
	(void)turn;
	(void)why;
	finish(worker, RV_OUTCOME_SUCCEEDED, "");
	return RV_OK;
}

static void on_slept(struct rv_loop_timer *timer)
{
	finish(timer->ctx, RV_OUTCOME_SUCCEEDED, "");
}

static int start_sleep(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why)
{
	const char *text = "1s";
	int64_t duration_us;
	int err = argument(worker, turn, "duration", &text, why);

	if (err != RV_OK)
		return err;
	if (rv_parse_duration(text, &duration_us) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "duration = %s is no duration", text);
	rv_loop_timer_start(worker->loop, &nap, duration_us, on_slept, worker);
	return RV_OK;
}

static int start_fail(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why)
{
	static const struct {
		const char *name;
		enum rv_outcome outcome;
	} outcomes[] = {
		{"failed", RV_OUTCOME_FAILED},
		{"fatal", RV_OUTCOME_FATAL},
		{"later", RV_OUTCOME_LATER},
	};
	const char *text = "failed, as it was asked to";
	const char *outcome = "failed";
	int err = argument(worker, turn, "error", &text, why);

	if (err == RV_OK)
		err = argument(worker, turn, "outcome", &outcome, why);
	if (err != RV_OK)
		return err;
	for (size_t i = 0; i < RV_ARRAY_LEN(outcomes); i++) {
		if (strcmp(outcome, outcomes[i].name) == 0) {
			finish(worker, outcomes[i].outcome, text);
			return RV_OK;
		}
	}
	return rv_fail(why, RV_E_PARSE, "outcome = %s is none of failed, fatal, later", outcome);
}

static int start(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why)
{
	static int (*const tasks[])(struct rv_worker * worker, struct rv_turn * turn,
				    struct rv_why * why) = {
#define BUILTIN(name, doc) start_##name,
#include "run/builtin.def"
#undef BUILTIN
	};

	PRE((size_t)turn->task->builtin < RV_ARRAY_LEN(tasks));
	return tasks[turn->task->builtin](worker, turn, why);
}

static void ready(struct rv_turn *turn)
{
	(void)turn;
}

static void stop(struct rv_worker *worker, struct rv_turn *turn, enum rv_stop_how how)
{
	(void)turn;
	(void)how;
	/* Only sleep can be met while it runs. */
	finish(worker, RV_OUTCOME_FAILED, "");
}

static void end(struct rv_turn *turn)
{
	(void)turn;
	rv_loop_timer_stop(&nap);
}

const struct rv_handler rv_handler_builtin = {
	.name = "builtin",
	.quick = true,
	.start = start,
	.ready = ready,
	.stop = stop,
	.end = end,
};
