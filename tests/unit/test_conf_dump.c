/* The dump, its hash, and the difference of two configurations. */
#include "base/buf.h"
#include "base/err.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "helpers/tmpdir.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rv_conf *parse(const char *text)
{
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	struct rv_buf said = {0};

	rv_conf_errors_init(&errors);
	(void)!rv_conf_parse(text, strlen(text), &conf, &errors);
	cr_assert(eq(int, rv_conf_errors_print(&errors, &said), 0));
	cr_assert(conf != NULL, "%s", rv_buf_text(&said));
	rv_conf_errors_fini(&errors);
	rv_buf_fini(&said);
	return conf;
}

static const char everything[] =
	"[reeve]\ninstance = i\nstate_dir = /s$$x\nruntime_dir = /r\nstop_timeout = 1h30m\nadhoc = "
	"yes\n"
	"group = g\n"
	"[store]\npath = /p\ndurability = normal\n[log]\nlevel = debug\nformat = json\ntarget = "
	"/l\n"
	"[defaults]\ntimeout = 1s\nbackoff = linear 1s..2s\nenv = A=1, 2\nenv = B=$x ; #\n"
	"pass_env = PATH, TZ\nlimit_as = infinity\nlimit_cpu = 5s\nlimit_nofile = 0\n"
	"[pool:a]\nworkers = 3\nqueues = q, r\nrestart_burst = 7/1h\n[pool:b]\nqueues = r\n"
	"[queue:q]\nstrategy = priority\n"
	"[task:x]\ncommand = a 'b c' \\\\ ${arg.d} \\\n e\nqueue = q\nenv =\nlimit_as =\n"
	"success_exit = 0, 3\nno_retry_exit =\nstop_signal = USR2\numask = 0\n"
	"[task:y]\nhandler = builtin\nbuiltin = sleep\nqueue = r\nenv = C=3\nretry_exit = 9\n"
	"[task:z]\nshell = yes\ncommand = echo $HOME $$; ls | wc # no\nqueue = r\n";

static void ignore(void *ctx, const struct rv_conf_change *change)
{
	int *count = ctx;

	(*count)++;
	(void)change;
}

Test(conf_dump, is_parsed_to_the_same)
{
	struct rv_conf *one = parse(everything);
	struct rv_buf first = {0};
	struct rv_buf second = {0};
	struct rv_buf shown = {0};
	struct rv_conf *two;
	struct rv_conf *three;
	uint64_t hash[3] = {0};
	int changes = 0;

	cr_assert(eq(int, rv_conf_dump(one, RV_CONF_DUMP_PLAIN, &first), 0));
	cr_assert(eq(int, rv_conf_dump(one, RV_CONF_DUMP_ORIGINS, &shown), 0));
	two = parse(rv_buf_text(&first));
	three = parse(rv_buf_text(&shown));
	cr_assert(eq(int, rv_conf_dump(two, RV_CONF_DUMP_PLAIN, &second), 0));
	cr_assert(strcmp(first.data, second.data) == 0, "%s", first.data);
	cr_assert(eq(int, rv_conf_diff(one, two, ignore, &changes), 0));
	cr_assert(eq(int, rv_conf_diff(one, three, ignore, &changes), 0));
	cr_assert(eq(int, changes, 0));
	cr_assert(eq(int, rv_conf_hash(one, &hash[0]), 0));
	cr_assert(eq(int, rv_conf_hash(two, &hash[1]), 0));
	cr_assert(eq(int, rv_conf_hash(three, &hash[2]), 0));
	cr_assert(eq(u64, hash[0], hash[1]));
	cr_assert(eq(u64, hash[0], hash[2]));
	cr_assert(strcmp(two->reeve.state_dir, "/s$x") == 0);
	cr_assert(strcmp(two->defaults.env.items[0], "A=1, 2") == 0);
	cr_assert(strcmp(rv_conf_task_find(two, "x")->command, "a 'b c' \\\\ ${arg.d} e") == 0);
	cr_assert(eq(sz, rv_conf_task_find(two, "x")->env.count, 0));
	cr_assert(eq(sz, rv_conf_task_find(two, "y")->env.count, 3));
	rv_conf_free(one);
	rv_conf_free(two);
	rv_conf_free(three);
	rv_buf_fini(&first);
	rv_buf_fini(&second);
	rv_buf_fini(&shown);
}

Test(conf_dump, shows_where_each_key_was_set)
{
	struct rv_conf *conf =
		parse("[defaults]\nqueue = q\n[pool:p]\nqueues = q\n[task:t]\ncommand = x\n");
	struct rv_buf shown = {0};

	cr_assert(eq(int, rv_conf_dump(conf, RV_CONF_DUMP_ORIGINS, &shown), 0));
	cr_assert(strstr(shown.data, "[pool:p]\nworkers = ") != NULL, "%s", shown.data);
	cr_assert(strstr(shown.data, "\n# configuration:4\nqueues = q\n") != NULL);
	cr_assert(strstr(shown.data, "\n# configuration:6\ncommand = x\n") != NULL);
	cr_assert(strstr(strstr(shown.data, "[task:t]"), "\n# configuration:2\nqueue = q\n") !=
			  NULL,
		  "inherited, from where it stands");
	rv_conf_free(conf);
	rv_buf_fini(&shown);
}

Test(conf_dump, a_child_reads_it_from_a_descriptor)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	int pipes[2];

	cr_assert(ge(int, fd, 0));
	cr_assert(eq(i64, write(fd, everything, strlen(everything)), (int64_t)strlen(everything)));
	rv_conf_errors_init(&errors);
	cr_assert(eq(int, rv_conf_read(fd, &conf, &errors), 0), "from the start, not from the end");
	cr_assert(eq(sz, conf->ntasks, 3));
	rv_conf_free(conf);
	cr_assert(eq(i64, lseek(fd, 0, SEEK_CUR), (int64_t)strlen(everything)),
		  "children share the offset: nobody may move it");
	cr_assert(eq(int, close(fd), 0));
	cr_assert(eq(int, pipe2(pipes, O_CLOEXEC), 0));
	cr_assert(lt(int, rv_conf_read(pipes[0], &conf, &errors), 0));
	cr_assert(eq(sz, errors.nerrors, 1));
	cr_assert(strstr(errors.items[0].text, "cannot be read") != NULL);
	rv_conf_errors_fini(&errors);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

Test(conf_dump, text_looks_at_nothing_else)
{
	static const char *const texts[] = {
		"[reeve]\ninclude = /etc/passwd\n",
		"[store]\npath = ${HOME}/x\n",
	};
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;

	for (size_t i = 0; i < RV_ARRAY_LEN(texts); i++) {
		rv_conf_errors_init(&errors);
		cr_assert(eq(int, rv_conf_parse(texts[i], strlen(texts[i]), &conf, &errors),
			     RV_E_CONF));
		cr_assert(strncmp(errors.items[0].where, "configuration:2", 15) == 0);
		rv_conf_errors_fini(&errors);
	}
	conf = parse("[task:t]\ncommand = x\nuser = nobody-has-this-name\n");
	rv_conf_free(conf);
}

Test(conf_dump, definitions_for_the_store)
{
	struct rv_conf *conf = parse(everything);
	const struct rv_task_def *task;
	struct rv_conf_defs defs;

	cr_assert(eq(int, rv_conf_defs(conf, &defs), RV_OK));
	cr_assert(eq(sz, defs.ntasks, conf->ntasks + 1));
	cr_assert(eq(sz, defs.nqueues, conf->nqueues));
	task = &defs.tasks[rv_conf_task_find(conf, "x") - conf->tasks];
	cr_assert(strcmp(task->name, "x") == 0 && strcmp(task->queue, "q") == 0);
	cr_assert(eq(i64, task->timeout_us, RV_S_US));
	cr_assert(eq(int, task->max_attempts, 5));
	cr_assert(eq(int, task->max_crashes, 3));
	cr_assert(eq(int, (int)task->backoff.kind, (int)RV_BACKOFF_LINEAR));
	cr_assert(strcmp(defs.tasks[conf->ntasks].name, RV_TASK_ADHOC) == 0);
	const struct rv_queue_def *queue =
		&defs.queues[rv_conf_queue_find(conf, "q") - conf->queues];
	cr_assert(strcmp(queue->name, "q") == 0);
	cr_assert(eq(int, (int)queue->strategy, (int)RV_STRATEGY_PRIORITY));
	rv_conf_defs_fini(&defs);
	rv_conf_free(conf);
}

/* ---- what a reload changes */

static void note(void *ctx, const struct rv_conf_change *change)
{
	static const char *const classes[] = {"live", "roll", "next-start"};

	cr_assert(eq(int,
		     rv_buf_printf(ctx, "%s %s %s|%s %s %s\n", change->section,
				   change->key ? change->key : "-",
				   change->from ? change->from : "(none)",
				   change->to ? change->to : "(none)",
				   change->pool ? change->pool : "all", classes[change->reload]),
		     0));
}

static const struct {
	const char *was;
	const char *now;
	const char *changes;
} diffs[] = {
	{"", "", ""},
	{"[log]\nlevel = info\n", "[log]\n# c\nlevel=info", ""},
	{"", "[pool:default]\nworkers = 7\n[store]\npath = /x\n",
	 "store path /var/lib/reeve/reeve.db|/x all next-start\n"
	 "pool:default workers 1|7 default live\n"},
	{"[pool:a]\nqueues = q\n[pool:b]\nqueues = q\n",
	 "[pool:b]\nqueues = q, r\nlease = 1m\n[pool:c]\nqueues = q\n",
	 "pool:a - pool:a|(none) a live\n"
	 "pool:b queues q|q, r b roll\n"
	 "pool:b lease 30s|1m b roll\n"
	 "pool:c - (none)|pool:c c live\n"
	 "queue:r - (none)|queue:r all live\n"},
	{"[task:a]\ncommand = x\n[task:b]\ncommand = y\n",
	 "[task:a]\ncommand = z\nenv = A=1\nenv = B=2\n[task:c]\ncommand = y\n",
	 "task:a command x|z all roll\n"
	 "task:a env |A=1\nB=2 all roll\n"
	 "task:b - task:b|(none) all roll\n"
	 "task:c - (none)|task:c all roll\n"},
	{"[task:a]\ncommand = x\n", "[defaults]\ntimeout = 5s\n[task:a]\ncommand = x\n",
	 "defaults timeout 1h|5s all roll\n"
	 "task:a timeout 1h|5s all roll\n"},
	{"[queue:q]\n", "[queue:q]\nstrategy = priority\n[reeve]\nstop_timeout = 1s\n",
	 "reeve stop_timeout 30s|1s all live\n"
	 "queue:q strategy fifo|priority all live\n"},
};

Test(conf_diff, each_change_has_its_class)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(diffs); i++) {
		struct rv_conf *was = parse(diffs[i].was);
		struct rv_conf *now = parse(diffs[i].now);
		struct rv_buf got = {0};

		was->pools[0].workers =
			(struct rv_conf_workers){1, 1}; /* auto: as many as this machine has */
		if (!strstr(diffs[i].now, "workers"))
			for (size_t p = 0; p < now->npools; p++)
				now->pools[p].workers = (struct rv_conf_workers){1, 1};
		for (size_t p = 0; p < was->npools; p++)
			was->pools[p].workers = (struct rv_conf_workers){1, 1};
		cr_assert(eq(int, rv_conf_diff(was, now, note, &got), 0));
		cr_assert(strcmp(rv_buf_text(&got), diffs[i].changes) == 0, "row %zu:\n%s", i,
			  rv_buf_text(&got));
		rv_conf_free(was);
		rv_conf_free(now);
		rv_buf_fini(&got);
	}
}
