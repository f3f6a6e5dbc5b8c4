/*
 * The environment of the children, made at start and at a reload.  Runs in the supervisor only.
 * Must never let a secret or a loader's variable of the daemon's own environment through unasked.
 */
#include "supervisor/env.h"

#include "base/attr.h"
#include "base/check.h"
#include "obs/log.h"

#include <stdlib.h>
#include <string.h>

static const char *const passed[] = {
#define PASS(name, why) name,
#include "supervisor/child_env.def"
#undef PASS
};

/* "NAME=…" of ${environment}, or NULL. */
static char *find(char *const *environment, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; environment[i]; i++) {
		if (strncmp(environment[i], name, size) == 0 && environment[i][size] == '=')
			return environment[i];
	}
	return NULL;
}

static void add(char **env, size_t *n, char *pair)
{
	if (!pair)
		return;
	for (size_t i = 0; i < *n; i++) {
		if (env[i] == pair)
			return;
	}
	env[(*n)++] = pair;
}

static void add_list(char **env, size_t *n, char *const *environment,
		     const struct rv_conf_list *names)
{
	for (size_t i = 0; i < names->count; i++)
		add(env, n, find(environment, names->items[i]));
}

#ifdef RV_FAULTS
/* Test builds: fault points, sanitizers and coverage reach the children. */
static void add_tests(char **env, size_t *n, char *const *environment)
{
	static const char *const prefixes[] = {"RV_",           "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
					       "LSAN_OPTIONS=", "TSAN_OPTIONS=", "GCOV_"};

	for (size_t i = 0; environment[i]; i++) {
		for (size_t p = 0; p < RV_ARRAY_LEN(prefixes); p++) {
			if (strncmp(environment[i], prefixes[p], strlen(prefixes[p])) == 0)
				add(env, n, environment[i]);
		}
	}
}
#else
static void add_tests(char **env, size_t *n, char *const *environment)
{
	(void)env;
	(void)n;
	(void)environment;
}
#endif

/* A child's stderr is a pipe to us: its lines are to look like ours. */
static char *log_format(void)
{
	static char pairs[RV_LOG_FORMATS][32] = {
		[RV_LOG_TEXT] = "REEVE_LOG_FORMAT=text",
		[RV_LOG_JSON] = "REEVE_LOG_FORMAT=json",
		[RV_LOG_JOURNAL] = "REEVE_LOG_FORMAT=journal",
	};
	enum rv_log_format format = rv_log_format();

	PRE(format != RV_LOG_AUTO && format < RV_LOG_FORMATS);
	return pairs[format];
}

char **rv_child_env(const struct rv_conf *conf, char *const *environment, char *mark)
{
	static char default_path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	size_t space = 4; /* mark, PATH, the log's format, NULL */
	size_t n = 0;
	char **env;

	for (size_t i = 0; environment[i]; i++)
		space++; /* each at most once */
	env = calloc(space, sizeof *env);
	if (!env)
		return NULL;
	add(env, &n, mark);
	add(env, &n, log_format());
	if (!find(environment, "PATH"))
		add(env, &n, default_path);
	for (size_t i = 0; i < RV_ARRAY_LEN(passed); i++)
		add(env, &n, find(environment, passed[i]));
	add_list(env, &n, environment, &conf->defaults.pass_env);
	for (size_t i = 0; i < conf->ntasks; i++)
		add_list(env, &n, environment, &conf->tasks[i].pass_env);
	add_tests(env, &n, environment);
	POST(n < space);
	return env;
}
