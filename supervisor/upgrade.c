/*
 * Executing ourselves anew.  Runs in the supervisor only; must never leave a descriptor open for
 * children, nor give up a child, when it does not come to it.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/upgrade.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/notify.h"
#include "supervisor/child.h"
#include "supervisor/control.h"
#include "supervisor/fit.h"
#include "supervisor/main.h"
#include "supervisor/start.h"
#include "wire/sup.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK_US   (10 * RV_SECOND_US) /* that the new program has for its answer */
#define STATE_FD   3                   /* in that program */
#define ARGS_EXTRA 3                   /* an option, its value, NULL */

enum event {
#define UPGRADES(sym) EVENT_##sym,
#include "supervisor/upgrade_states.def"
	EVENTS
};

static const char *const names[] = {
#define UPGRADE(sym, name) [RV_UPGRADE_##sym] = name,
#include "supervisor/upgrade_states.def"
};

static const struct {
	bool is_there;
	enum rv_upgrade_state next;
} moves[RV_UPGRADE_STATES][EVENTS] = {
#define UPGRADED(from, event, to) [RV_UPGRADE_##from][EVENT_##event] = {true, RV_UPGRADE_##to},
#include "supervisor/upgrade_states.def"
};

const char *rv_upgrade_name(enum rv_upgrade_state state)
{
	PRE(state < RV_UPGRADE_STATES);
	return names[state];
}

/* The one function that changes the state. */
static bool happens(struct rv_upgrade *upgrade, enum event event)
{
	PRE(event < EVENTS);
	if (!moves[upgrade->state][event].is_there)
		return false;
	upgrade->state = moves[upgrade->state][event].next;
	return true;
}

bool rv_upgrade_has_checker(const struct rv_sup *sup)
{
	return sup->upgrade.checker.pidfd > 0;
}

bool rv_upgrade_is_checker(const struct rv_sup *sup, pid_t pid)
{
	return rv_upgrade_has_checker(sup) && sup->upgrade.checker.pid == pid;
}

/* It ends here, and nothing has changed; ${error} NULL: all is well. */
static void end(struct rv_sup *sup, const char *error)
{
	struct rv_upgrade *upgrade = &sup->upgrade;

	if (!happens(upgrade, EVENT_ENDED))
		IMPOSSIBLE("no upgrade is on");
	upgrade->ended = upgrade->attempt;
	(void)snprintf(upgrade->error, sizeof upgrade->error, "%.*s",
		       (int)sizeof upgrade->error - 1, error ? error : "");
	if (error)
		rv_log(RV_LOG_ERROR, RV_EV_daemon_not_upgraded,
		       "reeved goes on as it is; it was not executed anew: %s", upgrade->error);
	else
		rv_log(RV_LOG_INFO, RV_EV_daemon_upgrading, "%s could take over", sup->self);
}

/* ${sup->upgrade.words}: what its reader says. */
static int write_state(struct rv_sup *sup, int *ret_fd)
{
	struct rv_buf text;
	int err;

	rv_buf_init(&text);
	err = rv_handover_write(sup, &text);
	if (err == RV_OK)
		err = rv_fd_sealed("reeve-state", text.data, text.size, ret_fd);
	if (err == RV_OK)
		rv_handover_words(text.data, text.size, sup->upgrade.words);
	rv_buf_fini(&text);
	return err;
}

/* Our own command line with an option more; free() it. */
static char **command_line(const struct rv_sup *sup, char *option, char *value)
{
	const struct rv_options *options = sup->options;
	PRE(options->argv && options->argc >= 1);
	char **argv = calloc((size_t)options->argc + ARGS_EXTRA, sizeof *argv);

	for (int i = 0; argv && i < options->argc; i++)
		argv[i] = options->argv[i];
	if (argv) {
		argv[options->argc] = option;
		argv[options->argc + 1] = value;
	}
	return argv;
}

/* The last line that it wrote. */
static void last_line(int fd, char *out, size_t space)
{
	char text[4096];
	size_t got = 0;
	ssize_t n;
	char *line;

	while (got < sizeof text - 1 && (n = read(fd, text + got, sizeof text - 1 - got)) > 0)
		got += (size_t)n;
	while (got > 0 && (text[got - 1] == '\n' || text[got - 1] == ' '))
		got--;
	text[got] = '\0';
	line = strrchr(text, '\n');
	(void)snprintf(out, space, "%.*s", (int)space - 1, line ? line + 1 : text);
}

/* It has ended, and its last line is ${text}: why it cannot, "" when it can. */
static void judge(const struct rv_sup *sup, const struct rv_exit *how, const char *text,
		  char *error, size_t space)
{
	const char *colon = text[0] != '\0' ? ": " : "";

	PRE(space > 0 && sup->upgrade.words[0] != '\0');
	error[0] = '\0';
#ifdef RV_MUTANT_UPGRADE_UNASKED
	return;
#endif
	if (how->signo != 0)
		(void)snprintf(
			error, space,
			"%.50s could not say whether it can: it was ended by a signal%s%.100s",
			sup->self, colon, text);
	else if (how->code != 0)
		(void)snprintf(error, space, "%s",
			       text[0] != '\0' ? text : "it cannot, and does not say why");
#ifndef RV_MUTANT_UPGRADE_BY_EXIT_CODE
	else if (strcmp(text, sup->upgrade.words) != 0)
		(void)snprintf(error, space,
			       "%.50s ended with exit code 0 and did not say that it can: is it a "
			       "reeved?%s%.100s",
			       sup->self, colon, text);
#endif
}

static void on_answer(struct rv_loop_proc *watch)
{
	struct rv_sup *sup = watch->ctx;
	struct rv_upgrade *upgrade = &sup->upgrade;
	struct rv_exit how = {.code = -1};
	char text[200];
	char error[240];

	INV(rv_upgrade_has_checker(sup) && upgrade->words_fd >= 0);
	if (rv_proc_reap(&upgrade->checker, &how) != RV_OK)
		how.code = -1;
	rv_fd_close(&upgrade->checker.pidfd);
	last_line(upgrade->words_fd, text, sizeof text);
	rv_fd_close(&upgrade->words_fd);
	sup->is_dirty = true;
	if (upgrade->state != RV_UPGRADE_CHECKING)
		return;
	judge(sup, &how, text, error, sizeof error);
	if (error[0] != '\0')
		end(sup, error);
	else if (upgrade->only_check)
		end(sup, NULL);
	else
		(void)happens(upgrade, EVENT_GOOD);
}

static int ask(struct rv_sup *sup, struct rv_why *why)
{
	char option[] = "--can-resume";
	char value[] = {'0' + STATE_FD, '\0'};
	char **argv = command_line(sup, option, value);
	RV_AUTO(rv_fd_close) int state_fd = -1;
	RV_AUTO(rv_fd_close) int words_far = -1;
	int words[2] = {-1, -1};
	int err = argv ? write_state(sup, &state_fd) : RV_E_NOMEM;

	if (err == RV_OK)
		err = rv_fd_pipe(words, true);
	words_far = words[1];
	struct rv_spawn how = {
		.path = sup->self,
		.argv = argv,
		.envp = environ,
		.fds = {{-1, 0},
			{words_far, 1},
			{words_far, 2},
			{state_fd, STATE_FD},
			{sup->conf_fd, RV_CONF_FD}},
		.nfds = 5,
		.new_session = true,
		.parent_death_signal = SIGKILL,
		.umask = -1,
	};

	if (err == RV_OK)
		err = rv_seam()->spawn(rv_seam()->ctx, &how, &sup->upgrade.checker, why);
	free(argv);
	if (err != RV_OK) {
		rv_fd_close(&words[0]);
		return why->text[0] != '\0'
			       ? err
			       : rv_fail(why, err, "cannot ask it: %s", rv_err_text(err));
	}
	sup->upgrade.words_fd = words[0];
	rv_loop_proc_start(sup->loop, &sup->upgrade.watch, &sup->upgrade.checker, on_answer, sup);
	return RV_OK;
}

int rv_upgrade_begin(struct rv_sup *sup, bool only_check, struct rv_why *why)
{
	struct rv_upgrade *upgrade = &sup->upgrade;
	int err;

	if (sup->mode == RV_MODE_DRAIN || sup->mode == RV_MODE_NOW)
		return rv_fail(why, RV_E_CONFLICT, "reeved is ending");
	if (rv_upgrade_has_checker(sup) || !happens(upgrade, EVENT_BEGIN))
		return rv_fail(why, RV_E_CONFLICT, "reeved is being executed anew already");
	upgrade->attempt++;
	upgrade->only_check = only_check;
	upgrade->deadline_us = rv_mono_us() + CHECK_US;
	upgrade->generation = sup->generation;
	upgrade->nonce = (int64_t)(rv_random_u64() >> 1);
	rv_log(RV_LOG_INFO, RV_EV_daemon_upgrading, "%s is asked whether it can take over",
	       sup->self);
	err = ask(sup, why);
	if (err != RV_OK)
		end(sup, rv_why_text(why, err));
	return err;
}

static int keep_open(int fd, void *ctx)
{
	(void)ctx;
	return rv_fd_cloexec(fd, false);
}

static int keep_from_children(int fd, void *ctx)
{
	(void)ctx;
	/* What cannot be undone for one is undone for the others. */
	if (rv_fd_cloexec(fd, true) != RV_OK)
		rv_log(RV_LOG_ERROR, RV_EV_daemon_not_upgraded,
		       "descriptor %d stays open for children", fd);
	return RV_OK;
}

/* Comes back only with an error; then everything is as it was. */
static int execute(struct rv_sup *sup, struct rv_why *why)
{
	char option[] = "--resume";
	char value[16];
	char **argv = command_line(sup, option, value);
	RV_AUTO(rv_fd_close) int fd = -1;
	int err;

	INV(sup->mode == RV_MODE_RUN && !rv_upgrade_has_checker(sup));
	for (size_t i = 0; i < sup->nslots; i++)
		rv_words_flush(&sup->children[i]);
	err = argv ? write_state(sup, &fd) : RV_E_NOMEM;
	(void)snprintf(value, sizeof value, "%d", fd);
	if (err == RV_OK)
		err = rv_fd_cloexec(fd, false);
	if (err == RV_OK)
		err = rv_handover_fds(sup, keep_open, NULL);
	if (err == RV_OK)
		err = RV_FAULT(sup_exec);
	if (err != RV_OK) {
		err = rv_fail(why, err, "%s", rv_err_text(err));
	} else {
		rv_log_pump();
		(void)execve(sup->self, argv, environ);
		err = rv_fail(why, RV_E_MISSING, "%s cannot be executed: %m", sup->self);
	}
	if (rv_handover_fds(sup, keep_from_children, NULL) != RV_OK)
		IMPOSSIBLE("keep_from_children never fails");
	free(argv);
	return err;
}

/* Nothing is half said: neither an answer to somebody, nor the list of the living to the keeper. */
static bool is_quiet(const struct rv_sup *sup)
{
	return rv_control_is_idle(sup) &&
	       !(sup->living_due && sup->children[RV_PLAN_KEEPER].life == RV_LIFE_RUNNING);
}

static void go(struct rv_sup *sup)
{
	struct rv_why why = {0};

	if (!is_quiet(sup))
		return;
	rv_log(RV_LOG_INFO, RV_EV_daemon_upgrading, "reeved %s is executed anew: %s", RV_VERSION,
	       sup->self);
	if (sup->is_ready)
		(void)rv_notifyf("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)rv_mono_us());
	if (execute(sup, &why) != RV_OK)
		end(sup, why.text);
	if (sup->is_ready)
		(void)rv_notify("READY=1");
}

/* Why it must not go on; NULL: it may. */
static const char *obstacle(const struct rv_sup *sup, int64_t now_us)
{
	const struct rv_upgrade *upgrade = &sup->upgrade;

	if (sup->mode != RV_MODE_RUN)
		return "reeved is ending, or begins anew";
#ifndef RV_MUTANT_UPGRADE_STALE_CONF
	/* The new program has said nothing about this one, and could not go back any more. */
	if (upgrade->generation != sup->generation)
		return "the configuration changed meanwhile";
#endif
	if (now_us < upgrade->deadline_us)
		return NULL;
	return upgrade->state == RV_UPGRADE_GOING ? "somebody does not read what he asked for"
						  : "it did not answer in time";
}

int64_t rv_upgrade_step(struct rv_sup *sup, int64_t now_us)
{
	const struct rv_seam *seam = rv_seam();
	struct rv_upgrade *upgrade = &sup->upgrade;
	const char *error;

	if (upgrade->state == RV_UPGRADE_NONE)
		return 0;
	error = obstacle(sup, now_us);
	if (error) {
		if (rv_upgrade_has_checker(sup))
			(void)seam->signal(seam->ctx, &upgrade->checker, SIGKILL, false);
		end(sup, error);
		return 0;
	}
	if (upgrade->state == RV_UPGRADE_GOING)
		go(sup);
	return upgrade->state == RV_UPGRADE_GOING ? now_us + RV_MS_US : upgrade->deadline_us;
}

int rv_upgrade_check(int fd, char ret_words[static RV_HANDOVER_WORDS], struct rv_why *why)
{
	static struct rv_sup sup;
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	struct rv_buf text;
	int err;

	rv_buf_init(&text);
	rv_conf_errors_init(&errors);
	err = rv_fd_read_sealed(fd, RV_HANDOVER_MAX, &text);
	if (err != RV_OK)
		err = rv_fail(why, err, "no state can be read from descriptor %d", fd);
	if (err == RV_OK)
		err = rv_sup_programs(&sup, why);
	if (err == RV_OK)
		err = rv_handover_read(&sup, text.data, text.size, why);
	if (err == RV_OK)
		err = rv_conf_read(RV_CONF_FD, &conf, &errors);
	if (err != RV_OK && errors.count > 0)
		err = rv_fail(why, err, "its configuration is not one of %s: %s: %s", RV_VERSION,
			      errors.items[0].where, errors.items[0].text);
	if (err == RV_OK)
		err = rv_fit_programs(&sup, conf, why);
	if (err == RV_OK)
		rv_handover_words(text.data, text.size, ret_words);
	rv_conf_free(conf);
	rv_conf_errors_fini(&errors);
	rv_buf_fini(&text);
	rv_sup_table_free(&sup);
	return err;
}
