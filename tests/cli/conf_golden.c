/*
 * Configurations with every kind of mistake, each beside the exact text of its errors; and the
 * files that are made from the key table, each beside what is committed. conf_golden SOURCE-DIR
 * [--update] The files are copied to a private folder first: in a checkout their modes may be
 * anything.
 */
#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "conf/doc.h"
#include "helpers/tmpdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failures;
static int compared;
static bool update;
static char home[] = "HOME=/home/somebody";
static char trailing[] = "TRAILING=/x/y ";
static char *environment[] = {home, trailing, NULL};

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text);

	return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void write_bytes(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) != 0)
		die(path);
}

static void read_bytes(const char *path, struct rv_buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 1;

	if (fd < 0)
		return; /* nothing committed yet: compares as empty */
	while (got > 0) {
		if (rv_buf_reserve(out, 65536) != RV_OK)
			die("memory");
		got = read(fd, out->data + out->size, 65536);
		if (got < 0)
			die(path);
		out->size += (size_t)got;
		out->data[out->size] = '\0';
	}
	(void)close(fd);
}

static void compare(const char *path, const struct rv_buf *got)
{
	struct rv_buf want = {0};

	compared++;
	if (update) {
		write_bytes(path, rv_buf_text(got), got->size);
		return;
	}
	read_bytes(path, &want);
	if (strcmp(rv_buf_text(&want), rv_buf_text(got)) != 0) {
		failures++;
		(void)printf(
			"%s differs (write it anew with --update)\n--- committed\n%s--- now\n%s",
			path, rv_buf_text(&want), rv_buf_text(got));
	}
	rv_buf_fini(&want);
}

/* The errors of ${name}, as the working directory has it. */
static void load(const char *name, struct rv_buf *out)
{
	const struct rv_conf_source from = {
		.file = name, .environment = environment, .as = RV_CONF_AS_ROOT};
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	int err;

	rv_conf_errors_init(&errors);
	err = rv_conf_load(&from, &conf, &errors);
	if (rv_buf_printf(out, "%s\n", rv_err_name(err)) != RV_OK ||
	    rv_conf_errors_print(&errors, out) != RV_OK)
		die("memory");
	if ((err == RV_OK) != (conf != NULL) || (err == RV_OK) != (errors.nerrors == 0)) {
		(void)printf("%s: error, result and list disagree\n", name);
		failures++;
	}
	rv_conf_free(conf);
	rv_conf_errors_fini(&errors);
}

static void copy_all(const char *from, const char *to)
{
	struct dirent *entry;
	DIR *dir = opendir(from);

	if (!dir)
		die(from);
	while ((entry = readdir(dir)) != NULL) {
		struct rv_buf text = {0};

		if (!ends_with(entry->d_name, ".ini") && !ends_with(entry->d_name, ".inc"))
			continue;
		read_bytes(rv_test_path("%s/%s", from, entry->d_name), &text);
		write_bytes(rv_test_path("%s/%s", to, entry->d_name), rv_buf_text(&text),
			    text.size);
		rv_buf_fini(&text);
	}
	(void)closedir(dir);
}

static void compare_all(const char *golden)
{
	struct dirent *entry;
	DIR *dir = opendir(".");

	if (!dir)
		die("opendir");
	while ((entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;
		struct rv_buf text = {0};

		if (!ends_with(name, ".ini"))
			continue;
		load(name, &text);
		compare(rv_test_path("%s/%.*s.err", golden, (int)strlen(name) - 4, name), &text);
		rv_buf_fini(&text);
	}
	(void)closedir(dir);
}

static void compare_made(const char *path, int (*make)(struct rv_buf *out))
{
	struct rv_buf text = {0};

	if (make(&text) != RV_OK)
		die("memory");
	compare(path, &text);
	rv_buf_fini(&text);
}

/* The sample is a configuration, and says nothing but the defaults. */
static void check_sample(const char *source)
{
	struct rv_conf_source from = {.environment = environment};
	const char *overrides[] = {"reeve.include=", NULL};
	struct rv_buf sample = {0};
	struct rv_conf_errors errors;
	struct rv_conf *conf = NULL;
	struct rv_conf *bare = NULL;
	uint64_t a = 0;
	uint64_t b = 1;

	read_bytes(rv_test_path("%s/conf/reeve.ini", source), &sample);
	write_bytes("sample.ini", rv_buf_text(&sample), sample.size);
	rv_buf_fini(&sample);
	rv_conf_errors_init(&errors);
	from.overrides = overrides;
	from.file = NULL;
	if (rv_conf_load(&from, &bare, &errors) != RV_OK)
		failures++;
	from.file = "sample.ini";
	if (rv_conf_load(&from, &conf, &errors) != RV_OK)
		failures++;
	if (conf && bare) {
		bare->reeve.adhoc = false; /* the one default that depends on there being a file */
		if (rv_conf_hash(conf, &a) != RV_OK || rv_conf_hash(bare, &b) != RV_OK || a != b)
			failures++;
	}
	if (failures)
		(void)printf("conf/reeve.ini: not the defaults\n");
	rv_conf_free(conf);
	rv_conf_free(bare);
	rv_conf_errors_fini(&errors);
}

int main(int argc, char **argv)
{
	char source[4096];
	const char *golden;
	const char *dir;

	if (argc < 2 || !realpath(argv[1], source)) {
		(void)fprintf(stderr, "usage: conf_golden SOURCE-DIR [--update]\n");
		return 2;
	}
	update = argc > 2 && strcmp(argv[2], "--update") == 0;
	golden = strdup(rv_test_path("%s/tests/cli/golden/conf", source));
	dir = rv_test_tmpdir();
	if (!golden)
		die("memory");
	copy_all(golden, dir);
	if (chdir(dir) != 0)
		die(dir);
	(void)umask(022);
	compare_all(golden);
	compare_made(rv_test_path("%s/conf/reeve.ini", source), rv_conf_sample);
	compare_made(rv_test_path("%s/docs/man/reeve.ini.5.scd", source), rv_conf_manual);
	check_sample(source);
	if (chdir("/") != 0)
		die("/");
	free((void *)(size_t)golden);
	(void)printf("%d files compared, %d failures\n", compared, failures);
	return failures > 0 || compared < 14;
}
