/* Handing jobs over: the words both ways, what a hostile line is told, how long a round waits. */
#include "client/offer.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/seam.h"
#include "client/newjob.h"
#include "client/submit.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "keep/offers.h"
#include "store/rules.h"
#include "wire/json.h"

#include <stdlib.h>
#include <unistd.h>

static struct rv_buf line;
static struct rv_arena arena;
static struct rv_why why;

static void setup(void)
{
	rv_buf_init(&line);
	rv_arena_init(&arena);
	why.text[0] = '\0';
}

static void teardown(void)
{
	rv_buf_fini(&line);
	rv_arena_reset(&arena);
}

TestSuite(offer, .init = setup, .fini = teardown);

static int read_text(const char *text, size_t size, struct rv_offer_jobs *offer)
{
	*offer = (struct rv_offer_jobs){.arena = &arena, .uid = 4711};
	return rv_offer_read(text, size, offer, &why);
}

/* ${job} as the keeper reads it. */
static const struct rv_job_new *there(const struct rv_job_new *job)
{
	static struct rv_offer_jobs offer;
	int err;

	rv_buf_reset(&line);
	cr_assert(eq(int, rv_offer_write(job, 1, &line), RV_OK));
	cr_assert(eq(int, line.data[line.size - 1], '\n'));
	cr_assert(zero(ptr, memchr(line.data, '\n', line.size - 1)));
	err = read_text(line.data, line.size - 1, &offer);
	cr_assert(eq(int, err, RV_OK), "%s: %s", line.data, why.text);
	cr_assert(eq(sz, offer.count, 1));
	return offer.jobs;
}

/* What the idempotency hash leaves out as well. */
static void same(const struct rv_job_new *a)
{
	const struct rv_job_new *b = there(a);

	cr_assert(eq(u64, rv_rules_hash(a), rv_rules_hash(b)), "%s", line.data);
	cr_assert(eq(i64, a->run_at_us, b->run_at_us));
	cr_assert(eq(i64, a->deadline_us, b->deadline_us));
	cr_assert(eq(i64, a->batch, b->batch));
	cr_assert(eq(int, (int)a->on, (int)b->on));
	cr_assert(eq(int, !a->idem_key, !b->idem_key));
	if (a->idem_key)
		rv_assert_text(b->idem_key, a->idem_key);
	cr_assert(eq(uint, b->uid, 4711), "who asks is the kernel's to say");
}

Test(offer, a_job_comes_over_as_it_is)
{
	static const int64_t parents[] = {3, 1, 2};
	struct rv_job_new job = {.task = "t", .spec = "{\"args\":{}}", .priority = -1, .uid = 1};

	same(&job);
	job = (struct rv_job_new){.task = "thumb",
				  .spec = "{\"args\":{\"b\":\"2\",\"a\":\"x \\\" \\n \u00e4\"}}",
				  .queue = "bulk",
				  .payload = "two\nlines",
				  .payload_size = 9,
				  .priority = 0,
				  .run_at_us = 1763000000123456,
				  .ttl_us = 90061000001,
				  .deadline_us = 1763000000000001,
				  .weight = 7,
				  .takes = "gpu:1,db:2",
				  .max_attempts = 3,
				  .timeout_us = 1,
				  .unique_key = "u",
				  .until_us = 600 * RV_S_US,
				  .on_held = RV_ON_HELD_RESCHEDULE,
				  .idem_key = "i",
				  .key = "tenant",
				  .labels = "[\"x\",\"y\"]",
				  .meta = "{\"n\":1.5,\"deep\":{\"a\":[1,null,true]}}",
				  .after = parents,
				  .nafter = 3,
				  .on = RV_AFTER_ANY,
				  .batch = 12};
	same(&job);
	job.until_us = RV_UNTIL_STARTED;
	for (int held = RV_ON_HELD_REJECT; held <= RV_ON_HELD_RESCHEDULE; held++) {
		job.on_held = (enum rv_on_held)held;
		same(&job);
	}
	for (int on = RV_AFTER_SUCCESS; on <= RV_AFTER_ANY; on++) {
		job.on = (enum rv_after)on;
		same(&job);
	}
}

Test(offer, any_bytes_are_a_payload)
{
	static char bytes[4096];
	struct rv_job_new job = {.task = "t", .spec = "{\"args\":{}}", .priority = 5};

	job.payload = bytes;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7 + i / 256);
	for (size_t size = 0; size <= sizeof bytes; size = size * 2 + 1) {
		job.payload_size = size;
		same(&job);
	}
	job.payload = "a\0b";
	job.payload_size = 3;
	same(&job);
}

/* What is no JSON, or too much for a line, is not changed: it goes the direct way. */
Test(offer, what_cannot_be_said_is_not_said)
{
	static const int64_t parent = 1;
	struct rv_job_new jobs[RV_OFFER_JOBS + 1];
	struct rv_job_new job = {.task = "t", .spec = "{\"args\":{}}", .priority = -1};
	char *big = calloc(1, RV_OFFER_LINE);

	for (size_t i = 0; i < RV_ARRAY_LEN(jobs); i++)
		jobs[i] = job;
	cr_assert(eq(int, rv_offer_write(jobs, RV_OFFER_JOBS, &line), RV_OK));
	rv_buf_reset(&line);
	cr_assert(eq(int, rv_offer_write(jobs, RV_OFFER_JOBS + 1, &line), RV_E_TOOBIG));
	job.key = "\xff";
	cr_assert(eq(int, rv_offer_write(&job, 1, &line), RV_E_PARSE));
	job.key = NULL;
	job.labels = "[no";
	cr_assert(eq(int, rv_offer_write(&job, 1, &line), RV_E_PARSE));
	job.labels = NULL;
	job.run_at_us = INT64_MAX;
	cr_assert(eq(int, rv_offer_write(&job, 1, &line), RV_E_PARSE));
	job.run_at_us = 0;
	job.payload = big;
	job.payload_size = RV_OFFER_LINE - 100;
	cr_assert(eq(int, rv_offer_write(&job, 1, &line), RV_E_TOOBIG));
	job.payload_size = RV_OFFER_LINE;
	cr_assert(eq(int, rv_offer_write(&job, 1, &line), RV_E_TOOBIG));
	cr_assert(eq(sz, line.size, 0), "nothing of it is left");
	job.payload_size = 1000;
	job.after = &parent;
	job.nafter = 1;
	same(&job);
	free(big);
}

static const struct {
	const char *text;
	int err;
	size_t failed;
	const char *says;
} bad[] = {
	{"", RV_E_PARSE, RV_OFFER_JOBS, ""},
	{"null", RV_E_PARSE, RV_OFFER_JOBS, ""},
	{"[]", RV_E_PARSE, RV_OFFER_JOBS, "version"},
	{"{\"v\":2,\"jobs\":[{\"task\":\"t\"}]}", RV_E_PARSE, RV_OFFER_JOBS, "version"},
	{"{\"v\":1}", RV_E_USAGE, RV_OFFER_JOBS, "without jobs"},
	{"{\"v\":1,\"jobs\":[]}", RV_E_USAGE, RV_OFFER_JOBS, "without jobs"},
	{"{\"v\":1,\"jobs\":{}}", RV_E_PARSE, RV_OFFER_JOBS, "jobs"},
	{"{\"v\":1,\"jobs\":[{\"task\":\"t\"}],\"uid\":0}", RV_E_PARSE, RV_OFFER_JOBS, "uid"},
	{"{\"v\":1,\"jobs\":[{\"task\":\"t\"}]}}", RV_E_PARSE, RV_OFFER_JOBS, ""},
	{"{\"v\":1,\"jobs\":[{\"task\":\"t\"},7]}", RV_E_USAGE, 1, "not a JSON object"},
	{"{\"v\":1,\"jobs\":[{\"task\":\"t\",\"uid\":0}]}", RV_E_PARSE, 0, "uid"},
	{"{\"v\":1,\"jobs\":[{}]}", RV_E_USAGE, 0, "task or command"},
	{"{\"v\":1,\"jobs\":[{\"command\":[\"id\"]}]}", RV_E_REFUSED, 0, "not allowed"},
	{"{\"v\":1,\"jobs\":[{\"task\":\"t\",\"priority\":70000}]}", RV_E_USAGE, 0, "priority"},
	{"{\"v\":1,\"jobs\":[{\"task\":\"a\\u0000b\"}]}", RV_E_PARSE, 0, "task"},
};

Test(offer, f30_a_bad_line_is_told_what_is_wrong)
{
	struct rv_offer_jobs offer;
	char *text = malloc(RV_OFFER_LINE + 2);
	size_t used;

	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		int err = read_text(bad[i].text, strlen(bad[i].text), &offer);

		cr_assert(eq(int, err, bad[i].err), "%s: %s", bad[i].text, why.text);
		cr_assert(eq(sz, offer.failed, bad[i].failed), "%s", bad[i].text);
		rv_assert_has(why.text, bad[i].says);
	}
	used = (size_t)snprintf(text, RV_OFFER_LINE, "{\"v\":1,\"jobs\":[");
	for (int i = 0; i <= RV_OFFER_JOBS; i++)
		used += (size_t)snprintf(text + used, RV_OFFER_LINE - used, "%s{\"task\":\"t\"}",
					 i ? "," : "");
	used += (size_t)snprintf(text + used, RV_OFFER_LINE - used, "]}");
	cr_assert(eq(int, read_text(text, used, &offer), RV_E_TOOBIG));
	memset(text, '[', RV_OFFER_LINE + 1);
	cr_assert(eq(int, read_text(text, RV_OFFER_LINE, &offer), RV_E_PARSE));
	cr_assert(eq(int, read_text(text, RV_OFFER_LINE + 1, &offer), RV_E_TOOBIG));
	free(text);
}

/* Nearly right lines: no crash, and what passes obeys the bounds. */
Test(offer, f30_random_lines)
{
	static const char good[] =
		"{\"v\":1,\"jobs\":[{\"task\":\"t\",\"args\":{\"a\":\"b\"},\"after\":[1,2],"
		"\"unique\":\"u\",\"until\":\"10m\",\"payload_base64\":\"AAECAw==\"}]}";
	char text[sizeof good];
	int passed = 0;

	srand(4711);
	for (int i = 0; i < 20000; i++) {
		struct rv_offer_jobs offer;

		memcpy(text, good, sizeof good);
		for (int k = rand() % 3; k >= 0; k--)
			text[(size_t)rand() % (sizeof good - 1)] = (char)rand();
		if (read_text(text, sizeof good - 1, &offer) == RV_OK) {
			passed++;
			cr_assert(eq(sz, offer.count, 1));
			cr_assert(offer.jobs[0].task && offer.jobs[0].spec);
		}
		rv_arena_reset(&arena);
	}
	cr_assert(lt(int, 100, passed));
}

static int outcome(const char *text, size_t count, struct rv_submit_jobs *jobs)
{
	static int64_t ids[4];

	*jobs = (struct rv_submit_jobs){.ret_ids = ids, .count = count};
	why.text[0] = '\0';
	return rv_offer_outcome(text, strlen(text), jobs, &why);
}

Test(offer, an_answer_is_what_was_answered)
{
	int64_t ids[] = {41, 42, 43};
	struct rv_req_enqueue done = {
		.count = 3, .ret_ids = ids, .repeated = 1, .skipped = 2, .replaced = 3};
	struct rv_submit_jobs jobs;

	done.rescheduled = 1;
	cr_assert(eq(int, rv_offer_answer(&done, &line), RV_OK));
	cr_assert(eq(int, outcome(rv_buf_text(&line), 3, &jobs), RV_OK));
	cr_assert(eq(i64, jobs.ret_ids[2], 43));
	cr_assert(eq(sz, jobs.repeated, 1));
	cr_assert(eq(sz, jobs.skipped, 2));
	cr_assert(eq(sz, jobs.rescheduled, 1));
	cr_assert(eq(sz, jobs.replaced, 3));
	cr_assert(eq(int, outcome(rv_buf_text(&line), 2, &jobs), RV_E_CLOSED),
		  "the ids of others are no answer");
}

Test(offer, a_refusal_is_its_error)
{
	struct rv_req_enqueue done = {.may_wait = true, .full = "bulk"};
	struct rv_submit_jobs jobs;

	(void)rv_fail(&why, RV_E_FULL, "queue bulk is full");
	cr_assert(eq(int, rv_offer_refuse(RV_E_FULL, &why, &done, 1, &line), RV_OK));
	cr_assert(eq(int, outcome(rv_buf_text(&line), 3, &jobs), RV_E_FULL));
	rv_assert_text(why.text, "queue bulk is full");
	rv_assert_text(jobs.full, "bulk");
	cr_assert(jobs.may_wait);
	cr_assert(eq(sz, jobs.failed, 1));
	for (int err = -1; - err < RV_ERRS; err--) {
		rv_buf_reset(&line);
		cr_assert(eq(int, rv_offer_refuse(err, NULL, NULL, 0, &line), RV_OK));
		cr_assert(eq(int, outcome(rv_buf_text(&line), 1, &jobs), err));
	}
}

static const struct {
	const char *text;
	int err;
} told[] = {
	/* of the line, and of the supervisor: nothing was done */
	{"{\"v\":1,\"ok\":false,\"error\":\"x\",\"name\":\"PARSE\",\"exit\":2}", RV_E_NOTRUN},
	{"{\"v\":1,\"ok\":false,\"error\":\"x\",\"name\":\"TOOBIG\",\"exit\":2}", RV_E_NOTRUN},
	{"{\"v\":1,\"ok\":false,\"error\":\"reeved is ending\",\"exit\":7}", RV_E_NOTRUN},
	/* nothing that tells an outcome */
	{"", RV_E_CLOSED},
	{"{}", RV_E_CLOSED},
	{"{\"ok\":true}", RV_E_CLOSED},
	{"{\"ok\":true,\"ids\":[]}", RV_E_CLOSED},
	{"{\"ok\":true,\"ids\":[0]}", RV_E_CLOSED},
	{"{\"ok\":true,\"ids\":[\"1\"]}", RV_E_CLOSED},
	{"{\"ok\":true,\"ids\":[1],\"repeated\":-1}", RV_E_CLOSED},
	{"{\"ok\":true,\"ids\":[1],\"skipped\":65}", RV_E_CLOSED},
	{"{\"ok\":true,\"ids\":[1]", RV_E_CLOSED},
};

Test(offer, what_tells_no_outcome_is_none)
{
	struct rv_submit_jobs jobs;

	for (size_t i = 0; i < RV_ARRAY_LEN(told); i++)
		cr_assert(eq(int, outcome(told[i].text, 1, &jobs), told[i].err), "%s",
			  told[i].text);
}

Test(offer, a_greeting_is_of_this_release_and_this_store)
{
	char here[RV_OFFER_STORE];
	char other[RV_OFFER_STORE];
	const char *dir = rv_test_tmpdir();

	rv_test_write_file(rv_test_path("%s/a", dir), "a");
	rv_test_write_file(rv_test_path("%s/b", dir), "b");
	cr_assert(eq(int, rv_offer_store(rv_test_path("%s/a", dir), here), RV_OK));
	cr_assert(eq(int, rv_offer_store(rv_test_path("%s/b", dir), other), RV_OK));
	cr_assert(eq(int, rv_offer_store(rv_test_path("%s/c", dir), other), RV_E_NOTFOUND));
	cr_assert(eq(int, rv_offer_hello(here, &line), RV_OK));
	cr_assert(eq(int, rv_offer_greeted(line.data, line.size, here), RV_OK));
	cr_assert(eq(int, rv_offer_greeted(line.data, line.size, other), RV_E_NOTRUN));
	cr_assert(eq(int, rv_offer_greeted("{\"ok\":false}", 12, here), RV_E_NOTRUN));
	rv_buf_reset(&line);
	cr_assert(
		eq(int,
		   rv_buf_printf(&line, "{\"ok\":true,\"version\":\"99\",\"store\":\"%s\"}", here),
		   RV_OK));
	cr_assert(eq(int, rv_offer_greeted(line.data, line.size, here), RV_E_NOTRUN));
	rv_test_tmpdir_end();
}

/* One client never waits; of many, those that were just answered are waited for, a little. */
Test(offer, a_round_waits_for_those_who_were_just_answered)
{
	int64_t slow = 6 * RV_MS_US;

	cr_assert(eq(i64, rv_offers_patience(1, 1, slow), 0));
	cr_assert(eq(i64, rv_offers_patience(32, 32, slow), 0));
	cr_assert(eq(i64, rv_offers_patience(2, 32, slow), slow / 4));
	cr_assert(eq(i64, rv_offers_patience(2, 32, 1000 * slow), 2 * RV_MS_US));
	cr_assert(eq(i64, rv_offers_patience(2, 32, 100), 0), "a commit that costs nothing");
	cr_assert(eq(i64, rv_offers_patience(RV_OFFERS_LINES, 256, slow), 0), "a round is full");
}
