/*
 * What is written about the keys: the sample, the manual page and `config explain`, from the same
 * table that reads them.  The CLI, and tests that compare with what is committed.
 */
#include "conf/doc.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/near.h"
#include "conf/doc_text.h"
#include "conf/upkeep.h"
#include "conf/value.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 78u

/* Adds ${text} in lines of at most WIDTH, each after ${lead}. */
static int add_wrapped(struct rv_buf *out, const char *lead, const char *text)
{
	size_t room = WIDTH - strlen(lead);
	int err = RV_OK;

	while (err == RV_OK && *text != '\0') {
		size_t size = strlen(text);

		if (size > room) {
			size = room;
			while (size > 0 && text[size] != ' ')
				size--;
			if (size == 0)
				size = strcspn(text, " ");
		}
		err = rv_buf_printf(out, "%s%.*s\n", lead, (int)size, text);
		text += size;
		text += strspn(text, " ");
	}
	return err;
}

static int add_bound(struct rv_buf *out, const struct rv_conf_key *key, int64_t value)
{
	char text[RV_FMT_SPACE];

	if (key->type == RV_TYPE_DURATION || key->type == RV_TYPE_LIMIT_TIME)
		return rv_buf_str(out, rv_fmt_duration(text, value));
	if (key->type == RV_TYPE_SIZE || key->type == RV_TYPE_LIMIT_SIZE)
		return rv_buf_str(out, rv_fmt_size(text, value));
	if (key->type == RV_TYPE_OCTAL)
		return rv_buf_printf(out, "%llo", (unsigned long long)value);
	return rv_buf_printf(out, "%lld", (long long)value);
}

/* "A duration, 0 to 1w", "fifo, priority", "a name". */
static int add_kind(struct rv_buf *out, const struct rv_conf_key *key)
{
	const char *kind = rv_value_kind(key->type);
	int err = kind[0] ? rv_buf_str(out, kind) : rv_value_words(key->type, out);

	if (err || key->max == 0 || key->type == RV_TYPE_BACKOFF || key->type == RV_TYPE_RATE)
		return err;
	err = rv_buf_str(out, ", ");
	if (err == RV_OK)
		err = add_bound(out, key, key->min);
	if (err == RV_OK)
		err = rv_buf_str(out, " to ");
	return err ? err : add_bound(out, key, key->max);
}

static const char *reload_text(enum rv_conf_reload reload)
{
	switch (reload) {
	case RV_CONF_LIVE:
		return "a reload applies it at once";
	case RV_CONF_ROLL:
		return "a reload replaces the workers, one after the other";
	case RV_CONF_NEXT_START:
		return "the next start of reeved applies it";
	}
	IMPOSSIBLE("a reload class without words");
}

int rv_doc_facts(struct rv_buf *out, const struct rv_conf_key *key)
{
	int err = rv_buf_str(out, "Value: ");

	if (err == RV_OK)
		err = add_kind(out, key);
	if (err == RV_OK)
		err = rv_buf_printf(out, "; %s%s%s.", reload_text(key->reload),
				    (key->flags & RV_KEY_EXPAND) ? "; ${NAME} is expanded" : "",
				    rv_conf_key_is_list(key) ? "; a list" : "");
	return err;
}

static int add_facts(struct rv_buf *out, const char *lead, const struct rv_conf_key *key)
{
	struct rv_buf facts;
	int err;

	rv_buf_init(&facts);
	err = rv_doc_facts(&facts, key);
	if (err == RV_OK)
		err = add_wrapped(out, lead, rv_buf_text(&facts));
	rv_buf_fini(&facts);
	return err;
}

/* ---- the sample */

static int sample_section(struct rv_buf *out, enum rv_conf_section section)
{
	const struct rv_conf_section_info *info = &rv_conf_sections[section];
	bool optional = section == RV_SECTION_QUEUE || section == RV_SECTION_TASK ||
			section == RV_SECTION_RESOURCE || section == RV_SECTION_SCHEDULE;
	const char *name = section == RV_SECTION_POOL       ? ":default"
			   : section == RV_SECTION_QUEUE    ? ":bulk"
			   : section == RV_SECTION_TASK     ? ":thumbnail"
			   : section == RV_SECTION_RESOURCE ? ":gpu"
			   : section == RV_SECTION_SCHEDULE ? ":nightly"
							    : "";
	int err = rv_buf_str(out, "\n\n");

	if (err == RV_OK)
		err = add_wrapped(out, "# ", info->doc);
	if (err == RV_OK)
		err = rv_buf_printf(out, "%s[%s%s]\n", optional ? "#" : "", info->name, name);
	for (size_t i = 0; err == RV_OK && i < info->nkeys; i++) {
		const struct rv_conf_key *key = &info->keys[i];
		const char *value = key->type == RV_TYPE_COMMAND
					    ? "/usr/lib/app/thumb --in ${arg.in} --out ${arg.out}"
					    : key->def;

		if (!rv_conf_key_stands(section, key) ||
		    (section == RV_SECTION_TASK && (key->flags & RV_KEY_TASK_ONLY) == 0))
			continue;
		err = rv_buf_str(out, "\n");
		if (err == RV_OK)
			err = add_wrapped(out, "# ", key->doc);
		if (err == RV_OK)
			err = add_facts(out, "# ", key);
		if (err == RV_OK)
			err = rv_buf_printf(out, "#%s =%s%s\n", key->name, value[0] ? " " : "",
					    value);
	}
	return err;
}

static int sample_upkeep(struct rv_buf *out)
{
	int err = rv_buf_str(out, "\n");

	if (err == RV_OK)
		err = add_wrapped(out, "# ", RV_UPKEEP_DOC);
	for (size_t i = 0; err == RV_OK && i < rv_upkeeps_count; i++) {
		const struct rv_upkeep *upkeep = &rv_upkeeps[i];

		err = rv_buf_str(out, "\n");
		if (err == RV_OK)
			err = add_wrapped(out, "# ", upkeep->doc);
		if (err == RV_OK)
			err = rv_buf_printf(out,
					    "#[schedule:%s]\n#cron = %s\n#[task:%s]\n"
					    "#command = %s\n",
					    upkeep->name, upkeep->cron, upkeep->name,
					    upkeep->command);
	}
	return err;
}

int rv_conf_sample(struct rv_buf *out)
{
	int err = rv_buf_str(
		out,
		"# reeve.ini: everything that can be said, at its default.  See reeve.ini(5).\n"
		"# Made from common/conf/keys.def; `reeve config check` reads it, `reeve config\n"
		"# explain KEY` explains a key, `reeve config show` prints what is in force.\n"
		"#\n"
		"# Comments stand on lines of their own.  A value goes on to the end of its line.\n"
		"# Durations (250ms 30s 5m 2h 1d 1w) and sizes (512K 16M 2G) need their unit.\n");

	for (unsigned s = 0; err == RV_OK && s < RV_SECTIONS; s++) {
		err = sample_section(out, (enum rv_conf_section)s);
		if (err == RV_OK && s == RV_SECTION_TASK)
			err = rv_buf_str(out,
					 "\n# and every key of [defaults], for this task alone.\n");
		if (err == RV_OK && s == RV_SECTION_SCHEDULE)
			err = sample_upkeep(out);
	}
	return err;
}

/* ---- config explain */

static int explain_one(struct rv_buf *out, enum rv_conf_section section,
		       const struct rv_conf_key *key)
{
	const struct rv_conf_section_info *info = &rv_conf_sections[section];
	int err = rv_buf_printf(out, "%s[%s%s] %s%s%s\n", out->size > 0 ? "\n" : "", info->name,
				info->named ? ":NAME" : "", key->name, key->def[0] ? " = " : "",
				key->def);

	if (err == RV_OK)
		err = add_wrapped(out, "    ", key->doc);
	if (err == RV_OK)
		err = add_facts(out, "    ", key);
	if (err == RV_OK)
		err = rv_buf_printf(out, "    Override: -o %s%s.%s=VALUE\n", info->name,
				    info->named ? ":NAME" : "", key->name);
	return err;
}

/* Whether ${size} bytes of ${title} mean this section: "pool", "pool:NAME", or nothing at all. */
static bool means(const char *title, size_t size, const struct rv_conf_section_info *info)
{
	size_t length = strlen(info->name);

	if (size == 0)
		return true;
	return size >= length && strncmp(title, info->name, length) == 0 &&
	       (size == length || (info->named && title[length] == ':'));
}

static int fail_explain(const char *key, const char *name, struct rv_why *why)
{
	const char *names[256];
	const char *near;
	size_t count = 0;

	for (unsigned s = 0; s < RV_SECTIONS; s++) {
		for (size_t i = 0; i < rv_conf_sections[s].nkeys; i++) {
			INV(count < RV_ARRAY_LEN(names));
			names[count++] = rv_conf_sections[s].keys[i].name;
		}
	}
	near = rv_near(name, names, count);
	return rv_fail(why, RV_E_NOTFOUND, "there is no key %s%s%s%s", key,
		       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int rv_conf_explain(const char *key, struct rv_buf *out, struct rv_why *why)
{
	const char *dot = strrchr(key, '.');
	const char *name = dot ? dot + 1 : key;
	bool found = false;
	struct rv_buf text;
	int err = RV_OK;

	rv_buf_init(&text);
	for (unsigned s = 0; err == RV_OK && s < RV_SECTIONS; s++) {
		const struct rv_conf_key *row = rv_conf_key_find((enum rv_conf_section)s, name);

		if (!row || !means(key, dot ? (size_t)(dot - key) : 0, &rv_conf_sections[s]))
			continue;
		found = true;
		err = explain_one(&text, (enum rv_conf_section)s, row);
	}
	if (err == RV_OK && !found)
		err = fail_explain(key, name, why);
	if (err == RV_OK)
		err = rv_buf_add(out, rv_buf_text(&text), text.size);
	rv_buf_fini(&text);
	return err;
}
