/*
 * Reading the configuration, at start and again.  Runs in the supervisor only.  A reload works on a
 * copy: until everything about the new one is known to be right, nothing of the old one is touched.
 * Values that a running daemon cannot change (the store's path, the folders) stay as they are and
 * are said to wait for the next start.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/reload.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/cgroup.h"
#include "os/fd.h"
#include "os/module.h"
#include "os/user.h"
#include "os/notify.h"
#include "supervisor/child.h"
#include "supervisor/env.h"
#include "supervisor/group.h"
#include "supervisor/main.h"
#include "supervisor/pools.h"
#include "supervisor/roll.h"
#include "supervisor/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEEPS_MAX 16 /* keys that only the next start changes: reeve.* and store.path */

/* What a comparison of two configurations has brought. */
struct gather {
	struct rv_sup *sup;
	struct rv_arena arena;
	const char *keeps[KEEPS_MAX]; /* "section.key=present value" */
	size_t nkeeps;
	json_t *changes;   /* NULL: not wanted */
	bool is_effective; /* something changed that can be applied */
	bool rolls_all;
	bool rolls[RV_PLAN_SLOTS_MAX]; /* by place in sup->pools */
	int err;
};

static void log_errors(const struct rv_conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct rv_conf_error *item = &errors->items[i];

		rv_log_with(item->warning ? RV_LOG_WARN : RV_LOG_ERROR,
			    item->warning ? RV_EV_conf_warning : RV_EV_conf_error,
			    RV_FIELDS(RV_STR("where", item->where)), "%s: %s", item->where,
			    item->text);
	}
}

/* For a person who asked: as a compiler says it. */
static void print_errors(const struct rv_conf_errors *errors)
{
	struct rv_buf text;

	rv_buf_init(&text);
	if (rv_conf_errors_print(errors, &text) == RV_OK)
		fputs(rv_buf_text(&text), stderr);
	rv_buf_fini(&text);
}

static int say_first(const struct rv_conf_errors *errors, int err, struct rv_why *why)
{
	for (size_t i = 0; i < errors->count; i++) {
		if (!errors->items[i].warning)
			return rv_fail(why, err, "%s: %s%s", errors->items[i].where,
				       errors->items[i].text,
				       errors->nerrors > 1 ? " (and more, see the log)" : "");
	}
	return rv_fail(why, err, "%s", rv_err_text(err));
}

static void put_errors(json_t *answer, const struct rv_conf_errors *errors)
{
	json_t *list = answer ? json_array() : NULL;

	for (size_t i = 0; list && i < errors->count; i++) {
		json_t *item = json_object();

		if (!item || rv_json_set_text(item, "where", errors->items[i].where) != RV_OK ||
		    rv_json_set_text(item, "text", errors->items[i].text) != RV_OK ||
		    rv_json_set_bool(item, "warning", errors->items[i].warning) != RV_OK) {
			json_decref(item);
			continue; /* out of memory: the log has it */
		}
		(void)json_array_append_new(list, item);
	}
	if (answer && rv_json_set_new(answer, "errors", list) != RV_OK)
		return;
}

/* ${more}: further overrides, NULL-terminated; they win. */
static int load(const struct rv_options *options, const char *const *more, json_t *answer,
		struct rv_conf **ret_conf, struct rv_why *why)
{
	const char *overrides[RV_OVERRIDES_MAX + KEEPS_MAX + 1] = {0};
	struct rv_conf_source from = {.overrides = overrides, .environment = environ};
	struct rv_conf_errors errors;
	char *file = NULL;
	size_t n = 0;
	int err = rv_conf_find_file(options->file, environ, &file);

	if (err != RV_OK && err != RV_E_NOTFOUND)
		return err;
	INV(!options->overrides[RV_OVERRIDES_MAX]);
	for (size_t i = 0; options->overrides[i]; i++)
		overrides[n++] = options->overrides[i];
	for (size_t i = 0; more && more[i]; i++)
		overrides[n++] = more[i];
	from.file = file;
	from.look = options->check_only ? rv_module_check : NULL;
	from.limits = rv_cgroup_has;
	if (rv_user_is_root())
		from.as = options->check_only ? RV_CONF_AS_OWNER : RV_CONF_AS_ROOT;
	rv_conf_errors_init(&errors);
	err = rv_conf_load(&from, ret_conf, &errors);
	if (options->check_only)
		print_errors(&errors);
	else
		log_errors(&errors);
	put_errors(answer, &errors);
	if (err != RV_OK)
		err = say_first(&errors, err, why);
	rv_conf_errors_fini(&errors);
	free(file);
	return err;
}

int rv_reload_load(const struct rv_options *options, struct rv_conf **ret_conf, struct rv_why *why)
{
	return load(options, NULL, NULL, ret_conf, why);
}

/* A stop waits as long as the most patient task's. */
static int64_t longest_kill_after(const struct rv_conf *conf)
{
	int64_t longest_us = conf->defaults.kill_after_us;

	for (size_t i = 0; i < conf->ntasks; i++) {
		if (conf->tasks[i].kill_after_us > longest_us)
			longest_us = conf->tasks[i].kill_after_us;
	}
	return longest_us;
}

static int seal(const struct rv_conf *conf, int *ret_fd, struct rv_why *why)
{
	struct rv_buf text;
	int err;

	rv_buf_init(&text);
	err = rv_conf_dump(conf, RV_CONF_DUMP_PLAIN, &text);
	if (err == RV_OK)
		err = rv_fd_sealed("reeve-conf", rv_buf_text(&text), text.size, ret_fd);
	rv_buf_fini(&text);
	return err == RV_OK ? err
			    : rv_fail(why, err, "cannot pass the configuration on: %s",
				      rv_err_text(err));
}

static int open_log(const struct rv_conf *conf, struct rv_why *why)
{
	static const enum rv_log_level levels[] = {
		[RV_CONF_LEVEL_DEBUG] = RV_LOG_DEBUG,
		[RV_CONF_LEVEL_INFO] = RV_LOG_INFO,
		[RV_CONF_LEVEL_WARN] = RV_LOG_WARN,
		[RV_CONF_LEVEL_ERROR] = RV_LOG_ERROR,
	};
	static const enum rv_log_format formats[] = {
		[RV_CONF_FORMAT_AUTO] = RV_LOG_AUTO,
		[RV_CONF_FORMAT_TEXT] = RV_LOG_TEXT,
		[RV_CONF_FORMAT_JSON] = RV_LOG_JSON,
	};
	struct rv_log_setup setup = {
		.level = levels[conf->log.level],
		.format = formats[conf->log.format],
		.target = conf->log.target,
		.who = "reeved",
	};

	return rv_log_open(&setup, why);
}

int rv_reload_adopt(struct rv_sup *sup, struct rv_conf *conf, struct rv_why *why)
{
	char **child_env;
	int fd = -1;
	int err = seal(conf, &fd, why);

	if (err != RV_OK)
		return err;
	rv_step_unwatch_log(sup);
	err = open_log(conf, why);
	if (err != RV_OK) {
		rv_fd_close(&fd);
		return err;
	}
	child_env = rv_child_env(conf, environ, sup->child_mark);
	if (!child_env) {
		rv_fd_close(&fd);
		return rv_fail(why, RV_E_NOMEM, "out of memory");
	}
	rv_fd_close(&sup->conf_fd);
	sup->conf_fd = fd;
	free(sup->child_env);
	sup->child_env = child_env;
	rv_conf_free(sup->conf);
	sup->conf = conf;
	(void)snprintf(sup->file, sizeof sup->file, "%s", conf->file ? conf->file : "");
	sup->generation = ++sup->last_generation;
	sup->kill_after_us = longest_kill_after(conf);
	rv_pools_take(sup, conf);
	sup->is_dirty = true;
	POST(sup->conf_fd >= 0 && sup->kill_after_us >= 0);
	return RV_OK;
}

int rv_reload_resume(struct rv_sup *sup, struct rv_conf *conf, struct rv_why *why)
{
	int err = open_log(conf, why);

	PRE(!sup->conf && sup->conf_fd >= 0 && sup->generation > 0);
	if (err != RV_OK)
		return err;
	sup->child_env = rv_child_env(conf, environ, sup->child_mark);
	if (!sup->child_env)
		return rv_fail(why, RV_E_NOMEM, "out of memory");
	sup->conf = conf;
	sup->kill_after_us = longest_kill_after(conf);
	rv_pools_take(sup, conf);
	return RV_OK;
}

static void put_change(struct gather *gather, const struct rv_conf_change *change)
{
	static const char *const words[] = {[RV_CONF_LIVE] = "live",
					    [RV_CONF_ROLL] = "roll",
					    [RV_CONF_NEXT_START] = "next_start"};
	json_t *item = gather->changes ? json_object() : NULL;
	bool good = item && rv_json_set_text(item, "section", change->section) == RV_OK &&
		    rv_json_set_text(item, "key", change->key) == RV_OK &&
		    rv_json_set_text(item, "from", change->from) == RV_OK &&
		    rv_json_set_text(item, "to", change->to) == RV_OK &&
		    rv_json_set_text(item, "pool", change->pool) == RV_OK &&
		    rv_json_set_text(item, "reload", words[change->reload]) == RV_OK;

	if (!gather->changes)
		return;
	if (!good || json_array_append(gather->changes, item) != 0)
		gather->err = RV_E_NOMEM;
	json_decref(item);
}

/* First look: what cannot be changed now is put back to what it is. */
static void keep_present(void *ctx, const struct rv_conf_change *change)
{
	struct gather *gather = ctx;

	if (change->reload != RV_CONF_NEXT_START || !change->key)
		return;
	if (gather->nkeeps + 1 >= KEEPS_MAX) {
		gather->err = RV_E_TOOBIG;
		return;
	}
	gather->keeps[gather->nkeeps] =
		rv_arena_printf(&gather->arena, "%s.%s=%s", change->section, change->key,
				change->from ? change->from : "");
	if (!gather->keeps[gather->nkeeps++])
		gather->err = RV_E_NOMEM;
	rv_log(RV_LOG_WARN, RV_EV_conf_warning, "[%s] %s: the new value waits for the next start",
	       change->section, change->key);
	put_change(gather, change);
}

/* Second look: what is to be done. */
static void note_change(void *ctx, const struct rv_conf_change *change)
{
	struct gather *gather = ctx;
	int p;

	if (change->reload == RV_CONF_NEXT_START)
		return;
	gather->is_effective = true;
	put_change(gather, change);
	if (change->reload != RV_CONF_ROLL)
		return;
	if (!change->pool) {
		gather->rolls_all = true;
		return;
	}
	p = rv_pools_find(gather->sup, change->pool);
	if (p != RV_POOL_NONE)
		gather->rolls[p] = true;
}

static int check_room(const struct rv_sup *sup, const struct rv_conf *conf, struct rv_why *why)
{
	size_t workers = 0;

	PRE(sup->nslots >= 2);
	for (size_t i = 0; i < conf->npools; i++)
		workers += (size_t)conf->pools[i].workers.max;
	if (workers <= sup->nslots - 1)
		return RV_OK;
	return rv_fail(why, RV_E_CONF,
		       "%zu workers are wanted, and this daemon has room for %zu; "
		       "restart reeved to have more",
		       workers, sup->nslots - 1);
}

/* The new configuration with what must stay, and what differs. */
static int prepare(struct gather *gather, json_t *answer, struct rv_conf **ret_conf,
		   struct rv_why *why)
{
	struct rv_sup *sup = gather->sup;
	struct rv_conf *conf = NULL;
	int err = load(sup->options, NULL, answer, &conf, why);

	if (err == RV_OK)
		err = rv_conf_diff(sup->conf, conf, keep_present, gather);
	if (err == RV_OK)
		err = gather->err;
	if (err == RV_OK && gather->nkeeps > 0) {
		rv_conf_free(conf);
		conf = NULL;
		err = load(sup->options, gather->keeps, NULL, &conf, why);
	}
	if (err == RV_OK)
		err = rv_conf_diff(sup->conf, conf, note_change, gather);
	if (err == RV_OK)
		err = gather->err;
	if (err == RV_OK)
		err = check_room(sup, conf, why);
	if (err != RV_OK) {
		rv_conf_free(conf);
		return err;
	}
	*ret_conf = conf;
	return RV_OK;
}

static int put_rolls(const struct gather *gather, json_t *answer)
{
	json_t *list = json_array();

	for (int p = 0; list && p < RV_PLAN_SLOTS_MAX; p++) {
		if (gather->sup->pools[p].is_used && (gather->rolls_all || gather->rolls[p]) &&
		    json_array_append_new(list, json_string(gather->sup->pools[p].name)) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return rv_json_set_new(answer, "rolls", list);
}

static int apply(struct gather *gather, struct rv_conf *conf, struct rv_why *why)
{
	struct rv_sup *sup = gather->sup;
	int err;

	if (sup->is_ready)
		(void)rv_notifyf("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)rv_mono_us());
	err = gather->is_effective ? rv_group_limits(sup, conf, why) : RV_OK;
	if (err == RV_OK && gather->is_effective)
		err = rv_reload_adopt(sup, conf, why);
	if (err == RV_OK && gather->is_effective) {
		for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
			if (sup->pools[p].is_used && !sup->pools[p].is_gone &&
			    sup->pools[p].generation < sup->generation &&
			    (gather->rolls_all || gather->rolls[p]))
				rv_roll_begin(sup, &sup->pools[p], sup->generation,
					      "the configuration has changed");
		}
	}
	if (err != RV_OK || !gather->is_effective)
		rv_conf_free(conf);
	if (sup->is_ready)
		(void)rv_notify("READY=1");
	return err;
}

/* Whoever found its configuration wrong may try again, whether or not the difference is ours. */
static void release_held(struct rv_sup *sup)
{
	for (size_t i = 0; i < sup->nslots; i++) {
		if (sup->children[i].life == RV_LIFE_HELD)
			(void)rv_child_event(sup, &sup->children[i], RV_LIFE_EV_RELEASE,
					     RV_REASON_NONE);
	}
}

int rv_reload(struct rv_sup *sup, bool dry, json_t *answer, struct rv_why *why)
{
	struct gather gather = {.sup = sup, .changes = answer ? json_array() : NULL};
	struct rv_conf *conf = NULL;
	int err;

	if (sup->mode == RV_MODE_DRAIN || sup->mode == RV_MODE_NOW)
		return rv_fail(why, RV_E_CONFLICT, "reeved is ending");
	PRE(sup->conf && sup->children);
	rv_arena_init(&gather.arena);
	err = prepare(&gather, answer, &conf, why);
	if (err == RV_OK && answer)
		err = put_rolls(&gather, answer);
	if (err == RV_OK && !dry)
		err = apply(&gather, conf, why);
	else
		rv_conf_free(conf);
	if (err != RV_OK) {
		rv_log(RV_LOG_ERROR, RV_EV_conf_rejected, "the configuration stays as it was: %s",
		       rv_why_text(why, err));
	} else if (!dry) {
		sup->reloaded_us = rv_wall_us();
		release_held(sup);
		rv_roll_again(sup);
		rv_log(RV_LOG_INFO, RV_EV_conf_reloaded, "%s",
		       gather.is_effective ? "the new configuration is in force"
					   : "the configuration is unchanged");
	}
	if (!dry)
		sup->reload_failed = err != RV_OK;
	if (answer && rv_json_set_new(answer, "changes", gather.changes) != RV_OK && err == RV_OK)
		err = RV_E_NOMEM;
	rv_arena_reset(&gather.arena);
	return err;
}
