/*
 * Which variables a job may be given, and env_file.  The configuration, the worker and the CLI.
 * Refused is what makes a program load or run something else than what it was told to.
 */
#include "conf/env.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "conf/file.h"
#include "conf/text.h"

#include <string.h>

/* A trailing * stands for any rest. */
static const char *const refused[] = {
	"LD_*",
	"DYLD_*",
	"GCONV_PATH",
	"GLIBC_TUNABLES",
	"LOCPATH",
	"BASH_ENV",
	"BASH_FUNC_*",
	"BASHOPTS",
	"SHELLOPTS",
	"ENV",
	"IFS",
	"PS4",
	"PYTHON*",
	"PERL5*",
	"PERLLIB",
	"RUBYOPT",
	"RUBYLIB",
	"NODE_OPTIONS",
	"NODE_PATH",
	"JAVA_TOOL_OPTIONS",
	"JDK_JAVA_OPTIONS",
	"_JAVA_OPTIONS",
};

static bool matches(const char *pattern, const char *name, size_t size)
{
	size_t length = strlen(pattern);

	if (pattern[length - 1] == '*')
		return size >= length - 1 && strncmp(name, pattern, length - 1) == 0;
	return size == length && strncmp(name, pattern, size) == 0;
}

static bool is_variable(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char c = name[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return size > 0;
}

int rv_env_name_check(const char *name, size_t size, struct rv_why *why)
{
	int shown = (int)(size > 60 ? 60 : size);

	if (!is_variable(name, size))
		return rv_fail(why, RV_E_PARSE, "\"%.*s\" is not the name of a variable", shown,
			       name);
	if (matches("REEVE_*", name, size))
		return rv_fail(why, RV_E_DENIED, "%.*s is refused: REEVE_* is reeve's own", shown,
			       name);
	for (size_t i = 0; i < RV_ARRAY_LEN(refused); i++) {
		if (matches(refused[i], name, size))
			return rv_fail(why, RV_E_DENIED,
				       "%.*s is refused: it changes what a program loads or runs",
				       shown, name);
	}
	return RV_OK;
}

int rv_env_pair_check(const char *pair, struct rv_why *why)
{
	size_t size = strcspn(pair, "=");

	if (pair[size] != '=')
		return rv_fail(why, RV_E_PARSE, "\"%.60s\" is not NAME=VALUE", pair);
	return rv_env_name_check(pair, size, why);
}

/* One line of an env_file, without its end. */
static int take_line(const char *line, size_t size, struct rv_arena *arena, struct rv_buf *pairs,
		     struct rv_why *why)
{
	const char *pair;
	int err;

	if (size > 0 && line[size - 1] == '\r')
		size--;
	if (strspn(line, " \t") >= size || line[0] == '#')
		return RV_OK;
	if (memchr(line, '\0', size))
		return rv_fail(why, RV_E_PARSE, "a NUL byte");
	pair = rv_arena_memdup(arena, line, size);
	if (!pair)
		return RV_E_NOMEM;
	err = rv_env_pair_check(pair, why);
	return err ? err : rv_buf_add(pairs, &pair, sizeof(pair));
}

static int take_lines(const char *path, const struct rv_buf *text, struct rv_arena *arena,
		      struct rv_buf *pairs, struct rv_why *why)
{
	const char *at = rv_buf_text(text);
	const char *end = at + text->size;
	int err = RV_OK;

	for (int line = 1; err == RV_OK && at < end; line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop)
			stop = end;
		err = take_line(at, (size_t)(stop - at), arena, pairs, why);
		if (err == RV_E_PARSE || err == RV_E_DENIED)
			err = rv_wrap(why, err, "%s:%d", path, line);
		at = stop + 1;
	}
	return err;
}

int rv_env_file_read(const char *path, struct rv_arena *arena, struct rv_conf_list *ret_env,
		     struct rv_why *why)
{
	struct rv_buf text;
	struct rv_buf pairs;
	const char **items = NULL;
	int err;

	PRE(path && arena);
	rv_buf_init(&text);
	rv_buf_init(&pairs);
	err = rv_conf_file_read(path, &text, why);
	if (err == RV_OK)
		err = take_lines(path, &text, arena, &pairs, why);
	if (err == RV_OK && pairs.size > 0) {
		items = rv_arena_alloc(arena, pairs.size + sizeof(*items));
		if (items)
			memcpy(items, pairs.data, pairs.size);
		else
			err = RV_E_NOMEM;
	}
	if (err == RV_OK)
		*ret_env =
			(struct rv_conf_list){.items = items, .count = pairs.size / sizeof(*items)};
	rv_buf_fini(&text);
	rv_buf_fini(&pairs);
	return err;
}
