/*
 * The query language: what is wrong is about a place in the text; what is right asks the same of a
 * job twice, and never less than what is pushed into the store.  The second line is a job's text.
 */
#include "fuzz.h"

#include "core/query.h"

#include <string.h>

#define NOW_US 1800000000000000LL

static void fill(struct rv_query_row *row, const char *text)
{
	static const char *labels[2];
	static struct rv_query_meta meta[1];
	int64_t number = (int64_t)strlen(text);

	labels[0] = text;
	labels[1] = "a";
	meta[0] = (struct rv_query_meta){.name = "a", .value = text};
	for (size_t i = 0; i < RV_QUERY_FIELDS; i++) {
		row->number[i] = i % 3 ? number : RV_QUERY_ABSENT;
		row->text[i] = i % 4 ? text : NULL;
	}
	row->number[RV_QUERY_STATE] = number % 7;
	row->number[RV_QUERY_ID] = number + 1;
	row->labels = labels;
	row->nlabels = 2;
	row->meta = meta;
	row->nmeta = 1;
}

static void use(const struct rv_query *query, const char *text)
{
	struct rv_query_row row;
	struct rv_query_push push;
	bool fits;

	fill(&row, text);
	fits = rv_query_match(query, &row);
	FUZZ_CHECK(fits == rv_query_match(query, &row));
	rv_query_pushed(query, &push);
	if (fits) {
		FUZZ_CHECK(push.states >> row.number[RV_QUERY_STATE] & 1);
		FUZZ_CHECK(row.number[RV_QUERY_ID] > push.above);
		FUZZ_CHECK(push.below == 0 || row.number[RV_QUERY_ID] < push.below);
	}
	FUZZ_CHECK(rv_query_order(query, 1, 1, 2, 2) == -rv_query_order(query, 2, 2, 1, 1));
	for (int field = 0; field < RV_QUERY_FIELDS; field++)
		(void)rv_query_uses(query, (enum rv_query_field)field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rv_query query;
	char *text = fuzz_text(data, size);
	char *rest = strchr(text, '\n');
	struct rv_why why = {.text = ""};
	size_t at = 0;
	int err;

	if (rest)
		*rest++ = '\0';
	err = rv_query_parse(text, NOW_US, &query, &at, &why);
	if (err == RV_OK) {
		use(&query, rest ? rest : "");
	} else {
		FUZZ_CHECK(err == RV_E_USAGE);
		FUZZ_CHECK(at <= strlen(text));
		FUZZ_CHECK(why.text[0] != '\0');
	}
	if (rest && strlen(text) < 64 && strlen(rest) < 512)
		(void)rv_query_glob(text, rest);
	free(text);
	return 0;
}
