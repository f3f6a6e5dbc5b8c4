/*
 * Who holds a lock.  Keeper and leaders, in a busy handler too: opens nothing but /proc/locks and
 * allocates nothing.  A line (fs/locks.c, lock_get_status):
 *   1: POSIX  ADVISORY  WRITE 1234 08:01:5678 120 120
 * with "->" after the number for those who wait; the last field may be EOF.
 */
#include "os/proclocks.h"

#include "base/err.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LINE_MAX_SIZE 256
#define TABLE_TRIES   3

/* How well a line's inode fits the file; on an anonymous device (btrfs, overlay) stat says another
 * number than the lock table, which has the superblock's: then the inode alone, as second best. */
enum fit { FIT_NOT, FIT_INODE, FIT_EXACT };

struct search {
	const struct rv_fs_id *file;
	int64_t byte;
	enum fit best;
	pid_t pid;
};

static enum fit fit_of(const struct rv_fs_id *file, unsigned major_no, unsigned minor_no,
		       unsigned long inode)
{
	if (inode != file->ino)
		return FIT_NOT;
	if (major_no == major(file->dev) && minor_no == minor(file->dev))
		return FIT_EXACT;
	return major(file->dev) == 0 && major_no == 0 ? FIT_INODE : FIT_NOT;
}

enum { NUMBER, KIND, MODE, ACCESS, PID, INODE, FROM, TO, WORDS };

/* Splits ${line} at its blanks, in place; how many words it has, WORDS + 1 at most. */
static int split(char *line, char *words[WORDS + 1])
{
	int count = 0;
	char *rest = NULL;

	for (char *word = strtok_r(line, " ", &rest); word && count <= WORDS;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	return count;
}

/* Readers, flocks, leases, and those who only wait ("->" makes a word more) are passed over. */
static void look_at(char *line, struct search *search)
{
	char *words[WORDS + 1];
	unsigned long major_no;
	unsigned long minor_no;
	long long to = INT64_MAX;
	enum fit fit;
	char *end;

	if (split(line, words) != WORDS || strcmp(words[ACCESS], "WRITE") != 0 ||
	    (strcmp(words[KIND], "POSIX") != 0 && strcmp(words[KIND], "OFDLCK") != 0))
		return;
	major_no = strtoul(words[INODE], &end, 16);
	minor_no = *end == ':' ? strtoul(end + 1, &end, 16) : 0;
	if (*end != ':')
		return;
	fit = fit_of(search->file, (unsigned)major_no, (unsigned)minor_no,
		     strtoul(end + 1, NULL, 10));
	if (strcmp(words[TO], "EOF") != 0)
		to = strtoll(words[TO], NULL, 10);
	if (fit > search->best && strtoll(words[FROM], NULL, 10) <= search->byte &&
	    to >= search->byte) {
		search->best = fit;
		search->pid = (pid_t)strtol(words[PID], NULL, 10);
	}
}

/* Every whole line of ${text}; returns where the rest of an unfinished one begins. */
static char *look_at_lines(char *text, struct search *search)
{
	char *end;

	while ((end = strchr(text, '\n')) != NULL) {
		*end = '\0';
		look_at(text, search);
		text = end + 1;
	}
	return text;
}

static int result(const struct search *search, pid_t *ret_pid)
{
	if (search->best == FIT_NOT)
		return RV_E_NOTFOUND;
	*ret_pid = search->pid;
	return RV_OK;
}

int rv_proclocks_parse(const char *text, const struct rv_fs_id *file, int64_t byte, pid_t *ret_pid)
{
	struct search search = {.file = file, .byte = byte};
	char line[LINE_MAX_SIZE];

	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		(void)snprintf(line, sizeof line, "%.*s", (int)length, text);
		look_at(line, &search);
		text += length + (text[length] == '\n');
	}
	return result(&search, ret_pid);
}

/* One reading of the table from its start; ${*ret_reads}: in how many pieces it came. */
static int read_table(struct search *search, int *ret_reads)
{
	RV_AUTO(rv_fd_close) int fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
	char text[4096 + LINE_MAX_SIZE + 1];
	size_t kept = 0;

	if (fd < 0)
		return rv_err_from_errno(errno);
	for (*ret_reads = 0;;) {
		ssize_t n = read(fd, text + kept, sizeof text - 1 - kept);
		char *rest;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_err_from_errno(errno);
		if (n == 0)
			return RV_OK;
		++*ret_reads;
		text[kept + (size_t)n] = '\0';
		rest = look_at_lines(text, search);
		kept = strlen(rest);
		memmove(text, rest, kept);
		if (kept > LINE_MAX_SIZE)
			kept = 0; /* no line of the kernel's is that long */
	}
}

int rv_proclocks_writer(const struct rv_fs_id *file, int64_t byte, pid_t *ret_pid)
{
	struct search search = {.file = file, .byte = byte};

	/*
	 * The kernel gives a page at a time and counts lines between them: while others take and
	 * drop locks, one that is held all along may fall into the gap.  So a long table is read
	 * again.
	 */
	for (int tries = 0; tries < TABLE_TRIES; tries++) {
		int reads = 0;
		int err = read_table(&search, &reads);

		if (err != RV_OK)
			return err;
		if (search.best != FIT_NOT || reads <= 1)
			break;
	}
	return result(&search, ret_pid);
}
