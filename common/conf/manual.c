/*
 * The manual page reeve.ini(5), in scdoc.  Made by a test, which compares it with what is
 * committed: no program of the daemon runs this.
 */
#include "conf/doc.h"

#include "base/buf.h"
#include "conf/doc_text.h"
#include "conf/upkeep.h"

#include <string.h>

static const char head[] =
	"reeve.ini(5)\n"
	"\n"
	"# NAME\n"
	"\n"
	"reeve.ini - the configuration of reeve\n"
	"\n"
	"# DESCRIPTION\n"
	"\n"
	"*reeved* and *reeve* read the first of these that there is: the file of the option *-c*, "
	"that of *$REEVE_CONFIG*, _~/.config/reeve/reeve.ini_ (or "
	"_$XDG_CONFIG_HOME/reeve/reeve.ini_), "
	"_/etc/reeve/reeve.ini_. Without any, everything is at its default, and *reeved* works for "
	"the person who starts it.\n"
	"\n"
	"The file must belong to root or to the user who reads it, and nobody else may be able to "
	"write it. *reeve config check* reports every mistake with its file and line, *reeve "
	"config "
	"show* prints what is in force and where it was set, *reeve config explain* KEY explains a "
	"key.\n"
	"\n"
	"A configuration with a mistake is not used at all: *reeved* does not start (a reload "
	"keeps "
	"the old one), and every verb of *reeve* that needs it names the mistakes and ends with "
	"exit "
	"status 78. *help*, *version*, *completion*, *config check* and *config explain* need "
	"none; "
	"a daemon that runs still hears its signals; *-c* names another file, an empty one for the "
	"defaults.\n"
	"\n"
	"# FORMAT\n"
	"\n"
	"- A section is [name] or [kind:NAME], alone on its line; it stands once in a file. A NAME "
	"is 1 to 40 of A-Z a-z 0-9 \\_ . -\n"
	"- A key is written _key = value_. The value is raw, from the first character behind the = "
	"to the last of the line: quotes, ; and # mean nothing special in it.\n"
	"- A comment is a line whose first character, blanks aside, is # or ;\n"
	"- A line that ends in a backslash goes on in the next; the blanks around become one. Two "
	"backslashes at the end are two backslashes.\n"
	"- A key stands once in its section, but for lists: there each line adds, an indented line "
	"adds to the list above it, and an empty value forgets what was there.\n"
	"- Durations have units: 250ms 30s 5m 2h 1d 1w, also 1h30m. So have sizes: 512K 16M 2G, in "
	"powers of 1024. A plain 0 needs none.\n"
	"- ${NAME}, ${NAME:-default} and $$ are expanded in the keys that say so below, never in "
	"commands.\n"
	"- Unknown sections and keys are errors.\n"
	"\n"
	"# MORE FILES AND OVERRIDES\n"
	"\n"
	"What comes later wins; lists of one layer add up, and a list of a later layer replaces "
	"(env and pass\\_env add).\n"
	"\n"
	". The file.\n"
	". The files that its *include* names, in the order of their names, byte by byte; unless "
	"it "
	"says otherwise, _conf.d/\\*.ini_ beside it. They may include further ones, 8 deep.\n"
	". The environment: *REEVE\\_STORE\\_\\_PATH* is [store] path, "
	"*REEVE\\_POOL\\_DEFAULT\\_\\_WORKERS* is [pool:default] workers: the section in capitals, "
	"other "
	"characters as \\_, two underscores, the key.\n"
	". *-o* section.key=value, as in *-o* pool:default.workers=8.\n"
	"\n"
	"# COMMANDS\n"
	"\n"
	"A command is split into words as a shell splits quotes and backslashes. There is no "
	"globbing, no pipe, no expansion but *${arg.NAME}*, the argument NAME of the job; it stays "
	"within the word it stands in, whatever it contains. Inside single quotes it is left "
	"alone. "
	"The first word cannot have one. A job without such an argument is tried again a few "
	"times, then it "
	"fails: its worker may be one that a reload has yet to replace. With *shell = yes* "
	"the line is handed to /bin/sh -c as it is, and may have no *${arg.NAME}*.\n"
	"\n"
	"# RELOAD\n"
	"\n"
	"What a reload does with a key stands with it: at once, by replacing the workers one after "
	"the other, or at the next start. While workers are replaced, those that have not been yet "
	"go on with the old definitions: for that time a job may be run by either, also one that "
	"was put in after the reload. A worker that does not know the task, or whose definition "
	"wants an argument that the job does not have, burns no attempt: the job is tried again "
	"later. To be sure which definition runs, give the new one a new name, or start reeved "
	"anew.\n"
	"\n"
	"# SECTIONS AND KEYS\n";

static const char tail[] = "\n# SEE ALSO\n\n*reeve*(1), *reeved*(8)\n";

/* ${text} with what scdoc would take for markup escaped. */
static int add_escaped(struct rv_buf *out, const char *text)
{
	int err = RV_OK;

	while (err == RV_OK && *text != '\0') {
		size_t plain = strcspn(text, "\\*_`<>");

		err = rv_buf_add(out, text, plain);
		if (err == RV_OK && text[plain] != '\0')
			err = rv_buf_printf(out, "\\%c", text[plain]);
		text += plain + (text[plain] != '\0');
	}
	return err;
}

static int add_key(struct rv_buf *out, const struct rv_conf_key *key)
{
	struct rv_buf facts;
	int err;

	rv_buf_init(&facts);
	err = rv_buf_str(out, "\n*");
	if (err == RV_OK)
		err = add_escaped(out, key->name);
	if (err == RV_OK)
		err = rv_buf_printf(out, "*%s", key->def[0] ? " = " : "");
	if (err == RV_OK)
		err = add_escaped(out, key->def);
	if (err == RV_OK)
		err = rv_buf_str(out, "\n\t");
	if (err == RV_OK)
		err = add_escaped(out, key->doc);
	if (err == RV_OK)
		err = rv_doc_facts(&facts, key);
	if (err == RV_OK)
		err = rv_buf_str(out, " ");
	if (err == RV_OK)
		err = add_escaped(out, rv_buf_text(&facts));
	rv_buf_fini(&facts);
	return err ? err : rv_buf_str(out, "\n");
}

static int add_upkeep(struct rv_buf *out)
{
	int err = rv_buf_str(out, "\n## UPKEEP\n\n");

	if (err == RV_OK)
		err = add_escaped(out, RV_UPKEEP_DOC);
	if (err == RV_OK)
		err = rv_buf_str(out, "\n");
	for (size_t i = 0; err == RV_OK && i < rv_upkeeps_count; i++) {
		const struct rv_upkeep *upkeep = &rv_upkeeps[i];

		err = rv_buf_printf(out, "\n*[schedule:%s]*\n\t", upkeep->name);
		if (err == RV_OK)
			err = add_escaped(out, upkeep->doc);
		if (err == RV_OK)
			err = rv_buf_str(out, ": ");
		if (err == RV_OK)
			err = add_escaped(out, upkeep->command);
		if (err == RV_OK)
			err = rv_buf_str(out, " (");
		if (err == RV_OK)
			err = add_escaped(out, upkeep->cron);
		if (err == RV_OK)
			err = rv_buf_str(out, ")\n");
	}
	return err;
}

int rv_conf_manual(struct rv_buf *out)
{
	int err = rv_buf_str(out, head);

	for (unsigned s = 0; err == RV_OK && s < RV_SECTIONS; s++) {
		const struct rv_conf_section_info *info = &rv_conf_sections[s];

		err = rv_buf_printf(out, "\n## [%s%s]\n\n", info->name, info->named ? ":NAME" : "");
		if (err == RV_OK)
			err = add_escaped(out, info->doc);
		if (err == RV_OK)
			err = rv_buf_str(out, "\n");
		for (size_t i = 0; err == RV_OK && i < info->nkeys; i++) {
			const struct rv_conf_key *key = &info->keys[i];

			/* What [defaults] has, [task:NAME] need not say again. */
			if (!rv_conf_key_stands((enum rv_conf_section)s, key) ||
			    (s == RV_SECTION_TASK && (key->flags & RV_KEY_TASK_ONLY) == 0))
				continue;
			err = add_key(out, key);
		}
	}
	if (err == RV_OK)
		err = add_upkeep(out);
	return err ? err : rv_buf_str(out, tail);
}
