/*
 * How much longer something takes, for the bars of wait, run and batch wait.  Runs in the CLI.
 * Pure: reads no clock and no store.  Must never be negative, and rather say nothing than nonsense.
 */
#include "eta.h"

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define S_US 1000000LL

/* More than can be told is nothing. */
static enum rv_eta left(double us, int64_t *ret_us)
{
	if (us > (double)RV_ETA_MOST_US)
		return RV_ETA_NONE;
	*ret_us = us < 1 ? 1 : (int64_t)us;
	return RV_ETA_LEFT;
}

static bool speaks(const struct rv_eta_seen *seen)
{
	return seen->left == 1 && seen->running == 1 && seen->percent >= RV_ETA_PERCENT &&
	       seen->percent < 100 && seen->run_us >= RV_ETA_RUN_US;
}

static bool flows(const struct rv_eta_seen *seen)
{
	return seen->done >= RV_ETA_DONE && seen->elapsed_us >= RV_ETA_ELAPSED_US;
}

/* How long each of them took on average: so many at a time, in all the time; 0 nobody can tell. */
static int64_t so_far(const struct rv_eta_seen *seen)
{
	double us = (double)seen->elapsed_us / (double)seen->done * (double)seen->running;

	return us > (double)RV_ETA_MOST_US ? 0 : (int64_t)us;
}

/* In rounds: ${running} of them at a time, each as long as usual, the first of them under way. */
static enum rv_eta by_rounds(const struct rv_eta_seen *seen, int64_t usual_us, int64_t *ret_us)
{
	int64_t whole = (seen->left - 1) / seen->running + 1;
	double rounds = (double)whole;

	if (seen->run_us < usual_us)
		return left(rounds * (double)usual_us - (double)seen->run_us, ret_us);
	if (rounds > 1)
		return left((rounds - 1) * (double)usual_us, ret_us);
	*ret_us = usual_us;
	return RV_ETA_OVER;
}

enum rv_eta rv_eta(const struct rv_eta_seen *seen, int64_t *ret_us)
{
	int64_t usual_us = seen->usual_us;

	PRE(seen->done >= 0 && seen->elapsed_us >= 0 && seen->run_us >= 0 && usual_us >= 0);
	if (seen->left <= 0)
		return RV_ETA_NONE;
	if (speaks(seen))
		return left((double)seen->run_us * (100 - seen->percent) / seen->percent, ret_us);
	if (flows(seen) && (seen->running == 0 || seen->left > seen->running))
		return left((double)seen->elapsed_us / (double)seen->done * (double)seen->left,
			    ret_us);
	/* All that is left runs: that many have ended does not bring the end of these nearer. */
	if (usual_us == 0 && flows(seen))
		usual_us = so_far(seen);
	return usual_us > 0 && seen->running > 0 ? by_rounds(seen, usual_us, ret_us) : RV_ETA_NONE;
}

/* One number and its unit, rounded; no more than anybody can know. */
static void say(char out[RV_ETA_SPACE], const char *before, int64_t us, const char *after)
{
	static const struct {
		int64_t below_s, unit_s;
		const char *name;
	} units[] = {
		{60, 1, "s"}, {90 * 60LL, 60, "min"}, {36 * 3600LL, 3600, "h"}, {0, 86400, "d"}};
	int64_t s = us < S_US ? 1 : (us + S_US / 2) / S_US;
	size_t i = 0;

	while (units[i].below_s != 0 && s >= units[i].below_s)
		i++;
	(void)snprintf(out, RV_ETA_SPACE, "%s%lld %s%s", before,
		       (long long)((s + units[i].unit_s / 2) / units[i].unit_s), units[i].name,
		       after);
}

const char *rv_eta_text(const struct rv_eta_seen *seen, char out[RV_ETA_SPACE])
{
	int64_t us = 0;

	switch (rv_eta(seen, &us)) {
	case RV_ETA_LEFT:
		say(out, "~", us, " left");
		break;
	case RV_ETA_OVER:
		say(out, seen->left == 1 ? "over its usual " : "over their usual ", us, "");
		break;
	case RV_ETA_NONE:
	default:
		out[0] = '\0';
		break;
	}
	return out;
}
