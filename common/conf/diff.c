/*
 * What a reload changes: each key that differs, with what must be done about it.  The supervisor
 * decides by it what to roll; `reload` and the log show it.  It applies nothing itself.
 */
#include "base/buf.h"
#include "base/check.h"
#include "conf/dump.h"
#include "conf/value.h"

#include <stdio.h>
#include <string.h>

struct differ {
	rv_conf_change_fn *fn;
	void *ctx;
	struct rv_buf from;
	struct rv_buf to;
};

static struct rv_conf_change change_in(const struct rv_visit *visit, char *title, size_t space)
{
	const struct rv_conf_section_info *info = &rv_conf_sections[visit->section];

	(void)snprintf(title, space, "%s%s%s", info->name, info->named ? ":" : "", visit->name);
	return (struct rv_conf_change){
		.section = title,
		.pool = visit->section == RV_SECTION_POOL ? visit->name : NULL,
		.reload = info->reload,
	};
}

/* ${next}: where to look first, behind the last one found: mostly the order is the same. */
static bool find(const struct rv_conf *conf, const struct rv_visit *like, size_t *next,
		 struct rv_visit *ret)
{
	size_t count = rv_conf_visits(conf);

	for (size_t i = 0; i < count; i++) {
		size_t at = (*next + i) % count;
		struct rv_visit visit = rv_conf_visit(conf, at);

		if (visit.section == like->section && strcmp(visit.name, like->name) == 0) {
			*next = at + 1;
			*ret = visit;
			return true;
		}
	}
	return false;
}

static int compare(struct differ *d, const struct rv_visit *was, const struct rv_visit *now)
{
	const struct rv_conf_section_info *info = &rv_conf_sections[was->section];
	char title[2 * RV_NAME_MAX];

	for (size_t i = 0; i < info->nkeys; i++) {
		const struct rv_conf_key *key = &info->keys[i];
		struct rv_conf_change change = change_in(was, title, sizeof(title));
		int err;

		rv_buf_reset(&d->from);
		rv_buf_reset(&d->to);
		err = rv_value_print(key, (const char *)was->base + key->offset, &d->from);
		if (err == RV_OK)
			err = rv_value_print(key, (const char *)now->base + key->offset, &d->to);
		if (err)
			return err;
		if (strcmp(rv_buf_text(&d->from), rv_buf_text(&d->to)) == 0)
			continue;
		change.key = key->name;
		change.from = rv_buf_text(&d->from);
		change.to = rv_buf_text(&d->to);
		change.reload = key->reload;
		d->fn(d->ctx, &change);
	}
	return RV_OK;
}

static void came_or_went(struct differ *d, const struct rv_visit *visit, bool came)
{
	char title[2 * RV_NAME_MAX];
	struct rv_conf_change change = change_in(visit, title, sizeof(title));

	change.from = came ? NULL : title;
	change.to = came ? title : NULL;
	d->fn(d->ctx, &change);
}

int rv_conf_diff(const struct rv_conf *was, const struct rv_conf *now, rv_conf_change_fn *fn,
		 void *ctx)
{
	struct differ d = {.fn = fn, .ctx = ctx};
	size_t next = 0;
	int err = RV_OK;

	PRE(was && now && fn);
	for (size_t i = 0; err == RV_OK && i < rv_conf_visits(was); i++) {
		struct rv_visit old = rv_conf_visit(was, i);
		struct rv_visit new;

		if (find(now, &old, &next, &new))
			err = compare(&d, &old, &new);
		else
			came_or_went(&d, &old, false);
	}
	next = 0;
	for (size_t i = 0; err == RV_OK && i < rv_conf_visits(now); i++) {
		struct rv_visit new = rv_conf_visit(now, i);
		struct rv_visit old;

		if (!find(was, &new, &next, &old))
			came_or_went(&d, &new, true);
	}
	rv_buf_fini(&d.from);
	rv_buf_fini(&d.to);
	return err;
}
