/*
 * Whether the children that would be started are ours.  Runs in the process that is asked whether
 * it could take over (upgrade.c), while the one that asks goes on; must leave no process behind.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/fit.h"

#include "base/check.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/spawn.h"
#include "supervisor/start.h"
#include "wire/build.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_US (3 * RV_SECOND_US) /* three of them fit into the 10 s that we have */
#define WORDS_MAX   100
#define RUNNER      "reeve-runner"

/* What it says, its first line, in ${words}; RV_E_TIMEOUT: nothing yet. */
static int run(char *path, char words[static WORDS_MAX], struct rv_exit *ret_end,
	       struct rv_why *why)
{
	char option[] = "--version";
	char *argv[] = {path, option, NULL};
	struct rv_proc proc = {.pidfd = -1};
	int fds[2];
	ssize_t n;
	int late;
	int err = rv_fd_pipe(fds, true);

	if (err != RV_OK)
		return rv_fail(why, err, "no pipe: %s", rv_err_text(err));
	struct rv_spawn how = {
		.path = path,
		.argv = argv,
		.envp = environ,
		.fds = {{fds[1], 1}},
		.nfds = 1,
		.new_session = true,
		.parent_death_signal = SIGKILL,
	};

	err = rv_spawn(&how, &proc, why);
	rv_fd_close(&fds[1]);
	if (err == RV_OK) {
		late = rv_fd_wait(proc.pidfd, POLLIN, PATIENCE_US);
		/* Before it is collected: its number is still that of its group. */
		(void)rv_proc_signal(&proc, SIGKILL, true);
		if (rv_fd_wait(proc.pidfd, POLLIN, PATIENCE_US) == RV_OK)
			(void)!rv_proc_reap(&proc, ret_end);
		rv_fd_close(&proc.pidfd);
		err = late;
	}
	n = read(fds[0], words, WORDS_MAX - 1);
	words[n > 0 ? n : 0] = '\0';
	words[strcspn(words, "\n")] = '\0';
	rv_fd_close(&fds[0]);
	POST(proc.pidfd < 0);
	return err;
}

static int check(const char *name, const char *path, const char *wanted, struct rv_why *why)
{
	char place[RV_PATH_MAX];
	char words[WORDS_MAX] = "";
	struct rv_exit end = {.code = -1};
	int n = snprintf(place, sizeof place, "%s", path);
	int err = n > 0 && (size_t)n < sizeof place ? run(place, words, &end, why) : RV_E_TOOBIG;

	PRE(strncmp(wanted, name, strlen(name)) == 0);
	if (err == RV_E_TIMEOUT)
		return rv_fail(why, RV_E_REFUSED,
			       "the %s that lies there does not say of which build it is", name);
	if (err != RV_OK)
		return why->text[0] != '\0' ? err
					    : rv_fail(why, err, "%s: %s", name, rv_err_text(err));
#ifdef RV_MUTANT_FIT_ANY_CHILD
	return RV_OK;
#endif
	if (end.code == 0 && strcmp(words, wanted) == 0)
		return RV_OK;
	if (end.signo != 0)
		return rv_fail(why, RV_E_REFUSED,
			       "the %s that lies there is ended by signal %d when it is run", name,
			       end.signo);
	if (strncmp(words, wanted, strlen(name)) == 0)
		return rv_fail(why, RV_E_REFUSED, "the programs are not of one build: %s, not %s",
			       words, wanted + strlen(name) + 1);
	return rv_fail(why, RV_E_REFUSED, "what lies there as %s is none (exit code %d)%s%.60s",
		       name, end.code, words[0] != '\0' ? ": " : "", words);
}

/* It is needed for modules only; one that is there has to be a good one all the same. */
static int check_runner(const struct rv_conf *conf, struct rv_why *why)
{
	char path[RV_PATH_MAX];
	bool is_needed = false;
	int err = rv_sup_program(RUNNER, path, sizeof path, why);

	for (size_t i = 0; i < conf->ntasks; i++)
		is_needed = is_needed || conf->tasks[i].handler == RV_CONF_HANDLER_MODULE;
	if (err == RV_OK && access(path, F_OK) != 0)
		err = rv_fail(why, RV_E_MISSING, "there is no %s", path);
	if (err != RV_OK && !is_needed) {
		why->text[0] = '\0';
		return RV_OK;
	}
	return err == RV_OK ? check(RUNNER, path, RUNNER " " RV_VERSION, why) : err;
}

int rv_fit_programs(const struct rv_sup *sup, const struct rv_conf *conf, struct rv_why *why)
{
	char wanted[200];

	for (int kind = 0; kind < RV_PROC_KINDS; kind++) {
		const char *path = sup->program[kind];
		const char *name = rv_path_base(path);
		int err;

		PRE(path[0] == '/');
		(void)snprintf(wanted, sizeof wanted, "%s %s", name, rv_build_words());
		err = check(name, path, wanted, why);
		if (err != RV_OK)
			return err;
	}
	return check_runner(conf, why);
}
