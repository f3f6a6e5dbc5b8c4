/*
 * What this program was built with.  Every process; does nothing, and must change whenever programs
 * of two builds could misunderstand each other.
 */
#include "wire/build.h"

#include "base/check.h"
#include "wire/area.h"
#include "wire/sup.h"

#include <stdio.h>

const char *rv_build_tables(void)
{
	return RV_TABLES;
}

const char *rv_build_words(void)
{
	static char words[120];
	int n = snprintf(words, sizeof words, "%s area %u messages %u tables %s", RV_VERSION,
			 RV_AREA_VERSION, RV_SUP_VERSION, rv_build_tables());

	POST(n > 0 && (size_t)n < sizeof words);
	return words;
}
