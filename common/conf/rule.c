/*
 * The rules of [task] outcome: parsed here, asked by the worker.  Pure but for the regular
 * expressions of libc, which are compiled each time: a run that ends is rare beside that.
 */
#include "conf/rule.h"

#include "base/check.h"
#include "base/fmt.h"
#include "base/spec.h"
#include "conf/conf.h"
#include "conf/text.h"

#include <ctype.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS (REG_EXTENDED | REG_NOSUB | REG_NEWLINE)

/*
 * libc writes repeats out: "a{200}{200}" is 40,000 nodes, and each further "+" after an "a+"
 * doubles them; what it then does with "a*+++" takes four times as long with each.  So what a
 * pattern will come to is counted, group by group, before it is compiled.
 */
#define NODES_MAX  4096
#define NESTED_MAX 6 /* repeats of repeats: some ms */
#define GROUPS_MAX 32

/* Of a group, and of the last atom in it. */
struct weight {
	size_t depth;
	int64_t whole[GROUPS_MAX], last[GROUPS_MAX]; /* nodes */
	int deepest[GROUPS_MAX], nested[GROUPS_MAX]; /* repeats within each other */
};

static void add_atom(struct weight *w, int64_t nodes, int nested)
{
	w->whole[w->depth] += nodes;
	w->last[w->depth] = nodes;
	w->nested[w->depth] = nested;
}

static void add_repeat(struct weight *w, int64_t times)
{
	int nested = ++w->nested[w->depth];

	w->whole[w->depth] += w->last[w->depth] * (times - 1);
	w->last[w->depth] *= times;
	if (nested > w->deepest[w->depth])
		w->deepest[w->depth] = nested;
}

/* How often what is before ${**at} is written out; 0: this is no repeat.  Moves to its last byte.
 */
static int64_t times_of(const char **at)
{
	long low;
	long high;
	char *end;

	if (**at == '+')
		return 2;
	if (**at != '{' || (!isdigit((unsigned char)(*at)[1]) && (*at)[1] != ','))
		return **at == '*' || **at == '?';
	low = strtol(*at + 1, &end, 10); /* {,N}: from 0 on */
	if ((*at)[1] == ',')
		end = strchr(*at, ',');
	high = low;
	if (*end == ',')
		high = isdigit((unsigned char)end[1]) ? strtol(end + 1, &end, 10) : low + 1;
	if (*end == ',')
		end++;
	if (*end != '}' || low > RE_DUP_MAX || high > RE_DUP_MAX)
		return RE_DUP_MAX; /* libc says what is wrong with it, or it is too much anyhow */
	*at = end;
	return high > 1 ? high : 1;
}

/* The last byte of a bracket expression, or of what there is of it. */
static const char *bracket_end(const char *at)
{
	at += at[1] == '^' ? 2 : 1;
	at += *at == ']';
	for (; *at != '\0' && *at != ']'; at++) {
		char kind = '\0';

		if (at[0] == '[')
			kind = at[1];
		if (kind != ':' && kind != '.' && kind != '=')
			continue;
		for (at += 2; *at != '\0' && !(at[0] == kind && at[1] == ']'); at++)
			;
		if (*at == '\0')
			break;
	}
	return *at == '\0' ? at - 1 : at;
}

/* One byte of a pattern, or what belongs together there; NULL: it is refused. */
static const char *weigh(struct weight *w, const char *at)
{
	int64_t times = times_of(&at);

	if (times > 0) {
		add_repeat(w, times);
	} else if (*at == '(') {
		if (++w->depth == GROUPS_MAX)
			return NULL;
		w->whole[w->depth] = w->last[w->depth] = 0;
		w->deepest[w->depth] = w->nested[w->depth] = 0;
	} else if (*at == ')' && w->depth > 0) {
		w->depth--;
		add_atom(w, w->whole[w->depth + 1] + 1, w->deepest[w->depth + 1]);
		if (w->deepest[w->depth + 1] > w->deepest[w->depth])
			w->deepest[w->depth] = w->deepest[w->depth + 1];
	} else if (*at == '|') {
		w->last[w->depth] = 0;
		w->nested[w->depth] = 0;
	} else {
		if (*at == '[')
			at = bracket_end(at);
		else if (*at == '\\' && at[1] != '\0')
			at++;
		add_atom(w, 1, 0);
	}
	return w->whole[w->depth] > NODES_MAX || w->deepest[w->depth] > NESTED_MAX ? NULL : at + 1;
}

static int check_weight(const char *pattern, struct rv_why *why)
{
	struct weight weight = {.depth = 0};

	for (const char *at = pattern; *at != '\0';) {
		if (at[0] == '\\' && at[1] >= '1' && at[1] <= '9')
			return rv_fail(why, RV_E_PARSE, "/%s/: references back are not taken",
				       pattern);
		at = weigh(&weight, at);
		if (!at)
			return rv_fail(why, RV_E_PARSE,
				       "/%s/: its repeats within repeats come to too much",
				       pattern);
	}
	return RV_OK;
}

static int compile(const char *pattern, regex_t *ret_regex, struct rv_why *why)
{
	char says[128];
	int rc = check_weight(pattern, why);

	if (rc != RV_OK)
		return rc;
	rc = regcomp(ret_regex, pattern, FLAGS);
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
	rule->when = text[0] == 'o' ? RV_RULE_OOM : RV_RULE_TIMEOUT;
	if ((strcmp(text, "timeout") == 0 || strcmp(text, "oom") == 0) && *rest == '\0')
		return RV_OK;
	return rv_fail(
		why, RV_E_PARSE,
		"\"%s\": a rule begins with exit N, signal NAME, timeout, oom or stderr /PATTERN/",
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
		return rule->delay_us <= RV_AGAIN_MAX_US
			       ? RV_OK
			       : rv_fail(why, RV_E_PARSE, "\"%s\": more than 520w", text);
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
		if (exit_code == RV_EXIT_OOM) /* as a shell tells of its child's */
			return !timed_out && rv_conf_codes_have(&rule->codes, 128 + SIGKILL);
		return !timed_out && signo == 0 && rv_conf_codes_have(&rule->codes, exit_code);
	case RV_RULE_SIGNAL:
		return !timed_out && signo > 0 && sigismember(&rule->signals, signo) == 1;
	case RV_RULE_TIMEOUT:
		return timed_out;
	case RV_RULE_OOM:
		return !timed_out && exit_code == RV_EXIT_OOM;
	case RV_RULE_STDERR:
		return words && matches(rule->pattern, words);
	}
	IMPOSSIBLE("a rule of no kind");
}
