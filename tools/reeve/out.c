/*
 * What reeve prints.  Runs in the CLI.  Must never let a job's text drive the terminal.
 */
#include "out.h"

#include "base/buf.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *const style_codes[RV_STYLES] = {
	[RV_STYLE_NONE] = "",         [RV_STYLE_BOLD] = "\033[1m",   [RV_STYLE_DIM] = "\033[2m",
	[RV_STYLE_RED] = "\033[31m",  [RV_STYLE_GREEN] = "\033[32m", [RV_STYLE_YELLOW] = "\033[33m",
	[RV_STYLE_BLUE] = "\033[34m",
};

static int failure; /* errno of the first write that failed; 0 none, or not known */

void rv_out_init(struct rv_out *out)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");
	struct winsize size;

	out->tty = isatty(STDOUT_FILENO) == 1;
	out->tty_err = isatty(STDERR_FILENO) == 1;
	out->colour = out->tty && (!no_colour || !*no_colour) && terminal &&
		      strcmp(terminal, "dumb") != 0;
	out->columns = 80;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
		out->columns = size.ws_col;
}

bool rv_out_alive(void)
{
	if (fflush(stdout) != 0 && failure == 0)
		failure = errno;
	return !ferror(stdout);
}

/* Some earlier write may have failed and nobody kept its errno. */
static bool reader_is_gone(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	if (failure != 0)
		return failure == EPIPE;
	return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

int rv_out_end(struct rv_why *why)
{
	if (rv_out_alive())
		return RV_OK;
	if (reader_is_gone())
		return RV_E_CLOSED;
	return rv_fail(why, RV_E_IO, "cannot write to standard output%s%s", failure ? ": " : "",
		       failure ? strerror(failure) : "");
}

const char *rv_out_on(const struct rv_out *out, enum rv_style style)
{
	return out->colour ? style_codes[style] : "";
}

const char *rv_out_off(const struct rv_out *out, enum rv_style style)
{
	return out->colour && style != RV_STYLE_NONE ? "\033[0m" : "";
}

/* Bytes of the well-formed UTF-8 character at ${text}; 0: broken, or a C1 control (U+0080..U+009F).
 */
static size_t utf8_length(const unsigned char *text, size_t size)
{
	static const struct {
		unsigned char mask, lead, least;
		size_t length;
	} kinds[] = {{0xe0, 0xc0, 0x80, 2}, {0xf0, 0xe0, 0x80, 3}, {0xf8, 0xf0, 0x80, 4}};
	static const uint32_t first[] = {0xa0, 0x800, 0x10000};

	for (size_t k = 0; k < RV_ARRAY_LEN(kinds); k++) {
		uint32_t point;

		if ((text[0] & kinds[k].mask) != kinds[k].lead)
			continue;
		if (size < kinds[k].length)
			return 0;
		point = text[0] & (uint32_t)(unsigned char)~kinds[k].mask;
		for (size_t i = 1; i < kinds[k].length; i++) {
			if ((text[i] & 0xc0) != 0x80)
				return 0;
			point = point << 6 | (text[i] & 0x3fU);
		}
		if (point < first[k] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
			return 0;
		return kinds[k].length;
	}
	return 0;
}

int rv_out_escape(struct rv_buf *buf, const char *text, size_t size, bool lines)
{
	const unsigned char *at = (const unsigned char *)text;
	const unsigned char *end = at + size;
	int err = RV_OK;

	while (!err && at < end) {
		size_t take = 1;

		if (*at >= 0x80)
			take = utf8_length(at, (size_t)(end - at));
		if (*at >= 0x20 && *at != 0x7f && take > 0) {
			err = rv_buf_add(buf, at, take);
		} else if (*at == '\n' || *at == '\t') {
			err = lines ? rv_buf_add(buf, at, 1)
				    : rv_buf_str(buf, *at == '\n' ? "\\n" : "\\t");
		} else {
			take = 1;
			err = rv_buf_printf(buf, "\\x%02x", *at);
		}
		at += take;
	}
	return err;
}

void rv_out_text(FILE *file, const char *text)
{
	struct rv_buf buf;

	rv_buf_init(&buf);
	if (!text || rv_out_escape(&buf, text, strlen(text), false) != RV_OK)
		(void)fputs("-", file);
	else
		(void)fputs(rv_buf_text(&buf), file);
	rv_buf_fini(&buf);
}

void rv_out_line(const char *name, const char *text)
{
	if (!text || !*text)
		return;
	(void)printf("%-12s ", name);
	rv_out_text(stdout, text);
	(void)putchar('\n');
}
