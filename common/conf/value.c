/*
 * Values by type: text to field and back, and what is wrong with a text, in words.  Whoever reads
 * or prints a configuration.  What is printed is read back as the same value.
 */
#include "conf/value.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/cron.h"
#include "base/fmt.h"
#include "base/near.h"
#include "base/seam.h"
#include "base/zone.h"
#include "conf/text.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct word {
	enum rv_conf_type type;
	int value;
	const char *text;
};

static const struct word words[] = {
#define WORD(type, value, text) {RV_TYPE_##type, value, text},
#include "conf/enums.def"
#undef WORD
};

/* ---- words */

int rv_value_words(enum rv_conf_type type, struct rv_buf *out)
{
	const char *comma = "";
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < RV_ARRAY_LEN(words); i++) {
		if (words[i].type != type || words[i].text[0] == '\0')
			continue;
		err = rv_buf_printf(out, "%s%s", comma, words[i].text);
		comma = ", ";
	}
	return err;
}

static int fail_word(enum rv_conf_type type, const char *text, struct rv_why *why)
{
	const char *names[RV_ARRAY_LEN(words)] = {NULL};
	const char *near;
	struct rv_buf list;
	int err;

	for (size_t i = 0; i < RV_ARRAY_LEN(words); i++) {
		if (words[i].type == type && words[i].text[0] != '\0')
			names[i] = words[i].text;
	}
	near = rv_near(text, names, RV_ARRAY_LEN(names));
	rv_buf_init(&list);
	err = rv_value_words(type, &list);
	if (err == RV_OK)
		err = rv_fail(why, RV_E_PARSE, "unknown; it can be %s%s%s%s", rv_buf_text(&list),
			      near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
	rv_buf_fini(&list);
	return err;
}

static int find_word(enum rv_conf_type type, const char *text, int *ret_value, struct rv_why *why)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(words); i++) {
		if (words[i].type == type && strcmp(words[i].text, text) == 0) {
			*ret_value = words[i].value;
			return RV_OK;
		}
	}
	return fail_word(type, text, why);
}

static int print_word(enum rv_conf_type type, int value, struct rv_buf *out)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(words); i++) {
		if (words[i].type == type && words[i].value == value)
			return rv_buf_str(out, words[i].text);
	}
	IMPOSSIBLE("a value that has no word");
}

/* Every enum of ours is stored as an int. */
static int set_word(const struct rv_conf_key *key, const char *text, void *field,
		    struct rv_arena *arena, struct rv_why *why)
{
	(void)arena;
	return find_word(key->type, text, field, why);
}

static int print_enum(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	return print_word(key->type, *(const int *)field, out);
}

static int set_bool(const struct rv_conf_key *key, const char *text, void *field,
		    struct rv_arena *arena, struct rv_why *why)
{
	int value = 0; /* gcc does not see through to rv_fail that an error is one */
	int err = find_word(key->type, text, &value, why);

	(void)arena;
	if (err == RV_OK)
		*(bool *)field = value != 0;
	return err;
}

static int print_bool(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	return print_word(key->type, *(const bool *)field, out);
}

/* ---- texts */

static int set_text(const char *text, void *field, struct rv_arena *arena)
{
	const char *copy = rv_arena_strdup(arena, text);

	if (!copy)
		return RV_E_NOMEM;
	*(const char **)field = copy;
	return RV_OK;
}

static int set_name(const struct rv_conf_key *key, const char *text, void *field,
		    struct rv_arena *arena, struct rv_why *why)
{
	(void)key;
	if (!rv_text_is_name(text, strlen(text)))
		return rv_fail(why, RV_E_PARSE, "a name is 1 to 40 of A-Z a-z 0-9 _ . -");
	return set_text(text, field, arena);
}

static int set_after(const struct rv_conf_key *key, const char *text, void *field,
		     struct rv_arena *arena, struct rv_why *why)
{
	const char *name = rv_conf_after(text);

	(void)key;
	if (!name || !rv_text_is_name(name, strlen(name)))
		return rv_fail(why, RV_E_PARSE, "must be pool:NAME");
	return set_text(text, field, arena);
}

static int set_path(const struct rv_conf_key *key, const char *text, void *field,
		    struct rv_arena *arena, struct rv_why *why)
{
	(void)key;
	if (text[0] != '/')
		return rv_fail(why, RV_E_PARSE, "must be an absolute path");
	if (strlen(text) >= PATH_MAX)
		return rv_fail(why, RV_E_PARSE, "is longer than a path can be");
	return set_text(text, field, arena);
}

static int set_target(const struct rv_conf_key *key, const char *text, void *field,
		      struct rv_arena *arena, struct rv_why *why)
{
	if (strcmp(text, "stderr") == 0)
		return set_text(text, field, arena);
	if (text[0] != '/')
		return rv_fail(why, RV_E_PARSE, "must be stderr or an absolute path");
	return set_path(key, text, field, arena, why);
}

static int set_command(const struct rv_conf_key *key, const char *text, void *field,
		       struct rv_arena *arena, struct rv_why *why)
{
	(void)key;
	(void)why;
	return set_text(text, field, arena);
}

/* Whether the user or group exists is for check.c: it depends on the machine. */
static int set_account(const struct rv_conf_key *key, const char *text, void *field,
		       struct rv_arena *arena, struct rv_why *why)
{
	(void)key;
	if (strlen(text) > 64 || strpbrk(text, " \t:/,") != NULL)
		return rv_fail(why, RV_E_PARSE, "is not the name of a user or group");
	return set_text(text, field, arena);
}

static int set_cron(const struct rv_conf_key *key, const char *text, void *field,
		    struct rv_arena *arena, struct rv_why *why)
{
	struct rv_cron cron;
	int err = rv_cron_read(text, &cron, why);

	(void)key;
	return err ? err : set_text(text, field, arena);
}

/* Whether there is such a zone is for check.c, too. */
static int set_zone(const struct rv_conf_key *key, const char *text, void *field,
		    struct rv_arena *arena, struct rv_why *why)
{
	(void)key;
	if (!rv_zone_name_sane(text))
		return rv_fail(why, RV_E_PARSE,
			       "is not the name of a time zone, such as Europe/Rome");
	return set_text(text, field, arena);
}

/* In a key that expands, a $ of the value is written $$. */
static int print_text(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	const char *text = *(const char *const *)field;
	int err = RV_OK;

	if (!text || (key->flags & RV_KEY_EXPAND) == 0)
		return rv_buf_str(out, text ? text : "");
	while (err == RV_OK && *text != '\0') {
		size_t plain = strcspn(text, "$");

		err = rv_buf_add(out, text, plain);
		if (err == RV_OK && text[plain] == '$')
			err = rv_buf_str(out, "$$");
		text += plain + (text[plain] == '$');
	}
	return err;
}

/* ---- numbers */

static int set_number(const struct rv_conf_key *key, const char *text, int *ret, struct rv_why *why)
{
	int64_t value;

	if (rv_parse_int(text, key->min, key->max, &value) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "must be a whole number from %lld to %lld",
			       (long long)key->min, (long long)key->max);
	*ret = (int)value;
	return RV_OK;
}

static int set_int(const struct rv_conf_key *key, const char *text, void *field,
		   struct rv_arena *arena, struct rv_why *why)
{
	(void)arena;
	return set_number(key, text, field, why);
}

static int print_int(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	(void)key;
	return rv_buf_printf(out, "%d", *(const int *)field);
}

static int set_octal(const struct rv_conf_key *key, const char *text, void *field,
		     struct rv_arena *arena, struct rv_why *why)
{
	(void)arena;
	(void)key;
	if (strlen(text) > 4 || strspn(text, "01234567") != strlen(text) ||
	    strtol(text, NULL, 8) > key->max)
		return rv_fail(why, RV_E_PARSE, "must be octal, 0 to 777");
	*(int *)field = (int)strtol(text, NULL, 8);
	return RV_OK;
}

static int print_octal(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	(void)key;
	return rv_buf_printf(out, "%03o", *(const unsigned *)field);
}

static int cpus(const struct rv_conf_key *key)
{
	cpu_set_t set;
	int count = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		count = CPU_COUNT(&set);
	return count > (int)key->max ? (int)key->max : count;
}

static int set_workers(const struct rv_conf_key *key, const char *text, void *field,
		       struct rv_arena *arena, struct rv_why *why)
{
	struct rv_conf_workers *workers = field;
	const char *dots = strstr(text, "..");
	char low[16] = "";
	int64_t min = 0;
	int64_t max = 0;

	(void)arena;
	if (strcmp(text, "auto") == 0) {
		*workers = (struct rv_conf_workers){cpus(key), cpus(key)};
		return RV_OK;
	}
	if (dots && (size_t)(dots - text) < sizeof low)
		memcpy(low, text, (size_t)(dots - text));
	if (rv_parse_int(dots ? dots + 2 : text, key->min, key->max, &max) != RV_OK ||
	    (dots && (rv_parse_int(low, 0, key->max, &min) != RV_OK || min > max)))
		return rv_fail(why, RV_E_PARSE,
			       "must be auto, a number from %lld to %lld, or two of them, such as "
			       "0..8",
			       (long long)key->min, (long long)key->max);
	*workers = (struct rv_conf_workers){(int)(dots ? min : max), (int)max};
	return RV_OK;
}

static int print_workers(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	const struct rv_conf_workers *workers = field;

	(void)key;
	if (workers->min == workers->max)
		return rv_buf_printf(out, "%d", workers->max);
	return rv_buf_printf(out, "%d..%d", workers->min, workers->max);
}

/* ---- durations and sizes */

static bool is_bare(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int set_duration(const struct rv_conf_key *key, const char *text, void *field,
			struct rv_arena *arena, struct rv_why *why)
{
	char min[RV_FMT_SPACE];
	char max[RV_FMT_SPACE];
	int64_t us;

	(void)arena;
	if (rv_parse_duration(text, &us) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "%s",
			       is_bare(text) ? "needs a unit: ms, s, m, h, d or w"
					     : "is not a duration such as 250ms, 30s or 1h30m");
	if (us < key->min || us > key->max)
		return rv_fail(why, RV_E_PARSE, "must be from %s to %s",
			       rv_fmt_duration(min, key->min), rv_fmt_duration(max, key->max));
	*(int64_t *)field = us;
	return RV_OK;
}

static int print_duration(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	char text[RV_FMT_SPACE];

	(void)key;
	return rv_buf_str(out, rv_fmt_duration(text, *(const int64_t *)field));
}

static int set_size(const struct rv_conf_key *key, const char *text, void *field,
		    struct rv_arena *arena, struct rv_why *why)
{
	char min[RV_FMT_SPACE];
	char max[RV_FMT_SPACE];
	int64_t bytes;

	(void)arena;
	if (rv_parse_size(text, &bytes) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "%s",
			       is_bare(text) ? "needs a unit: B, K, M, G or T"
					     : "is not a size such as 512K, 16M or 2G");
	if (bytes < key->min || bytes > key->max)
		return rv_fail(why, RV_E_PARSE, "must be from %s to %s", rv_fmt_size(min, key->min),
			       rv_fmt_size(max, key->max));
	*(int64_t *)field = bytes;
	return RV_OK;
}

static int print_size(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	char text[RV_FMT_SPACE];

	(void)key;
	return rv_buf_str(out, rv_fmt_size(text, *(const int64_t *)field));
}

/* ---- limits: one of the above, or infinity, or nothing */

static int set_limit(const struct rv_conf_key *key, const char *text, void *field,
		     struct rv_arena *arena, struct rv_why *why)
{
	int64_t *limit = field;
	int err;

	if (strcmp(text, "infinity") == 0) {
		*limit = RV_CONF_INFINITY;
		return RV_OK;
	}
	if (key->type == RV_TYPE_LIMIT_SIZE)
		return set_size(key, text, field, arena, why);
	if (key->type == RV_TYPE_LIMIT_TIME) {
		int64_t us = 0;

		err = set_duration(key, text, &us, arena, why);
		if (err == RV_OK && us % RV_S_US != 0)
			err = rv_fail(why, RV_E_PARSE, "must be whole seconds");
		if (err == RV_OK)
			*limit = us;
		return err;
	}
	if (rv_parse_int(text, key->min, key->max, limit) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "must be infinity or a number from %lld to %lld",
			       (long long)key->min, (long long)key->max);
	return RV_OK;
}

static int print_limit(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	int64_t limit = *(const int64_t *)field;

	if (limit == RV_CONF_UNSET)
		return RV_OK;
	if (limit == RV_CONF_INFINITY)
		return rv_buf_str(out, "infinity");
	if (key->type == RV_TYPE_LIMIT_SIZE)
		return print_size(key, field, out);
	if (key->type == RV_TYPE_LIMIT_TIME)
		return print_duration(key, field, out);
	return rv_buf_printf(out, "%lld", (long long)limit);
}

/* ---- the table */

static const struct {
	rv_value_set_fn *set;
	rv_value_print_fn *print;
	size_t size; /* of the field */
	const char *kind;
} types[RV_TYPES] = {
#define TYPE(sym, set, print, kind) [RV_TYPE_##sym] = {set, print, sizeof(RV_CONF_C_##sym), kind}
	TYPE(NAME, set_name, print_text, "a name"),
	TYPE(PATH, set_path, print_text, "an absolute path"),
	TYPE(TARGET, set_target, print_text, "stderr or an absolute path"),
	TYPE(USER, set_account, print_text, "a user"),
	TYPE(GROUP, set_account, print_text, "a group"),
	TYPE(COMMAND, set_command, print_text, "a command"),
	TYPE(BOOL, set_bool, print_bool, ""),
	TYPE(ADHOC, set_bool, print_bool, ""),
	TYPE(INT, set_int, print_int, "a number"),
	TYPE(OCTAL, set_octal, print_octal, "an octal number"),
	TYPE(DECIMAL, rv_value_set_decimal, rv_value_print_decimal, "a number such as 1.5"),
	TYPE(SIGNAL, set_word, print_enum, ""),
	TYPE(WORKERS, set_workers, print_workers, "auto, a number, or MIN..MAX"),
	TYPE(DURATION, set_duration, print_duration, "a duration"),
	TYPE(SIZE, set_size, print_size, "a size"),
	TYPE(LIMIT, set_limit, print_limit, "a number or infinity"),
	TYPE(LIMIT_SIZE, set_limit, print_limit, "a size or infinity"),
	TYPE(LIMIT_TIME, set_limit, print_limit, "a duration or infinity"),
	TYPE(BACKOFF, rv_value_set_backoff, rv_value_print_backoff, "a backoff"),
	TYPE(RATE, rv_value_set_rate, rv_value_print_rate, "a number / a duration"),
	TYPE(CODES, rv_value_set_codes, rv_value_print_codes, "a list of exit codes"),
	TYPE(CPUS, rv_value_set_cpus, rv_value_print_cpus, "numbers and ranges of CPUs"),
	TYPE(IONICE, rv_value_set_ionice, rv_value_print_ionice, "a priority of I/O"),
	TYPE(NAMES, rv_value_set_names, rv_value_print_list, "a list of names"),
	TYPE(TAKES, rv_value_set_takes, rv_value_print_list, "a list of resources"),
	TYPE(PATHS, rv_value_set_path_item, rv_value_print_list, "patterns, one a line"),
	TYPE(ENV, rv_value_set_env, rv_value_print_list, "NAME=VALUE, one a line"),
	TYPE(RULES, rv_value_set_rule, rv_value_print_list, "rules, one a line"),
	TYPE(ENVNAMES, rv_value_set_env_names, rv_value_print_list, "a list of variables"),
	TYPE(ARGS, rv_value_set_arg, rv_value_print_list, "NAME=VALUE, one a line"),
	TYPE(AFTER, set_after, print_text, "pool:NAME"),
	TYPE(CRON, set_cron, print_text, "a time that comes again"),
	TYPE(ZONE, set_zone, print_text, "a time zone"),
	TYPE(CATCH_UP, rv_value_set_catch_up, rv_value_print_catch_up,
	     "none, last, all or a duration"),
	TYPE(OVERLAP, set_word, print_enum, ""),
	TYPE(STRATEGY, set_word, print_enum, ""),
	TYPE(ON_FULL, set_word, print_enum, ""),
	TYPE(ON_EXIT, set_word, print_enum, ""),
	TYPE(DURABILITY, set_word, print_enum, ""),
	TYPE(SUBMIT, set_word, print_enum, ""),
	TYPE(HANDLER, set_word, print_enum, ""),
	TYPE(BUILTIN, set_word, print_enum, ""),
	TYPE(LEVEL, set_word, print_enum, ""),
	TYPE(FORMAT, set_word, print_enum, ""),
#undef TYPE
};

int rv_value_set(const struct rv_conf_key *key, const char *text, void *field,
		 struct rv_arena *arena, struct rv_why *why)
{
	PRE(key && field && text[0] != '\0');
	return types[key->type].set(key, text, field, arena, why);
}

int rv_value_print(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	PRE(key && field);
	return types[key->type].print(key, field, out);
}

void rv_value_clear(const struct rv_conf_key *key, void *field)
{
	memset(field, 0, types[key->type].size);
	if (key->type == RV_TYPE_LIMIT || key->type == RV_TYPE_LIMIT_SIZE ||
	    key->type == RV_TYPE_LIMIT_TIME)
		*(int64_t *)field = RV_CONF_UNSET;
}

const char *rv_value_kind(enum rv_conf_type type)
{
	return types[type].kind;
}
