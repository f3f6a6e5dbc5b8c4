/* What is recommended: every rule, on both sides of each of its thresholds. */
#include "base/fmt.h"
#include "base/seam.h"
#include "base/spec.h"
#include "core/advise.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#define MINUTE (60 * RV_S_US)

static struct rv_advice list[RV_ADVICES];

/* A task of which nothing is to be said but that it is one: 20 runs of 5 s. */
static struct rv_facts plain(void)
{
	return (struct rv_facts){.runs = 20,
				 .p50_us = 5 * RV_S_US,
				 .p95_us = 5 * RV_S_US,
				 .p99_us = 5 * RV_S_US,
				 .most_us = 5 * RV_S_US,
				 .wait95_us = 0,
				 .cpu_us = 1,
				 .busy_us = 100 * RV_S_US,
				 .rss_kib = -1,
				 .hour_runs = 20,
				 .jobs = 20,
				 .gap05_us = -1,
				 .gap50_us = -1,
				 .gap95_us = -1,
				 .silence_us = -1,
				 .cpus = 2,
				 .memory_kib = 8 << 20,
				 .workers = 2,
				 .timeout_us = 60 * MINUTE};
}

static void is_text(const char *got, const char *want)
{
	cr_assert(strcmp(got, want) == 0, "\"%s\", not \"%s\"", got, want);
}

/* What the rule says of the facts; NULL: nothing. */
static const struct rv_advice *said(const struct rv_facts *facts, enum rv_advice_rule rule)
{
	size_t n = rv_advise(facts, list);

	cr_assert(le(sz, n, (size_t)RV_ADVICES));
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			cr_assert(lt(int, (int)list[i - 1].rule, (int)list[i].rule));
		if (list[i].rule == rule)
			return &list[i];
	}
	return NULL;
}

static void expect(const struct rv_facts *facts, enum rv_advice_rule rule, const char *value)
{
	const struct rv_advice *advice = said(facts, rule);

	cr_assert(advice != NULL, "%s says nothing, not %s", rv_advice_name(rule), value);
	is_text(advice->value, value);
	cr_assert(lt(sz, 0, strlen(advice->because)));
}

static void expect_none(const struct rv_facts *facts, enum rv_advice_rule rule)
{
	const struct rv_advice *advice = said(facts, rule);

	cr_assert(advice == NULL, "%s says %s", rv_advice_name(rule), advice ? advice->value : "");
}

#define SAYS(rule, what) expect(&f, RV_ADVICE_##rule, what)
#define SILENT(rule)     expect_none(&f, RV_ADVICE_##rule)

Test(advise, the_plain_one)
{
	struct rv_facts f = plain();
	size_t n = rv_advise(&f, list);

	cr_assert(eq(sz, n, 2));
	SAYS(spawn, "spawn");
	SAYS(timeout, "15s");
	is_text(list[1].because, "p99 5s, the longest of 20 runs 5s");
}

Test(advise, the_same_facts_the_same_advice)
{
	static struct rv_advice again[RV_ADVICES];
	struct rv_facts f = plain();
	size_t n = rv_advise(&f, list);

	cr_assert(eq(sz, rv_advise(&f, again), n));
	for (size_t i = 0; i < n; i++) {
		is_text(again[i].value, list[i].value);
		is_text(again[i].because, list[i].because);
	}
}

Test(advise, too_little)
{
	struct rv_facts f = plain();

	SILENT(too_little);
	f.runs = 19;
	SAYS(too_little, "");
	cr_assert(eq(sz, rv_advise(&f, list), 1), "nothing else");
	is_text(list[0].because, "19 runs are known, 20 are needed");
	f.trial = true;
	SILENT(too_little);
	f.runs = 3;
	SILENT(too_little);
	f.runs = 2;
	SAYS(too_little, "");
	f.runs = 0;
	f.most_us = f.p50_us = f.p95_us = f.p99_us = -1;
	SAYS(too_little, "");
}

Test(advise, pipe_or_spawn)
{
	struct rv_facts f = plain();

	f.p50_us = RV_ADVISE_SHORT_US;
	f.hour_runs = RV_ADVISE_OFTEN;
	SAYS(pipe, "pipe");
	cr_assert(said(&f, RV_ADVICE_pipe)->by_hand);
	SILENT(spawn);
	f.hour_runs--;
	SILENT(pipe);
	SAYS(spawn, "spawn");
	f.hour_runs++;
	f.p50_us++;
	SILENT(pipe);
	SAYS(spawn, "spawn");
	f.p50_us--;
	f.pipe = true;
	SILENT(pipe);
	SILENT(spawn);
	f.pipe = false;
	f.trial = true;
	f.hour_runs = -1;
	SAYS(pipe, "pipe");
	SILENT(spawn);
	f.p50_us++;
	SILENT(pipe);
	SAYS(spawn, "spawn");
}

Test(advise, periodic)
{
	struct rv_facts f = plain();

	f.gaps = RV_ADVISE_GAPS;
	f.gap50_us = 100 * RV_S_US;
	f.gap05_us = 95 * RV_S_US;
	f.gap95_us = 105 * RV_S_US;
	SAYS(periodic, "every 1m40s");
	f.gaps--;
	SILENT(periodic);
	f.gaps++;
	f.gap05_us--;
	SILENT(periodic);
	f.gap05_us++;
	f.gap95_us += RV_S_US;
	SILENT(periodic);
	f.gap95_us -= RV_S_US;
	f.scheduled = true;
	SILENT(periodic);
	f.scheduled = false;
	f.gap05_us = f.gap50_us = f.gap95_us = RV_ADVISE_PERIOD_US;
	SAYS(periodic, "every 30s");
	f.gap05_us = f.gap50_us = f.gap95_us = RV_ADVISE_PERIOD_US - 1;
	SILENT(periodic);
	f.gap05_us = f.gap50_us = f.gap95_us = 60 * MINUTE + 29 * RV_S_US;
	SAYS(periodic, "every 1h");
}

Test(advise, batch)
{
	struct rv_facts f = plain();

	f.gaps = RV_ADVISE_BURST_JOBS - 1;
	f.bursts = 90;
	f.gap05_us = f.gap50_us = f.gap95_us = 1;
	SAYS(batch, "batch");
	f.bursts = 89;
	SILENT(batch);
	f.gaps = f.bursts = RV_ADVISE_BURST_JOBS - 2;
	SILENT(batch);
}

Test(advise, timeout)
{
	struct rv_facts f = plain();

	f.p99_us = 10 * RV_S_US;
	f.most_us = 20 * RV_S_US;
	SAYS(timeout, "30s"); /* both rules agree */
	f.most_us++;
	SAYS(timeout, "1m"); /* the longest decides */
	f.most_us--;
	f.p99_us++;
	SAYS(timeout, "1m"); /* p99 does */
	f.p99_us = f.most_us = 1000;
	SAYS(timeout, "10s"); /* the least */
	f.trial = true;
	f.most_us = RV_S_US;
	SAYS(timeout, "10s");
	f.most_us++;
	SAYS(timeout, "15s");
	f.most_us = INT64_MAX;
	SAYS(timeout, "500w");
}

Test(advise, timed_out)
{
	struct rv_facts f = plain();

	f.timeouts = 2;
	SAYS(timed_out, "2h");
	SILENT(timeout);
	f.timeouts = 1;
	SILENT(timed_out);
	SAYS(timeout, "15s");
	f.timeouts = 2;
	f.jobs = 19;
	SILENT(timed_out);
	f.jobs = 20;
	f.timeout_us = 0;
	SILENT(timed_out);
}

Test(advise, soft_timeout)
{
	struct rv_facts f = plain();

	f.p50_us = f.p95_us = f.p99_us = f.most_us = RV_ADVISE_LONG_US;
	SAYS(soft_timeout, "27m"); /* of 30m */
	cr_assert(said(&f, RV_ADVICE_soft_timeout)->by_hand);
	f.p50_us--;
	SILENT(soft_timeout);
}

Test(advise, idle_timeout)
{
	struct rv_facts f = plain();

	f.p99_us = f.most_us = 20 * RV_S_US; /* timeout 1m */
	f.printing = 20;
	f.silence_us = 4 * RV_S_US;
	SAYS(idle_timeout, "20s");
	f.printing = 19;
	SILENT(idle_timeout);
	f.trial = true;
	f.most_us = 6 * RV_S_US; /* timeout 1m */
	f.printing = 3;
	SAYS(idle_timeout, "20s");
	f.printing = 2;
	SILENT(idle_timeout);
	f.trial = false;
	f.most_us = 20 * RV_S_US;
	f.printing = 20;
	f.silence_us++;
	SILENT(idle_timeout); /* 30s are half of the timeout */
	f.silence_us = 1000;
	SAYS(idle_timeout, "10s"); /* the least */
	f.silence_us = -1;
	SILENT(idle_timeout);
}

Test(advise, memory)
{
	struct rv_facts f = plain();

	f.workers = 1;
	f.rss_kib = 512 << 10;
	SAYS(memory, "4G");
	f.rss_kib++;
	SILENT(memory); /* 8G, and there are no more */
	f.memory_kib++;
	SAYS(memory, "8G");
	f.rss_kib = 0;
	SILENT(memory);
	f.rss_kib = 1;
	f.memory_kib = RV_ADVISE_LEAST_KIB;
	SILENT(memory);
	f.memory_kib++;
	SAYS(memory, "4G");
}

Test(advise, fit_memory)
{
	struct rv_facts f = plain();

	f.workers = 4;
	f.rss_kib = 1 << 20; /* four of them are half of 8G */
	SILENT(fit_memory);
	f.rss_kib++;
	SAYS(fit_memory, "3");
	f.rss_kib = 16 << 20;
	SAYS(fit_memory, "1"); /* one must run */
	f.rss_kib = 2 << 20;
	f.workers = 0;
	SILENT(fit_memory);
}

Test(advise, fit_cpu)
{
	struct rv_facts f = plain();

	f.workers = 3;
	f.cpu_us = f.busy_us / 10 * 7;
	SAYS(fit_cpu, "2");
	f.cpu_us--;
	SILENT(fit_cpu);
	f.cpu_us++;
	f.workers = 2;
	SILENT(fit_cpu);
	/* The lower one of two limits is said, and only that. */
	f.workers = 8;
	f.rss_kib = 1 << 20;
	SAYS(fit_cpu, "2");
	SILENT(fit_memory);
	f.rss_kib = 4 << 20;
	SAYS(fit_memory, "1");
	SILENT(fit_cpu);
}

Test(advise, workers)
{
	struct rv_facts f = plain();

	f.wait95_us = f.p95_us + 1;
	SAYS(workers, "4");
	f.wait95_us--;
	SILENT(workers);
	f.p95_us = 1000;
	f.wait95_us = RV_S_US;
	SILENT(workers);
	f.wait95_us++;
	SAYS(workers, "4");
	f.cpu_us = f.busy_us;
	SILENT(workers); /* they wait for the CPUs */
	f.cpus = 3;
	SAYS(workers, "3");
	f.cpu_us = -1; /* nobody knows what they wait for */
	SAYS(workers, "3");
	f.cpus = 2;
	SILENT(workers);
	SILENT(fit_cpu);
	/* Four on two CPUs have half of one each: twice as many would have a quarter. */
	f.workers = 4;
	f.cpu_us = f.busy_us / 100 * 35;
	SILENT(workers);
	f.cpu_us--;
	SAYS(workers, "5");
	f.cpu_us = f.busy_us / 10;
	SAYS(workers, "8");
	f.cpu_us = 1;
	f.workers = 150;
	SAYS(workers, "200");
	f.workers = 200;
	SILENT(workers);
}

static struct rv_advise_limit limit(const char *key, const char *name, int64_t count)
{
	return (struct rv_advise_limit){
		.key = key, .of = name, .count = count, .each = 1, .keys = 1};
}

/* Jobs that wait for a limit do not wait for workers. */
Test(advise, limited)
{
	struct rv_facts f = plain();
	struct rv_advise_limit *one = &f.limits[0];

	f.workers = 4;
	*one = limit("concurrency", "", 4);
	f.nlimits = 1;
	SILENT(limited); /* they do not wait */
	f.wait95_us = f.p95_us + 1;
	SAYS(limited, "8");
	is_text(said(&f, RV_ADVICE_limited)->because,
		"4 at once: waited p95 5s, ran p95 5s, with 4 workers");
	cr_assert(said(&f, RV_ADVICE_limited)->by_hand, "it is there for something");
	cr_assert(eq(int, (int)said(&f, RV_ADVICE_limited)->place, RV_ADVICE_TASK));
	SILENT(workers);
	one->count = 5;
	SILENT(limited);
	SAYS(workers, "5"); /* and the limit comes next */
	one->count = 9;
	SAYS(workers, "8");
	/* Runs of 5 s: 4 in 5 s are four at once. */
	*one = limit("rate", "", 4);
	one->per_us = 5 * RV_S_US;
	SAYS(limited, "8/5s");
	SILENT(workers);
	one->per_us--;
	SILENT(limited);
	SAYS(workers, "5");
	/* 9 units, of which a job takes 2: four at once. */
	*one = limit("[resource] count", "gpu", 9);
	one->each = 2;
	SAYS(limited, "18");
	cr_assert(eq(int, (int)said(&f, RV_ADVICE_limited)->place, RV_ADVICE_NOTE));
	is_text(said(&f, RV_ADVICE_limited)->key, "[resource] count");
	is_text(said(&f, RV_ADVICE_limited)->because,
		"9 at once of gpu, 2 for each job: waited p95 5s, ran p95 5s, with 4 workers");
	one->count = 10;
	SILENT(limited);
	one->each = 11; /* it gets all ten */
	SAYS(limited, "20");
	/* For each key. */
	*one = limit("key_concurrency", "", 2);
	one->keys = 2;
	SAYS(limited, "4");
	one->keys = 3;
	SILENT(limited);
	/* Of several the tightest. */
	f.limits[1] = limit("[queue] concurrency", "bulk", 3);
	f.nlimits = 2;
	SAYS(limited, "6");
	is_text(said(&f, RV_ADVICE_limited)->key, "[queue] concurrency");
	one->keys = 1;
	SAYS(limited, "4");
}

/* Who may not run at once anyway needs no other bound. */
Test(advise, a_limit_is_counted_with)
{
	struct rv_facts f = plain();

	f.workers = 8;
	f.cpu_us = f.busy_us;
	SAYS(fit_cpu, "2");
	f.limits[0] = limit("concurrency", "", 3);
	f.nlimits = 1;
	SAYS(fit_cpu, "2");
	f.limits[0].count = 2;
	SILENT(fit_cpu);
	f.cpu_us = 1;
	f.rss_kib = (4 << 20) / 2 + 1; /* more than half of 8 GiB for two */
	SAYS(fit_memory, "1");
	f.limits[0].count = 1;
	SILENT(fit_memory);
}

Test(advise, retries)
{
	struct rv_facts f = plain();

	f.again = RV_ADVISE_AGAIN;
	f.recovered = 5;
	f.most_attempts = 4;
	SAYS(retries_help, "5");
	SILENT(retries_in_vain);
	f.most_attempts = 2;
	SAYS(retries_help, "3");
	f.recovered = 4;
	SILENT(retries_help);
	SILENT(retries_in_vain);
	f.again = 20;
	f.recovered = 1;
	SAYS(retries_in_vain, "1");
	f.again = 19;
	SILENT(retries_in_vain);
	f.again = 9;
	f.recovered = 0;
	SILENT(retries_in_vain);
	f.again = 10;
	SAYS(retries_in_vain, "1");
	f.again = f.recovered = 9;
	SILENT(retries_help);
}

Test(advise, backoff)
{
	struct rv_facts f = plain();

	f.again = f.recovered = 10;
	f.at_second = 9;
	SAYS(retry_soon, "fixed 1s jitter 20%");
	SILENT(retry_patiently);
	f.at_second = 8;
	SILENT(retry_soon);
	SAYS(retry_patiently, "exponential 1s..10m jitter 20%");
	f.recovered = 9;
	SILENT(retry_patiently);
	f.at_second = 9;
	SILENT(retry_soon);
}

Test(advise, crashes)
{
	struct rv_facts f = plain();

	f.crashed = 5;
	SAYS(crashes_again, "0");
	f.crashed = 4;
	SILENT(crashes_again);
	f.crashed = 20;
	f.crash_recovered = 1;
	SAYS(crashes_again, "0");
	f.crashed = 19;
	SILENT(crashes_again);
	SILENT(crashes_pass);
	f.crashed = 6;
	f.crash_recovered = 3;
	SAYS(crashes_pass, "3");
	f.crash_recovered = 2;
	SILENT(crashes_pass);
	f.crashed = f.crash_recovered = 4;
	SILENT(crashes_pass);
}

Test(advise, a_ladder_of_times)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {{0, "1s"},
		    {RV_S_US, "1s"},
		    {RV_S_US + 1, "2s"},
		    {30 * RV_S_US, "30s"},
		    {30 * RV_S_US + 1, "1m"},
		    {30 * MINUTE + 1, "1h"},
		    {12 * 60 * MINUTE + 1, "1d"},
		    {7 * 24 * 60 * MINUTE, "1w"},
		    {7 * 24 * 60 * MINUTE + 1, "2w"},
		    {INT64_MAX, "500w"}};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		char text[RV_FMT_SPACE];

		is_text(rv_fmt_duration(text, rv_advise_round(rows[i].us)), rows[i].text);
	}
}

/* Whatever the numbers are, nothing overflows and every text ends. */
Test(advise, any_numbers)
{
	uint64_t state = 7;
	struct rv_facts f;
	const size_t first = offsetof(struct rv_facts, runs);
	const size_t end = offsetof(struct rv_facts, pipe);
	char name[RV_NAME_MAX];

	memset(name, 'q', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (int round = 0; round < 20000; round++) {
		memset(&f, 0, sizeof f);
		for (size_t at = first; at < end; at += sizeof(int64_t)) {
			int64_t number;

			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			number = (int64_t)(state >> 2) >> (state >> 58);
			memcpy((char *)&f + at, &number, sizeof number);
		}
		f.trial = state & 64;
		f.nlimits = state & 1;
		f.limits[0] = (struct rv_advise_limit){.key = "[queue] key_concurrency",
						       .of = name,
						       .count = (int64_t)(state >> 8 & 0xfffff) + 1,
						       .per_us = (int64_t)(state >> 40 & 1) *
								 (int64_t)(state >> 16),
						       .each = (int64_t)(state >> 30 & 7) + 1,
						       .keys = (int64_t)(state >> 44 & 0x3ff) + 1};
		size_t n = rv_advise(&f, list);

		for (size_t i = 0; i < n; i++) {
			cr_assert(lt(sz, strlen(list[i].because), sizeof list[i].because - 1));
			cr_assert(lt(sz, strlen(list[i].value), sizeof list[i].value - 1));
		}
	}
}
