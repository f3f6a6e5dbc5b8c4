/*
 * The manual page reeve(1), in scdoc, from verbs.def and options.def: docs/man/reeve.1.scd is this
 * text, and a test compares them.
 */
#include "help.h"

#include <ctype.h>
#include <string.h>

static const char head[] =
	"reeve(1)\n\n"
	"# NAME\n\n"
	"reeve - put work in, and see why it is not done yet\n\n"
	"# SYNOPSIS\n\n"
	"*reeve* [-c _FILE_] [--json] _VERB_ ...\n\n"
	"# DESCRIPTION\n\n"
	"*reeve* talks to the store of a *reeved*(8): it puts jobs in, lists and changes them, "
	"shows\n"
	"their output, and tells the daemon what to do. Data goes to standard output, everything "
	"else\n"
	"to standard error. It works while the daemon is down; the jobs wait in the store.\n\n"
	"The configuration is the file of *-c*, of $REEVE_CONFIG, _~/.config/reeve/reeve.ini_, or\n"
	"_/etc/reeve/reeve.ini_, the first that there is. Who cannot read the store can use "
	"*reeve\n"
	"status* only.\n\n"
	"# OPTIONS OF EVERY VERB\n\n";

static const char tail[] =
	"# JSON LINES\n\n"
	"*add --from-file* reads one object a line. Its fields: _task_ and _args_ (an object), or\n"
	"_command_ (an array), _cwd_ and _env_; _queue_, _priority_, _payload_ (a text, else its "
	"JSON\n"
	"text), _delay_, _at_, _after_ (an array of ids), _on_, _labels_ (an array), _meta_ (an "
	"object), _key_, _unique_,\n"
	"_until_, _batch_, _parent_ (0: none), _on\\_conflict_,\n"
	"_idempotency\\_key_, _timeout_, _ttl_, _max\\_attempts_, _weight_, "
	"_deadline_, _resources_ (such as \"gpu:1,db:2\").\n"
	"One transaction for each 1,000 lines: a\n"
	"bad line is reported with its number, and nothing of its 1,000 is stored.\n\n"
	"# JOBS BY THE DAEMON\n\n"
	"With _submit = daemon_ in [client] (see *reeve.ini*(5), or *-o client.submit=daemon*) "
	"*add* and\n"
	"*run* hand their jobs to reeved's keeper, which stores those of many in one transaction. "
	"They end when\n"
	"the jobs are stored, as without it. Where no keeper takes them (none runs, it is busy, "
	"the "
	"jobs are too\n"
	"big for a line of 64 KiB) the store is written directly. A keeper that is killed after it "
	"has the\n"
	"jobs, and before it has answered, leaves it open whether they are stored: with "
	"*--idempotency-key*\n"
	"they are asked for again, without it *add* ends with 74 and says so. Durability, *adhoc* "
	"and\n"
	"_idempotency\\_ttl_ are those of the daemon's configuration.\n\n"
	"# ERRORS IN JSON\n\n"
	"With *--json* what goes to standard error is JSON too, an object a line. An error is\n"
	"_{\"v\":1,\"error\":{\"code\":3,\"name\":\"NOTFOUND\",\"message\":\"...\"}}_: _code_ is "
	"the exit status\n"
	"(*run* may end with 125 instead), _message_ the sentence for people, _findings_ the "
	"mistakes of a\n"
	"configuration. A remark is _{\"v\":1,\"note\":\"...\"}_. Where several jobs are changed "
	"(*cancel*,\n"
	"*retry*, *delete*) each has its _error_ in the answer, and the first is the one that is "
	"told.\n\n"
	"# RUN AND ^C\n\n"
	"A command of *run* is tried once unless *--max-attempts* says more. The first ^C (or "
	"TERM)\n"
	"cancels the job and waits for its end; a second one leaves it running. *run* ends with "
	"the\n"
	"job's exit code, 128+N when signal N ended it, 125 when there is none to give.\n\n"
	"# BARS\n\n"
	"On a terminal *wait*, *batch wait* and *run* show how far it is and how much longer it "
	"takes,\n"
	"if that can be told: of one job by the progress that it reports (from 3 % and 1 s on), "
	"else by\n"
	"the median of the runs of its task (*stats --tasks*; of 3 at least), and then _over its "
	"usual 2\n"
	"min_ when it takes longer; while more jobs are left than run, by how many have ended (3 "
	"at\n"
	"least, in 1 s at least) since it looked. Of what nobody can know nothing is said. Without "
	"a\n"
	"terminal there is no bar; _progress_ of a job in JSON has _left\\_s_, by what it reports, "
	"while\n"
	"it runs.\n\n"
	"# ATTEMPTS\n\n"
	"*show* lists the runs of a job. CPU and MEMORY are of the run with all its processes; of "
	"one\n"
	"that crashed with its worker nobody knows them, and what the worker used in its life "
	"stands\n"
	"there (_by worker_; in JSON _usage\\_of_ is _worker_). Of a run at a handler that stays "
	"CPU is\n"
	"what the handler took for it, and MEMORY the most that it has had in its life (_by "
	"handler_).\n"
	"What nobody measured is _-_, _null_ in JSON.\n\n"
	"# EXIT STATUS\n\n"
	"0 ok; 1 failed; 2 usage; 3 not found; 4 permission; 5 conflict with the present state; 6 "
	"full\n"
	"(no room on the disk: nothing was stored) or refused; 7 reeved is not running; 10 "
	"degraded\n"
	"(*status*); 69 something needed is missing; 74 store I/O error, or standard output cannot "
	"be\n"
	"written; 75 busy, try later; 78 bad configuration; 124 timed out.\n\n"
	"A configuration with a mistake ends every verb with 78, but *help*, *version*, "
	"*completion*,\n"
	"*config check* and *config explain*, which need none; see *reeve.ini*(5).\n\n"
	"*wait* and *logs -f* end with 74, *run* with 125, when the store is removed or replaced "
	"under\n"
	"them.\n\n"
	"# ENVIRONMENT\n\n"
	"_REEVE\\_CONFIG_ names the configuration; _REEVE\\_SECTION\\_\\_KEY_ overrides a key of "
	"it;\n"
	"_NO\\_COLOR_ turns colours off. Within a job, unless *-c*, *--store* or _REEVE\\_CONFIG_ "
	"says "
	"otherwise,\n"
	"_REEVE\\_STORE_, _REEVE\\_STATE\\_DIR_ and _REEVE\\_ADHOC_ say which reeve the job "
	"belongs to, and "
	"what is added there\n"
	"are children of the job _REEVE\\_JOB\\_ID_.\n\n"
	"# SEE ALSO\n\n"
	"*reeved*(8), *reeve.ini*(5)\n";

/* Text with what scdoc would take for markup made harmless. */
static void print_plain(FILE *file, const char *text, int size)
{
	for (int i = 0; i < size; i++) {
		if (strchr("_*\\<#[", text[i]) ||
		    (text[i] == '.' && i + 1 < size && text[i + 1] == '.'))
			(void)fputc('\\', file);
		(void)fputc(text[i], file);
	}
}

static void print_options(FILE *file, const struct rv_verb *verb)
{
	for (int i = 0; i < RV_OPTS; i++) {
		const struct rv_opt_row *row = &rv_opts[i];

		if (verb ? row->global || !rv_args_takes(verb, (enum rv_opt)i, NULL) : !row->global)
			continue;
		if (row->letter)
			(void)fprintf(file, "*-%c*, ", row->letter);
		(void)fprintf(file, "*--%s*", row->name);
		if (row->arg) {
			(void)fputc(' ', file);
			print_plain(file, row->arg, (int)strlen(row->arg));
		}
		(void)fputs("\n\t", file);
		print_plain(file, row->help, (int)strlen(row->help));
		(void)fputs("\n\n", file);
	}
}

static void print_verb(FILE *file, const struct rv_verb *verb)
{
	const char *forms = verb->usage;
	const char *examples = verb->examples;
	const char *start;
	int size;

	(void)fprintf(file, "## reeve %s\n\n", verb->name);
	while (rv_help_form(&forms, &start, &size)) {
		(void)fprintf(file, "*reeve %s* ", verb->name);
		print_plain(file, start, size);
		(void)fputs("\n\n", file);
	}
	(void)fputc(toupper((unsigned char)verb->help[0]), file);
	print_plain(file, verb->help + 1, (int)strlen(verb->help + 1));
	(void)fputs(".\n\n", file);
	print_options(file, verb);
	(void)fputs("```\n", file);
	while (rv_help_form(&examples, &start, &size))
		(void)fprintf(file, "%.*s\n", size, start);
	(void)fputs("```\n\n", file);
}

void rv_help_manual(FILE *file)
{
	(void)fputs(head, file);
	print_options(file, NULL);
	(void)fputs("# VERBS\n\n", file);
	for (int i = 0; i < RV_VERBS; i++)
		print_verb(file, &rv_verbs[i]);
	(void)fputs(tail, file);
}
