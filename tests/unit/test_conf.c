/* Loading: defaults, layers, lists, files that cannot be trusted, where the file is looked for. */
#include "base/buf.h"
#include "base/err.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "conf/doc.h"
#include "helpers/tmpdir.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[] = "HOME=/home/somebody";
static char runtime[] = "XDG_RUNTIME_DIR=/run/user/1";
static char *plain_environment[] = {home, runtime, NULL};

/* What one load gave; the next load frees it. */
static struct rv_conf *conf;
static struct rv_buf said;
static int result;

static void load_from(const struct rv_conf_source *from)
{
	struct rv_conf_errors errors;

	rv_conf_free(conf);
	conf = NULL;
	rv_buf_reset(&said);
	rv_conf_errors_init(&errors);
	result = rv_conf_load(from, &conf, &errors);
	cr_assert(eq(int, rv_conf_errors_print(&errors, &said), 0));
	cr_assert(eq(int, result == RV_OK, conf != NULL));
	cr_assert(eq(int, result == RV_OK, errors.nerrors == 0));
	rv_conf_errors_fini(&errors);
}

static void finish(void)
{
	rv_conf_free(conf);
	rv_buf_fini(&said);
	rv_test_tmpdir_end();
}

static const char *write_conf(const char *path, const char *text)
{
	rv_test_write_file(path, "%s", text);
	cr_assert(eq(int, chmod(path, 0644), 0));
	return path;
}

/* The text as a file of its own folder, with -o options. */
static void load_with(const char *text, const char *const *overrides, char *const *environment)
{
	const char *path = rv_test_path("%s/reeve.ini", rv_test_tmpdir());
	struct rv_conf_source from = {
		.file = write_conf(path, text),
		.overrides = overrides,
		.environment = environment,
	};

	load_from(&from);
}

static void load(const char *text)
{
	load_with(text, NULL, plain_environment);
}

#define OK()       cr_assert(result == RV_OK, "%s", rv_buf_text(&said))
#define SAYS(text) cr_assert(strstr(rv_buf_text(&said), (text)) != NULL, "%s", rv_buf_text(&said))

static int is(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

/* ---- defaults */

Test(conf, without_a_file, .fini = finish)
{
	const struct rv_conf_source from = {.environment = plain_environment};
	cpu_set_t set;

	load_from(&from);
	OK();
	cr_assert(is(conf->reeve.instance, "main"));
	cr_assert(is(conf->reeve.state_dir, "/home/somebody/.local/state/reeve"));
	cr_assert(is(conf->reeve.runtime_dir, "/run/user/1/reeve"));
	cr_assert(is(conf->store.path, "/home/somebody/.local/state/reeve/reeve.db"));
	cr_assert(eq(i64, conf->reeve.stop_timeout_us, 30 * RV_S_US));
	cr_assert(eq(int, conf->reeve.adhoc, geteuid() != 0));
	cr_assert(conf->file == NULL && conf->reeve.group == NULL);
	cr_assert(eq(sz, conf->npools, 1));
	cr_assert(eq(sz, conf->nqueues, 1));
	cr_assert(eq(sz, conf->ntasks, 0));
	cr_assert(is(conf->pools[0].name, "default"));
	cr_assert(eq(sz, conf->pools[0].queues.count, 1));
	cr_assert(is(conf->pools[0].queues.items[0], "default"));
	cr_assert(eq(int, sched_getaffinity(0, sizeof(set), &set), 0));
	cr_assert(
		eq(int, conf->pools[0].workers.max, CPU_COUNT(&set) > 200 ? 200 : CPU_COUNT(&set)));
	cr_assert(eq(i64, conf->pools[0].heartbeat_us, 5 * RV_S_US));
	cr_assert(eq(i64, conf->pools[0].hang_timeout_us, 20 * RV_S_US));
	cr_assert(eq(i64, conf->pools[0].lease_us, 30 * RV_S_US));
	cr_assert(eq(int, conf->pools[0].restart_burst.count, 10));
	cr_assert(eq(i64, conf->pools[0].restart_burst.per_us, 300 * RV_S_US));
	cr_assert(is(conf->defaults.name, RV_TASK_ADHOC));
	cr_assert(eq(int, conf->defaults.stop_signal, SIGTERM));
	cr_assert(eq(int, conf->defaults.umask, 022));
	cr_assert(eq(i64, conf->defaults.output_max_bytes, 16 << 20));
	cr_assert(eq(i64, conf->defaults.limit_as_bytes, RV_CONF_UNSET));
	cr_assert(eq(i64, conf->defaults.limit_core_bytes, 0));
	cr_assert(eq(int, (int)conf->defaults.backoff.kind, (int)RV_BACKOFF_EXPONENTIAL));
	cr_assert(eq(i64, conf->defaults.backoff.max_us, 600 * RV_S_US));
	cr_assert(eq(int, conf->defaults.backoff.jitter_percent, 20));
	cr_assert(eq(int, (int)conf->defaults.durability, (int)RV_DURABILITY_FULL));
	for (int code = 0; code < 256; code++) {
		cr_assert(
			eq(int, rv_conf_codes_have(&conf->defaults.success_exit, code), code == 0));
		cr_assert(
			eq(int, rv_conf_codes_have(&conf->defaults.retry_exit, code), code == 75));
	}
	cr_assert(not(rv_conf_codes_have(&conf->defaults.success_exit, 256)));
	cr_assert(not(rv_conf_codes_have(&conf->defaults.success_exit, -1)));
}

Test(conf, places_follow_the_environment, .fini = finish)
{
	static char state[] = "XDG_STATE_HOME=/s";
	static char relative[] = "XDG_STATE_HOME=s";
	static char *with_state[] = {home, state, NULL};
	static char *with_relative[] = {relative, NULL};
	struct rv_conf_source from = {.environment = with_state};

	load_from(&from);
	OK();
	cr_assert(is(conf->reeve.state_dir, "/s/reeve"));
	cr_assert(is(conf->reeve.runtime_dir, "/s/reeve/run"), "no XDG_RUNTIME_DIR");
	from.environment = with_relative;
	load_from(&from);
	OK();
	cr_assert(is(conf->reeve.state_dir, "/var/lib/reeve"), "neither a state nor a home");
	from.environment = NULL;
	load_from(&from);
	OK();
	cr_assert(is(conf->store.path, "/var/lib/reeve/reeve.db"));
	load("[reeve]\nstate_dir = /own\n");
	OK();
	cr_assert(is(conf->reeve.runtime_dir, "/own/run"),
		  "two daemons of one user must not share sockets");
	load("[reeve]\nstate_dir = "
	     "/a/path/that/is/long/enough/to/leave/no/room/for/the/name/of/a/socket/in/it/at/"
	     "all\n");
	SAYS("reeve.ini:2: runtime_dir = /a/path");
}

Test(conf, adhoc_needs_a_word_when_there_is_a_file, .fini = finish)
{
	static const char *const yes[] = {"reeve.adhoc=yes", NULL};
	const struct rv_conf_source from = {.environment = plain_environment, .overrides = yes};

	load("[reeve]\n");
	OK();
	cr_assert(not(conf->reeve.adhoc));
	load("[reeve]\nadhoc = yes\n");
	OK();
	cr_assert(conf->reeve.adhoc);
	load("[reeve]\nadhoc =\n");
	OK();
	cr_assert(not(conf->reeve.adhoc));
	load_from(&from);
	OK();
	cr_assert(conf->reeve.adhoc, "as root too");
}

/* ---- values and lists */

Test(conf, tasks_begin_with_the_defaults, .fini = finish)
{
	load("[task:early]\ncommand = /bin/true\nenv = C=3\nretry_exit = 1, 2\n"
	     "[defaults]\ntimeout = 7s\nenv = A=1\nenv = B=2\nqueue = q\nlimit_nofile = infinity\n"
	     "[pool:p]\nqueues = q\n"
	     "[task:late]\ncommand = /bin/true\ntimeout = 0\nenv =\n  D=4\n"
	     "limit_nofile =\nlimit_cpu = 2m\numask = 077\nstop_signal = INT\nnice = -5\n");
	OK();
	const struct rv_conf_task *early = rv_conf_task_find(conf, "early");
	const struct rv_conf_task *late = rv_conf_task_find(conf, "late");
	cr_assert(early && late && !rv_conf_task_find(conf, "other"));
	cr_assert(eq(i64, early->timeout_us, 7 * RV_S_US));
	cr_assert(eq(sz, early->env.count, 3));
	cr_assert(is(early->env.items[0], "A=1"));
	cr_assert(is(early->env.items[2], "C=3"));
	cr_assert(early->env.items[3] == NULL);
	cr_assert(rv_conf_codes_have(&early->retry_exit, 2));
	cr_assert(not(rv_conf_codes_have(&early->retry_exit, 75)), "a list of its own replaces");
	cr_assert(eq(i64, early->limit_nofile, RV_CONF_INFINITY));
	cr_assert(eq(i64, late->timeout_us, 0));
	cr_assert(eq(sz, late->env.count, 1));
	cr_assert(is(late->env.items[0], "D=4"));
	cr_assert(eq(i64, late->limit_nofile, RV_CONF_UNSET));
	cr_assert(eq(i64, late->limit_cpu_us, 120 * RV_S_US));
	cr_assert(eq(int, late->umask, 077));
	cr_assert(eq(int, late->stop_signal, SIGINT));
	cr_assert(eq(int, late->nice, -5));
	cr_assert(is(late->queue, "q"));
	cr_assert(eq(sz, conf->defaults.env.count, 2), "the defaults keep their own");
}

Test(conf, commands_are_raw, .fini = finish)
{
	load("[task:t]\nshell = yes\ncommand = for i in 1 2; do echo \"$i\" # ${HOME} $$\\\n  "
	     "done\n");
	OK();
	cr_assert(is(conf->tasks[0].command, "for i in 1 2; do echo \"$i\" # ${HOME} $$ done"));
	cr_assert(conf->tasks[0].shell);
}

Test(conf, backoffs, .fini = finish)
{
	static const struct {
		const char *text;
		struct rv_backoff want;
	} rows[] = {
		{"none", {RV_BACKOFF_NONE, 0, 0, 0}},
		{"none jitter 5%", {RV_BACKOFF_NONE, 0, 0, 5}},
		{"fixed 5s", {RV_BACKOFF_FIXED, 5000000, 5000000, 0}},
		{"fixed 5s jitter 0%", {RV_BACKOFF_FIXED, 5000000, 5000000, 0}},
		{"linear 1s..2s  jitter\t100%", {RV_BACKOFF_LINEAR, 1000000, 2000000, 100}},
		{"exponential 1ms..1ms", {RV_BACKOFF_EXPONENTIAL, 1000, 1000, 0}},
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		struct rv_buf text = {0};

		cr_assert(eq(int, rv_buf_printf(&text, "[defaults]\nbackoff = %s\n", rows[i].text),
			     0));
		load(rv_buf_text(&text));
		rv_buf_fini(&text);
		OK();
		cr_assert(eq(int, (int)conf->defaults.backoff.kind, (int)rows[i].want.kind));
		cr_assert(eq(i64, conf->defaults.backoff.min_us, rows[i].want.min_us));
		cr_assert(eq(i64, conf->defaults.backoff.max_us, rows[i].want.max_us));
		cr_assert(eq(int, conf->defaults.backoff.jitter_percent,
			     rows[i].want.jitter_percent));
	}
	load("[pool:default]\nrestart_burst = 3/2min\n");
	OK();
	cr_assert(eq(i64, conf->pools[0].restart_burst.per_us, 120 * RV_S_US));
}

Test(conf, queues_exist_by_being_named, .fini = finish)
{
	load("[pool:a]\nqueues = x, y\n[queue:z]\nstrategy = priority\n"
	     "[task:t]\ncommand = /bin/true\nqueue = y\n");
	OK();
	SAYS("reeve.ini:3: warning: no pool serves [queue:z]");
	cr_assert(rv_conf_queue_find(conf, "x") && rv_conf_queue_find(conf, "y"));
	cr_assert(rv_conf_queue_find(conf, "default") != NULL);
	cr_assert(eq(int, (int)rv_conf_queue_find(conf, "z")->strategy, (int)RV_STRATEGY_PRIORITY));
	cr_assert(rv_conf_pool_find(conf, "a") && !rv_conf_pool_find(conf, "default"));
	load("[queue:z]\n[task:t]\ncommand = /bin/true\nqueue = y\n");
	OK();
	cr_assert(eq(sz, conf->pools[0].queues.count, 3), "a pool nobody wrote serves all");
	cr_assert(is(conf->pools[0].queues.items[0], "default"));
	load("[pool:p]\nqueues = a\n[task:t]\ncommand = /bin/true\nqueue = b\n");
	SAYS("reeve.ini:5: queue = b: no pool serves it, and there is no [queue:b]");
	load("[pool:p]\nqueues = a\n[queue:b]\n[task:t]\ncommand = /bin/true\nqueue = b\n");
	OK();
}

/* ---- layers */

Test(conf, options_and_environment_override, .fini = finish)
{
	static char workers[] = "REEVE_POOL_MY_POOL__WORKERS=3";
	static char path[] = "REEVE_STORE__PATH=/env.db";
	static char other[] = "REEVE_CONFIG=/ignored";
	static char *environment[] = {home, workers, path, other, NULL};
	static const char *const options[] = {"pool:my-pool.workers=4",
					      "log.level=debug",
					      "log.level=error",
					      "pool:my-pool.queues=x, y",
					      "task:new.command=a b",
					      "task:t.env=B=2",
					      "task:with.dots.command=true",
					      NULL};

	load_with("[pool:my-pool]\nworkers = 2\nqueues = default, x\n[store]\npath = /file.db\n"
		  "[task:t]\ncommand = /bin/true\nenv = A=1\nqueue = x\n"
		  "[defaults]\nqueue = x\n",
		  options, environment);
	OK();
	cr_assert(eq(int, conf->pools[0].workers.max, 4), "an option wins over the environment");
	cr_assert(is(conf->store.path, "/env.db"), "the environment wins over the file");
	cr_assert(eq(int, (int)conf->log.level, (int)RV_CONF_LEVEL_ERROR), "the last option wins");
	cr_assert(eq(sz, conf->pools[0].queues.count, 2), "a list of a later layer replaces");
	cr_assert(is(conf->pools[0].queues.items[1], "y"));
	cr_assert(eq(sz, rv_conf_task_find(conf, "t")->env.count, 2), "but env adds");
	cr_assert(rv_conf_task_find(conf, "new") && rv_conf_task_find(conf, "with.dots"));
}

Test(conf, overrides_that_mean_nothing, .fini = finish)
{
	static char stoer[] = "REEVE_STOER__PATH=/x";
	static char key[] = "REEVE_STORE__PAHT=/x";
	static char value[] = "REEVE_POOL_DEFAULT__WORKERS=many";
	static char both[] = "REEVE_POOL_A_B__WORKERS=1";
	static char control[] = "REEVE_LOG__TARGET=/a\nb";
	static char *environment[] = {stoer, key, value, both, control, NULL};
	static const char *const options[] = {
		"nonsense",        "store=x", "stor.path=/x", "store.pth=/x", "pool:a b.workers=1",
		"store.path=/x\\", NULL};

	load_with("[pool:a-b]\nqueues = x\n[pool:a.b]\nqueues = x\n[pool:default]\n", options,
		  environment);
	cr_assert(eq(int, result, RV_E_CONF));
	SAYS("environment REEVE_STOER__PATH: there is no section for STOER");
	SAYS("environment REEVE_STORE__PAHT: unknown key paht in [store]; did you mean path?");
	SAYS("environment REEVE_POOL_DEFAULT__WORKERS: workers = many: must be auto");
	SAYS("environment REEVE_POOL_A_B__WORKERS: means [pool:a-b] as well as [pool:a.b]");
	SAYS("environment REEVE_LOG__TARGET: target = /a\nb: has a control character (0x0a)");
	SAYS("-o nonsense: must be section.key=value");
	SAYS("-o store: must be section.key=value");
	SAYS("-o stor.path: unknown section [stor]; did you mean [store]?");
	SAYS("-o store.pth: unknown key pth in [store]; did you mean path?");
	SAYS("-o pool:a b.workers: [pool:a b]: a name is 1 to 40");
	SAYS("-o store.path: path = /x\\: ends in a lone backslash");
}

Test(conf, files_are_layers, .fini = finish)
{
	const char *dir = rv_test_tmpdir();
	const char *conf_d = rv_test_path("%s/conf.d", dir);
	struct rv_conf_source from = {.environment = plain_environment};

	cr_assert(eq(int, mkdir(conf_d, 0755), 0));
	write_conf(rv_test_path("%s/b.ini", conf_d),
		   "[pool:default]\nworkers = 3\nqueues = three\n[task:t]\ntimeout = 3s\n");
	write_conf(rv_test_path("%s/B.ini", conf_d),
		   "[pool:default]\nworkers = 2\nqueues = two\n[reeve]\ninclude = deeper/*.ini\n");
	cr_assert(eq(int, mkdir(rv_test_path("%s/deeper", conf_d), 0755), 0));
	write_conf(rv_test_path("%s/deeper/x.ini", conf_d), "[pool:default]\nheartbeat = 1s\n");
	write_conf(rv_test_path("%s/ignored.txt", conf_d), "nonsense\n");
	from.file = write_conf(rv_test_path("%s/reeve.ini", dir),
			       "[pool:default]\nworkers = 1\nqueues = one\n[task:t]\ncommand = "
			       "/bin/true\ntimeout = "
			       "1s\n"
			       "queue = one\n");
	load_from(&from);
	OK();
	cr_assert(eq(int, conf->pools[0].workers.max, 3), "bytewise: B before b");
	cr_assert(eq(i64, conf->pools[0].heartbeat_us, RV_S_US), "relative to the including file");
	cr_assert(eq(sz, conf->pools[0].queues.count, 3), "lists of files add up");
	cr_assert(is(conf->pools[0].queues.items[1], "two"));
	cr_assert(eq(i64, conf->tasks[0].timeout_us, 3 * RV_S_US));
	write_conf(from.file, "[reeve]\ninclude =\n[pool:default]\nworkers = 1\n");
	load_from(&from);
	OK();
	cr_assert(eq(int, conf->pools[0].workers.max, 1), "an empty include turns conf.d off");
	cr_assert(is(conf->file, rv_test_path("%s/reeve.ini", dir)));
}

Test(conf, folders_with_wildcards_in_their_names, .fini = finish)
{
	const char *dir = rv_test_path("%s/a[b]*?", rv_test_tmpdir());
	struct rv_conf_source from = {.environment = plain_environment};

	cr_assert(eq(int, mkdir(dir, 0755), 0));
	cr_assert(eq(int, mkdir(rv_test_path("%s/conf.d", dir), 0755), 0));
	write_conf(rv_test_path("%s/conf.d/x.ini", dir), "[log]\nlevel = debug\n");
	from.file = write_conf(rv_test_path("%s/reeve.ini", dir), "[log]\nlevel = warn\n");
	load_from(&from);
	OK();
	cr_assert(eq(int, (int)conf->log.level, (int)RV_CONF_LEVEL_DEBUG));
}

/* ---- files that cannot be read or trusted (F13) */

Test(conf, f13_files_that_cannot_be_read, .fini = finish)
{
	const char *dir = rv_test_tmpdir();
	const char *path = write_conf(rv_test_path("%s/reeve.ini", dir), "[reeve]\n");
	struct rv_conf_source from = {.environment = plain_environment, .file = dir};

	load_from(&from);
	SAYS(": is a directory");
	from.file = rv_test_path("%s/none.ini", dir);
	load_from(&from);
	SAYS("none.ini: does not exist");
	from.file = rv_test_path("%s/fifo", dir);
	cr_assert(eq(int, mkfifo(from.file, 0600), 0));
	load_from(&from);
	SAYS(": is not a regular file");
	from.file = "/dev/null";
	load_from(&from);
	SAYS("/dev/null: is not a regular file");
	from.file = path;
	cr_assert(eq(int, chmod(path, 0664), 0));
	load_from(&from);
	SAYS("others can write it (mode 0664): chmod go-w");
	cr_assert(eq(int, chmod(path, 0602), 0));
	load_from(&from);
	SAYS("others can write it (mode 0602)");
	cr_assert(eq(int, chmod(path, 0600), 0));
	if (geteuid() == 0) {
		cr_assert(eq(int, chown(path, 12345, 0), 0));
		load_from(&from);
		SAYS("belongs to user 12345: it must belong to root or to user 0");
	} else {
		cr_assert(eq(int, chmod(path, 0), 0));
		load_from(&from);
		SAYS("cannot be opened: Permission denied");
	}
	cr_assert(eq(int, chown(path, geteuid(), getegid()), 0));
	cr_assert(eq(int, chmod(path, 0600), 0));
	cr_assert(eq(int, truncate(path, RV_CONF_TEXT_MAX + 1), 0));
	load_from(&from);
	SAYS("is larger than 64 MiB");
}

Test(conf, a_large_file_is_no_trouble, .fini = finish)
{
	struct rv_buf text = {0};

	cr_assert(eq(int, rv_buf_str(&text, "[task:t]\ncommand = /bin/echo "), 0));
	while (text.size < 100000)
		cr_assert(eq(int, rv_buf_str(&text, "word; # "), 0));
	for (int i = 0; i < 3000; i++)
		cr_assert(eq(
			int,
			rv_buf_printf(&text, "\n[task:t%d]\ncommand = /bin/true\nenv = A=%d", i, i),
			0));
	load(rv_buf_text(&text));
	OK();
	cr_assert(eq(sz, conf->ntasks, 3001));
	cr_assert(gt(sz, strlen(conf->tasks[0].command), 99000));
	cr_assert(is(conf->tasks[3000].env.items[0], "A=2999"));
	rv_buf_fini(&text);
}

/* ---- where the file is */

Test(conf, the_file_is_looked_for_in_order, .fini = finish)
{
	const char *dir = rv_test_tmpdir();
	static char named[] = "REEVE_CONFIG=/named.ini";
	static char unnamed[] = "REEVE_CONFIG=";
	char *own = strdup(rv_test_path("HOME=%s", dir));
	char *xdg = strdup(rv_test_path("XDG_CONFIG_HOME=%s/xdg", dir));
	char *all[] = {named, own, xdg, NULL};
	char *with_home[] = {unnamed, own, NULL};
	char *with_xdg[] = {own, xdg, NULL};
	char *path = NULL;

	cr_assert(eq(int, rv_conf_find_file("/option.ini", all, &path), 0));
	cr_assert(is(path, "/option.ini"));
	free(path);
	cr_assert(eq(int, rv_conf_find_file(NULL, all, &path), 0));
	cr_assert(is(path, "/named.ini"));
	free(path);
	path = NULL;
	if (access("/etc/reeve/reeve.ini", F_OK) != 0) {
		cr_assert(eq(int, rv_conf_find_file(NULL, with_home, &path), RV_E_NOTFOUND));
		cr_assert(eq(int, rv_conf_find_file(NULL, NULL, &path), RV_E_NOTFOUND));
		cr_assert(path == NULL);
	}
	cr_assert(eq(int, mkdir(rv_test_path("%s/.config", dir), 0700), 0));
	cr_assert(eq(int, mkdir(rv_test_path("%s/.config/reeve", dir), 0700), 0));
	write_conf(rv_test_path("%s/.config/reeve/reeve.ini", dir), "");
	cr_assert(eq(int, rv_conf_find_file(NULL, with_home, &path), 0));
	cr_assert(is(path, rv_test_path("%s/.config/reeve/reeve.ini", dir)));
	free(path);
	cr_assert(eq(int, mkdir(rv_test_path("%s/xdg", dir), 0700), 0));
	cr_assert(eq(int, mkdir(rv_test_path("%s/xdg/reeve", dir), 0700), 0));
	write_conf(rv_test_path("%s/xdg/reeve/reeve.ini", dir), "");
	cr_assert(eq(int, rv_conf_find_file(NULL, with_xdg, &path), 0));
	cr_assert(is(path, rv_test_path("%s/xdg/reeve/reeve.ini", dir)));
	free(path);
	free(own);
	free(xdg);
}

/* ---- explain */

Test(conf, explain_names_the_key, .fini = finish)
{
	struct rv_why why = {0};

	rv_buf_reset(&said);
	cr_assert(eq(int, rv_conf_explain("pool.workers", &said, &why), 0));
	SAYS("[pool:NAME] workers = auto\n");
	SAYS("auto, a number, or MIN..MAX, 1 to 200; a reload applies it at once.");
	rv_buf_reset(&said);
	cr_assert(eq(int, rv_conf_explain("timeout", &said, &why), 0));
	SAYS("[defaults] timeout = 1h\n");
	SAYS("[task:NAME] timeout = 1h\n");
	rv_buf_reset(&said);
	cr_assert(eq(int, rv_conf_explain("task:with.dots.command", &said, &why), 0));
	SAYS("[task:NAME] command\n");
	rv_buf_reset(&said);
	cr_assert(eq(int, rv_conf_explain("store.worker", &said, &why), RV_E_NOTFOUND));
	cr_assert(strstr(why.text, "did you mean workers?") != NULL, "%s", why.text);
	cr_assert(eq(int, rv_conf_explain("log.workers", &said, &why), RV_E_NOTFOUND));
	cr_assert(eq(sz, said.size, 0));
}
