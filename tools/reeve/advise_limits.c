/*
 * The limits that the jobs of a task start under, as the configuration says them, for the rules of
 * core/advise.h.  The CLI; reads, changes nothing.
 */
#include "advise.h"

#include "base/check.h"
#include "conf/conf.h"

#include <string.h>

/* Of a task or of its queue. */
struct limits {
	const char *of;
	int concurrency, key_concurrency;
	struct rv_rate rate, key_rate;
};

/* Nothing for ${count} 0: no limit. */
static void add(struct rv_facts *facts, const struct rv_advise_limit *limit)
{
	if (limit->count <= 0)
		return;
	PRE(facts->nlimits < RV_ADVISE_LIMITS);
	facts->limits[facts->nlimits++] = *limit;
}

static void add_limits(struct rv_facts *facts, const struct limits *from, int64_t keys)
{
	bool own = from->of[0] == '\0';
	struct rv_advise_limit limit = {.of = from->of, .each = 1, .keys = 1};

	limit.key = own ? "concurrency" : "[queue] concurrency";
	limit.count = from->concurrency;
	add(facts, &limit);
	limit.key = own ? "rate" : "[queue] rate";
	limit.count = from->rate.count;
	limit.per_us = from->rate.per_us;
	add(facts, &limit);
	if (keys == 0)
		return;
	limit.keys = keys;
	limit.key = own ? "key_rate" : "[queue] key_rate";
	limit.count = from->key_rate.count;
	limit.per_us = from->key_rate.per_us;
	add(facts, &limit);
	limit.key = own ? "key_concurrency" : "[queue] key_concurrency";
	limit.count = from->key_concurrency;
	limit.per_us = 0;
	add(facts, &limit);
}

static void add_resources(struct rv_facts *facts, const struct rv_conf *conf,
			  const struct rv_conf_list *takes)
{
	for (size_t i = 0; i < takes->count && i < RV_TAKES_MAX; i++) {
		for (size_t r = 0; r < conf->nresources; r++) {
			struct rv_advise_limit limit = {
				.key = "[resource] count",
				.of = conf->resources[r].name,
				.count = conf->resources[r].count,
				.each = takes->weights && takes->weights[i] > 0 ? takes->weights[i]
										: 1,
				.keys = 1};

			if (strcmp(conf->resources[r].name, takes->items[i]) == 0)
				add(facts, &limit);
		}
	}
}

void rv_advise_limits(const struct rv_conf *conf, const struct rv_conf_task *task, int64_t keys,
		      struct rv_facts *facts)
{
	const struct rv_conf_queue *queue = rv_conf_queue_find(conf, task->queue);
	struct limits limits = {.of = "",
				.concurrency = task->concurrency,
				.key_concurrency = task->key_concurrency,
				.rate = task->rate,
				.key_rate = task->key_rate};

	add_limits(facts, &limits, keys);
	if (queue) {
		limits = (struct limits){.of = queue->name,
					 .concurrency = queue->concurrency,
					 .key_concurrency = queue->key_concurrency,
					 .rate = queue->rate,
					 .key_rate = queue->key_rate};
		add_limits(facts, &limits, keys);
	}
	add_resources(facts, conf, &task->resources);
}
