/*
 * A pipe handler in C: counts the words of a text, with jansson for the JSON.
 *
 *     cc -O2 -o words handler.c -ljansson
 *
 *     [task:words]
 *     handler = pipe
 *     command = /usr/local/libexec/words
 *
 *     reeve add words text="one two three"
 *
 * Jobs come on stdin and answers go to descriptor 3, a line of JSON each (docs/PROTOCOL.md, Pipe
 * handlers).  Answers are written when no further job is waiting, so that many go at once.
 */
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *answers;

static int count_words(const char *text)
{
	int count = 0;

	for (text += strspn(text, " \t\n"); *text != '\0'; text += strspn(text, " \t\n")) {
		text += strcspn(text, " \t\n");
		count++;
	}
	return count;
}

/* What one job does.  NULL: the answer is a failure, for good. */
static json_t *words(const json_t *job)
{
	const char *text = json_string_value(json_object_get(json_object_get(job, "args"), "text"));

	if (!text)
		text = json_string_value(json_object_get(job, "payload"));
	if (!text || text[0] == '\0')
		return NULL;
	return json_pack("{s:i}", "words", count_words(text));
}

static void answer(const json_t *job)
{
	json_int_t id = json_integer_value(json_object_get(job, "job"));
	json_int_t run = json_integer_value(json_object_get(job, "run"));
	json_t *result = words(job);
	json_t *line = result ? json_pack("{s:I,s:I,s:b,s:o}", "job", id, "run", run, "ok", 1,
					  "result", result)
			      : json_pack("{s:I,s:I,s:b,s:s,s:b}", "job", id, "run", run, "ok", 0,
					  "error", "there is no text to count", "permanent", 1);

	json_dumpf(line, answers, JSON_COMPACT);
	fputc('\n', answers);
	json_decref(line);
}

/* Whether a read would find something.  What is in our own buffer was looked at before. */
static int more_waits(void)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};

	return poll(&in, 1, 0) > 0;
}

int main(void)
{
	static char buffer[1 << 20];
	size_t size = 0;

	answers = fdopen(3, "w");
	if (!answers)
		return 1;
	fputs("{\"reeve\":1,\"ahead\":64,\"health\":true}\n", answers);
	fflush(answers);
	for (;;) {
		char *line = buffer, *end;
		ssize_t n = read(0, buffer + size, sizeof(buffer) - size);

		if (n <= 0)
			return 0; /* no more jobs, or one that is larger than we take */
		size += (size_t)n;
		while ((end = memchr(line, '\n', size - (size_t)(line - buffer))) != NULL) {
			json_t *job = json_loadb(line, (size_t)(end - line), 0, NULL);

			/* "Are you well?": yes is the line sent back. */
			if (json_object_get(job, "health"))
				fprintf(answers, "%.*s\n", (int)(end - line), line);
			else
				answer(job);
			json_decref(job);
			line = end + 1;
		}
		size -= (size_t)(line - buffer);
		memmove(buffer, line, size);
		if (!more_waits())
			fflush(answers);
	}
}
