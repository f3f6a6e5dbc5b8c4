/*
 * F22: a store with flipped bits, lost pages, zeroed pages, a cut or foreign log.  Opening it and
 * working with it may fail, with CORRUPT or SCHEMA and a sentence; it must not crash, hang or tell
 * anything else, and a file that is refused stays as it was.
 */
#include "helpers/tmpdir.h"
#include "scene.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t state = 88172645463325252ULL;

static uint64_t dice(uint64_t below)
{
	state ^= state << 13; /* xorshift64 */
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static void damage(const char *path)
{
	struct stat st;
	unsigned char page[4096] = {0};
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint64_t size;

	CHECK(fd >= 0 && fstat(fd, &st) == 0, "cannot open %s", path);
	size = (uint64_t)st.st_size;
	if (size == 0) {
		(void)close(fd);
		return;
	}
	switch (dice(5)) {
	case 0: /* some bytes */
		for (uint64_t i = 0, n = 1 + dice(40); i < n; i++) {
			unsigned char byte = (unsigned char)dice(256);

			CHECK(pwrite(fd, &byte, 1, (off_t)dice(size)) == 1, "no write");
		}
		break;
	case 1: /* a page zeroed */
		CHECK(pwrite(fd, page, sizeof page, (off_t)(dice(size) & ~4095ULL)) == 4096,
		      "no write");
		break;
	case 2: /* the end lost */
		CHECK(ftruncate(fd, (off_t)dice(size)) == 0, "no truncation");
		break;
	case 3: /* a page in another's place */
		CHECK(pread(fd, page, sizeof page, (off_t)(dice(size) & ~4095ULL)) >= 0, "no read");
		CHECK(pwrite(fd, page, sizeof page, (off_t)(dice(size) & ~4095ULL)) == 4096,
		      "no write");
		break;
	default: /* the beginning of a page: its type and cells */
		for (int i = 0; i < 4; i++) {
			unsigned char byte = (unsigned char)dice(256);
			uint64_t at = (dice(size) & ~4095ULL) + dice(24);

			CHECK(pwrite(fd, &byte, 1, (off_t)at) == 1, "no write");
		}
		break;
	}
	(void)close(fd);
}

static int seen(void *ctx, const struct rv_job_view *view)
{
	(*(int *)ctx) += view->task != NULL;
	return RV_OK;
}

static int seen_run(void *ctx, const struct rv_attempt_view *view)
{
	(*(int *)ctx) += view->run;
	return RV_OK;
}

static void found(void *ctx, const char *rule, const char *what)
{
	(*(int *)ctx) += rule && what;
}

static void sound(int err, const char *doing)
{
	static const int allowed[] = {RV_OK,         RV_E_CORRUPT,  RV_E_SCHEMA, RV_E_NOTFOUND,
				      RV_E_CONFLICT, RV_E_INTERNAL, RV_E_IO,     RV_E_UNKNOWN,
				      RV_E_STALE,    RV_E_NOMEM,    RV_E_TOOBIG};

	for (size_t i = 0; i < RV_ARRAY_LEN(allowed); i++) {
		if (err == allowed[i])
			return;
	}
	CHECK(false, "%s: %s", doing, rv_err_name(err));
}

/* Everything a client does, on what may be a ruin; how many problems were told. */
static int visit(const char *path)
{
	static struct scene s;
	struct rv_job_filter filter = {.state = -1};
	int count = 0;
	int problems = 0;

	scene_start(&s, path, RV_DURABILITY_NORMAL);
	if (scene_open(&s) == RV_OK) {
		int err = rv_store_check(s.store, true, found, &problems);

		sound(err, "check");
		problems += err != RV_OK;
		sound(rv_store_jobs(s.store, &filter, seen, &count), "list");
		for (int64_t id = 1; id < 6; id++)
			sound(rv_store_attempts(s.store, id, seen_run, &count), "attempts");
		rv_store_close(s.store);
		s.store = NULL;
	} else {
		CHECK(s.why.text[0] != '\0', "refused without a word");
		problems++;
	}
	scene_start(&s, path, RV_DURABILITY_NORMAL);
	if (!scene_play(&s)) {
		CHECK(s.why.text[0] != '\0', "refused without a word");
		problems++;
	} else if (s.errors > 0) {
		sound(s.last_error, "a request");
	}
	scene_close(&s);
	return problems;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 && strcmp(argv[1], "--all") == 0 ? 20000 : 400;
	static struct scene s;
	char clean[600];
	char path[600];
	char log[640];
	int told = 0;

	scene_begin();
	(void)snprintf(clean, sizeof clean, "%s/clean.db", rv_test_tmpdir());
	(void)snprintf(path, sizeof path, "%s/s.db", rv_test_tmpdir());
	(void)snprintf(log, sizeof log, "%s-wal", path);
	scene_make(clean, RV_DURABILITY_NORMAL);
	scene_start(&s, clean, RV_DURABILITY_NORMAL);
	CHECK(scene_play(&s), "%s", s.why.text);
	scene_start(&s, clean, RV_DURABILITY_NORMAL);
	CHECK(scene_play(&s), "%s", s.why.text); /* ends with a checkpoint: all is in the file */
	scene_start(&s, clean, RV_DURABILITY_NORMAL);
	CHECK(scene_open(&s) == RV_OK, "%s", s.why.text);
	(void)scene_add(&s, &(struct rv_job_new){.task = "t", .priority = -1});
	scene_close(&s); /* and something in the log */
	for (int i = 0; i < rounds; i++) {
		scene_copy(clean, path);
		damage(i % 4 == 3 ? log : path);
		told += visit(path) > 0;
	}
	(void)printf("%d damaged stores, %d told so\n", rounds, told);
	CHECK(told > rounds / 4, "damage is not seen");
	return 0;
}
