/*
 * What a job carries besides its options: the arguments of its task, or its own command.  Runs in
 * the CLI, the library and the keeper.  Checks against the configuration what can be checked before
 * the store is asked; must never pass on a variable that the daemon would refuse.
 */
#include "client/newjob.h"

#include "base/buf.h"
#include "base/near.h"
#include "conf/conf.h"
#include "conf/env.h"
#include "conf/words.h"
#include "os/file.h"
#include "os/user.h"
#include "wire/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGS_MAX 64 /* different ${arg.NAME} that one command may name and still be checked */

int rv_newjob_string(struct rv_newjob *new, const char *what, const char *text, size_t size,
		     json_t **ret_json)
{
	json_t *json = json_stringn(text, size);

	if (!json)
		return rv_fail(new->why, RV_E_PARSE,
			       "%s is not UTF-8 text; pass other bytes by --stdin", what);
	*ret_json = json;
	return RV_OK;
}

int rv_newjob_keep(struct rv_newjob *new, const json_t *json, const char **ret_text,
		   size_t *ret_size)
{
	struct rv_buf buf;
	int err;

	rv_buf_init(&buf);
	err = rv_json_dump(json, false, &buf);
	if (!err) {
		*ret_text = rv_arena_memdup(new->arena, rv_buf_text(&buf), buf.size);
		*ret_size = buf.size;
		err = *ret_text ? RV_OK : RV_E_NOMEM;
	}
	rv_buf_fini(&buf);
	return err;
}

int rv_newjob_pair(struct rv_newjob *new, json_t *object, const char *pair, bool again)
{
	const char *equals = strchr(pair, '=');
	struct rv_why *why = new->why;
	json_t *value = NULL;
	char *name;
	int err;

	if (!equals || equals == pair)
		return rv_fail(why, RV_E_USAGE, "%s: expected NAME=VALUE", pair);
	name = rv_arena_memdup(new->arena, pair, (size_t)(equals - pair));
	if (!name)
		return RV_E_NOMEM;
	if (!again && json_object_get(object, name))
		return rv_fail(why, RV_E_USAGE, "the argument %s is given twice", name);
	err = rv_newjob_string(new, name, equals + 1, strlen(equals + 1), &value);
	if (err)
		return err;
	if (json_object_set_new(object, name, value) != 0)
		return rv_fail(why, RV_E_PARSE, "%s is not UTF-8 text", name);
	return RV_OK;
}

/* Takes ${spec}. */
static int keep_spec(struct rv_newjob *new, json_t *spec)
{
	size_t size;
	int err = spec ? rv_newjob_keep(new, spec, &new->job.spec, &size) : RV_E_NOMEM;

	json_decref(spec);
	return err;
}

/* The names of ${arg.NAME} in a command, each once. */
static int names_of(struct rv_newjob *new, const char *command, const char **names,
		    size_t *ret_count)
{
	struct rv_words words;
	size_t count = 0;
	int err = rv_words_split(command, new->arena, &words, new->why);

	if (err)
		return err;
	for (size_t i = 0; i < words.count; i++) {
		for (size_t k = 0; k < words.items[i].nparts; k++) {
			const struct rv_word_part *part = &words.items[i].parts[k];
			bool known = !part->is_arg;

			for (size_t n = 0; n < count && !known; n++)
				known = strcmp(names[n], part->text) == 0;
			if (!known && count < ARGS_MAX)
				names[count++] = part->text;
		}
	}
	*ret_count = count;
	return RV_OK;
}

static int unknown_arg(struct rv_newjob *new, const char *name, const char *const *names,
		       size_t count)
{
	const char *near = rv_near(name, names, count);

	if (near)
		return rv_fail(new->why, RV_E_USAGE, "task %s has no argument %s; did you mean %s?",
			       new->job.task, name, near);
	return rv_fail(new->why, RV_E_USAGE, "task %s has no argument %s%s", new->job.task, name,
		       count == 0 ? "; it takes none" : "");
}

/* Only exec tasks of the configuration say which arguments they take. */
static int check_args(struct rv_newjob *new, json_t *args)
{
	const struct rv_conf_task *task =
		new->conf ? rv_conf_task_find(new->conf, new->job.task) : NULL;
	const char *names[ARGS_MAX];
	const char *name;
	json_t *value;
	size_t count = 0;
	int err;

	if (!task || task->handler != RV_CONF_HANDLER_EXEC || !task->command)
		return RV_OK;
	if (!task->shell) {
		err = names_of(new, task->command, names, &count);
		if (err)
			return err;
	}
	json_object_foreach(args, name, value)
	{
		bool known = count == ARGS_MAX;

		for (size_t i = 0; i < count && !known; i++)
			known = strcmp(names[i], name) == 0;
		if (!known)
			return unknown_arg(new, name, names, count);
	}
	for (size_t i = 0; i < count; i++) {
		if (!json_object_get(args, names[i]))
			return rv_fail(new->why, RV_E_USAGE, "task %s needs the argument %s=…",
				       new->job.task, names[i]);
	}
	return RV_OK;
}

int rv_newjob_task_spec(struct rv_newjob *new, json_t *args)
{
	int err = check_args(new, args);

	if (err)
		return err;
	return keep_spec(new,
			 args ? json_pack("{s:O}", "args", args) : json_pack("{s:{}}", "args"));
}

static bool in_groups(const struct rv_user *user, gid_t gid)
{
	for (size_t i = 0; i < user->ngroups; i++) {
		if (user->groups[i] == gid)
			return true;
	}
	return false;
}

static bool may_enter(const struct rv_user *user, const struct stat *st)
{
	if (st->st_uid == user->uid)
		return st->st_mode & S_IXUSR;
	if (in_groups(user, st->st_gid))
		return st->st_mode & S_IXGRP;
	return st->st_mode & S_IXOTH;
}

/* Every folder on the way to ${path} must let ${uid} through.  By mode bits: what ACLs add is not
 * seen. */
static bool reachable(const char *path, uid_t uid)
{
	struct rv_user user = {.groups = NULL};
	char part[RV_PATH_MAX];
	struct stat st;
	bool fine = true;

	if (uid == geteuid())
		return access(path, X_OK) == 0;
	if (uid == 0 || rv_user_by_uid(uid, &user, NULL) != RV_OK)
		return true; /* root may; of an unknown user nothing can be told */
	for (size_t i = 1; fine && i <= strlen(path) && i < sizeof(part); i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		fine = stat(part, &st) == 0 && may_enter(&user, &st);
	}
	rv_user_fini(&user);
	return fine;
}

/* The folder a command runs in: absolute, a folder, and open to the daemon's user. */
static int find_cwd(struct rv_newjob *new, const char *cwd, char *out)
{
	struct rv_why *why = new->why;
	uid_t daemon_uid = geteuid();
	struct stat st;

	if (!realpath(cwd ? cwd : ".", out))
		return rv_fail(why, errno == ENOENT ? RV_E_NOTFOUND : rv_err_from_errno(errno),
			       "cannot use the directory %s: %s", cwd ? cwd : ".", strerror(errno));
	if (stat(out, &st) != 0 || !S_ISDIR(st.st_mode))
		return rv_fail(why, RV_E_USAGE, "%s is not a directory", out);
	if (new->store_path && stat(new->store_path, &st) == 0)
		daemon_uid = st.st_uid;
	if (!reachable(out, daemon_uid))
		return rv_fail(why, RV_E_DENIED,
			       "the daemon's user (uid %u) cannot enter %s; use -C DIR",
			       (unsigned)daemon_uid, out);
	return RV_OK;
}

static int check_env(struct rv_newjob *new, json_t *env)
{
	const char *name;
	json_t *value;

	json_object_foreach(env, name, value)
	{
		int err = rv_env_name_check(name, strlen(name), new->why);

		if (err)
			return err;
	}
	return RV_OK;
}

int rv_newjob_command_spec(struct rv_newjob *new, json_t *command, const char *cwd, json_t *env)
{
	char path[RV_PATH_MAX];
	json_t *spec;
	int err;

	if (!new->conf || !new->conf->reeve.adhoc)
		return rv_fail(new->why, RV_E_REFUSED,
			       "commands of your own are not allowed here, only tasks of the "
			       "configuration; to allow them: -o reeve.adhoc=yes (for reeved too)");
	if (json_array_size(command) == 0 || !*json_string_value(json_array_get(command, 0)))
		return rv_fail(new->why, RV_E_USAGE, "the command is empty");
	err = check_env(new, env);
	if (!err)
		err = find_cwd(new, cwd, path);
	if (err)
		return err;
	spec = json_pack("{s:O}", "command", command);
	json_t *where = json_string(path);
	if (!where) {
		json_decref(spec);
		return rv_fail(new->why, RV_E_PARSE, "the path of the directory is not UTF-8");
	}
	err = spec ? rv_json_set_new(spec, "cwd", where) : RV_E_NOMEM;
	if (!err && json_object_size(env) > 0)
		err = rv_json_set_new(spec, "env", json_incref(env));
	if (err) {
		json_decref(spec);
		return err;
	}
	new->job.task = RV_TASK_ADHOC;
	return keep_spec(new, spec);
}
