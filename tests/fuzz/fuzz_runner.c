/*
 * The lines that a runner reads: whatever JSON library reads as an object has the same members and
 * texts here, nothing else leads past the line, and what is answered is one line of JSON.
 */
#include "fuzz.h"

#include "base/arena.h"
#include "base/buf.h"
#include "runner/channel.h"
#include "runner/job.h"
#include "runner/member.h"

#include <jansson.h>
#include <string.h>

/* The member is in the tree, with the same text. */
static void compare(const json_t *tree, const struct rv_member *m, struct rv_arena *arena)
{
	const json_t *value;
	char *text = NULL;
	size_t size = 0;

	FUZZ_CHECK(rv_member_text(m->name - 1, m->name_size + 2, arena, &text, &size) == 0);
	value = json_object_get(tree, text);
	FUZZ_CHECK(value);
	FUZZ_CHECK(rv_member_text(m->value, m->value_size, arena, &text, &size) == 0);
	if (json_is_string(value)) {
		FUZZ_CHECK(json_string_length(value) == size);
		FUZZ_CHECK(memcmp(json_string_value(value), text, size) == 0);
	} else if (json_is_object(value) || json_is_array(value)) {
		FUZZ_CHECK(strchr("{[", text[0]));
	}
}

static void walk(const char *text, size_t size, const json_t *tree)
{
	struct rv_members members;
	struct rv_arena arena;
	struct rv_member m;
	size_t count = 0;
	int err;

	rv_arena_init(&arena);
	rv_members_init(&members, text, size);
	while ((err = rv_members_next(&members, &m)) == 0) {
		FUZZ_CHECK(m.name > text && m.value + m.value_size <= text + size);
		if (tree)
			compare(tree, &m, &arena);
		count++;
	}
	if (tree)
		FUZZ_CHECK(count == json_object_size(tree) && err == RV_E_NOTFOUND);
	rv_arena_reset(&arena);
}

static void answer(struct rv_job *job)
{
	struct rv_buf out;
	json_t *tree;

	for (int outcome = 0; outcome < 5; outcome++) {
		rv_buf_init(&out);
		job->run.outcome = outcome;
		job->run.error(&job->run, job->run.task);
		(void)job->run.result(&job->run, job->run.args, strlen(job->run.args));
		FUZZ_CHECK(rv_job_answer(job, &out) == 0);
		FUZZ_CHECK(strchr(rv_buf_text(&out), '\n') == out.data + out.size - 1);
		tree = json_loads(rv_buf_text(&out), 0, NULL);
		FUZZ_CHECK(json_is_object(tree));
		json_decref(tree);
		rv_buf_fini(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	json_t *tree = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	struct rv_channel channel;
	struct rv_job job;

	walk(text, size, json_is_object(tree) ? tree : NULL);
	rv_channel_init(&channel, -1, -1);
	rv_job_init(&job, &channel);
	if (rv_job_read(&job, text, size) == 0) {
		(void)job.run.arg(&job.run, "text");
		answer(&job);
	}
	rv_job_reset(&job);
	rv_channel_fini(&channel);
	json_decref(tree);
	free(text);
	return 0;
}
