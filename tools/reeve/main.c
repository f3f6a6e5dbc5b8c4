/*
 * reeve: the command line.  Parses, dispatches to a verb, ends with its exit code.
 * Runs as whoever types; talks to the store, the doorbell and the control socket only.
 */
#include "cli.h"

#include "base/fault.h"
#include "os/fd.h"
#include "verb.h"

#include <signal.h>
#include <string.h>

/*
 * A closed pipe is an error of the write, not our end; nothing a parent blocked stays blocked. What
 * it ignores (nohup, a shell's background) stays ignored: that is how a person says it.
 */
static void inherit_signals(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int usage_error(struct rv_cli *cli, int err)
{
	int code = rv_cli_fail(cli, err);

	if (cli->args.verb && !cli->json)
		(void)fprintf(stderr, "see: reeve help %s\n", cli->args.verb->name);
	return code;
}

/* Also where what stands before or behind it cannot be understood. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0)
			return true;
	}
	return false;
}

/* The program's exit code once everything is written. */
static int end(struct rv_cli *cli, int code)
{
	int err = rv_out_end(&cli->why);

	if (err == RV_E_CLOSED)
		return 128 + SIGPIPE; /* as if it had ended us: the reader has seen enough */
	return err ? rv_cli_fail(cli, err) : code;
}

static int dispatch(struct rv_cli *cli, int argc, char **argv)
{
	int err;

	if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
		return rv_verb_version(cli);
	cli->json = wants_json(argc, argv);
	if (cli->json)
		rv_cli_speak_json();
	err = rv_args_parse(&cli->args, argc, argv, &cli->why);
	if (err)
		return usage_error(cli, err);
	cli->json = rv_args_has(&cli->args, RV_OPT_JSON);
	if (!cli->args.verb || rv_args_has(&cli->args, RV_OPT_HELP))
		return rv_verb_help(cli);
	return cli->args.verb->run(cli);
}

int main(int argc, char **argv)
{
	struct rv_cli cli;
	int code;

	memset(&cli, 0, sizeof(cli));
	rv_fault_iam("reeve");
	if (rv_fd_stdio() != RV_OK)
		return rv_err_exit(RV_E_IO);
	inherit_signals();
	rv_out_init(&cli.out);
	code = end(&cli, dispatch(&cli, argc, argv));
	json_decref(cli.findings);
	rv_client_fini(&cli.client);
	rv_args_fini(&cli.args);
	return code;
}
