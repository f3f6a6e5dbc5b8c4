/*
 * The reader of output files, also of ones that grow meanwhile.  CLI processes.  The writer never
 * waits for it: what a ring has overwritten before it was read shows as dropped bytes.
 */
#include "obs/output.h"

#include "base/check.h"
#include "base/err.h"
#include "obs/output_format.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define TORN_TRIES 64 /* looks at a ring that is overwritten as fast as we read */

struct rv_output_reader {
	struct rv_output_how how;
	char *state_dir;
	int head_fd, tail_fd, watch_fd; /* -1: none */
	int64_t offset;                 /* in the head: file offset; in the tail: logical */
	int64_t expected;             /* bytes printed before the next record, if none is missing */
	char *data;                   /* RV_OUTPUT_CHUNK bytes; owned */
	struct rv_output_record held; /* to be given after a DROPPED */
	bool in_tail, holding;
};

int rv_output_reader_open(const struct rv_output_how *how, struct rv_output_reader **ret_reader)
{
	struct rv_output_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return RV_E_NOMEM;
	*reader = (struct rv_output_reader){
		.how = *how, .head_fd = -1, .tail_fd = -1, .watch_fd = -1};
	reader->state_dir = strdup(how->state_dir);
	reader->data = malloc(RV_OUTPUT_CHUNK);
	reader->how.state_dir = reader->state_dir;
	if (!reader->state_dir || !reader->data) {
		rv_output_reader_close(reader);
		return RV_E_NOMEM;
	}
	*ret_reader = reader;
	return RV_OK;
}

void rv_output_reader_close(struct rv_output_reader *reader)
{
	if (!reader)
		return;
	if (reader->head_fd >= 0)
		(void)close(reader->head_fd);
	if (reader->tail_fd >= 0)
		(void)close(reader->tail_fd);
	if (reader->watch_fd >= 0)
		(void)close(reader->watch_fd);
	free(reader->state_dir);
	free(reader->data);
	free(reader);
}

bool rv_output_reader_exists(const struct rv_output_reader *reader)
{
	char path[PATH_MAX];

	for (int tail = 0; tail < 2; tail++) {
		if (rv_output_path(path, sizeof(path), &reader->how, tail != 0) == RV_OK &&
		    access(path, F_OK) == 0)
			return true;
	}
	return false;
}

/* RV_E_BUSY: not there yet. */
static int open_file(const struct rv_output_reader *reader, bool tail, int *ret_fd)
{
	char path[PATH_MAX];
	int err = rv_output_path(path, sizeof(path), &reader->how, tail);
	int fd;

	if (err != RV_OK)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? RV_E_BUSY : rv_err_from_errno(errno);
	*ret_fd = fd;
	return RV_OK;
}

/* All of it, or RV_E_BUSY where the file ends before. */
static int read_at(int fd, void *data, size_t size, int64_t offset)
{
	char *to = data;

	while (size > 0) {
		ssize_t n = pread(fd, to, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_err_from_errno(errno);
		if (n == 0)
			return RV_E_BUSY;
		to += n;
		size -= (size_t)n;
		offset += n;
	}
	return RV_OK;
}

static bool plausible(const struct rv_output_entry *entry)
{
	uint16_t stream = le16toh(entry->stream);

	return le16toh(entry->magic) == RV_OUTPUT_RECORD && stream >= RV_OUTPUT_STDOUT &&
	       stream <= RV_OUTPUT_PROGRESS && le32toh(entry->size) > 0 &&
	       le32toh(entry->size) <= RV_OUTPUT_CHUNK && (int64_t)le64toh(entry->at) >= 0;
}

static void fill(struct rv_output_record *record, const struct rv_output_entry *entry,
		 const char *data)
{
	*record = (struct rv_output_record){
		.stream = (enum rv_output_stream)le16toh(entry->stream),
		.time_us = (int64_t)le64toh((uint64_t)entry->time_us),
		.data = data,
		.size = le32toh(entry->size),
		.at = (int64_t)le64toh(entry->at),
	};
}

static int head_open(struct rv_output_reader *reader)
{
	struct rv_output_file file;
	int err = RV_OK;

	if (reader->head_fd < 0)
		err = open_file(reader, false, &reader->head_fd);
	if (err == RV_OK)
		err = read_at(reader->head_fd, &file, sizeof(file), 0);
	if (err != RV_OK)
		return err;
	if (le64toh(file.magic) != RV_OUTPUT_MAGIC || le32toh(file.version) != RV_OUTPUT_VERSION)
		return RV_E_CORRUPT;
	reader->offset = sizeof(file);
	return RV_OK;
}

/* RV_E_BUSY at the end of the head, or at a record that is not whole. */
static int head_next(struct rv_output_reader *reader, struct rv_output_record *ret)
{
	struct rv_output_entry entry;
	int err = reader->offset == 0 ? head_open(reader) : RV_OK;

	if (err == RV_OK)
		err = read_at(reader->head_fd, &entry, sizeof(entry), reader->offset);
	if (err != RV_OK)
		return err;
	if (!plausible(&entry))
		return RV_E_CORRUPT;
	err = read_at(reader->head_fd, reader->data, le32toh(entry.size),
		      reader->offset + (int64_t)sizeof(entry));
	if (err != RV_OK)
		return err;
	reader->offset += (int64_t)(sizeof(entry) + le32toh(entry.size));
	fill(ret, &entry, reader->data);
	return RV_OK;
}

static int tail_header(const struct rv_output_reader *reader, struct rv_output_tail *ret)
{
	int err = read_at(reader->tail_fd, ret, sizeof(*ret), 0);

	if (err != RV_OK)
		return err;
	ret->size = le64toh(ret->size);
	ret->start = le64toh(ret->start);
	ret->end = le64toh(ret->end);
	if (le64toh(ret->file.magic) != RV_OUTPUT_TAIL_MAGIC ||
	    le32toh(ret->file.version) != RV_OUTPUT_VERSION || ret->size == 0 ||
	    ret->size > INT64_MAX / 2 || ret->end > INT64_MAX / 2 || ret->start > ret->end ||
	    ret->end - ret->start > ret->size)
		return RV_E_CORRUPT;
	return RV_OK;
}

static int ring_read(const struct rv_output_reader *reader, const struct rv_output_tail *tail,
		     void *data, size_t size, int64_t offset)
{
	int64_t place = offset % (int64_t)tail->size;
	size_t first = (size_t)((int64_t)tail->size - place);
	int err;

	if (first > size)
		first = size;
	err = read_at(reader->tail_fd, data, first, (int64_t)sizeof(*tail) + place);
	if (err != RV_OK || first == size)
		return err;
	return read_at(reader->tail_fd, (char *)data + first, size - first, (int64_t)sizeof(*tail));
}

/* A look at the ring at our offset; RV_E_STALE: it was overwritten while we looked. */
static int tail_look(struct rv_output_reader *reader, struct rv_output_entry *ret)
{
	struct rv_output_tail before, after;
	int err = tail_header(reader, &before);
	int64_t end;

	if (err != RV_OK)
		return err;
	if (reader->offset < (int64_t)before.start)
		reader->offset = (int64_t)before.start;
	if (reader->offset >= (int64_t)before.end)
		return RV_E_BUSY;
	err = ring_read(reader, &before, ret, sizeof(*ret), reader->offset);
	if (err != RV_OK)
		return err;
	end = reader->offset + (int64_t)sizeof(*ret) + (int64_t)le32toh(ret->size);
	if (plausible(ret) && end <= (int64_t)before.end)
		err = ring_read(reader, &before, reader->data, le32toh(ret->size),
				reader->offset + (int64_t)sizeof(*ret));
	else
		err = RV_E_CORRUPT;
	if (tail_header(reader, &after) == RV_OK && (int64_t)after.start > reader->offset)
		return RV_E_STALE;
	if (err == RV_OK)
		reader->offset = end;
	return err;
}

static int tail_next(struct rv_output_reader *reader, struct rv_output_record *ret)
{
	struct rv_output_entry entry;

	for (int i = 0; i < TORN_TRIES; i++) {
		int err = tail_look(reader, &entry);

		if (err == RV_OK)
			fill(ret, &entry, reader->data);
		if (err != RV_E_STALE)
			return err;
	}
	return RV_E_BUSY;
}

static int any_next(struct rv_output_reader *reader, struct rv_output_record *ret)
{
	int err;

	if (reader->in_tail)
		return tail_next(reader, ret);
	err = head_next(reader, ret);
	if (err != RV_E_BUSY)
		return err;
	err = open_file(reader, true, &reader->tail_fd);
	if (err != RV_OK)
		return err;
	/* The head may have got its last record between our look and the tail's birth. */
	err = head_next(reader, ret);
	if (err != RV_E_BUSY) {
		(void)close(reader->tail_fd);
		reader->tail_fd = -1;
		return err;
	}
	reader->in_tail = true;
	reader->offset = 0;
	return tail_next(reader, ret);
}

int rv_output_next(struct rv_output_reader *reader, struct rv_output_record *ret)
{
	int64_t missing;
	int err;

	if (reader->holding) {
		reader->holding = false;
		*ret = reader->held;
		return RV_OK;
	}
	err = any_next(reader, &reader->held);
	if (err != RV_OK)
		return err;
	missing = reader->held.at - reader->expected;
	reader->expected = reader->held.at + (int64_t)reader->held.size;
	if (missing <= 0) {
		*ret = reader->held;
		return RV_OK;
	}
	reader->holding = true;
	*ret = (struct rv_output_record){
		.stream = RV_OUTPUT_DROPPED,
		.time_us = reader->held.time_us,
		.dropped = missing,
		.at = reader->held.at - missing,
	};
	return RV_OK;
}

/*
 * Watches what is there: the files themselves for writes, and for births the nearest folder above
 * them (the store lies in the topmost one and is written all the time).
 */
static int watch_files(struct rv_output_reader *reader)
{
	char path[PATH_MAX];
	int err;

	for (int tail = 1; tail >= 0; tail--) {
		err = rv_output_path(path, sizeof(path), &reader->how, tail != 0);
		if (err != RV_OK)
			return err;
		if (inotify_add_watch(reader->watch_fd, path, IN_MODIFY) < 0 && errno != ENOENT)
			return rv_err_from_errno(errno);
	}
	for (int up = 0; up < 3; up++) {
		char *slash = strrchr(path, '/');

		INV(slash != NULL);
		*slash = '\0';
		if (inotify_add_watch(reader->watch_fd, path, IN_CREATE | IN_MOVED_TO) >= 0)
			return RV_OK;
		if (errno != ENOENT)
			return rv_err_from_errno(errno);
	}
	return RV_E_NOTFOUND;
}

int rv_output_watch(struct rv_output_reader *reader, int *ret_fd)
{
	char pending[4096];
	int err;

	if (reader->watch_fd < 0)
		reader->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (reader->watch_fd < 0)
		return rv_err_from_errno(errno);
	while (read(reader->watch_fd, pending, sizeof(pending)) > 0)
		continue;
	err = watch_files(reader);
	if (err == RV_OK)
		*ret_fd = reader->watch_fd;
	return err;
}
