/*
 * Time zones by name.  Who checks a configuration, the keeper, the CLI.  The files are input: they
 * are read as configuration is, and looked at by base/zone.h before anything is believed.
 */
#include "conf/zone.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/near.h"
#include "conf/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER     "/usr/share/zoneinfo"
#define LOCALTIME  "/etc/localtime"
#define NAMES_MAX  512u
#define PATH_SPACE (sizeof(FOLDER) + RV_ZONE_NAME_MAX + 1)

static int fail_unknown(const char *name, const char *near, int folder, struct rv_why *why)
{
	return rv_fail(why, RV_E_CONF, "there is no time zone %s%s%.*s%s%s", name,
		       near ? "; did you mean " : "", near ? folder : 0, name, near ? near : "",
		       near ? "?" : "");
}

/* There is none of that name: the nearest one beside it. */
static int fail_name(const char *name, struct rv_why *why)
{
	const char *slash = strrchr(name, '/');
	int folder = slash ? (int)(slash - name) + 1 : 0;
	char path[PATH_SPACE];
	char *names[NAMES_MAX];
	const struct dirent *entry;
	size_t n = 0;
	DIR *dir;
	int err;

	(void)snprintf(path, sizeof(path), "%s/%.*s", FOLDER, folder, name);
	dir = opendir(path);
	while (dir && n < NAMES_MAX && (entry = readdir(dir)) != NULL) {
		names[n] = strdup(entry->d_name);
		n += names[n] != NULL;
	}
	err = fail_unknown(name, rv_near(name + folder, (const char *const *)names, n), folder,
			   why);
	while (n > 0)
		free(names[--n]);
	if (dir)
		(void)closedir(dir);
	return err;
}

static int read_zone(const char *path, struct rv_zone **ret_zone, struct rv_why *why)
{
	struct rv_buf data;
	int err;

	rv_buf_init(&data);
	err = rv_conf_file_read(path, &data, why);
	if (err == RV_OK)
		err = rv_zone_parse(rv_buf_text(&data), data.size, ret_zone, why);
	rv_buf_fini(&data);
	if (err == RV_E_PARSE)
		err = rv_wrap(why, RV_E_CONF, "%s", path);
	return err == RV_OK || err == RV_E_NOMEM ? err : RV_E_CONF;
}

int rv_conf_zone(const char *name, struct rv_zone **ret_zone, struct rv_why *why)
{
	char path[PATH_SPACE] = LOCALTIME;
	bool local = strcmp(name, RV_ZONE_LOCAL) == 0;

	PRE(name && ret_zone);
	*ret_zone = NULL;
	if (strcmp(name, RV_ZONE_UTC) == 0 || (local && access(LOCALTIME, F_OK) != 0))
		return RV_OK;
	if (!rv_zone_name_sane(name))
		return rv_fail(why, RV_E_CONF, "%.60s is not the name of a time zone", name);
	if (!local)
		(void)snprintf(path, sizeof(path), "%s/%s", FOLDER, name);
	if (!local && access(path, F_OK) != 0)
		return fail_name(name, why);
	return read_zone(path, ret_zone, why);
}
