#ifndef RV_CONF_BUILD_H
#define RV_CONF_BUILD_H

/*
 * From assignments to a struct rv_conf.  The modules of this folder only: load.c and override.c
 * bring sections and assignments, build.c makes the structs, check.c looks at the whole.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"
#include "conf/errors.h"
#include "conf/keys.h"

struct rv_conf_private {
	struct rv_arena arena; /* everything in the rv_conf, and itself */
};

/* Later layers win: a list of a later layer replaces that of an earlier one. */
enum rv_layer { RV_LAYER_FILE, RV_LAYER_ENVIRONMENT, RV_LAYER_OPTION };

struct rv_assign {
	struct rv_instance *instance;
	const struct rv_conf_key *key;
	const char *value;
	struct rv_where where;
	unsigned file; /* number of the file, to find keys that one file sets twice */
	enum rv_layer layer;
	bool item; /* an indented line */
};

/* One section of the configuration that is being built. */
struct rv_instance {
	enum rv_conf_section section;
	const char *name;  /* "" of a single one */
	const char *title; /* "pool:default" */
	struct rv_where where;
	unsigned file; /* the last file with such a header, and its line */
	int line;
	bool implied;                  /* nobody wrote it */
	void *base;                    /* its struct, once it exists */
	const struct rv_assign **last; /* by key: what was applied last, or NULL */
	struct rv_instance *next;      /* of the same bucket */
	uint64_t bad; /* by key: its value was wrong, so nothing can be said of it */
};

#define RV_BUILD_BUCKETS 1024u

struct rv_builder {
	struct rv_arena *arena; /* of the rv_conf */
	struct rv_conf_errors *errors;
	char *const *environment; /* for expansion; NULL: none */
	bool from_text;           /* a dump: nothing outside of it is looked at */
	bool has_file;
	rv_conf_module_fn *look;       /* into modules; NULL: not */
	rv_conf_controller_fn *limits; /* whether they can be had; NULL: not looked at */
	enum rv_conf_as as;
	struct rv_buf instances; /* struct rv_instance *, in the order written */
	struct rv_instance *buckets[RV_BUILD_BUCKETS]; /* the same by name */
	struct rv_buf assigns;                         /* struct rv_assign * */
	int err;                                       /* RV_E_NOMEM once memory has run out */
};

/* Initialises ${b} with the single sections. */
void rv_build_init(struct rv_builder *b);
void rv_build_fini(struct rv_builder *b);

struct rv_instance *rv_build_find(const struct rv_builder *b, enum rv_conf_section section,
				  const char *name);
/* Adds a section; NULL when out of memory. */
struct rv_instance *rv_build_add(struct rv_builder *b, enum rv_conf_section section,
				 const char *name, const struct rv_where *where);
size_t rv_build_count(const struct rv_builder *b);
struct rv_instance *rv_build_at(const struct rv_builder *b, size_t index);

/*
 * "name" or "kind:name" to a kind of section and the name ("" of a single one, borrowed from
 * ${title}).  RV_E_NOTFOUND with ${why}.
 */
int rv_build_section(const char *title, enum rv_conf_section *ret_section, const char **ret_name,
		     struct rv_why *why) RV_MUST_CHECK;

/* Notes an assignment; texts are copied.  Unknown keys and wrong repetitions become errors. */
void rv_build_assign(struct rv_builder *b, const struct rv_assign *assign, const char *key);

/* Makes ${conf} of all that was noted, then checks it.  Mistakes go to the errors, b->err is set.
 */
void rv_build_finish(struct rv_builder *b, struct rv_conf *conf);

/* The value of ${assign} after expansion, "" allowed; NULL after an error was added. */
const char *rv_build_value(struct rv_builder *b, const struct rv_assign *assign);

/* Where ${field_key} of ${instance} was set, else where the section stands. */
const struct rv_where *rv_build_where(const struct rv_instance *instance, const char *key);

/* Whether ${key} was set in ${instance}, to a good value or a bad one; whether to a bad one. */
bool rv_build_is_set(const struct rv_instance *instance, const char *key);
bool rv_build_is_bad(const struct rv_instance *instance, const char *key);

/* check.c: what one key alone cannot tell; check_machine.c: what of this machine is asked for. */
void rv_check_conf(struct rv_builder *b, const struct rv_conf *conf);
void rv_check_machine(struct rv_builder *b);
/* override.c */
void rv_override_environment(struct rv_builder *b, char *const *environment);
void rv_override_options(struct rv_builder *b, const char *const *overrides);
/* find.c: the defaults of the three paths, where they are not set. */
int rv_find_paths(struct rv_builder *b, struct rv_conf *conf) RV_MUST_CHECK;

#endif
