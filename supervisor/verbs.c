/*
 * The verbs of the control socket.  Runs in the supervisor only, for peers that may come in.
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "base/attr.h"
#include "base/check.h"
#include "base/err.h"
#include "base/near.h"
#include "base/seam.h"
#include "supervisor/child.h"
#include "supervisor/control.h"
#include "supervisor/judge.h"
#include "supervisor/nest.h"
#include "supervisor/pools.h"
#include "supervisor/reload.h"
#include "supervisor/signals.h"
#include "supervisor/step.h"
#include "supervisor/upgrade.h"
#include "wire/sup.h"

#include <string.h>
#include <unistd.h>

static int verb_ping(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	(void)sup;
	(void)ask;
	(void)why;
	return rv_json_set_int(answer, "pid", getpid());
}

static int verb_status(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	(void)ask;
	(void)why;
	return rv_status_fill(sup, answer);
}

/* A flag that may be absent. */
static int get_flag(const json_t *request, const char *name, bool *ret, struct rv_why *why)
{
	int err = rv_json_get_bool(request, name, ret, why);

	return err == RV_E_NOTFOUND ? RV_OK : err;
}

static int verb_reload(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	bool dry = false;
	int err = get_flag(ask->request, "dry_run", &dry, why);

	return err == RV_OK ? rv_reload(sup, dry, answer, why) : err;
}

static int verb_reopen(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	(void)ask;
	(void)answer;
	return rv_signals_reopen(sup, why);
}

static int verb_shutdown(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	bool now = false;
	int err = get_flag(ask->request, "now", &now, why);

	(void)answer;
	if (err == RV_OK)
		rv_step_end(sup, now, 0);
	return err;
}

static int verb_waits(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	int64_t slot = 0;
	int64_t incarnation = 0;
	int64_t job = 0;
	bool on = false;
	int err = rv_json_get_int(ask->request, "slot", &slot, why);

	(void)answer;
	if (err == RV_OK)
		err = rv_json_get_int(ask->request, "incarnation", &incarnation, why);
	if (err == RV_OK)
		err = rv_json_get_int(ask->request, "job", &job, why);
	if (err == RV_OK)
		err = rv_json_get_bool(ask->request, "on", &on, why);
	if (err == RV_E_NOTFOUND)
		return rv_fail(why, RV_E_USAGE, "waits needs slot, incarnation, job and on");
	return err == RV_OK ? rv_nest_waits(sup, slot, (uint64_t)incarnation, job, on, why) : err;
}

static int verb_kick(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	int64_t slot = 0;
	int64_t incarnation = 0;
	int64_t job = 0;
	int64_t fence = 0;
	struct rv_child *child;
	int err = rv_json_get_int(ask->request, "slot", &slot, why);

	(void)answer;
	if (err == RV_OK)
		err = rv_json_get_int(ask->request, "job", &job, why);
	if (err == RV_OK)
		err = rv_json_get_int(ask->request, "fence", &fence, why);
	if (err == RV_OK) {
		err = rv_json_get_int(ask->request, "incarnation", &incarnation, why);
		if (err == RV_E_NOTFOUND)
			err = RV_OK;
	} else if (err == RV_E_NOTFOUND) {
		return rv_fail(why, RV_E_USAGE, "kick needs slot, job and fence");
	}
	if (err != RV_OK)
		return err;
	if (slot < 1 || (size_t)slot >= sup->nslots)
		return rv_fail(why, RV_E_NOTFOUND, "there is no worker in slot %lld",
			       (long long)slot);
	child = &sup->children[slot];
	if (!rv_life_has_process(child->life) ||
	    (incarnation != 0 && child->incarnation != (uint64_t)incarnation))
		return rv_fail(why, RV_E_NOTFOUND, "that worker has ended");
	if (!rv_child_tell(child, RV_SUP_CANCEL, (uint64_t)job, (uint64_t)fence))
		return rv_fail(why, RV_E_BUSY, "%s does not read", rv_child_title(child));
	return RV_OK;
}

/* The pool that is named, or RV_POOL_NONE for all where ${optional}. */
static int get_pool(struct rv_sup *sup, const json_t *request, bool optional, int *ret_pool,
		    struct rv_why *why)
{
	const char *name = NULL;
	int err = rv_json_get_text(request, "pool", &name, why);

	*ret_pool = RV_POOL_NONE;
	if (err == RV_E_NOTFOUND)
		return optional ? RV_OK : rv_fail(why, RV_E_USAGE, "which pool?");
	if (err != RV_OK)
		return err;
	*ret_pool = rv_pools_find(sup, name);
	POST(*ret_pool == RV_POOL_NONE || sup->pools[*ret_pool].is_used);
	if (*ret_pool == RV_POOL_NONE || sup->pools[*ret_pool].is_gone)
		return rv_pools_unknown(sup, name, why);
	return RV_OK;
}

static int verb_scale(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	int64_t workers = 0;
	int64_t by = 0;
	int pool;
	int from;
	int err = get_pool(sup, ask->request, false, &pool, why);

	if (err != RV_OK)
		return err;
	from = sup->pools[pool].wanted;
	err = rv_json_get_int(ask->request, "workers", &workers, why);
	if (err == RV_E_NOTFOUND) {
		err = rv_json_get_int(ask->request, "by", &by, why);
		if (err == RV_E_NOTFOUND)
			return rv_fail(why, RV_E_USAGE, "scale needs workers or by");
		if (by < -RV_PLAN_SLOTS_MAX || by > RV_PLAN_SLOTS_MAX)
			return rv_fail(why, RV_E_USAGE, "%lld is no number of workers",
				       (long long)by);
		workers = from + by;
	}
	if (err != RV_OK)
		return err;
	if (workers < 0 || workers > RV_PLAN_SLOTS_MAX)
		return rv_fail(why, RV_E_USAGE, "%lld is no number of workers", (long long)workers);
	err = rv_pools_scale(sup, pool, (int)workers, why);
	if (err == RV_OK && (rv_json_set_int(answer, "from", from) != RV_OK ||
			     rv_json_set_int(answer, "to", workers) != RV_OK ||
			     rv_json_set_int(answer, "min", sup->pools[pool].min) != RV_OK ||
			     rv_json_set_int(answer, "max", sup->pools[pool].max) != RV_OK))
		err = RV_E_NOMEM;
	return err;
}

static int verb_restart(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	int pool;
	int err = get_pool(sup, ask->request, true, &pool, why);

	if (err == RV_OK)
		err = rv_pools_restart(sup, pool, why);
	if (err == RV_OK && rv_json_set_int(answer, "generation", sup->last_generation) != RV_OK)
		err = RV_E_NOMEM;
	return err;
}

static int verb_upgrade(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	bool check = false;
	int err = get_flag(ask->request, "check", &check, why);

	if (err == RV_OK)
		err = rv_upgrade_begin(sup, check, why);
	if (err == RV_OK && rv_json_set_int(answer, "try", sup->upgrade.attempt) != RV_OK)
		err = RV_E_NOMEM;
	return err;
}

static int hold(struct rv_sup *sup, struct rv_ask *ask, enum rv_hold hold, struct rv_why *why)
{
	int pool;
	int err = get_pool(sup, ask->request, true, &pool, why);

	return err == RV_OK ? rv_pools_hold(sup, pool, hold, why) : err;
}

static int verb_quiet(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	(void)answer;
	return hold(sup, ask, RV_HOLD_QUIET, why);
}

static int verb_drain(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	(void)answer;
	return hold(sup, ask, RV_HOLD_DRAINED, why);
}

static int verb_resume(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	(void)answer;
	return hold(sup, ask, RV_HOLD_NONE, why);
}

/* We read no job: the keeper gets the connection and answers; we forget it. */
static int verb_submit(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why)
{
	struct rv_child *keeper = &sup->children[RV_PLAN_KEEPER];

	(void)answer;
	if (ask->has_more)
		return rv_fail(why, RV_E_USAGE, "submit: jobs come after its answer");
	if (sup->mode != RV_MODE_RUN)
		return rv_fail(why, RV_E_NOTRUN, "reeved is ending");
	if (!rv_judge_keeper_ticks(sup, rv_mono_us()))
		return rv_fail(why, RV_E_NOTRUN, "reeved has no keeper at the moment");
	if (!rv_child_pass(keeper, RV_SUP_SUBMIT, ask->fd))
		return rv_fail(why, RV_E_BUSY, "reeved's keeper is behind with its work");
	ask->is_passed = true;
	return RV_OK;
}

static const struct {
	const char *name;
	const char *fields;
	int (*run)(struct rv_sup *sup, struct rv_ask *ask, json_t *answer, struct rv_why *why);
} verbs[] = {
#define VERB(name, fields, doc) {#name, fields, verb_##name},
#include "supervisor/verbs.def"
#undef VERB
};

#define FIELDS_MAX 8

static int check_fields(const char *verb, const char *fields, const json_t *request,
			struct rv_why *why)
{
	const char *names[FIELDS_MAX] = {"v", "verb"};
	char text[128];
	char *save = NULL;
	size_t n = 2;
	int err;

	(void)strncpy(text, fields, sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (char *word = strtok_r(text, " ", &save); word && n < FIELDS_MAX;
	     word = strtok_r(NULL, " ", &save))
		names[n++] = word;
	INV(n <= FIELDS_MAX);
	err = rv_json_only(request, names, n, why);
	return err == RV_OK ? err : rv_wrap(why, RV_E_USAGE, "%s", verb);
}

int rv_verb_run(struct rv_sup *sup, const char *verb, struct rv_ask *ask, json_t *answer,
		struct rv_why *why)
{
	const char *names[RV_ARRAY_LEN(verbs)];
	const char *near;

	for (size_t i = 0; i < RV_ARRAY_LEN(verbs); i++) {
		int err;

		names[i] = verbs[i].name;
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		err = check_fields(verb, verbs[i].fields, ask->request, why);
		return err == RV_OK ? verbs[i].run(sup, ask, answer, why) : err;
	}
	near = rv_near(verb, names, RV_ARRAY_LEN(names));
	return rv_fail(why, RV_E_USAGE, "unknown verb %.40s%s%s%s", verb,
		       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}
