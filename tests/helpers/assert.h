#ifndef RV_TESTHELP_ASSERT_H
#define RV_TESTHELP_ASSERT_H

/* Comparing texts in Criterion tests: its own eq(str, …) takes no const texts and prints neither.
 */

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

#define rv_assert_text(actual, expected)                                                           \
	do {                                                                                       \
		const char *rv_actual_ = (actual);                                                 \
		const char *rv_expected_ = (expected);                                             \
		cr_assert(eq(int, strcmp(rv_actual_, rv_expected_), 0),                            \
			  "got \"%s\", expected \"%s\"", rv_actual_, rv_expected_);                \
	} while (0)

#define rv_assert_has(text, part)                                                                  \
	do {                                                                                       \
		const char *rv_text_ = (text);                                                     \
		const char *rv_part_ = (part);                                                     \
		cr_assert(ne(int, strstr(rv_text_, rv_part_) != NULL, 0), "\"%s\" has no \"%s\"",  \
			  rv_text_, rv_part_);                                                     \
	} while (0)

#endif
