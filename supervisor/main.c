/*
 * reeved, the supervisor.  Wider than the budget of headers: table.h brings what the child table is
 * made of.
 *
 * It keeps processes alive and nothing else: a keeper, which looks after the store, and pools of
 * workers, which run jobs.  It opens no database, maps nothing that a child may write, carries no
 * job's output, and believes no number that a child sends it; so neither a damaged file nor a
 * hostile worker nor a 10 GB log can stop it.
 *
 *   start.c     folders, lock, what a killed predecessor left, area, doorbell, control socket
 *   step.c      after each turn of the loop: judge, sweep, tell, plan, act, notify
 *   plan.c      desired against actual: who is to be started or stopped (pure)
 *   slot.c      the life of one child as a table (pure)
 *   child.c     fork, STOP, ABRT, KILL; channel.c its messages, words.c its stderr
 *   judge.c     who is too late
 *   death.c     reap, obituary (obit.c), sweep of orphans, DIED; restart.c when it comes back
 *   doorbell.c  a ring in, a WAKE out
 *   control.c   the socket of `reeve status` and the like; verbs.c, status.c
 *   pools.c     what people ask of pools; roll.c, recycle.c, scale.c: replacing, wearing out,
 * growing upgrade.c   executing itself anew; handover.c what it tells itself then, resume.c how it
 * goes on signals.c, reload.c
 *
 * The way fork → death → restart → obituary allocates nothing.  Everything runs in one loop, and no
 * step of it waits for anybody.
 */
#include "supervisor/main.h"

#include "base/check.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/fmt.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/sig.h"
#include "supervisor/reload.h"
#include "supervisor/signals.h"
#include "supervisor/start.h"
#include "supervisor/upgrade.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_KEY "store.path="

static void print_help(void)
{
	printf("usage: reeved [-c FILE] [-o SECTION.KEY=VALUE]… [--store PATH] [-t]\n"
	       "\n"
	       "Keeps reeve's workers alive.  Stays in the foreground; logs to stderr.\n"
	       "\n"
	       "  -c, --config FILE   the configuration (else $REEVE_CONFIG, "
	       "~/.config/reeve/reeve.ini,\n"
	       "                      /etc/reeve/reeve.ini; without any, built-in defaults)\n"
	       "  -o, --set KEY=VALUE a value that wins over the file's: -o "
	       "pool:default.workers=8\n"
	       "      --store PATH    the database: short for -o store.path=PATH\n"
	       "  -t, --check         check the configuration, say what is wrong, start nothing\n"
	       "      --version       print the version\n"
	       "  -h, --help          print this\n"
	       "\n"
	       "signals\n");
	rv_signals_help();
	printf("\n"
	       "exit codes\n"
	       "  0 ended as told   2 wrong usage   69 a program is missing   74 the store failed "
	       "at start\n"
	       "  75 another reeved uses this store   78 the configuration or the store is not "
	       "usable\n"
	       "\n"
	       "examples\n"
	       "  reeved                          for yourself: state in ~/.local/state/reeve\n"
	       "  reeved -c /etc/reeve/reeve.ini  as a service; see reeve.service\n"
	       "  reeved -t -c new.ini            before a reload\n"
	       "  reeved -o log.level=debug -o pool:default.workers=2\n");
}

static int usage(const char *what)
{
	fprintf(stderr, "reeved: %s\ntry: reeved --help\n", what);
	return rv_err_exit(RV_E_USAGE);
}

static bool add_override(struct rv_options *options, const char *text)
{
	for (size_t i = 0; i < RV_OVERRIDES_MAX; i++) {
		if (!options->overrides[i]) {
			options->overrides[i] = text;
			return true;
		}
	}
	return false;
}

/* As seen from here: a configuration's paths are absolute. */
static bool name_store(const char *path, char **ret_store)
{
	char here[PATH_MAX] = "";

	PRE(path);
	if (*ret_store || (path[0] != '/' && !getcwd(here, sizeof here)))
		return false;
	return asprintf(ret_store, STORE_KEY "%s%s%s", here, here[0] != '\0' ? "/" : "", path) > 0;
}

/* The last two words of our command line are an option of upgrade.c and its descriptor. */
static int take_fd(struct rv_options *options)
{
	int64_t fd = -1;

	options->argc = optind - 2;
	return rv_parse_int(optarg, 3, INT_MAX, &fd) == RV_OK ? (int)fd : -1;
}

/* -1: go on; else the exit code.  ${ret_store}: owned by the caller. */
static int parse(int argc, char **argv, struct rv_options *options, char **ret_store)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"set", required_argument, NULL, 'o'},
		{"store", required_argument, NULL, 's'},
		{"check", no_argument, NULL, 't'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		/* Not for people: upgrade.c gives them. */
		{"resume", required_argument, NULL, 'R'},
		{"can-resume", required_argument, NULL, 'C'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:o:th", longs, NULL)) != -1) {
		const char *set = NULL;

		switch (c) {
		case 'c':
			options->file = optarg;
			break;
		case 'o':
			set = optarg;
			break;
		case 's':
			if (!name_store(optarg, ret_store))
				return usage("--store is given twice, or this folder is gone");
			set = *ret_store;
			break;
		case 't':
			options->check_only = true;
			break;
		case 'V':
			printf("reeved %s\n", RV_VERSION);
			return 0;
		case 'h':
			print_help();
			return 0;
		case 'R':
			options->resume_fd = take_fd(options);
			break;
		case 'C':
			options->can_resume_fd = take_fd(options);
			break;
		default:
			return usage("wrong usage");
		}
		if (set && !add_override(options, set))
			return usage("too many -o");
	}
	return optind == argc ? -1 : usage("reeved takes no words, only options");
}

static int fail(int err, const struct rv_why *why)
{
	rv_log(RV_LOG_ERROR, RV_EV_daemon_failed, "%s", rv_why_text(why, err));
	return rv_err_exit(err);
}

/* ${conf} NULL: our last image had one, and all the rest. */
static int run(const struct rv_options *options, struct rv_conf *conf)
{
	static struct rv_sup sup;
	struct rv_why why = {0};
	int code;
	int err;

	if (conf) {
		/* What is made is ours alone, or with the members of the configured group. */
		(void)umask(conf->reeve.group ? 007 : 077);
		err = rv_sup_open(&sup, options, conf, &why);
		if (err != RV_OK)
			rv_sup_close(&sup);
	} else {
		err = rv_sup_resume(&sup, options, &why);
	}
	if (err != RV_OK)
		return fail(err, &why);
	rv_loop_run(sup.loop);
	INV(sup.is_finished);
	code = sup.exit_code;
	if (code != 0)
		rv_log(RV_LOG_ERROR, RV_EV_daemon_failed, "%s%s",
		       code == RV_EXIT_FAILED ? "reeved ends: " : "the store cannot be used: ",
		       sup.exit_words[0] != '\0' ? sup.exit_words : "see what the keeper said");
	else
		rv_log(RV_LOG_INFO, RV_EV_daemon_stopped, "reeved ends; no process is left");
	rv_sup_close(&sup);
	return code;
}

/* Could we go on from where the one that asks is? */
static int answer(const struct rv_options *options)
{
	struct rv_why why = {0};
	char words[RV_HANDOVER_WORDS];
	int err = rv_upgrade_check(options->can_resume_fd, words, &why);

	if (err == RV_OK)
		printf("%s\n", words);
	else
		fprintf(stderr, "%s\n", rv_why_text(&why, err));
	return rv_err_exit(err);
}

static int begin(const struct rv_options *options)
{
	struct rv_conf *conf = NULL;
	struct rv_why why = {0};
	int err;

	/* Who only looks has no loop in which somebody would read them. */
	if (options->can_resume_fd >= 0 || options->check_only)
		rv_sig_reset();
	if (options->can_resume_fd >= 0)
		return answer(options);
	if (options->resume_fd >= 0)
		return run(options, NULL);
	err = rv_reload_load(options, &conf, &why);
	if (err != RV_OK && options->check_only)
		return rv_err_exit(err); /* every error was printed */
	if (err != RV_OK)
		return fail(err, &why);
	if (!options->check_only)
		return run(options, conf);
	rv_conf_free(conf);
	printf("the configuration is good\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct rv_options options = {
		.argv = argv, .argc = argc, .resume_fd = -1, .can_resume_fd = -1};
	char *store = NULL;
	int code;

	/* Whatever the parent left: ignored SIGCHLD would give ECHILD for every child.  But what
	   our last image had blocked may wait for us, and is not to end us. */
	if (argc < 3 || strcmp(argv[argc - 2], "--resume") != 0) {
		rv_sig_reset();
		rv_signals_hold();
	}
	if (rv_fd_stdio() != RV_OK)
		return rv_err_exit(RV_E_IO);
	rv_fault_iam("reeved");
	code = parse(argc, argv, &options, &store);
	if (code < 0)
		code = begin(&options);
	free(store);
	rv_log_close();
	return code;
}
