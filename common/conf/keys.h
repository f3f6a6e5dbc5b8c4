#ifndef RV_CONF_KEYS_H
#define RV_CONF_KEYS_H

/* The tables made from keys.def and sections.def.  The modules of this folder only. */

#include "conf/conf.h"

enum rv_conf_type {
	RV_TYPE_NAME,
	RV_TYPE_PATH,
	RV_TYPE_TARGET,
	RV_TYPE_USER,
	RV_TYPE_GROUP,
	RV_TYPE_COMMAND,
	RV_TYPE_BOOL,
	RV_TYPE_ADHOC,
	RV_TYPE_INT,
	RV_TYPE_OCTAL,
	RV_TYPE_DECIMAL,
	RV_TYPE_SIGNAL,
	RV_TYPE_WORKERS,
	RV_TYPE_DURATION,
	RV_TYPE_SIZE,
	RV_TYPE_LIMIT,
	RV_TYPE_LIMIT_SIZE,
	RV_TYPE_LIMIT_TIME,
	RV_TYPE_BACKOFF,
	RV_TYPE_RATE,
	RV_TYPE_CODES,
	RV_TYPE_CPUS,
	RV_TYPE_IONICE,
	RV_TYPE_NAMES,
	RV_TYPE_TAKES,
	RV_TYPE_PATHS,
	RV_TYPE_ENV,
	RV_TYPE_RULES,
	RV_TYPE_ENVNAMES,
	RV_TYPE_ARGS,
	RV_TYPE_AFTER,
	RV_TYPE_CRON,
	RV_TYPE_ZONE,
	RV_TYPE_CATCH_UP,
	RV_TYPE_OVERLAP,
	RV_TYPE_STRATEGY,
	RV_TYPE_ON_FULL,
	RV_TYPE_ON_EXIT,
	RV_TYPE_DURABILITY,
	RV_TYPE_SUBMIT,
	RV_TYPE_HANDLER,
	RV_TYPE_BUILTIN,
	RV_TYPE_LEVEL,
	RV_TYPE_FORMAT,
	RV_TYPES
};

enum rv_conf_flag {
	RV_KEY_EXPAND = 1,    /* X */
	RV_KEY_EMPTY = 2,     /* E */
	RV_KEY_TASK_ONLY = 4, /* T */
	RV_KEY_MERGE = 8,     /* M */
};

struct rv_conf_key {
	const char *name;
	enum rv_conf_type type;
	size_t offset; /* of the field in its struct */
	const char *def;
	int64_t min;
	int64_t max;
	enum rv_conf_reload reload;
	unsigned flags; /* enum rv_conf_flag */
	const char *doc;
};

enum rv_conf_section {
#define SECTION(sym, name, how, type, reload, doc) RV_SECTION_##sym,
#include "conf/sections.def"
#undef SECTION
	RV_SECTIONS
};

struct rv_conf_section_info {
	const char *name;
	bool named;
	size_t size; /* of its struct */
	size_t origins_offset;
	const struct rv_conf_key *keys;
	size_t nkeys;
	enum rv_conf_reload reload; /* when such a section comes or goes */
	const char *doc;
};

extern const struct rv_conf_section_info rv_conf_sections[RV_SECTIONS];

/* The key of that name which may stand in ${section}, or NULL. */
const struct rv_conf_key *rv_conf_key_find(enum rv_conf_section section, const char *name);
/* Whether ${key}, a row of the section's table, may stand in it. */
bool rv_conf_key_stands(enum rv_conf_section section, const struct rv_conf_key *key);
/* The nearest key of ${section} to ${name}, or NULL. */
const char *rv_conf_key_near(enum rv_conf_section section, const char *name);
/* Lists take several assignments. */
bool rv_conf_key_is_list(const struct rv_conf_key *key);
/* … and those whose items may contain commas take one a line. */
bool rv_conf_key_is_lines(const struct rv_conf_key *key);

#endif
