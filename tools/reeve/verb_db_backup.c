/*
 * reeve db backup, restore: a copy of the store while it is used, and a store out of a copy while
 * nobody uses it.  Runs in the CLI.  Never removes a file that it has not named itself.
 */
#include "cli.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/user.h"
#include "store/backup.h"
#include "verb.h"
#include "wire/json.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STAMP "00000000T000000Z" /* YYYYMMDDTHHMMSSZ: sorts as it came */

static void show(void *ctx, int64_t done, int64_t all)
{
	rv_bar_show(ctx, done, all, 0);
}

/* The store's name without ".db": how its copies begin. */
static void stem_of(const struct rv_cli *cli, char *out, size_t space)
{
	char *dot;

	(void)snprintf(out, space, "%s", rv_path_base(cli->client.store_path));
	dot = strrchr(out, '.');
	if (dot && dot != out)
		*dot = '\0';
}

/* "${stem}-YYYYMMDDTHHMMSSZ.db" */
static bool is_copy(const char *name, const char *stem)
{
	size_t size = strlen(stem);

	if (strncmp(name, stem, size) != 0 || name[size] != '-')
		return false;
	name += size + 1;
	if (strlen(name) != strlen(STAMP) + 3 || strcmp(name + strlen(STAMP), ".db") != 0)
		return false;
	for (size_t i = 0; i < strlen(STAMP); i++) {
		bool digit = name[i] >= '0' && name[i] <= '9';

		if (STAMP[i] == '0' ? !digit : name[i] != STAMP[i])
			return false;
	}
	return true;
}

/* Removes the oldest copies of ${folder} above ${keep}; how many. */
static int forget(const char *folder, const char *stem, int64_t keep, int64_t *ret_gone,
		  struct rv_why *why)
{
	struct dirent **names = NULL;
	int n = scandir(folder, &names, NULL, alphasort);
	int64_t copies = 0;
	int err = RV_OK;

	if (n < 0)
		return rv_fail(why, rv_err_from_errno(errno), "cannot look into %s: %m", folder);
	for (int i = 0; i < n; i++)
		copies += is_copy(names[i]->d_name, stem);
	*ret_gone = 0;
	for (int i = 0; i < n; i++) {
		char path[RV_PATH_MAX];

		if (!err && is_copy(names[i]->d_name, stem) && copies > keep) {
			err = rv_path_join(path, sizeof(path), folder, names[i]->d_name);
			if (!err)
				err = rv_file_remove(path, why);
			copies--;
			*ret_gone += err == RV_OK;
		}
		free(names[i]);
	}
	free(names);
	return err;
}

/* Where a copy of now goes that is given no name: --dir, else backup beside the store. */
static int choose(struct rv_cli *cli, char *folder, char *path)
{
	const char *dir = rv_args_value(&cli->args, RV_OPT_DIR);
	char stem[RV_PATH_MAX];
	char name[RV_PATH_MAX];
	char store[RV_PATH_MAX];
	char stamp[sizeof(STAMP)];
	time_t now = (time_t)(rv_wall_us() / RV_S_US);
	struct tm tm;
	int err = rv_path_folder(store, sizeof(store), cli->client.store_path);

	if (!err && dir)
		err = rv_path_join(folder, RV_PATH_MAX, NULL, dir);
	else if (!err)
		err = rv_path_join(folder, RV_PATH_MAX, store, "backup");
	if (!err)
		err = rv_folder_make(folder, 0700, &cli->why);
	if (err)
		return err;
	if (!gmtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm) == 0)
		return rv_fail(&cli->why, RV_E_INTERNAL, "the clock cannot be read");
	stem_of(cli, stem, sizeof(stem));
	if ((size_t)snprintf(name, sizeof(name), "%s-%s.db", stem, stamp) >= sizeof(name))
		return RV_E_TOOBIG;
	return rv_path_join(path, RV_PATH_MAX, folder, name);
}

static int print_backup(struct rv_cli *cli, const char *path, int64_t gone)
{
	json_t *object;
	struct stat st;
	int64_t bytes = stat(path, &st) == 0 ? (int64_t)st.st_size : 0;

	if (!cli->json) {
		(void)puts(path);
		if (gone > 0)
			rv_cli_note("%lld older copies removed", (long long)gone);
		return 0;
	}
	object = rv_cli_object();
	if (object &&
	    (rv_json_set_text(object, "path", path) || rv_json_set_int(object, "bytes", bytes) ||
	     rv_json_set_int(object, "removed", gone))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_db_backup(struct rv_cli *cli)
{
	const char *said = rv_args_value(&cli->args, RV_OPT_KEEP);
	char folder[RV_PATH_MAX] = "";
	char path[RV_PATH_MAX];
	char stem[RV_PATH_MAX];
	struct rv_bar bar;
	int64_t keep = 0;
	int64_t gone = 0;
	int err = RV_OK;

	if (said && rv_parse_int(said, 1, 100000, &keep) != RV_OK)
		return rv_cli_say(cli, RV_E_USAGE, "--keep %s is no number from 1 to 100000", said);
	err = rv_cli_store(cli, RV_CLIENT_READ);
	if (!err && cli->args.nwords > 0)
		err = rv_path_join(path, sizeof(path), NULL, cli->args.words[0]);
	else if (!err)
		err = choose(cli, folder, path);
	if (err)
		return rv_cli_fail(cli, err);
	rv_bar_init(&bar, &cli->out, "copied");
	err = rv_store_backup(cli->client.store, path, show, &bar, &cli->why);
	rv_bar_fini(&bar);
	stem_of(cli, stem, sizeof(stem));
	if (!err && keep > 0)
		err = forget(folder, stem, keep, &gone, &cli->why);
	return err ? rv_cli_fail(cli, err) : print_backup(cli, path, gone);
}

/* ${aside}: where the ${undone} outputs of runs that are undone have gone. */
static int print_restored(struct rv_cli *cli, const struct rv_restored *restored, const char *aside,
			  int64_t undone)
{
	char last[RV_FMT_SPACE] = "";
	json_t *object;

	if (restored->last_us > 0)
		(void)rv_fmt_time(last, restored->last_us);
	if (!cli->json) {
		(void)printf("restored: %lld jobs", (long long)restored->jobs);
		if (last[0] != '\0')
			(void)printf(", as they were at %s", last);
		(void)puts("");
		if (restored->aside[0] != '\0')
			rv_cli_note("the store that was there%s is now %s",
				    restored->damaged ? ", which is damaged," : "",
				    restored->aside);
		if (undone > 0)
			rv_cli_note("%lld outputs of runs that are undone are now in %s",
				    (long long)undone, aside);
		rv_cli_note("what was done since then runs again when reeved is started");
		return 0;
	}
	object = rv_cli_object();
	if (object && (rv_json_set_int(object, "jobs", restored->jobs) ||
		       rv_json_set_text(object, "last_event_at", last[0] != '\0' ? last : NULL) ||
		       rv_json_set_text(object, "aside",
					restored->aside[0] != '\0' ? restored->aside : NULL) ||
		       rv_json_set_bool(object, "damaged", restored->damaged) ||
		       rv_json_set_int(object, "outputs", undone) ||
		       rv_json_set_text(object, "outputs_aside", undone > 0 ? aside : NULL))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

/* What a daemon does before it touches the store: its lock, and no child of another left. */
static int lock(struct rv_cli *cli, int *ret_fd)
{
	char path[RV_PATH_MAX];
	pid_t holder = 0;
	int err = rv_client_lock_path(&cli->client, path, sizeof(path));

	if (!err)
		err = rv_lock_daemon(path, 0600, ret_fd, &holder, &cli->why);
	if (err == RV_E_LOCKED)
		return rv_fail(&cli->why, err,
			       "reeved runs here (pid %d): stop it first (reeve shutdown)",
			       (int)holder);
	if (err)
		return err;
	err = rv_lock_wait(*ret_fd, rv_mono_us() + cli->client.busy_us, NULL, NULL);
	if (err)
		(void)rv_fail(&cli->why, err,
			      "processes of a daemon that was killed are still there");
	return err;
}

int rv_verb_db_restore(struct rv_cli *cli)
{
	struct rv_store_restore how = {
		.backend = "sqlite", .from = cli->args.words[0], .told = show};
	struct rv_restored restored;
	char aside[RV_PATH_MAX];
	int64_t undone = 0;
	struct rv_bar bar;
	int fd = -1;
	int err = rv_cli_load(cli);

	if (err)
		return rv_cli_fail(cli, err);
	how.path = cli->client.store_path;
	how.group = (gid_t)-1;
	if (cli->client.conf->reeve.group)
		err = rv_group_find(cli->client.conf->reeve.group, &how.group, &cli->why);
	how.ctx = &bar;
	rv_bar_init(&bar, &cli->out, "restored");
	if (!err)
		err = lock(cli, &fd);
	if (!err)
		err = rv_store_restore(&how, &restored, &cli->why);
	rv_bar_fini(&bar);
	if (!err) {
		int left = rv_outputs_undone(cli, aside, &undone);

		if (left)
			rv_cli_note("outputs of runs that are undone may be shown as those of the "
				    "next: %s",
				    rv_why_text(&cli->why, left));
	}
	rv_fd_close(&fd);
	return err ? rv_cli_fail(cli, err) : print_restored(cli, &restored, aside, undone);
}
