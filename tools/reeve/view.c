/*
 * A job, an attempt, a queue: as JSON and in words.  Runs in the CLI.  Pure: reads views, opens
 * nothing.
 */
#include "view.h"

#include "base/buf.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "core/admit.h"
#include "core/order.h"
#include "os/sig.h"
#include "store/batch.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define WHAT_WIDTH 48 /* of a command or arguments in a table */

/* Setters that remember the first failure, so that an object is built in one run of lines. */
struct builder {
	json_t *object;
	int err;
};

static void put_text(struct builder *to, const char *name, const char *text)
{
	if (!to->err)
		to->err = rv_json_set_text(to->object, name, text && *text ? text : NULL);
}

static void put_int(struct builder *to, const char *name, int64_t value)
{
	if (!to->err)
		to->err = rv_json_set_int(to->object, name, value);
}

/* null unless ${known}. */
static void put_maybe(struct builder *to, const char *name, bool known, int64_t value)
{
	if (known)
		put_int(to, name, value);
	else if (!to->err)
		to->err = rv_json_set_new(to->object, name, json_null());
}

static void put_bool(struct builder *to, const char *name, bool value)
{
	if (!to->err)
		to->err = rv_json_set_bool(to->object, name, value);
}

static void put_time(struct builder *to, const char *name, int64_t wall_us)
{
	if (!to->err)
		to->err = rv_json_set_time(to->object, name, wall_us);
}

static void put_new(struct builder *to, const char *name, json_t *value)
{
	if (!to->err)
		to->err = rv_json_set_new(to->object, name, value);
	else
		json_decref(value);
}

static json_t *finish(struct builder *to)
{
	if (to->err) {
		json_decref(to->object);
		return NULL;
	}
	return to->object;
}

static struct builder begin(void)
{
	struct builder to = {.object = json_object()};

	if (!to.object)
		to.err = RV_E_NOMEM;
	return to;
}

/* What the store keeps as JSON text; null when it is none (a foreign row). */
static json_t *parsed(const char *text)
{
	json_t *json = NULL;

	if (!text || !*text || rv_json_parse(text, strlen(text), 2U << 20, &json, NULL) != RV_OK)
		return json_null();
	return json;
}

static json_t *labels_of(const char *text)
{
	json_t *labels = parsed(text);

	if (json_is_array(labels))
		return labels;
	json_decref(labels);
	return json_array();
}

void rv_view_line_labels(const char *text)
{
	json_t *labels = labels_of(text);
	struct rv_buf line;
	int err = RV_OK;

	rv_buf_init(&line);
	for (size_t i = 0; !err && i < json_array_size(labels); i++) {
		const char *label = json_string_value(json_array_get(labels, i));

		err = rv_buf_printf(&line, "%s%s", i > 0 ? ", " : "", label ? label : "?");
	}
	if (!err && line.size > 0)
		rv_out_line("labels", rv_buf_text(&line));
	rv_buf_fini(&line);
	json_decref(labels);
}

#define SPEC_WHAT 2 /* of its fields: what is run, without where and with which variables */
#define SPEC_ALL  4

static void put_spec(struct builder *to, const char *text, size_t n)
{
	static const char *const fields[SPEC_ALL] = {"args", "command", "cwd", "env"};
	json_t *spec = parsed(text);

	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(spec, fields[i]);

		if (value)
			put_new(to, fields[i], json_incref(value));
	}
	json_decref(spec);
}

static void put_times(struct builder *to, const struct rv_job_view *view)
{
	put_time(to, "run_at", view->run_at_us);
	put_time(to, "created_at", view->created_us);
	put_time(to, "started_at", view->started_us);
	put_time(to, "finished_at", view->finished_us);
	put_time(to, "expires_at", view->expires_us);
	put_time(to, "deadline", view->deadline_us);
}

/* What neither exit code nor signal tells; NULL: nothing. */
static const char *reason(int exit_code)
{
	return exit_code == RV_EXIT_OOM ? "out of memory" : NULL;
}

json_t *rv_view_job(const struct rv_job_view *view)
{
	struct builder to = begin();
	char until[RV_FMT_SPACE];

	put_int(&to, "id", view->id);
	put_text(&to, "task", view->task);
	put_text(&to, "queue", view->queue);
	put_text(&to, "state", rv_job_state_name(view->state));
	put_int(&to, "priority", view->priority);
	put_int(&to, "weight", view->weight);
	put_int(&to, "attempt", view->attempt);
	put_int(&to, "max_attempts", view->max_attempts);
	put_times(&to, view);
	put_maybe(&to, "exit_code", view->exit_code >= 0, view->exit_code);
	put_maybe(&to, "signal", view->signo > 0, view->signo);
	put_text(&to, "reason", reason(view->exit_code));
	put_text(&to, "error", view->error);
	put_text(&to, "worker", view->worker);
	put_maybe(&to, "fence", view->fence > 0, view->fence);
	put_new(&to, "result", json_null());
	put_new(&to, "progress", json_null());
	put_new(&to, "labels", labels_of(view->labels));
	put_new(&to, "meta", parsed(view->meta));
	put_maybe(&to, "batch", view->batch > 0, view->batch);
	put_bool(&to, "callback", view->callback);
	put_maybe(&to, "parent", view->parent > 0, view->parent);
	put_text(&to, "resources", view->takes);
	put_text(&to, "limit", view->gate);
	put_text(&to, "key", view->key);
	put_text(&to, "unique_key", view->unique_key);
	put_text(&to, "unique_until",
		 view->unique_key ? rv_job_until_name(until, view->until_us) : NULL);
	put_text(&to, "idempotency_key", view->idem_key);
	put_int(&to, "runs", view->runs);
	put_int(&to, "crashes", view->crashes);
	put_int(&to, "max_crashes", view->max_crashes);
	put_maybe(&to, "timeout_ms", view->timeout_us > 0, view->timeout_us / 1000);
	put_int(&to, "payload_bytes", (int64_t)view->payload_size);
	put_bool(&to, "cancel_requested", view->cancel_requested);
	put_bool(&to, "held", view->held);
	put_int(&to, "uid", view->uid);
	put_spec(&to, view->spec, SPEC_ALL);
	return finish(&to);
}

json_t *rv_view_result(const struct rv_job_view *view)
{
	struct builder to = begin();

	put_int(&to, "id", view->id);
	put_text(&to, "task", view->task);
	put_spec(&to, view->spec, SPEC_WHAT);
	put_text(&to, "state", rv_job_state_name(view->state));
	put_int(&to, "attempt", view->attempt);
	put_maybe(&to, "exit_code", view->exit_code >= 0, view->exit_code);
	put_maybe(&to, "signal", view->signo > 0, view->signo);
	put_text(&to, "reason", reason(view->exit_code));
	put_text(&to, "error", view->error);
	put_new(&to, "progress", json_null());
	put_new(&to, "result", json_null());
	return finish(&to);
}

int64_t rv_view_cpu_us(const struct rv_attempt_view *view)
{
	if (view->outcome < 0 || view->user_us < 0)
		return -1;
	return view->user_us + (view->sys_us > 0 ? view->sys_us : 0);
}

const char *rv_view_usage_of(const struct rv_attempt_view *view)
{
	if (rv_view_cpu_us(view) < 0)
		return NULL;
	if (view->sys_us < 0)
		return "handler";
	return view->outcome == RV_OUTCOME_CRASHED ? "worker" : "run";
}

json_t *rv_view_attempt(const struct rv_attempt_view *view)
{
	struct builder to = begin();
	int64_t cpu_us = rv_view_cpu_us(view);

	put_int(&to, "run", view->run);
	put_int(&to, "attempt", view->attempt);
	put_text(&to, "outcome", rv_view_outcome(view->outcome));
	put_time(&to, "started_at", view->started_us);
	put_time(&to, "ended_at", view->ended_us);
	put_maybe(&to, "exit_code", view->exit_code >= 0, view->exit_code);
	put_maybe(&to, "signal", view->signo > 0, view->signo);
	put_text(&to, "reason", reason(view->exit_code));
	put_text(&to, "error", view->error);
	put_text(&to, "worker", view->worker);
	put_int(&to, "fence", view->fence);
	put_text(&to, "usage_of", rv_view_usage_of(view));
	put_maybe(&to, "cpu_us", cpu_us >= 0, cpu_us);
	put_maybe(&to, "user_us", cpu_us >= 0 && view->sys_us >= 0, view->user_us);
	put_maybe(&to, "sys_us", cpu_us >= 0 && view->sys_us >= 0, view->sys_us);
	put_maybe(&to, "maxrss_bytes", cpu_us >= 0 && view->maxrss_bytes > 0, view->maxrss_bytes);
	put_int(&to, "output_bytes", view->output_bytes);
	return finish(&to);
}

json_t *rv_view_queue(const struct rv_queue_view *view, int64_t now_us)
{
	struct builder to = begin();
	int64_t oldest_us = view->oldest_ready_us;

	put_text(&to, "name", view->name);
	put_text(&to, "strategy", rv_strategy_name((int)view->strategy));
	for (int state = 0; state < RV_JOB_STATES; state++)
		put_int(&to, rv_job_state_name((enum rv_job_state)state), view->counts[state]);
	put_bool(&to, "paused", view->paused);
	put_bool(&to, "draining", view->draining);
	put_maybe(&to, "queue_max", view->max > 0, view->max);
	put_text(&to, "on_full", rv_admit_on_full_name((int)view->on_full));
	put_maybe(&to, "oldest_ready_s", oldest_us > 0,
		  now_us > oldest_us ? (now_us - oldest_us) / 1000000 : 0);
	return finish(&to);
}

int64_t rv_view_run_us(const struct rv_job_view *view, int64_t now_us)
{
	bool runs = view->state == RV_JOB_RUNNING && view->started_us != 0;

	if (now_us == 0)
		now_us = rv_wall_us();
	return runs && now_us > view->started_us ? now_us - view->started_us : 0;
}

const char *rv_view_batch_state(const struct rv_batch_view *view)
{
	if (view->failed_us != 0)
		return view->ended_us == 0 ? "failing" : "failed";
	if (view->closed_us == 0)
		return "open";
	return view->ended_us == 0 ? "closed" : "ended";
}

/* null when there is none. */
static void put_callback(struct builder *to, const char *name, const struct rv_callback *callback,
			 int64_t job)
{
	struct builder of;

	if (!callback->task) {
		put_new(to, name, json_null());
		return;
	}
	of = begin();
	put_text(&of, "task", callback->task);
	put_spec(&of, callback->spec, SPEC_ALL);
	put_maybe(&of, "job", job > 0, job);
	put_new(to, name, finish(&of));
}

json_t *rv_view_batch(const struct rv_batch_view *view)
{
	struct builder to = begin();

	put_int(&to, "id", view->id);
	put_text(&to, "name", view->name);
	put_text(&to, "state", rv_view_batch_state(view));
	put_int(&to, "total", view->total);
	put_int(&to, "pending", view->pending);
	put_int(&to, "succeeded", view->succeeded);
	put_int(&to, "dead", view->dead);
	put_int(&to, "cancelled", view->cancelled);
	put_int(&to, "deleted", view->forgotten);
	put_new(&to, "labels", labels_of(view->labels));
	put_time(&to, "created_at", view->created_us);
	put_time(&to, "closed_at", view->closed_us);
	put_time(&to, "ended_at", view->ended_us);
	put_time(&to, "failed_at", view->failed_us);
	put_maybe(&to, "max_failures", view->allowed >= 0, view->allowed);
	put_maybe(&to, "max_failures_percent", view->percent >= 0, view->percent);
	put_bool(&to, "cancel_running", view->stops);
	put_callback(&to, "on_success", &view->on_success, view->success_job);
	put_callback(&to, "on_complete", &view->on_complete, view->complete_job);
	put_int(&to, "uid", view->uid);
	return finish(&to);
}

enum rv_style rv_view_style(enum rv_job_state state)
{
	static const enum rv_style styles[RV_JOB_STATES] = {
		[RV_JOB_RUNNING] = RV_STYLE_BLUE,  [RV_JOB_SUCCEEDED] = RV_STYLE_GREEN,
		[RV_JOB_DEAD] = RV_STYLE_RED,      [RV_JOB_CANCELLED] = RV_STYLE_YELLOW,
		[RV_JOB_SCHEDULED] = RV_STYLE_DIM, [RV_JOB_BLOCKED] = RV_STYLE_DIM,
	};

	return state < RV_JOB_STATES ? styles[state] : RV_STYLE_NONE;
}

const char *rv_view_outcome(int outcome)
{
	static const char *const names[] = {
		[RV_OUTCOME_SUCCEEDED] = "succeeded",     [RV_OUTCOME_FAILED] = "failed",
		[RV_OUTCOME_FATAL] = "failed for good",   [RV_OUTCOME_LATER] = "try later",
		[RV_OUTCOME_INTERRUPTED] = "interrupted", [RV_OUTCOME_CANCELLED] = "cancelled",
		[RV_OUTCOME_CRASHED] = "crashed",         [RV_OUTCOME_EXPIRED] = "expired",
	};

	if (outcome < 0)
		return "running";
	return (size_t)outcome < RV_ARRAY_LEN(names) ? names[outcome] : "?";
}

/* As a shell would want to read it: quoted unless there is nothing to quote. */
static int add_word(struct rv_buf *buf, const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "-_./,:=@%+";
	int err;

	if (*word && word[strspn(word, plain)] == '\0')
		return rv_buf_str(buf, word);
	err = rv_buf_str(buf, "'");
	for (; !err && *word; word++)
		err = *word == '\'' ? rv_buf_str(buf, "'\\''") : rv_buf_add(buf, word, 1);
	return err ? err : rv_buf_str(buf, "'");
}

static int add_words(const json_t *list, struct rv_buf *buf)
{
	const json_t *word;
	size_t i;
	int err = rv_buf_str(buf, "$");

	json_array_foreach(list, i, word)
	{
		const char *text = json_string_value(word);

		if (!err)
			err = rv_buf_str(buf, " ");
		if (!err)
			err = add_word(buf, text ? text : "?");
	}
	return err;
}

int rv_view_what(const struct rv_job_view *view, struct rv_buf *buf)
{
	json_t *spec = parsed(view->spec);
	json_t *args = json_object_get(spec, "args");
	const char *name;
	json_t *value;
	int err;

	if (!view->task || !*view->task) {
		err = add_words(json_object_get(spec, "command"), buf);
		json_decref(spec);
		return err;
	}
	err = rv_buf_str(buf, view->task);
	json_object_foreach(args, name, value)
	{
		const char *text = json_string_value(value);

		if (!err)
			err = rv_buf_printf(buf, " %s=", name);
		if (!err)
			err = add_word(buf, text ? text : "?");
	}
	json_decref(spec);
	return err;
}

int rv_view_what_cell(const struct rv_job_view *view, struct rv_table *table)
{
	struct rv_buf buf;
	int err;

	rv_buf_init(&buf);
	err = rv_view_what(view, &buf);
	if (!err)
		rv_table_cut(table, rv_buf_text(&buf), buf.size, WHAT_WIDTH);
	rv_buf_fini(&buf);
	return err;
}

const char *rv_view_exit(int exit_code, int signo, char *out, size_t space)
{
	out[0] = '\0';
	if (exit_code == RV_EXIT_OOM)
		(void)snprintf(out, space, "out of memory");
	else if (signo > 0)
		(void)snprintf(out, space, "signal %d (%s)", signo, rv_sig_name(signo));
	else if (exit_code >= 0)
		(void)snprintf(out, space, "exit code %d", exit_code);
	return out;
}

const char *rv_view_ago(char *out, int64_t wall_us, int64_t now_us)
{
	char about[RV_FMT_SPACE];

	if (now_us == 0)
		now_us = rv_wall_us();
	if (wall_us == 0)
		(void)snprintf(out, RV_VIEW_AGO_SPACE, "-");
	else if (wall_us > now_us)
		(void)snprintf(out, RV_VIEW_AGO_SPACE, "in %s",
			       rv_fmt_about(about, wall_us - now_us));
	else
		(void)snprintf(out, RV_VIEW_AGO_SPACE, "%s ago",
			       rv_fmt_about(about, now_us - wall_us));
	return out;
}

const char *rv_view_due(char *out, int64_t wall_us)
{
	int64_t now_us = rv_wall_us();

	if (wall_us > now_us)
		return rv_view_ago(out, wall_us, now_us);
	(void)snprintf(out, RV_VIEW_AGO_SPACE, "now");
	return out;
}
