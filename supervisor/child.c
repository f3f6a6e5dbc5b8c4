/*
 * One child from fork to death, as slot_states.def orders.  Runs in the supervisor only.  Must
 * never wait for a child, believe one, or signal by number what it has reaped.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/child.h"

#include "base/check.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/self.h"
#include "supervisor/death.h"
#include "supervisor/admit.h"
#include "supervisor/group.h"
#include "wire/sup.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ABRT_TO_KILL_US (2 * RV_SECOND_US)
#define KILL_AGAIN_US   (5 * RV_SECOND_US)
#define KEEPER_STOP_US  (5 * RV_SECOND_US)
#define CREDIT_MESSAGES 1000

static const char *const kind_names[] = {
#define PROC(sym, program, name, first, last) [RV_PROC_##sym] = name,
#include "supervisor/procs.def"
#undef PROC
};

enum rv_proc_kind rv_child_kind(const struct rv_child *child)
{
	static const int firsts[] = {
#define PROC(sym, program, name, first, last) [RV_PROC_##sym] = first,
#include "supervisor/procs.def"
#undef PROC
	};
	int kind = RV_PROC_KINDS - 1;

	while (kind > 0 && (int)child->slot < firsts[kind])
		kind--;
	POST((kind == RV_PROC_KEEPER) == (child->slot == RV_PLAN_KEEPER));
	return (enum rv_proc_kind)kind;
}

const char *rv_child_title(const struct rv_child *child)
{
	static char title[RV_CHILD_NAME + 16];

	if (rv_child_kind(child) == RV_PROC_KEEPER)
		return kind_names[RV_PROC_KEEPER];
	(void)snprintf(title, sizeof title, "%s %s", kind_names[RV_PROC_WORKER], child->name);
	return title;
}

struct rv_pool *rv_child_pool(struct rv_sup *sup, const struct rv_child *child)
{
	if (child->pool == RV_POOL_NONE)
		return NULL;
	INV(child->pool >= 0 && child->pool < RV_PLAN_SLOTS_MAX);
	return &sup->pools[child->pool];
}

/* The keeper serves all pools: it has the longest of their times. */
int64_t rv_child_boot_us(struct rv_sup *sup, const struct rv_child *child)
{
	int64_t longest_us = 0;

	if (child->pool != RV_POOL_NONE)
		return sup->pools[child->pool].boot_us;
	for (size_t i = 0; i < RV_PLAN_SLOTS_MAX; i++) {
		if (sup->pools[i].is_used && sup->pools[i].boot_us > longest_us)
			longest_us = sup->pools[i].boot_us;
	}
	return longest_us;
}

/* How long a child may stay in a state before TIMEOUT happens to it; 0: for ever. */
static int64_t time_for(struct rv_sup *sup, const struct rv_child *child, enum rv_life life)
{
	bool is_keeper = rv_child_kind(child) == RV_PROC_KEEPER;

	switch (life) {
	case RV_LIFE_STARTING:
		return rv_child_boot_us(sup, child);
	case RV_LIFE_STOPPING:
		return is_keeper             ? KEEPER_STOP_US
		       : child->is_unhurried ? 0
					     : sup->conf->reeve.stop_timeout_us;
	case RV_LIFE_ENDING:
		return is_keeper ? RV_KILL_MARGIN_US : sup->kill_after_us + RV_KILL_MARGIN_US;
	case RV_LIFE_ABORTING:
		return ABRT_TO_KILL_US;
	case RV_LIFE_KILLING:
		return KILL_AGAIN_US;
	case RV_LIFE_DOWN:
	case RV_LIFE_BACKOFF: /* set by who delays it */
	case RV_LIFE_HELD:
	case RV_LIFE_RUNNING:
	case RV_LIVES:
		break;
	}
	return 0;
}

static void on_end(struct rv_loop_proc *watch)
{
	rv_death(watch->ctx, rv_container_of(watch, struct rv_child, watch));
}

static void forget_process(struct rv_child *child)
{
	child->ready_us = 0;
	child->closed_us = 0;
	child->cause = RV_REASON_NONE;
	child->ping = 0;
	child->stuck_us = 0;
	child->jobs_done = 0;
	child->is_spent = false;
	child->is_unhurried = false;
	child->chance = (uint32_t)rv_random_u64();
	child->is_paused = false;
	child->waits = 0;
	child->credit = CREDIT_MESSAGES;
	child->filled_us = rv_mono_us();
}

/* argv as docs/PROTOCOL.md §descriptor 3 has it; everything in it lives until the fork is done. */
static int fork_it(struct rv_sup *sup, struct rv_child *child, int chan, int words,
		   struct rv_why *why)
{
	enum rv_proc_kind kind = rv_child_kind(child);
	bool is_worker = child->pool != RV_POOL_NONE;
#ifdef RV_MUTANT_QUIET_FROM_NOW_ON
	bool is_quiet = false;
#else
	bool is_quiet = is_worker && sup->pools[child->pool].hold == RV_HOLD_QUIET;
#endif
	/* A keeper with predecessors finds a store, or none that it may make. */
	const char *third = is_worker ? "--pool" : sup->has_store ? "--highest" : NULL;
	char slot[16];
	char incarnation[24];
	char highest[24];
	/* execve() takes what it does not change as if it might. */
	union {
		const char *words[14];
		char *argv[14];
	} line = {{rv_path_base(sup->program[kind]), "--slot", slot, "--incarnation", incarnation,
		   third, is_worker ? sup->pools[child->pool].name : highest,
		   is_worker ? "--name" : NULL, child->name, is_quiet ? "--quiet" : NULL, "yes",
		   NULL}};

	if (child->is_nested) {
		size_t at = is_quiet ? 11 : 9;

		line.words[at] = "--children";
		line.words[at + 1] = "yes";
		line.words[at + 2] = NULL;
	}

	PRE((kind == RV_PROC_WORKER) == is_worker);
	(void)snprintf(slot, sizeof slot, "%u", child->slot);
	(void)snprintf(incarnation, sizeof incarnation, "%016llx",
		       (unsigned long long)child->incarnation);
	(void)snprintf(highest, sizeof highest, "%016llx",
		       (unsigned long long)child->incarnation - 1);
	(void)snprintf(sup->child_mark, sizeof sup->child_mark, "REEVE_INSTANCE=%s%s", sup->mark,
		       incarnation);
	struct rv_spawn how = {
		.path = sup->program[kind],
		.argv = line.argv,
		.envp = sup->child_env,
		.fds = {{-1, 0},
			{words, 1},
			{words, 2},
			{chan, RV_SUP_FD},
			{sup->area_fd, RV_AREA_FD},
			{sup->conf_fd, RV_CONF_FD}},
		.nfds = 6,
		.new_session = true,
		.parent_death_signal = SIGTERM,
		.umask = -1,
		/* When memory is short a worker (and its job) goes before the keeper, and both
		   before us. */
		.oom_score_adj = kind == RV_PROC_KEEPER ? 100 : 200,
		.cgroup = is_worker ? rv_group_make(sup, child->incarnation) : NULL,
	};
	if (RV_FAULT(sup_fork) != RV_OK)
		return rv_fail(why, RV_E_BUSY, "fault point sup_fork");
	return rv_seam()->spawn(rv_seam()->ctx, &how, &child->proc, why);
}

static int spawn(struct rv_sup *sup, struct rv_child *child, struct rv_why *why)
{
	RV_AUTO(rv_fd_close) int chan_far = -1;
	RV_AUTO(rv_fd_close) int words_far = -1;
	int chan[2];
	int words[2];
	int err = rv_fd_seqpair(chan);

	if (err != RV_OK)
		return rv_fail(why, RV_E_BUSY, "cannot make a socket pair: %s", rv_err_text(err));
	chan_far = chan[1];
	err = rv_fd_pipe(words, true);
	if (err != RV_OK) {
		rv_fd_close(&chan[0]);
		return rv_fail(why, RV_E_BUSY, "cannot make a pipe: %s", rv_err_text(err));
	}
	words_far = words[1];
	INV(child->chan < 0 && child->words.fd < 0);
	forget_process(child);
	child->incarnation = ++sup->last_incarnation;
	err = fork_it(sup, child, chan_far, words_far, why);
	if (err != RV_OK) {
		rv_fd_close(&chan[0]);
		rv_fd_close(&words[0]);
		return err;
	}
	POST(child->proc.pidfd >= 0 && child->proc.pid > 1);
	child->pid = child->proc.pid;
	child->chan = chan[0];
	rv_words_open(sup, child, words[0]);
	rv_child_listen(sup, child);
	rv_admit_born(sup, child);
	rv_loop_proc_start(sup->loop, &child->watch, &child->proc, on_end, sup);
	return RV_OK;
}

void rv_child_adopt(struct rv_sup *sup, struct rv_child *child)
{
	child->credit = CREDIT_MESSAGES;
	child->filled_us = rv_mono_us();
	if (!rv_life_has_process(child->life))
		return;
	rv_words_adopt(sup, child);
	if (child->closed_us == 0)
		rv_child_listen(sup, child);
	rv_loop_proc_start(sup->loop, &child->watch, &child->proc, on_end, sup);
}

static void start(struct rv_sup *sup, struct rv_child *child)
{
	bool is_keeper = rv_child_kind(child) == RV_PROC_KEEPER;
	struct rv_why why = {0};
	int err;

	PRE(child->proc.pidfd < 0);
	child->generation = sup->generation;
	if (rv_child_pool(sup, child))
		child->generation = rv_child_pool(sup, child)->generation;
	/* The plan was given no more starts than there are places. */
	INV(is_keeper || rv_obits_reserve(&sup->obits) == RV_OK);
	err = spawn(sup, child, &why);
	if (err == RV_OK) {
		rv_log_with(RV_LOG_INFO, RV_EV_child_started,
			    RV_FIELDS(RV_INT("pid", child->pid), RV_INT("slot", child->slot)),
			    "%s started", rv_child_title(child));
		return;
	}
	if (!is_keeper)
		rv_obits_unreserve(&sup->obits);
	rv_log_with(RV_LOG_ERROR, RV_EV_child_unstartable, RV_FIELDS(RV_INT("slot", child->slot)),
		    "%s: %s", rv_child_title(child), rv_why_text(&why, err));
	rv_death_unborn(sup, child, err == RV_E_BUSY ? RV_REASON_NOPROC : RV_REASON_EXEC);
}

static void act(struct rv_sup *sup, struct rv_child *child, enum rv_life_act what)
{
	const struct rv_seam *seam = rv_seam();

	switch (what) {
	case RV_LIFE_ACT_SPAWN:
		start(sup, child);
		break;
	case RV_LIFE_ACT_STOP:
		/* A child that does not even read this is ended when its time is over. */
		(void)rv_child_tell(child, RV_SUP_STOP, 0, 0);
		break;
	case RV_LIFE_ACT_NOW:
		(void)rv_child_tell(child, RV_SUP_STOP, 1, 0);
		break;
	case RV_LIFE_ACT_ABRT:
		(void)seam->signal(seam->ctx, &child->proc, SIGABRT, false);
		break;
	case RV_LIFE_ACT_KILL:
		rv_log_with(RV_LOG_WARN, RV_EV_child_killed,
			    RV_FIELDS(RV_INT("pid", child->pid),
				      RV_STR("reason", rv_reason_name(child->cause))),
			    "%s is killed: %s", rv_child_title(child),
			    child->cause == RV_REASON_STOPPED ? "it did not end in time"
							      : rv_reason_text(child->cause));
		(void)seam->signal(seam->ctx, &child->proc, SIGKILL, false);
		break;
	case RV_LIFE_ACT_NONE:
		break;
	}
}

bool rv_child_event(struct rv_sup *sup, struct rv_child *child, enum rv_life_event event,
		    enum rv_reason cause)
{
	enum rv_life next;
	enum rv_life_act what;

	if (rv_slot_move(child->life, event, &next, &what) != RV_OK)
		return false;
	INV(next != child->life || what != RV_LIFE_ACT_SPAWN);
	INV(rv_life_has_process(child->life) || what <= RV_LIFE_ACT_SPAWN);
	if (next != child->life || what != RV_LIFE_ACT_NONE) {
		int64_t time_us = time_for(sup, child, next);

		child->deadline_us = time_us > 0 ? rv_mono_us() + time_us : 0;
	}
	child->life = next;
	sup->is_dirty = true;
	/* The first cause stays: what follows from it (a KILL after a STOP) is not another. */
	if (child->cause == RV_REASON_NONE)
		child->cause = cause;
	act(sup, child, what);
	return true;
}

void rv_child_hangs(struct rv_sup *sup, struct rv_child *child, const char *what)
{
	struct rv_procstat stat;
	enum rv_life_event event = RV_LIFE_EV_HANG;

	PRE(rv_life_has_process(child->life));
	/* A stopped process cannot take ABRT; an un-reaped child's pid is its own. */
	if (rv_procstat(child->pid, &stat) == RV_OK && (stat.state == 'T' || stat.state == 't'))
		event = RV_LIFE_EV_KILL;
	rv_log_with(RV_LOG_ERROR, RV_EV_child_killed,
		    RV_FIELDS(RV_INT("pid", child->pid), RV_STR("reason", "hung")), "%s %s%s",
		    rv_child_title(child), what,
		    event == RV_LIFE_EV_KILL ? " and is stopped; it is killed" : "");
	(void)rv_child_event(sup, child, event, RV_REASON_HUNG);
}
