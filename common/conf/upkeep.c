/*
 * Upkeep: tasks and schedules that are there when they are named.  Whoever reads a configuration.
 * They are sections like any other: what is written in them wins.
 */
#include "conf/upkeep.h"

#include "base/check.h"
#include "base/near.h"
#include "conf/build.h"

#include <string.h>

#define PREFIX "reeve."

const struct rv_upkeep rv_upkeeps[] = {
#define UPKEEP(name, cron, command, doc) {PREFIX #name, cron, command, doc},
#include "conf/upkeep.def"
#undef UPKEEP
};
const size_t rv_upkeeps_count = RV_ARRAY_LEN(rv_upkeeps);

static void imply(struct rv_builder *b, struct rv_instance *in, const char *key, const char *value)
{
	struct rv_assign assign = {
		.instance = in, .value = value, .where = {"built-in", 0}, .layer = RV_LAYER_FILE};

	if (!rv_build_is_set(in, key))
		rv_build_assign(b, &assign, key);
}

static void fail_name(struct rv_builder *b, const struct rv_instance *in)
{
	const char *names[RV_ARRAY_LEN(rv_upkeeps)];
	const char *near;

	for (size_t i = 0; i < RV_ARRAY_LEN(rv_upkeeps); i++)
		names[i] = rv_upkeeps[i].name;
	near = rv_near(in->name, names, RV_ARRAY_LEN(names));
	rv_conf_error_add(b->errors, &in->where,
			  "[%s]: names that begin with " PREFIX " are those of reeve's own upkeep, "
			  "and this is none%s%s%s",
			  in->title, near ? "; did you mean " : "", near ? near : "",
			  near ? "?" : "");
}

static const struct rv_upkeep *find(const char *name)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(rv_upkeeps); i++) {
		if (strcmp(rv_upkeeps[i].name, name) == 0)
			return &rv_upkeeps[i];
	}
	return NULL;
}

static void imply_task(struct rv_builder *b, struct rv_instance *in, const struct rv_upkeep *upkeep)
{
	/* Another handler: it is theirs altogether. */
	if (!rv_build_is_set(in, "handler"))
		imply(b, in, "command", upkeep->command);
	imply(b, in, "max_attempts", "1"); /* it comes again by itself */
}

static void imply_schedule(struct rv_builder *b, struct rv_instance *in,
			   const struct rv_upkeep *upkeep)
{
	struct rv_instance *task = rv_build_find(b, RV_SECTION_TASK, upkeep->name);

	imply(b, in, "cron", upkeep->cron);
	imply(b, in, "task", upkeep->name);
	if (!task)
		task = rv_build_add(b, RV_SECTION_TASK, upkeep->name, &in->where);
	if (task)
		imply_task(b, task, upkeep);
}

void rv_upkeep_imply(struct rv_builder *b)
{
	size_t count = rv_build_count(b); /* what is added below is complete */

	PRE(!b->from_text);
	for (size_t i = 0; i < count && b->err == RV_OK; i++) {
		struct rv_instance *in = rv_build_at(b, i);
		const struct rv_upkeep *upkeep;

		if ((in->section != RV_SECTION_TASK && in->section != RV_SECTION_SCHEDULE) ||
		    strncmp(in->name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		upkeep = find(in->name);
		if (!upkeep)
			fail_name(b, in);
		else if (in->section == RV_SECTION_TASK)
			imply_task(b, in, upkeep);
		else
			imply_schedule(b, in, upkeep);
	}
}
