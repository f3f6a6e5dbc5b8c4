/*
 * rv-measure: raw floors and single-process measurements for tools/bench.  A development tool: it
 * is not installed, and nothing of the product may use it.
 */
#include "measure.h"

#include "base/attr.h"
#include "base/err.h"
#include "base/fmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	int argc;
} kinds[] = {
	{"raw", rv_measure_raw, 5},     {"busy", rv_measure_busy, 6},
	{"order", rv_measure_order, 5}, {"insert", rv_measure_insert, 4},
	{"bulk", rv_measure_bulk, 4},   {"claim", rv_measure_claim, 5},
	{"ping", rv_measure_ping, 3},   {"added", rv_measure_added, 4},
	{"draws", rv_measure_draws, 3}, {"lists", rv_measure_lists, 3},
	{"spawn", rv_measure_spawn, 3}, {"submit", rv_measure_submit, 5},
	{"pipe", rv_measure_pipe, 2},   {"child", rv_measure_child, 2},
};

void rv_measure_die(const char *what, const char *why)
{
	(void)fprintf(stderr, "rv-measure: %s: %s\n", what, why);
	exit(1);
}

int64_t rv_measure_number(const char *text)
{
	int64_t number = 0;

	if (rv_parse_int(text, 0, INT32_MAX, &number) != RV_OK)
		rv_measure_die(text, "not a number");
	return number;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int64_t rv_measure_median(int64_t *values, size_t count)
{
	qsort(values, count, sizeof *values, compare);
	return values[count / 2];
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < RV_ARRAY_LEN(kinds); i++) {
		if (strcmp(argv[1], kinds[i].name) == 0 && argc - 1 == kinds[i].argc)
			return kinds[i].run(argc - 1, argv + 1);
	}
	(void)fprintf(stderr, "usage: rv-measure KIND ARGUMENT…, see measure.h\n");
	return 2;
}
