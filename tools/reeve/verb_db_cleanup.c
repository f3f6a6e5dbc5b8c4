/*
 * reeve db cleanup: removes files of ours that nothing refers to any more.  Runs in the CLI.  Only
 * names that reeve itself gives, and an output only after the store has said that its job is gone:
 * ids are never given twice.
 */
#include "cli.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "os/file.h"
#include "store/read.h"
#include "verb.h"
#include "wire/json.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNFINISHED_S 86400 /* a file that is made takes less than a day */

struct sweep {
	struct rv_cli *cli;
	bool dry;
	int64_t files, bytes, kept; /* kept: we may not remove them */
	int64_t job;                /* the one looked up last, and whether it is gone */
	bool gone;
};

static void remove_one(struct sweep *sweep, const char *path, const struct stat *st)
{
	if (!sweep->dry && unlink(path) != 0 && errno != ENOENT) {
		sweep->kept++;
		return;
	}
	sweep->files++;
	sweep->bytes += (int64_t)st->st_blocks * 512;
}

static int is_gone(struct sweep *sweep, int64_t job, bool *ret_gone)
{
	struct rv_job_view view;
	int err;

	if (sweep->job != job) {
		err = rv_store_job(sweep->cli->client.store, job, &view);
		if (err != RV_OK && err != RV_E_NOTFOUND)
			return err;
		sweep->job = job;
		sweep->gone = err == RV_E_NOTFOUND;
	}
	*ret_gone = sweep->gone;
	return RV_OK;
}

static int each_output(void *ctx, const char *folder, const char *name)
{
	struct sweep *sweep = ctx;
	char path[RV_PATH_MAX];
	struct stat st;
	int64_t job;
	int64_t run;
	bool gone;
	int err;

	if (!rv_output_of(name, &job, &run))
		return RV_OK;
	err = rv_path_join(path, sizeof(path), folder, name);
	if (!err && (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)))
		return RV_OK;
	if (!err)
		err = is_gone(sweep, job, &gone);
	if (!err && gone)
		remove_one(sweep, path, &st);
	return err;
}

/* A folder of outputs, "17" for those of the jobs 17000 to 17999; it goes when it is empty. */
static int each_thousand(void *ctx, const char *folder, const char *name)
{
	struct sweep *sweep = ctx;
	char path[RV_PATH_MAX];
	int err;

	if (name[strspn(name, "0123456789")] != '\0')
		return RV_OK;
	err = rv_path_join(path, sizeof(path), folder, name);
	if (!err)
		err = rv_each_name(sweep->cli, path, each_output, sweep);
	if (!err && !sweep->dry)
		(void)rmdir(path); /* in use, as a rule */
	return err;
}

/* "reeve.db.new-0123456789abcdef": a file that never got its name. */
static int each_unfinished(void *ctx, const char *folder, const char *name)
{
	struct sweep *sweep = ctx;
	const char *tail = strstr(name, ".db.new-");
	char path[RV_PATH_MAX];
	struct stat st;
	int err;

	if (!tail || strspn(tail + 8, "0123456789abcdef") < 8)
		return RV_OK;
	err = rv_path_join(path, sizeof(path), folder, name);
	if (!err && lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    rv_wall_us() / RV_S_US - (int64_t)st.st_mtime > UNFINISHED_S)
		remove_one(sweep, path, &st);
	return err;
}

static int sweep_all(struct sweep *sweep)
{
	struct rv_cli *cli = sweep->cli;
	char folder[RV_PATH_MAX];
	char path[RV_PATH_MAX];
	const char *home = rv_outputs_home(cli, folder, sizeof(folder));
	int err = home ? rv_path_join(path, sizeof(path), home, "output") : RV_OK;

	if (!home)
		rv_cli_note("outputs were left alone: nobody can tell whether they are those of %s",
			    cli->client.store_path);
	else if (!err)
		err = rv_each_name(cli, path, each_thousand, sweep);
	if (!err)
		err = rv_path_folder(folder, sizeof(folder), cli->client.store_path);
	if (!err)
		err = rv_each_name(cli, folder, each_unfinished, sweep);
	if (!err)
		err = rv_path_join(path, sizeof(path), folder, "backup");
	return err ? err : rv_each_name(cli, path, each_unfinished, sweep);
}

static int print_swept(const struct sweep *sweep)
{
	char size[RV_FMT_SPACE];
	json_t *object;

	if (!sweep->cli->json) {
		(void)printf("%lld files %s, %s\n", (long long)sweep->files,
			     sweep->dry ? "would be removed" : "removed",
			     rv_fmt_size(size, sweep->bytes));
		if (sweep->kept > 0)
			rv_cli_note("%lld could not be removed", (long long)sweep->kept);
		return sweep->kept > 0 ? rv_err_exit(RV_E_DENIED) : 0;
	}
	object = rv_cli_object();
	if (object && (rv_json_set_int(object, "files", sweep->files) ||
		       rv_json_set_int(object, "bytes", sweep->bytes) ||
		       rv_json_set_int(object, "kept", sweep->kept) ||
		       rv_json_set_bool(object, "dry_run", sweep->dry))) {
		json_decref(object);
		object = NULL;
	}
	int printed = rv_cli_json(sweep->cli, object);
	return printed ? printed : sweep->kept > 0 ? rv_err_exit(RV_E_DENIED) : 0;
}

int rv_verb_db_cleanup(struct rv_cli *cli)
{
	struct sweep sweep = {.cli = cli, .dry = rv_args_has(&cli->args, RV_OPT_DRY_RUN)};
	int err = rv_cli_store(cli, RV_CLIENT_READ);

	if (!err)
		err = sweep_all(&sweep);
	return err ? rv_cli_fail(cli, err) : print_swept(&sweep);
}
