/* A rule of [task] outcome, and the last words of stderr that it is held against (after a newline).
 */
#include "fuzz.h"

#include "conf/rule.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size > 512 ? 512 : size);
	char *words = strchr(text, '\n');
	struct rv_why why = {.text = ""};
	struct rv_rule rule;
	int err;

	if (words)
		*words++ = '\0';
	err = rv_rule_parse(text, &rule, &why);
	if (err == RV_OK) {
		FUZZ_CHECK(rule.then != RV_RULE_SNOOZE || rule.delay_us >= 0);
		FUZZ_CHECK(memchr(rule.pattern, '\0', sizeof(rule.pattern)));
		(void)rv_rule_fits(&rule, 3, 0, false, words ? words : "");
		(void)rv_rule_fits(&rule, -1, 9, true, words ? words : "");
	} else {
		FUZZ_CHECK(why.text[0] != '\0');
	}
	free(text);
	return 0;
}
