/* What a runner reads of a line and what it answers; the members of JSON objects. */
#include "runner/channel.h"
#include "runner/job.h"
#include "runner/member.h"

#include "base/buf.h"
#include "helpers/assert.h"
#include "os/fd.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rv_channel channel;
static struct rv_job job;
static int jobs_in = -1, answers = -1; /* our ends */

static void begin(void)
{
	int in[2], out[2];

	cr_assert(eq(int, rv_fd_pipe(in, false), RV_OK));
	cr_assert(eq(int, rv_fd_pipe(out, true), RV_OK));
	jobs_in = in[1];
	answers = out[0];
	rv_channel_init(&channel, in[0], out[1]);
	rv_job_init(&job, &channel);
}

static void end(void)
{
	rv_job_reset(&job);
	rv_channel_fini(&channel);
	rv_fd_close(&jobs_in);
	rv_fd_close(&answers);
}

static int read_job(const char *line)
{
	return rv_job_read(&job, line, strlen(line));
}

static const char *said(void)
{
	static char text[1 << 17];
	ssize_t n = read(answers, text, sizeof text - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static const char *answer(int outcome)
{
	static struct rv_buf out;

	rv_buf_reset(&out);
	job.run.outcome = outcome;
	cr_assert(eq(int, rv_job_answer(&job, &out), RV_OK));
	return rv_buf_text(&out);
}

/* ---- members */

static int count_members(const char *text, size_t size)
{
	struct rv_members members;
	struct rv_member m;
	int err, count = 0;

	rv_members_init(&members, text, size);
	while ((err = rv_members_next(&members, &m)) == RV_OK)
		count++;
	return err == RV_E_NOTFOUND ? count : -1;
}

Test(runner, objects)
{
	static const struct {
		const char *text;
		int members; /* -1: broken */
	} rows[] = {
		{"{}", 0},
		{" { } ", 0},
		{"{\"a\":1}", 1},
		{"{\"a\" : \"}\\\"]\" , \"b\":[{\"c\":[]},2],\"d\":{\"e\":\"{\"}}", 3},
		{"{\"a\":null,\"b\":-1.5e3,\"c\":true}", 3},
		{"", -1},
		{"[]", -1},
		{"{", -1},
		{"{\"a\"}", -1},
		{"{\"a\":}", -1},
		{"{\"a\":1", -1},
		{"{\"a\":1,", -1},
		{"{\"a\":1 \"b\":2}", -1},
		{"{\"a\":\"x}", -1},
		{"{\"a\":[1}", -1},
		{"{\"a\":\"\\", -1},
		{"{a:1}", -1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_assert(
			eq(int, count_members(rows[i].text, strlen(rows[i].text)), rows[i].members),
			"%s", rows[i].text);
}

/* No piece of a line leads past its end: each is copied to where a sanitizer sees it. */
Test(runner, cut_anywhere)
{
	const char *text = "{\"a\":\"\\u00e9\\\\\",\"b\":[1,{\"c\":\"d\"}],\"e\":12}";

	for (size_t size = 0; size < strlen(text); size++) {
		char *piece = malloc(size ? size : 1);

		memcpy(piece, text, size);
		cr_assert(eq(int, count_members(piece, size), -1), "%zu", size);
		free(piece);
	}
}

static const char *text_of(const char *value)
{
	static struct rv_arena arena;
	char *text = NULL;
	size_t size = 0;
	int err;

	rv_arena_reset(&arena);
	err = rv_member_text(value, strlen(value), &arena, &text, &size);
	cr_assert(err != RV_OK || strlen(text) <= size);
	return err == RV_OK ? text : "(broken)";
}

Test(runner, texts)
{
	rv_assert_text(text_of("\"plain\""), "plain");
	rv_assert_text(text_of("\"\""), "");
	rv_assert_text(text_of("12.5"), "12.5");
	rv_assert_text(text_of("\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\""), "a\n\t\"\\/\b\f\r");
	rv_assert_text(text_of("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude42\""),
		       "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82");
	rv_assert_text(text_of("\"\\ud83d\""), "(broken)");
	rv_assert_text(text_of("\"\\ude42\""), "(broken)");
	rv_assert_text(text_of("\"\\ud83d\\u0041\""), "(broken)");
	rv_assert_text(text_of("\"\\u00g0\""), "(broken)");
	rv_assert_text(text_of("\"\\u00\""), "(broken)");
	rv_assert_text(text_of("\"\\x\""), "(broken)");
}

/* ---- a job */

Test(runner, a_line)
{
	begin();
	cr_assert(eq(
		int,
		read_job("{\"job\":17,\"run\":2,\"attempt\":1,\"max_attempts\":5,\"fence\":"
			 "\"1099511627779\",\"task\":\"t\",\"queue\":\"q\\\"\",\"idempotency_key\":"
			 "\"i\",\"args\":{\"a\":{\"b\":1}},\"labels\":[\"eu\"],\"key\":\"k\","
			 "\"batch\":3,\"deadline\":\"2027-01-15T08:00:00.000000Z\","
			 "\"unknown\":[{}],\"payload_base64\":\"AP8B\"}"),
		RV_OK));
	cr_assert(eq(i64, job.run.job, 17));
	cr_assert(eq(int, job.run.number, 2));
	cr_assert(eq(int, job.run.attempt, 1));
	cr_assert(eq(int, job.run.max_attempts, 5));
	cr_assert(eq(i64, job.run.fence, 1099511627779));
	cr_assert(eq(i64, job.run.batch, 3));
	cr_assert(eq(i64, job.run.deadline_us, 1800000000000000));
	rv_assert_text(job.run.task, "t");
	rv_assert_text(job.run.queue, "q\"");
	rv_assert_text(job.run.args, "{\"a\":{\"b\":1}}");
	rv_assert_text(job.run.labels, "[\"eu\"]");
	rv_assert_text(job.run.key, "k");
	cr_assert(job.run.meta == NULL);
	cr_assert(eq(sz, job.run.payload_size, 3));
	cr_assert(eq(int, memcmp(job.run.payload, "\0\xff\1", 3), 0));
	rv_assert_text(job.run.arg(&job.run, "a"), "{\"b\":1}");
	/* The next one has nothing of it. */
	cr_assert(eq(int, read_job("{\"job\":18,\"run\":1,\"args\":{}}"), RV_OK));
	cr_assert(eq(int, job.run.attempt, 0));
	cr_assert(job.run.payload == NULL && job.run.labels == NULL && job.run.deadline_us == 0);
	rv_assert_text(job.run.task, "");
	cr_assert(job.run.arg(&job.run, "a") == NULL);
	cr_assert(eq(int, read_job("{\"job\":18,\"run\":"), RV_E_PARSE));
	cr_assert(eq(int, read_job("{\"job\":18,\"payload_base64\":\"?\"}"), RV_E_PARSE));
	end();
}

Test(runner, answers)
{
	begin();
	cr_assert(eq(int, read_job("{\"job\":17,\"run\":2,\"args\":{}}"), RV_OK));
	rv_assert_text(answer(REEVE_RUN_DONE), "{\"job\":17,\"run\":2,\"ok\":true}\n");
	cr_assert(eq(int, job.run.result(&job.run, "a\"\n", 3), 0));
	rv_assert_text(answer(REEVE_RUN_DONE),
		       "{\"job\":17,\"run\":2,\"ok\":true,\"result\":\"a\\\"\\n\"}\n");
	rv_assert_text(answer(REEVE_RUN_FAILED),
		       "{\"job\":17,\"run\":2,\"ok\":false,\"error\":\"its module returned 1\"}\n");
	rv_assert_text(answer(REEVE_RUN_LATER),
		       "{\"job\":17,\"run\":2,\"ok\":false,\"snooze\":\"1000ms\"}\n");
	job.run.error(&job.run, "no paper");
	rv_assert_text(answer(REEVE_RUN_FATAL), "{\"job\":17,\"run\":2,\"ok\":false,\"error\":"
						"\"no paper\",\"permanent\":true}\n");
	job.run.again(&job.run, 90);
	rv_assert_text(answer(REEVE_RUN_FAILED), "{\"job\":17,\"run\":2,\"ok\":false,\"error\":"
						 "\"no paper\",\"retry_after\":\"90ms\"}\n");
	rv_assert_text(answer(REEVE_RUN_LATER), "{\"job\":17,\"run\":2,\"ok\":false,\"error\":"
						"\"no paper\",\"snooze\":\"90ms\"}\n");
	job.run.again(&job.run, -5);
	rv_assert_has(answer(REEVE_RUN_LATER), "\"snooze\":\"0ms\"");
	job.run.again(&job.run, INT64_MAX);
	rv_assert_has(answer(REEVE_RUN_LATER), "\"snooze\":\"314496000000ms\"");
	end();
}

/* What a module says is bounded, and cut between two characters. */
Test(runner, words)
{
	static char text[1 << 17];

	begin();
	cr_assert(eq(int, read_job("{\"job\":17,\"run\":2,\"args\":{}}"), RV_OK));
	job.run.progress(&job.run, 142, "half");
	rv_assert_text(said(), "{\"job\":17,\"run\":2,\"progress\":100,\"message\":\"half\"}\n");
	job.run.progress(&job.run, -1, "half");
	rv_assert_text(said(), "{\"job\":17,\"run\":2,\"heartbeat\":true}\n");
	job.run.log(&job.run, 0, "a\xff\n");
	rv_assert_text(said(), "{\"job\":17,\"run\":2,\"log\":\"a\\ufffd\"}\n");
	job.run.log(&job.run, 1, "");
	rv_assert_text(said(), "{\"job\":17,\"run\":2,\"log\":\"\",\"stream\":\"stderr\"}\n");
	memset(text, 'x', 70000);
	cr_assert(eq(int, fcntl(answers, F_SETPIPE_SZ, 1 << 20) >= 1 << 20, 1));
	job.run.log(&job.run, 0, text);
	cr_assert(eq(sz, strcspn(said(), "\n"),
		     65536 + strlen("{\"job\":17,\"run\":2,\"log\":\"\"}")));
	cr_assert(eq(int, job.run.result(&job.run, text, 65537), -1));
	cr_assert(eq(int, job.run.result(&job.run, "\xff", 1), -1));
	cr_assert(job.result == NULL);
	for (size_t i = 0; i < 3000; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	text[3000] = '\0';
	job.run.error(&job.run, text);
	cr_assert(eq(sz, strlen(job.error), 999));
	end();
}

/* ---- the channel */

static void send(const char *lines)
{
	cr_assert(eq(int, rv_fd_write_all(jobs_in, lines, strlen(lines)), RV_OK));
}

static const char *next(void)
{
	static char line[256];
	const char *at;
	size_t size;

	if (!rv_channel_next(&channel, &at, &size))
		return "(none)";
	(void)snprintf(line, sizeof line, "%.*s", (int)size, at);
	return line;
}

Test(runner, lines_come_in_any_pieces)
{
	begin();
	send("{\"job\":1}\n{\"jo");
	cr_assert(rv_channel_wait(&channel));
	rv_assert_text(next(), "{\"job\":1}");
	rv_assert_text(next(), "(none)");
	send("b\":2}\n\n{\"job\":3}\n");
	cr_assert(rv_channel_wait(&channel));
	rv_assert_text(next(), "{\"job\":2}");
	rv_assert_text(next(), "");
	rv_assert_text(next(), "{\"job\":3}");
	rv_assert_text(next(), "(none)");
	rv_fd_close(&jobs_in);
	cr_assert(not(rv_channel_wait(&channel)));
	end();
}

static void answered(const char *want)
{
	char text[128];
	ssize_t n = read(answers, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	rv_assert_text(text, want);
}

/* In its turn, and before the next job is given out. */
Test(runner, a_health_check_is_answered)
{
	begin();
	send("{\"health\":7}\n{\"job\":1,\"run\":1}\n{\"health\":8}\n");
	cr_assert(rv_channel_wait(&channel));
	rv_assert_text(next(), "{\"job\":1,\"run\":1}");
	answered("{\"health\":7}\n");
	rv_assert_text(next(), "(none)");
	answered("{\"health\":8}\n");
	rv_fd_close(&jobs_in);
	cr_assert(not(rv_channel_wait(&channel)));
	end();
}

/* A request to stop counts at once, also when it stands behind lines of other jobs. */
Test(runner, a_cancel_overtakes)
{
	begin();
	send("{\"job\":1,\"run\":1}\n{\"job\":2,\"run\":1}\n");
	cr_assert(rv_channel_wait(&channel));
	rv_assert_text(next(), "{\"job\":1,\"run\":1}");
	cr_assert(not(rv_channel_told(&channel, RV_CHANNEL_CANCEL, 1, 1)));
	send("{\"job\":3,\"run\":1}\n{\"cancel\":1,\"run\":1}\n");
	cr_assert(rv_channel_told(&channel, RV_CHANNEL_CANCEL, 1, 1));
	cr_assert(not(rv_channel_told(&channel, RV_CHANNEL_CANCEL, 1, 2)), "another run");
	cr_assert(not(rv_channel_told(&channel, RV_CHANNEL_SOFT, 1, 1)), "another word");
	send("{\"soft_timeout\":1,\"run\":1}\n");
	cr_assert(rv_channel_told(&channel, RV_CHANNEL_SOFT, 1, 1));
	cr_assert(not(rv_channel_told(&channel, RV_CHANNEL_CANCEL, 2, 1)));
	rv_assert_text(next(), "{\"job\":2,\"run\":1}");
	rv_assert_text(next(), "{\"job\":3,\"run\":1}");
	rv_assert_text(next(), "(none)");
	rv_fd_close(&jobs_in);
	cr_assert(not(rv_channel_told(&channel, RV_CHANNEL_CANCEL, 2, 1)), "EOF is none");
	end();
}
