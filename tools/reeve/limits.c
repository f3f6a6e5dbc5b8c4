/*
 * Limits in words: reeve limits, and what reeve why says of a job that waits for one.  The CLI.
 */
#include "cli.h"

#include "base/buf.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "core/limit.h"
#include "verb.h"
#include "view.h"
#include "wire/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct teller {
	rv_limits_say_fn *say;
	void *ctx;
};

static void tell(const struct teller *to, const char *code, const char *format, ...)
	RV_PRINTF(3, 4);

static void tell(const struct teller *to, const char *code, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	to->say(to->ctx, code, text);
}

/* The gate that the job waits at, and who is in it. */
struct gate_look {
	const char *name;
	struct rv_gate_view view;
	struct rv_buf holders;
	unsigned nholders;
};

#define HOLDERS_MAX 8 /* named; of the others only how many */

static int each_gate(void *ctx, const struct rv_gate_view *view)
{
	struct gate_look *look = ctx;

	if (strcmp(view->name, look->name) == 0)
		look->view = *view;
	return RV_OK;
}

static int each_hold(void *ctx, int64_t job, const char *gate, int64_t n)
{
	struct gate_look *look = ctx;

	(void)n;
	if (strcmp(gate, look->name) != 0 || look->nholders++ >= HOLDERS_MAX)
		return RV_OK;
	return rv_buf_printf(&look->holders, "%s%lld", look->nholders > 1 ? ", " : "",
			     (long long)job);
}

/* "queue bulk", "key acme of task mail", "resource gpu" */
static void gate_words(const char *gate, char *out, size_t space)
{
	const char *owner = strchr(gate, '/') ? strchr(gate, '/') + 1 : gate;
	const char *key = rv_gate_of_key(gate) ? strchr(owner, '/') : NULL;
	bool of_queue = gate[0] == 'q' || gate[0] == 'k';

	if (key)
		(void)snprintf(out, space, "key %s of %s %.*s", key + 1,
			       of_queue ? "queue" : "task", (int)(key - owner), owner);
	else
		(void)snprintf(out, space, "%s %s",
			       gate[0] == 'r' ? "resource" : (of_queue ? "queue" : "task"), owner);
}

static void why_units(const struct gate_look *look, const char *what, struct teller *to)
{
	const struct rv_gate_view *gate = &look->view;

	if (gate->max == 0)
		tell(to, "limit", "it waits for %s, which the configuration does not have", what);
	else
		tell(to, "limit", "it waits for the limit of %s: %lld of %lld in use%s%s%s", what,
		     (long long)gate->used, (long long)gate->max, look->nholders ? ", by job " : "",
		     rv_buf_text(&look->holders), look->nholders > HOLDERS_MAX ? ", ..." : "");
}

static void why_kept(const struct gate_look *look, int64_t job, struct teller *to)
{
	if (look->view.kept_for == job)
		tell(to, "kept",
		     "all that it needs is kept for it until it is free: it had found "
		     "one or the other taken %d times",
		     RV_MOVES_MAX);
	else if (look->view.kept_for != 0)
		tell(to, "kept", "what gets free is kept for job %lld, which needs more than this",
		     (long long)look->view.kept_for);
}

int rv_limits_why(struct rv_store *store, const struct rv_job_view *job, int64_t now_us,
		  rv_limits_say_fn *say, void *ctx)
{
	struct gate_look look = {.name = job->gate, .view = {.max = -1}};
	struct teller to = {say, ctx};
	char what[RV_GATE_MAX + 32];
	char when[RV_FMT_SPACE];
	char per[RV_FMT_SPACE];
	char ago[RV_VIEW_AGO_SPACE];
	int err = rv_store_gates(store, each_gate, &look);

	rv_buf_init(&look.holders);
	if (!err)
		err = rv_store_holds(store, each_hold, &look);
	gate_words(look.name, what, sizeof(what));
	if (!err && look.view.due_us > 0 && look.view.rate.count > 0)
		tell(&to, "rate",
		     "it waits for the rate of %s, %d/%s: the next may start at %s (%s)", what,
		     look.view.rate.count, rv_fmt_duration(per, look.view.rate.per_us),
		     rv_fmt_time(when, look.view.due_us),
		     rv_view_ago(ago, look.view.due_us, now_us));
	else if (!err)
		why_units(&look, what, &to);
	if (!err && look.view.waiting > 1)
		tell(&to, "line", "%lld jobs wait there, %s", (long long)look.view.waiting,
		     look.name[0] == 'r' ? "the oldest goes first" : "in the order of their queue");
	if (!err)
		why_kept(&look, job->id, &to);
	rv_buf_fini(&look.holders);
	return err;
}

/* ---- reeve limits */

struct listing {
	struct rv_table *table;
	json_t *list; /* NULL: a table */
	int64_t now_us;
};

static const char *rate_text(const struct rv_rate *rate, char *out, size_t space)
{
	char per[RV_FMT_SPACE];

	out[0] = '\0';
	if (rate->count > 0)
		(void)snprintf(out, space, "%d/%s", rate->count,
			       rv_fmt_duration(per, rate->per_us));
	return out;
}

static int limit_json(struct listing *listing, const struct rv_gate_view *view, const char *what)
{
	char rate[RV_FMT_SPACE + 16];
	char when[RV_FMT_SPACE];
	json_t *object = json_object();
	int err = object ? RV_OK : RV_E_NOMEM;

	if (!err)
		err = rv_json_set_text(object, "limit", view->name);
	if (!err)
		err = rv_json_set_text(object, "of", what);
	if (!err)
		err = rv_json_set_int(object, "used", view->used);
	if (!err)
		err = rv_json_set_new(object, "max",
				      view->max < 0 ? json_null() : json_integer(view->max));
	if (!err)
		err = rv_json_set_int(object, "waiting", view->waiting);
	if (!err)
		err = rv_json_set_new(object, "kept_for",
				      view->kept_for > 0 ? json_integer(view->kept_for)
							 : json_null());
	(void)rate_text(&view->rate, rate, sizeof(rate));
	if (!err)
		err = rv_json_set_new(object, "rate", rate[0] ? json_string(rate) : json_null());
	if (!err)
		err = rv_json_set_new(object, "next_at",
				      view->due_us > 0
					      ? json_string(rv_fmt_time(when, view->due_us))
					      : json_null());
	if (!err && json_array_append(listing->list, object) != 0)
		err = RV_E_NOMEM;
	json_decref(object);
	return err;
}

static int limit_row(void *ctx, const struct rv_gate_view *view)
{
	struct listing *listing = ctx;
	char what[RV_GATE_MAX + 32];
	char rate[RV_FMT_SPACE + 16];
	char ago[RV_VIEW_AGO_SPACE];
	char max[24] = "-";

	if (view->max >= 0)
		(void)snprintf(max, sizeof(max), "%lld", (long long)view->max);
	gate_words(view->name, what, sizeof(what));
	if (listing->list)
		return limit_json(listing, view, what);
	rv_table_text(listing->table, what, RV_STYLE_NONE);
	rv_table_int(listing->table, view->used, RV_STYLE_NONE);
	rv_table_printf(listing->table, RV_STYLE_NONE, "%s", max);
	rv_table_text(listing->table, rate_text(&view->rate, rate, sizeof(rate)), RV_STYLE_NONE);
	rv_table_int(listing->table, view->waiting,
		     view->waiting ? rv_view_style(RV_JOB_BLOCKED) : RV_STYLE_DIM);
	rv_table_text(listing->table, rv_view_ago(ago, view->due_us, listing->now_us),
		      RV_STYLE_NONE);
	return RV_OK;
}

static int print_json(struct rv_cli *cli, json_t *list)
{
	json_t *object = rv_cli_object();

	if (object && rv_json_set_new(object, "limits", json_incref(list)) != RV_OK) {
		json_decref(object);
		object = NULL;
	}
	return rv_cli_json(cli, object);
}

int rv_verb_limits(struct rv_cli *cli)
{
	static const char *const headers[] = {"LIMIT OF", ">USED",    ">OF",
					      "RATE",     ">WAITING", "NEXT"};
	struct rv_table table;
	struct listing listing = {.table = &table, .now_us = rv_wall_us()};
	int code = 0;
	int err = rv_cli_store(cli, RV_CLIENT_READ);

	if (err)
		return rv_cli_fail(cli, err);
	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	listing.list = cli->json ? json_array() : NULL;
	err = cli->json && !listing.list ? RV_E_NOMEM
					 : rv_store_gates(cli->client.store, limit_row, &listing);
	if (!err && cli->json)
		code = print_json(cli, listing.list);
	else if (!err)
		err = rv_table_print(&table, &cli->out);
	json_decref(listing.list);
	rv_table_fini(&table);
	return err ? rv_cli_fail(cli, err) : code;
}
