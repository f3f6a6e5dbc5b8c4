/*
 * What one key alone cannot tell: keys that must agree, names that must exist.  Whoever reads a
 * configuration.  A pure function of it: what of this machine is asked for, check_machine.c sees.
 */
#include "conf/build.h"

#include "base/check.h"
#include "base/fmt.h"
#include "base/near.h"
#include "conf/words.h"
#include "conf/zone.h"

#include <signal.h>
#include <string.h>

#define COMMAND_MAX         131071u /* MAX_ARG_STRLEN of Linux, less the NUL */
#define ENV_MAX             65536u  /* bytes of all env of a task */
#define HEALTH_CHECK_MIN_US 10000   /* more often, a handler would do nothing else */

/* ---- pools */

static void check_less(struct rv_builder *b, const struct rv_instance *in, const char *less,
		       int64_t less_us, const char *more, int64_t more_us)
{
	char a[RV_FMT_SPACE];
	char c[RV_FMT_SPACE];
	const struct rv_where *one = rv_build_where(in, less);
	const struct rv_where *two = rv_build_where(in, more);

	if (less_us < more_us || rv_build_is_bad(in, less) || rv_build_is_bad(in, more))
		return;
	rv_conf_error_add(b->errors, two->order > one->order ? two : one,
			  "[%s] %s (%s) must be below %s (%s)", in->title, less,
			  rv_fmt_duration(a, less_us), more, rv_fmt_duration(c, more_us));
}

static void check_pool(struct rv_builder *b, const struct rv_instance *in)
{
	const struct rv_conf_pool *pool = in->base;

	check_less(b, in, "heartbeat", pool->heartbeat_us, "hang_timeout", pool->hang_timeout_us);
	check_less(b, in, "hang_timeout", pool->hang_timeout_us, "lease", pool->lease_us);
	if (pool->restart_delay_us > pool->restart_delay_max_us)
		check_less(b, in, "restart_delay", pool->restart_delay_us, "restart_delay_max",
			   pool->restart_delay_max_us);
	if (pool->surge == 0 && pool->max_unavailable == 0 && !rv_build_is_bad(in, "surge") &&
	    !rv_build_is_bad(in, "max_unavailable"))
		rv_conf_error_add(b->errors, rv_build_where(in, "max_unavailable"),
				  "[%s] max_unavailable = 0 needs a surge: else no worker could "
				  "be replaced",
				  in->title);
	if (pool->queues.count == 0 && !rv_build_is_bad(in, "queues"))
		rv_conf_error_add(b->errors, rv_build_where(in, "queues"),
				  "[%s] serves no queue: queues is missing", in->title);
}

/* Who comes after whom has a first one. */
static void check_after(struct rv_builder *b, const struct rv_conf *conf,
			const struct rv_instance *in)
{
	const struct rv_conf_pool *first = in->base;
	const struct rv_conf_pool *pool = first;
	const char *names[RV_CONF_WORKERS_MAX];
	const char *near;
	size_t n = 0;

	if (rv_build_is_bad(in, "after"))
		return;
	for (size_t steps = 0; pool && pool->after && steps <= conf->npools; steps++) {
		pool = rv_conf_pool_find(conf, rv_conf_after(pool->after));
		if (pool != first)
			continue;
		rv_conf_error_add(b->errors, rv_build_where(in, "after"),
				  "[%s] after = %s: it would wait for itself", in->title,
				  first->after);
		return;
	}
	if (!first->after || rv_conf_pool_find(conf, rv_conf_after(first->after)))
		return;
	for (; n < conf->npools && n < RV_CONF_WORKERS_MAX; n++)
		names[n] = conf->pools[n].name;
	near = rv_near(rv_conf_after(first->after), names, n);
	rv_conf_error_add(b->errors, rv_build_where(in, "after"),
			  "[%s] after = %s: there is no such pool%s%s%s", in->title, first->after,
			  near ? "; did you mean pool:" : "", near ? near : "", near ? "?" : "");
}

static void check_workers(struct rv_builder *b, const struct rv_conf *conf)
{
	const struct rv_instance *last = NULL;
	int sum = 0;

	for (size_t i = 0; i < conf->npools; i++)
		sum += conf->pools[i].workers.max;
	for (size_t i = 0; i < rv_build_count(b); i++) {
		if (rv_build_at(b, i)->section == RV_SECTION_POOL)
			last = rv_build_at(b, i);
	}
	INV(last != NULL);
	if (sum > RV_CONF_WORKERS_MAX)
		rv_conf_error_add(b->errors, rv_build_where(last, "workers"),
				  "all pools together have %d workers; the most is %d", sum,
				  RV_CONF_WORKERS_MAX);
}

static bool is_served(const struct rv_conf *conf, const char *queue)
{
	for (size_t i = 0; i < conf->npools; i++) {
		const struct rv_conf_list *list = &conf->pools[i].queues;

		for (size_t q = 0; q < list->count; q++) {
			if (strcmp(list->items[q], queue) == 0)
				return true;
		}
	}
	return false;
}

/* A queue that is written down may wait for a pool; one that only a task names is a slip. */
static void check_queue(struct rv_builder *b, const struct rv_conf *conf,
			const struct rv_instance *in)
{
	const struct rv_conf_queue *queue = in->base;

	if (queue->aging_us > 0 && queue->strategy != RV_STRATEGY_PRIORITY &&
	    !rv_build_is_bad(in, "strategy"))
		rv_conf_error_add(b->errors, rv_build_where(in, "aging"),
				  "[%s] aging: only strategy = priority has levels that could age",
				  in->title);
	if (queue->on_full != RV_ON_FULL_REJECT && queue->queue_max == 0 &&
	    !rv_build_is_bad(in, "queue_max"))
		rv_conf_error_add(b->errors, rv_build_where(in, "on_full"),
				  "[%s] on_full: without a queue_max it is never full", in->title);
	if (!in->implied && !is_served(conf, in->name))
		rv_conf_warning_add(b->errors, &in->where, "no pool serves [%s]: its jobs wait",
				    in->title);
}

/* ---- tasks */

static void check_words(struct rv_builder *b, const struct rv_instance *in,
			const struct rv_conf_task *task)
{
	const struct rv_where *where = rv_build_where(in, "command");
	struct rv_words words = {0};
	struct rv_why why = {0};
	struct rv_arena arena;
	int err;

	if (task->shell) {
		if (strstr(task->command, "${arg."))
			rv_conf_error_add(
				b->errors, where,
				"command: with shell = yes an argument would be run by the "
				"shell; use: sh -c '... \"$1\" ...' sh ${arg.NAME}, without "
				"shell = yes");
		return;
	}
	rv_arena_init(&arena);
	err = rv_words_split(task->command, &arena, &words, &why);
	if (err == RV_E_NOMEM)
		b->err = err;
	else if (err)
		rv_conf_error_add(b->errors, where, "command: %s", rv_why_text(&why, err));
	else if (words.count == 0 || words.items[0].nparts == 0)
		rv_conf_error_add(b->errors, where, "command: its first word is empty");
	for (size_t i = 0; !err && words.count > 0 && i < words.items[0].nparts; i++) {
		if (words.items[0].parts[i].is_arg)
			rv_conf_error_add(b->errors, where,
					  "command: an argument cannot choose the program");
	}
	rv_arena_reset(&arena);
}

static void check_command(struct rv_builder *b, const struct rv_instance *in)
{
	const struct rv_conf_task *task = in->base;

	if (strlen(task->command) > COMMAND_MAX)
		rv_conf_error_add(b->errors, rv_build_where(in, "command"),
				  "command is longer than %u bytes", COMMAND_MAX);
	else if (task->handler == RV_CONF_HANDLER_PIPE && strstr(task->command, "${arg."))
		rv_conf_error_add(
			b->errors, rv_build_where(in, "command"),
			"command: a pipe handler gets the arguments of its jobs as lines, "
			"not as ${arg.NAME}");
	else
		check_words(b, in, task);
}

static void check_exec_keys(struct rv_builder *b, const struct rv_instance *in)
{
	if (rv_build_is_set(in, "state_max"))
		rv_conf_error_add(b->errors, rv_build_where(in, "state_max"),
				  "state_max is for handler = exec");
}

/* Keys that only handlers have that stay. */
static void check_stay_keys(struct rv_builder *b, const struct rv_instance *in)
{
	static const char *const keys[] = {"ready_timeout", "recycle_jobs",   "recycle_age",
					   "recycle_rss",   "warm_up",        "idle_ttl",
					   "health_check",  "health_timeout", "restart_delay"};

	for (size_t i = 0; i < RV_ARRAY_LEN(keys); i++) {
		if (rv_build_is_set(in, keys[i]))
			rv_conf_error_add(b->errors, rv_build_where(in, keys[i]),
					  "%s is for handler = pipe or module", keys[i]);
	}
}

/* Limits of all that a run has started. */
static const char *const group_keys[] = {"memory_max", "cpu_max", "pids_max"};

/* What runs the jobs is one key of three, which one the handler says. */
static void check_own_keys(struct rv_builder *b, const struct rv_instance *in)
{
	const struct rv_conf_task *task = in->base;
	bool builtin = task->handler == RV_CONF_HANDLER_BUILTIN;
	bool module = task->handler == RV_CONF_HANDLER_MODULE;

	if (builtin && task->builtin == RV_CONF_BUILTIN_NONE)
		rv_conf_error_add(b->errors, &in->where, "[%s] needs builtin = noop, sleep or fail",
				  in->title);
	if (module && !task->module)
		rv_conf_error_add(b->errors, &in->where, "[%s] needs a module", in->title);
	if (!builtin && !module && !task->command)
		rv_conf_error_add(b->errors, &in->where, "[%s] needs a command", in->title);
	if (!builtin && task->builtin != RV_CONF_BUILTIN_NONE)
		rv_conf_error_add(b->errors, rv_build_where(in, "builtin"),
				  "builtin is for handler = builtin");
	if (!module && task->module)
		rv_conf_error_add(b->errors, rv_build_where(in, "module"),
				  "module is for handler = module");
	if (module && task->shell)
		rv_conf_error_add(b->errors, rv_build_where(in, "shell"),
				  "shell is for handler = exec or pipe");
	if (builtin && !b->from_text && rv_build_is_set(in, "soft_timeout"))
		rv_conf_error_add(b->errors, rv_build_where(in, "soft_timeout"),
				  "soft_timeout is not for handler = builtin");
	for (size_t i = 0; i < RV_ARRAY_LEN(group_keys) && builtin && !b->from_text; i++) {
		if (rv_build_is_set(in, group_keys[i]))
			rv_conf_error_add(b->errors, rv_build_where(in, group_keys[i]),
					  "%s is not for handler = builtin", group_keys[i]);
	}
	if ((builtin || module) && task->command)
		rv_conf_error_add(b->errors, rv_build_where(in, "command"),
				  "command is for handler = exec or pipe");
	else if (task->command)
		check_command(b, in);
}

static void check_handler(struct rv_builder *b, const struct rv_instance *in)
{
	const struct rv_conf_task *task = in->base;

	if (rv_build_is_bad(in, "handler") || rv_build_is_bad(in, "builtin") ||
	    rv_build_is_bad(in, "command") || rv_build_is_bad(in, "module"))
		return;
	if (task->handler != RV_CONF_HANDLER_PIPE && task->handler != RV_CONF_HANDLER_MODULE &&
	    !b->from_text) /* a dump says every key */
		check_stay_keys(b, in);
	if (task->handler != RV_CONF_HANDLER_EXEC && !b->from_text)
		check_exec_keys(b, in);
	if (task->health_check_us > 0 && task->health_check_us < HEALTH_CHECK_MIN_US)
		rv_conf_error_add(b->errors, rv_build_where(in, "health_check"),
				  "health_check is 0 or at least 10ms");
	check_own_keys(b, in);
}

static void check_codes(struct rv_builder *b, const struct rv_instance *in)
{
	const struct rv_conf_task *task = in->base;
	const struct {
		const char *key;
		const struct rv_conf_codes *codes;
	} lists[] = {
		{"success_exit", &task->success_exit},
		{"retry_exit", &task->retry_exit},
		{"no_retry_exit", &task->no_retry_exit},
	};
	const struct rv_conf_codes none = {0};

	if (!rv_build_is_set(in, "success_exit") && !rv_build_is_set(in, "retry_exit") &&
	    !rv_build_is_set(in, "no_retry_exit"))
		return; /* said where it is written */
	if (rv_build_is_bad(in, "success_exit") || rv_build_is_bad(in, "retry_exit") ||
	    rv_build_is_bad(in, "no_retry_exit"))
		return;
	if (memcmp(&task->success_exit, &none, sizeof(none)) == 0)
		rv_conf_error_add(b->errors, rv_build_where(in, "success_exit"),
				  "success_exit needs a code: no job could succeed");
	for (size_t i = 0; i < RV_ARRAY_LEN(lists); i++) {
		for (size_t j = i + 1; j < RV_ARRAY_LEN(lists); j++) {
			int code = 0;

			while (code <= 255 && !(rv_conf_codes_have(lists[i].codes, code) &&
						rv_conf_codes_have(lists[j].codes, code)))
				code++;
			if (code <= 255)
				rv_conf_error_add(b->errors, rv_build_where(in, lists[j].key),
						  "exit code %d is in %s and in %s", code,
						  lists[i].key, lists[j].key);
		}
	}
}

static void check_env(struct rv_builder *b, const struct rv_instance *in)
{
	const struct rv_conf_task *task = in->base;
	size_t size = 0;

	if (!rv_build_is_set(in, "env"))
		return;
	for (size_t i = 0; i < task->env.count; i++)
		size += strlen(task->env.items[i]) + 1;
	if (size > ENV_MAX)
		rv_conf_error_add(b->errors, rv_build_where(in, "env"),
				  "env: %zu bytes in all; the most is %u", size, ENV_MAX);
}

/* Said in one section, it is meant; a task with a shorter timeout than [defaults] has no use for
 * it. */
static void check_soft(struct rv_builder *b, const struct rv_instance *in)
{
	const struct rv_conf_task *task = in->base;

	if (rv_build_is_set(in, "soft_timeout") && task->soft_timeout_us > 0 &&
	    task->timeout_us > 0 && !b->from_text) /* a dump says every key */
		check_less(b, in, "soft_timeout", task->soft_timeout_us, "timeout",
			   task->timeout_us);
	if (rv_build_is_set(in, "soft_signal") && task->soft_signal == SIGKILL)
		rv_conf_error_add(b->errors, rv_build_where(in, "soft_signal"),
				  "soft_signal = KILL: no job can heed that");
}

/* What a task takes must exist, and be enough. */
static void check_resources(struct rv_builder *b, const struct rv_conf *conf,
			    const struct rv_instance *in)
{
	const struct rv_conf_task *task = in->base;

	if (in->section != RV_SECTION_TASK || rv_build_is_bad(in, "resources"))
		return;
	for (size_t i = 0; i < task->resources.count; i++) {
		const char *name = task->resources.items[i];
		const struct rv_conf_resource *found = NULL;

		for (size_t r = 0; r < conf->nresources; r++)
			if (strcmp(conf->resources[r].name, name) == 0)
				found = &conf->resources[r];
		if (!found)
			rv_conf_error_add(b->errors, rv_build_where(in, "resources"),
					  "resources: there is no [resource:%s]", name);
		else if (task->resources.weights[i] > found->count)
			rv_conf_error_add(b->errors, rv_build_where(in, "resources"),
					  "resources: %s:%d, but there are only %d", name,
					  task->resources.weights[i], found->count);
	}
}

static void check_task(struct rv_builder *b, const struct rv_conf *conf,
		       const struct rv_instance *in)
{
	const struct rv_conf_task *task = in->base;
	const struct rv_instance *queue = rv_build_find(b, RV_SECTION_QUEUE, task->queue);

	if (in->section == RV_SECTION_TASK)
		check_handler(b, in);
	check_codes(b, in);
	check_env(b, in);
	check_soft(b, in);
	check_resources(b, conf, in);
	if (in->section == RV_SECTION_DEFAULTS && !rv_build_is_set(in, "queue"))
		return;
	if (!rv_build_is_bad(in, "queue") && (!queue || queue->implied) &&
	    !is_served(conf, task->queue))
		rv_conf_error_add(b->errors, rv_build_where(in, "queue"),
				  "queue = %s: no pool serves it, and there is no [queue:%s]",
				  task->queue, task->queue);
}

/* ---- schedules */

static void check_schedule(struct rv_builder *b, const struct rv_conf *conf,
			   const struct rv_instance *in)
{
	const struct rv_conf_schedule *schedule = in->base;
	const struct rv_instance *queue =
		schedule->queue ? rv_build_find(b, RV_SECTION_QUEUE, schedule->queue) : NULL;

	if (!schedule->cron && !rv_build_is_bad(in, "cron"))
		rv_conf_error_add(b->errors, &in->where, "[%s] needs a cron", in->title);
	if (!schedule->task && !rv_build_is_bad(in, "task"))
		rv_conf_error_add(b->errors, &in->where, "[%s] needs a task", in->title);
	else if (schedule->task && !rv_build_find(b, RV_SECTION_TASK, schedule->task))
		rv_conf_error_add(b->errors, rv_build_where(in, "task"),
				  "task = %s: there is no [task:%s]", schedule->task,
				  schedule->task);
	INV(!schedule->queue || queue); /* it is implied by being named */
	if (queue && queue->implied && !is_served(conf, schedule->queue))
		rv_conf_error_add(b->errors, rv_build_where(in, "queue"),
				  "queue = %s: no pool serves it, and there is no [queue:%s]",
				  schedule->queue, schedule->queue);
}

void rv_check_conf(struct rv_builder *b, const struct rv_conf *conf)
{
	for (size_t i = 0; i < rv_build_count(b) && b->err == RV_OK; i++) {
		const struct rv_instance *in = rv_build_at(b, i);

		if (in->section == RV_SECTION_POOL)
			check_pool(b, in);
		if (in->section == RV_SECTION_POOL)
			check_after(b, conf, in);
		else if (in->section == RV_SECTION_QUEUE && !b->from_text)
			check_queue(b, conf, in);
		else if (in->section == RV_SECTION_SCHEDULE)
			check_schedule(b, conf, in);
		else if (in->section == RV_SECTION_TASK || in->section == RV_SECTION_DEFAULTS)
			check_task(b, conf, in);
	}
	check_workers(b, conf);
}
