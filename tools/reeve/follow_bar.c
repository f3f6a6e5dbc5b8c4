/*
 * The bar below the output that `run` shows.  Runs in the CLI, on a terminal.  Must never stand in
 * the way of the output: it is there only while we sleep, and not behind half a line.
 */
#include "follow.h"

#include "pace.h"

#include <stdlib.h>

void rv_follow_bar_open(struct rv_follow *follow)
{
	follow->pace = malloc(sizeof(*follow->pace));
	if (follow->pace) /* else without */
		rv_pace_init(follow->pace, follow->cli, "running");
}

static bool is_ours(void *ctx, int64_t id)
{
	return *(const int64_t *)ctx == id;
}

void rv_follow_bar_show(struct rv_follow *follow)
{
	struct rv_pace *pace = follow->pace;
	char eta[RV_ETA_SPACE];

	if (!pace || !rv_emit_at_begin(&follow->emit))
		return;
	rv_pace_look(pace, NULL, 0, is_ours, &follow->job);
	pace->seen.left = 1;
	if (pace->seen.percent >= 0 || rv_eta_text(&pace->seen, eta)[0] != '\0')
		rv_bar_show(&pace->bar, 0, 1, 0);
}

void rv_follow_bar_hide(struct rv_follow *follow)
{
	if (follow->pace)
		rv_bar_fini(&follow->pace->bar);
}

void rv_follow_bar_close(struct rv_follow *follow)
{
	rv_follow_bar_hide(follow);
	free(follow->pace);
	follow->pace = NULL;
}
