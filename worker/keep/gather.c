/*
 * How long a round waits for more of what clients hand over.  Pure.  Keeper only.
 */
#include "keep/offers.h"

#include "base/seam.h"

#define LEAST_US 300            /* less is over before anybody has woken */
#define MOST_US  (2 * RV_MS_US) /* more is felt */

int64_t rv_offers_patience(unsigned due, unsigned lively, int64_t commit_us)
{
	int64_t wait_us = commit_us / 4;

	PRE(due > 0 && commit_us >= 0);
	if (due >= lively || due >= RV_OFFERS_LINES || wait_us < LEAST_US)
		return 0;
	return wait_us < MOST_US ? wait_us : MOST_US;
}
