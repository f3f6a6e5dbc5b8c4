/* The query language: what parses, what it means, and where it is wrong. */
#include "base/err.h"
#include "base/seam.h"
#include "core/job.h"
#include "core/query.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW    (1800000000LL * RV_S_US)
#define ABSENT RV_QUERY_ABSENT

static struct rv_query query;

static void parse(const char *text)
{
	struct rv_why why = {.text = ""};
	size_t at = 0;

	cr_assert(eq(int, rv_query_parse(text, NOW, &query, &at, &why), RV_OK), "%s: %s", text,
		  why.text);
}

static void refused(const char *text, size_t column, const char *says)
{
	struct rv_why why = {.text = ""};
	size_t at = 9999;

	cr_assert(eq(int, rv_query_parse(text, NOW, &query, &at, &why), RV_E_USAGE), "%s", text);
	cr_assert(eq(sz, at, column), "%s: %s", text, why.text);
	cr_assert(strstr(why.text, says) != NULL, "%s: %s", text, why.text);
}

static struct rv_query_row row(void)
{
	struct rv_query_row new = {.nlabels = 0};

	for (int i = 0; i < RV_QUERY_FIELDS; i++)
		new.number[i] = ABSENT;
	new.number[RV_QUERY_ID] = 17;
	new.number[RV_QUERY_STATE] = RV_JOB_DEAD;
	new.number[RV_QUERY_ATTEMPTS] = 3;
	new.number[RV_QUERY_FINISHED] = NOW - 600 * RV_S_US;
	new.number[RV_QUERY_DURATION] = 90 * RV_S_US;
	new.text[RV_QUERY_QUEUE] = "bulk";
	new.text[RV_QUERY_TASK] = "thumbnail";
	new.text[RV_QUERY_ERROR] = "exit code 3, \"no\" space";
	return new;
}

static bool matches(const char *text)
{
	static const char *const labels[] = {"nightly", "big one"};
	static const struct rv_query_meta meta[] = {
		{"tenant", "acme"}, {"a b", "x y"}, {"n", "5"}, {"is.it", "true"}};
	struct rv_query_row job = row();

	job.labels = labels;
	job.nlabels = 2;
	job.meta = meta;
	job.nmeta = RV_ARRAY_LEN(meta);
	parse(text);
	return rv_query_match(&query, &job);
}

#define YES(text) cr_assert(matches(text), "%s", text)
#define NO(text)  cr_assert(not(matches(text)), "%s", text)

Test(query, the_example_of_the_book)
{
	YES("state:dead queue:bulk task:thumb* attempts>2 finished<1h sort:-duration");
	cr_assert(eq(int, (int)query.sort, RV_QUERY_DURATION));
	cr_assert(not(query.ascending));
	cr_assert(eq(sz, query.nterms, 5));
	YES("");
	YES("  \t ");
	cr_assert(eq(int, (int)query.sort, RV_QUERY_ID));
}

Test(query, equality)
{
	YES("state:dead");
	YES("state=dead");
	YES("state:ready,dead");
	NO("state:ready,running");
	NO("state!=dead");
	YES("state!=ready,running");
	YES("queue:bulk,default");
	NO("queue!=b*");
	YES("id:1,17,20");
	NO("id!=17");
	YES("attempts:3");
	YES("key!=x");
	NO("key:*");
	YES("exit!=0");
	NO("exit:0");
	YES("label:nightly");
	YES("label:\"big one\"");
	YES("label:big*");
	NO("label!=nightly");
	YES("label!=weekly");
}

Test(query, metadata)
{
	YES("meta.tenant:acme");
	YES("meta.tenant:a* meta.n:5 state:dead");
	YES("meta.tenant:x,acme");
	YES("meta.is.it:true");
	YES("meta.\"a b\":\"x y\"");
	NO("meta.tenant:acm");
	NO("meta.tenants:*");
	YES("meta.tenants!=x");
	NO("meta.tenant!=acme");
	refused("meta:acme", 4, "meta.NAME:VALUE");
	refused("meta", 4, "meta.NAME:VALUE");
	refused("meta.", 5, "a name is missing");
	refused("meta.:acme", 5, "a name is missing");
	refused("meta.\"a:x", 5, "quotes");
	refused("meta.n", 0, "FIELD:VALUE");
	refused("meta.n>5", 6, "compared by");
	refused("sort:meta", 5, "sorted by");
	refused("id.x:5", 0, "FIELD:VALUE");
}

Test(query, comparisons)
{
	YES("attempts>2");
	NO("attempts>3");
	YES("attempts>=3");
	YES("attempts<=3");
	NO("attempts<3");
	NO("exit<1");
	NO("exit>=0");
	YES("duration>1m");
	NO("duration>1m30s");
	YES("duration<=1m30s");
}

/* An age counts back from now, what is to come counts on from it, a date is a date. */
Test(query, times)
{
	struct rv_query_row job = row();

	YES("finished<1h");
	YES("finished<=10m");
	NO("finished<10m");
	NO("finished>10m");
	YES("finished>=10m");
	YES("finished>9m");
	YES("finished>@1799999000");
	NO("finished<@1799999000");
	YES("finished<2100-01-01T00:00:00Z");
	NO("started<1h");
	NO("started>1h");
	job.number[RV_QUERY_DUE] = NOW + 60 * RV_S_US;
	parse("due<2m due>30s");
	cr_assert(rv_query_match(&query, &job));
	parse("due>2m");
	cr_assert(not(rv_query_match(&query, &job)));
	parse("finished<10000000w");
	cr_assert(rv_query_match(&query, &job));
}

Test(query, texts)
{
	YES("task:thumbnail");
	NO("task:thumb");
	YES("task:*nail");
	YES("task:t*m*l");
	YES("task:???mbnail");
	NO("task:\\*nail");
	NO("task:\"\"");
	YES("error:\"*3, \\\"no\\\" *\"");
	YES("error:*\"no\\\" s\"pace");
	YES("error:exit\\ code*");
	NO("error:\"exit code 3,\"");
}

Test(query, globs)
{
	cr_assert(rv_query_glob("*", ""));
	cr_assert(rv_query_glob("**a", "aaa"));
	cr_assert(rv_query_glob("a*b*c", "abbcbc"));
	cr_assert(not(rv_query_glob("a*b*c", "abbcb")));
	cr_assert(rv_query_glob("?", "\xc3\xa4"));
	cr_assert(not(rv_query_glob("??", "\xc3\xa4")));
	cr_assert(rv_query_glob("\\", "\\"));
	cr_assert(rv_query_glob("\\?", "?"));
	cr_assert(not(rv_query_glob("\\?", "x")));
	cr_assert(not(rv_query_glob("", "x")));
	/* what takes for ever when every star is gone back to */
	cr_assert(
		not(rv_query_glob("*a*a*a*a*a*a*a*a*a*a*a*b",
				  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}

Test(query, what_is_wrong_and_where)
{
	refused("stat:dead", 0, "did you mean state?");
	refused("state:dead zzzzz>1", 11, "no field zzzzz");
	refused("state:daed", 6, "did you mean dead?");
	refused("state:ready,dea", 12, "did you mean dead?");
	refused("dead", 0, "state:dead?");
	refused("queue:bulk whatever", 11, "FIELD:VALUE");
	refused(">2", 0, "FIELD:VALUE");
	refused("queue:", 6, "value is missing");
	refused("queue:a,,b", 8, "value is missing");
	refused("queue>3", 5, "compared by : and !=");
	refused("finished:1h", 8, "<, <=, > or >=");
	refused("finished<soon", 9, "neither");
	refused("duration<5", 9, "no length of time");
	refused("attempts>many", 9, "no number");
	refused("attempts>99999999999999999999", 9, "no number");
	refused("attempts>1,2", 10, "one value");
	refused("error:\"open", 6, "not closed");
	refused("error:x\\", 7, "backslash");
	refused("sort:task", 5, "cannot be sorted");
	refused("sort:-nothing", 6, "no field");
	refused("sort>id", 4, "sort:FIELD");
}

Test(query, too_much)
{
	static char text[RV_QUERY_MAX + 8];
	char *at = text;

	memset(text, 'x', RV_QUERY_MAX);
	refused(text, 0, "at most");
	for (int i = 0; i <= RV_QUERY_TERMS; i++)
		at += snprintf(at, 16, "id>1 ");
	refused(text, RV_QUERY_TERMS * 5, "terms");
	at = text + snprintf(text, 16, "id:1");
	for (int i = 0; i < RV_QUERY_NUMBERS; i++)
		at += snprintf(at, 16, ",1");
	refused(text, RV_QUERY_NUMBERS * 2 + 3, "numbers");
}

Test(query, what_is_pushed_down)
{
	struct rv_query_push push;

	parse("state:dead,ready state!=ready queue:bulk task:a* id>5 id<=9 queue:other");
	rv_query_pushed(&query, &push);
	cr_assert(eq(uint, push.states, 1U << RV_JOB_DEAD));
	cr_assert(push.queue && strcmp(push.queue, "bulk") == 0);
	cr_assert(push.task == NULL);
	cr_assert(eq(i64, push.above, 5));
	cr_assert(eq(i64, push.below, 10));
	parse("id:7 queue:a,b task:\\t");
	rv_query_pushed(&query, &push);
	cr_assert(eq(i64, push.above, 6));
	cr_assert(eq(i64, push.below, 8));
	cr_assert(push.queue == NULL && push.task == NULL);
	cr_assert(rv_query_uses(&query, RV_QUERY_TASK));
	cr_assert(not(rv_query_uses(&query, RV_QUERY_LABEL)));
}

Test(query, order)
{
	parse("sort:-attempts");
	cr_assert(lt(int, rv_query_order(&query, 5, 1, 4, 2), 0));
	cr_assert(lt(int, rv_query_order(&query, 5, 3, 5, 2), 0));
	cr_assert(gt(int, rv_query_order(&query, ABSENT, 9, -100, 1), 0));
	parse("sort:attempts");
	cr_assert(gt(int, rv_query_order(&query, 5, 1, 4, 2), 0));
	cr_assert(lt(int, rv_query_order(&query, 5, 3, 5, 2), 0));
	cr_assert(gt(int, rv_query_order(&query, ABSENT, 9, 100, 1), 0));
	cr_assert(eq(int, rv_query_order(&query, 1, 1, 1, 1), 0));
}

/* --- properties ----------------------------------------------------------------------------- */

static uint64_t dice = 1;

static unsigned below(unsigned n)
{
	dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(dice >> 33) % n;
}

static void add(char *text, size_t space, const char *more)
{
	size_t used = strlen(text);

	(void)snprintf(text + used, space - used, "%s", more);
}

/* Bytes that a query is made of, in any order: it is read or refused, with a place inside. */
Test(query, any_text_is_read_or_refused)
{
	static const char *const pieces[] = {"state", "id",  "queue", "finished", "sort", ":",
					     "=",     "!=",  "<",     ">=",       "dead", "1h",
					     "17",    "\"",  "\\",    ",",        "*",    " ",
					     "-",     "@12", "\xff",  "label",    "due",  "20:21"};

	for (int i = 0; i < 200000; i++) {
		struct rv_why why = {.text = ""};
		struct rv_query_row job = row();
		char text[256] = "";
		size_t at = 9999;
		int err;

		for (unsigned n = below(10); n > 0; n--)
			add(text, sizeof text, pieces[below(sizeof pieces / sizeof pieces[0])]);
		err = rv_query_parse(text, NOW, &query, &at, &why);
		cr_assert(err == RV_OK || (err == RV_E_USAGE && at <= strlen(text) && why.text[0]),
			  "%s: %d at %zu: %s", text, err, at, why.text);
		if (err == RV_OK)
			(void)rv_query_match(&query, &job);
	}
}

/* Whatever matches is among what the store is asked for. */
Test(query, pushing_down_loses_nothing)
{
	static const char *const terms[] = {"state:dead ", "state!=dead ", "state:ready,dead ",
					    "id>2 ",       "id<4 ",        "id:3 ",
					    "id!=3 ",      "id>=2 ",       "id<=3 ",
					    "id:1,4 ",     "queue:bulk ",  "queue!=bulk ",
					    "queue:b* ",   "task:t ",      "queue:bulk,x ",
					    "attempts>1 "};
	static const char *const queues[] = {"bulk", "x", "b"};
	static const char *const tasks[] = {"t", "u"};

	for (int i = 0; i < 50000; i++) {
		struct rv_query_push push;
		struct rv_query_row job = row();
		char text[256] = "";
		bool among;

		for (unsigned n = 1 + below(4); n > 0; n--)
			add(text, sizeof text, terms[below(sizeof terms / sizeof terms[0])]);
		job.number[RV_QUERY_ID] = below(6);
		job.number[RV_QUERY_STATE] = below(RV_JOB_STATES);
		job.number[RV_QUERY_ATTEMPTS] = below(3);
		job.text[RV_QUERY_QUEUE] = queues[below(3)];
		job.text[RV_QUERY_TASK] = tasks[below(2)];
		parse(text);
		rv_query_pushed(&query, &push);
		among = (push.states >> job.number[RV_QUERY_STATE] & 1) &&
			job.number[RV_QUERY_ID] > push.above &&
			job.number[RV_QUERY_ID] < push.below &&
			(!push.queue || strcmp(push.queue, job.text[RV_QUERY_QUEUE]) == 0) &&
			(!push.task || strcmp(push.task, job.text[RV_QUERY_TASK]) == 0);
		cr_assert(among || !rv_query_match(&query, &job) || job.number[RV_QUERY_ID] == 0,
			  "%s", text);
	}
}

/* Both ways round: a term and its opposite share nothing and leave nothing out. */
Test(query, unequal_is_the_opposite_of_equal)
{
	static const char *const values[] = {"queue%sbulk", "queue%sb*,x", "state%sdead,ready",
					     "id%s17,18",   "exit%s0",     "label%sa",
					     "key%s*",      "attempts%s3", "error%s\"*space\""};

	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		char text[64];
		bool is;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(text, sizeof text, values[i], ":");
		is = matches(text);
		(void)snprintf(text, sizeof text, values[i], "!=");
#pragma GCC diagnostic pop
		cr_assert(matches(text) != is, "%s", text);
	}
}
