/*
 * reeve doctor: everything that can be looked at from outside, one finding each, and what to do.
 * Runs in the CLI, with a daemon or without; changes nothing.
 */
#include "daemon.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "client/alive.h"
#include "os/cgroup.h"
#include "os/file.h"
#include "store/read.h"
#include "verb.h"
#include "wire/json.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/statvfs.h>

#define EXIT_DEGRADED 10

#define LOG_MAX   (64LL << 20) /* checkpoints come at 4 MiB: somebody has read for long */
#define SPACE_MIN (1LL << 30)  /* a look; below 64 MiB it is wrong */
#define SPACE_BAD (64LL << 20)

enum level { WELL, LOOK, WRONG, LEVELS };

static const struct {
	const char *name;
	enum rv_style style;
} levels[LEVELS] = {
	[WELL] = {"ok", RV_STYLE_GREEN},
	[LOOK] = {"look", RV_STYLE_YELLOW},
	[WRONG] = {"wrong", RV_STYLE_RED},
};

struct doctor {
	struct rv_cli *cli;
	json_t *findings; /* owned array */
	int count[LEVELS];
	int err;
};

static void find(struct doctor *doctor, enum level level, const char *what, const char *format, ...)
	RV_PRINTF(4, 5);

static void find(struct doctor *doctor, enum level level, const char *what, const char *format, ...)
{
	char text[2048];
	json_t *item = json_object();
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	doctor->count[level]++;
	if (!item || rv_json_set_text(item, "level", levels[level].name) ||
	    rv_json_set_text(item, "what", what) || rv_json_set_text(item, "text", text) ||
	    json_array_append(doctor->findings, item) != 0)
		doctor->err = RV_E_NOMEM;
	json_decref(item);
}

/* ---- the store */

static void note_warning(void *ctx, const char *text)
{
	find(ctx, LOOK, "store", "%s", text);
}

static void note_broken(void *ctx, const char *rule, const char *what)
{
	find(ctx, WRONG, "store", "%s: %s", rule, what);
}

static int each_number(void *ctx, const char *name, int64_t value)
{
	struct doctor *doctor = ctx;
	char size[RV_FMT_SPACE];

	if (strcmp(name, "log_bytes") == 0 && value > LOG_MAX)
		find(doctor, LOOK, "store",
		     "its log has %s: something has been reading from it for long, or nobody "
		     "checkpoints (reeve db checkpoint)",
		     rv_fmt_size(size, value >> 20 << 20));
	if (strcmp(name, "inbox_refused") == 0 && value > 0)
		find(doctor, LOOK, "inbox",
		     "%lld rows cannot be jobs: reeve db sql 'SELECT id, error FROM reeve_inbox'",
		     (long long)value);
	return RV_OK;
}

static void look_at_space(struct doctor *doctor)
{
	char folder[RV_PATH_MAX];
	char size[RV_FMT_SPACE];
	struct statvfs fs;
	int64_t left;

	if (rv_path_folder(folder, sizeof(folder), doctor->cli->client.store_path) != RV_OK ||
	    statvfs(folder, &fs) != 0)
		return;
	left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	find(doctor,
	     left < SPACE_BAD   ? WRONG
	     : left < SPACE_MIN ? LOOK
				: WELL,
	     "disk", "%s left where the store is",
	     rv_fmt_size(size, left >= 10 * SPACE_MIN ? left >> 30 << 30 : left >> 20 << 20));
}

static void look_at_store(struct doctor *doctor)
{
	struct rv_cli *cli = doctor->cli;
	bool full = rv_args_has(&cli->args, RV_OPT_FULL);
	struct rv_store_totals totals;
	struct rv_store *store;
	int err = rv_client_store(&cli->client, RV_CLIENT_READ, &cli->why);

	if (err) {
		find(doctor, err == RV_E_NOTFOUND ? LOOK : WRONG, "store", "%s",
		     rv_why_text(&cli->why, err));
		return;
	}
	store = cli->client.store;
	rv_store_warnings(store, note_warning, doctor);
	err = rv_store_stats(store, each_number, doctor);
	if (!err && full)
		err = rv_store_check(store, true, note_broken, doctor);
	if (!err)
		err = rv_store_totals(store, &totals);
	if (err)
		find(doctor, WRONG, "store", "it cannot be read: %s", rv_err_text(err));
	else if (doctor->count[WRONG] == 0)
		find(doctor, WELL, "store",
		     full ? "every invariant holds, the file is sound"
			  : "it opens and reads (--full looks through it)");
	if (!err && totals.counts[RV_JOB_DEAD] > 0)
		find(doctor, LOOK, "jobs", "%lld dead letters: reeve dlq groups",
		     (long long)totals.counts[RV_JOB_DEAD]);
	look_at_space(doctor);
}

/* ---- the daemon */

static void note_pools(struct doctor *doctor, const json_t *reply)
{
	const json_t *pool;
	size_t i;

	json_array_foreach(json_object_get(reply, "pools"), i, pool)
	{
		const char *name = json_string_value(json_object_get(pool, "name"));
		long long alive = json_integer_value(json_object_get(pool, "alive"));
		long long target = json_integer_value(json_object_get(pool, "target"));

		if (name && alive < target)
			find(doctor, LOOK, "daemon", "pool %s has %lld of %lld workers", name,
			     alive, target);
	}
}

static void look_at_daemon(struct doctor *doctor)
{
	RV_AUTO(rv_json_free) json_t *reply = NULL;
	struct rv_cli *cli = doctor->cli;
	const json_t *reason;
	pid_t pid = 0;
	size_t i;
	int err = rv_daemon_ask(cli, "status", &reply);

	if (err) {
		if (rv_alive(&cli->client, &pid) == RV_OK)
			find(doctor, WRONG, "daemon", "reeved (pid %ld) does not answer: %s",
			     (long)pid, rv_why_text(&cli->why, err));
		else
			find(doctor, WRONG, "daemon",
			     "reeved is not running: nothing is worked off");
		return;
	}
	json_array_foreach(json_object_get(reply, "degraded"), i, reason)
	{
		find(doctor, WRONG, "daemon", "%s", json_string_value(reason));
	}
	if (i == 0)
		find(doctor, WELL, "daemon", "reeved runs and answers");
	note_pools(doctor, reply);
}

/* ---- limits of runs */

static void look_at_limits(struct doctor *doctor)
{
	static const char *const names[] = {"memory", "cpu", "pids"};
	char folder[PATH_MAX];
	struct rv_why why = {.text = ""};

	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++) {
		if (rv_cgroup_has(names[i], &why) == RV_OK)
			continue;
		find(doctor, WELL, "limits", "%s_max cannot be had on this machine: %s", names[i],
		     why.text);
		return;
	}
	if (rv_cgroup_find(NULL, true, folder, sizeof(folder), &why) == RV_OK)
		find(doctor, WELL, "limits",
		     "memory_max, cpu_max and pids_max can be had: a reeved started here would use "
		     "%s",
		     folder);
	else
		find(doctor, WELL, "limits",
		     "memory_max, cpu_max and pids_max can be had by a reeved whose cgroup is its "
		     "own "
		     "(Delegate=yes of a service); not by one started here: %s",
		     why.text);
}

/* ---- what was found */

static int print_words(const struct doctor *doctor)
{
	const struct rv_out *out = &doctor->cli->out;
	const json_t *item;
	size_t i;

	json_array_foreach(doctor->findings, i, item)
	{
		const char *level = json_string_value(json_object_get(item, "level"));
		size_t k = 0;

		while (k + 1 < LEVELS && strcmp(levels[k].name, level) != 0)
			k++;
		(void)printf("%s%-6s%s %-7s ", rv_out_on(out, levels[k].style), level,
			     rv_out_off(out, levels[k].style),
			     json_string_value(json_object_get(item, "what")));
		rv_out_text(stdout, json_string_value(json_object_get(item, "text")));
		(void)putchar('\n');
	}
	return 0;
}

static int print_json(struct doctor *doctor)
{
	json_t *object = rv_cli_object();

	if (object && (rv_json_set_bool(object, "ok", doctor->count[WRONG] == 0) ||
		       rv_json_set_new(object, "findings", json_incref(doctor->findings)))) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(doctor->cli, object);
}

int rv_verb_doctor(struct rv_cli *cli)
{
	struct doctor doctor = {.cli = cli, .findings = json_array()};
	int err = doctor.findings ? rv_cli_load(cli) : RV_E_NOMEM;
	int code;

	if (err) { /* a configuration with mistakes: each was told */
		json_decref(doctor.findings);
		return rv_cli_fail(cli, err);
	}
	find(&doctor, WELL, "config", "the configuration has no mistake");
	look_at_store(&doctor);
	look_at_daemon(&doctor);
	look_at_limits(&doctor);
	code = doctor.err ? rv_cli_fail(cli, doctor.err)
			  : (cli->json ? print_json(&doctor) : print_words(&doctor));
	json_decref(doctor.findings);
	return code ? code : doctor.count[WRONG] > 0 ? EXIT_DEGRADED : 0;
}
