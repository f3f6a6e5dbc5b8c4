/*
 * A job's bytes on their way to our stdout and stderr.  Runs in the CLI.  Must never let them drive
 * the terminal, unless asked to.
 */
#include "emit.h"

#include "base/buf.h"
#include "obs/output.h"
#include "out.h"
#include "pick.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

void rv_emit_init(struct rv_emit *emit, const struct rv_out *out)
{
	memset(emit, 0, sizeof(*emit));
	emit->out = out;
	emit->last[0] = emit->last[1] = '\n';
}

/* How many bytes at the end of ${text} begin a UTF-8 character that is not complete (0..3). */
static size_t open_end(const unsigned char *text, size_t size)
{
	for (size_t back = 1; back <= 3 && back <= size; back++) {
		unsigned char byte = text[size - back];
		size_t want = (byte & 0xe0) == 0xc0   ? 2
			      : (byte & 0xf0) == 0xe0 ? 3
			      : (byte & 0xf8) == 0xf0 ? 4
						      : 0;

		if ((byte & 0xc0) == 0x80)
			continue;
		return want > back ? back : 0;
	}
	return 0;
}

/* Escaped, but a character that two records share stays one. */
static int print_escaped(struct rv_emit *emit, int which, FILE *file, const void *data, size_t size)
{
	struct rv_buf joined;
	struct rv_buf text;
	size_t keep;
	int err;

	rv_buf_init(&joined);
	rv_buf_init(&text);
	err = rv_buf_add(&joined, emit->part[which], emit->npart[which]);
	if (!err)
		err = rv_buf_add(&joined, data, size);
	if (!err) {
		keep = open_end((const unsigned char *)joined.data, joined.size);
		err = rv_out_escape(&text, joined.data, joined.size - keep, true);
		memcpy(emit->part[which], joined.data + joined.size - keep, keep);
		emit->npart[which] = keep;
	}
	if (!err)
		(void)fwrite(rv_buf_text(&text), 1, text.size, file);
	rv_buf_fini(&joined);
	rv_buf_fini(&text);
	return err;
}

/* A character that never got its end. */
static int flush_part(struct rv_emit *emit, int which)
{
	FILE *file = emit->split && which == 1 ? stderr : stdout;
	struct rv_buf text;
	int err;

	rv_buf_init(&text);
	err = rv_out_escape(&text, (const char *)emit->part[which], emit->npart[which], true);
	if (!err)
		(void)fwrite(rv_buf_text(&text), 1, text.size, file);
	emit->npart[which] = 0;
	rv_buf_fini(&text);
	return err;
}

static int print_bytes(struct rv_emit *emit, const struct rv_output_record *record)
{
	int which = record->stream == RV_OUTPUT_STDERR;
	FILE *file = emit->split && which == 1 ? stderr : stdout;
	bool tty = file == stderr ? emit->out->tty_err : emit->out->tty;

	if (record->size == 0)
		return RV_OK;
	emit->last[which] = ((const char *)record->data)[record->size - 1];
	if (tty && !emit->raw)
		return print_escaped(emit, which, file, record->data, record->size);
	(void)fwrite(record->data, 1, record->size, file);
	return RV_OK;
}

/* The gap between head and tail: on a line of its own, where the reader looks. */
static void print_gap(struct rv_emit *emit, int64_t dropped)
{
	FILE *file = emit->split ? stderr : stdout;

	(void)fprintf(file, "%s[reeve: %lld bytes dropped]\n",
		      emit->last[emit->split] == '\n' ? "" : "\n", (long long)dropped);
	emit->last[emit->split] = '\n';
}

static void print_line(void *ctx, int stream, const char *data, size_t size)
{
	struct rv_output_record record = {
		.stream = (enum rv_output_stream)stream, .data = data, .size = size};

	if (print_bytes(ctx, &record) != RV_OK)
		return; /* no memory for one line: the next may do */
}

int rv_emit_record(struct rv_emit *emit, const struct rv_output_record *record)
{
	if (emit->silent)
		return RV_OK;
	if (emit->pick && record->stream == RV_OUTPUT_DROPPED) {
		emit->pick->dropped += record->dropped;
		return RV_OK;
	}
	if (emit->pick && record->stream != RV_OUTPUT_PROGRESS)
		return rv_pick_record(emit->pick, record, print_line, emit);
	switch (record->stream) {
	case RV_OUTPUT_STDOUT:
	case RV_OUTPUT_STDERR:
		return print_bytes(emit, record);
	case RV_OUTPUT_DROPPED:
		print_gap(emit, record->dropped);
		return RV_OK;
	case RV_OUTPUT_PROGRESS:
	default:
		return RV_OK;
	}
}

int rv_emit_flush(struct rv_emit *emit)
{
	int err;

	if (emit->pick)
		rv_pick_flush(emit->pick, print_line, emit);
	err = flush_part(emit, 0);
	return err ? err : flush_part(emit, 1);
}

int rv_emit_json(json_t *list, const struct rv_output_record *record)
{
	static const char *const streams[] = {[RV_OUTPUT_STDOUT] = "stdout",
					      [RV_OUTPUT_STDERR] = "stderr",
					      [RV_OUTPUT_PROGRESS] = "progress",
					      [RV_OUTPUT_DROPPED] = "dropped"};
	json_t *item = json_object();
	struct rv_buf quoted;
	json_t *text = NULL;
	int err = item ? RV_OK : RV_E_NOMEM;

	if (!err)
		err = rv_json_set_text(item, "stream", streams[record->stream]);
	if (!err && record->stream == RV_OUTPUT_DROPPED) {
		err = rv_json_set_int(item, "bytes", record->dropped);
	} else if (!err) {
		rv_buf_init(&quoted);
		err = rv_json_set_time(item, "at", record->time_us);
		if (!err) /* bytes that are no UTF-8 become U+FFFD, NULs stay */
			err = rv_json_quote(record->data, record->size, &quoted);
		if (!err)
			text = json_loadb(quoted.data, quoted.size,
					  JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		if (!err)
			err = rv_json_set_new(item, "text", text);
		rv_buf_fini(&quoted);
	}
	if (!err && json_array_append(list, item) != 0)
		err = RV_E_NOMEM;
	json_decref(item);
	return err;
}

bool rv_emit_at_begin(const struct rv_emit *emit)
{
	return emit->last[0] == '\n' && emit->last[1] == '\n' && emit->npart[0] == 0 &&
	       emit->npart[1] == 0;
}
