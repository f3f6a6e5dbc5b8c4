/*
 * reeve advise: what to recommend for a task or a command, the rules and numbers that say so, and
 * the lines for the configuration.  Runs in the CLI; changes nothing.
 */
#include "advise.h"

#include "base/buf.h"
#include "base/near.h"
#include "conf/conf.h"
#include "store/read.h"
#include "verb.h"
#include "wire/json.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRIALS     5
#define TRIALS_MAX 1000

struct advice {
	struct rv_cli *cli;
	char task[RV_NAME_MAX];
	const char *pool; /* whose workers are advised on; NULL: several, or none */
	struct rv_facts facts;
	struct rv_advice list[RV_ADVICES];
	size_t count;
};

static int each_name(void *ctx, const struct rv_task_def *task)
{
	struct rv_buf *names = ctx;

	return rv_buf_add(names, task->name, strlen(task->name) + 1);
}

/* RV_E_NOTFOUND with the nearest, unless it is configured or something was counted of it. */
static int check_task(struct advice *advice)
{
	const char *names[256];
	struct rv_buf all;
	size_t n = 0;
	const char *near;
	int err;

	if (advice->facts.runs > 0 || advice->facts.jobs > 0 ||
	    rv_conf_task_find(advice->cli->client.conf, advice->task))
		return RV_OK;
	rv_buf_init(&all);
	err = rv_store_tasks(advice->cli->client.store, each_name, &all);
	for (size_t at = 0; !err && at < all.size && n < RV_ARRAY_LEN(names);
	     at += strlen(all.data + at) + 1)
		names[n++] = all.data + at;
	near = rv_near(advice->task, names, n);
	err = rv_fail(&advice->cli->why, err ? err : RV_E_NOTFOUND, "there is no task %s%s%s%s",
		      advice->task, near ? "; did you mean " : "", near ? near : "",
		      near ? "?" : "");
	rv_buf_fini(&all);
	return err;
}

/* A section's name from a command: what follows the last slash, other characters as '-'. */
static void name_after(char *out, const char *command)
{
	const char *slash = strrchr(command, '/');
	size_t n = 0;

	for (const char *at = slash && slash[1] ? slash + 1 : command; *at && n < 32; at++)
		out[n++] = isalnum((unsigned char)*at) || *at == '_' || *at == '-' ? *at : '-';
	out[n] = '\0';
	if (n == 0 || !isalpha((unsigned char)out[0]))
		(void)snprintf(out, RV_NAME_MAX, "command");
}

static void find_pool(struct advice *advice)
{
	const struct rv_conf *conf = advice->cli->client.conf;
	const struct rv_conf_task *task = rv_conf_task_find(conf, advice->task);
	const char *queue = task ? task->queue : "default";
	bool several = false;

	for (size_t p = 0; p < conf->npools; p++) {
		for (size_t q = 0; q < conf->pools[p].queues.count; q++) {
			if (strcmp(conf->pools[p].queues.items[q], queue) != 0)
				continue;
			several = advice->pool && advice->pool != conf->pools[p].name;
			advice->pool = conf->pools[p].name;
		}
	}
	if (several)
		advice->pool = NULL;
}

/* A word as [task] command reads it; false: a line of INI cannot say it. */
static int add_word(struct rv_buf *ini, const char *word, bool *ret_said)
{
	int err = RV_OK;

	if (strpbrk(word, "\n\r"))
		*ret_said = false;
	if (*word &&
	    word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			      "_-./:=,@%+")] == '\0')
		return rv_buf_str(ini, word);
	err = rv_buf_str(ini, "'");
	for (; !err && *word; word++)
		err = *word == '\'' ? rv_buf_str(ini, "'\\''") : rv_buf_add(ini, word, 1);
	return err ? err : rv_buf_str(ini, "'");
}

static int add_command(const struct advice *advice, struct rv_buf *ini)
{
	const struct rv_args *args = &advice->cli->args;
	size_t begin = ini->size;
	bool said = true;
	int err = rv_buf_str(ini, "command =");

	for (size_t i = 0; !err && i < args->ncommand; i++) {
		err = rv_buf_str(ini, " ");
		if (!err)
			err = add_word(ini, args->command[i], &said);
	}
	if (err || said)
		return err ? err : rv_buf_str(ini, "\n");
	ini->size = begin;
	return rv_buf_str(ini, "# a line cannot say this command: put it into a script\n"
			       "command = /path/to/it\n");
}

static int add_settings(const struct advice *advice, struct rv_buf *ini)
{
	bool any = advice->facts.trial;
	char folder[PATH_MAX];
	int err = RV_OK;

	for (size_t i = 0; i < advice->count; i++)
		any = any || advice->list[i].place == RV_ADVICE_TASK;
	if (any)
		err = rv_buf_printf(ini, "[task:%s]\n", advice->task);
	if (!err && advice->facts.trial)
		err = add_command(advice, ini);
	if (!err && advice->facts.trial && getcwd(folder, sizeof(folder)))
		err = rv_buf_printf(ini, "%scwd = %s\n", strpbrk(folder, "\n$") ? "# " : "",
				    folder);
	for (size_t i = 0; !err && i < advice->count; i++) {
		const struct rv_advice *one = &advice->list[i];

		if (one->place == RV_ADVICE_TASK)
			err = rv_buf_printf(ini, "# %s: %s\n%s%s = %s\n", rv_advice_name(one->rule),
					    one->because, one->by_hand ? "# " : "", one->key,
					    one->value);
	}
	return err;
}

/* The lines to be pasted: a file of its own that [reeve] include reads. */
static int make_ini(const struct advice *advice, struct rv_buf *ini)
{
	int err = add_settings(advice, ini);

	for (size_t i = 0; !err && i < advice->count; i++) {
		const struct rv_advice *one = &advice->list[i];

		if (one->place == RV_ADVICE_SCHEDULE)
			err = rv_buf_printf(ini, "[schedule:%s]\n# %s: %s\n%s = %s\ntask = %s\n",
					    advice->task, rv_advice_name(one->rule), one->because,
					    one->key, one->value, advice->task);
		if (one->place == RV_ADVICE_POOL && advice->pool)
			err = rv_buf_printf(ini, "[pool:%s]\n# %s: %s\n%s = %s\n", advice->pool,
					    rv_advice_name(one->rule), one->because, one->key,
					    one->value);
	}
	return err;
}

static int add_fact(json_t *object, const char *name, int64_t value)
{
	return rv_json_set_new(object, name, value < 0 ? json_null() : json_integer(value));
}

static json_t *facts_json(const struct rv_facts *f)
{
	const struct {
		const char *name;
		int64_t value;
	} rows[] = {
		{"runs", f->runs},
		{"failed_runs", f->failed},
		{"run_p50_us", f->p50_us},
		{"run_p95_us", f->p95_us},
		{"run_p99_us", f->p99_us},
		{"run_longest_us", f->most_us},
		{"wait_p95_us", f->wait95_us},
		{"cpu_us", f->cpu_us},
		{"busy_us", f->busy_us},
		{"maxrss_bytes", f->rss_kib < 0 ? -1 : f->rss_kib << 10},
		{"runs_last_hour", f->hour_runs},
		{"jobs", f->jobs},
		{"timeouts", f->timeouts},
		{"tried_again", f->again},
		{"recovered", f->recovered},
		{"crashed", f->crashed},
		{"crash_recovered", f->crash_recovered},
		{"gaps", f->gaps},
		{"gap_p50_us", f->gap50_us},
		{"printing_runs", f->printing},
		{"silence_us", f->silence_us},
		{"cpus", f->cpus},
		{"memory_bytes", f->memory_kib < 0 ? -1 : f->memory_kib << 10},
		{"workers", f->workers},
	};
	json_t *object = json_object();
	int err = object ? RV_OK : RV_E_NOMEM;

	for (size_t i = 0; !err && i < RV_ARRAY_LEN(rows); i++)
		err = add_fact(object, rows[i].name, rows[i].value);
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *one_json(const struct rv_advice *one)
{
	json_t *object = json_object();

	if (object && rv_json_set_text(object, "rule", rv_advice_name(one->rule)) == RV_OK &&
	    rv_json_set_text(object, "meaning", rv_advice_meaning(one->rule)) == RV_OK &&
	    rv_json_set_text(object, "setting", one->key[0] ? one->key : NULL) == RV_OK &&
	    rv_json_set_text(object, "value", one->value[0] ? one->value : NULL) == RV_OK &&
	    rv_json_set_text(object, "because", one->because) == RV_OK &&
	    rv_json_set_bool(object, "by_hand", one->by_hand) == RV_OK)
		return object;
	json_decref(object);
	return NULL;
}

static int print_json(const struct advice *advice, const char *ini)
{
	json_t *object = rv_cli_object();
	json_t *list = json_array();
	int err = object && list ? RV_OK : RV_E_NOMEM;

	for (size_t i = 0; !err && i < advice->count; i++)
		err = json_array_append_new(list, one_json(&advice->list[i])) == 0 ? RV_OK
										   : RV_E_NOMEM;
	if (!err)
		err = rv_json_set_text(object, "task", advice->task);
	if (!err)
		err = rv_json_set_bool(object, "trial", advice->facts.trial);
	if (!err)
		err = rv_json_set_new(object, "facts", facts_json(&advice->facts));
	if (!err)
		err = rv_json_set_text(object, "ini", ini);
	if (!err)
		err = rv_json_set_new(object, "advice", json_incref(list));
	json_decref(list);
	if (err) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(advice->cli, object);
}

static int print_table(const struct advice *advice)
{
	static const char *const headers[] = {"RULE", "RECOMMENDED", "BECAUSE"};
	const struct rv_facts *facts = &advice->facts;
	struct rv_table table;
	int err;

	if (facts->trial)
		(void)printf("trial of %s: %lld runs succeeded, %lld failed\n", advice->task,
			     (long long)facts->runs, (long long)facts->failed);
	else
		(void)printf("task %s: %lld runs, %lld of them failed\n", advice->task,
			     (long long)facts->runs, (long long)facts->failed);
	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	for (size_t i = 0; i < advice->count; i++) {
		const struct rv_advice *one = &advice->list[i];

		rv_table_text(&table, rv_advice_name(one->rule), RV_STYLE_NONE);
		if (one->key[0])
			rv_table_printf(&table, RV_STYLE_BOLD, "%s = %s", one->key, one->value);
		else
			rv_table_text(&table, "", RV_STYLE_DIM);
		rv_table_text(&table, one->because, RV_STYLE_NONE);
	}
	err = rv_table_print(&table, &advice->cli->out);
	rv_table_fini(&table);
	return err;
}

static int print(const struct advice *advice, int *ret_code)
{
	struct rv_buf ini;
	int err;

	rv_buf_init(&ini);
	err = make_ini(advice, &ini);
	if (!err && advice->cli->json) {
		*ret_code = print_json(advice, rv_buf_text(&ini));
	} else if (!err && !rv_args_has(&advice->cli->args, RV_OPT_INI)) {
		err = print_table(advice);
		if (!err && ini.size > 0)
			(void)printf("\n# for the configuration (a file that [reeve] include "
				     "reads: reeve advise --ini); a line after # is for a program "
				     "that knows of it\n");
	}
	if (!err && !advice->cli->json)
		(void)fputs(rv_buf_text(&ini), stdout);
	rv_buf_fini(&ini);
	return err;
}

static int learn_by_trial(struct advice *advice, int *ret_signo)
{
	struct rv_cli *cli = advice->cli;
	int64_t runs = TRIALS;
	int64_t timeout_us = 0;
	int err = rv_args_int(&cli->args, RV_OPT_COUNT, 1, TRIALS_MAX, &runs, &cli->why);

	if (!err)
		err = rv_args_duration(&cli->args, RV_OPT_TIMEOUT, &timeout_us, &cli->why);
	if (!err)
		err = rv_cli_load(cli);
	if (err)
		return err;
	name_after(advice->task, cli->args.command[0]);
	if (!cli->json)
		rv_cli_note("running it %lld times here, as you, without reeve; what it prints is "
			    "not shown",
			    (long long)runs);
	return rv_advise_trial(cli, cli->args.command, runs, timeout_us, &advice->facts, ret_signo);
}

static int learn_by_history(struct advice *advice)
{
	const char *task = advice->cli->args.words[0];
	int err = rv_cli_store(advice->cli, RV_CLIENT_READ);

	if (!err && (strlen(task) >= sizeof(advice->task) || !*task))
		err = rv_fail(&advice->cli->why, RV_E_NOTFOUND, "there is no task %s", task);
	if (err)
		return err;
	(void)snprintf(advice->task, sizeof(advice->task), "%s", task);
	err = rv_advise_history(advice->cli, task, &advice->facts);
	return err ? err : check_task(advice);
}

int rv_verb_advise(struct rv_cli *cli)
{
	static struct advice advice; /* some KiB */
	int signo = 0;
	int code = 0;
	int err;

	advice.cli = cli;
	err = cli->args.command ? learn_by_trial(&advice, &signo) : learn_by_history(&advice);
	if (signo)
		return 128 + signo;
	if (!err) {
		find_pool(&advice);
		advice.count = rv_advise(&advice.facts, advice.list);
		err = print(&advice, &code);
	}
	return err ? rv_cli_fail(cli, err) : code;
}
