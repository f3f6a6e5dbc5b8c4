/*
 * Where things are when nobody says: the configuration file, the state and the sockets.  The
 * supervisor and the CLI, which must agree.
 */
#include "conf/build.h"

#include "base/check.h"
#include "conf/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSTEM_FILE  "/etc/reeve/reeve.ini"
#define SYSTEM_STATE "/var/lib/reeve" /* for those who have no home */
#define SOCKET_NAME  24 /* room for the name of a socket in runtime_dir, its / and the NUL */

static const char *get(char *const *environment, const char *name)
{
	const char *value = rv_text_getenv(environment, name, strlen(name));

	return value && value[0] == '/' ? value : NULL; /* XDG: a relative one counts as unset */
}

static char *join(const char *a, const char *b)
{
	struct rv_buf path;
	char *result = NULL;

	rv_buf_init(&path);
	if (rv_buf_printf(&path, "%s%s", a, b) == RV_OK)
		result = rv_buf_take(&path);
	rv_buf_fini(&path);
	return result;
}

/* Whether there is something to read; what cannot be looked at is reported when it is read. */
static bool is_there(const char *path)
{
	return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

int rv_conf_find_file(const char *option, char *const *environment, char **ret_path)
{
	const char *named = rv_text_getenv(environment, "REEVE_CONFIG", strlen("REEVE_CONFIG"));
	const char *config = get(environment, "XDG_CONFIG_HOME");
	const char *home = get(environment, "HOME");
	char *path;

	if (!option && named && named[0] != '\0')
		option = named;
	if (option) {
		path = join(option, "");
		if (path)
			*ret_path = path;
		return path ? RV_OK : RV_E_NOMEM;
	}
	if (config || home) {
		path = join(config ? config : home,
			    config ? "/reeve/reeve.ini" : "/.config/reeve/reeve.ini");
		if (!path)
			return RV_E_NOMEM;
		if (is_there(path)) {
			*ret_path = path;
			return RV_OK;
		}
		free(path);
	}
	if (!is_there(SYSTEM_FILE))
		return RV_E_NOTFOUND;
	path = join(SYSTEM_FILE, "");
	if (path)
		*ret_path = path;
	return path ? RV_OK : RV_E_NOMEM;
}

static const char *state_dir(struct rv_builder *b)
{
	const char *state = get(b->environment, "XDG_STATE_HOME");
	const char *home = get(b->environment, "HOME");

	if (state)
		return rv_arena_printf(b->arena, "%s/reeve", state);
	if (home)
		return rv_arena_printf(b->arena, "%s/.local/state/reeve", home);
	return rv_arena_strdup(b->arena, SYSTEM_STATE);
}

/* The sockets must fit into a sockaddr_un, all of them. */
static void check_runtime_dir(struct rv_builder *b, const struct rv_conf *conf)
{
	const struct rv_instance *in = rv_build_find(b, RV_SECTION_REEVE, "");
	size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - SOCKET_NAME;
	bool written = rv_build_is_set(in, "runtime_dir");

	if (strlen(conf->reeve.runtime_dir) > most)
		rv_conf_error_add(
			b->errors, rv_build_where(in, written ? "runtime_dir" : "state_dir"),
			"runtime_dir = %.200s: longer than %zu bytes, so sockets cannot be "
			"named in it",
			conf->reeve.runtime_dir, most);
}

int rv_find_paths(struct rv_builder *b, struct rv_conf *conf)
{
	const char *runtime = get(b->environment, "XDG_RUNTIME_DIR");
	bool standard = !conf->reeve.state_dir;

	if (standard)
		conf->reeve.state_dir = state_dir(b);
	if (!conf->reeve.state_dir)
		return RV_E_NOMEM;
	/* A state of its own has sockets of its own: two daemons of one user must not share them.
	 */
	if (!conf->reeve.runtime_dir && standard && runtime)
		conf->reeve.runtime_dir = rv_arena_printf(b->arena, "%s/reeve", runtime);
	else if (!conf->reeve.runtime_dir)
		conf->reeve.runtime_dir =
			rv_arena_printf(b->arena, "%s/run", conf->reeve.state_dir);
	if (!conf->store.path)
		conf->store.path = rv_arena_printf(b->arena, "%s/reeve.db", conf->reeve.state_dir);
	if (!conf->reeve.runtime_dir || !conf->store.path)
		return RV_E_NOMEM;
	check_runtime_dir(b, conf);
	return RV_OK;
}
