/*
 * What each signal does.  Runs in the supervisor only, in the loop, never in a handler.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/signals.h"

#include "base/check.h"
#include "base/err.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "supervisor/child.h"
#include "supervisor/death.h"
#include "supervisor/pools.h"
#include "supervisor/reload.h"
#include "supervisor/step.h"
#include "supervisor/upgrade.h"
#include "wire/sup.h"

#include <signal.h>
#include <stdio.h>

static void drain(struct rv_sup *sup)
{
	/* The first one drains, the next one does not wait any more. */
	rv_step_end(sup, sup->mode == RV_MODE_DRAIN || sup->mode == RV_MODE_NOW, 0);
}

static void now(struct rv_sup *sup)
{
	rv_step_end(sup, true, 0);
}

static void reload(struct rv_sup *sup)
{
	struct rv_why why = {0};

	/* What is wrong was logged line by line, and status says it; the log is reopened anyhow. */
	if (rv_reload(sup, false, NULL, &why) != RV_OK)
		why = (struct rv_why){0};
	if (rv_signals_reopen(sup, &why) != RV_OK)
		rv_log(RV_LOG_ERROR, RV_EV_log_reopened, "%s", why.text);
}

static void reopen(struct rv_sup *sup)
{
	struct rv_why why = {0};

	if (rv_signals_reopen(sup, &why) != RV_OK)
		rv_log(RV_LOG_ERROR, RV_EV_log_reopened, "%s", why.text);
}

static void upgrade(struct rv_sup *sup)
{
	struct rv_why why = {0};

	if (rv_upgrade_begin(sup, false, &why) != RV_OK)
		rv_log(RV_LOG_WARN, RV_EV_daemon_signal, "%s", why.text);
}

static void hold_all(struct rv_sup *sup, enum rv_hold hold)
{
	struct rv_why why = {0};

	if (rv_pools_hold(sup, RV_POOL_NONE, hold, &why) != RV_OK)
		rv_log(RV_LOG_WARN, RV_EV_daemon_signal, "%s", why.text);
}

static void drain_pools(struct rv_sup *sup)
{
	hold_all(sup, RV_HOLD_DRAINED);
}

static void quiet(struct rv_sup *sup)
{
	hold_all(sup, RV_HOLD_QUIET);
}

static void resume(struct rv_sup *sup)
{
	hold_all(sup, RV_HOLD_NONE);
}

/* A signal cannot say which pool. */
static void scale_by(struct rv_sup *sup, int by)
{
	int pool = rv_pools_find(sup, "default");
	struct rv_why why = {0};
	int workers;

	PRE(sup->conf->npools > 0);
	if (pool == RV_POOL_NONE)
		pool = rv_pools_find(sup, sup->conf->pools[0].name);
	INV(pool != RV_POOL_NONE);
	workers = sup->pools[pool].wanted + by;
	if (workers < 1) {
		rv_log(RV_LOG_WARN, RV_EV_daemon_signal,
		       "pool %s keeps its last worker; to have none: reeve pool scale %s 0",
		       sup->pools[pool].name, sup->pools[pool].name);
		return;
	}
	if (rv_pools_scale(sup, pool, workers, &why) != RV_OK)
		rv_log(RV_LOG_WARN, RV_EV_daemon_signal, "%s", why.text);
}

static void more(struct rv_sup *sup)
{
	scale_by(sup, 1);
}

static void fewer(struct rv_sup *sup)
{
	scale_by(sup, -1);
}

static void look(struct rv_sup *sup)
{
	/* Every child's own end comes with one as well: the sweep is then due anyhow. */
	rv_death_look(sup);
}

static const struct {
	int signo;
	void (*fn)(struct rv_sup *sup);
	const char *name;
	const char *meaning;
	const char *verb;
} table[] = {
#define SIGNAL(sym, what, meaning, verb) {SIG##sym, what, #sym, meaning, verb},
#include "supervisor/signals.def"
#undef SIGNAL
};

/*
 * What a terminal does to those that run in it: a new size of the window says nothing, and ^Z stops
 * us as it stops any other program.  Our children have sessions of their own.
 */
static bool is_terminals(struct rv_sup *sup, const struct rv_sig *sig)
{
	if (sig->signo == SIGCONT && sup->is_suspended) {
		sup->is_suspended = false;
		return true;
	}
	if (!sig->from_kernel)
		return false;
	if (sig->signo == SIGTSTP) {
		sup->is_suspended = true;
		(void)raise(SIGSTOP);
	}
	return sig->signo == SIGTSTP || sig->signo == SIGWINCH || sig->signo == SIGTTIN ||
	       sig->signo == SIGTTOU;
}

int rv_signals_reopen(struct rv_sup *sup, struct rv_why *why)
{
	int err;

	rv_step_unwatch_log(sup);
	err = rv_log_reopen(why);

	for (size_t i = 0; i < sup->nslots; i++) {
		if (rv_life_has_process(sup->children[i].life))
			(void)rv_child_tell(&sup->children[i], RV_SUP_REOPEN, 0, 0);
	}
	if (err == RV_OK)
		rv_log(RV_LOG_INFO, RV_EV_log_reopened, "the log was reopened");
	return err;
}

static void on_signal(struct rv_loop_signals *signals, const struct rv_sig *sig)
{
	struct rv_sup *sup = signals->ctx;

	if (is_terminals(sup, sig))
		return;
	for (size_t i = 0; i < RV_ARRAY_LEN(table); i++) {
		if (table[i].signo != sig->signo)
			continue;
		if (sig->signo != SIGCHLD)
			rv_log_with(RV_LOG_INFO, RV_EV_daemon_signal,
				    RV_FIELDS(RV_INT("from_pid", sig->pid),
					      RV_INT("from_uid", sig->uid)),
				    "signal %s: %s", table[i].name, table[i].meaning);
		table[i].fn(sup);
	}
}

void rv_signals_hold(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < RV_ARRAY_LEN(table); i++) {
		if (table[i].fn != drain && table[i].fn != now)
			(void)sigaddset(&set, table[i].signo);
	}
#ifdef RV_MUTANT_SIGNALS_NOT_HELD
	(void)sigemptyset(&set);
#endif
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		IMPOSSIBLE("a mask that cannot be set");
}

int rv_signals_open(struct rv_sup *sup, struct rv_why *why)
{
	int list[RV_ARRAY_LEN(table)];

	for (size_t i = 0; i < RV_ARRAY_LEN(table); i++)
		list[i] = table[i].signo;
	if (rv_loop_signals_start(sup->loop, &sup->signals, list, RV_ARRAY_LEN(list), on_signal,
				  sup) != RV_OK)
		return rv_fail(why, RV_E_BUSY, "cannot make a descriptor for signals");
	return RV_OK;
}

void rv_signals_help(void)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(table); i++) {
		if (table[i].verb[0] != '\0')
			printf("  %-5s %s (%s)\n", table[i].name, table[i].meaning, table[i].verb);
	}
}
