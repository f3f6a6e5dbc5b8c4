/*
 * The children's stderr.  Runs in the supervisor only.  A pipe per child is read without waiting
 * and always to its end, so that no child ever waits for us; what goes on to our own log is bounded
 * by line and by rate.  The last line is kept for the obituary.  Must never allocate.
 */
#include "base/check.h"
#include "base/seam.h"
#include "obs/log.h"
#include "os/fd.h"
#include "supervisor/child.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TURN_BYTES    (64 << 10)  /* read of one child in one turn of the loop */
#define CREDIT_MAX    (1 << 20)   /* bytes passed on in a burst */
#define CREDIT_SECOND (256 << 10) /* and for long */

static void refill(struct rv_child_words *words, int64_t now_us)
{
	words->credit += (now_us - words->filled_us) * CREDIT_SECOND / RV_SECOND_US;
	words->filled_us = now_us;
	if (words->credit > CREDIT_MAX)
		words->credit = CREDIT_MAX;
}

static void say_dropped(struct rv_child *child)
{
	struct rv_child_words *words = &child->words;

	if (words->dropped == 0)
		return;
	rv_log_with(RV_LOG_WARN, RV_EV_child_output, RV_FIELDS(RV_INT("pid", child->pid)),
		    "%s: %llu lines of its stderr were dropped: it writes too fast",
		    rv_child_title(child), (unsigned long long)words->dropped);
	words->dropped = 0;
}

/* The children's lines of the log are of the same format as ours; anything else becomes an event.
 */
static void pass_on(const struct rv_child *child)
{
	const struct rv_child_words *words = &child->words;

	if (rv_log_pass(words->line, words->size))
		return;
	rv_log_with(RV_LOG_WARN, RV_EV_child_output, RV_FIELDS(RV_INT("pid", child->pid)),
		    "%s: %.*s", rv_child_title(child), (int)words->size, words->line);
}

/* The sentence within a line of the log, or all of another line. */
static void find_sentence(const struct rv_child_words *words, const char **ret_text,
			  size_t *ret_size)
{
	static const char key[] = "\"message\":\"";
	static const char tail[] = " event=";
	const char *line = words->line;
	const char *from = memmem(line, words->size, key, sizeof key - 1);
	const char *end;

	*ret_text = line;
	*ret_size = words->size;
	if (line[0] == '{' && from) {
		from += sizeof key - 1;
		end = from;
		while (end < line + words->size && *end != '"')
			end += *end == '\\' ? 2 : 1;
		if (end > line + words->size)
			end = line + words->size;
	} else {
		/* "… who: sentence event=name key=value…" */
		end = memmem(line, words->size, tail, sizeof tail - 1);
		from = end ? memmem(line, (size_t)(end - line), ": ", 2) : NULL;
		from = from ? from + 2 : NULL;
	}
	if (from && end) {
		*ret_text = from;
		*ret_size = (size_t)(end - from);
	}
}

/* A line of the log below an error tells how a job went, not how its worker ended. */
static bool is_routine(const struct rv_child_words *words)
{
	static const char json[] = "\"level\":\"";
	static const char tail[] = " event=";
	const char *line = words->line;
	size_t head = words->size < 64 ? words->size : 64; /* time and level stand there */

	if (line[0] == '{') {
		const char *level = memmem(line, words->size, json, sizeof json - 1);

		return level && !memmem(level, words->size - (size_t)(level - line),
					"\"level\":\"error\"", 15);
	}
	return memmem(line, words->size, tail, sizeof tail - 1) && line[0] != '<' &&
	       !memmem(line, head, "error", 5);
}

/* The end of the sentence is what is kept: its reason stands there. */
static void keep_last(struct rv_child_words *words)
{
	const char *text;
	size_t size;

	if (is_routine(words))
		return;
	find_sentence(words, &text, &size);
	words->nlast = size < RV_LAST_WORDS ? size : RV_LAST_WORDS;
	POST(words->nlast <= sizeof words->last && text + size <= words->line + words->size);
	memcpy(words->last, text + size - words->nlast, words->nlast);
	for (size_t i = 0; i < words->nlast; i++) {
		if (words->last[i] < ' ')
			words->last[i] = ' ';
	}
}

static void end_line(struct rv_child *child)
{
	struct rv_child_words *words = &child->words;

	INV(words->size <= sizeof words->line);
	if (words->size > 0 && !words->is_cut) {
		keep_last(words);
		if (words->credit < (int64_t)words->size) {
			words->dropped++;
		} else {
			words->credit -= (int64_t)words->size;
			say_dropped(child);
			pass_on(child);
		}
	}
	words->size = 0;
}

static void take(struct rv_child *child, const char *data, size_t size)
{
	struct rv_child_words *words = &child->words;

	while (size > 0) {
		const char *end = memchr(data, '\n', size);
		size_t some = end ? (size_t)(end - data) : size;
		size_t room = sizeof words->line - words->size;
		size_t fits = some < room ? some : room;

		memcpy(words->line + words->size, data, fits);
		words->size += fits;
		if (end || words->size == sizeof words->line) {
			end_line(child);
			/* Too long a line is said once, up to here; the rest of it is skipped. */
			words->is_cut = !end;
		}
		some += end != NULL;
		data += some;
		size -= some;
	}
}

/* False at the end of the pipe, or when nothing is there. */
static bool read_some(struct rv_child *child, size_t *total)
{
	char data[4096];
	ssize_t n = read(child->words.fd, data, sizeof data);

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0) {
		if (n == 0)
			rv_loop_io_stop(&child->words.io);
		return false;
	}
	*total += (size_t)n;
	take(child, data, (size_t)n);
	return true;
}

static void on_words(struct rv_loop_io *io, int events)
{
	struct rv_child *child = io->ctx;
	size_t total = 0;

	(void)events;
	refill(&child->words, rv_mono_us());
	while (total < TURN_BYTES && read_some(child, &total))
		continue;
}

void rv_words_open(struct rv_sup *sup, struct rv_child *child, int fd)
{
	struct rv_child_words *words = &child->words;

	PRE(fd >= 0);
	words->fd = fd;
	words->size = 0;
	words->is_cut = false;
	words->nlast = 0;
	words->dropped = 0;
	/* A slot whose children die in a row shares one credit: the log is bounded, not the child.
	 */
	refill(words, rv_mono_us());
	rv_loop_io_start(sup->loop, &words->io, fd, RV_LOOP_READ, on_words, child);
}

void rv_words_adopt(struct rv_sup *sup, struct rv_child *child)
{
	PRE(child->words.fd >= 0);
	refill(&child->words, rv_mono_us());
	rv_loop_io_start(sup->loop, &child->words.io, child->words.fd, RV_LOOP_READ, on_words,
			 child);
}

void rv_words_flush(struct rv_child *child)
{
	INV(child->words.size <= sizeof child->words.line);
	if (child->words.fd >= 0)
		end_line(child);
}

void rv_words_close(struct rv_child *child)
{
	struct rv_child_words *words = &child->words;
	size_t total = 0;

	if (words->fd < 0)
		return;
	refill(words, rv_mono_us());
	/* What it left in the pipe, not what an orphan of it goes on writing. */
	while (total < TURN_BYTES && read_some(child, &total))
		continue;
	end_line(child);
	say_dropped(child);
	rv_loop_io_stop(&words->io);
	rv_fd_close(&words->fd);
}
