/*
 * Values that are made of several: lists, exit codes, backoff, rate.  Whoever reads or prints a
 * configuration.  A list is never changed in place: a task may share that of [defaults].
 */
#include "conf/value.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/cron.h"
#include "base/fmt.h"
#include "conf/env.h"
#include "conf/rule.h"
#include "conf/text.h"

#include <string.h>

#define ITEMS_MAX 1024u /* of one list: more is a mistake, and appending copies */

/* A new array with ${text} at its end. */
static int append(struct rv_conf_list *list, const char *text, size_t size, struct rv_arena *arena,
		  struct rv_why *why)
{
	const char **items;

	if (list->count >= ITEMS_MAX)
		return rv_fail(why, RV_E_PARSE, "has more than %u items", ITEMS_MAX);
	items = rv_arena_alloc(arena, (list->count + 2) * sizeof(*items));
	if (!items)
		return RV_E_NOMEM;
	if (list->count > 0)
		memcpy(items, list->items, list->count * sizeof(*items));
	items[list->count] = rv_arena_memdup(arena, text, size);
	if (!items[list->count])
		return RV_E_NOMEM;
	list->items = items;
	list->count++;
	return RV_OK;
}

static bool has_item(const struct rv_conf_list *list, const char *text, size_t size)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strlen(list->items[i]) == size && memcmp(list->items[i], text, size) == 0)
			return true;
	}
	return false;
}

typedef int item_fn(const struct rv_conf_key *key, const char *item, size_t size, void *field,
		    struct rv_arena *arena, struct rv_why *why);

/* "a, b, c": each item without its blanks.  The field is only set when all are good. */
static int each_item(const struct rv_conf_key *key, const char *text, void *field,
		     struct rv_arena *arena, struct rv_why *why, item_fn *take)
{
	int err = RV_OK;

	for (bool last = false; err == RV_OK && !last;) {
		size_t size = strcspn(text, ",");
		size_t skip = strspn(text, " \t");
		size_t end = size;

		last = text[size] == '\0';
		while (end > skip && (text[end - 1] == ' ' || text[end - 1] == '\t'))
			end--;
		if (skip >= end)
			return rv_fail(why, RV_E_PARSE, "has an empty item");
		err = take(key, text + skip, end - skip, field, arena, why);
		text += size + 1;
	}
	return err;
}

/* The weight of the item just appended (${err}: how that went), in an array as new as the list's.
 */
static int weigh(struct rv_conf_list *list, int weight, struct rv_arena *arena, int err)
{
	int *weights;

	if (err != RV_OK || (weight == 0 && !list->weights))
		return err;
	weights = rv_arena_alloc(arena, list->count * sizeof(*weights));
	if (!weights)
		return RV_E_NOMEM;
	memset(weights, 0, list->count * sizeof(*weights));
	if (list->weights)
		memcpy(weights, list->weights, (list->count - 1) * sizeof(*weights));
	weights[list->count - 1] = weight;
	list->weights = weights;
	return RV_OK;
}

static int take_name(const struct rv_conf_key *key, const char *item, size_t size, void *field,
		     struct rv_arena *arena, struct rv_why *why)
{
	struct rv_conf_list *list = field;
	const char *colon = memchr(item, ':', size);
	int shown = (int)(size > 60 ? 60 : size);
	int64_t weight = 0;
	char text[8] = "";

	(void)key;
	if (colon) {
		size_t digits = size - (size_t)(colon + 1 - item);

		if (digits < sizeof(text))
			memcpy(text, colon + 1, digits);
		if (rv_parse_int(text, 1, RV_WEIGHT_MAX, &weight) != RV_OK)
			return rv_fail(why, RV_E_PARSE, "%.*s: a weight is a number from 1 to %d",
				       shown, item, RV_WEIGHT_MAX);
		size = (size_t)(colon - item);
	}
	if (!rv_text_is_name(item, size))
		return rv_fail(why, RV_E_PARSE, "\"%.*s\" is not a name", shown, item);
	if (has_item(list, item, size))
		return rv_fail(why, RV_E_PARSE, "has %.*s twice", shown, item);
	if (list->count >= RV_QUEUES_MAX)
		return rv_fail(why, RV_E_PARSE, "has more than %d queues", RV_QUEUES_MAX);
	return weigh(list, (int)weight, arena, append(list, item, size, arena, why));
}

int rv_value_set_names(const struct rv_conf_key *key, const char *text, void *field,
		       struct rv_arena *arena, struct rv_why *why)
{
	return each_item(key, text, field, arena, why, take_name);
}

/* "gpu:2", or "gpu" for one. */
static int take_resource(const struct rv_conf_key *key, const char *item, size_t size, void *field,
			 struct rv_arena *arena, struct rv_why *why)
{
	struct rv_conf_list *list = field;
	const char *colon = memchr(item, ':', size);
	size_t name = colon ? (size_t)(colon - item) : size;
	int shown = (int)(size > 60 ? 60 : size);
	int64_t count = 1;
	char text[16] = "";

	(void)key;
	if (colon && size - name - 1 < sizeof(text))
		memcpy(text, colon + 1, size - name - 1);
	if (!rv_text_is_name(item, name) ||
	    (colon && rv_parse_int(text, 1, RV_UNITS_MAX, &count) != RV_OK))
		return rv_fail(why, RV_E_PARSE,
			       "\"%.*s\" is not a resource and how many of it, such as gpu:1",
			       shown, item);
	if (has_item(list, item, name))
		return rv_fail(why, RV_E_PARSE, "has %.*s twice", (int)name, item);
	if (list->count >= RV_TAKES_MAX)
		return rv_fail(why, RV_E_PARSE, "has more than %d resources", RV_TAKES_MAX);
	return weigh(list, (int)count, arena, append(list, item, name, arena, why));
}

int rv_value_set_takes(const struct rv_conf_key *key, const char *text, void *field,
		       struct rv_arena *arena, struct rv_why *why)
{
	return each_item(key, text, field, arena, why, take_resource);
}

static int take_env_name(const struct rv_conf_key *key, const char *item, size_t size, void *field,
			 struct rv_arena *arena, struct rv_why *why)
{
	int err = rv_env_name_check(item, size, why);

	(void)key;
	if (err)
		return err == RV_E_NOMEM ? err : RV_E_PARSE;
	return has_item(field, item, size) ? RV_OK : append(field, item, size, arena, why);
}

int rv_value_set_env_names(const struct rv_conf_key *key, const char *text, void *field,
			   struct rv_arena *arena, struct rv_why *why)
{
	return each_item(key, text, field, arena, why, take_env_name);
}

int rv_value_set_env(const struct rv_conf_key *key, const char *text, void *field,
		     struct rv_arena *arena, struct rv_why *why)
{
	(void)key;
	if (rv_env_pair_check(text, why) != RV_OK)
		return RV_E_PARSE;
	return append(field, text, strlen(text), arena, why);
}

int rv_value_set_arg(const struct rv_conf_key *key, const char *text, void *field,
		     struct rv_arena *arena, struct rv_why *why)
{
	const struct rv_conf_list *list = field;
	size_t size = strcspn(text, "=");

	(void)key;
	if (text[size] != '=' || !rv_text_is_name(text, size))
		return rv_fail(why, RV_E_PARSE, "is not NAME=VALUE");
	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(list->items[i], text, size + 1) == 0)
			return rv_fail(why, RV_E_PARSE, "has %.*s twice", (int)size, text);
	}
	return append(field, text, strlen(text), arena, why);
}

int rv_value_set_rule(const struct rv_conf_key *key, const char *text, void *field,
		      struct rv_arena *arena, struct rv_why *why)
{
	struct rv_rule rule;
	int err = rv_rule_parse(text, &rule, why);

	(void)key;
	return err == RV_OK ? append(field, text, strlen(text), arena, why) : err;
}

int rv_value_set_path_item(const struct rv_conf_key *key, const char *text, void *field,
			   struct rv_arena *arena, struct rv_why *why)
{
	(void)key;
	return append(field, text, strlen(text), arena, why);
}

int rv_value_print_list(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	const struct rv_conf_list *list = field;
	const char *between = rv_conf_key_is_lines(key) ? "\n" : ", ";
	int err = RV_OK;

	for (size_t i = 0; err == RV_OK && i < list->count; i++) {
		err = rv_buf_printf(out, "%s%s", i ? between : "", list->items[i]);
		if (err == RV_OK && list->weights && list->weights[i] > 0)
			err = rv_buf_printf(out, ":%d", list->weights[i]);
	}
	return err;
}

int rv_value_set_catch_up(const struct rv_conf_key *key, const char *text, void *field,
			  struct rv_arena *arena, struct rv_why *why)
{
	int64_t value = 0;

	(void)arena;
	if (rv_catch_up_parse(text, &value) != RV_OK || value > key->max)
		return rv_fail(why, RV_E_PARSE,
			       "must be none, last, all or a time such as 2h, to 520w");
	*(int64_t *)field = value;
	return RV_OK;
}

int rv_value_print_catch_up(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	char text[RV_FMT_SPACE];

	(void)key;
	return rv_buf_str(out, rv_catch_up_fmt(text, *(const int64_t *)field));
}

/* ---- exit codes */

static int take_code(const struct rv_conf_key *key, const char *item, size_t size, void *field,
		     struct rv_arena *arena, struct rv_why *why)
{
	struct rv_conf_codes *codes = field;
	char text[8] = "";
	int64_t code;

	(void)arena;
	if (size < sizeof(text))
		memcpy(text, item, size);
	if (rv_parse_int(text, key->min, key->max, &code) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "\"%.*s\" is not an exit code, 0 to 255",
			       (int)(size > 60 ? 60 : size), item);
	codes->bits[code / 64] |= 1ULL << (code % 64);
	return RV_OK;
}

int rv_value_set_codes(const struct rv_conf_key *key, const char *text, void *field,
		       struct rv_arena *arena, struct rv_why *why)
{
	return each_item(key, text, field, arena, why, take_code);
}

int rv_value_print_codes(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	const char *comma = "";
	int err = RV_OK;

	(void)key;
	for (int code = 0; err == RV_OK && code <= 255; code++) {
		if (!rv_conf_codes_have(field, code))
			continue;
		err = rv_buf_printf(out, "%s%d", comma, code);
		comma = ", ";
	}
	return err;
}

/* ---- backoff: none | fixed D | linear D..D | exponential D..D, and then perhaps jitter N% */

static const char *const backoff_words[] = {
	[RV_BACKOFF_NONE] = "none",
	[RV_BACKOFF_FIXED] = "fixed",
	[RV_BACKOFF_LINEAR] = "linear",
	[RV_BACKOFF_EXPONENTIAL] = "exponential",
};

#define BACKOFF_SPACE 64u /* a word of a backoff */

/* The next word, without the blanks before it; "" at the end. */
static int next_word(const char **at, char out[BACKOFF_SPACE], struct rv_why *why)
{
	size_t size;

	*at += strspn(*at, " \t");
	size = strcspn(*at, " \t");
	if (size >= BACKOFF_SPACE)
		return rv_fail(why, RV_E_PARSE, "\"%.20s...\" is too long a word", *at);
	memcpy(out, *at, size);
	out[size] = '\0';
	*at += size;
	return RV_OK;
}

static int parse_range(const struct rv_conf_key *key, char *text, struct rv_backoff *backoff,
		       struct rv_why *why)
{
	bool fixed = backoff->kind == RV_BACKOFF_FIXED;
	char *dots = fixed ? NULL : strstr(text, "..");
	const char *max = dots ? dots + 2 : text;

	if (!fixed && !dots)
		return rv_fail(why, RV_E_PARSE, "%s needs a range such as 1s..10m",
			       backoff_words[backoff->kind]);
	if (dots)
		*dots = '\0';
	if (rv_parse_duration(text, &backoff->min_us) != RV_OK ||
	    rv_parse_duration(max, &backoff->max_us) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "%s needs %s with units",
			       backoff_words[backoff->kind], fixed ? "a duration" : "durations");
	if (backoff->min_us <= 0 || backoff->min_us > backoff->max_us || backoff->max_us > key->max)
		return rv_fail(why, RV_E_PARSE, "the waits must be above 0, rise, and end by 52w");
	return RV_OK;
}

static int parse_jitter(const char **at, struct rv_backoff *backoff, struct rv_why *why)
{
	char word[BACKOFF_SPACE] = "";
	int64_t percent;
	size_t size;
	int err = next_word(at, word, why);

	if (err || word[0] == '\0')
		return err;
	if (strcmp(word, "jitter") != 0)
		return rv_fail(why, RV_E_PARSE, "\"%s\" where only jitter N%% can stand", word);
	err = next_word(at, word, why);
	if (err)
		return err;
	size = strlen(word);
	if (size > 0 && word[size - 1] == '%')
		word[size - 1] = '\0';
	else
		word[0] = '\0';
	if (rv_parse_int(word, 0, 100, &percent) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "jitter must be 0%% to 100%%");
	backoff->jitter_percent = (int)percent;
	err = next_word(at, word, why);
	if (err == RV_OK && word[0] != '\0')
		err = rv_fail(why, RV_E_PARSE, "\"%s\" after the jitter", word);
	return err;
}

int rv_value_set_backoff(const struct rv_conf_key *key, const char *text, void *field,
			 struct rv_arena *arena, struct rv_why *why)
{
	struct rv_backoff backoff = {0};
	char word[BACKOFF_SPACE] = "";
	size_t kind;
	int err = next_word(&text, word, why);

	(void)arena;
	if (err)
		return err;
	for (kind = 0; kind < RV_ARRAY_LEN(backoff_words); kind++) {
		if (strcmp(word, backoff_words[kind]) == 0)
			break;
	}
	if (kind == RV_ARRAY_LEN(backoff_words))
		return rv_fail(why, RV_E_PARSE,
			       "unknown; it can be none, fixed D, linear D..D, exponential D..D, "
			       "each with jitter N%%");
	backoff.kind = (enum rv_backoff_kind)kind;
	if (backoff.kind != RV_BACKOFF_NONE) {
		err = next_word(&text, word, why);
		if (err == RV_OK)
			err = parse_range(key, word, &backoff, why);
	}
	if (err == RV_OK)
		err = parse_jitter(&text, &backoff, why);
	if (err == RV_OK)
		memcpy(field, &backoff, sizeof(backoff));
	return err;
}

int rv_value_print_backoff(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	const struct rv_backoff *backoff = field;
	char min[RV_FMT_SPACE];
	char max[RV_FMT_SPACE];
	int err = rv_buf_str(out, backoff_words[backoff->kind]);

	(void)key;
	if (err == RV_OK && backoff->kind != RV_BACKOFF_NONE)
		err = rv_buf_printf(out, " %s", rv_fmt_duration(min, backoff->min_us));
	if (err == RV_OK && backoff->kind > RV_BACKOFF_FIXED)
		err = rv_buf_printf(out, "..%s", rv_fmt_duration(max, backoff->max_us));
	if (err == RV_OK && backoff->jitter_percent > 0)
		err = rv_buf_printf(out, " jitter %d%%", backoff->jitter_percent);
	return err;
}

/* ---- rate: 10/5m; "5min" is read as well */

int rv_value_set_rate(const struct rv_conf_key *key, const char *text, void *field,
		      struct rv_arena *arena, struct rv_why *why)
{
	struct rv_rate rate = {0};
	const char *slash = strchr(text, '/');
	char number[16] = "";
	char per[RV_FMT_SPACE] = "";
	size_t size = slash ? strlen(slash + 1) : 0;
	int64_t count;

	(void)arena;
	if (slash && (size_t)(slash - text) < sizeof(number) && size < sizeof(per)) {
		memcpy(number, text, (size_t)(slash - text));
		memcpy(per, slash + 1, size);
	}
	size = strlen(per);
	if (size > 3 && strcmp(per + size - 3, "min") == 0)
		per[size - 2] = '\0';
	if (rv_parse_int(number, key->min, key->max, &count) != RV_OK ||
	    rv_parse_duration(per, &rate.per_us) != RV_OK || rate.per_us <= 0)
		return rv_fail(why, RV_E_PARSE,
			       "must be a number from %lld to %lld, a / and a duration: 10/5m",
			       (long long)key->min, (long long)key->max);
	rate.count = (int)count;
	memcpy(field, &rate, sizeof(rate));
	return RV_OK;
}

int rv_value_print_rate(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	const struct rv_rate *rate = field;
	char per[RV_FMT_SPACE];

	(void)key;
	if (rate->count == 0)
		return RV_OK;
	return rv_buf_printf(out, "%d/%s", rate->count, rv_fmt_duration(per, rate->per_us));
}
