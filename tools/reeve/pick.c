/*
 * Some of the lines of an output.  Runs in the CLI.  Bounded in memory whatever a job has printed:
 * the last lines are found by counting first.
 */
#include "pick.h"

#include "args.h"
#include "base/fmt.h"
#include "obs/output.h"

#include <stdio.h>
#include <string.h>

/* "A..B", "A..", "..B" or "A". */
static int take_lines(struct rv_pick *pick, const char *text, struct rv_why *why)
{
	const char *dots = strstr(text, "..");
	char low[24] = "1";
	size_t size = dots ? (size_t)(dots - text) : strlen(text);

	if (size > 0 && size < sizeof(low))
		(void)snprintf(low, sizeof(low), "%.*s", (int)size, text);
	if (size < sizeof(low) && (size > 0 || (dots && dots[2] != '\0')) &&
	    rv_parse_int(low, 1, INT64_MAX, &pick->first) == RV_OK) {
		pick->last = pick->first;
		if (!dots)
			return RV_OK;
		pick->last = 0;
		if (dots[2] == '\0' ||
		    rv_parse_int(dots + 2, pick->first, INT64_MAX, &pick->last) == RV_OK)
			return RV_OK;
	}
	return rv_fail(why, RV_E_USAGE, "--lines is A..B, A.., ..B or A, counted from 1");
}

static int take_pattern(struct rv_pick *pick, const char *text, struct rv_why *why)
{
	char says[128];
	int rc = regcomp(&pick->regex, text, REG_EXTENDED | REG_NOSUB);

	pick->has_regex = rc == 0;
	if (rc == 0)
		return RV_OK;
	(void)regerror(rc, &pick->regex, says, sizeof(says));
	return rv_fail(why, RV_E_USAGE, "--grep %s: %s", text, says);
}

int rv_pick_args(struct rv_pick *pick, const struct rv_args *args, struct rv_why *why)
{
	const char *lines = rv_args_value(args, RV_OPT_LINES);
	const char *pattern = rv_args_value(args, RV_OPT_GREP);
	int err;

	memset(pick, 0, sizeof(*pick));
	rv_buf_init(&pick->part[0]);
	rv_buf_init(&pick->part[1]);
	err = rv_args_int(args, RV_OPT_TAIL, 1, INT64_MAX, &pick->tail, why);
	if (!err && lines)
		err = take_lines(pick, lines, why);
	if (!err && pattern)
		err = take_pattern(pick, pattern, why);
	pick->is_on = lines || pattern || pick->tail > 0;
	return err;
}

void rv_pick_fini(struct rv_pick *pick)
{
	if (pick->has_regex)
		regfree(&pick->regex);
	rv_buf_fini(&pick->part[0]);
	rv_buf_fini(&pick->part[1]);
}

static bool fits(const struct rv_pick *pick, const char *data, size_t size)
{
	regmatch_t part = {.rm_so = 0, .rm_eo = (regoff_t)size};

	if (pick->lines < pick->first || (pick->last > 0 && pick->lines > pick->last))
		return false;
	return !pick->has_regex || regexec(&pick->regex, data, 1, &part, REG_STARTEND) == 0;
}

static void take_line(struct rv_pick *pick, int stream, rv_pick_fn *show, void *ctx)
{
	struct rv_buf *line = &pick->part[stream == RV_OUTPUT_STDERR];
	size_t size = line->size;

	pick->lines++;
	if (size > 0 && line->data[size - 1] == '\n')
		size--;
	if (fits(pick, line->data, size) && ++pick->fitting > pick->skip && !pick->counting)
		show(ctx, stream, line->data, line->size);
	rv_buf_reset(line);
}

int rv_pick_record(struct rv_pick *pick, const struct rv_output_record *record, rv_pick_fn *show,
		   void *ctx)
{
	struct rv_buf *line = &pick->part[record->stream == RV_OUTPUT_STDERR];
	const char *data = record->data;
	size_t left = record->size;

	while (left > 0) {
		const char *end = memchr(data, '\n', left);
		size_t size = end ? (size_t)(end - data) + 1 : left;

		if (size > RV_PICK_LINE - line->size)
			size = RV_PICK_LINE - line->size;
		if (rv_buf_add(line, data, size) != RV_OK)
			return RV_E_NOMEM;
		data += size;
		left -= size;
		if (line->data[line->size - 1] == '\n' || line->size == RV_PICK_LINE)
			take_line(pick, (int)record->stream, show, ctx);
	}
	return RV_OK;
}

void rv_pick_flush(struct rv_pick *pick, rv_pick_fn *show, void *ctx)
{
	if (pick->part[0].size > 0)
		take_line(pick, RV_OUTPUT_STDOUT, show, ctx);
	if (pick->part[1].size > 0)
		take_line(pick, RV_OUTPUT_STDERR, show, ctx);
}

void rv_pick_again(struct rv_pick *pick)
{
	pick->skip = pick->fitting > pick->tail ? pick->fitting - pick->tail : 0;
	pick->counting = false;
	pick->lines = 0;
	pick->fitting = 0;
	pick->dropped = 0;
}
