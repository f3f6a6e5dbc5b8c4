/*
 * The rules of advise.def, a function each: it looks at the facts and says what it recommends, with
 * the numbers it used, or nothing.  The CLI and tests.  Pure.
 */
#include "core/advise.h"

#include "base/check.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "base/spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_US (60 * RV_S_US)
#define HOUR_US   (60 * MINUTE_US)
#define DAY_US    (24 * HOUR_US)

static const struct {
	const char *name, *meaning;
} rules[] = {
#define ADVICE(sym, name, meaning) {name, meaning},
#include "core/advise.def"
#undef ADVICE
};

const char *rv_advice_name(enum rv_advice_rule rule)
{
	PRE(rule < RV_ADVICES);
	return rules[rule].name;
}

const char *rv_advice_meaning(enum rv_advice_rule rule)
{
	PRE(rule < RV_ADVICES);
	return rules[rule].meaning;
}

int64_t rv_advise_round(int64_t us)
{
	static const int64_t steps[] = {1, 2, 5, 10, 15, 20, 30};
	static const int64_t hours[] = {1, 2, 3, 6, 12, 24, 48, 168};
	static const int64_t units[] = {RV_S_US, MINUTE_US};
	int64_t week = 7 * DAY_US;

	for (size_t u = 0; u < RV_ARRAY_LEN(units); u++) {
		for (size_t i = 0; i < RV_ARRAY_LEN(steps); i++) {
			if (us <= steps[i] * units[u])
				return steps[i] * units[u];
		}
	}
	for (size_t i = 0; i < RV_ARRAY_LEN(hours); i++) {
		if (us <= hours[i] * HOUR_US)
			return hours[i] * HOUR_US;
	}
	return us > 500 * week ? 500 * week : (us + week - 1) / week * week;
}

/* Without overflow; what is not known stays so. */
static int64_t times(int64_t value, int64_t by)
{
	return value > INT64_MAX / 16 / by ? INT64_MAX / 16 : value * by;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ${part} of ${whole} is at least ${percent} of a hundred. */
static bool is_share(int64_t part, int64_t whole, int64_t percent)
{
	return whole > 0 && times(part, 100) >= times(whole, percent);
}

static bool enough(const struct rv_facts *f)
{
	return f->runs >= (f->trial ? RV_ADVISE_TRIAL_RUNS : RV_ADVISE_RUNS) && f->most_us >= 0;
}

RV_PRINTF(4, 5)
static bool set(struct rv_advice *a, enum rv_advice_place place, const char *key,
		const char *because, ...)
{
	va_list args;

	a->place = place;
	a->key = key;
	va_start(args, because);
	(void)vsnprintf(a->because, sizeof a->because, because, args);
	va_end(args);
	return true;
}

static void value(struct rv_advice *a, const char *text)
{
	(void)snprintf(a->value, sizeof a->value, "%s", text);
}

static void value_time(struct rv_advice *a, int64_t us)
{
	char text[RV_FMT_SPACE];

	value(a, rv_fmt_duration(text, us));
}

static void value_int(struct rv_advice *a, int64_t number)
{
	(void)snprintf(a->value, sizeof a->value, "%lld", (long long)number);
}

#define KIB_MAX (1LL << 40) /* nobody has more memory */

static char *size(char *text, int64_t kib)
{
	return rv_fmt_size(text, (kib < KIB_MAX ? kib : KIB_MAX) << 10);
}

#define ABOUT_MAX (1LL << 55) /* us; a thousand years */

/* A time as people say it, in a text of its own for each place of a sentence. */
struct about {
	char text[RV_FMT_SPACE];
};

static struct about about(int64_t us)
{
	struct about said = {.text = ""};

	(void)rv_fmt_about(said.text, us < ABOUT_MAX ? us : ABOUT_MAX);
	return said;
}

static bool say_too_little(const struct rv_facts *f, struct rv_advice *a)
{
	return !enough(f) &&
	       set(a, RV_ADVICE_NOTE, "", "%lld runs are known, %d are needed", (long long)f->runs,
		   f->trial ? RV_ADVISE_TRIAL_RUNS : RV_ADVISE_RUNS);
}

static bool wants_pipe(const struct rv_facts *f)
{
	return enough(f) && !f->pipe && f->p50_us <= RV_ADVISE_SHORT_US &&
	       (f->trial || f->hour_runs >= RV_ADVISE_OFTEN);
}

static bool say_pipe(const struct rv_facts *f, struct rv_advice *a)
{
	if (!wants_pipe(f))
		return false;
	a->by_hand = true;
	value(a, "pipe");
	if (f->trial)
		return set(a, RV_ADVICE_TASK, "handler",
			   "p50 %s: worth it from %d runs an hour on, else spawn",
			   about(f->p50_us).text, RV_ADVISE_OFTEN);
	return set(a, RV_ADVICE_TASK, "handler", "p50 %s, %lld runs in the last hour",
		   about(f->p50_us).text, (long long)f->hour_runs);
}

static bool say_spawn(const struct rv_facts *f, struct rv_advice *a)
{
	if (!enough(f) || f->pipe || wants_pipe(f))
		return false;
	value(a, "spawn");
	if (f->trial)
		return set(a, RV_ADVICE_NOTE, "pattern", "p50 %s", about(f->p50_us).text);
	return set(a, RV_ADVICE_NOTE, "pattern", "p50 %s, %lld runs in the last hour",
		   about(f->p50_us).text, (long long)f->hour_runs);
}

/* The nearest whole second, or of long ones the nearest minute. */
static int64_t whole(int64_t us)
{
	int64_t unit = us >= HOUR_US ? MINUTE_US : RV_S_US;

	return (us + unit / 2) / unit * unit;
}

static bool say_periodic(const struct rv_facts *f, struct rv_advice *a)
{
	char text[RV_FMT_SPACE];

	if (f->scheduled || f->gaps < RV_ADVISE_GAPS || f->gap50_us < RV_ADVISE_PERIOD_US ||
	    !is_share(f->gap05_us, f->gap50_us, 95) || !is_share(f->gap50_us, f->gap95_us, 95))
		return false;
	(void)snprintf(a->value, sizeof a->value, "every %s",
		       rv_fmt_duration(text, whole(f->gap50_us)));
	return set(a, RV_ADVICE_SCHEDULE, "cron", "%lld gaps, of %s to %s (p5 to p95)",
		   (long long)f->gaps, about(f->gap05_us).text, about(f->gap95_us).text);
}

static bool say_batch(const struct rv_facts *f, struct rv_advice *a)
{
	if (f->gaps + 1 < RV_ADVISE_BURST_JOBS || !is_share(f->bursts, f->gaps, 90))
		return false;
	value(a, "batch");
	return set(a, RV_ADVICE_NOTE, "pattern",
		   "%lld of %lld jobs came within 100ms of another: reeve add --batch, --from-file",
		   (long long)f->bursts, (long long)f->gaps + 1);
}

static bool hits_its_timeout(const struct rv_facts *f)
{
	return f->timeout_us > 0 && f->jobs >= RV_ADVISE_RUNS && is_share(f->timeouts, f->jobs, 10);
}

static bool say_timed_out(const struct rv_facts *f, struct rv_advice *a)
{
	if (!hits_its_timeout(f))
		return false;
	value_time(a, rv_advise_round(times(f->timeout_us, 2)));
	return set(a, RV_ADVICE_TASK, "timeout", "%lld of %lld jobs ended by their timeout of %s",
		   (long long)f->timeouts, (long long)f->jobs, about(f->timeout_us).text);
}

static int64_t good_timeout(const struct rv_facts *f)
{
	int64_t us = f->trial ? times(f->most_us, 10)
			      : larger(times(f->p99_us, 3), times(f->most_us, 3) / 2);

	if (hits_its_timeout(f))
		us = times(f->timeout_us, 2);
	return rv_advise_round(larger(us, RV_ADVISE_LEAST_US));
}

static bool say_timeout(const struct rv_facts *f, struct rv_advice *a)
{
	if (!enough(f) || hits_its_timeout(f))
		return false;
	value_time(a, good_timeout(f));
	if (f->trial)
		return set(a, RV_ADVICE_TASK, "timeout", "the longest of %lld runs took %s",
			   (long long)f->runs, about(f->most_us).text);
	return set(a, RV_ADVICE_TASK, "timeout", "p99 %s, the longest of %lld runs %s",
		   about(f->p99_us).text, (long long)f->runs, about(f->most_us).text);
}

static bool say_soft_timeout(const struct rv_facts *f, struct rv_advice *a)
{
	if (!enough(f) || f->p50_us < RV_ADVISE_LONG_US)
		return false;
	a->by_hand = true;
	value_time(a, whole(good_timeout(f) / 10 * 9));
	return set(a, RV_ADVICE_TASK, "soft_timeout", "p50 %s; nine tenths of the timeout",
		   about(f->p50_us).text);
}

static bool say_idle_timeout(const struct rv_facts *f, struct rv_advice *a)
{
	int64_t us = rv_advise_round(larger(times(f->silence_us, 5), RV_ADVISE_LEAST_US));

	if (!enough(f) || f->silence_us < 0 ||
	    f->printing < (f->trial ? RV_ADVISE_TRIAL_RUNS : RV_ADVISE_RUNS) ||
	    us >= good_timeout(f) / 2)
		return false;
	value_time(a, us);
	return set(a, RV_ADVICE_TASK, "idle_timeout", "the longest silence of %lld runs was %s",
		   (long long)f->printing, about(f->silence_us).text);
}

static bool say_memory(const struct rv_facts *f, struct rv_advice *a)
{
	int64_t kib = RV_ADVISE_LEAST_KIB;
	char text[RV_FMT_SPACE];

	while (kib < times(f->rss_kib, 8))
		kib *= 2;
	if (!enough(f) || f->rss_kib <= 0 || f->memory_kib <= kib || kib > KIB_MAX)
		return false;
	value(a, size(text, kib));
	return set(a, RV_ADVICE_TASK, "limit_as", "the most memory of a run was %s",
		   size(text, f->rss_kib));
}

/* As many as this limit lets run at once, on an average where it bounds starts. */
static double runs_under(const struct rv_facts *f, const struct rv_advise_limit *limit)
{
	/* Who wants more units than there are gets all of them (core/limit.h). */
	double jobs = (double)larger(limit->count / limit->each, 1) * (double)limit->keys;

	if (limit->per_us == 0)
		return jobs;
	return jobs / (double)limit->per_us * (double)f->busy_us / (double)larger(f->runs, 1);
}

/* The one that lets the fewest run; NULL: there is none.  ${all} false: of those at once only. */
static const struct rv_advise_limit *tightest(const struct rv_facts *f, bool all)
{
	const struct rv_advise_limit *found = NULL;

	PRE(f->nlimits <= RV_ADVISE_LIMITS);
	for (size_t i = 0; i < f->nlimits; i++) {
		const struct rv_advise_limit *limit = &f->limits[i];

		PRE(limit->count > 0 && limit->each > 0 && limit->keys > 0 && limit->per_us >= 0);
		if ((all || limit->per_us == 0) &&
		    (!found || runs_under(f, limit) < runs_under(f, found)))
			found = limit;
	}
	return found;
}

/* How many of its jobs run at once at the most. */
static int64_t at_once(const struct rv_facts *f)
{
	const struct rv_advise_limit *limit = tightest(f, false);
	double runs = limit ? runs_under(f, limit) : (double)f->workers;

	return runs < (double)f->workers ? larger((int64_t)runs, 1) : f->workers;
}

/* How many at once half of the memory holds; 0: as many as there are workers. */
static int64_t fitting(const struct rv_facts *f)
{
	int64_t fit;

	if (!enough(f) || f->rss_kib <= 0 || f->memory_kib <= 0 || f->workers < 1)
		return 0;
	fit = f->memory_kib / 2 / f->rss_kib;
	return fit >= at_once(f) ? 0 : larger(fit, 1);
}

static bool is_cpu_bound(const struct rv_facts *f)
{
	return enough(f) && is_share(f->cpu_us, f->busy_us, 70);
}

/*
 * With all workers at it they take 70 % of the CPUs or more: each run is slower the more there are,
 * so that the share of one run alone does not tell it.  What was not measured may be so.
 */
static bool cpus_are_full(const struct rv_facts *f)
{
	if (f->cpus < 1 || f->workers < 1)
		return false;
	if (f->cpu_us < 0)
		return at_once(f) >= f->cpus;
	return is_share(times(f->cpu_us, at_once(f)), times(f->busy_us, f->cpus), 70);
}

/* So many workers that the CPUs are full. */
static int64_t workers_of_cpus(const struct rv_facts *f)
{
	if (f->cpu_us < 0 || is_cpu_bound(f))
		return f->cpus;
	if (f->cpu_us == 0)
		return INT64_MAX;
	return larger(times(f->busy_us, f->cpus) / f->cpu_us, f->cpus);
}

static bool say_fit_memory(const struct rv_facts *f, struct rv_advice *a)
{
	char text[RV_FMT_SPACE];
	char all[RV_FMT_SPACE];
	int64_t fit = fitting(f);

	/* Of two limits of the same name the lower one is said. */
	if (fit == 0 || (is_cpu_bound(f) && f->cpus > 0 && f->cpus < fit))
		return false;
	value_int(a, fit);
	return set(a, RV_ADVICE_TASK, "concurrency",
		   "a run had up to %s, %lld workers would have more than half of %s",
		   size(text, f->rss_kib), (long long)at_once(f), size(all, f->memory_kib));
}

static bool say_fit_cpu(const struct rv_facts *f, struct rv_advice *a)
{
	int64_t fit = fitting(f);

	if (!is_cpu_bound(f) || f->cpus < 1 || at_once(f) <= f->cpus ||
	    (fit != 0 && fit <= f->cpus))
		return false;
	value_int(a, f->cpus);
	return set(a, RV_ADVICE_TASK, "concurrency",
		   "%s of CPU in %s of running, %lld workers on %lld CPUs", about(f->cpu_us).text,
		   about(f->busy_us).text, (long long)at_once(f), (long long)f->cpus);
}

/* More than what comes at once, and for longer than it takes, at workers that there are. */
static bool waits(const struct rv_facts *f)
{
	return enough(f) && f->wait95_us > RV_S_US && f->wait95_us > f->p95_us && f->workers >= 1;
}

/* What they wait for, if it is a limit: it lets no more run than there are workers. */
static const struct rv_advise_limit *what_limits(const struct rv_facts *f)
{
	const struct rv_advise_limit *limit = waits(f) ? tightest(f, true) : NULL;

	return limit && runs_under(f, limit) <= (double)f->workers ? limit : NULL;
}

static void value_limit(struct rv_advice *a, const struct rv_advise_limit *limit)
{
	int64_t twice =
		times(limit->count, 2) < RV_UNITS_MAX ? times(limit->count, 2) : RV_UNITS_MAX;
	char per[RV_FMT_SPACE];

	if (limit->per_us > 0)
		(void)snprintf(a->value, sizeof a->value, "%lld/%s", (long long)twice,
			       rv_fmt_duration(per, limit->per_us));
	else
		value_int(a, twice);
}

static bool say_limited(const struct rv_facts *f, struct rv_advice *a)
{
	const struct rv_advise_limit *limit = what_limits(f);
	char per[RV_FMT_SPACE + 1] = "/";
	char each[48] = "";
	bool own;

	if (!limit || limit->count >= RV_UNITS_MAX)
		return false;
	own = limit->of[0] == '\0';
	value_limit(a, limit);
	a->by_hand = true;
	if (limit->per_us > 0)
		(void)rv_fmt_duration(per + 1, limit->per_us);
	if (limit->keys > 1)
		(void)snprintf(each, sizeof each, " for each of %lld keys", (long long)limit->keys);
	if (limit->each > 1)
		(void)snprintf(each, sizeof each, ", %lld for each job", (long long)limit->each);
	return set(a, own ? RV_ADVICE_TASK : RV_ADVICE_NOTE, limit->key,
		   "%lld%s%s%s%s: waited p95 %s, ran p95 %s, with %lld workers",
		   (long long)limit->count, limit->per_us > 0 ? per : " at once", own ? "" : " of ",
		   limit->of, each, about(f->wait95_us).text, about(f->p95_us).text,
		   (long long)f->workers);
}

/* As many as the tightest limit leaves something to do. */
static int64_t workers_of_limits(const struct rv_facts *f)
{
	const struct rv_advise_limit *limit = tightest(f, true);
	double runs = limit ? runs_under(f, limit) : (double)INT32_MAX;

	return runs < (double)INT32_MAX ? (int64_t)runs + ((double)(int64_t)runs < runs)
					: INT32_MAX;
}

static bool say_workers(const struct rv_facts *f, struct rv_advice *a)
{
	int64_t most = 200; /* of [pool] workers */

	if (!waits(f) || what_limits(f) || fitting(f) != 0 || cpus_are_full(f))
		return false;
	if (f->cpus >= 1 && workers_of_cpus(f) < most)
		most = workers_of_cpus(f);
	if (workers_of_limits(f) < most)
		most = workers_of_limits(f);
	if (most <= f->workers)
		return false;
	value_int(a, 2 * f->workers < most ? 2 * f->workers : most);
	return set(a, RV_ADVICE_POOL, "workers", "waited p95 %s, ran p95 %s, with %lld workers",
		   about(f->wait95_us).text, about(f->p95_us).text, (long long)f->workers);
}

static bool say_retries_help(const struct rv_facts *f, struct rv_advice *a)
{
	if (f->again < RV_ADVISE_AGAIN || !is_share(f->recovered, f->again, 50))
		return false;
	value_int(a, larger(f->most_attempts + 1, 3));
	return set(a, RV_ADVICE_TASK, "max_attempts",
		   "%lld of %lld jobs that failed first succeeded later, after up to %lld attempts",
		   (long long)f->recovered, (long long)f->again, (long long)f->most_attempts);
}

static bool say_retries_in_vain(const struct rv_facts *f, struct rv_advice *a)
{
	if (f->again < RV_ADVISE_AGAIN || times(f->recovered, 20) > f->again)
		return false;
	value_int(a, 1);
	return set(a, RV_ADVICE_TASK, "max_attempts",
		   "%lld of %lld jobs that were tried again succeeded", (long long)f->recovered,
		   (long long)f->again);
}

static bool say_retry_soon(const struct rv_facts *f, struct rv_advice *a)
{
	if (f->recovered < RV_ADVISE_AGAIN || !is_share(f->at_second, f->recovered, 90))
		return false;
	value(a, "fixed 1s jitter 20%");
	return set(a, RV_ADVICE_TASK, "backoff",
		   "%lld of %lld that recovered did so at the second attempt",
		   (long long)f->at_second, (long long)f->recovered);
}

static bool say_retry_patiently(const struct rv_facts *f, struct rv_advice *a)
{
	if (f->recovered < RV_ADVISE_AGAIN || is_share(f->at_second, f->recovered, 90))
		return false;
	value(a, "exponential 1s..10m jitter 20%");
	return set(a, RV_ADVICE_TASK, "backoff",
		   "%lld of %lld that recovered did so at the second attempt",
		   (long long)f->at_second, (long long)f->recovered);
}

static bool say_crashes_again(const struct rv_facts *f, struct rv_advice *a)
{
	if (f->crashed < RV_ADVISE_CRASHED || times(f->crash_recovered, 20) > f->crashed)
		return false;
	value_int(a, 0);
	return set(a, RV_ADVICE_TASK, "max_crashes",
		   "%lld of %lld jobs that crashed succeeded later", (long long)f->crash_recovered,
		   (long long)f->crashed);
}

static bool say_crashes_pass(const struct rv_facts *f, struct rv_advice *a)
{
	if (f->crashed < RV_ADVISE_CRASHED || !is_share(f->crash_recovered, f->crashed, 50))
		return false;
	value_int(a, 3);
	return set(a, RV_ADVICE_TASK, "max_crashes",
		   "%lld of %lld jobs that crashed succeeded later", (long long)f->crash_recovered,
		   (long long)f->crashed);
}

size_t rv_advise(const struct rv_facts *facts, struct rv_advice ret_list[RV_ADVICES])
{
	static bool (*const ask[])(const struct rv_facts *f, struct rv_advice *a) = {
#define ADVICE(sym, name, meaning) say_##sym,
#include "core/advise.def"
#undef ADVICE
	};
	size_t n = 0;

	PRE(facts->runs >= 0 && facts->jobs >= 0 && facts->gaps >= 0);
	for (size_t i = 0; i < RV_ADVICES; i++) {
		struct rv_advice advice = {.rule = (enum rv_advice_rule)i, .key = ""};

		if (!ask[i](facts, &advice))
			continue;
		POST(advice.key && advice.because[0] != '\0');
		ret_list[n++] = advice;
	}
	return n;
}
