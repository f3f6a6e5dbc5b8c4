/* The rules of [task] outcome: what is one, and which end of a run each is about. */
#include "conf/rule.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static struct rv_rule rule;
static struct rv_why why;

static void reads(const char *text)
{
	cr_assert(eq(int, rv_rule_parse(text, &rule, &why), RV_OK), "%s: %s", text, why.text);
}

static void refuses(const char *text, const char *says)
{
	why.text[0] = '\0';
	cr_assert(eq(int, rv_rule_parse(text, &rule, &why), RV_E_PARSE), "%s", text);
	cr_assert(strstr(why.text, says) != NULL, "%s: %s", text, why.text);
}

static bool by_code(int code)
{
	return rv_rule_fits(&rule, code, 0, false, "");
}

Test(rule, exit_codes_and_ranges)
{
	reads("exit 3, 7-9 : dead");
	cr_assert(eq(int, (int)rule.then, RV_RULE_DEAD));
	cr_assert(by_code(3));
	cr_assert(by_code(7));
	cr_assert(by_code(9));
	cr_assert(not(by_code(10)));
	cr_assert(not(by_code(-1)));
	cr_assert(not(rv_rule_fits(&rule, 3, 0, true, "")), "it timed out");
	reads("exit 0:fail");
	cr_assert(by_code(0));
}

Test(rule, signals_by_name)
{
	reads("signal KILL, SIGSEGV: retry");
	cr_assert(eq(int, (int)rule.then, RV_RULE_RETRY));
	cr_assert(rv_rule_fits(&rule, -1, SIGKILL, false, NULL));
	cr_assert(rv_rule_fits(&rule, -1, SIGSEGV, false, NULL));
	cr_assert(not(rv_rule_fits(&rule, -1, SIGTERM, false, NULL)));
	cr_assert(not(rv_rule_fits(&rule, SIGKILL, 0, false, NULL)));
}

Test(rule, memory_that_ran_out)
{
	reads("oom: dead");
	cr_assert(eq(int, (int)rule.then, RV_RULE_DEAD));
	cr_assert(rv_rule_fits(&rule, RV_EXIT_OOM, SIGKILL, false, NULL));
	cr_assert(not(rv_rule_fits(&rule, RV_EXIT_OOM, SIGKILL, true, NULL)));
	cr_assert(not(rv_rule_fits(&rule, RV_EXIT_NONE, SIGKILL, false, NULL)));
	cr_assert(not(by_code(137)));
	/* It is a kill as well, however it was told. */
	reads("signal KILL: dead");
	cr_assert(rv_rule_fits(&rule, RV_EXIT_OOM, SIGKILL, false, NULL));
	reads("exit 137: dead");
	cr_assert(rv_rule_fits(&rule, RV_EXIT_OOM, SIGKILL, false, NULL));
	reads("exit 1: dead");
	cr_assert(not(rv_rule_fits(&rule, RV_EXIT_OOM, SIGKILL, false, NULL)));
	refuses("oom 3: dead", "begins with");
	refuses("oops: dead", "begins with");
}

Test(rule, timeouts)
{
	reads("timeout: snooze 520w");
	reads("timeout: snooze 10m");
	cr_assert(eq(int, (int)rule.then, RV_RULE_SNOOZE));
	cr_assert(eq(i64, rule.delay_us, 600000000));
	cr_assert(rv_rule_fits(&rule, -1, SIGTERM, true, NULL));
	cr_assert(not(rv_rule_fits(&rule, -1, SIGTERM, false, NULL)));
}

Test(rule, patterns_over_the_last_lines)
{
	reads("stderr /^E: 4(29|03):/: snooze 5s");
	cr_assert(rv_rule_fits(&rule, 1, 0, false, "begin\nE: 429: slow down\nend\n"));
	cr_assert(not(rv_rule_fits(&rule, 1, 0, false, "E: 500:\n")));
	cr_assert(not(rv_rule_fits(&rule, 1, 0, false, NULL)));
	reads("stderr /a\\/b/ : dead");
	cr_assert(rv_rule_fits(&rule, 1, 0, true, "a/b"), "whatever else it was");
}

Test(rule, what_is_none)
{
	refuses("exit 3", "a colon and a verdict");
	refuses("exit: dead", "exit of what?");
	refuses("exit 256: dead", "\"256\" is not an exit code");
	refuses("exit 9-7: dead", "\"9-7\" is not an exit code");
	refuses("exit 1,,2: dead", "is not an exit code");
	refuses("signal NOSUCH: dead", "\"NOSUCH\" is not the name of a signal");
	refuses("signal : dead", "signal of what?");
	refuses("timeout 5: dead", "a rule begins with");
	refuses("sometimes: dead", "a rule begins with");
	refuses("exit 1: snooze", "a rule ends with");
	refuses("exit 1: snooze 5", "a rule ends with");
	refuses("exit 1: snooze 521w", "\"snooze 521w\": more than 520w");
	refuses("exit 1: again", "a rule ends with");
	refuses("stderr 429: dead", "stderr needs a pattern");
	refuses("stderr //: dead", "stderr needs a pattern");
	refuses("stderr /(/: dead", "/(/: ");
	refuses("", "a colon and a verdict");
}

/* No text leads out of bounds: 200,000 of them, made of what rules are made of. */
Test(rule, random_texts_are_rules_or_refused)
{
	static const char *const parts[] = {
		"exit", "signal",  " ",     ",",      "3",
		"-",    "999",     "KILL",  "stderr", "/",
		"(",    "[",       ":",     "dead",   "snooze",
		"5m",   "timeout", "retry", "\\",     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	uint64_t state = 7;

	for (int i = 0; i < 200000; i++) {
		char text[512] = "";
		size_t size = 0;

		for (int n = 0; n < 12; n++) {
			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			size += (size_t)snprintf(
				text + size, sizeof(text) - size, "%s",
				parts[(state >> 33) % (sizeof(parts) / sizeof(parts[0]))]);
		}
		int err = rv_rule_parse(text, &rule, &why);

		cr_assert(err == RV_OK || err == RV_E_PARSE, "%s: %d", text, err);
		if (err == RV_OK)
			(void)rv_rule_fits(&rule, 3, 0, false, "words");
	}
}

/* libc would take gigabytes for these, and the daemon reads them at a reload. */
Test(rule, patterns_that_come_to_too_much_are_refused)
{
	refuses("stderr /a+++++++++++++++++++++++++b/: dead", "repeats within repeats");
	refuses("stderr /((a{1,255}){1,255}){1,255}/: dead", "repeats within repeats");
	refuses("stderr /(((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+/: dead", "repeats within");
	refuses("stderr /a{99999}/: dead", "repeats within repeats");
	refuses("stderr /a*+++++++++++/: dead", "repeats within repeats");
	refuses("stderr /(x|((((((a*)+)+y)+)+)+)+)/: dead", "repeats within repeats");
	refuses("stderr /((a{11,255}){,5}){,255}/: dead", "repeats within repeats");
	refuses("stderr /[a-z]{200}{200}/: dead", "repeats within repeats");
	refuses("stderr /((((((((((((((((((((((((((((((((((a/: dead", "too much");
	refuses("stderr /(a*)\\1/: dead", "references back");
	reads("stderr /^(error|fatal): ([0-9]{1,3}[.]){3}[0-9]{1,3} +(refused|reset)+/: dead");
	reads("stderr /[[:space:]]+[]+{9}]+x{2,}[^]]+(ab|cd){10,20}/: dead");
	reads("stderr /(((a+b)*c)+d)*/: dead");
	reads("stderr /a+b+c+d+e+f+g+h+i+j+k+l+m+/: dead");
	reads("stderr /a{,}b{,3}c{2,}/: dead");
	reads("stderr /a\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+/: dead");
	cr_assert(rv_rule_fits(&rule, 1, 0, false, "xa++++++++++++++y"));
}
