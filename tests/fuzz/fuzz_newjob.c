/*
 * A job as JSON (add --from-file, the library, the inbox): refused with a sentence, or a job that
 * is whole: its task there, its spec and labels JSON.
 */
#include "fuzz.h"

#include "client/newjob.h"
#include "conf/conf.h"
#include "wire/json.h"

#include <string.h>

static const char ini[] =
	"[reeve]\nadhoc = yes\n[pool:default]\nqueues = default, bulk\n"
	"[task:t]\ncommand = /bin/echo ${arg.who} ${arg.b}\n"
	"[task:n]\nhandler = builtin\nbuiltin = noop\n[resource:gpu]\ncount = 2\n";

static const struct rv_conf *conf(void)
{
	static struct rv_conf *kept;
	struct rv_conf_errors errors;

	if (kept)
		return kept;
	rv_conf_errors_init(&errors);
	FUZZ_CHECK(rv_conf_parse(ini, sizeof(ini) - 1, &kept, &errors) == RV_OK);
	rv_conf_errors_fini(&errors);
	return kept;
}

static void is_json(const char *text, bool object)
{
	struct rv_why why = {.text = ""};
	json_t *json = NULL;

	if (!text || !*text)
		return;
	FUZZ_CHECK(rv_json_parse(text, strlen(text), 1 << 24, &json, &why) == RV_OK);
	FUZZ_CHECK(object ? json_is_object(json) : json_is_array(json));
	json_decref(json);
}

static void check_job(const struct rv_job_new *job)
{
	FUZZ_CHECK(job->task);
	FUZZ_CHECK(job->priority >= -1 && job->priority <= 65535);
	FUZZ_CHECK(job->ttl_us >= 0 && job->timeout_us >= 0);
	FUZZ_CHECK(!job->queue || job->queue[0] != '\0');
	FUZZ_CHECK(job->payload || job->payload_size == 0);
	FUZZ_CHECK(job->after || job->nafter == 0);
	is_json(job->spec, true);
	is_json(job->labels, false);
	is_json(job->meta, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct rv_inbox_row row = {.task = "t", .args = text, .options = "{}", .priority = -1};

	for (int way = 0; way < 4; way++) {
		struct rv_why why = {.text = ""};
		struct rv_arena arena;
		struct rv_newjob new = {
			.conf = way == 1 ? NULL : conf(), .why = &why, .arena = &arena};
		int err;

		rv_arena_init(&arena);
		if (way == 3) {
			row.options = text;
			row.args = NULL;
		}
		err = way < 2 ? rv_newjob_from_json(&new, (const char *)data, size)
			      : rv_newjob_from_row(&new, &row);
		if (err == RV_OK)
			check_job(&new.job);
		else
			FUZZ_CHECK(why.text[0] != '\0');
		rv_arena_reset(&arena);
	}
	free(text);
	return 0;
}
