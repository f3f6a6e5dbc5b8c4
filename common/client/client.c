/*
 * A client of one reeve: finds configuration and store.  Runs in the CLI and in tests.
 * Must never create or change anything unless RV_CLIENT_CREATE asks for it, and never guess a store
 * that the configuration does not name.
 */
#include "client/client.h"

#include "base/buf.h"
#include "base/check.h"
#include "client/offer.h"
#include "conf/conf.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/user.h"
#include "store/read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ${path} made absolute by our working directory, textually: a store may not exist yet. */
static int absolute(const char *path, char *out, size_t space, struct rv_why *why)
{
	char here[RV_PATH_MAX];

	if (*path == '\0')
		return rv_fail(why, RV_E_USAGE, "the path of the store is empty");
	if (*path != '/' && !getcwd(here, sizeof(here)))
		return rv_fail(why, rv_err_from_errno(errno),
			       "cannot tell the working directory: %m");
	int err = rv_path_join(out, space, *path == '/' ? "" : here, path);
	return err ? rv_fail(why, err, "the path of the store is too long") : RV_OK;
}

static size_t count_of(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static const char *variable(char *const *environment, const char *name)
{
	size_t size = strlen(name);

	for (; environment && *environment; environment++) {
		if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
			return *environment + size + 1;
	}
	return NULL;
}

#define HOME_KEYS 3

/*
 * In a job, where nobody says which reeve is meant: the one whose job it is.  As many overrides as
 * it takes, before those of the caller.
 */
static int home_overrides(const struct rv_client_how *how, const char ***ret_list, char **ret_texts)
{
	static const struct {
		const char *variable, *key;
	} keys[HOME_KEYS] = {{"REEVE_STORE", "store.path"},
			     {"REEVE_STATE_DIR", "reeve.state_dir"},
			     {"REEVE_ADHOC", "reeve.adhoc"}};
	size_t given = count_of(how->overrides);
	size_t n = 0;

	if (how->config || variable(how->environment, "REEVE_CONFIG") ||
	    !variable(how->environment, "REEVE_STORE"))
		return RV_OK;
	*ret_list = calloc(given + HOME_KEYS + 1, sizeof(**ret_list));
	if (!*ret_list)
		return RV_E_NOMEM;
	for (size_t i = 0; i < HOME_KEYS; i++) {
		const char *value = variable(how->environment, keys[i].variable);

		if (!value)
			continue;
		if (asprintf(&ret_texts[i], "%s=%s", keys[i].key, value) < 0) {
			ret_texts[i] = NULL;
			return RV_E_NOMEM;
		}
		(*ret_list)[n++] = ret_texts[i];
	}
	for (size_t i = 0; i < given; i++)
		(*ret_list)[n++] = how->overrides[i];
	return RV_OK;
}

/* --store, before the caller's overrides, which win.  The list and ${*ret_path} are the caller's.
 */
static int store_overrides(const struct rv_client_how *how, const char ***ret_list, char **ret_path,
			   struct rv_why *why)
{
	size_t given = count_of(how->overrides);
	char path[RV_PATH_MAX];
	int err = absolute(how->store, path, sizeof(path), why);

	if (err)
		return err;
	*ret_list = calloc(given + 2, sizeof(**ret_list));
	if (!*ret_list || asprintf(ret_path, "store.path=%s", path) < 0)
		return RV_E_NOMEM;
	(*ret_list)[0] = *ret_path;
	for (size_t i = 0; i < given; i++)
		(*ret_list)[i + 1] = how->overrides[i];
	return RV_OK;
}

static bool names_store(const struct rv_client_how *how)
{
	static const char key[] = "store.path=";

	if (how->store || variable(how->environment, "REEVE_STORE__PATH"))
		return true;
	for (const char *const *set = how->overrides; set && *set; set++) {
		if (strncmp(*set, key, sizeof(key) - 1) == 0)
			return true;
	}
	/* A job is told both. */
	return !how->config && !variable(how->environment, "REEVE_CONFIG") &&
	       variable(how->environment, "REEVE_STORE") &&
	       !variable(how->environment, "REEVE_STATE_DIR");
}

static int load(struct rv_client *client, const struct rv_client_how *how,
		const char *const *overrides, struct rv_conf_errors *errors, struct rv_why *why)
{
	char *file = NULL;
	int err = rv_conf_find_file(how->config, how->environment, &file);

	if (err == RV_OK || err == RV_E_NOTFOUND) {
		struct rv_conf_source from = {
			.file = file, .overrides = overrides, .environment = how->environment};

		err = rv_conf_load(&from, &client->conf, errors);
	}
	if (err)
		(void)rv_fail(why, err, "%s%sthe configuration cannot be used", file ? file : "",
			      file ? ": " : "");
	free(file);
	return err;
}

int rv_client_init(struct rv_client *client, const struct rv_client_how *how,
		   struct rv_conf_errors *errors, struct rv_why *why)
{
	const char **list = NULL;
	char *texts[HOME_KEYS] = {NULL};
	int err = RV_OK;

	memset(client, 0, sizeof(*client));
	client->busy_us = how->busy_us > 0 ? how->busy_us : RV_CLIENT_BUSY_US;
	client->store_named = names_store(how);
	if (how->store)
		err = store_overrides(how, &list, &texts[0], why);
	else
		err = home_overrides(how, &list, texts);
	if (!err)
		err = load(client, how, list ? list : how->overrides, errors, why);
	free(list);
	for (size_t i = 0; i < HOME_KEYS; i++)
		free(texts[i]);
	if (err)
		return err;
	client->store_path = strdup(client->conf->store.path);
	return client->store_path ? RV_OK : RV_E_NOMEM;
}

void rv_client_fini(struct rv_client *client)
{
	rv_offer_close(client->offer);
	rv_store_close(client->store);
	rv_conf_free(client->conf);
	free(client->store_path);
	memset(client, 0, sizeof(*client));
}

static int any_queue(void *ctx, const struct rv_queue_view *view)
{
	bool *found = ctx;

	(void)view;
	*found = true;
	return RV_OK;
}

static int mirror(struct rv_client *client, struct rv_why *why)
{
	struct rv_conf_defs defs;
	struct rv_req *req = calloc(1, sizeof(*req));
	int err = req ? rv_conf_defs(client->conf, &defs) : RV_E_NOMEM;

	if (err == RV_OK) {
		req->kind = RV_REQ_MIRROR;
		req->u.mirror = (struct rv_req_mirror){.tasks = defs.tasks,
						       .ntasks = defs.ntasks,
						       .queues = defs.queues,
						       .nqueues = defs.nqueues,
						       .resources = defs.resources,
						       .nresources = defs.nresources,
						       .schedules = defs.schedules,
						       .nschedules = defs.nschedules};
		err = rv_store_do(client->store, &req, 1, RV_DURABILITY_FULL, client->busy_us, why);
		if (!err && req->err)
			err = rv_fail(why, req->err, "%s", rv_why_text(&req->why, req->err));
		rv_conf_defs_fini(&defs);
	}
	free(req);
	return err;
}

static int mirror_if_new(struct rv_client *client, struct rv_why *why)
{
	bool found = false;
	int err = rv_store_queues(client->store, any_queue, &found);

	if (err)
		return rv_fail(why, err, "cannot read the queues of %s", client->store_path);
	return found ? RV_OK : mirror(client, why);
}

/* Makes the folder of a store to be; 0700, or 2770 for a group (DESIGN §3 "Where and who"). */
static int make_folder(const struct rv_client *client, struct rv_why *why)
{
	char folder[RV_PATH_MAX];
	int err = rv_path_folder(folder, sizeof(folder), client->store_path);

	if (err)
		return rv_fail(why, err, "the path of the store is too long");
	return rv_folder_make(folder, client->conf->reeve.group ? 02770 : 0700, why);
}

/* A store whose daemon lives among other numbers of processes is not ours to touch. */
static int check_daemon(const struct rv_client *client, struct rv_why *why)
{
	char path[RV_PATH_MAX];
	pid_t pid;
	int err = rv_client_lock_path(client, path, sizeof(path));

	return !err && rv_lock_holder(path, &pid, why) == RV_E_CONF ? RV_E_CONF : RV_OK;
}

int rv_client_store(struct rv_client *client, enum rv_client_mode mode, struct rv_why *why)
{
	struct stat st;
	bool there = stat(client->store_path, &st) == 0;
	int absent = there ? 0 : errno; /* kept: the next calls have an errno of their own */
	struct rv_store_open how = {.backend = "sqlite",
				    .path = client->store_path,
				    .create = mode == RV_CLIENT_CREATE,
				    .read_only = mode == RV_CLIENT_READ,
				    .group = (gid_t)-1};
	int err;

	if (client->store && (client->writable || mode == RV_CLIENT_READ))
		return RV_OK;
	err = check_daemon(client, why);
	if (err)
		return err;
	if (!there && absent != ENOENT && absent != ENOTDIR)
		return rv_fail(why, rv_err_from_errno(absent), "%s: %s", client->store_path,
			       strerror(absent));
	if (!there && mode != RV_CLIENT_CREATE)
		return rv_fail(why, RV_E_NOTFOUND,
			       "there is no store at %s (nothing was added yet?)",
			       client->store_path);
	if (client->conf->reeve.group) {
		err = rv_group_find(client->conf->reeve.group, &how.group, why);
		if (err)
			return err;
	}
	if (!there && (err = make_folder(client, why)) != RV_OK)
		return err;
	rv_store_close(client->store);
	client->store = NULL;
	err = rv_store_open(&how, &client->store, why);
	if (err)
		return err;
	client->writable = mode != RV_CLIENT_READ;
	return mode == RV_CLIENT_CREATE ? mirror_if_new(client, why) : RV_OK;
}

int rv_client_lock_path(const struct rv_client *client, char *out, size_t space)
{
	int n = snprintf(out, space, "%s.lock", client->store_path);

	return n < 0 || (size_t)n >= space ? RV_E_TOOBIG : RV_OK;
}

int rv_client_runtime_dir(struct rv_client *client, char *out, size_t space)
{
	struct rv_instance instance;
	const char *dir = client->conf->reeve.runtime_dir;

	PRE(space > 0);
	if (client->store && rv_store_instance(client->store, &instance) == RV_OK &&
	    instance.runtime_dir[0] == '/')
		dir = instance.runtime_dir;
	int n = snprintf(out, space, "%s", dir ? dir : "");
	return n <= 0 || (size_t)n >= space ? RV_E_NOTFOUND : RV_OK;
}
