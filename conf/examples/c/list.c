/*
 * Lists the jobs that a query asks for, page by page; or follows what happens.
 *
 *     list 'QUERY'
 *     list --follow SECONDS
 *
 * cc list.c $(pkg-config --cflags --libs reeve)
 */
#include <reeve.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int list(struct reeve *reeve, const char *query)
{
	const struct reeve_page *page = NULL;
	const char *cursor = NULL;
	int err;

	do {
		const struct reeve_page *before = page;

		err = reeve_list(reeve, query, 100, cursor, &page);
		if (err)
			page = NULL;
		for (size_t i = 0; !err && i < reeve_page_count(page); i++) {
			const struct reeve_job *job = reeve_page_job(page, i);

			printf("%lld %s %s %s\n", (long long)job->id, reeve_state_name(job->state),
			       job->queue, job->task);
		}
		reeve_free(before); /* the cursor was in it */
		cursor = err ? NULL : reeve_page_next(page);
	} while (cursor);
	reeve_free(page);
	return err;
}

static int follow(struct reeve *reeve, int64_t timeout_us)
{
	const struct reeve_events *events;
	int64_t after = REEVE_EVENTS_NOW;
	size_t count;
	int err;

	do {
		err = reeve_events(reeve, after, 0, timeout_us, &events);
		if (err)
			return err;
		count = reeve_events_count(events);
		for (size_t i = 0; i < count; i++) {
			const struct reeve_event *event = reeve_events_at(events, i);

			printf("%lld %s\n", (long long)event->job, reeve_state_name(event->to));
		}
		after = reeve_events_last(events);
		reeve_free(events);
	} while (count > 0);
	return REEVE_OK;
}

int main(int argc, char **argv)
{
	struct reeve *reeve;
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: list 'QUERY' | list --follow SECONDS\n");
		return 2;
	}
	if (reeve_open(NULL, &reeve) != REEVE_OK) {
		fprintf(stderr, "list: %s\n", reeve_error(NULL));
		return 1;
	}
	if (argc == 3 && strcmp(argv[1], "--follow") == 0)
		err = follow(reeve, strtoll(argv[2], NULL, 10) * 1000000);
	else
		err = list(reeve, argv[1]);
	if (err)
		fprintf(stderr, "list: %s\n", reeve_error(reeve));
	reeve_close(reeve);
	return err ? 1 : 0;
}
