/*
 * The rules of [task] outcome: parsed here, asked by the worker.  Pure but for the regular
 * expressions of libc, which are compiled each time: a run that ends is rare beside that.
 */
#include "conf/rule.h"

#include "base/check.h"
#include "base/fmt.h"
#include "conf/text.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#define FLAGS (REG_EXTENDED | REG_NOSUB | REG_NEWLINE)

static int compile(const char *pattern, regex_t *ret_regex, struct rv_why *why)
{
	char says[128];
	int rc = regcomp(ret_regex, pattern, FLAGS);

	if (rc == 0)
		return RV_OK;
	(void)regerror(rc, ret_regex, says, sizeof(says));
	return rv_fail(why, rc == REG_ESPACE ? RV_E_NOMEM : RV_E_PARSE, "/%s/: %s", pattern, says);
}

/* The next word of a list "a, b"; false at its end.  Too long a word is cut, and then no match. */
static bool next_word(const char **at, char out[32])
{
	size_t size = strcspn(*at, ",");
	size_t skip = strspn(*at, " \t");

	if (**at == '\0')
		return false;
	out[0] = '\0';
	if (skip < size) {
		size_t end = size;

		while (end > skip && isblank((unsigned char)(*at)[end - 1]))
			end--;
		(void)snprintf(out, 32, "%.*s", (int)(end - skip < 31 ? end - skip : 31),
			       *at + skip);
	}
	*at += size + ((*at)[size] == ',');
	return true;
}

static int add_codes(const char *word, struct rv_conf_codes *codes, struct rv_why *why)
{
	char low_text[32];
	const char *dash = strchr(word, '-');
	int64_t low = 0;
	int64_t high = 0;

	(void)snprintf(low_text, sizeof(low_text), "%.*s",
		       (int)(dash ? (size_t)(dash - word) : strlen(word)), word);
	if (rv_parse_int(low_text, 0, 255, &low) != RV_OK ||
	    rv_parse_int(dash ? dash + 1 : low_text, low, 255, &high) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "\"%s\" is not an exit code, 0 to 255, nor a range",
			       word);
	for (int64_t code = low; code <= high; code++)
		codes->bits[code / 64] |= 1ULL << (code % 64);
	return RV_OK;
}

static const char *or_nothing(const char *text)
{
	return text ? text : "";
}

static int add_signal(const char *word, sigset_t *signals, struct rv_why *why)
{
	int signo = 1;

	if (strncmp(word, "SIG", 3) == 0)
		word += 3;
	while (signo < SIGRTMIN && strcmp(or_nothing(sigabbrev_np(signo)), word) != 0)
		signo++;
	if (signo == SIGRTMIN || strlen(word) == 0)
		return rv_fail(why, RV_E_PARSE, "\"%s\" is not the name of a signal, such as SEGV",
			       word);
	(void)sigaddset(signals, signo);
	return RV_OK;
}

static int take_list(const char *list, struct rv_rule *rule, struct rv_why *why)
{
	char word[32] = "";
	int count = 0;
	int err = RV_OK;

	for (; err == RV_OK && next_word(&list, word); count++)
		err = rule->when == RV_RULE_EXIT ? add_codes(word, &rule->codes, why)
						 : add_signal(word, &rule->signals, why);
	if (err == RV_OK && count == 0)
		return rv_fail(why, RV_E_PARSE, "%s of what?",
			       rule->when == RV_RULE_EXIT ? "exit" : "signal");
	return err;
}

/* "/PATTERN/": what is between the first and the last slash. */
static int take_pattern(const char *text, struct rv_rule *rule, struct rv_why *why)
{
	size_t size = strlen(text);
	regex_t regex;
	int err;

	if (size < 3 || text[0] != '/' || text[size - 1] != '/')
		return rv_fail(why, RV_E_PARSE, "stderr needs a pattern: stderr /no space left/");
	if (size - 2 >= sizeof(rule->pattern))
		return rv_fail(why, RV_E_PARSE, "a pattern has at most %d bytes",
			       RV_RULE_PATTERN_MAX - 1);
	memcpy(rule->pattern, text + 1, size - 2);
	err = compile(rule->pattern, &regex, why);
	if (err == RV_OK)
		regfree(&regex);
	return err;
}

static int take_when(char *text, struct rv_rule *rule, struct rv_why *why)
{
	char *rest = text + strcspn(text, " \t");

	if (*rest)
		*rest++ = '\0';
	rest += strspn(rest, " \t");
	if (strcmp(text, "exit") == 0 || strcmp(text, "signal") == 0) {
		rule->when = text[0] == 'e' ? RV_RULE_EXIT : RV_RULE_SIGNAL;
		return take_list(rest, rule, why);
	}
	if (strcmp(text, "stderr") == 0) {
		rule->when = RV_RULE_STDERR;
		return take_pattern(rest, rule, why);
	}
	rule->when = RV_RULE_TIMEOUT;
	if (strcmp(text, "timeout") == 0 && *rest == '\0')
		return RV_OK;
	return rv_fail(
		why, RV_E_PARSE,
		"\"%s\": a rule begins with exit N, signal NAME, timeout or stderr /PATTERN/",
		text);
}

static int take_then(const char *text, struct rv_rule *rule, struct rv_why *why)
{
	const char *rest = text + strcspn(text, " \t");

	rest += strspn(rest, " \t");
	if (strcmp(text, "retry") == 0 || strcmp(text, "fail") == 0) {
		rule->then = RV_RULE_RETRY;
		return RV_OK;
	}
	if (strcmp(text, "dead") == 0) {
		rule->then = RV_RULE_DEAD;
		return RV_OK;
	}
	rule->then = RV_RULE_SNOOZE;
	if (strncmp(text, "snooze", 6) == 0 && rest > text + 6 &&
	    rv_parse_duration(rest, &rule->delay_us) == RV_OK)
		return RV_OK;
	return rv_fail(why, RV_E_PARSE, "\"%s\": a rule ends with retry, fail, dead or snooze D",
		       text);
}

int rv_rule_parse(const char *text, struct rv_rule *ret_rule, struct rv_why *why)
{
	char when[RV_RULE_PATTERN_MAX + 64];
	const char *colon = strrchr(text, ':');
	const char *then;
	size_t size;
	int err;

	*ret_rule = (struct rv_rule){.when = RV_RULE_EXIT};
	(void)sigemptyset(&ret_rule->signals);
	if (!colon)
		return rv_fail(why, RV_E_PARSE,
			       "\"%.60s\": a rule is a condition, a colon and a verdict", text);
	size = (size_t)(colon - text);
	while (size > 0 && isblank((unsigned char)text[size - 1]))
		size--;
	if (size >= sizeof(when))
		return rv_fail(why, RV_E_PARSE, "a rule that long is not one");
	memcpy(when, text, size);
	when[size] = '\0';
	then = colon + 1 + strspn(colon + 1, " \t");
	err = take_when(when, ret_rule, why);
	return err == RV_OK ? take_then(then, ret_rule, why) : err;
}

static bool matches(const char *pattern, const char *words)
{
	regex_t regex;
	bool found;

	if (compile(pattern, &regex, NULL) != RV_OK)
		return false;
	found = regexec(&regex, words, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

bool rv_rule_fits(const struct rv_rule *rule, int exit_code, int signo, bool timed_out,
		  const char *words)
{
	switch (rule->when) {
	case RV_RULE_EXIT:
		return !timed_out && signo == 0 && rv_conf_codes_have(&rule->codes, exit_code);
	case RV_RULE_SIGNAL:
		return !timed_out && signo > 0 && sigismember(&rule->signals, signo) == 1;
	case RV_RULE_TIMEOUT:
		return timed_out;
	case RV_RULE_STDERR:
		return words && matches(rule->pattern, words);
	}
	IMPOSSIBLE("a rule of no kind");
}
