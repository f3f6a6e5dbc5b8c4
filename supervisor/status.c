/*
 * How things are, in words.  Runs in the supervisor only; looks at its own table, at hints of the
 * area and at /proc of its own children, and changes nothing but what was announced.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/status.h"

#include "base/check.h"
#include "base/err.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/file.h"
#include "os/notify.h"
#include "os/self.h"
#include "supervisor/control.h"
#include "supervisor/pools.h"
#include "supervisor/roll.h"
#include "supervisor/upgrade.h"
#include "wire/area.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MISSING_US     (2 * RV_SECOND_US)  /* a keeper takes some 50 ms from its start to READY */
#define AREA_STABLE_US (60 * RV_SECOND_US) /* as in step.c: then its failures are history */

struct tally {
	int processes; /* all, those that leave included */
	int alive;     /* RUNNING */
	int present;   /* with a place in the table */
	int held;
	int degraded;
	int unsettled; /* neither RUNNING nor failed at least once */
	unsigned restarts;
	enum rv_reason reason;
};

static struct tally tally(const struct rv_sup *sup, int pool)
{
	struct tally sum = {0};

	PRE(pool >= 0 && pool < RV_PLAN_SLOTS_MAX && sup->pools[pool].is_used);
	for (size_t i = 1; i < sup->nslots; i++) {
		const struct rv_child *child = &sup->children[i];

		if (child->pool != pool)
			continue;
		sum.processes += rv_life_has_process(child->life);
		if (child->is_leaving || child->is_nested)
			continue; /* these are none of those that were asked for */
		sum.present++;
		sum.alive += child->life == RV_LIFE_RUNNING;
		sum.held += child->life == RV_LIFE_HELD;
		sum.degraded += child->restart.is_degraded;
		sum.restarts += child->restart.total;
		if (child->life != RV_LIFE_RUNNING && child->last_reason == RV_REASON_NONE)
			sum.unsettled++;
		if (child->life == RV_LIFE_HELD || child->restart.is_degraded)
			sum.reason = child->last_reason;
	}
	POST(sum.alive + sum.held <= sum.present && sum.unsettled <= sum.present);
	return sum;
}

const char *rv_status_pool(const struct rv_sup *sup, int pool, enum rv_reason *ret_reason)
{
	struct tally sum = tally(sup, pool);

	*ret_reason = sum.reason;
	if (sup->mode == RV_MODE_DRAIN || sup->mode == RV_MODE_NOW || sup->pools[pool].is_gone)
		return "stopping";
	if (sup->pools[pool].hold == RV_HOLD_DRAINED && sum.processes > 0)
		return "draining";
	if (sup->pools[pool].hold != RV_HOLD_NONE)
		return rv_pools_hold_name(sup->pools[pool].hold);
	if (rv_pools_first(sup, &sup->pools[pool]))
		return "waiting";
	if (sum.held > 0)
		return "failed";
	if (sum.degraded > 0)
		return "degraded";
	if (sup->pools[pool].roll.state == RV_ROLL_ON)
		return "rolling";
	return sum.alive < rv_pools_target(&sup->pools[pool]) ? "starting" : "ok";
}

static void say(rv_status_fn *fn, void *ctx, int *count, const char *text)
{
	if (fn)
		fn(ctx, text);
	(*count)++;
}

/* Not only for the moment that its replacement takes.  One that hangs was given its time. */
static bool is_keeper_missing(const struct rv_sup *sup)
{
	const struct rv_child *keeper = &sup->children[RV_PLAN_KEEPER];
	const struct rv_pulse *pulse = &sup->pulse;

#ifdef RV_MUTANT_KEEPER_UNMISSED
	return false;
#endif
	if (sup->mode != RV_MODE_RUN || keeper->life == RV_LIFE_RUNNING)
		return false;
	return keeper->life == RV_LIFE_HELD || keeper->life == RV_LIFE_ABORTING ||
	       pulse->failed > 0 ||
	       (pulse->down_us != 0 && rv_mono_us() - pulse->down_us >= MISSING_US);
}

static void say_keeper(const struct rv_sup *sup, rv_status_fn *fn, void *ctx, int *count)
{
	const struct rv_child *keeper = &sup->children[RV_PLAN_KEEPER];
	bool is_missing = is_keeper_missing(sup);
	char text[400];

	if (is_missing || keeper->life == RV_LIFE_HELD || keeper->restart.is_degraded) {
		bool has_failed = keeper->last_reason != RV_REASON_NONE;

		(void)snprintf(
			text, sizeof text, "%s%s%s%s%.*s",
			is_missing ? "no keeper runs (jobs that are due or cancelled wait for it)"
				   : "keeper",
			has_failed ? ": " : "",
			has_failed ? rv_reason_text(keeper->last_reason) : "",
			keeper->words.nlast > 0 ? "; its last words: " : "",
			(int)keeper->words.nlast, (const char *)keeper->words.last);
		say(fn, ctx, count, text);
	}
	if (sup->mode == RV_MODE_RESET ||
	    (sup->area_restart.in_a_row > 1 && rv_mono_us() - sup->area_us < AREA_STABLE_US))
		say(fn, ctx, count,
		    "the store failed; every child was started anew, or soon will be");
	if (sup->pulse.writer != 0) {
		(void)snprintf(text, sizeof text, "writer blocked by pid %llu",
			       (unsigned long long)sup->pulse.writer);
		say(fn, ctx, count, text);
	}
}

/* By the lock file: ours, as opened, against what stands at its path.  Nothing is opened. */
static bool has_lost_store(const struct rv_sup *sup)
{
	char path[RV_PATH_MAX];
	struct stat ours;
	struct stat there;
	int n = snprintf(path, sizeof path, "%s.lock", sup->conf->store.path);

	PRE(sup->lock_fd >= 0);
	if (n < 0 || (size_t)n >= sizeof path || fstat(sup->lock_fd, &ours) != 0)
		return false;
	if (stat(path, &there) != 0)
		return errno == ENOENT || errno == ENOTDIR;
	return there.st_dev != ours.st_dev || there.st_ino != ours.st_ino;
}

static void say_store(const struct rv_sup *sup, rv_status_fn *fn, void *ctx, int *count)
{
	char text[RV_PATH_MAX + 160];

	if (!has_lost_store(sup))
		return;
	(void)snprintf(text, sizeof text,
		       "its store %s was removed or replaced: what was in it is gone; shut reeved "
		       "down, then start it again",
		       sup->conf->store.path);
	say(fn, ctx, count, text);
}

static void say_rolls(const struct rv_sup *sup, rv_status_fn *fn, void *ctx, int *count)
{
	char text[240];

	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		const struct rv_pool *pool = &sup->pools[p];

		if (!pool->is_used || pool->roll.state != RV_ROLL_GIVEN_UP)
			continue;
		(void)snprintf(text, sizeof text,
			       "pool %s: new workers do not come up, %d old ones are kept; when it "
			       "is mended, reeve reload or reeve pool restart %s",
			       pool->name, rv_roll_left(sup, p), pool->name);
		say(fn, ctx, count, text);
	}
}

int rv_status_degraded(const struct rv_sup *sup, rv_status_fn *fn, void *ctx)
{
	int count = 0;
	char text[160];

	say_store(sup, fn, ctx, &count);
	say_keeper(sup, fn, ctx, &count);
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		enum rv_reason reason;
		const char *state;

		if (!sup->pools[p].is_used)
			continue;
		state = rv_status_pool(sup, p, &reason);
		if (reason == RV_REASON_NONE)
			continue;
		(void)snprintf(text, sizeof text, "pool %s is %s: %s", sup->pools[p].name, state,
			       rv_reason_text(reason));
		say(fn, ctx, &count, text);
	}
	say_rolls(sup, fn, ctx, &count);
	size_t unclean = rv_obits_count(&sup->obits, RV_OBIT_UNCLEAN);

	if (unclean > 0) {
		(void)snprintf(text, sizeof text,
			       "processes of %zu dead workers were killed and do not end", unclean);
		say(fn, ctx, &count, text);
	}
	if (sup->reload_failed)
		say(fn, ctx, &count, "the last reload was refused; see the log");
	return count;
}

const char *rv_status_daemon(const struct rv_sup *sup)
{
	const struct rv_child *keeper = &sup->children[RV_PLAN_KEEPER];

	if (sup->mode == RV_MODE_NOW)
		return "stopping";
	if (sup->mode == RV_MODE_DRAIN)
		return "draining";
	if (has_lost_store(sup) || is_keeper_missing(sup))
		return "degraded";
	if (sup->is_ready && keeper->generation != sup->generation)
		return "reloading"; /* the store does not know the new tasks and queues yet */
	if (rv_status_degraded(sup, NULL, NULL) > 0)
		return "degraded";
	if (sup->is_ready && keeper->life != RV_LIFE_RUNNING) /* nor is one that hangs any use */
		return "reloading";
	return sup->is_ready ? "ready" : "starting";
}

/* Up, or at least tried: a pool that cannot come up does not keep the others from being announced.
 */
static bool is_settled(const struct rv_sup *sup)
{
	if (sup->mode != RV_MODE_RUN || !sup->may_work)
		return false;
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		struct tally sum;

		/* One that waits does so for another, which is looked at here. */
		if (!sup->pools[p].is_used || rv_pools_first(sup, &sup->pools[p]))
			continue;
		sum = tally(sup, p);
		if (sum.present < rv_pools_target(&sup->pools[p]) || sum.unsettled > 0)
			return false;
	}
	return true;
}

static void count_workers(const struct rv_sup *sup, int *ret_alive, int *ret_wanted)
{
	*ret_alive = 0;
	*ret_wanted = 0;
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (!sup->pools[p].is_used)
			continue;
		*ret_alive += tally(sup, p).alive;
		*ret_wanted += rv_pools_target(&sup->pools[p]);
	}
}

/* ", pool bulk is quiet", the first of them. */
static void put_hold(const struct rv_sup *sup, char *text, size_t space)
{
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		const struct rv_pool *pool = &sup->pools[p];

		if (!pool->is_used || pool->hold == RV_HOLD_NONE)
			continue;
		(void)snprintf(text, space, ", pool %.40s is %s", pool->name,
			       rv_pools_hold_name(pool->hold));
		return;
	}
}

static void first_reason(void *ctx, const char *text)
{
	char *line = ctx;

	if (line[0] == '\0')
		(void)snprintf(line, 120, "; degraded: %s", text);
}

static void make_line(const struct rv_sup *sup, char *line, size_t space)
{
	char degraded[120] = "";
	char queue[80] = "";
	char hold[80] = "";
	int alive;
	int wanted;

	count_workers(sup, &alive, &wanted);
	(void)rv_status_degraded(sup, first_reason, degraded);
	if (sup->pulse.depth > 0) {
		char age[RV_FMT_SPACE];

		(void)snprintf(queue, sizeof queue, ", %llu ready, oldest %s",
			       (unsigned long long)sup->pulse.depth,
			       rv_fmt_about(age, (int64_t)sup->pulse.oldest_us));
	}
	put_hold(sup, hold, sizeof hold);
	(void)snprintf(line, space, "%s: %d/%d workers%s%s%.80s", rv_status_daemon(sup), alive,
		       wanted, queue, hold, degraded);
}

static void log_pools(struct rv_sup *sup)
{
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		struct rv_pool *pool = &sup->pools[p];
		enum rv_reason reason = RV_REASON_NONE;

		if (pool->is_used)
			(void)rv_status_pool(sup, p, &reason);
		if ((reason != RV_REASON_NONE) == pool->was_degraded)
			continue;
		pool->was_degraded = !pool->was_degraded;
		if (pool->was_degraded)
			rv_log(RV_LOG_ERROR, RV_EV_pool_degraded, "pool %s is degraded: %s",
			       pool->name, rv_reason_text(reason));
		else if (pool->is_used)
			rv_log(RV_LOG_INFO, RV_EV_pool_recovered, "pool %s is stable again",
			       pool->name);
	}
}

static void announce(struct rv_sup *sup, int64_t now_us)
{
	sup->is_ready = true;
	rv_log(RV_LOG_INFO, RV_EV_daemon_ready, "ready");
	/* With its first WATCHDOG at once: one that comes an interval later has killed daemons. */
	(void)rv_notifyf("READY=1\nMAINPID=%d\nWATCHDOG=1", (int)getpid());
	sup->watchdog_due_us = now_us + sup->watchdog_us;
}

int64_t rv_status_notify(struct rv_sup *sup, int64_t now_us)
{
	int64_t next_us = now_us + 60 * RV_SECOND_US;
	char line[sizeof sup->status];

	log_pools(sup);
	if (!sup->is_ready && is_settled(sup))
		announce(sup, now_us);
	if (sup->watchdog_us > 0 && now_us >= sup->watchdog_due_us) {
		(void)rv_notify("WATCHDOG=1");
		sup->watchdog_due_us = now_us + sup->watchdog_us;
	}
	if (sup->watchdog_us > 0)
		next_us = sup->watchdog_due_us;
	if (sup->pulse.down_us != 0 && sup->pulse.down_us + MISSING_US > now_us &&
	    sup->pulse.down_us + MISSING_US < next_us)
		next_us = sup->pulse.down_us + MISSING_US;
	if (!rv_notify_wanted())
		return next_us;
	make_line(sup, line, sizeof line);
	if (strcmp(line, sup->status) == 0)
		return next_us;
	/* At most one a second: the manager has other things to do. */
	if (now_us - sup->status_us < RV_SECOND_US)
		return sup->status_us + RV_SECOND_US < next_us ? sup->status_us + RV_SECOND_US
							       : next_us;
	memcpy(sup->status, line, sizeof line);
	sup->status_us = now_us;
	(void)rv_notifyf("STATUS=%s", line);
	return next_us;
}

/* ---- status, the verb */

static json_t *pool_json(const struct rv_sup *sup, int p)
{
	const struct rv_pool *pool = &sup->pools[p];
	json_t *json = json_object();
	struct tally sum = tally(sup, p);
	enum rv_reason reason;
	const char *state = rv_status_pool(sup, p, &reason);

	if (json && rv_json_set_text(json, "name", pool->name) == RV_OK &&
	    rv_json_set_int(json, "target", rv_pools_target(pool)) == RV_OK &&
	    rv_json_set_int(json, "min", pool->min) == RV_OK &&
	    rv_json_set_int(json, "max", pool->max) == RV_OK &&
	    rv_json_set_int(json, "alive", sum.alive) == RV_OK &&
	    rv_json_set_text(json, "state", state) == RV_OK &&
	    rv_json_set_int(json, "restarts", (int64_t)sum.restarts) == RV_OK &&
	    rv_json_set_text(json, "roll", rv_roll_name(pool->roll.state)) == RV_OK &&
	    rv_json_set_int(json, "old", rv_roll_left(sup, p)) == RV_OK &&
	    rv_json_set_int(json, "generation", pool->generation) == RV_OK &&
	    rv_json_set_text(json, "waits", pool->waits ? pool->waits_why : NULL) == RV_OK &&
	    rv_json_set_text(json, "reason",
			     reason == RV_REASON_NONE ? NULL : rv_reason_name(reason)) == RV_OK)
		return json;
	json_decref(json);
	return NULL;
}

/* What a worker says of itself in the area, as far as it can be believed: it costs only words. */
static json_t *worker_json(const struct rv_sup *sup, const struct rv_child *child, int64_t now_us)
{
	struct rv_area_hint hint = {0};
	struct rv_procstat stat = {0};
	const char *state = rv_life_name(child->life);
	bool beats = child->life == RV_LIFE_RUNNING &&
		     rv_area_peek(sup->area_fd, child->slot, &hint) == RV_OK &&
		     hint.incarnation == child->incarnation;
	bool busy = beats && hint.job != 0;
	json_t *json = json_object();
	bool good;

	PRE(child->pool != RV_POOL_NONE && child->slot != RV_PLAN_KEEPER);
	if (child->life == RV_LIFE_RUNNING)
		state = busy                                            ? "busy"
			: sup->pools[child->pool].hold == RV_HOLD_QUIET ? "quiet"
									: "idle";
	if (rv_life_has_process(child->life) && rv_procstat(child->pid, &stat) != RV_OK)
		stat.rss_bytes = 0; /* it has just ended */
	good = json && rv_json_set_text(json, "id", child->name) == RV_OK &&
	       rv_json_set_new(json, "pid",
			       rv_life_has_process(child->life) ? json_integer(child->pid)
								: json_null()) == RV_OK &&
	       rv_json_set_text(json, "pool", sup->pools[child->pool].name) == RV_OK &&
	       rv_json_set_int(json, "slot", child->slot) == RV_OK &&
	       rv_json_set_int(json, "generation", child->generation) == RV_OK &&
	       rv_json_set_text(json, "state", state) == RV_OK &&
	       rv_json_set_new(json, "job", busy ? json_integer(hint.job) : json_null()) == RV_OK &&
	       rv_json_set_int(json, "jobs_done",
			       beats ? (int64_t)hint.jobs_done : (int64_t)child->jobs_done) ==
		       RV_OK &&
	       rv_json_set_new(json, "heartbeat_age_ms",
			       beats && hint.beat_us > 0
				       ? json_integer((now_us - hint.beat_us) / 1000)
				       : json_null()) == RV_OK &&
	       rv_json_set_int(json, "rss_bytes", stat.rss_bytes) == RV_OK;
	if (good)
		return json;
	json_decref(json);
	return NULL;
}

static bool put_upgrade(json_t *json, const struct rv_upgrade *upgrade)
{
	const char *error = upgrade->error[0] != '\0' ? upgrade->error : NULL;

	return rv_json_set_int(json, "upgrades", upgrade->done) == RV_OK &&
	       rv_json_set_text(json, "upgrade", rv_upgrade_name(upgrade->state)) == RV_OK &&
	       rv_json_set_int(json, "upgrade_ended", upgrade->ended) == RV_OK &&
	       rv_json_set_text(json, "upgrade_error", error) == RV_OK;
}

static json_t *daemon_json(const struct rv_sup *sup, int64_t now_us)
{
	json_t *json = json_object();

	if (json && rv_json_set_int(json, "pid", getpid()) == RV_OK &&
	    rv_json_set_int(json, "uptime_s", (now_us - sup->started_us) / RV_SECOND_US) == RV_OK &&
	    rv_json_set_text(json, "state", rv_status_daemon(sup)) == RV_OK &&
	    rv_json_set_text(json, "keeper",
			     is_keeper_missing(sup)
				     ? "missing"
				     : rv_life_name(sup->children[RV_PLAN_KEEPER].life)) == RV_OK &&
	    rv_json_set_text(json, "version", RV_VERSION) == RV_OK &&
	    rv_json_set_text(json, "instance", sup->conf->reeve.instance) == RV_OK &&
	    rv_json_set_text(json, "config", sup->file[0] != '\0' ? sup->file : NULL) == RV_OK &&
	    rv_json_set_int(json, "generation", sup->generation) == RV_OK &&
	    put_upgrade(json, &sup->upgrade) &&
	    rv_json_set_text(json, "store", sup->conf->store.path) == RV_OK &&
	    rv_json_set_time(json, "last_reload", sup->reloaded_us) == RV_OK)
		return json;
	json_decref(json);
	return NULL;
}

static void append_reason(void *ctx, const char *text)
{
	json_t *item = json_string(text);

	if (item) /* else out of memory: one sentence less */
		(void)json_array_append_new(ctx, item);
}

static int append(json_t *list, json_t *item)
{
	return list && item && json_array_append_new(list, item) == 0 ? RV_OK : RV_E_NOMEM;
}

int rv_status_fill(struct rv_sup *sup, json_t *answer)
{
	json_t *pools = json_array();
	json_t *workers = json_array();
	json_t *degraded = json_array();
	int64_t now_us = rv_mono_us();
	int err = pools && workers && degraded ? RV_OK : RV_E_NOMEM;

	for (int p = 0; err == RV_OK && p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used)
			err = append(pools, pool_json(sup, p));
	}
	for (size_t i = 1; err == RV_OK && i < sup->nslots; i++) {
		if (sup->children[i].pool != RV_POOL_NONE)
			err = append(workers, worker_json(sup, &sup->children[i], now_us));
	}
	if (err == RV_OK)
		(void)rv_status_degraded(sup, append_reason, degraded);
	if (err != RV_OK) {
		json_decref(pools);
		json_decref(workers);
		json_decref(degraded);
		return err;
	}
	err = rv_json_set_new(answer, "daemon", daemon_json(sup, now_us));
	if (rv_json_set_new(answer, "pools", pools) != RV_OK ||
	    rv_json_set_new(answer, "workers", workers) != RV_OK ||
	    rv_json_set_new(answer, "degraded", degraded) != RV_OK)
		err = RV_E_NOMEM;
	return err;
}
