#ifndef RV_CONF_TYPES_H
#define RV_CONF_TYPES_H

/*
 * (Longer than a header should be: it is the one list of what a value can be.)
 * The values of the configuration: the C type of each type that keys.def names, and what they are
 * made of.  Included by conf.h only.  All pointers are owned by the struct rv_conf they stand in.
 */

#include "base/err.h"
#include "base/spec.h"

#include <stddef.h>

struct rv_conf_list {
	const char *const *items; /* NULL-terminated; NULL when empty */
	size_t count;
	const int *weights; /* of queues: count of them, 0 not said; NULL: none has one */
};

/* min < max: as many as the work needs.  auto is worked out at load. */
struct rv_conf_workers {
	int min, max;
};

struct rv_conf_codes {
	uint64_t bits[4]; /* exit codes 0..255 */
};

/* limit_*: RV_CONF_UNSET leaves the daemon's own, RV_CONF_INFINITY is RLIM_INFINITY. */
#define RV_CONF_UNSET    (-1LL)
#define RV_CONF_INFINITY INT64_MAX

#define RV_CONF_CPUS_MAX 1024
struct rv_conf_cpus {
	uint64_t bits[RV_CONF_CPUS_MAX / 64]; /* none: not said */
};

/* ionice: class and level as ioprio_set(2) takes them; 0: not said. */
#define RV_CONF_IONICE(class, level) ((class) << 13 | (level))
enum rv_conf_ioclass { RV_CONF_IO_REALTIME = 1, RV_CONF_IO_BEST_EFFORT, RV_CONF_IO_IDLE };

enum rv_conf_handler {
	RV_CONF_HANDLER_EXEC,
	RV_CONF_HANDLER_BUILTIN,
	RV_CONF_HANDLER_PIPE,
	RV_CONF_HANDLER_MODULE,
};
enum rv_conf_builtin {
	RV_CONF_BUILTIN_NONE,
	RV_CONF_BUILTIN_NOOP,
	RV_CONF_BUILTIN_SLEEP,
	RV_CONF_BUILTIN_FAIL,
};
/* What follows when a worker of a pool has failed. */
enum rv_conf_on_exit { RV_CONF_ON_EXIT_RESTART, RV_CONF_ON_EXIT_HOLD, RV_CONF_ON_EXIT_STOP };
enum rv_conf_submit { RV_CONF_SUBMIT_DIRECT, RV_CONF_SUBMIT_DAEMON };
enum rv_conf_level {
	RV_CONF_LEVEL_DEBUG,
	RV_CONF_LEVEL_INFO,
	RV_CONF_LEVEL_WARN,
	RV_CONF_LEVEL_ERROR,
};
enum rv_conf_format { RV_CONF_FORMAT_AUTO, RV_CONF_FORMAT_TEXT, RV_CONF_FORMAT_JSON };

/* Texts: NULL when empty, except where keys.def lets nothing be empty. */
#define RV_CONF_C_NAME       const char *
#define RV_CONF_C_PATH       const char *
#define RV_CONF_C_TARGET     const char * /* "stderr" or an absolute path */
#define RV_CONF_C_USER       const char *
#define RV_CONF_C_GROUP      const char *
#define RV_CONF_C_COMMAND    const char * /* one line, raw: see conf/words.h */
#define RV_CONF_C_BOOL       bool
#define RV_CONF_C_ADHOC      bool /* worked out at load */
#define RV_CONF_C_INT        int
#define RV_CONF_C_OCTAL      int
#define RV_CONF_C_DECIMAL    int /* thousandths */
#define RV_CONF_C_SIGNAL     int
#define RV_CONF_C_WORKERS    struct rv_conf_workers
#define RV_CONF_C_DURATION   int64_t
#define RV_CONF_C_SIZE       int64_t
#define RV_CONF_C_LIMIT      int64_t
#define RV_CONF_C_LIMIT_SIZE int64_t
#define RV_CONF_C_LIMIT_TIME int64_t
#define RV_CONF_C_BACKOFF    struct rv_backoff
#define RV_CONF_C_RATE       struct rv_rate
#define RV_CONF_C_CODES      struct rv_conf_codes
#define RV_CONF_C_CPUS       struct rv_conf_cpus
#define RV_CONF_C_IONICE     int
#define RV_CONF_C_NAMES      struct rv_conf_list
#define RV_CONF_C_TAKES      struct rv_conf_list /* resources; weights: how many of each */
#define RV_CONF_C_PATHS      struct rv_conf_list
#define RV_CONF_C_ENV        struct rv_conf_list /* "NAME=VALUE", later ones win */
#define RV_CONF_C_RULES      struct rv_conf_list /* each a line of conf/rule.h */
#define RV_CONF_C_ENVNAMES   struct rv_conf_list
#define RV_CONF_C_ARGS       struct rv_conf_list /* "NAME=VALUE" */
#define RV_CONF_C_AFTER      const char *        /* "pool:NAME", see rv_conf_after */
#define RV_CONF_C_CRON       const char *        /* base/cron.h */
#define RV_CONF_C_ZONE       const char *        /* conf/zone.h */
#define RV_CONF_C_CATCH_UP   int64_t             /* RV_CATCH_UP_* or a time */
#define RV_CONF_C_OVERLAP    enum rv_overlap
#define RV_CONF_C_STRATEGY   enum rv_strategy
#define RV_CONF_C_ON_FULL    enum rv_on_full
#define RV_CONF_C_ON_EXIT    enum rv_conf_on_exit
#define RV_CONF_C_DURABILITY enum rv_durability
#define RV_CONF_C_SUBMIT     enum rv_conf_submit
#define RV_CONF_C_HANDLER    enum rv_conf_handler
#define RV_CONF_C_BUILTIN    enum rv_conf_builtin
#define RV_CONF_C_LEVEL      enum rv_conf_level
#define RV_CONF_C_FORMAT     enum rv_conf_format

/*
 * One struct a section, its fields from keys.def.  origins is private: where each key was set.
 */
#define RV_CONF_FIELD(key, type, field, ...) RV_CONF_C_##type field;

#define KEY_REEVE RV_CONF_FIELD
struct rv_conf_reeve {
#include "conf/keys.def"
	const char *const *origins;
};

#define KEY_STORE RV_CONF_FIELD
struct rv_conf_store {
#include "conf/keys.def"
	const char *const *origins;
};

#define KEY_LOG RV_CONF_FIELD
struct rv_conf_log {
#include "conf/keys.def"
	const char *const *origins;
};

#define KEY_CLIENT RV_CONF_FIELD
struct rv_conf_client {
#include "conf/keys.def"
	const char *const *origins;
};

#define KEY_POOL RV_CONF_FIELD
struct rv_conf_pool {
	const char *name;
#include "conf/keys.def"
	const char *const *origins;
};

#define KEY_QUEUE RV_CONF_FIELD
struct rv_conf_queue {
	const char *name;
#include "conf/keys.def"
	const char *const *origins;
};

#define KEY_RESOURCE RV_CONF_FIELD
struct rv_conf_resource {
	const char *name;
#include "conf/keys.def"
	const char *const *origins;
};

#define KEY_SCHEDULE RV_CONF_FIELD
struct rv_conf_schedule {
	const char *name;
#include "conf/keys.def"
	const char *const *origins;
};

#define KEY_TASK RV_CONF_FIELD
struct rv_conf_task {
	const char *name; /* RV_TASK_ADHOC in rv_conf.defaults */
#include "conf/keys.def"
	const char *const *origins;
};

#undef RV_CONF_FIELD

/*
 * As whom jobs without a user run, as far as it is root: it is not bound by RLIMIT_NPROC.  OWNER:
 * root looks at what may be another user's daemon; whose, the state_dir tells where it exists.
 */
enum rv_conf_as { RV_CONF_AS_NOT_ROOT, RV_CONF_AS_ROOT, RV_CONF_AS_OWNER };

/*
 * Looks into the module at ${path} as ${user} and ${group} would (NULL: as who looks): RV_OK, or an
 * error with a sentence.  os/module.h has one; conf starts no process by itself.
 */
typedef int rv_conf_module_fn(const char *path, const char *user, const char *group,
			      struct rv_why *why);
/* Whether runs can be limited by the cgroup controller ${name} (memory, cpu, pids): the same. */
typedef int rv_conf_controller_fn(const char *name, struct rv_why *why);

#endif
