/*
 * From assignments to a struct rv_conf.  Whoever reads a configuration.  Assignments are noted in
 * the order of their files and layers, then applied: [defaults] first, so that each task begins as
 * a copy of it.  It never stops at a mistake: all of them are wanted.
 */
#include "conf/build.h"

#include "base/check.h"
#include "base/near.h"
#include "conf/text.h"
#include "conf/upkeep.h"
#include "conf/value.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct rv_where nowhere = {"built-in", 0};

void rv_build_init(struct rv_builder *b)
{
	rv_buf_init(&b->instances);
	rv_buf_init(&b->assigns);
	for (unsigned s = 0; s < RV_SECTIONS; s++) {
		if (!rv_conf_sections[s].named)
			(void)rv_build_add(b, (enum rv_conf_section)s, "", &nowhere);
	}
}

void rv_build_fini(struct rv_builder *b)
{
	rv_buf_fini(&b->instances);
	rv_buf_fini(&b->assigns);
}

size_t rv_build_count(const struct rv_builder *b)
{
	return b->instances.size / sizeof(struct rv_instance *);
}

struct rv_instance *rv_build_at(const struct rv_builder *b, size_t index)
{
	PRE(index < rv_build_count(b));
	return ((struct rv_instance **)(void *)b->instances.data)[index];
}

static size_t bucket_of(enum rv_conf_section section, const char *name)
{
	size_t hash = section;

	while (*name != '\0')
		hash = hash * 31 + (unsigned char)*name++;
	return hash % RV_BUILD_BUCKETS;
}

struct rv_instance *rv_build_find(const struct rv_builder *b, enum rv_conf_section section,
				  const char *name)
{
	struct rv_instance *in = b->buckets[bucket_of(section, name)];

	while (in && (in->section != section || strcmp(in->name, name) != 0))
		in = in->next;
	return in;
}

struct rv_instance *rv_build_add(struct rv_builder *b, enum rv_conf_section section,
				 const char *name, const struct rv_where *where)
{
	const struct rv_conf_section_info *info = &rv_conf_sections[section];
	struct rv_instance *in = rv_arena_alloc(b->arena, sizeof(*in));

	PRE(info->named == (name[0] != '\0'));
	if (in) {
		in->section = section;
		in->where = *where;
		in->name = rv_arena_strdup(b->arena, name);
		in->title = rv_arena_printf(b->arena, "%s%s%s", info->name, info->named ? ":" : "",
					    name);
		in->last = rv_arena_alloc(b->arena, info->nkeys * sizeof(*in->last));
	}
	if (!in || !in->name || !in->title || !in->last ||
	    rv_buf_add(&b->instances, &in, sizeof(in)) != RV_OK) {
		b->err = RV_E_NOMEM;
		return NULL;
	}
	in->next = b->buckets[bucket_of(section, name)];
	b->buckets[bucket_of(section, name)] = in;
	return in;
}

static int fail_section(const char *title, const char *kind, struct rv_why *why)
{
	const char *names[RV_SECTIONS];
	const char *near;
	char all[32 * RV_SECTIONS];
	size_t used = 0;

	for (size_t i = 0; i < RV_SECTIONS; i++)
		names[i] = rv_conf_sections[i].name;
	near = rv_near(kind, names, RV_ARRAY_LEN(names));
	for (size_t i = 0; near && i < RV_SECTIONS; i++) {
		if (near == names[i])
			return rv_fail(why, RV_E_NOTFOUND,
				       "unknown section [%s]; did you mean [%s%s]?", title, near,
				       rv_conf_sections[i].named ? ":NAME" : "");
	}
	for (size_t i = 0; i < RV_SECTIONS && used < sizeof(all); i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s[%s%s]",
					 i > 0 ? ", " : "", rv_conf_sections[i].name,
					 rv_conf_sections[i].named ? ":NAME" : "");
	INV(used < sizeof(all));
	return rv_fail(why, RV_E_NOTFOUND, "unknown section [%s]; this release has %s", title, all);
}

int rv_build_section(const char *title, enum rv_conf_section *ret_section, const char **ret_name,
		     struct rv_why *why)
{
	const char *colon = strchr(title, ':');
	char kind[RV_TEXT_NAME_MAX + 1] = "";
	size_t size = colon ? (size_t)(colon - title) : strlen(title);
	size_t s = 0;

	memcpy(kind, title, size < sizeof(kind) ? size : sizeof(kind) - 1);
	while (s < RV_SECTIONS && strcmp(rv_conf_sections[s].name, kind) != 0)
		s++;
	if (s == RV_SECTIONS)
		return fail_section(title, kind, why);
	if (rv_conf_sections[s].named && !colon)
		return rv_fail(why, RV_E_NOTFOUND, "[%s] needs a name: [%s:NAME]", kind, kind);
	if (!rv_conf_sections[s].named && colon)
		return rv_fail(why, RV_E_NOTFOUND, "[%s] takes no name: write [%s]", title, kind);
	if (colon && !rv_text_is_name(colon + 1, strlen(colon + 1)))
		return rv_fail(why, RV_E_NOTFOUND,
			       "[%.80s]: a name is 1 to 40 of A-Z a-z 0-9 _ . -", title);
	*ret_section = (enum rv_conf_section)s;
	*ret_name = colon ? colon + 1 : "";
	return RV_OK;
}

/* The number of ${key} in its section's table. */
static size_t index_of(const struct rv_instance *instance, const struct rv_conf_key *key)
{
	size_t index = (size_t)(key - rv_conf_sections[instance->section].keys);

	INV(index < rv_conf_sections[instance->section].nkeys && index < 64);
	return index;
}

static size_t index_named(const struct rv_instance *instance, const char *key)
{
	const struct rv_conf_key *row = rv_conf_key_find(instance->section, key);

	PRE(row);
	return index_of(instance, row);
}

const struct rv_where *rv_build_where(const struct rv_instance *instance, const char *key)
{
	const struct rv_assign *set = instance->last[index_named(instance, key)];

	return set ? &set->where : &instance->where;
}

bool rv_build_is_set(const struct rv_instance *instance, const char *key)
{
	return instance->last[index_named(instance, key)] != NULL;
}

bool rv_build_is_bad(const struct rv_instance *instance, const char *key)
{
	return (instance->bad >> index_named(instance, key) & 1) != 0;
}

/* ---- noting */

static void fail_key(struct rv_builder *b, const struct rv_assign *assign, const char *key)
{
	const struct rv_instance *in = assign->instance;
	const char *near = rv_conf_key_near(in->section, key);

	if (near) {
		rv_conf_error_add(b->errors, &assign->where,
				  "unknown key %s in [%s]; did you mean %s?", key, in->title, near);
		return;
	}
	for (unsigned s = 0; s < RV_SECTIONS; s++) {
		if (!rv_conf_key_find((enum rv_conf_section)s, key))
			continue;
		rv_conf_error_add(b->errors, &assign->where,
				  "unknown key %s in [%s]; there is one in [%s%s]", key, in->title,
				  rv_conf_sections[s].name,
				  rv_conf_sections[s].named ? ":NAME" : "");
		return;
	}
	rv_conf_error_add(b->errors, &assign->where, "unknown key %s in [%s]", key, in->title);
}

static bool is_repeated(struct rv_builder *b, const struct rv_assign *assign)
{
	const struct rv_assign *before =
		assign->instance->last[index_of(assign->instance, assign->key)];

	if (assign->item && !rv_conf_key_is_list(assign->key)) {
		rv_conf_error_add(b->errors, &assign->where,
				  "an indented line adds to a list, but %s is none",
				  assign->key->name);
		return true;
	}
	if (before && before->file == assign->file && assign->layer == RV_LAYER_FILE &&
	    !rv_conf_key_is_list(assign->key)) {
		rv_conf_error_add(b->errors, &assign->where, "%s is set twice in [%s]; first at %s",
				  assign->key->name, assign->instance->title, before->where.text);
		return true;
	}
	return false;
}

void rv_build_assign(struct rv_builder *b, const struct rv_assign *assign, const char *key)
{
	struct rv_assign *copy = (void *)rv_arena_memdup(b->arena, assign, sizeof(*assign));
	struct rv_instance *in = assign->instance;

	if (copy) {
		copy->value = rv_arena_strdup(b->arena, assign->value);
		copy->where.text = rv_arena_strdup(b->arena, assign->where.text);
	}
	if (!copy || !copy->value || !copy->where.text) {
		b->err = RV_E_NOMEM;
		return;
	}
	copy->key = rv_conf_key_find(in->section, key);
	if (!copy->key) {
		fail_key(b, copy, key);
		return;
	}
	if (is_repeated(b, copy))
		return;
	in->last[index_of(in, copy->key)] = copy;
	if (rv_buf_add(&b->assigns, &copy, sizeof(copy)) != RV_OK)
		b->err = RV_E_NOMEM;
}

/* ---- applying */

/* "workers = 900: must be …"; values that may be secret are not repeated. */
static void fail_value(struct rv_builder *b, const struct rv_assign *assign, const char *what)
{
	assign->instance->bad |= 1ULL << index_of(assign->instance, assign->key);
	if (assign->key->type == RV_TYPE_ENV)
		rv_conf_error_add(b->errors, &assign->where, "%s: %s", assign->key->name, what);
	else
		rv_conf_error_add(b->errors, &assign->where, "%s = %.60s: %s", assign->key->name,
				  assign->value, what);
}

const char *rv_build_value(struct rv_builder *b, const struct rv_assign *assign)
{
	const char *value = assign->value;
	struct rv_why why = {0};
	int err = rv_text_check_value(value, &why);

	if (err == RV_OK && (assign->key->flags & RV_KEY_EXPAND) != 0) {
		err = rv_text_expand(value, b->environment, b->arena, &value, &why);
		if (err == RV_OK)
			err = rv_text_check_value(value, &why);
	}
	if (err == RV_E_NOMEM)
		b->err = err;
	else if (err)
		fail_value(b, assign, rv_why_text(&why, err));
	return err ? NULL : value;
}

static void apply(struct rv_builder *b, const struct rv_assign *assign,
		  const struct rv_assign *before)
{
	const struct rv_conf_key *key = assign->key;
	void *field = (char *)assign->instance->base + key->offset;
	const char *value = key->type == RV_TYPE_PATHS ? NULL : rv_build_value(b, assign);
	bool fresh = !before || before->layer != assign->layer;
	struct rv_why why = {0};
	int err;

	if (!value) /* wrong, or include: load.c has followed it */
		return;
	if (value[0] == '\0') {
		if ((key->flags & RV_KEY_EMPTY) == 0 && !rv_conf_key_is_list(key))
			rv_conf_error_add(b->errors, &assign->where, "%s needs a value", key->name);
		else
			rv_value_clear(key, field);
		return;
	}
	if (rv_conf_key_is_list(key) && fresh && (key->flags & RV_KEY_MERGE) == 0)
		rv_value_clear(key, field);
	err = rv_value_set(key, value, field, b->arena, &why);
	if (err == RV_E_NOMEM)
		b->err = err;
	else if (err)
		fail_value(b, assign, rv_why_text(&why, err));
}

/* Applies what was noted for [defaults], or for all other sections. */
static void apply_all(struct rv_builder *b, bool defaults)
{
	struct rv_assign *const *assigns = (struct rv_assign **)(void *)b->assigns.data;

	for (size_t i = 0; i < b->assigns.size / sizeof(*assigns) && b->err == RV_OK; i++) {
		struct rv_instance *in = assigns[i]->instance;
		size_t index = index_of(in, assigns[i]->key);

		if ((in->section == RV_SECTION_DEFAULTS) != defaults)
			continue;
		apply(b, assigns[i], in->last[index]);
		in->last[index] = assigns[i];
	}
}

static void set_defaults(struct rv_builder *b, enum rv_conf_section section, void *base)
{
	const struct rv_conf_section_info *info = &rv_conf_sections[section];
	struct rv_why why = {0};

	for (size_t i = 0; i < info->nkeys; i++) {
		const struct rv_conf_key *key = &info->keys[i];
		void *field = (char *)base + key->offset;
		int err = RV_OK;

		rv_value_clear(key, field);
		if (key->def[0] != '\0')
			err = rv_value_set(key, key->def, field, b->arena, &why);
		INV(err == RV_OK || err == RV_E_NOMEM); /* every default is a good value */
		if (err)
			b->err = err;
	}
}

/* The struct of each section, with the name in front. */
static void place(struct rv_builder *b, struct rv_conf *conf)
{
	void *const singles[RV_SECTIONS] = {
		[RV_SECTION_REEVE] = &conf->reeve,       [RV_SECTION_STORE] = &conf->store,
		[RV_SECTION_LOG] = &conf->log,           [RV_SECTION_CLIENT] = &conf->client,
		[RV_SECTION_DEFAULTS] = &conf->defaults,
	};
	size_t at[RV_SECTIONS] = {0};

	for (size_t i = 0; i < rv_build_count(b); i++) {
		struct rv_instance *in = rv_build_at(b, i);
		void *const arrays[RV_SECTIONS] = {
			[RV_SECTION_POOL] = conf->pools,
			[RV_SECTION_QUEUE] = conf->queues,
			[RV_SECTION_TASK] = conf->tasks,
			[RV_SECTION_RESOURCE] = conf->resources,
			[RV_SECTION_SCHEDULE] = conf->schedules,
		};
		const struct rv_conf_section_info *info = &rv_conf_sections[in->section];

		in->base = singles[in->section];
		if (!in->base)
			in->base = (char *)arrays[in->section] + info->size * at[in->section]++;
		if (in->section == RV_SECTION_TASK)
			memcpy(in->base, &conf->defaults, info->size);
		else if (in->section != RV_SECTION_DEFAULTS)
			set_defaults(b, in->section, in->base);
		if (info->named)
			*(const char **)in->base = in->name;
	}
}

static void allocate(struct rv_builder *b, struct rv_conf *conf)
{
	size_t count[RV_SECTIONS] = {0};

	for (size_t i = 0; i < rv_build_count(b); i++)
		count[rv_build_at(b, i)->section]++;
	conf->npools = count[RV_SECTION_POOL];
	conf->nqueues = count[RV_SECTION_QUEUE];
	conf->ntasks = count[RV_SECTION_TASK];
	conf->nresources = count[RV_SECTION_RESOURCE];
	conf->nschedules = count[RV_SECTION_SCHEDULE];
	conf->pools = rv_arena_alloc(b->arena, (conf->npools + 1) * sizeof(*conf->pools));
	conf->queues = rv_arena_alloc(b->arena, (conf->nqueues + 1) * sizeof(*conf->queues));
	conf->tasks = rv_arena_alloc(b->arena, (conf->ntasks + 1) * sizeof(*conf->tasks));
	conf->resources =
		rv_arena_alloc(b->arena, (conf->nresources + 1) * sizeof(*conf->resources));
	conf->schedules =
		rv_arena_alloc(b->arena, (conf->nschedules + 1) * sizeof(*conf->schedules));
	if (!conf->pools || !conf->queues || !conf->tasks || !conf->resources || !conf->schedules)
		b->err = RV_E_NOMEM;
}

/* What `show` says of each key: where it was set; a task's inherited ones, where in [defaults]. */
static void note_origins(struct rv_builder *b)
{
	const struct rv_instance *defaults = rv_build_find(b, RV_SECTION_DEFAULTS, "");

	for (size_t i = 0; i < rv_build_count(b) && b->err == RV_OK; i++) {
		struct rv_instance *in = rv_build_at(b, i);
		const struct rv_conf_section_info *info = &rv_conf_sections[in->section];
		const char **origins = rv_arena_alloc(b->arena, info->nkeys * sizeof(*origins));

		if (!origins) {
			b->err = RV_E_NOMEM;
			return;
		}
		for (size_t k = 0; k < info->nkeys; k++) {
			const struct rv_assign *set = in->last[k];

			if (!set && in->section == RV_SECTION_TASK)
				set = defaults->last[k];
			origins[k] = set ? set->where.text : NULL;
		}
		*(const char *const **)(void *)((char *)in->base + info->origins_offset) = origins;
	}
}

/* ---- what nobody wrote */

static void imply(struct rv_builder *b, enum rv_conf_section section, const char *name,
		  const struct rv_where *where)
{
	struct rv_instance *in;

	if (rv_build_find(b, section, name))
		return;
	in = rv_build_add(b, section, name, where);
	if (in)
		in->implied = true;
}

/*
 * The queues that pools and tasks name.  Only what is a name and parses: the rest is reported when
 * it is applied.  The value of [defaults] queue counts as well.
 */
static void imply_queues(struct rv_builder *b)
{
	struct rv_assign *const *assigns = (struct rv_assign **)(void *)b->assigns.data;

	imply(b, RV_SECTION_QUEUE, RV_QUEUE_DEFAULT, &nowhere);
	for (size_t i = 0; i < b->assigns.size / sizeof(*assigns) && b->err == RV_OK; i++) {
		const struct rv_assign *assign = assigns[i];
		struct rv_conf_list list = {0};
		struct rv_why why = {0};
		static const struct rv_conf_key names = {.name = "queues", .type = RV_TYPE_NAMES};

		if (strcmp(assign->key->name, "queue") != 0 &&
		    strcmp(assign->key->name, "queues") != 0)
			continue;
		if (assign->value[0] == '\0')
			continue;
		if (rv_value_set(&names, assign->value, &list, b->arena, &why) == RV_E_NOMEM)
			b->err = RV_E_NOMEM;
		for (size_t n = 0; n < list.count; n++)
			imply(b, RV_SECTION_QUEUE, list.items[n], &assign->where);
	}
}

/* A pool nobody wrote serves the queue default, then all others; a written one named default that.
 */
static void serve(struct rv_builder *b)
{
	static const struct rv_conf_key names = {.name = "queues", .type = RV_TYPE_NAMES};
	const struct rv_instance *in = rv_build_find(b, RV_SECTION_POOL, RV_QUEUE_DEFAULT);
	struct rv_conf_pool *pool = in ? in->base : NULL;
	struct rv_why why = {0};
	int err;

	if (!pool || pool->queues.count > 0 || rv_build_is_bad(in, "queues"))
		return;
	err = rv_value_set(&names, RV_QUEUE_DEFAULT, &pool->queues, b->arena, &why);
	for (size_t i = 0; err == RV_OK && in->implied && i < rv_build_count(b); i++) {
		const struct rv_instance *queue = rv_build_at(b, i);

		if (queue->section != RV_SECTION_QUEUE ||
		    strcmp(queue->name, RV_QUEUE_DEFAULT) == 0)
			continue;
		err = rv_value_set(&names, queue->name, &pool->queues, b->arena, &why);
		if (err && err != RV_E_NOMEM)
			rv_conf_error_add(b->errors, &queue->where,
					  "there is no [pool:NAME], and the one that is there by "
					  "itself %s",
					  why.text);
	}
	if (err == RV_E_NOMEM)
		b->err = err;
}

/* adhoc: what is written, else yes for the person who starts reeve without a file. */
static void decide_adhoc(struct rv_builder *b, struct rv_conf *conf)
{
	const struct rv_instance *in = rv_build_find(b, RV_SECTION_REEVE, "");
	const struct rv_assign *set = in->last[index_named(in, "adhoc")];

	if (!set || set->value[0] == '\0')
		conf->reeve.adhoc = !b->from_text && !b->has_file && geteuid() != 0;
}

void rv_build_finish(struct rv_builder *b, struct rv_conf *conf)
{
	if (!b->from_text)
		rv_upkeep_imply(b);
	imply_queues(b);
	if (b->err == RV_OK)
		allocate(b, conf);
	if (b->err)
		return;
	set_defaults(b, RV_SECTION_DEFAULTS, &conf->defaults);
	conf->defaults.name = RV_TASK_ADHOC;
	rv_build_find(b, RV_SECTION_DEFAULTS, "")->base = &conf->defaults;
	/* is_repeated() used last; from here on it is what was applied. */
	for (size_t i = 0; i < rv_build_count(b); i++) {
		struct rv_instance *in = rv_build_at(b, i);

		memset((void *)in->last, 0,
		       rv_conf_sections[in->section].nkeys * sizeof(*in->last));
	}
	apply_all(b, true);
	if (b->err)
		return;
	place(b, conf);
	apply_all(b, false);
	if (b->err)
		return;
	conf->reeve.include = (struct rv_conf_list){0}; /* done: a dump has nothing to include */
	decide_adhoc(b, conf);
	serve(b);
	if (b->err == RV_OK)
		b->err = rv_find_paths(b, conf);
	if (b->err == RV_OK)
		note_origins(b);
	if (b->err == RV_OK)
		rv_check_conf(b, conf);
	if (b->err == RV_OK && !b->from_text)
		rv_check_machine(b);
}
