/*
 * argv, environment, folder, user and limits of a job's process.  Worker processes.  Must never put
 * anything a job carries into a shell's line, nor let it choose a variable that makes a loader or
 * an interpreter run other code.
 */
#include "run/exec_spec.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/spec.h"
#include "conf/env.h"
#include "conf/words.h"
#include "os/file.h"
#include "os/self.h"
#include "run/pipe_line.h"
#include "store/request.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SPEC_MAX  (1U << 20)
#define ENV_MAX   1024 /* variables of a job */
#define OOM_SCORE 500  /* a job goes before its worker and its daemon; the key's default */

/* The environment while it is built: NAME=VALUE, later ones replace earlier ones. */
struct env {
	struct rv_arena *arena;
	char **items; /* ENV_MAX + 1 */
	size_t count;
};

static int env_put(struct env *env, char *pair, struct rv_why *why)
{
	size_t name = pair ? (size_t)(strchrnul(pair, '=') - pair) : 0;

	if (!pair)
		return RV_E_NOMEM;
	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->items[i], pair, name + 1) == 0) {
			env->items[i] = pair;
			return RV_OK;
		}
	}
	if (env->count >= ENV_MAX)
		return rv_fail(why, RV_E_TOOBIG, "more than %d environment variables", ENV_MAX);
	env->items[env->count++] = pair;
	return RV_OK;
}

static int env_list(struct env *env, const struct rv_conf_list *list, struct rv_why *why)
{
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < list->count; i++)
		err = env_put(env, rv_arena_strdup(env->arena, list->items[i]), why);
	return err;
}

/* The variables that ${names} names, as far as the daemon has them. */
static int env_pass(struct env *env, const struct rv_conf_list *names, char *const *environment,
		    struct rv_why *why)
{
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < names->count; i++) {
		size_t size = strlen(names->items[i]);

		err = rv_env_name_check(names->items[i], size, why);
		for (char *const *at = environment; err == RV_OK && at && *at; at++) {
			if (strncmp(*at, names->items[i], size) == 0 && (*at)[size] == '=')
				err = env_put(env, rv_arena_strdup(env->arena, *at), why);
		}
	}
	return err;
}

/* The text of a JSON scalar, as a word of a command. */
static int scalar_text(const json_t *value, const char *name, struct rv_arena *arena,
		       const char **ret, struct rv_why *why)
{
	const char *text = NULL;

	if (json_is_string(value)) {
		text = json_string_value(value);
		if (strlen(text) != json_string_length(value))
			return rv_fail(why, RV_E_PARSE, "the argument %s holds a NUL byte", name);
	} else if (json_is_boolean(value)) {
		text = json_is_true(value) ? "true" : "false";
	} else if (json_is_integer(value)) {
		text = rv_arena_printf(arena, "%lld", (long long)json_integer_value(value));
	} else if (json_is_real(value)) {
		text = rv_arena_printf(arena, "%.17g", json_real_value(value));
	} else {
		return rv_fail(why, RV_E_PARSE, "the argument %s is no text, number or boolean",
			       name);
	}
	if (!text)
		return RV_E_NOMEM;
	*ret = text;
	return RV_OK;
}

/* What rv_words_argv asks for arguments. */
struct lookup {
	const json_t *args; /* NULL: none */
	struct rv_arena *arena;
	struct rv_why *why;
	int err; /* the first error other than absence */
};

static const char *look_up(void *ctx, const char *name)
{
	struct lookup *lookup = ctx;
	const json_t *value = json_object_get(lookup->args, name);
	const char *text = NULL;
	int err = RV_OK;

	if (!value || json_is_null(value))
		return NULL;
	err = scalar_text(value, name, lookup->arena, &text, lookup->why);
	if (err == RV_OK)
		return text;
	if (lookup->err == RV_OK)
		lookup->err = err;
	return "";
}

static int task_argv(const struct rv_exec_input *in, const json_t *spec, struct rv_arena *arena,
		     struct rv_exec_spec *out, struct rv_why *why)
{
	struct rv_why detail = {.text = ""};
	struct lookup lookup = {.arena = arena, .why = &detail};
	json_t *args = NULL;
	int err;

	if (!in->task->command)
		return rv_fail(why, RV_E_REFUSED, "the task %s has no command", in->task->name);
	err = spec ? rv_json_get_object(spec, "args", &args, why) : RV_OK;
	if (err != RV_OK && err != RV_E_NOTFOUND)
		return err;
	lookup.args = args;
	err = rv_words_argv(in->task->command, look_up, &lookup, arena, &out->argv, why);
	if (lookup.err == RV_OK)
		return err;
	return rv_fail(why, lookup.err, "%s", rv_why_text(&detail, lookup.err));
}

/* One text of the spec's, copied. */
static int copy_text(const json_t *value, const char *what, struct rv_arena *arena, char **ret,
		     struct rv_why *why)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) != json_string_length(value))
		return rv_fail(why, RV_E_PARSE, "%s is not a text without NUL bytes", what);
	*ret = rv_arena_strdup(arena, text);
	return *ret ? RV_OK : RV_E_NOMEM;
}

static int adhoc_argv(const json_t *spec, struct rv_arena *arena, struct rv_exec_spec *out,
		      struct rv_why *why)
{
	const json_t *command = json_object_get(spec, "command");
	size_t count = json_array_size(command);
	int err = RV_OK;

	if (count == 0)
		return rv_fail(why, RV_E_PARSE, "the job has no command");
	out->argv = rv_arena_alloc(arena, (count + 1) * sizeof(*out->argv));
	if (!out->argv)
		return RV_E_NOMEM;
	for (size_t i = 0; err == RV_OK && i < count; i++)
		err = copy_text(json_array_get(command, i), "a word of the command", arena,
				&out->argv[i], why);
	if (err == RV_OK && out->argv[0][0] == '\0')
		err = rv_fail(why, RV_E_PARSE, "the command is empty");
	return err;
}

static int adhoc_cwd(const json_t *spec, struct rv_arena *arena, struct rv_exec_spec *out,
		     struct rv_why *why)
{
	const json_t *value = json_object_get(spec, "cwd");
	char *cwd = NULL;
	int err;

	if (!value || json_is_null(value))
		return RV_OK;
	err = copy_text(value, "the job's folder", arena, &cwd, why);
	if (cwd && cwd[0] != '/')
		err = rv_fail(why, RV_E_PARSE, "the job's folder %s is not absolute", cwd);
	if (err == RV_OK)
		out->cwd = cwd;
	return err;
}

static int adhoc_env(const json_t *spec, struct env *env, struct rv_why *why)
{
	json_t *object = NULL;
	const char *name;
	json_t *value;
	int err = rv_json_get_object(spec, "env", &object, why);

	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	json_object_foreach(object, name, value)
	{
		char *text = NULL;

		err = rv_env_name_check(name, strlen(name), why);
		if (err == RV_OK)
			err = copy_text(value, name, env->arena, &text, why);
		if (err == RV_OK && text)
			err = env_put(env, rv_arena_printf(env->arena, "%s=%s", name, text), why);
		if (err != RV_OK)
			break;
	}
	return err;
}

/* `shell = yes`: the arguments as variables; what no name may hold becomes '_'. */
static int shell_env(const json_t *spec, struct env *env, struct rv_why *why)
{
	json_t *args = NULL;
	const char *name;
	json_t *value;
	int err = spec ? rv_json_get_object(spec, "args", &args, why) : RV_E_NOTFOUND;

	if (err != RV_OK)
		return err == RV_E_NOTFOUND ? RV_OK : err;
	json_object_foreach(args, name, value)
	{
		const char *text = NULL;
		char *pair;

		if (json_is_null(value))
			continue;
		err = scalar_text(value, name, env->arena, &text, why);
		if (err != RV_OK)
			break;
		pair = rv_arena_printf(env->arena, "REEVE_ARG_%s=%s", name, text);
		for (char *c = pair; c && c < pair + strlen("REEVE_ARG_") + strlen(name); c++) {
			if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_",
				    *c))
				*c = '_';
		}
		err = env_put(env, pair, why);
		if (err != RV_OK)
			break;
	}
	return err;
}

char *rv_exec_idem_key(const char *instance, const struct rv_claimed *claim, const char *own,
		       struct rv_arena *arena)
{
	if (own && own[0] != '\0')
		return rv_arena_strdup(arena, own);
	/* The same for each run of this job, another for the same number in another store. */
	return rv_arena_printf(arena, "%s-%lld-%llx", instance, (long long)claim->job,
			       (unsigned long long)claim->created_us);
}

static char *idempotency(const struct rv_exec_input *in, struct rv_arena *arena)
{
	const char *key = rv_exec_idem_key(in->instance_name, in->claim, in->idem_key, arena);

	return key ? rv_arena_printf(arena, "REEVE_IDEMPOTENCY_KEY=%s", key) : NULL;
}

/* Of a handler that is there for any job of its task. */
static int handler_env(const struct rv_exec_input *in, struct env *env, struct rv_why *why)
{
	struct rv_arena *arena = env->arena;
	char *pairs[] = {
		rv_arena_printf(arena, "REEVE_TASK=%s", in->task->name),
		rv_arena_printf(arena, "REEVE_PIPE=%d", RV_PIPE_VERSION),
		rv_arena_printf(arena, "REEVE_ANSWER_FD=%d", RV_PROGRESS_FD),
		rv_arena_printf(arena, "REEVE_INSTANCE=%s", in->mark),
	};
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < RV_ARRAY_LEN(pairs); i++)
		err = env_put(env, pairs[i], why);
	return err;
}

/* Another user cannot go where the file is, and gets it as a descriptor. */
static int state_env(const struct rv_exec_input *in, bool switch_user, struct env *env,
		     struct rv_why *why)
{
	if (!in->state_file)
		return RV_OK;
	if (switch_user)
		return env_put(
			env,
			rv_arena_printf(env->arena, "REEVE_STATE_FILE=/dev/fd/%d", RV_STATE_FD),
			why);
	return env_put(env, rv_arena_printf(env->arena, "REEVE_STATE_FILE=%s", in->state_file),
		       why);
}

static int own_env(const struct rv_exec_input *in, struct env *env, struct rv_why *why)
{
	const struct rv_claimed *claim = in->claim;
	struct rv_arena *arena = env->arena;
	char deadline[RV_FMT_SPACE];
	char *pairs[] = {
		rv_arena_printf(arena, "REEVE_JOB_ID=%lld", (long long)claim->job),
		rv_arena_printf(arena, "REEVE_TASK=%s", in->adhoc ? "" : in->task->name),
		rv_arena_printf(arena, "REEVE_QUEUE=%s", in->queue),
		rv_arena_printf(arena, "REEVE_ATTEMPT=%d", (int)claim->attempt),
		rv_arena_printf(arena, "REEVE_MAX_ATTEMPTS=%d", (int)claim->max_attempts),
		rv_arena_printf(arena, "REEVE_FENCE=%lld", (long long)claim->fence),
		idempotency(in, arena),
		rv_arena_printf(arena, "REEVE_PROGRESS_FD=%d", RV_PROGRESS_FD),
		rv_arena_printf(arena, "REEVE_INSTANCE=%s", in->mark),
	};
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < RV_ARRAY_LEN(pairs); i++)
		err = env_put(env, pairs[i], why);
	if (err == RV_OK && in->deadline_us != 0)
		err = env_put(env,
			      rv_arena_printf(arena, "REEVE_DEADLINE=%s",
					      rv_fmt_time(deadline, in->deadline_us)),
			      why);
	if (err == RV_OK && in->meta)
		err = env_put(env, rv_arena_printf(arena, "REEVE_META=%s", in->meta), why);
	if (err == RV_OK && in->batch)
		err = env_put(env, rv_arena_printf(arena, "REEVE_BATCH=%lld", (long long)in->batch),
			      why);
	return err;
}

/* Which reeve is meant by one that a job calls, unless it says so itself (client/client.c). */
static int home_env(const struct rv_exec_input *in, struct env *env, struct rv_why *why)
{
	struct rv_arena *arena = env->arena;
	int err = RV_OK;

	if (!in->store || !in->state_dir)
		return RV_OK;
	err = env_put(env, rv_arena_printf(arena, "REEVE_STORE=%s", in->store), why);
	if (err == RV_OK)
		err = env_put(env, rv_arena_printf(arena, "REEVE_STATE_DIR=%s", in->state_dir),
			      why);
	return err == RV_OK ? env_put(env,
				      rv_arena_printf(arena, "REEVE_ADHOC=%s",
						      in->adhoc_allowed ? "yes" : "no"),
				      why)
			    : err;
}

/* The folders of the system, and last that of the reeve that belongs to us, wherever it is. */
static char *path_variable(const char *own, struct rv_arena *arena)
{
	static const char standard[] = "PATH=" RV_EXEC_PATH;
	size_t size = own ? strlen(own) : 0;
	bool there = size == 0;

	for (const char *at = standard + strlen("PATH="); !there && *at != '\0';) {
		size_t length = strcspn(at, ":");

		there = length == size && strncmp(at, own, size) == 0;
		at += length + (at[length] == ':');
	}
	return there ? rv_arena_strdup(arena, standard)
		     : rv_arena_printf(arena, "%s:%s", standard, own);
}

static int build_env(const struct rv_exec_input *in, const json_t *spec, struct rv_arena *arena,
		     struct rv_exec_spec *out, struct rv_why *why)
{
	struct env env = {.arena = arena};
	struct rv_conf_list file = {0};
	int err;

	env.items = rv_arena_alloc(arena, (ENV_MAX + 1) * sizeof(*env.items));
	if (!env.items)
		return RV_E_NOMEM;
	err = env_put(&env, path_variable(in->bin, arena), why);
	if (err == RV_OK)
		err = env_pass(&env, &in->task->pass_env, in->environment, why);
	if (err == RV_OK && in->task->env_file)
		err = rv_env_file_read(in->task->env_file, arena, &file, why);
	if (err == RV_OK)
		err = env_list(&env, &file, why);
	if (err == RV_OK)
		err = env_list(&env, &in->task->env, why);
	if (err == RV_OK && in->adhoc)
		err = adhoc_env(spec, &env, why);
	if (err == RV_OK && !in->adhoc && in->task->shell)
		err = shell_env(spec, &env, why);
	if (err == RV_OK && in->tmp)
		err = env_put(&env, rv_arena_printf(arena, "TMPDIR=%s", in->tmp), why);
	if (err == RV_OK)
		err = in->claim ? own_env(in, &env, why) : handler_env(in, &env, why);
	if (err == RV_OK)
		err = state_env(in, out->switch_user, &env, why);
	if (err == RV_OK)
		err = home_env(in, &env, why);
	if (err == RV_OK)
		out->envp = env.items;
	return err;
}

static int build_user(const struct rv_conf_task *task, struct rv_exec_spec *out, struct rv_why *why)
{
	int err = RV_OK;

	out->uid = geteuid();
	out->gid = getegid();
	if (task->user)
		err = rv_user_find(task->user, &out->user, why);
	if (err == RV_OK && task->user) {
		out->uid = out->user.uid;
		out->gid = out->user.gid;
	}
	if (err == RV_OK && task->group)
		err = rv_group_find(task->group, &out->gid, why);
	/* A daemon that is that user already needs no right to change to it. */
	out->switch_user = out->uid != geteuid() || (task->group && out->gid != getegid());
	/* Said here: what is given away for it would be refused first, with other words. */
	if (err == RV_OK && out->switch_user && !rv_user_may_switch(out->uid))
		return rv_fail(why, RV_E_DENIED,
			       "cannot become the %s %s: only a daemon of root can",
			       out->uid != geteuid() ? "user" : "group",
			       out->uid != geteuid() ? task->user : task->group);
	return err;
}

static void limit(struct rv_exec_spec *out, const char *name, int resource, int64_t value,
		  int64_t unit)
{
	rlim_t soft = value == RV_CONF_INFINITY ? RLIM_INFINITY : (rlim_t)(value / unit);
	rlim_t hard = soft;

	if (value == RV_CONF_UNSET)
		return;
	/* SIGXCPU first, KILL a second later. */
	if (resource == RLIMIT_CPU && soft != RLIM_INFINITY)
		hard = soft + 1;
	INV(out->nlimits < RV_EXEC_LIMITS);
	out->limits[out->nlimits++] = (struct rv_spawn_limit){
		.resource = resource,
		.limit = {.rlim_cur = soft, .rlim_max = hard},
		.name = name,
	};
}

static void build_limits(const struct rv_conf_task *task, struct rv_exec_spec *out)
{
	limit(out, "limit_nofile", RLIMIT_NOFILE, task->limit_nofile, 1);
	limit(out, "limit_nproc", RLIMIT_NPROC, task->limit_nproc, 1);
	limit(out, "limit_as", RLIMIT_AS, task->limit_as_bytes, 1);
	limit(out, "limit_cpu", RLIMIT_CPU, task->limit_cpu_us, 1000000);
	limit(out, "limit_fsize", RLIMIT_FSIZE, task->limit_fsize_bytes, 1);
	limit(out, "limit_core", RLIMIT_CORE, task->limit_core_bytes, 1);
}

/* The runner beside us, which loads what the task names. */
static int module_argv(const struct rv_conf_task *task, struct rv_arena *arena,
		       struct rv_exec_spec *out, struct rv_why *why)
{
	char runner[RV_PATH_MAX];
	int err = task->module ? RV_OK : RV_E_REFUSED;

	if (err != RV_OK)
		return rv_fail(why, err, "the task %s has no module", task->name);
	err = rv_self_sibling("reeve-runner", runner, sizeof(runner), why);
	if (err != RV_OK)
		return err;
	out->argv = rv_arena_alloc(arena, 3 * sizeof(*out->argv));
	out->path = rv_arena_strdup(arena, runner);
	if (!out->argv || !out->path)
		return RV_E_NOMEM;
	out->argv[0] = rv_arena_strdup(arena, "reeve-runner");
	out->argv[1] = rv_arena_strdup(arena, task->module);
	return out->argv[0] && out->argv[1] ? RV_OK : RV_E_NOMEM;
}

static int build_command(const struct rv_exec_input *in, const json_t *spec, struct rv_arena *arena,
			 struct rv_exec_spec *out, struct rv_why *why)
{
	int err;

	if (in->adhoc) {
		if (!in->adhoc_allowed)
			return rv_fail(
				why, RV_E_REFUSED,
				"commands of jobs are not allowed here ([reeve] adhoc = no): "
				"set adhoc = yes there, or start reeved with -o "
				"reeve.adhoc=yes, then reeve retry %lld",
				(long long)in->claim->job);
		err = adhoc_argv(spec, arena, out, why);
		return err == RV_OK ? adhoc_cwd(spec, arena, out, why) : err;
	}
	if (in->task->handler == RV_CONF_HANDLER_MODULE)
		return module_argv(in->task, arena, out, why);
	if (!in->task->shell)
		return task_argv(in, spec, arena, out, why);
	if (!in->task->command)
		return rv_fail(why, RV_E_REFUSED, "the task %s has no command", in->task->name);
	out->path = "/bin/sh";
	out->argv = rv_arena_alloc(arena, 4 * sizeof(*out->argv));
	if (!out->argv)
		return RV_E_NOMEM;
	out->argv[0] = rv_arena_strdup(arena, "/bin/sh");
	out->argv[1] = rv_arena_strdup(arena, "-c");
	out->argv[2] = rv_arena_strdup(arena, in->task->command);
	return out->argv[0] && out->argv[1] && out->argv[2] ? RV_OK : RV_E_NOMEM;
}

int rv_exec_spec_build(const struct rv_exec_input *in, struct rv_arena *arena,
		       struct rv_exec_spec *ret_spec, struct rv_why *why)
{
	RV_AUTO(rv_json_free) json_t *spec = NULL;
	struct rv_exec_spec out = {.cwd = in->task->cwd};
	int err = RV_OK;

	if (in->spec && in->spec[0] != '\0') {
		err = rv_json_parse(in->spec, strlen(in->spec), SPEC_MAX, &spec, why);
		if (err != RV_OK)
			return err == RV_E_NOMEM ? err : rv_wrap(why, err, "the job's description");
	}
	err = build_command(in, spec, arena, &out, why);
	if (err == RV_OK)
		err = build_user(in->task, &out, why);
	if (err == RV_OK)
		err = build_env(in, spec, arena, &out, why);
	if (err != RV_OK) {
		rv_exec_spec_fini(&out);
		return err;
	}
	build_limits(in->task, &out);
	*ret_spec = out;
	return RV_OK;
}

void rv_exec_spec_fini(struct rv_exec_spec *spec)
{
	rv_user_fini(&spec->user);
}

void rv_exec_spec_spawn(const struct rv_exec_spec *spec, const struct rv_conf_task *task,
			struct rv_spawn *ret_how)
{
	static const struct rv_conf_cpus any;

	*ret_how = (struct rv_spawn){
		.path = spec->path,
		.argv = spec->argv,
		.envp = spec->envp,
		.new_session = true,
		.parent_death_signal = 9,
		.no_new_privs = task->no_new_privs,
		.cwd = spec->cwd,
		.umask = task->umask == 0 ? RV_SPAWN_UMASK_0 : task->umask,
		.nice = task->nice,
		.ioprio = task->ionice,
		.cpus = memcmp(&task->cpus, &any, sizeof(any)) != 0 ? task->cpus.bits : NULL,
		.oom_score_adj = task->oom_score_adj,
		.oom_score_must = task->oom_score_adj != OOM_SCORE,
		.switch_user = spec->switch_user,
		.uid = spec->uid,
		.gid = spec->gid,
		.user = task->user,
		.group = task->group,
		.groups = spec->user.groups,
		.ngroups = spec->user.ngroups,
		.limits = spec->limits,
		.nlimits = spec->nlimits,
	};
}
