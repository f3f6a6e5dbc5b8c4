/*
 * reeve completion: scripts for bash, zsh and fish, from verbs.def and options.def.
 */
#include "cli.h"

#include "base/near.h"
#include "verb.h"

#include <string.h>

/* Every option that ${verb} takes (NULL: the global ones), as "--long -s". */
static void print_options(const struct rv_verb *verb)
{
	for (int i = 0; i < RV_OPTS; i++) {
		const struct rv_opt_row *row = &rv_opts[i];

		if (!row->global && (!verb || !rv_args_takes(verb, (enum rv_opt)i, NULL)))
			continue;
		(void)printf(" --%s", row->name);
		if (row->letter)
			(void)printf(" -%c", row->letter);
	}
}

/* The first words of all verbs, each once; ${group}: the second words of its verbs. */
static void print_words(const char *group)
{
	const char *last = "";
	size_t last_size = 0;
	size_t skip = group ? strlen(group) + 1 : 0;

	for (int i = 0; i < RV_VERBS; i++) {
		const char *name = rv_verbs[i].name;
		size_t size;

		if (group && (strncmp(name, group, skip - 1) != 0 || name[skip - 1] != ' '))
			continue;
		name += skip;
		size = strcspn(name, " ");
		if (size == last_size && strncmp(name, last, size) == 0)
			continue;
		(void)printf(" %.*s", (int)size, name);
		last = name;
		last_size = size;
	}
}

/* Calls ${fn} for the first word of each group of verbs. */
static void each_group(void (*fn)(const char *group))
{
	char last[32] = "";

	for (int i = 0; i < RV_VERBS; i++) {
		const char *space = strchr(rv_verbs[i].name, ' ');
		char group[32];

		if (!space)
			continue;
		(void)snprintf(group, sizeof(group), "%.*s", (int)(space - rv_verbs[i].name),
			       rv_verbs[i].name);
		if (strcmp(group, last) != 0)
			fn(group);
		memcpy(last, group, sizeof(last));
	}
}

static void bash_group(const char *group)
{
	(void)printf("\t%s) words=\"", group);
	print_words(group);
	(void)puts("\" ;;");
}

static void print_bash(void)
{
	(void)puts("# bash completion of reeve; made by: reeve completion bash\n"
		   "_reeve() {\n"
		   "\tlocal cur=${COMP_WORDS[COMP_CWORD]} verb= word words i\n"
		   "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		   "\t\tword=${COMP_WORDS[i]}\n"
		   "\t\tcase $word in\n"
		   "\t\t-c|--config|--store|-o|--set|--busy-timeout) ((i++)) ;;\n"
		   "\t\t--) return ;;\n"
		   "\t\t-*) ;;\n"
		   "\t\t*) verb=${verb:+$verb }$word ;;\n"
		   "\t\tesac\n"
		   "\tdone\n"
		   "\tcase $verb in");
	(void)printf("\t'') words=\"");
	print_words(NULL);
	print_options(NULL);
	(void)puts("\" ;;");
	each_group(bash_group);
	for (int i = 0; i < RV_VERBS; i++) {
		(void)printf("\t'%s'|'%s '*) words=\"", rv_verbs[i].name, rv_verbs[i].name);
		if (rv_verbs[i].run == rv_verb_help)
			print_words(NULL);
		print_options(&rv_verbs[i]);
		(void)puts("\" ;;");
	}
	(void)puts("\t*) words= ;;\n"
		   "\tesac\n"
		   "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
		   "}\n"
		   "complete -o default -F _reeve reeve");
}

/* A text inside single quotes, for zsh and fish. */
static void print_quoted(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			(void)fputs("'\\''", stdout);
		else if (*text == ':' || *text == '[' || *text == ']')
			(void)printf("\\%c", *text);
		else
			(void)putchar(*text);
	}
}

static void zsh_options(const struct rv_verb *verb)
{
	for (int i = 0; i < RV_OPTS; i++) {
		const struct rv_opt_row *row = &rv_opts[i];

		if (!row->global && !rv_args_takes(verb, (enum rv_opt)i, NULL))
			continue;
		(void)printf(" '--%s[", row->name);
		print_quoted(row->help);
		(void)fputs("]", stdout);
		if (row->arg) {
			(void)fputs(":", stdout);
			print_quoted(row->arg);
			(void)fputs(strcmp(row->arg, "FILE") == 0 ? ":_files" : ":", stdout);
		}
		(void)fputs("'", stdout);
	}
}

static void print_zsh(void)
{
	(void)puts("#compdef reeve\n"
		   "# zsh completion of reeve; made by: reeve completion zsh\n"
		   "_reeve() {\n"
		   "\tlocal -a verbs\n"
		   "\tverbs=(");
	for (int i = 0; i < RV_VERBS; i++) {
		(void)printf("\t\t'%s:", rv_verbs[i].name);
		print_quoted(rv_verbs[i].help);
		(void)puts("'");
	}
	(void)puts("\t)\n"
		   "\tif (( CURRENT == 2 )); then\n"
		   "\t\t_describe verb verbs\n"
		   "\t\treturn\n"
		   "\tfi\n"
		   "\tcase \"$words[2] $words[3]\" in");
	for (int pass = 0; pass < 2;
	     pass++) { /* two-word verbs first: their patterns are narrower */
		for (int i = 0; i < RV_VERBS; i++) {
			const struct rv_verb *verb = &rv_verbs[i];

			if ((strchr(verb->name, ' ') != NULL) == (pass == 1))
				continue;
			(void)printf("\t'%s'*) _arguments", verb->name);
			zsh_options(verb);
			(void)puts(" '*: :_files' ;;");
		}
	}
	(void)puts("\tesac\n"
		   "}\n"
		   "_reeve \"$@\"");
}

static void fish_condition(const char *name)
{
	const char *space = strchr(name, ' ');
	int size = space ? (int)(space - name) : (int)strlen(name);

	(void)printf("__fish_seen_subcommand_from %.*s", size, name);
	if (space)
		(void)printf("; and __fish_seen_subcommand_from %s", space + 1);
}

static void fish_group(const char *group)
{
	(void)printf("complete -c reeve -f -n '__fish_seen_subcommand_from %s' -a '", group);
	print_words(group);
	(void)puts("'");
}

static void print_fish(void)
{
	(void)puts("# fish completion of reeve; made by: reeve completion fish");
	(void)printf("complete -c reeve -f -n __fish_use_subcommand -a '");
	print_words(NULL);
	(void)puts("'");
	each_group(fish_group);
	for (int v = 0; v < RV_VERBS; v++) {
		for (int i = 0; i < RV_OPTS; i++) {
			const struct rv_opt_row *row = &rv_opts[i];

			if (row->global || !rv_args_takes(&rv_verbs[v], (enum rv_opt)i, NULL))
				continue;
			(void)printf("complete -c reeve -n '");
			fish_condition(rv_verbs[v].name);
			(void)printf("' -l %s", row->name);
			if (row->letter)
				(void)printf(" -s %c", row->letter);
			(void)printf("%s -d '", row->arg ? " -r" : "");
			print_quoted(row->help);
			(void)puts("'");
		}
	}
}

int rv_verb_completion(struct rv_cli *cli)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};
	static void (*const printers[])(void) = {print_bash, print_zsh, print_fish};
	const char *near;

	for (size_t i = 0; i < RV_ARRAY_LEN(shells); i++) {
		if (strcmp(cli->args.words[0], shells[i]) == 0) {
			printers[i]();
			return 0;
		}
	}
	near = rv_near(cli->args.words[0], shells, RV_ARRAY_LEN(shells));
	return rv_cli_say(cli, RV_E_USAGE, "no completion for %s%s%s%s", cli->args.words[0],
			  near ? "; did you mean " : ": bash, zsh or fish", near ? near : "",
			  near ? "?" : "");
}
