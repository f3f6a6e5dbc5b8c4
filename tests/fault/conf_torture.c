/*
 * The configuration under hostile conditions, from one seed:
 *   made      random good configurations: dumped and parsed they are the same
 *   mutated   a good file with random damage: never a crash, always OK or errors with file:line
 * (F13) starved   the N-th allocation fails, for every N: RV_E_NOMEM, no leak (F15; under ASan)
 *   conf_torture [--seed N] [--rounds N]
 * Linked with --wrap for malloc, calloc and realloc of our own objects.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "conf/doc.h"
#include "conf/words.h"
#include "helpers/tmpdir.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t state;
static int failures;

static unsigned below(unsigned bound)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)((state >> 33) % bound);
}

static void fail(const char *what, uint64_t seed, const char *text)
{
	failures++;
	(void)printf("FAILED %s, --seed %llu\n%s\n", what, (unsigned long long)seed, text);
}

/* ---- the allocator that can be told to fail */

static long allowed = -1; /* allocations until one fails; -1: none does */
static bool for_ever;     /* … and all after it */
static long asked;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool starve(void)
{
	asked++;
	if (allowed < 0)
		return false;
	if (allowed > 0) {
		allowed--;
		return false;
	}
	if (!for_ever)
		allowed = -1;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return starve() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return starve() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return starve() ? NULL : __real_realloc(old, size);
}

/* ---- a good configuration at random */

static void put(struct rv_buf *out, const char *format, ...) RV_PRINTF(2, 3);

static void put(struct rv_buf *out, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (rv_buf_str(out, text) != RV_OK)
		abort();
}

static const char *pick(const char *const *words, unsigned count)
{
	return words[below(count)];
}
#define PICK(...)                                                                                  \
	pick((const char *const[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / 8)

static void put_task_keys(struct rv_buf *out)
{
	if (below(3) == 0)
		put(out, "timeout = %u%s\n", 1 + below(99), PICK("ms", "s", "m", "h", "us", "d"));
	if (below(3) == 0)
		put(out, "max_attempts = %u\n", 1 + below(20));
	if (below(3) == 0)
		put(out, "backoff = %s%s\n",
		    PICK("none", "fixed 7s", "linear 1ms..1h30m", "exponential 3s..3s"),
		    PICK("", " jitter 7%", " jitter 100%"));
	if (below(3) == 0)
		put(out, "stop_signal = %s\n", PICK("INT", "USR1", "KILL"));
	if (below(3) == 0)
		put(out, "output_max = %u%s\n", below(99), PICK("B", "K", "M"));
	if (below(4) == 0)
		put(out, "env =\n");
	for (unsigned i = below(4); i > 0; i--)
		put(out, "env = V%u=%s\n", below(5),
		    PICK("", "a b", "$x ; # c", "\\\\", "a,b", "\""));
	if (below(4) == 0)
		put(out, "pass_env = PATH, TZ\n  LANG\n");
	if (below(4) == 0)
		put(out, "cwd = %s\n", PICK("/tmp", "/a b", "/$$x", "/\xc3\xa4"));
	if (below(4) == 0)
		put(out, "umask = %o\n", below(0777));
	if (below(4) == 0)
		put(out, "limit_as = %s\n", PICK("", "infinity", "1G", "0", "12345B"));
	if (below(4) == 0)
		put(out, "limit_cpu = %s\n", PICK("", "infinity", "90s"));
	if (below(4) == 0)
		put(out, "limit_nofile = %s\n", PICK("", "infinity", "0", "1024"));
	if (below(4) == 0)
		put(out, "success_exit = 0, %u\n", 1 + below(60));
	if (below(4) == 0)
		put(out, "retry_exit = %s\n", PICK("", "75, 76", "99"));
	if (below(4) == 0)
		put(out, "durability = %s\n", PICK("full", "normal"));
}

static void make(struct rv_buf *out)
{
	put(out, "[defaults]\nqueue = q0\n");
	put_task_keys(out);
	put(out, "[reeve]\nadhoc = %s\nstate_dir = %s\n", PICK("yes", "no", ""), PICK("/s", "/$$"));
	for (unsigned i = 0, n = 1 + below(4); i < n; i++) {
		put(out, "[pool:p%u]\nworkers = %u\nqueues = q0, q%u\n", i, 1 + below(50), i + 1);
		if (below(2))
			put(out, "heartbeat = %ums\nhang_timeout = 19s500ms\n", 10 + below(4000));
		if (below(2))
			put(out, "restart_burst = %u/%us\n", 1 + below(99), 1 + below(99));
	}
	for (unsigned i = 0, n = below(4); i < n; i++)
		put(out, "[queue:q%u]\nstrategy = %s\n", i, PICK("fifo", "priority"));
	for (unsigned i = 0, n = below(6); i < n; i++) {
		put(out, "[task:t%u]\n", i);
		if (below(4) == 0)
			put(out, "handler = builtin\nbuiltin = %s\n",
			    PICK("noop", "sleep", "fail"));
		else
			put(out, "shell = %s\ncommand = %s\n", below(4) ? "no" : "yes",
			    PICK("true", "echo 'a b' \"c $d\" # ;", "a \\\\", "x \\\n  y",
				 "\xe2\x82\xac"));
		put_task_keys(out);
	}
}

/* ---- the checks */

static void count_change(void *ctx, const struct rv_conf_change *change)
{
	(void)change;
	(*(int *)ctx)++;
}

/* Dumped and parsed it must be the same. */
static void check_round_trip(const struct rv_conf *conf, uint64_t seed)
{
	struct rv_buf first = {0};
	struct rv_buf second = {0};
	struct rv_buf said = {0};
	struct rv_conf_errors errors;
	struct rv_conf *again = NULL;
	int changes = 0;

	rv_conf_errors_init(&errors);
	if (rv_conf_dump(conf, below(2) ? RV_CONF_DUMP_PLAIN : RV_CONF_DUMP_ORIGINS, &first) !=
		    RV_OK ||
	    rv_conf_parse(rv_buf_text(&first), first.size, &again, &errors) != RV_OK) {
		(void)!rv_conf_errors_print(&errors, &said);
		fail(rv_buf_text(&said), seed, rv_buf_text(&first));
	} else {
		rv_buf_reset(&first);
		if (rv_conf_dump(conf, RV_CONF_DUMP_PLAIN, &first) != RV_OK ||
		    rv_conf_dump(again, RV_CONF_DUMP_PLAIN, &second) != RV_OK ||
		    rv_conf_diff(conf, again, count_change, &changes) != RV_OK || changes != 0 ||
		    strcmp(rv_buf_text(&first), rv_buf_text(&second)) != 0)
			fail("a dump is not parsed to the same", seed, rv_buf_text(&first));
	}
	rv_conf_free(again);
	rv_conf_errors_fini(&errors);
	rv_buf_fini(&first);
	rv_buf_fini(&second);
	rv_buf_fini(&said);
}

/* Each error names a line that the text has, and says something. */
static void check_errors(const struct rv_conf_errors *errors, const struct rv_buf *text,
			 uint64_t seed)
{
	long lines = 1;

	for (size_t i = 0; i < text->size; i++)
		lines += text->data[i] == '\n';
	for (size_t i = 0; i < errors->count; i++) {
		const char *colon = strrchr(errors->items[i].where, ':');
		long line = colon ? strtol(colon + 1, NULL, 10) : 0;

		if (line < 1 || line > lines || errors->items[i].text[0] == '\0')
			fail(errors->items[i].where, seed, errors->items[i].text);
	}
}

static void try_text(const struct rv_buf *text, bool must_be_good, uint64_t seed)
{
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	struct rv_buf said = {0};
	int err;

	rv_conf_errors_init(&errors);
	err = rv_conf_parse(rv_buf_text(text), text->size, &conf, &errors);
	if ((err != RV_OK && err != RV_E_CONF) || (err == RV_OK) != (conf != NULL) ||
	    (err == RV_OK) != (errors.nerrors == 0) || (must_be_good && err != RV_OK)) {
		(void)!rv_conf_errors_print(&errors, &said);
		fail(rv_buf_text(&said), seed, rv_buf_text(text));
	}
	check_errors(&errors, text, seed);
	if (conf)
		check_round_trip(conf, seed);
	rv_conf_free(conf);
	rv_conf_errors_fini(&errors);
	rv_buf_fini(&said);
}

/* ---- damage */

static void splice(struct rv_buf *text, size_t at, size_t cut, const char *data, size_t size)
{
	struct rv_buf out = {0};

	if (at > text->size)
		at = text->size;
	if (cut > text->size - at)
		cut = text->size - at;
	if (rv_buf_add(&out, text->data, at) != RV_OK || rv_buf_add(&out, data, size) != RV_OK ||
	    rv_buf_add(&out, text->data + at + cut, text->size - at - cut) != RV_OK)
		abort();
	rv_buf_fini(text);
	*text = out;
}

static const char *const scraps[] = {
	"=",
	"[",
	"]",
	"\n",
	"\\",
	"\\\n",
	"\n  ",
	"#",
	";",
	":",
	"${",
	"}",
	"\"",
	"'",
	"\xff",
	"\xc3",
	"\r",
	"0",
	"-1",
	"9999999999999999999999",
	"%",
	"..",
	",",
	",,",
	"[reeve]\n",
	"[task:t]\n",
	"infinity",
	"auto",
	"\t",
	"include = x\n",
	"env = LD_PRELOAD=x\n",
	"${arg.",
	"\xef\xbb\xbf",
};

static void damage(struct rv_buf *text)
{
	size_t at = below((unsigned)text->size + 1);
	size_t span = below(40);
	const char *scrap = pick(scraps, RV_ARRAY_LEN(scraps));
	char byte = (char)below(256);
	char copy[64];

	switch (below(6)) {
	case 0:
		splice(text, at, 1, &byte, 1);
		break;
	case 1:
		splice(text, at, span, NULL, 0);
		break;
	case 2:
		if (span > text->size - at)
			span = text->size - at;
		memcpy(copy, text->data + at, span);
		splice(text, below((unsigned)text->size + 1), 0, copy, span);
		break;
	case 3:
		splice(text, at, below(4), NULL, 0);
		splice(text, at, 0, &byte, 1);
		break;
	case 4:
		splice(text, below(20) ? at : text->size / 2, below(20) ? 0 : text->size, NULL, 0);
		break;
	default:
		splice(text, at, 0, scrap, strlen(scrap));
	}
}

static void round_of(uint64_t seed)
{
	struct rv_buf text = {0};

	state = seed;
	make(&text);
	try_text(&text, true, seed);
	for (unsigned i = 1 + below(6); i > 0; i--)
		damage(&text);
	try_text(&text, false, seed);
	rv_buf_fini(&text);
}

/* ---- starvation */

static char home[] = "HOME=/h";
static char override[] = "REEVE_LOG__LEVEL=debug";
static char *environment[] = {home, override, NULL};
static const char *folder;
static uint64_t good_hash;

static int load(const char *name, struct rv_conf **ret_conf, struct rv_conf_errors *errors)
{
	static const char *const overrides[] = {"pool:a.workers=2", "task:new.command=x", NULL};
	const struct rv_conf_source from = {
		.file = rv_test_path("%s/%s", folder, name),
		.overrides = overrides,
		.environment = environment,
	};

	return rv_conf_load(&from, ret_conf, errors);
}

static int load_good(void)
{
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	uint64_t hash = 0;
	int err;

	rv_conf_errors_init(&errors);
	err = load("good.ini", &conf, &errors);
	if (err == RV_OK)
		err = rv_conf_hash(conf, &hash);
	if (err == RV_OK && good_hash == 0)
		good_hash = hash;
	if (err == RV_OK && hash != good_hash)
		fail("a load without memory is another configuration", 0, "");
	if (err == RV_E_CONF)
		fail("a good file has errors without memory", 0, "");
	rv_conf_free(conf);
	rv_conf_errors_fini(&errors);
	return err;
}

static int load_bad(void)
{
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	struct rv_buf said = {0};
	int err;

	rv_conf_errors_init(&errors);
	err = load("bad.ini", &conf, &errors);
	if (err == RV_OK)
		fail("a bad file was loaded", 0, "");
	if (err == RV_E_CONF && errors.nerrors == 0)
		fail("errors were lost without a trace", 0, "");
	if (err == RV_E_CONF)
		err = rv_conf_errors_print(&errors, &said);
	/* With errors lost it is not over: the caller goes on to the next N. */
	if (err == RV_OK && errors.lost > 0)
		err = RV_E_NOMEM;
	rv_conf_free(conf);
	rv_conf_errors_fini(&errors);
	rv_buf_fini(&said);
	return err;
}

static int write_all(void)
{
	struct rv_buf text = {0};
	struct rv_why why = {0};
	char *path = NULL;
	int err = rv_conf_sample(&text);

	if (err == RV_OK)
		err = rv_conf_manual(&text);
	if (err == RV_OK)
		err = rv_conf_explain("timeout", &text, &why);
	if (err == RV_OK)
		err = rv_conf_find_file("x", environment, &path);
	free(path);
	rv_buf_fini(&text);
	return err;
}

static const char *argument(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return "value";
}

static int split(void)
{
	struct rv_arena arena;
	char **argv = NULL;
	int err;

	rv_arena_init(&arena);
	err = rv_words_argv("a 'b' \"c ${arg.d}e\" f", argument, NULL, &arena, &argv, NULL);
	rv_arena_reset(&arena);
	return err;
}

/* Fails allocation N of ${work} until it passes; then the same with all after N failing as well. */
static void starve_each(const char *name, int (*work)(void))
{
	long most;

	asked = 0;
	if (work() != RV_OK)
		fail(name, 0, "does not work with memory");
	most = asked;
	for (int pass = 0; pass < 2; pass++) {
		for (long n = 0; n < most; n++) {
			int err;

			allowed = n;
			for_ever = pass == 1;
			err = work();
			allowed = -1;
			if (err != RV_OK && err != RV_E_NOMEM)
				fail(name, (uint64_t)n, rv_err_name(err));
			if (err == RV_OK && pass == 1 && work != load_bad)
				fail(name, (uint64_t)n, "worked without memory");
		}
	}
	(void)printf("%s: %ld allocations, each failed once and for ever\n", name, most);
	if (most < 5)
		fail(name, 0, "hardly any allocation: is --wrap in force?");
}

static void starve_all(void)
{
	struct rv_buf text = {0};

	folder = rv_test_tmpdir();
	state = 7;
	put(&text, "[pool:a]\nqueues = q0\n[reeve]\ninclude = more*.ini\n");
	make(&text);
	/* make() writes [reeve] as well: an included file is its place. */
	rv_test_write_file(rv_test_path("%s/more.ini", folder), "%s",
			   strstr(rv_buf_text(&text), "[defaults]"));
	rv_test_write_file(rv_test_path("%s/good.ini", folder),
			   "[pool:a]\nqueues = q0\n[reeve]\ninclude = more*.ini\n");
	rv_test_write_file(rv_test_path("%s/bad.ini", folder),
			   "[pool:a]\nqueues = q0:2\nnonsense\n[stoer]\n[task:t]\ncommand = 'x\n"
			   "tiemout = 5\ntimeout = 5\nenv = IFS=1\n  x\nhandler = pipe\n");
	rv_buf_fini(&text);
	if (chmod(rv_test_path("%s/good.ini", folder), 0600) != 0 ||
	    chmod(rv_test_path("%s/bad.ini", folder), 0600) != 0 ||
	    chmod(rv_test_path("%s/more.ini", folder), 0600) != 0)
		abort();
	starve_each("load a good file", load_good);
	starve_each("load a bad file", load_bad);
	starve_each("sample, manual, explain", write_all);
	starve_each("words", split);
}

int main(int argc, char **argv)
{
	unsigned long rounds = 3000;
	uint64_t seed = 1;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--rounds") == 0)
			rounds = strtoul(argv[i + 1], NULL, 10);
	}
	for (unsigned long i = 0; i < rounds && failures < 5; i++)
		round_of(seed + i);
	(void)printf("%lu configurations made, dumped and damaged\n", rounds);
	starve_all();
	(void)printf("%d failures\n", failures);
	return failures > 0;
}
