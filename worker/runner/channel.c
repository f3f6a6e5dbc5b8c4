/*
 * Lines in, lines out.  The runner's process.  Must never wait for a line while an answer is kept
 * back.
 */
#include "runner/channel.h"

#include "base/check.h"
#include "base/err.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK      (64U << 10)
#define KEEP_SPACE (1U << 20) /* a larger buffer is given back once it is empty */

void rv_channel_die(const char *why)
{
	(void)fprintf(stderr, "reeve-runner: %s\n", why);
	_exit(70);
}

void rv_channel_init(struct rv_channel *c, int in, int out)
{
	*c = (struct rv_channel){.in = in, .out = out};
	rv_buf_init(&c->heard);
	rv_buf_init(&c->said);
}

void rv_channel_fini(struct rv_channel *c)
{
	(void)close(c->in);
	(void)close(c->out);
	rv_buf_fini(&c->heard);
	rv_buf_fini(&c->said);
}

/* ---- in */

/* How the lines begin that are no jobs; our worker writes them so. */
static const char *const begins[] = {
	[RV_CHANNEL_CANCEL] = "{\"cancel\":",
	[RV_CHANNEL_SOFT] = "{\"soft_timeout\":",
};

/* Which of them ${line} is; -1 none. */
static int word_of(const char *line, size_t size)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(begins); i++) {
		if (size > strlen(begins[i]) && memcmp(line, begins[i], strlen(begins[i])) == 0)
			return (int)i;
	}
	return -1;
}

static void note_word(struct rv_channel *c, int word, const char *line)
{
	char *at;
	int64_t job = strtoll(line + strlen(begins[word]), &at, 10);
	const char *run = strstr(at, "\"run\":");
	unsigned place = c->nwords++ % RV_CHANNEL_WORDS;

	c->words[place].word = (enum rv_channel_word)word;
	c->words[place].job = job;
	c->words[place].run = run ? strtoll(run + strlen("\"run\":"), NULL, 10) : 0;
}

/* They count at once, also behind lines of jobs whose turn has not come. */
static void look_for_words(struct rv_channel *c)
{
	char *end;

	while ((end = memchr(c->heard.data + c->seen, '\n', c->heard.size - c->seen)) != NULL) {
		char *line = c->heard.data + c->seen;
		int word = word_of(line, (size_t)(end - line));

		*end = '\0';
		if (word >= 0)
			note_word(c, word, line);
		*end = '\n';
		c->seen = (size_t)(end + 1 - c->heard.data);
	}
}

static void forget_taken(struct rv_channel *c)
{
	if (c->taken == 0)
		return;
	memmove(c->heard.data, c->heard.data + c->taken, c->heard.size - c->taken);
	c->heard.size -= c->taken;
	c->seen -= c->taken;
	c->taken = 0;
	if (c->heard.size == 0 && c->heard.space > KEEP_SPACE)
		rv_buf_fini(&c->heard);
}

/* One read(). */
static void take_in(struct rv_channel *c)
{
	ssize_t n;

	if (rv_buf_reserve(&c->heard, CHUNK) != RV_OK)
		rv_channel_die("no memory for a job");
	do
		n = read(c->in, c->heard.data + c->heard.size, CHUNK);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		c->ended = true;
		return;
	}
	c->heard.size += (size_t)n;
	c->heard.data[c->heard.size] = '\0';
	look_for_words(c);
}

/* A health check is answered by sending it back, when its turn has come. */
static bool answer_health(struct rv_channel *c, const char *line, size_t size)
{
	static const char health[] = "{\"health\":";

	if (size < sizeof(health) || memcmp(line, health, sizeof(health) - 1) != 0)
		return false;
	if (rv_buf_add(&c->said, line, size) != RV_OK || rv_buf_str(&c->said, "\n") != RV_OK)
		rv_channel_die("no memory for an answer");
	rv_channel_flush(c);
	return true;
}

bool rv_channel_next(struct rv_channel *c, const char **ret_line, size_t *ret_size)
{
	INV(c->taken <= c->seen && c->seen <= c->heard.size);
	while (c->taken < c->seen) {
		const char *line = c->heard.data + c->taken;
		const char *end = memchr(line, '\n', c->seen - c->taken);
		size_t size = (size_t)(end - line);

		c->taken += size + 1;
		if (word_of(line, size) >= 0 || answer_health(c, line, size))
			continue;
		*ret_line = line;
		*ret_size = size;
		return true;
	}
	return false;
}

bool rv_channel_wait(struct rv_channel *c)
{
	PRE(c->said.size == 0);
	forget_taken(c);
	if (!c->ended)
		take_in(c);
	return !c->ended;
}

static bool is_told(const struct rv_channel *c, enum rv_channel_word word, int64_t job, int64_t run)
{
	for (unsigned i = 0; i < RV_CHANNEL_WORDS && i < c->nwords; i++) {
		if (c->words[i].word == word && c->words[i].job == job && c->words[i].run == run)
			return true;
	}
	return false;
}

bool rv_channel_told(struct rv_channel *c, enum rv_channel_word word, int64_t job, int64_t run)
{
	struct pollfd in = {.fd = c->in, .events = POLLIN};

	if (is_told(c, word, job, run))
		return true;
	if (c->ended || poll(&in, 1, 0) <= 0)
		return false;
	take_in(c);
	return is_told(c, word, job, run);
}

/* ---- out */

void rv_channel_flush(struct rv_channel *c)
{
	for (size_t at = 0; at < c->said.size;) {
		ssize_t n = write(c->out, c->said.data + at, c->said.size - at);

		if (n < 0 && errno != EINTR)
			rv_channel_die("its worker does not read answers any more");
		at += n > 0 ? (size_t)n : 0;
	}
	if (c->said.space > KEEP_SPACE)
		rv_buf_fini(&c->said);
	rv_buf_reset(&c->said);
}
