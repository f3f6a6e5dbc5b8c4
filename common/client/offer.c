/*
 * Handing jobs to the keeper: the words, both ways.  Runs in the CLI, in programs that use the
 * library, and in the keeper, where the bytes are a stranger's.  Must never wait or talk to
 * anybody.
 */
#include "client/offer.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "client/newjob.h"
#include "client/submit.h"
#include "wire/control.h"
#include "wire/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int add_line(const json_t *json, struct rv_buf *out)
{
	size_t before = out->size;
	int err = rv_control_line(json, out);

	if (err == RV_OK && out->size - before > RV_OFFER_LINE) {
		out->size = before;
		out->data[before] = '\0';
		err = RV_E_TOOBIG;
	}
	return err;
}

int rv_offer_write(const struct rv_job_new *jobs, size_t count, struct rv_buf *out)
{
	RV_AUTO(rv_json_free) json_t *line = json_object();
	json_t *list = json_array();
	int err = line ? rv_json_set_int(line, "v", RV_CONTROL_VERSION) : RV_E_NOMEM;

	PRE(count > 0);
	if (err || rv_json_set_new(line, "jobs", list) != RV_OK) {
		if (err)
			json_decref(list);
		return RV_E_NOMEM;
	}
	if (count > RV_OFFER_JOBS)
		return RV_E_TOOBIG;
	for (size_t i = 0; !err && i < count; i++) {
		json_t *job = NULL;

		if (jobs[i].payload_size >= RV_OFFER_LINE)
			return RV_E_TOOBIG;
		err = rv_newjob_say(&jobs[i], &job);
		if (!err && json_array_append_new(list, job) != 0)
			err = RV_E_NOMEM;
	}
	return err ? err : add_line(line, out);
}

/* An error on the wire: "CONFLICT". */
static const char *word_of(int err)
{
	static const char prefix[] = "RV_E_";
	const char *name = rv_err_name(err);

	INV(strncmp(name, prefix, sizeof(prefix) - 1) == 0);
	return name + sizeof(prefix) - 1;
}

/* The number of an error's name; RV_E_INTERNAL for what is none. */
static int error_named(const char *name)
{
	for (int err = -1; - err < RV_ERRS; err--) {
		if (strcmp(word_of(err), name) == 0)
			return err;
	}
	return RV_E_INTERNAL;
}

static int take_ids(const json_t *line, struct rv_submit_jobs *jobs)
{
	json_t *ids;

	if (rv_json_get_array(line, "ids", &ids, NULL) != RV_OK ||
	    json_array_size(ids) != jobs->count)
		return RV_E_CLOSED;
	for (size_t i = 0; i < jobs->count; i++) {
		int64_t id = json_integer_value(json_array_get(ids, i));

		if (id <= 0)
			return RV_E_CLOSED;
		jobs->ret_ids[i] = id;
	}
	return RV_OK;
}

static int take_count(const json_t *line, const char *name, size_t *ret)
{
	int64_t count = 0;
	int err = rv_json_get_int(line, name, &count, NULL);

	if (err == RV_E_PARSE || count < 0 || count > RV_OFFER_JOBS)
		return RV_E_CLOSED;
	*ret = (size_t)count;
	return RV_OK;
}

static int take_answer(const json_t *line, struct rv_submit_jobs *jobs)
{
	int err = take_ids(line, jobs);

	if (!err)
		err = take_count(line, "repeated", &jobs->repeated);
	if (!err)
		err = take_count(line, "skipped", &jobs->skipped);
	if (!err)
		err = take_count(line, "rescheduled", &jobs->rescheduled);
	return err ? err : take_count(line, "replaced", &jobs->replaced);
}

static int take_refusal(const json_t *line, struct rv_submit_jobs *jobs, struct rv_why *why)
{
	const char *name = "";
	const char *text = "";
	const char *queue = "";
	int64_t failed = -1;
	int err;

	if (rv_json_get_text(line, "name", &name, NULL) != RV_OK)
		return RV_E_NOTRUN; /* of the supervisor: it was not passed on */
	err = error_named(name);
	(void)!rv_json_get_text(line, "error", &text, NULL);
	(void)!rv_json_get_text(line, "queue", &queue, NULL);
	(void)!rv_json_get_int(line, "failed", &failed, NULL);
	(void)!rv_json_get_bool(line, "may_wait", &jobs->may_wait, NULL);
	jobs->failed = failed >= 0 && (size_t)failed < jobs->count ? (size_t)failed : jobs->count;
	(void)snprintf(jobs->full, sizeof(jobs->full), "%s", queue);
	/* Not of a job but of the line, which nobody but we have made: the direct way needs none.
	 */
	if ((err == RV_E_PARSE || err == RV_E_TOOBIG || err == RV_E_USAGE) && failed < 0)
		return RV_E_NOTRUN;
	return rv_fail(why, err, "%s", text);
}

int rv_offer_outcome(const char *line, size_t size, struct rv_submit_jobs *jobs, struct rv_why *why)
{
	RV_AUTO(rv_json_free) json_t *json = NULL;
	bool ok = false;

	if (rv_json_parse(line, size, RV_OFFER_LINE, &json, NULL) != RV_OK ||
	    rv_json_get_bool(json, "ok", &ok, NULL) != RV_OK)
		return RV_E_CLOSED;
	return ok ? take_answer(json, jobs) : take_refusal(json, jobs, why);
}

int rv_offer_store(const char *path, char out[RV_OFFER_STORE])
{
	struct stat st;

	if (stat(path, &st) != 0)
		return rv_err_from_errno(errno);
	(void)snprintf(out, RV_OFFER_STORE, "%llx-%llx", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	return RV_OK;
}

int rv_offer_hello(const char *store, struct rv_buf *out)
{
	RV_AUTO(rv_json_free) json_t *line = rv_control_answer();
	int err = line ? rv_json_set_text(line, "version", RV_VERSION) : RV_E_NOMEM;

	if (!err)
		err = rv_json_set_text(line, "store", store);
	return err ? err : add_line(line, out);
}

int rv_offer_greeted(const char *line, size_t size, const char *store)
{
	RV_AUTO(rv_json_free) json_t *json = NULL;
	const char *version = "";
	const char *theirs = "";
	bool ok = false;

	if (rv_json_parse(line, size, RV_OFFER_LINE, &json, NULL) != RV_OK ||
	    rv_json_get_bool(json, "ok", &ok, NULL) != RV_OK || !ok ||
	    rv_json_get_text(json, "version", &version, NULL) != RV_OK ||
	    rv_json_get_text(json, "store", &theirs, NULL) != RV_OK)
		return RV_E_NOTRUN;
	return strcmp(version, RV_VERSION) == 0 && strcmp(theirs, store) == 0 ? RV_OK : RV_E_NOTRUN;
}

static int check_line(const json_t *line, json_t **ret_list, struct rv_why *why)
{
	static const char *const fields[] = {"v", "jobs"};
	int64_t version = 0;
	int err = RV_OK;

	if (!json_is_object(line) || rv_json_get_int(line, "v", &version, NULL) != RV_OK ||
	    version != RV_CONTROL_VERSION)
		return rv_fail(why, RV_E_PARSE, "not version %d of this protocol",
			       RV_CONTROL_VERSION);
	err = rv_json_only(line, fields, RV_ARRAY_LEN(fields), why);
	if (!err)
		err = rv_json_get_array(line, "jobs", ret_list, why);
	if (err == RV_E_NOTFOUND || (!err && json_array_size(*ret_list) == 0))
		return rv_fail(why, RV_E_USAGE, "a line without jobs");
	if (!err && json_array_size(*ret_list) > RV_OFFER_JOBS)
		return rv_fail(why, RV_E_TOOBIG, "more than %d jobs on a line", RV_OFFER_JOBS);
	return err;
}

int rv_offer_read(const char *line, size_t size, struct rv_offer_jobs *offer, struct rv_why *why)
{
	RV_AUTO(rv_json_free) json_t *json = NULL;
	json_t *list = NULL;
	int err;

	offer->failed = RV_OFFER_JOBS;
	err = rv_json_parse(line, size, RV_OFFER_LINE, &json, why);
	if (!err)
		err = check_line(json, &list, why);
	if (err)
		return err;
	offer->count = json_array_size(list);
	offer->jobs = rv_arena_alloc(offer->arena, offer->count * sizeof(*offer->jobs));
	if (!offer->jobs)
		return RV_E_NOMEM;
	for (size_t i = 0; i < offer->count; i++) {
		struct rv_newjob new = {.conf = offer->conf, .why = why, .arena = offer->arena};

		err = rv_newjob_from_object(&new, json_array_get(list, i));
		if (err) {
			offer->failed = i;
			return err;
		}
		new.job.uid = offer->uid;
		offer->jobs[i] = new.job;
	}
	POST(offer->count > 0 && offer->count <= RV_OFFER_JOBS);
	return RV_OK;
}

int rv_offer_answer(const struct rv_req_enqueue *done, struct rv_buf *out)
{
	RV_AUTO(rv_json_free) json_t *line = rv_control_answer();
	json_t *ids = json_array();
	int err = line ? rv_json_set_new(line, "ids", ids) : RV_E_NOMEM;

	PRE(done->count <= RV_OFFER_JOBS);
	if (!line)
		json_decref(ids);
	for (size_t i = 0; !err && i < done->count; i++) {
		if (json_array_append_new(ids, json_integer(done->ret_ids[i])) != 0)
			err = RV_E_NOMEM;
	}
	if (!err)
		err = rv_json_set_int(line, "repeated", (int64_t)done->repeated);
	if (!err)
		err = rv_json_set_int(line, "skipped", (int64_t)done->skipped);
	if (!err)
		err = rv_json_set_int(line, "rescheduled", (int64_t)done->rescheduled);
	if (!err)
		err = rv_json_set_int(line, "replaced", (int64_t)done->replaced);
	return err ? err : add_line(line, out);
}

int rv_offer_refuse(int err, const struct rv_why *why, const struct rv_req_enqueue *done,
		    size_t failed, struct rv_buf *out)
{
	RV_AUTO(rv_json_free) json_t *line = json_object();
	int rc = line ? rv_json_set_int(line, "v", RV_CONTROL_VERSION) : RV_E_NOMEM;

	PRE(err != RV_OK);
	if (!rc)
		rc = rv_json_set_bool(line, "ok", false);
	if (!rc)
		rc = rv_json_set_text(line, "error", rv_why_text(why, err));
	if (!rc)
		rc = rv_json_set_text(line, "name", word_of(err));
	if (!rc)
		rc = rv_json_set_int(line, "exit", rv_err_exit(err));
	if (!rc && failed < RV_OFFER_JOBS)
		rc = rv_json_set_int(line, "failed", (int64_t)failed);
	if (!rc && err == RV_E_FULL && done) {
		rc = rv_json_set_text(line, "queue", done->full);
		if (!rc)
			rc = rv_json_set_bool(line, "may_wait", done->may_wait);
	}
	return rc ? rc : add_line(line, out);
}
