/* The tables made from keys.def and sections.def.  Whoever reads or explains a configuration. */
#include "conf/keys.h"

#include "base/check.h"
#include "base/near.h"
#include "base/seam.h"

#include <string.h>

#define MS(n)  ((n)*RV_MS_US)
#define S(n)   ((n)*RV_S_US)
#define H(n)   S(3600 * (n))
#define W(n)   H(168 * (n))
#define GIB(n) ((int64_t)(n) << 30)
#define X      RV_KEY_EXPAND
#define E      RV_KEY_EMPTY
#define T      RV_KEY_TASK_ONLY
#define M      RV_KEY_MERGE

#define ROW(owner, key, type, field, def, min, max, reload, flags, doc)                            \
	{#key,                                                                                     \
	 RV_TYPE_##type,                                                                           \
	 offsetof(struct rv_conf_##owner, field),                                                  \
	 def,                                                                                      \
	 min,                                                                                      \
	 max,                                                                                      \
	 RV_CONF_##reload,                                                                         \
	 flags,                                                                                    \
	 doc},

static const struct rv_conf_key reeve_keys[] = {
#define KEY_REEVE(...) ROW(reeve, __VA_ARGS__)
#include "conf/keys.def"
};

static const struct rv_conf_key store_keys[] = {
#define KEY_STORE(...) ROW(store, __VA_ARGS__)
#include "conf/keys.def"
};

static const struct rv_conf_key log_keys[] = {
#define KEY_LOG(...) ROW(log, __VA_ARGS__)
#include "conf/keys.def"
};

static const struct rv_conf_key client_keys[] = {
#define KEY_CLIENT(...) ROW(client, __VA_ARGS__)
#include "conf/keys.def"
};

static const struct rv_conf_key pool_keys[] = {
#define KEY_POOL(...) ROW(pool, __VA_ARGS__)
#include "conf/keys.def"
};

static const struct rv_conf_key queue_keys[] = {
#define KEY_QUEUE(...) ROW(queue, __VA_ARGS__)
#include "conf/keys.def"
};

static const struct rv_conf_key task_keys[] = {
#define KEY_TASK(...) ROW(task, __VA_ARGS__)
#include "conf/keys.def"
};

static const struct rv_conf_key resource_keys[] = {
#define KEY_RESOURCE(...) ROW(resource, __VA_ARGS__)
#include "conf/keys.def"
};

static const struct rv_conf_key schedule_keys[] = {
#define KEY_SCHEDULE(...) ROW(schedule, __VA_ARGS__)
#include "conf/keys.def"
};

#define SINGLE false
#define NAMED  true

const struct rv_conf_section_info rv_conf_sections[RV_SECTIONS] = {
#define SECTION(sym, section_name, how, type, section_reload, section_doc)                         \
	[RV_SECTION_##sym] = {                                                                     \
		.name = section_name,                                                              \
		.named = how,                                                                      \
		.size = sizeof(struct rv_conf_##type),                                             \
		.origins_offset = offsetof(struct rv_conf_##type, origins),                        \
		.keys = type##_keys,                                                               \
		.nkeys = RV_ARRAY_LEN(type##_keys),                                                \
		.reload = RV_CONF_##section_reload,                                                \
		.doc = section_doc,                                                                \
	},
#include "conf/sections.def"
#undef SECTION
};

bool rv_conf_key_stands(enum rv_conf_section section, const struct rv_conf_key *key)
{
	return section != RV_SECTION_DEFAULTS || (key->flags & RV_KEY_TASK_ONLY) == 0;
}

const struct rv_conf_key *rv_conf_key_find(enum rv_conf_section section, const char *name)
{
	const struct rv_conf_section_info *info = &rv_conf_sections[section];

	PRE(section < RV_SECTIONS);
	for (size_t i = 0; i < info->nkeys; i++) {
		if (strcmp(info->keys[i].name, name) == 0 &&
		    rv_conf_key_stands(section, &info->keys[i]))
			return &info->keys[i];
	}
	return NULL;
}

const char *rv_conf_key_near(enum rv_conf_section section, const char *name)
{
	const struct rv_conf_section_info *info = &rv_conf_sections[section];
	const char *names[64];
	size_t count = 0;

	for (size_t i = 0; i < info->nkeys; i++) {
		INV(count < RV_ARRAY_LEN(names));
		if (rv_conf_key_stands(section, &info->keys[i]))
			names[count++] = info->keys[i].name;
	}
	return rv_near(name, names, count);
}

bool rv_conf_key_is_list(const struct rv_conf_key *key)
{
	return key->type == RV_TYPE_CODES || key->type == RV_TYPE_NAMES ||
	       key->type == RV_TYPE_PATHS || key->type == RV_TYPE_ENV ||
	       key->type == RV_TYPE_RULES || key->type == RV_TYPE_ENVNAMES ||
	       key->type == RV_TYPE_ARGS;
}

bool rv_conf_key_is_lines(const struct rv_conf_key *key)
{
	return key->type == RV_TYPE_PATHS || key->type == RV_TYPE_ENV ||
	       key->type == RV_TYPE_RULES || key->type == RV_TYPE_ARGS;
}
