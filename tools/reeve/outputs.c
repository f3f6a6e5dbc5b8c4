/*
 * Removing the outputs of jobs.  Runs in the CLI.  Must never remove those of another store: a copy
 * has the ids of the one that it was made of.
 */
#include "cli.h"

#include "conf/conf.h"
#include "obs/output.h"
#include "os/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is configured where nobody names a store; NULL: cannot be told. */
static struct rv_conf *plain_conf(const struct rv_cli *cli)
{
	static const char key[] = "REEVE_STORE__PATH=";
	struct rv_conf_source from = {.environment = NULL};
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	char **environment;
	char *file = NULL;
	size_t n = 0;
	int err;

	for (char **at = environ; *at; at++)
		n++;
	environment = calloc(n + 1, sizeof(*environment));
	if (!environment)
		return NULL;
	n = 0;
	for (char **at = environ; *at; at++) {
		if (strncmp(*at, key, sizeof(key) - 1) != 0)
			environment[n++] = *at;
	}
	rv_conf_errors_init(&errors);
	from.environment = environment;
	err = rv_conf_find_file(rv_args_value(&cli->args, RV_OPT_CONFIG), environment, &file);
	from.file = file;
	if ((err == RV_OK || err == RV_E_NOTFOUND) && rv_conf_load(&from, &conf, &errors) != RV_OK)
		conf = NULL;
	rv_conf_errors_fini(&errors);
	free(environment);
	free(file);
	return conf;
}

static bool is_same(const char *path, const char *other)
{
	struct stat one;
	struct stat two;

	return path && other && stat(path, &one) == 0 && stat(other, &two) == 0 &&
	       one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* ${*ret_ours}: the store is the configured one, and ${folder} its state_dir.  True: another store
 * is configured to be in ${folder}, or to have its outputs there. */
static bool is_anothers(const struct rv_cli *cli, const char *folder, bool *ret_ours)
{
	struct rv_conf *conf = plain_conf(cli);
	char other[RV_PATH_MAX];
	bool home = conf && is_same(conf->reeve.state_dir, folder);
	bool ours = conf && is_same(conf->store.path, cli->client.store_path);
	bool is = !conf ||
		  (!ours &&
		   (home || rv_path_folder(other, sizeof(other), conf->store.path) != RV_OK ||
		    is_same(other, folder)));

	rv_conf_free(conf);
	*ret_ours = ours && home;
	return is;
}

/* A lock there that is not ${lock}: another daemon's, perhaps.  What cannot be read may have one.
 */
static bool has_other_lock(const char *folder, const char *lock)
{
	const char *own = strrchr(lock, '/') + 1;
	const struct dirent *entry;
	DIR *dir = opendir(folder);
	bool has = !dir;

	while (dir && !has && (entry = readdir(dir)) != NULL) {
		size_t size = strlen(entry->d_name);

		has = size > 5 && strcmp(entry->d_name + size - 5, ".lock") == 0 &&
		      strcmp(entry->d_name, own) != 0;
	}
	if (dir)
		(void)closedir(dir);
	return has;
}

/* A restore makes a lock as well: it tells of no daemon while another one may be meant. */
static bool is_its_own(const struct rv_cli *cli, const char *folder)
{
	char lock[RV_PATH_MAX];
	struct stat st;
	bool ours;

	if (rv_client_lock_path(&cli->client, lock, sizeof(lock)) != RV_OK || stat(lock, &st) != 0)
		return false;
	return !is_anothers(cli, folder, &ours) && (ours || !has_other_lock(folder, lock));
}

const char *rv_outputs_home(const struct rv_cli *cli, char *folder, size_t space)
{
	static enum { UNASKED, NO, YES } answer; /* of the store of this process, asked once */

	if (!cli->client.store_named)
		return cli->client.conf->reeve.state_dir;
	if (rv_path_folder(folder, space, cli->client.store_path) != RV_OK)
		return NULL;
	if (answer == UNASKED)
		answer = is_its_own(cli, folder) ? YES : NO;
	return answer == YES ? folder : NULL;
}

void rv_outputs_forget(const struct rv_cli *cli, int64_t job, int runs)
{
	char folder[RV_PATH_MAX];
	struct rv_output_how how = {.state_dir = rv_outputs_home(cli, folder, sizeof(folder)),
				    .job = job};

	for (how.run = 1; how.state_dir && how.run <= runs; how.run++) {
		if (rv_output_remove(&how) != RV_OK)
			return; /* not ours to remove: db cleanup finds it */
	}
}
