#ifndef RV_RUN_EXEC_SPEC_H
#define RV_RUN_EXEC_SPEC_H

/*
 * From a task and a job to what is executed: argv, environment, folder, user, limits.  Worker only.
 * Nothing of a job ever reaches a shell's line: arguments are whole words or parts of one, and for
 * `shell = yes` variables of the environment, REEVE_ARG_<name>.
 */

#include "base/err.h"
#include "conf/types.h"
#include "os/spawn.h"
#include "os/user.h"

#include <stdbool.h>
#include <stdint.h>

struct rv_arena;
struct rv_claimed;

#define RV_EXEC_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define RV_EXEC_LIMITS 6
#define RV_PROGRESS_FD 3 /* in the job */
#define RV_STATE_FD    4 /* the same, where it cannot go to the file's folder */

/* All borrowed. */
struct rv_exec_input {
	const struct rv_conf_task *task; /* of an ad-hoc job the defaults */
	bool adhoc;                      /* the job carries its command */
	bool adhoc_allowed;
	const char *spec;               /* the job's JSON; NULL or "": none */
	const struct rv_claimed *claim; /* NULL: a handler, for any job of the task */
	const char *queue;
	const char *instance_name; /* of the daemon: part of a made idempotency key */
	const char *idem_key;      /* the job's own; NULL: made of instance, job and creation */
	const char *meta;          /* its metadata, JSON; NULL: none */
	int64_t batch;             /* that it is in, or a callback of; 0 none */
	int64_t deadline_us;       /* wall; 0 none */
	const char *mark;          /* REEVE_INSTANCE */
	const char *bin;           /* the folder of our own reeve, last in PATH; NULL or "": none */
	const char *store, *state_dir; /* of the daemon, for the reeve that a job calls */
	char *const *environment;      /* the daemon's, for pass_env */
	const char *state_file;        /* its path; NULL: it has none */
	const char *tmp;               /* TMPDIR; NULL: not by us */
};

struct rv_exec_spec {
	char **argv;
	char **envp;
	const char *path; /* NULL: argv[0] along PATH */
	const char *cwd;
	bool switch_user;
	struct rv_user user; /* owned */
	uid_t uid;
	gid_t gid;
	struct rv_spawn_limit limits[RV_EXEC_LIMITS];
	size_t nlimits;
};

/*
 * Memory from ${arena}, but for the user: rv_exec_spec_fini.  RV_E_NOMEM; every other error (PARSE,
 * MISSING, DENIED, REFUSED, NOTFOUND, IO) is a sentence in ${why} and will not go away by itself.
 */
int rv_exec_spec_build(const struct rv_exec_input *in, struct rv_arena *arena,
		       struct rv_exec_spec *ret_spec, struct rv_why *why) RV_MUST_CHECK;
void rv_exec_spec_fini(struct rv_exec_spec *spec);

/* REEVE_IDEMPOTENCY_KEY: ${own}, or one that is the same for each run of the job; NULL: no memory.
 */
char *rv_exec_idem_key(const char *instance, const struct rv_claimed *claim, const char *own,
		       struct rv_arena *arena) RV_MUST_CHECK;

/* The spawn of it, descriptors left to the caller.  Borrows from ${spec} and ${task}. */
void rv_exec_spec_spawn(const struct rv_exec_spec *spec, const struct rv_conf_task *task,
			struct rv_spawn *ret_how);

#endif
