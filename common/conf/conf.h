#ifndef RV_CONF_CONF_H
#define RV_CONF_CONF_H

/*
 * The configuration.  Read once into an immutable struct rv_conf; a reload reads a new one and asks
 * rv_conf_diff() what to do.  The supervisor and the CLI load it (files, environment, -o); children
 * get its dump as text on RV_CONF_FD and parse that.  Fields, defaults and bounds: conf/keys.def.
 */

#include "base/err.h"
#include "conf/types.h"

#include <string.h>

struct rv_buf;
struct rv_conf_private;

#define RV_CONF_WORKERS_MAX 255          /* of all pools: slots of the area less the keeper's */
#define RV_CONF_TEXT_MAX    (64LL << 20) /* bytes of one file or dump */

struct rv_conf {
	struct rv_conf_reeve reeve;
	struct rv_conf_store store;
	struct rv_conf_log log;
	struct rv_conf_client client;
	struct rv_conf_task defaults; /* what a task does not say; also the task of ad-hoc jobs */
	struct rv_conf_pool *pools;   /* in the order written; ≥ 1 */
	size_t npools;
	struct rv_conf_queue *queues; /* declared ones, then those that pools or tasks name; ≥ 1 */
	size_t nqueues;
	struct rv_conf_task *tasks; /* each complete: the defaults are filled in */
	size_t ntasks;
	struct rv_conf_resource *resources;
	size_t nresources;
	struct rv_conf_schedule *schedules;
	size_t nschedules;
	const char *file; /* main file, absolute; NULL: none */
	struct rv_conf_private *priv;
};

/*
 * What is wrong (or, warning: doubtful) and where: "file:line", "-o KEY", "environment NAME", the
 * file alone when it cannot be read, or "built-in" for a default that does not fit this machine.
 */
struct rv_conf_error {
	char *where;
	char *text;
	bool warning;
	uint64_t order; /* private: of files and lines */
};

struct rv_conf_errors {
	struct rv_conf_error *items; /* owned */
	size_t count;                /* errors and warnings, by file and line */
	size_t nerrors;
	size_t lost; /* errors that there was no memory to keep (counted in nerrors) */
};

void rv_conf_errors_init(struct rv_conf_errors *errors);
void rv_conf_errors_fini(struct rv_conf_errors *errors);
/* Adds a line "where: [warning: ]text" for each to ${out}. */
int rv_conf_errors_print(const struct rv_conf_errors *errors, struct rv_buf *out) RV_MUST_CHECK;

struct rv_conf_source {
	const char *file;              /* NULL: no file, built-in defaults */
	const char *const *overrides;  /* "section.key=value" of -o, NULL-terminated; or NULL */
	char *const *environment;      /* for REEVE_SECTION__KEY, ${NAME}, HOME, XDG_*; or NULL */
	rv_conf_module_fn *look;       /* into modules; NULL: only whether they can be read */
	rv_conf_controller_fn *limits; /* whether they can be had; NULL: not looked at */
	enum rv_conf_as as;
};

/*
 * Reads everything ${from} names, checks it, and collects *all* errors.  RV_E_CONF when ${errors}
 * has any, RV_E_NOMEM.  Warnings alone are RV_OK.  errors: initialised by the caller.
 */
int rv_conf_load(const struct rv_conf_source *from, struct rv_conf **ret_conf,
		 struct rv_conf_errors *errors) RV_MUST_CHECK;
/* The same from text that rv_conf_dump() wrote: no files, environment or look at this machine. */
int rv_conf_parse(const char *text, size_t size, struct rv_conf **ret_conf,
		  struct rv_conf_errors *errors) RV_MUST_CHECK;
/* As rv_conf_parse, of what ${fd} has (borrowed, from its start; a child's RV_CONF_FD). */
int rv_conf_read(int fd, struct rv_conf **ret_conf, struct rv_conf_errors *errors) RV_MUST_CHECK;
void rv_conf_free(struct rv_conf *conf);

/*
 * The file to load: ${option} (of -c), $REEVE_CONFIG, ~/.config/reeve/reeve.ini,
 * /etc/reeve/reeve.ini.  The first two need not exist; RV_E_NOTFOUND: there is none.  free() it.
 */
int rv_conf_find_file(const char *option, char *const *environment, char **ret_path) RV_MUST_CHECK;

/* The effective configuration as INI text; parsing it gives the same again.  With ORIGINS, for
 * people: a comment "# file:line" above each key that was set. */
enum rv_conf_dump_how { RV_CONF_DUMP_PLAIN, RV_CONF_DUMP_ORIGINS };
int rv_conf_dump(const struct rv_conf *conf, enum rv_conf_dump_how how,
		 struct rv_buf *out) RV_MUST_CHECK;
/* 64-bit FNV-1a of the plain dump: equal for equal configurations.  RV_E_NOMEM. */
int rv_conf_hash(const struct rv_conf *conf, uint64_t *ret_hash) RV_MUST_CHECK;

enum rv_conf_reload { RV_CONF_LIVE, RV_CONF_ROLL, RV_CONF_NEXT_START }; /* see keys.def */
struct rv_conf_change {
	const char *section; /* "pool:default" */
	const char *key;     /* NULL: the whole section came or went */
	const char *from;    /* as the INI would say it; NULL: it was not there */
	const char *to;      /* NULL: it is gone */
	const char *pool;    /* the only pool it concerns; NULL: all */
	enum rv_conf_reload reload;
};
typedef void rv_conf_change_fn(void *ctx, const struct rv_conf_change *change);
/* Calls ${fn} for each difference (all borrowed for the call).  RV_E_NOMEM, maybe after some calls.
 */
int rv_conf_diff(const struct rv_conf *was, const struct rv_conf *now, rv_conf_change_fn *fn,
		 void *ctx) RV_MUST_CHECK;

static inline bool rv_conf_codes_have(const struct rv_conf_codes *codes, int code)
{
	return code >= 0 && code <= 255 && (codes->bits[code / 64] >> (code % 64) & 1);
}

/* The name in "pool:NAME", a value of [pool] after; NULL: that is not its form. */
static inline const char *rv_conf_after(const char *text)
{
	return strncmp(text, "pool:", 5) == 0 ? text + 5 : NULL;
}

/* NULL when there is none.  Borrowed from ${conf}. */
const struct rv_conf_pool *rv_conf_pool_find(const struct rv_conf *conf, const char *name);
const struct rv_conf_queue *rv_conf_queue_find(const struct rv_conf *conf, const char *name);
const struct rv_conf_task *rv_conf_task_find(const struct rv_conf *conf, const char *name);
const char *rv_conf_task_origin(const struct rv_conf_task *task, const char *key); /* file:line */
/*
 * What the store mirrors: each task, the defaults as the task RV_TASK_ADHOC, each queue, resource
 * and schedule.  For the keeper and for who creates a store; not to outlive ${conf}.  RV_E_NOMEM;
 * fini accepts a zeroed struct.
 */
struct rv_conf_defs {
	struct rv_task_def *tasks; /* owned, as queues */
	size_t ntasks;
	struct rv_queue_def *queues;
	size_t nqueues;
	struct rv_resource_def *resources;
	size_t nresources;
	struct rv_schedule_def *schedules; /* their texts are those of ${conf}, or of specs */
	size_t nschedules;
	char **specs; /* owned, as each of them */
};
int rv_conf_defs(const struct rv_conf *conf, struct rv_conf_defs *ret_defs) RV_MUST_CHECK;
void rv_conf_defs_fini(struct rv_conf_defs *defs);

#endif
