/* What errors have in common, and what they do not. */
#include "core/fingerprint.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static void folds(const char *error, const char *want)
{
	char out[RV_FOLD_SPACE];

	cr_assert(strcmp(rv_fold(out, error), want) == 0, "%s: %s, not %s", error, out, want);
}

Test(fingerprint, numbers_are_folded)
{
	folds("exit code 3", "exit code #");
	folds("killed by signal 9", "killed by signal #");
	folds("at 0x7ffe12, line 88", "at #, line #");
	folds("open spool/a7f31c.txt: error 13", "open spool/#.txt: error #");
	folds("request 6ba7b810-9dad-11d1-80b4-00c04fd430c8 failed",
	      "request #-#dad-#d#-#b#-# failed");
	folds("10.0.0.1:8080", "#.#.#.#:#");
	folds("sha256 of part2", "sha# of part#");
}

Test(fingerprint, words_are_not)
{
	folds("bad face", "bad face");
	folds("deadbeef", "deadbeef");
	folds("decade facade", "decade facade");
	folds("", "");
	folds(NULL, "");
	folds("  two\n\tlines  ", "two lines");
	folds("0x is none", "#x is none");
}

Test(fingerprint, a_long_one_is_cut)
{
	char error[1000];
	char out[RV_FOLD_SPACE];

	memset(error, 'z', sizeof error);
	error[sizeof error - 1] = '\0';
	cr_assert(eq(sz, strlen(rv_fold(out, error)), RV_FOLD_SPACE - 1));
}

Test(fingerprint, is_of_what_is_folded)
{
	char a[RV_FINGERPRINT_SPACE];
	char b[RV_FINGERPRINT_SPACE];

	(void)rv_fingerprint(a, "exit code 3");
	cr_assert(eq(sz, strlen(a), 8));
	cr_assert(strcmp(a, rv_fingerprint(b, "exit code 77")) == 0);
	cr_assert(strcmp(a, rv_fingerprint(b, "exit code")) != 0);
	cr_assert(strcmp(rv_fingerprint(a, NULL), rv_fingerprint(b, "")) == 0);
	/* the same in every release: people keep it in scripts */
	cr_assert(strcmp(rv_fingerprint(a, "exit code 3"), "787e1fe3") == 0, "%s", a);
}
