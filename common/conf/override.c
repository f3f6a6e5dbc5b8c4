/*
 * Overrides: REEVE_SECTION__KEY in the environment, then -o section.key=value; and before both, the
 * pool that nobody wrote, so that they can speak of it.  Whoever loads a configuration.
 */
#include "conf/build.h"

#include "base/check.h"
#include "base/near.h"
#include "conf/text.h"

#include <string.h>

#define PREFIX  "REEVE_"
#define AFTER   (0xfffffff0ULL << 32) /* overrides come after all files */
#define OPTIONS (AFTER + (1ULL << 32))

static char upper(char c)
{
	if (c >= 'a' && c <= 'z')
		return (char)(c - 'a' + 'A');
	if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return c;
	return '_';
}

/* "pool:my-pool" is POOL_MY_POOL. */
static bool is_called(const struct rv_instance *in, const char *name, size_t size)
{
	size_t i = 0;

	while (i < size && in->title[i] != '\0' && upper(in->title[i]) == name[i])
		i++;
	return i == size && in->title[i] == '\0';
}

/* The section that NAME of REEVE_NAME__KEY means: one that the files have. */
static struct rv_instance *find_called(struct rv_builder *b, const char *name, size_t size,
				       const struct rv_where *where)
{
	struct rv_instance *found = NULL;

	for (size_t i = 0; i < rv_build_count(b); i++) {
		struct rv_instance *in = rv_build_at(b, i);

		if (!is_called(in, name, size))
			continue;
		if (found) {
			rv_conf_error_add(b->errors, where, "means [%s] as well as [%s]: use -o",
					  found->title, in->title);
			return NULL;
		}
		found = in;
	}
	if (!found)
		rv_conf_error_add(
			b->errors, where,
			"there is no section for %.*s (REEVE_STORE__PATH is [store] path, "
			"REEVE_POOL_DEFAULT__WORKERS is [pool:default] workers)",
			(int)(size > 60 ? 60 : size), name);
	return found;
}

static void override_variable(struct rv_builder *b, const char *entry, const char *key,
			      size_t index)
{
	const char *equals = strchr(entry, '=');
	const char *name = entry + strlen(PREFIX);
	struct rv_assign assign = {.value = equals + 1, .layer = RV_LAYER_ENVIRONMENT};
	char lower[RV_TEXT_NAME_MAX + 1] = "";
	size_t size = (size_t)(equals - key);

	assign.where.order = AFTER + index;
	assign.where.text =
		rv_arena_printf(b->arena, "environment %.*s",
				(int)(equals - entry > 120 ? 120 : equals - entry), entry);
	if (!assign.where.text) {
		b->err = RV_E_NOMEM;
		return;
	}
	assign.instance = find_called(b, name, (size_t)(key - 2 - name), &assign.where);
	if (!assign.instance)
		return;
	for (size_t i = 0; i < size && i < RV_TEXT_NAME_MAX; i++)
		lower[i] = (char)(key[i] >= 'A' && key[i] <= 'Z' ? key[i] - 'A' + 'a' : key[i]);
	rv_build_assign(b, &assign, lower);
}

/* The KEY of REEVE_SECTION__KEY=…, behind the last "__" of the name; NULL when it is no override.
 */
static const char *override_key(const char *entry)
{
	const char *equals = strchr(entry, '=');
	const char *key = NULL;

	if (!equals || strncmp(entry, PREFIX, strlen(PREFIX)) != 0)
		return NULL;
	for (const char *c = entry + strlen(PREFIX); c + 2 <= equals; c++) {
		if (c[0] == '_' && c[1] == '_')
			key = c + 2;
	}
	return key;
}

/* A configuration without a pool has one; without that, -o and the environment could not name it.
 */
static void imply_pool(struct rv_builder *b)
{
	static const struct rv_where where = {"built-in", 0};
	struct rv_instance *in;

	for (size_t i = 0; i < rv_build_count(b); i++) {
		if (rv_build_at(b, i)->section == RV_SECTION_POOL)
			return;
	}
	in = rv_build_add(b, RV_SECTION_POOL, RV_QUEUE_DEFAULT, &where);
	if (in)
		in->implied = true;
}

void rv_override_environment(struct rv_builder *b, char *const *environment)
{
	imply_pool(b);
	for (size_t i = 0; environment && environment[i] && b->err == RV_OK; i++) {
		const char *key = override_key(environment[i]);

		if (key)
			override_variable(b, environment[i], key, i);
	}
}

/* "section.key=value"; a section that is not there yet begins here. */
static void override_option(struct rv_builder *b, const char *option, size_t index)
{
	const char *equals = strchr(option, '=');
	const char *dot = equals ? memrchr(option, '.', (size_t)(equals - option)) : NULL;
	struct rv_assign assign = {.layer = RV_LAYER_OPTION};
	struct rv_why why = {0};
	enum rv_conf_section section;
	const char *name;
	char *title;
	char *key;

	assign.where.order = OPTIONS + index;
	assign.where.text = rv_arena_printf(
		b->arena, "-o %.*s", (int)(equals && equals - option < 120 ? equals - option : 120),
		option);
	if (!assign.where.text) {
		b->err = RV_E_NOMEM;
		return;
	}
	if (!dot) {
		rv_conf_error_add(b->errors, &assign.where,
				  "must be section.key=value, for example pool:default.workers=8");
		return;
	}
	title = rv_arena_memdup(b->arena, option, (size_t)(dot - option));
	key = rv_arena_memdup(b->arena, dot + 1, (size_t)(equals - dot - 1));
	if (!title || !key) {
		b->err = RV_E_NOMEM;
		return;
	}
	if (rv_build_section(title, &section, &name, &why) != RV_OK) {
		rv_conf_error_add(b->errors, &assign.where, "%s", why.text);
		return;
	}
	assign.value = equals + 1;
	assign.instance = rv_build_find(b, section, name);
	if (!assign.instance)
		assign.instance = rv_build_add(b, section, name, &assign.where);
	if (assign.instance)
		rv_build_assign(b, &assign, key);
}

void rv_override_options(struct rv_builder *b, const char *const *overrides)
{
	imply_pool(b);
	for (size_t i = 0; overrides && overrides[i] && b->err == RV_OK; i++)
		override_option(b, overrides[i], i);
}
