/* The lines of the pipe protocol, and the tail that is kept of stderr. */
#include "run/pipe_line.h"
#include "run/tail.h"

#include "base/buf.h"
#include "helpers/assert.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rv_claimed claim = {
	.job = 17, .fence = 1099511627779, .run = 2, .attempt = 1, .max_attempts = 5};

static const char *line_of(const struct rv_pipe_job *job)
{
	static struct rv_buf line;

	rv_buf_fini(&line);
	cr_assert(eq(int, rv_pipe_job_line(job, &line, NULL), RV_OK));
	return rv_buf_text(&line);
}

Test(pipe_line, a_job_with_nothing)
{
	const struct rv_pipe_job job = {.claim = &claim, .task = "t", .queue = "q", .spec = ""};

	rv_assert_text(line_of(&job),
		       "{\"job\":17,\"run\":2,\"attempt\":1,\"max_attempts\":5,\"fence\":"
		       "\"1099511627779\",\"task\":\"t\",\"queue\":\"q\",\"args\":{}}\n");
}

Test(pipe_line, a_job_with_all)
{
	const struct rv_pipe_job job = {.claim = &claim,
					.task = "t",
					.queue = "q",
					.idem_key = "i-1",
					.spec = "{\"args\": {\"a\": 1,\n \"b\": \"x\\ny\"}}",
					.key = "k\"",
					.labels = "[\"eu\"]",
					.meta = "{\"size\": 9}",
					.batch = 3,
					.deadline_us = 1800000000000000,
					.payload = "one\ntwo\t\"",
					.payload_size = 9};

	rv_assert_has(line_of(&job),
		      "\"idempotency_key\":\"i-1\",\"args\":{\"a\":1,\"b\":\"x\\ny\"},"
		      "\"labels\":[\"eu\"],\"meta\":{\"size\":9},\"key\":\"k\\\"\",\"batch\":3,"
		      "\"deadline\":\"2027-01-15T08:00:00.000000Z\","
		      "\"payload\":\"one\\ntwo\\u0009\\\"\"}\n");
	cr_assert(eq(sz, strcspn(line_of(&job), "\n"), strlen(line_of(&job)) - 1), "one line");
}

Test(pipe_line, payloads_that_are_no_text)
{
	static const struct {
		const char *data;
		size_t size;
		const char *want;
	} rows[] = {
		{"\0", 1, "\"payload_base64\":\"AA==\""},
		{"\xff\xfe", 2, "\"payload_base64\":\"//4=\""},
		{"a\x1b[0m", 5, "\"payload_base64\":\"YRtbMG0=\""},
		{"\x7f", 1, "\"payload_base64\":\"fw==\""},
		{"caf\xc3\xa9\r\n", 7, "\"payload\":\"caf\xc3\xa9\\u000d\\n\""},
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		const struct rv_pipe_job job = {.claim = &claim,
						.task = "t",
						.queue = "q",
						.spec = "",
						.payload = rows[i].data,
						.payload_size = rows[i].size};

		rv_assert_has(line_of(&job), rows[i].want);
	}
}

/* What cannot be sent leaves what was there before as it was. */
Test(pipe_line, a_broken_spec)
{
	const struct rv_pipe_job job = {.claim = &claim, .task = "t", .queue = "q", .spec = "{"};
	struct rv_buf line;

	rv_buf_init(&line);
	cr_assert(eq(int, rv_buf_str(&line, "before"), RV_OK));
	cr_assert(eq(int, rv_pipe_job_line(&job, &line, NULL), RV_E_PARSE));
	cr_assert(eq(sz, line.size, 6));
	rv_buf_fini(&line);
}

/* "kind job run outcome error percent message retry_us result log" */
static const char *reads(const char *line)
{
	static char text[512];
	struct rv_pipe_said said;
	struct rv_why why = {.text = ""};

	if (rv_pipe_said_parse(line, strlen(line), &said, &why) != RV_OK)
		return "error";
	(void)snprintf(text, sizeof(text), "%d %lld %lld %d [%s] %d [%s] %lld [%.*s] [%s]%s",
		       said.kind, (long long)said.job, (long long)said.run, said.outcome,
		       said.error, said.said.percent, said.said.message ? said.said.message : "-",
		       (long long)said.said.retry_us, (int)said.said.result_size,
		       said.said.result ? said.said.result : "", said.log ? said.log : "-",
		       said.log_stderr ? "!" : "");
	if (said.kind == RV_PIPE_HELLO)
		(void)snprintf(text, sizeof(text), "hello %u %d%s%s", said.ahead, said.cancels,
			       said.softs ? " soft" : "", said.checks ? " health" : "");
	if (said.kind == RV_PIPE_HEALTH)
		(void)snprintf(text, sizeof(text), "health %lld %d [%s]", (long long)said.job,
			       said.outcome, said.error);
	if (said.kind == RV_PIPE_REFUSAL)
		(void)snprintf(text, sizeof(text), "refusal [%s]", said.error);
	rv_pipe_said_fini(&said);
	return text;
}

Test(pipe_line, what_a_handler_says)
{
	static const char *const rows[][2] = {
		{"{\"reeve\":1}", "hello 1 0"},
		{"{\"reeve\":1,\"soft_timeout\":true}", "hello 1 0 soft"},
		{"{\"reeve\":1,\"soft_timeout\":\"yes\"}", "error"},
		{"{\"reeve\":1,\"ahead\":64,\"cancel\":true,\"name\":\"x\"}", "hello 64 1"},
		{"{\"reeve\":2}", "error"},
		{"{\"reeve\":1,\"refuse\":\"no licence\"}", "refusal [no licence]"},
		{"{\"reeve\":1,\"refuse\":\"\"}", "refusal []"},
		{"{\"reeve\":2,\"refuse\":\"\"}", "error"},
		{"{\"reeve\":1,\"refuse\":1}", "error"},
		{"{\"reeve\":\"1\"}", "error"},
		{"{\"reeve\":1,\"ahead\":0}", "error"},
		{"{\"reeve\":1,\"ahead\":65}", "error"},
		{"{\"reeve\":1,\"cancel\":1}", "error"},
		{"{\"job\":1,\"run\":2,\"ok\":true}", "1 1 2 0 [] -1 [-] -1 [] [-]"},
		{"{\"job\":1,\"run\":2,\"ok\":true,\"result\":\"te xt\"}",
		 "1 1 2 0 [] -1 [-] -1 [te xt] [-]"},
		{"{\"job\":1,\"run\":2,\"ok\":true,\"result\":{\"a\": [1]}}",
		 "1 1 2 0 [] -1 [-] -1 [{\"a\":[1]}] [-]"},
		{"{\"job\":1,\"run\":2,\"ok\":true,\"result\":null}",
		 "1 1 2 0 [] -1 [-] -1 [] [-]"},
		{"{\"job\":1,\"run\":2,\"ok\":false}", "1 1 2 1 [] -1 [-] -1 [] [-]"},
		{"{\"job\":1,\"run\":2,\"ok\":false,\"error\":\"e\",\"retry_after\":\"2s\"}",
		 "1 1 2 1 [e] -1 [-] 2000000 [] [-]"},
		{"{\"job\":1,\"run\":2,\"ok\":false,\"error\":\"e\",\"permanent\":true}",
		 "1 1 2 2 [e] -1 [-] -1 [] [-]"},
		{"{\"job\":1,\"run\":2,\"ok\":false,\"snooze\":\"1m\"}",
		 "1 1 2 3 [] -1 [-] 60000000 [] [-]"},
		{"{\"job\":1,\"run\":2,\"ok\":false,\"snooze\":\"520w\"}",
		 "1 1 2 3 [] -1 [-] 314496000000000 [] [-]"},
		{"{\"job\":1,\"run\":2,\"ok\":false,\"snooze\":\"521w\"}", "error"},
		{"{\"job\":1,\"run\":2,\"ok\":false,\"retry_after\":\"521w\"}", "error"},
		{"{\"job\":1,\"run\":2,\"ok\":false,\"snooze\":\"soon\"}", "error"},
		{"{\"job\":1,\"run\":2,\"ok\":false,\"retry_after\":5}", "error"},
		{"{\"job\":1,\"run\":2,\"ok\":1}", "error"},
		{"{\"job\":1,\"ok\":true}", "error"},
		{"{\"run\":1,\"ok\":true}", "error"},
		{"{\"job\":1.5,\"run\":2,\"ok\":true}", "error"},
		{"{\"job\":1,\"run\":2,\"progress\":42.9}", "2 1 2 0 [] 42 [] -1 [] [-]"},
		{"{\"job\":1,\"run\":2,\"progress\":7,\"message\":\"m\"}",
		 "2 1 2 0 [] 7 [m] -1 [] [-]"},
		{"{\"job\":1,\"run\":2,\"progress\":101}", "error"},
		{"{\"job\":1,\"run\":2,\"heartbeat\":true}", "2 1 2 0 [] -1 [-] -1 [] [-]"},
		{"{\"job\":1,\"run\":2,\"log\":\"l\",\"stream\":\"stderr\"}",
		 "2 1 2 0 [] -1 [-] -1 [] [l]!"},
		{"[1]", "error"},
		{"", "error"},
		{"{\"job\":1,\"run\":2,\"ok\":true} x", "error"},
		{"{\"job\":1,\"job\":1,\"run\":2,\"ok\":true}", "error"},
		{"this is no JSON", "error"},
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		const char *read = reads(rows[i][0]);

		cr_assert(strcmp(read, rows[i][1]) == 0, "%s: %s", rows[i][0], read);
	}
}

Test(pipe_line, health)
{
	static const char *const rows[][2] = {
		{"{\"reeve\":1,\"health\":true}", "hello 1 0 health"},
		{"{\"reeve\":1,\"health\":7}", "error"},
		{"{\"health\":7}", "health 7 0 []"},
		{"{\"health\":7,\"ok\":true,\"error\":\"x\"}", "health 7 0 [x]"},
		{"{\"health\":7,\"ok\":false,\"error\":\"ill\"}", "health 7 1 [ill]"},
		{"{\"health\":7,\"ok\":false}", "health 7 1 []"},
		{"{\"health\":\"7\"}", "error"},
		{"{\"health\":7,\"ok\":1}", "error"},
		{"{\"health\":7,\"ok\":false,\"error\":1}", "error"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rv_assert_text(reads(rows[i][0]), rows[i][1]);
}

/* Every beginning of a line, and each byte of it changed: no more than an error. */
Test(pipe_line, any_bytes)
{
	static const char good[] = "{\"job\":17,\"run\":2,\"ok\":false,\"error\":\"e\\u00e9\","
				   "\"retry_after\":\"30s\",\"x\":[{}]}";
	char line[sizeof(good)];
	int errors = 0;

	for (size_t size = 0; size < sizeof(good) - 1; size++) {
		memcpy(line, good, size);
		line[size] = '\0';
		errors += strcmp(reads(line), "error") == 0;
	}
	cr_assert(eq(int, errors, (int)sizeof(good) - 1));
	for (size_t at = 0; at < sizeof(good) - 1; at++) {
		for (int byte = 1; byte < 256; byte += 7) {
			memcpy(line, good, sizeof(good));
			line[at] = (char)byte;
			(void)reads(line);
		}
	}
}

Test(pipe_line, the_tail_keeps_the_end)
{
	static struct rv_tail tail;
	static char all[300000], out[RV_TAIL_MAX];
	size_t size = 0;
	uint32_t dice = 1;

	for (int round = 0; round < 300; round++) {
		size_t more = (dice = dice * 1103515245U + 12345U) >> 16 & 1023;
		size_t want;

		if (round == 200)
			more = RV_TAIL_MAX + 5;
		for (size_t i = 0; i < more; i++)
			all[size + i] = (char)('a' + (size + i) % 23);
		rv_tail_add(&tail, all + size, more);
		size += more;
		want = size < RV_TAIL_MAX ? size : RV_TAIL_MAX;
		cr_assert(eq(sz, rv_tail_copy(&tail, out), want));
		cr_assert(eq(int, memcmp(out, all + size - want, want), 0));
	}
}

Test(pipe_line, the_tails_last_line)
{
	static struct rv_tail tail;
	char out[16];

	rv_tail_line(&tail, out, sizeof(out));
	rv_assert_text(out, "");
	rv_tail_add(&tail, "one\ntwo\n\n \n", 11);
	rv_tail_line(&tail, out, sizeof(out));
	rv_assert_text(out, "two");
	rv_tail_add(&tail, "a line that is too long", 23);
	rv_tail_line(&tail, out, sizeof(out));
	rv_assert_text(out, "hat is too long");
}
