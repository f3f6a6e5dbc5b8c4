/*
 * What is counted of queues and tasks, in words and as JSON.  Runs in the CLI.  Reads, changes
 * nothing.
 */
#include "view_stats.h"

#include "base/fmt.h"
#include "store/stats.h"
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

/* The shares of a thousand that are shown. */
static const struct {
	int per_mille;
	const char *name;
} shown[] = {{500, "p50"}, {950, "p95"}, {990, "p99"}};

static int keep(void *ctx, const struct rv_stats_view *view)
{
	*(struct rv_stats_view *)ctx = *view;
	return RV_OK;
}

int rv_stats_of_one(struct rv_store *store, int of, const char *name,
		    struct rv_stats_view *ret_view)
{
	int err;

	memset(ret_view, 0, sizeof(*ret_view));
	err = rv_store_statistics(store, (enum rv_stats_of)of, name, keep, ret_view);
	ret_view->name = name;
	return err;
}

static json_t *known(int64_t value, int64_t unit)
{
	return value < 0 ? json_null() : json_integer(value * unit);
}

/* Each shown one times ${unit}: what a bucket counts in. */
static json_t *quantiles_of(const struct rv_histogram *of, int64_t unit)
{
	json_t *object = json_object();
	int err = object ? rv_json_set_int(object, "count", rv_histogram_count(of)) : RV_E_NOMEM;

	for (size_t i = 0; !err && i < RV_ARRAY_LEN(shown); i++) {
		int64_t us = rv_histogram_quantile(of, shown[i].per_mille);

		err = rv_json_set_new(object, shown[i].name, known(us, unit));
	}
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *span(const struct rv_stats *of)
{
	int per_mille = rv_stats_failed_per_mille(of);
	json_t *object = json_pack("{s:I,s:I,s:I,s:I}", "succeeded", (json_int_t)of->succeeded,
				   "dead", (json_int_t)of->dead, "failed_runs",
				   (json_int_t)of->failed, "busy_us", (json_int_t)of->run_us);

	if (object && rv_json_set_new(object, "cpu_us", known(rv_stats_cpu_us(of), 1)) == RV_OK &&
	    rv_json_set_new(object, "maxrss_bytes", known(rv_stats_memory_kib(of), 1 << 10)) ==
		    RV_OK &&
	    rv_json_set_new(object, "failure_rate",
			    per_mille < 0 ? json_null() : json_real(per_mille / 1000.0)) == RV_OK &&
	    rv_json_set_new(object, "wait_us", quantiles_of(&of->wait, 1)) == RV_OK &&
	    rv_json_set_new(object, "run_us", quantiles_of(&of->run, 1)) == RV_OK &&
	    rv_json_set_new(object, "run_cpu_us", quantiles_of(&of->cpu, 1)) == RV_OK &&
	    rv_json_set_new(object, "run_rss_bytes", quantiles_of(&of->rss, 1 << 10)) == RV_OK)
		return object;
	json_decref(object);
	return NULL;
}

int rv_stats_json(json_t *object, const struct rv_stats_view *view)
{
	int err = rv_json_set_int(object, "last_minute", view->minute);

	if (!err)
		err = rv_json_set_new(object, "hour", span(&view->hour));
	return err ? err : rv_json_set_new(object, "ever", span(&view->ever));
}

void rv_stats_time_cell(struct rv_table *table, int64_t us)
{
	char about[RV_FMT_SPACE];

	rv_table_text(table, us < 0 ? "" : rv_fmt_about(about, us),
		      us < 0 ? RV_STYLE_DIM : RV_STYLE_NONE);
}

static void quantile_cells(struct rv_table *table, const struct rv_histogram *of)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(shown); i++)
		rv_stats_time_cell(table, rv_histogram_quantile(of, shown[i].per_mille));
}

static void rate_cell(struct rv_table *table, int per_mille)
{
	if (per_mille < 0)
		rv_table_text(table, "", RV_STYLE_DIM);
	else
		rv_table_printf(table, per_mille > 0 ? RV_STYLE_RED : RV_STYLE_DIM, "%d.%d%%",
				per_mille / 10, per_mille % 10);
}

void rv_stats_cells(struct rv_table *table, const struct rv_stats_view *view, bool ever)
{
	const struct rv_stats *span = ever ? &view->ever : &view->hour;

	rv_table_int(table, view->minute, RV_STYLE_NONE);
	rv_table_int(table, rv_stats_finished(&view->hour), RV_STYLE_NONE);
	rv_table_int(table, rv_stats_finished(&view->ever), RV_STYLE_NONE);
	rv_table_int(table, span->failed, span->failed ? RV_STYLE_RED : RV_STYLE_DIM);
	rate_cell(table, rv_stats_failed_per_mille(span));
	quantile_cells(table, &span->wait);
	quantile_cells(table, &span->run);
}

/* A bucket's upper end may lie above the most there was. */
static int64_t memory_p95(const struct rv_stats *span)
{
	int64_t kib = rv_histogram_quantile(&span->rss, 950);

	return kib < span->maxrss_kib ? kib : span->maxrss_kib;
}

static void memory_cell(struct rv_table *table, int64_t kib)
{
	char text[RV_FMT_SPACE];

	rv_table_text(table, kib <= 0 ? "" : rv_fmt_size(text, kib << 10),
		      kib <= 0 ? RV_STYLE_DIM : RV_STYLE_NONE);
}

void rv_stats_use_cells(struct rv_table *table, const struct rv_stats *span, int64_t cpu_us)
{
	int64_t own_us = rv_stats_cpu_us(span);
	int64_t share = cpu_us > 0 ? (int64_t)((double)own_us * 100 / (double)cpu_us + 0.5) : 0;

	rv_stats_time_cell(table, own_us);
	if (own_us < 0)
		rv_table_text(table, "", RV_STYLE_DIM);
	else
		rv_table_printf(table, RV_STYLE_NONE, "%lld%%", (long long)share);
	memory_cell(table, memory_p95(span));
	memory_cell(table, span->maxrss_kib);
}

static void numbers(struct rv_table *table, const char *what, int64_t hour, int64_t ever)
{
	rv_table_text(table, what, RV_STYLE_NONE);
	rv_table_int(table, hour, RV_STYLE_NONE);
	rv_table_int(table, ever, RV_STYLE_NONE);
}

static void times(struct rv_table *table, const char *what, int64_t hour, int64_t ever)
{
	rv_table_text(table, what, RV_STYLE_NONE);
	rv_stats_time_cell(table, hour);
	rv_stats_time_cell(table, ever);
}

static void quantiles(struct rv_table *table, const char *what, const struct rv_histogram *hour,
		      const struct rv_histogram *ever)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(shown); i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "%s, %s", what, shown[i].name);
		times(table, text, rv_histogram_quantile(hour, shown[i].per_mille),
		      rv_histogram_quantile(ever, shown[i].per_mille));
	}
}

static void memories(struct rv_table *table, const char *what, int64_t hour_kib, int64_t ever_kib)
{
	rv_table_text(table, what, RV_STYLE_NONE);
	memory_cell(table, hour_kib);
	memory_cell(table, ever_kib);
}

int rv_stats_detail(const struct rv_stats_view *view, const struct rv_out *out)
{
	static const char *const headers[] = {"COUNTED", ">LAST HOUR", ">EVER"};
	const struct rv_stats *hour = &view->hour;
	const struct rv_stats *ever = &view->ever;
	struct rv_table table;
	int err;

	rv_table_init(&table, headers, RV_ARRAY_LEN(headers));
	numbers(&table, "succeeded", hour->succeeded, ever->succeeded);
	numbers(&table, "dead", hour->dead, ever->dead);
	numbers(&table, "failed runs", hour->failed, ever->failed);
	rv_table_text(&table, "failure rate", RV_STYLE_NONE);
	rate_cell(&table, rv_stats_failed_per_mille(hour));
	rate_cell(&table, rv_stats_failed_per_mille(ever));
	quantiles(&table, "wait", &hour->wait, &ever->wait);
	quantiles(&table, "run", &hour->run, &ever->run);
	times(&table, "run, in all", hour->run_us, ever->run_us);
	quantiles(&table, "CPU", &hour->cpu, &ever->cpu);
	times(&table, "CPU, in all", rv_stats_cpu_us(hour), rv_stats_cpu_us(ever));
	memories(&table, "memory, p95", memory_p95(hour), memory_p95(ever));
	memories(&table, "memory, the most", hour->maxrss_kib, ever->maxrss_kib);
	err = rv_table_print(&table, out);
	rv_table_fini(&table);
	if (!err)
		(void)printf("finished in the last minute: %lld\n", (long long)view->minute);
	return err;
}

int rv_stats_queue_json(struct rv_store *store, const char *queue, json_t *object)
{
	struct rv_stats_view *view = malloc(sizeof(*view));
	int err = view ? rv_stats_of_one(store, RV_STATS_QUEUES, queue, view) : RV_E_NOMEM;

	if (!err)
		err = rv_stats_json(object, view);
	free(view);
	return err;
}

int rv_stats_queue_detail(struct rv_store *store, const char *queue, const struct rv_out *out)
{
	struct rv_stats_view *view = malloc(sizeof(*view));
	int err = view ? rv_stats_of_one(store, RV_STATS_QUEUES, queue, view) : RV_E_NOMEM;

	if (!err) {
		(void)putchar('\n');
		err = rv_stats_detail(view, out);
	}
	free(view);
	return err;
}
