/*
 * reeve add --from-file, dlq import: JSON lines, a transaction for each thousand.  A bad line is
 * named by its number and nothing of its block is enqueued; earlier blocks stay.  Input is read
 * before BEGIN.
 */
#include "enqueue.h"

#include "base/arena.h"
#include "client/submit.h"
#include "newjob.h"
#include "verb.h"
#include "wire/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK_BYTES (64U << 20) /* of input: a block of large payloads ends sooner */

struct bulk {
	struct rv_cli *cli;
	const char *name; /* of the file, for messages */
	FILE *file;
	char *line; /* owned by getline */
	size_t space;
	int64_t number;        /* of the line last read */
	int64_t bytes, size;   /* read; of the whole file (0: unknown) */
	struct rv_arena arena; /* of the block */
	struct rv_job_new *jobs;
	int64_t *numbers; /* line of each job */
	int64_t *ids;
	size_t count;
	int64_t batch, parent; /* of the lines that name none; 0 none */
	int64_t first, stored; /* first line of the block; jobs stored so far */
	json_t *printed;       /* NULL: ids go to stdout as they come */
	struct rv_bar bar;
};

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

/* The jobs of the next block; ${*ret_end} at the end of the input. */
static int read_block(struct bulk *bulk, bool *ret_end)
{
	size_t bytes = 0;
	ssize_t got = 0;

	rv_arena_reset(&bulk->arena);
	bulk->count = 0;
	bulk->first = bulk->number + 1;
	*ret_end = false;
	while (bulk->count < RV_SUBMIT_BLOCK && bytes < BLOCK_BYTES) {
		struct rv_newjob new;
		int err;

		errno = 0;
		got = getline(&bulk->line, &bulk->space, bulk->file);
		if (got < 0)
			break;
		bulk->number++;
		bulk->bytes += got;
		bytes += (size_t)got;
		if (is_blank(bulk->line) && strlen(bulk->line) == (size_t)got)
			continue;
		rv_newjob_init(&new, bulk->cli, &bulk->arena);
		err = rv_newjob_from_json(&new, bulk->line, (size_t)got);
		if (err)
			return rv_wrap(&bulk->cli->why, err, "%s:%lld", bulk->name,
				       (long long)bulk->number);
		if (new.job.batch == 0)
			new.job.batch = bulk->batch;
		if (new.job.parent == 0)
			new.job.parent = bulk->parent;
		bulk->jobs[bulk->count] = new.job;
		bulk->numbers[bulk->count++] = bulk->number;
	}
	*ret_end = got < 0;
	if (got < 0 && !feof(bulk->file))
		return rv_fail(&bulk->cli->why, rv_err_from_errno(errno), "cannot read %s: %s",
			       bulk->name, strerror(errno));
	return RV_OK;
}

static int print_ids(struct bulk *bulk)
{
	for (size_t i = 0; i < bulk->count; i++) {
		if (!bulk->printed)
			(void)printf("%lld\n", (long long)bulk->ids[i]);
		else if (json_array_append_new(bulk->printed, json_integer(bulk->ids[i])) != 0)
			return RV_E_NOMEM;
	}
	return RV_OK;
}

static void show_progress(struct bulk *bulk)
{
	int64_t total = 0;

	if (bulk->size > 0 && bulk->bytes > 0)
		total = (int64_t)((double)bulk->stored * (double)bulk->size / (double)bulk->bytes);
	rv_bar_show(&bulk->bar, bulk->stored, total, 0);
}

static int store_block(struct bulk *bulk)
{
	struct rv_submit_jobs block = {
		.jobs = bulk->jobs, .count = bulk->count, .ret_ids = bulk->ids};
	int err;

	if (bulk->count == 0)
		return RV_OK;
	err = rv_room_submit(bulk->cli, &block);
	if (err && block.failed < bulk->count)
		return rv_wrap(&bulk->cli->why, err, "%s:%lld", bulk->name,
			       (long long)bulk->numbers[block.failed]);
	if (err)
		return err;
	bulk->stored += (int64_t)bulk->count;
	show_progress(bulk);
	return print_ids(bulk);
}

static int run_blocks(struct bulk *bulk)
{
	bool end = false;
	int err = RV_OK;

	while (!err && !end) {
		err = read_block(bulk, &end);
		if (!err)
			err = store_block(bulk);
	}
	return err;
}

static int open_input(struct bulk *bulk, const char *path)
{
	struct stat st;

	bulk->name = strcmp(path, "-") == 0 ? "standard input" : path;
	bulk->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!bulk->file)
		return rv_fail(&bulk->cli->why,
			       errno == ENOENT ? RV_E_NOTFOUND : rv_err_from_errno(errno),
			       "cannot read %s: %s", path, strerror(errno));
	if (fstat(fileno(bulk->file), &st) == 0 && S_ISREG(st.st_mode))
		bulk->size = st.st_size;
	return RV_OK;
}

static int prepare(struct bulk *bulk, const char *path)
{
	int err = rv_args_int(&bulk->cli->args, RV_OPT_BATCH, 1, INT64_MAX, &bulk->batch,
			      &bulk->cli->why);

	if (!err)
		err = rv_newjob_parent(&bulk->cli->args, &bulk->parent, &bulk->cli->why);
	if (!err)
		err = rv_cli_load(bulk->cli);
	if (!err)
		err = open_input(bulk, path);
	if (!err)
		err = rv_cli_store(bulk->cli, RV_CLIENT_CREATE);
	if (err)
		return err;
	bulk->jobs = calloc(RV_SUBMIT_BLOCK, sizeof(*bulk->jobs));
	bulk->numbers = calloc(RV_SUBMIT_BLOCK, sizeof(*bulk->numbers));
	bulk->ids = calloc(RV_SUBMIT_BLOCK, sizeof(*bulk->ids));
	if (bulk->cli->json)
		bulk->printed = json_array();
	return bulk->jobs && bulk->numbers && bulk->ids && (!bulk->cli->json || bulk->printed)
		       ? RV_OK
		       : RV_E_NOMEM;
}

static void finish(struct bulk *bulk)
{
	if (bulk->file && bulk->file != stdin)
		(void)fclose(bulk->file);
	rv_arena_reset(&bulk->arena);
	free(bulk->line);
	free(bulk->jobs);
	free(bulk->numbers);
	free(bulk->ids);
	json_decref(bulk->printed);
	rv_bar_fini(&bulk->bar);
}

static int print_json(struct bulk *bulk)
{
	json_t *object = rv_cli_object();

	if (object && rv_json_set_new(object, "ids", json_incref(bulk->printed)) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(bulk->cli, object);
}

int rv_enqueue_file(struct rv_cli *cli, const char *path)
{
	struct bulk bulk = {.cli = cli};
	int code = 0;
	int err;

	rv_arena_init(&bulk.arena);
	rv_bar_init(&bulk.bar, &cli->out, "adding");
	err = prepare(&bulk, path);
	if (!err)
		err = run_blocks(&bulk);
	rv_bar_fini(&bulk.bar);
	if (bulk.printed)
		code = print_json(&bulk);
	if (err) {
		code = rv_cli_fail(cli, err);
		if (bulk.number > 0)
			rv_cli_note("%lld jobs were stored before line %lld; nothing from there on",
				    (long long)bulk.stored, (long long)bulk.first);
	}
	if (bulk.stored > 0)
		rv_enqueue_note(cli);
	finish(&bulk);
	return code;
}

int rv_verb_dlq_import(struct rv_cli *cli)
{
	return rv_enqueue_file(cli, cli->args.words[0]);
}
