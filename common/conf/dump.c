/*
 * The effective configuration as text, its hash, and the small conversions.  The supervisor hands
 * the text to its children; the CLI shows it.  What is dumped is parsed to the same again: no
 * includes, no expansion, no default that depends on where one stands.
 */
#include "conf/dump.h"

#include "base/buf.h"
#include "base/check.h"
#include "conf/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t rv_conf_visits(const struct rv_conf *conf)
{
	return RV_SECTION_POOL + conf->npools + conf->nqueues + conf->ntasks + conf->nresources +
	       conf->nschedules;
}

struct rv_visit rv_conf_visit(const struct rv_conf *conf, size_t index)
{
	const void *const singles[] = {
		[RV_SECTION_REEVE] = &conf->reeve,       [RV_SECTION_STORE] = &conf->store,
		[RV_SECTION_LOG] = &conf->log,           [RV_SECTION_CLIENT] = &conf->client,
		[RV_SECTION_DEFAULTS] = &conf->defaults,
	};

	PRE(index < rv_conf_visits(conf));
	if (index < RV_ARRAY_LEN(singles))
		return (struct rv_visit){(enum rv_conf_section)index, "", singles[index]};
	index -= RV_ARRAY_LEN(singles);
	if (index < conf->npools)
		return (struct rv_visit){RV_SECTION_POOL, conf->pools[index].name,
					 &conf->pools[index]};
	index -= conf->npools;
	if (index < conf->nqueues)
		return (struct rv_visit){RV_SECTION_QUEUE, conf->queues[index].name,
					 &conf->queues[index]};
	index -= conf->nqueues;
	if (index < conf->ntasks)
		return (struct rv_visit){RV_SECTION_TASK, conf->tasks[index].name,
					 &conf->tasks[index]};
	index -= conf->ntasks;
	if (index < conf->nresources)
		return (struct rv_visit){RV_SECTION_RESOURCE, conf->resources[index].name,
					 &conf->resources[index]};
	index -= conf->nresources;
	return (struct rv_visit){RV_SECTION_SCHEDULE, conf->schedules[index].name,
				 &conf->schedules[index]};
}

static const char *origin_of(const struct rv_visit *visit, size_t key)
{
	const struct rv_conf_section_info *info = &rv_conf_sections[visit->section];
	const char *const *origins =
		*(const char *const *const *)(const void *)((const char *)visit->base +
							    info->origins_offset);

	return origins[key];
}

const char *rv_conf_task_origin(const struct rv_conf_task *task, const char *key)
{
	const struct rv_visit visit = {RV_SECTION_TASK, task->name, task};
	const struct rv_conf_key *row = rv_conf_key_find(RV_SECTION_TASK, key);
	const char *origin;

	PRE(row);
	origin = origin_of(&visit, (size_t)(row - rv_conf_sections[RV_SECTION_TASK].keys));
	return origin ? origin : "built-in";
}

/* "key = value", or for a list of lines "key =" and a line an item. */
static int dump_value(const struct rv_conf_key *key, const char *value, struct rv_buf *out)
{
	int err;

	if (!rv_conf_key_is_lines(key) || value[0] == '\0')
		return rv_buf_printf(out, "%s =%s%s\n", key->name, value[0] ? " " : "", value);
	err = rv_buf_printf(out, "%s =\n", key->name);
	while (err == RV_OK && *value != '\0') {
		size_t size = strcspn(value, "\n");

		err = rv_buf_printf(out, "%s = %.*s\n", key->name, (int)size, value);
		value += size + (value[size] == '\n');
	}
	return err;
}

/* One key; in a plain dump of a task only if it is not what [defaults] says anyway. */
static int dump_key(const struct rv_conf *conf, const struct rv_visit *visit, size_t index,
		    enum rv_conf_dump_how how, struct rv_buf *out)
{
	const struct rv_conf_key *key = &rv_conf_sections[visit->section].keys[index];
	const char *origin = origin_of(visit, index);
	struct rv_buf value;
	struct rv_buf usual;
	int err;

	rv_buf_init(&value);
	rv_buf_init(&usual);
	err = rv_value_print(key, (const char *)visit->base + key->offset, &value);
	if (err == RV_OK && visit->section == RV_SECTION_TASK)
		err = rv_value_print(key, (const char *)&conf->defaults + key->offset, &usual);
	if (err == RV_OK && (visit->section != RV_SECTION_TASK || how == RV_CONF_DUMP_ORIGINS ||
			     strcmp(rv_buf_text(&value), rv_buf_text(&usual)) != 0)) {
		if (how == RV_CONF_DUMP_ORIGINS && origin)
			err = rv_buf_printf(out, "# %s\n", origin);
		if (err == RV_OK)
			err = dump_value(key, rv_buf_text(&value), out);
	}
	rv_buf_fini(&value);
	rv_buf_fini(&usual);
	return err;
}

static int dump_section(const struct rv_conf *conf, const struct rv_visit *visit,
			enum rv_conf_dump_how how, struct rv_buf *out)
{
	const struct rv_conf_section_info *info = &rv_conf_sections[visit->section];
	int err = rv_buf_printf(out, "%s[%s%s%s]\n", out->size > 0 ? "\n" : "", info->name,
				info->named ? ":" : "", visit->name);

	for (size_t i = 0; err == RV_OK && i < info->nkeys; i++) {
		if (rv_conf_key_stands(visit->section, &info->keys[i]))
			err = dump_key(conf, visit, i, how, out);
	}
	return err;
}

int rv_conf_dump(const struct rv_conf *conf, enum rv_conf_dump_how how, struct rv_buf *out)
{
	struct rv_buf text;
	int err = RV_OK;

	PRE(conf && out);
	rv_buf_init(&text);
	for (size_t i = 0; err == RV_OK && i < rv_conf_visits(conf); i++) {
		struct rv_visit visit = rv_conf_visit(conf, i);

		err = dump_section(conf, &visit, how, &text);
	}
	if (err == RV_OK)
		err = rv_buf_add(out, rv_buf_text(&text), text.size);
	rv_buf_fini(&text);
	return err;
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
int rv_conf_hash(const struct rv_conf *conf, uint64_t *ret_hash)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	struct rv_buf text;
	int err;

	rv_buf_init(&text);
	err = rv_conf_dump(conf, RV_CONF_DUMP_PLAIN, &text);
	for (size_t i = 0; err == RV_OK && i < text.size; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3ULL;
	rv_buf_fini(&text);
	if (err == RV_OK)
		*ret_hash = hash;
	return err;
}

const struct rv_conf_pool *rv_conf_pool_find(const struct rv_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->npools; i++) {
		if (strcmp(conf->pools[i].name, name) == 0)
			return &conf->pools[i];
	}
	return NULL;
}

const struct rv_conf_queue *rv_conf_queue_find(const struct rv_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->nqueues; i++) {
		if (strcmp(conf->queues[i].name, name) == 0)
			return &conf->queues[i];
	}
	return NULL;
}

const struct rv_conf_task *rv_conf_task_find(const struct rv_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->ntasks; i++) {
		if (strcmp(conf->tasks[i].name, name) == 0)
			return &conf->tasks[i];
	}
	return NULL;
}

static void copy_name(char out[RV_NAME_MAX], const char *name)
{
	size_t size = strlen(name);

	INV(size < RV_NAME_MAX);
	memcpy(out, name, size + 1);
}

/* At most RV_TAKES_MAX names of less than RV_NAME_MAX, so that it fits. */
static void copy_takes(char out[RV_TAKES_TEXT], const struct rv_conf_list *takes)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < takes->count; i++)
		used += (size_t)snprintf(out + used, RV_TAKES_TEXT - used, "%s%s:%d", i ? "," : "",
					 takes->items[i], takes->weights[i]);
	INV(used < RV_TAKES_TEXT);
}

static void task_def(const struct rv_conf_task *task, struct rv_task_def *ret_def)
{
	*ret_def = (struct rv_task_def){
		.max_attempts = task->max_attempts,
		.max_crashes = task->max_crashes,
		.timeout_us = task->timeout_us,
		.backoff = task->backoff,
		.durability = task->durability,
		.weight = task->weight,
		.limits = {task->concurrency, task->key_concurrency, task->rate, task->key_rate},
	};
	copy_name(ret_def->name, task->name);
	copy_name(ret_def->queue, task->queue);
	copy_takes(ret_def->takes, &task->resources);
}

static void queue_def(const struct rv_conf_queue *queue, struct rv_queue_def *ret_def)
{
	*ret_def = (struct rv_queue_def){
		.strategy = queue->strategy,
		.aging_us = queue->aging_us,
		.limits = {queue->concurrency, queue->key_concurrency, queue->rate,
			   queue->key_rate},
		.max = queue->queue_max,
		.on_full = queue->on_full,
	};
	copy_name(ret_def->name, queue->name);
}

/* ${text} within the quotes of JSON. */
static int add_quoted(struct rv_buf *out, const char *text, size_t size)
{
	int err = rv_buf_str(out, "\"");

	for (size_t i = 0; err == RV_OK && i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20)
			err = rv_buf_printf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			err = rv_buf_printf(out, "\\%c", c);
		else
			err = rv_buf_add(out, &text[i], 1);
	}
	return err == RV_OK ? rv_buf_str(out, "\"") : err;
}

/* {"args":{"NAME":"VALUE",…}}, as `reeve add` writes it. */
static int args_spec(const struct rv_conf_list *args, char **ret_spec)
{
	struct rv_buf out;
	int err;

	rv_buf_init(&out);
	err = rv_buf_str(&out, "{\"args\":{");
	for (size_t i = 0; err == RV_OK && i < args->count; i++) {
		const char *item = args->items[i];
		size_t name = strcspn(item, "=");

		if (i > 0)
			err = rv_buf_str(&out, ",");
		if (err == RV_OK)
			err = add_quoted(&out, item, name);
		if (err == RV_OK)
			err = rv_buf_str(&out, ":");
		if (err == RV_OK)
			err = add_quoted(&out, item + name + 1, strlen(item + name + 1));
	}
	if (err == RV_OK)
		err = rv_buf_str(&out, "}}");
	if (err == RV_OK) {
		*ret_spec = rv_buf_take(&out);
		err = *ret_spec ? RV_OK : RV_E_NOMEM;
	}
	rv_buf_fini(&out);
	return err;
}

static int schedule_def(const struct rv_conf_schedule *schedule, char **ret_spec,
			struct rv_schedule_def *ret_def)
{
	int err = args_spec(&schedule->args, ret_spec);

	*ret_def = (struct rv_schedule_def){
		.name = schedule->name,
		.cron = schedule->cron,
		.timezone = schedule->timezone,
		.task = schedule->task,
		.queue = schedule->queue,
		.spec = *ret_spec,
		.priority = schedule->priority,
		.jitter_us = schedule->jitter_us,
		.catch_up = schedule->catch_up,
		.overlap = schedule->overlap,
		.off = !schedule->enabled,
	};
	return err;
}

int rv_conf_defs(const struct rv_conf *conf, struct rv_conf_defs *ret_defs)
{
	struct rv_conf_defs defs = {.ntasks = conf->ntasks + 1,
				    .nqueues = conf->nqueues,
				    .nresources = conf->nresources,
				    .nschedules = conf->nschedules};
	int err = RV_OK;

	defs.tasks = calloc(defs.ntasks, sizeof *defs.tasks);
	defs.queues = calloc(defs.nqueues + 1, sizeof *defs.queues);
	defs.resources = calloc(defs.nresources + 1, sizeof *defs.resources);
	defs.schedules = calloc(defs.nschedules + 1, sizeof *defs.schedules);
	defs.specs = (char **)calloc(defs.nschedules + 1, sizeof *defs.specs);
	if (!defs.tasks || !defs.queues || !defs.resources || !defs.schedules || !defs.specs) {
		rv_conf_defs_fini(&defs);
		return RV_E_NOMEM;
	}
	for (size_t i = 0; i < conf->ntasks; i++)
		task_def(&conf->tasks[i], &defs.tasks[i]);
	task_def(&conf->defaults, &defs.tasks[conf->ntasks]);
	for (size_t i = 0; i < conf->nqueues; i++)
		queue_def(&conf->queues[i], &defs.queues[i]);
	for (size_t i = 0; i < conf->nresources; i++) {
		copy_name(defs.resources[i].name, conf->resources[i].name);
		defs.resources[i].count = conf->resources[i].count;
	}
	for (size_t i = 0; err == RV_OK && i < conf->nschedules; i++)
		err = schedule_def(&conf->schedules[i], &defs.specs[i], &defs.schedules[i]);
	if (err)
		rv_conf_defs_fini(&defs);
	else
		*ret_defs = defs;
	return err;
}

void rv_conf_defs_fini(struct rv_conf_defs *defs)
{
	free(defs->tasks);
	free(defs->queues);
	free(defs->resources);
	free(defs->schedules);
	for (size_t i = 0; defs->specs && i < defs->nschedules; i++)
		free(defs->specs[i]);
	free((void *)defs->specs);
	*defs = (struct rv_conf_defs){0};
}
