/*
 * Loading: the main file, what it includes, then the overrides.  The supervisor and the CLI load
 * files; children parse the text they were given and look at nothing else.  It never stops at the
 * first mistake, and never leaves half a configuration.
 */
#include "conf/build.h"

#include "base/check.h"
#include "conf/file.h"
#include "conf/line.h"
#include "conf/text.h"

#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 8 /* of includes: more is a mistake, if not a cycle */
#define FILES_MAX 10000u

struct seen {
	dev_t dev;
	ino_t ino;
	const char *path;
	bool open; /* being read: to include it again is a cycle */
};

struct loader {
	struct rv_builder *builder;
	struct rv_buf seen; /* struct seen */
	int depth;
};

/* One text that is being read. */
struct source {
	struct loader *loader;
	const char *path;
	unsigned file;                /* its number */
	struct rv_instance *instance; /* of the present section; NULL: skip its keys */
	bool before_section;
	bool has_include;
	struct rv_buf includes; /* const struct rv_assign * */
};

static struct seen *seen_at(const struct loader *l, size_t index)
{
	return (struct seen *)(void *)l->seen.data + index;
}

static size_t seen_count(const struct loader *l)
{
	return l->seen.size / sizeof(struct seen);
}

static struct rv_where where_at(struct source *s, int line)
{
	struct rv_builder *b = s->loader->builder;
	struct rv_where where = {.order = (uint64_t)s->file << 32 | (unsigned)line};

	where.text = rv_arena_printf(b->arena, "%s:%d", s->path, line);
	if (!where.text) {
		b->err = RV_E_NOMEM;
		where.text = s->path;
	}
	return where;
}

/* ---- what the line reader finds */

static void on_bad(void *ctx, int line, const char *what)
{
	struct source *s = ctx;
	struct rv_where where = where_at(s, line);

	rv_conf_error_add(s->loader->builder->errors, &where, "%s", what);
}

static void on_section(void *ctx, int line, const char *title)
{
	struct source *s = ctx;
	struct rv_builder *b = s->loader->builder;
	enum rv_conf_section section;
	const char *name;
	struct rv_why why = {0};
	struct rv_where where;

	s->before_section = false;
	s->instance = NULL;
	if (!title || b->err)
		return;
	where = where_at(s, line);
	if (rv_build_section(title, &section, &name, &why) != RV_OK) {
		rv_conf_error_add(b->errors, &where, "%s", why.text);
		return;
	}
	s->instance = rv_build_find(b, section, name);
	if (s->instance && s->instance->file == s->file)
		rv_conf_error_add(b->errors, &where,
				  "[%s] stands twice in this file; first at line %d", title,
				  s->instance->line);
	if (!s->instance)
		s->instance = rv_build_add(b, section, name, &where);
	if (s->instance && s->instance->file != s->file) {
		if (s->instance->file == 0)
			s->instance->where = where;
		s->instance->file = s->file;
		s->instance->line = line;
	}
}

static void note_include(struct source *s, const struct rv_assign *assign)
{
	struct rv_builder *b = s->loader->builder;
	struct rv_assign *copy = (void *)rv_arena_memdup(b->arena, assign, sizeof(*assign));

	s->has_include = true;
	if (copy) {
		copy->key = rv_conf_key_find(RV_SECTION_REEVE, "include");
		copy->value = rv_arena_strdup(b->arena, assign->value);
	}
	if (copy && copy->value && copy->value[0] == '\0')
		rv_buf_reset(&s->includes);
	else if (!copy || !copy->value || rv_buf_add(&s->includes, &copy, sizeof(copy)) != RV_OK)
		b->err = RV_E_NOMEM;
}

static void on_assign(void *ctx, int line, const char *key, const char *value, bool item)
{
	struct source *s = ctx;
	struct rv_builder *b = s->loader->builder;
	struct rv_assign assign = {
		.instance = s->instance,
		.value = value,
		.file = s->file,
		.layer = RV_LAYER_FILE,
		.item = item,
	};

	if (b->err || (!s->instance && !s->before_section))
		return;
	assign.where = where_at(s, line);
	if (s->before_section)
		rv_conf_error_add(b->errors, &assign.where, "%s stands before the first [section]",
				  key);
	else if (s->instance->section == RV_SECTION_REEVE && strcmp(key, "include") == 0)
		note_include(s, &assign);
	else
		rv_build_assign(b, &assign, key);
}

/* ---- includes */

static int read_file(struct loader *l, const char *path, const struct rv_where *from);

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ${pattern} relative to the directory of ${path}, whose own * ? [ \ are taken literally. */
static char *pattern_from(struct rv_builder *b, const char *path, const char *pattern)
{
	const char *slash = strrchr(path, '/');
	struct rv_buf out;
	char *result;

	if (pattern[0] == '/' || !slash)
		return rv_arena_strdup(b->arena, pattern);
	rv_buf_init(&out);
	for (const char *c = path; c <= slash; c++) {
		if ((strchr("*?[\\", *c) && rv_buf_add(&out, "\\", 1) != RV_OK) ||
		    rv_buf_add(&out, c, 1) != RV_OK) {
			rv_buf_fini(&out);
			return NULL;
		}
	}
	result = rv_arena_printf(b->arena, "%s%s", rv_buf_text(&out), pattern);
	rv_buf_fini(&out);
	return result;
}

static void include_matches(struct source *s, const struct rv_assign *assign, const glob_t *found)
{
	struct rv_builder *b = s->loader->builder;

	if (found->gl_pathc > 1)
		qsort((void *)found->gl_pathv, found->gl_pathc, sizeof(char *), by_bytes);
	for (size_t i = 0; i < found->gl_pathc && b->err == RV_OK; i++) {
		const char *path = rv_arena_strdup(b->arena, found->gl_pathv[i]);
		int err = path ? read_file(s->loader, path, &assign->where) : RV_E_NOMEM;

		if (err)
			b->err = err;
	}
}

/* Follows one pattern; a name without wildcards must exist. */
static void include(struct source *s, const struct rv_assign *assign)
{
	struct rv_builder *b = s->loader->builder;
	const char *value = rv_build_value(b, assign);
	const char *pattern = value ? pattern_from(b, s->path, value) : NULL;
	glob_t found = {0};
	int flags = GLOB_NOSORT | GLOB_ERR;
	int got;

	if (!value)
		return;
	if (!pattern) {
		b->err = RV_E_NOMEM;
		return;
	}
	if (strpbrk(value, "*?[") == NULL)
		flags |= GLOB_NOCHECK;
	errno = 0;
	got = glob(pattern, flags, NULL, &found);
	if (got == GLOB_NOSPACE)
		b->err = RV_E_NOMEM;
	else if (got == GLOB_ABORTED && errno != ENOENT && errno != ENOTDIR)
		rv_conf_error_add(b->errors, &assign->where, "include = %.200s: cannot be read: %s",
				  value, strerror(errno));
	else if (got == 0)
		include_matches(s, assign, &found);
	globfree(&found);
}

static void include_all(struct source *s, bool is_main)
{
	struct rv_builder *b = s->loader->builder;
	const struct rv_conf_key *key = rv_conf_key_find(RV_SECTION_REEVE, "include");
	struct rv_assign standard = {
		.instance = rv_build_find(b, RV_SECTION_REEVE, ""),
		.key = key,
		.value = key->def,
		.where = {.text = s->path, .order = (uint64_t)s->file << 32},
	};
	size_t count = s->includes.size / sizeof(struct rv_assign *);

	if (is_main && !s->has_include && key->def[0] != '\0')
		include(s, &standard);
	for (size_t i = 0; i < count && b->err == RV_OK; i++)
		include(s, ((const struct rv_assign **)(void *)s->includes.data)[i]);
}

/* ---- texts and files */

/* Reads one text and what it includes. */
static int read_text(struct loader *l, const char *path, const char *text, size_t size)
{
	static const struct rv_line_sink sink = {on_section, on_assign, on_bad};
	struct rv_builder *b = l->builder;
	struct source s = {
		.loader = l,
		.path = path,
		.file = (unsigned)seen_count(l) + 1,
		.before_section = true,
	};
	int err;

	if (size > RV_CONF_TEXT_MAX) {
		struct rv_where where = {path, 0};

		rv_conf_error_add(b->errors, &where, "is larger than 64 MiB");
		return RV_OK;
	}
	err = rv_line_read(text, size, &sink, &s);
	if (err == RV_OK && b->err == RV_OK && b->from_text && s.includes.size > 0)
		rv_conf_error_add(b->errors,
				  &(*(const struct rv_assign **)(void *)s.includes.data)->where,
				  "include has no meaning here");
	else if (err == RV_OK && b->err == RV_OK && !b->from_text)
		include_all(&s, l->depth == 1);
	rv_buf_fini(&s.includes);
	return err ? err : b->err;
}

/* Notes ${path} as open; RV_E_CONF with ${why} for a cycle or a repetition. */
static int enter(struct loader *l, const char *path, const struct stat *st, struct rv_why *why)
{
	struct seen seen = {st->st_dev, st->st_ino, path, true};

	for (size_t i = 0; i < seen_count(l); i++) {
		if (seen_at(l, i)->dev != st->st_dev || seen_at(l, i)->ino != st->st_ino)
			continue;
		return rv_fail(why, RV_E_CONF, "%s",
			       seen_at(l, i)->open ? "includes itself, directly or by another"
						   : "is included twice");
	}
	if (l->depth >= DEPTH_MAX)
		return rv_fail(why, RV_E_CONF, "is included more than %d deep", DEPTH_MAX);
	if (seen_count(l) >= FILES_MAX)
		return rv_fail(why, RV_E_CONF, "is one file too many (%u)", FILES_MAX);
	return rv_buf_add(&l->seen, &seen, sizeof(seen));
}

/* ${from}: the line that includes it; NULL for the main file.  Mistakes are added to the errors. */
static int read_file(struct loader *l, const char *path, const struct rv_where *from)
{
	struct rv_where where = {path, 0};
	struct rv_why why = {0};
	struct rv_buf text;
	struct stat st;
	size_t index = seen_count(l);
	int fd = -1;
	int err = rv_conf_file_open(path, &fd, &st, &why);

	rv_buf_init(&text);
	if (err == RV_OK)
		err = enter(l, path, &st, &why);
	if (err == RV_OK) {
		err = rv_conf_file_slurp(fd, &text, &why);
		l->depth++;
		if (err == RV_OK)
			err = read_text(l, path, rv_buf_text(&text), text.size);
		l->depth--;
		seen_at(l, index)->open = false;
	}
	if (fd >= 0)
		(void)close(fd);
	rv_buf_fini(&text);
	if (err == RV_OK || err == RV_E_NOMEM)
		return err;
	if (from)
		rv_conf_error_add(l->builder->errors, from, "include: %s %s", path,
				  rv_why_text(&why, err));
	else
		rv_conf_error_add(l->builder->errors, &where, "%s", rv_why_text(&why, err));
	return RV_OK;
}

/* ---- the whole */

static struct rv_conf *new_conf(void)
{
	struct rv_arena arena;
	struct rv_conf *conf;

	rv_arena_init(&arena);
	conf = rv_arena_alloc(&arena, sizeof(*conf));
	if (conf)
		conf->priv = rv_arena_alloc(&arena, sizeof(*conf->priv));
	if (!conf || !conf->priv) {
		rv_arena_reset(&arena);
		return NULL;
	}
	conf->priv->arena = arena;
	return conf;
}

void rv_conf_free(struct rv_conf *conf)
{
	struct rv_arena arena;

	if (!conf)
		return;
	arena = conf->priv->arena; /* conf itself lives in it */
	rv_arena_reset(&arena);
}

static int finish(struct rv_builder *b, struct rv_conf *conf, struct rv_conf **ret_conf)
{
	int err;

	if (b->err == RV_OK)
		rv_build_finish(b, conf);
	rv_build_fini(b);
	rv_conf_errors_sort(b->errors);
	err = b->err ? b->err : b->errors->nerrors > 0 ? RV_E_CONF : RV_OK;
	if (err)
		rv_conf_free(conf);
	else
		*ret_conf = conf;
	return err;
}

/* A daemon changes its directory: what it reloads must be an absolute path. */
static const char *absolute(struct rv_arena *arena, const char *path)
{
	char *here;
	const char *result;

	if (path[0] == '/')
		return rv_arena_strdup(arena, path);
	here = getcwd(NULL, 0);
	if (!here)
		return rv_arena_strdup(arena, path);
	result = rv_arena_printf(arena, "%s/%s", here, path);
	free(here);
	return result;
}

int rv_conf_load(const struct rv_conf_source *from, struct rv_conf **ret_conf,
		 struct rv_conf_errors *errors)
{
	struct rv_conf *conf = new_conf();
	struct rv_builder b = {
		.errors = errors,
		.environment = from->environment,
		.has_file = from->file != NULL,
		.look = from->look,
		.limits = from->limits,
		.as = from->as,
	};
	struct loader l = {.builder = &b};

	PRE(ret_conf && errors);
	if (!conf)
		return RV_E_NOMEM;
	b.arena = &conf->priv->arena;
	rv_build_init(&b);
	if (from->file && b.err == RV_OK) {
		conf->file = absolute(b.arena, from->file);
		b.err = conf->file ? read_file(&l, from->file, NULL) : RV_E_NOMEM;
	}
	rv_buf_fini(&l.seen);
	if (b.err == RV_OK)
		rv_override_environment(&b, from->environment);
	if (b.err == RV_OK && from->overrides)
		rv_override_options(&b, from->overrides);
	return finish(&b, conf, ret_conf);
}

int rv_conf_parse(const char *text, size_t size, struct rv_conf **ret_conf,
		  struct rv_conf_errors *errors)
{
	struct rv_conf *conf = new_conf();
	struct rv_builder b = {.errors = errors, .from_text = true};
	struct loader l = {.builder = &b};

	PRE(text && ret_conf && errors);
	if (!conf)
		return RV_E_NOMEM;
	b.arena = &conf->priv->arena;
	rv_build_init(&b);
	if (b.err == RV_OK)
		b.err = read_text(&l, "configuration", text, size);
	rv_buf_fini(&l.seen);
	if (b.err == RV_OK)
		rv_override_options(&b, NULL);
	return finish(&b, conf, ret_conf);
}

int rv_conf_read(int fd, struct rv_conf **ret_conf, struct rv_conf_errors *errors)
{
	struct rv_where where = {"configuration", 0};
	struct rv_why why = {0};
	struct rv_buf text;
	int err;

	rv_buf_init(&text);
	err = rv_conf_file_slurp(fd, &text, &why);
	if (err)
		rv_conf_error_add(errors, &where, "%s", rv_why_text(&why, err));
	else
		err = rv_conf_parse(rv_buf_text(&text), text.size, ret_conf, errors);
	rv_buf_fini(&text);
	return err;
}
