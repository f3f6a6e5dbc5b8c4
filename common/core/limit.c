/*
 * Limits: which gates a job must pass, the arithmetic of token buckets, the order of a line.  Pure;
 * the store calls it in every process that writes.  Must give the same answer everywhere.
 */
#include "core/limit.h"

#include "base/check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* "name:n" or "name" of ${size} bytes. */
static int parse_take(const char *item, size_t size, struct rv_take *take, struct rv_why *why)
{
	size_t name = 0;
	int64_t n = 0;
	size_t at;

	while (name < size && name_char(item[name]))
		name++;
	at = name;
	if (at < size && item[at] == ':')
		for (at++; at < size && isdigit((unsigned char)item[at]) && n <= RV_UNITS_MAX; at++)
			n = n * 10 + (item[at] - '0');
	else
		n = 1;
	if (name == 0 || name >= RV_NAME_MAX || at != size || n < 1 || n > RV_UNITS_MAX)
		return rv_fail(why, RV_E_USAGE,
			       "\"%.*s\" is not a resource and how many of it, such as gpu:1",
			       (int)(size > 80 ? 80 : size), item);
	memcpy(take->name, item, name);
	take->name[name] = '\0';
	take->n = (int)n;
	return RV_OK;
}

int rv_takes_parse(const char *text, struct rv_takes *ret_takes, struct rv_why *why)
{
	struct rv_takes takes = {0};

	PRE(text);
	for (bool last = text[0] == '\0'; !last;) {
		size_t size = strcspn(text, ",");
		size_t skip = strspn(text, " \t");
		size_t end = size;
		int err;

		last = text[size] == '\0';
		while (end > skip && (text[end - 1] == ' ' || text[end - 1] == '\t'))
			end--;
		if (takes.count == RV_TAKES_MAX)
			return rv_fail(why, RV_E_USAGE, "more than %d resources", RV_TAKES_MAX);
		err = parse_take(text + skip, end > skip ? end - skip : 0, &takes.of[takes.count],
				 why);
		if (err != RV_OK)
			return err;
		for (size_t i = 0; i < takes.count; i++)
			if (strcmp(takes.of[i].name, takes.of[takes.count].name) == 0)
				return rv_fail(why, RV_E_USAGE, "resource %s is there twice",
					       takes.of[i].name);
		takes.count++;
		text += size + 1;
	}
	*ret_takes = takes;
	return RV_OK;
}

bool rv_limits_any(const struct rv_limits *limits)
{
	return limits->concurrency > 0 || limits->key_concurrency > 0 || limits->rate.count > 0 ||
	       limits->key_rate.count > 0;
}

static bool rate_sane(const struct rv_rate *rate)
{
	return rate->count >= 0 && rate->count <= RV_UNITS_MAX && rate->per_us >= 0 &&
	       rate->per_us <= INT64_MAX / 8 && (rate->count == 0 || rate->per_us > 0);
}

bool rv_limits_sane(const struct rv_limits *limits)
{
	return limits->concurrency >= 0 && limits->concurrency <= RV_UNITS_MAX &&
	       limits->key_concurrency >= 0 && limits->key_concurrency <= RV_UNITS_MAX &&
	       rate_sane(&limits->rate) && rate_sane(&limits->key_rate);
}

/* K/a[/b], its kind being K. */
static void name_gate(char *out, enum rv_gate_kind kind, const char *a, const char *b)
{
	size_t size = strlen(a);

	PRE(size < RV_NAME_MAX && kind < RV_GATE_KINDS);
	*out++ = "Kkqrt"[kind];
	*out++ = '/';
	memcpy(out, a, size + 1);
	if (!b)
		return;
	out[size] = '/';
	(void)snprintf(out + size + 1, RV_KEY_MAX, "%s", b);
}

void rv_gate_own(enum rv_gate_kind kind, const char *queue, const char *task, const char *key,
		 char ret_gate[RV_GATE_MAX])
{
	bool of_task = kind == RV_GATE_TASK || kind == RV_GATE_TASK_KEY;
	bool of_key = kind == RV_GATE_TASK_KEY || kind == RV_GATE_QUEUE_KEY;

	PRE(kind != RV_GATE_RESOURCE);
	name_gate(ret_gate, kind, of_task ? task : queue, of_key ? key : NULL);
}

static struct rv_need *add_need(struct rv_needs *needs, enum rv_gate_kind kind, int64_t n,
				int64_t max)
{
	struct rv_need *need = &needs->of[needs->count++];

	PRE(needs->count <= RV_NEEDS_MAX);
	need->kind = kind;
	need->max = max;
	need->n = max > 0 && n > max ? max : n;
	need->rate = (struct rv_rate){0};
	return need;
}

static void need_key(struct rv_needs *needs, enum rv_gate_kind kind, const char *owner,
		     const struct rv_limits *limits, const char *key)
{
	struct rv_need *need;

	if (!key || key[0] == '\0' || (limits->key_concurrency == 0 && limits->key_rate.count == 0))
		return;
	need = add_need(needs, kind, 1, limits->key_concurrency > 0 ? limits->key_concurrency : -1);
	need->rate = limits->key_rate;
	name_gate(need->gate, kind, owner, key);
}

static void need_all(struct rv_needs *needs, enum rv_gate_kind kind, const char *owner,
		     const struct rv_limits *limits)
{
	struct rv_need *need;

	if (limits->concurrency == 0 && limits->rate.count == 0)
		return;
	need = add_need(needs, kind, 1, limits->concurrency > 0 ? limits->concurrency : -1);
	need->rate = limits->rate;
	name_gate(need->gate, kind, owner, NULL);
}

static void need_resources(struct rv_needs *needs, const struct rv_limited *job)
{
	struct rv_takes takes = {0};

	if (!job->takes || job->takes[0] == '\0' ||
	    rv_takes_parse(job->takes, &takes, NULL) != RV_OK)
		return; /* it was looked at when it was accepted */
	for (size_t i = 0; i < takes.count; i++) {
		int64_t max = 0;
		struct rv_need *need;

		for (size_t r = 0; r < job->nresources; r++)
			if (strcmp(job->resources[r].name, takes.of[i].name) == 0)
				max = job->resources[r].count;
		need = add_need(needs, RV_GATE_RESOURCE, takes.of[i].n, max);
		name_gate(need->gate, RV_GATE_RESOURCE, takes.of[i].name, NULL);
	}
}

void rv_needs_of(const struct rv_limited *job, struct rv_needs *ret_needs)
{
	static const struct rv_limits none;
	const struct rv_limits *of_queue = job->queue_limits ? job->queue_limits : &none;
	const struct rv_limits *of_task = job->task_limits ? job->task_limits : &none;

	PRE(job->queue && job->task);
	ret_needs->count = 0;
	need_key(ret_needs, RV_GATE_TASK_KEY, job->task, of_task, job->key);
	need_key(ret_needs, RV_GATE_QUEUE_KEY, job->queue, of_queue, job->key);
	need_resources(ret_needs, job);
	need_all(ret_needs, RV_GATE_TASK, job->task, of_task);
	need_all(ret_needs, RV_GATE_QUEUE, job->queue, of_queue);
	POST(ret_needs->count <= RV_NEEDS_MAX);
}

const struct rv_need *rv_need_of(const struct rv_needs *needs, const char *gate)
{
	for (size_t i = 0; needs && i < needs->count; i++)
		if (strcmp(needs->of[i].gate, gate) == 0)
			return &needs->of[i];
	return NULL;
}

bool rv_need_fits(const struct rv_need *need, int64_t used, const struct rv_needs *kept)
{
	const struct rv_need *other = rv_need_of(kept, need->gate);

	if (other && other->rate.count > 0)
		return false; /* its tokens are kept, too */
	return need->max < 0 || used + need->n + (other ? other->n : 0) <= need->max;
}

/* The time that one token takes, rounded up: never more than the rate. */
static int64_t interval(const struct rv_rate *rate)
{
	PRE(rate->count > 0 && rate->per_us > 0);
	return (rate->per_us + rate->count - 1) / rate->count;
}

/* No bucket is emptier than empty, whatever the clock did. */
static int64_t full_at(const struct rv_rate *rate, int64_t full_us, int64_t now_us)
{
	int64_t latest = now_us + interval(rate) * rate->count;

	if (full_us < now_us)
		return now_us;
	return full_us > latest ? latest : full_us;
}

int64_t rv_rate_due(const struct rv_rate *rate, int64_t full_us, int64_t now_us)
{
	int64_t due;

	if (rate->count == 0)
		return 0;
	due = full_at(rate, full_us, now_us) - interval(rate) * (rate->count - 1);
	return due > now_us ? due : 0;
}

int64_t rv_rate_take(const struct rv_rate *rate, int64_t full_us, int64_t now_us)
{
	return rate->count == 0 ? full_us : full_at(rate, full_us, now_us) + interval(rate);
}

int64_t rv_gate_line(const char *gate, int64_t ord, int64_t id)
{
	return gate[0] == 'r' ? id : ord;
}

bool rv_gate_of_queue(const char *gate, const char *queue)
{
	size_t size = strlen(queue);

	if ((gate[0] != 'q' && gate[0] != 'k') || strncmp(gate + 2, queue, size) != 0)
		return false;
	return gate[0] == 'q' ? gate[2 + size] == '\0' : gate[2 + size] == '/';
}

bool rv_gate_of_key(const char *gate)
{
	return gate[0] == 'k' || gate[0] == 'K';
}
