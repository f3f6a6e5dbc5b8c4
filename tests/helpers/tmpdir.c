/* Private folders for tests, removed at the end: no test leaves a file behind. */
#include "helpers/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS 64
#define MEMORY  "/dev/shm" /* shm_overview(7): a tmpfs */

static char folders[FOLDERS][512];
static size_t nfolders;
static pid_t owner; /* a fork must not remove its parent's folders */

static void give_up(const char *what, const char *detail)
{
	(void)fprintf(stderr, "test helper: %s: %s\n", what, detail);
	abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)walk;
	(void)type;
	return remove(path);
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)walk;
	if (type == FTW_D || type == FTW_DNR)
		(void)chmod(path, 0700); /* a test may have closed it */
	return 0;
}

void rv_test_remove_tree(const char *path)
{
	(void)nftw(path, open_up, 16, FTW_PHYS);
	if (nftw(path, remove_one, 16, FTW_PHYS | FTW_DEPTH) != 0 && errno != ENOENT)
		give_up(path, strerror(errno));
}

void rv_test_tmpdir_end(void)
{
	if (owner != getpid())
		return;
	while (nfolders > 0)
		rv_test_remove_tree(folders[--nfolders]);
}

static const char *new_folder(const char *base)
{
	char *path;

	if (owner != getpid()) {
		owner = getpid();
		nfolders = 0;
		(void)atexit(rv_test_tmpdir_end);
	}
	if (nfolders == FOLDERS)
		give_up("tmpdir", "too many folders");
	path = folders[nfolders++];
	(void)snprintf(path, sizeof folders[0], "%s/reeve-test-XXXXXX", base);
	if (!mkdtemp(path))
		give_up(path, strerror(errno));
	return path;
}

const char *rv_test_tmpdir(void)
{
	const char *base = getenv("TMPDIR");

	return new_folder(base && base[0] != '\0' ? base : "/tmp");
}

const char *rv_test_memdir(void)
{
	if (getenv("TMPDIR") || access(MEMORY, W_OK | X_OK) != 0)
		return rv_test_tmpdir();
	return new_folder(MEMORY);
}

const char *rv_test_path(const char *format, ...)
{
	static char paths[16][4096];
	static size_t next;
	char *path = paths[next++ % 16];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(path, sizeof paths[0], format, args);
	va_end(args);
	return path;
}

void rv_test_write_file(const char *path, const char *format, ...)
{
	FILE *file = fopen(path, "we");
	va_list args;
	int n;

	if (!file)
		give_up(path, strerror(errno));
	va_start(args, format);
	n = vfprintf(file, format, args);
	va_end(args);
	if (fclose(file) != 0 || n < 0)
		give_up(path, strerror(errno));
}

char *rv_test_read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t size = 0;
	size_t space = 4096;
	char *text = malloc(space);

	if (!file) {
		free(text);
		return NULL;
	}
	for (;;) {
		size_t n;

		if (!text)
			give_up(path, "out of memory");
		n = fread(text + size, 1, space - size - 1, file);
		if (n == 0)
			break;
		size += n;
		if (space - size == 1) {
			space *= 2;
			text = realloc(text, space);
		}
	}
	text[size] = '\0';
	(void)fclose(file);
	return text;
}
