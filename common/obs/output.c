/*
 * The writer of output files (format: output_format.h).  Worker processes only.  It must never make
 * a job wait for anything but the page cache, and never fail its caller: a full disk costs output,
 * not the job.
 */
#include "obs/output.h"

#include "base/check.h"
#include "base/err.h"
#include "base/fault.h"
#include "obs/output_format.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FOLDER_JOBS 1000 /* jobs whose files share a folder */

static int path_of(char *out, size_t space, const struct rv_output_how *how, const char *suffix)
{
	int n = snprintf(out, space, "%s/output/%lld/%lld.%d.%s", how->state_dir,
			 (long long)(how->job / FOLDER_JOBS), (long long)how->job, how->run,
			 suffix);

	return n < 0 || (size_t)n >= space ? RV_E_TOOBIG : RV_OK;
}

int rv_output_path(char *out, size_t space, const struct rv_output_how *how, bool tail)
{
	return path_of(out, space, how, tail ? "tail" : "out");
}

int rv_output_remove(const struct rv_output_how *how)
{
	char path[PATH_MAX];
	int err = RV_OK;

	for (int tail = 0; tail < 2; tail++) {
		if (rv_output_path(path, sizeof(path), how, tail != 0) != RV_OK)
			return RV_E_TOOBIG;
		if (unlink(path) != 0 && errno != ENOENT)
			err = rv_err_from_errno(errno);
	}
	return err;
}

void rv_output_open(struct rv_output *out, const struct rv_output_how *how)
{
	PRE(how->job > 0 && how->run > 0 && how->cap_bytes >= 0);
	*out = (struct rv_output){.how = *how, .head_fd = -1, .tail_fd = -1};
	out->head_max = how->cap_bytes / 2;
	out->ring_size = how->cap_bytes - out->head_max - (int64_t)sizeof(struct rv_output_tail);
	if (out->ring_size <= (int64_t)sizeof(struct rv_output_entry))
		out->ring_size = 0;
}

void rv_output_close(struct rv_output *out)
{
	if (out->head_fd >= 0)
		(void)close(out->head_fd);
	if (out->tail_fd >= 0)
		(void)close(out->tail_fd);
	out->head_fd = -1;
	out->tail_fd = -1;
}

/* Writes all of it at ${offset}; a short write is ENOSPC or an error on its next call. */
static int write_at(int fd, const void *data, size_t size, int64_t offset)
{
	const char *from = data;
	int err = RV_FAULT(output_write);

	while (err == RV_OK && size > 0) {
		ssize_t n = pwrite(fd, from, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? RV_E_NOSPACE : rv_err_from_errno(errno);
		from += n;
		size -= (size_t)n;
		offset += n;
	}
	return err;
}

static int make_folder(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0)
		return chmod(path, mode) == 0 ? RV_OK : rv_err_from_errno(errno);
	return errno == EEXIST ? RV_OK : rv_err_from_errno(errno);
}

/* The folders above ${path}, the last two of which are ours to make. */
static int make_folders(const struct rv_output *out, const char *path)
{
	mode_t mode = out->how.group_readable ? 02750 : 0700;
	char folder[PATH_MAX];
	size_t shard = (size_t)(strrchr(path, '/') - path);
	int err;

	memcpy(folder, path, shard + 1);
	folder[shard] = '\0';
	*strrchr(folder, '/') = '\0';
	err = make_folder(folder, mode);
	if (err != RV_OK)
		return err;
	folder[strlen(folder)] = '/';
	return make_folder(folder, mode);
}

static int create(const struct rv_output *out, const char *suffix, int *ret_fd)
{
	const int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
	mode_t mode = out->how.group_readable ? 0640 : 0600;
	char path[PATH_MAX];
	int err = path_of(path, sizeof(path), &out->how, suffix);
	int fd;

	if (err == RV_OK)
		err = RV_FAULT(output_write);
	if (err != RV_OK)
		return err;
	fd = open(path, flags, mode);
	if (fd < 0 && errno == ENOENT) {
		err = make_folders(out, path);
		if (err != RV_OK)
			return err;
		fd = open(path, flags, mode);
	}
	if (fd < 0)
		return rv_err_from_errno(errno);
	if (out->how.group_readable && fchmod(fd, mode) != 0) {
		err = rv_err_from_errno(errno);
		(void)close(fd);
		return err;
	}
	*ret_fd = fd;
	return RV_OK;
}

static struct rv_output_entry entry_of(enum rv_output_stream stream, int64_t time_us, size_t size,
				       int64_t at)
{
	return (struct rv_output_entry){
		.size = htole32((uint32_t)size),
		.stream = htole16((uint16_t)stream),
		.magic = htole16(RV_OUTPUT_RECORD),
		.time_us = (int64_t)htole64((uint64_t)time_us),
		.at = htole64((uint64_t)at),
	};
}

/*
 * A store that was made of a copy gives the numbers of the runs that it has undone again: as the
 * head of such a one begins anew, its tail goes.  As a rule there is none.
 */
static void forget_tail(const struct rv_output *out)
{
	char path[PATH_MAX];

	if (rv_output_path(path, sizeof(path), &out->how, true) == RV_OK)
		(void)unlink(path);
}

static int head_begin(struct rv_output *out)
{
	struct rv_output_file file = {htole64(RV_OUTPUT_MAGIC), htole32(RV_OUTPUT_VERSION), 0};
	int err;

	if (out->head_fd < 0) {
		err = create(out, "out", &out->head_fd);
		if (err != RV_OK)
			return err;
		forget_tail(out);
	}
	err = write_at(out->head_fd, &file, sizeof(file), 0);
	if (err == RV_OK)
		out->head_size = sizeof(file);
	return err;
}

/* One record at the end of the head.  Overwritten by the next one unless the whole of it went. */
static int head_add(struct rv_output *out, struct rv_output_entry *entry, const void *data,
		    size_t size)
{
	/* pwritev() only reads, but its iovec says otherwise. */
	union {
		const void *in;
		void *out;
	} from = {.in = data};
	struct iovec parts[2] = {
		{.iov_base = entry, .iov_len = sizeof(*entry)},
		{.iov_base = from.out, .iov_len = size},
	};
	ssize_t n;
	int err = RV_FAULT(output_write);

	if (err != RV_OK)
		return err;
	do {
		n = pwritev(out->head_fd, parts, 2, out->head_size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return rv_err_from_errno(errno);
	if ((size_t)n != sizeof(*entry) + size)
		return RV_E_NOSPACE;
	out->head_size += n;
	return RV_OK;
}

/* The part of a write that the head takes; ${*ret_taken}: how many bytes, also on failure. */
static int head_write(struct rv_output *out, enum rv_output_stream stream, int64_t time_us,
		      const char *data, size_t size, size_t *ret_taken)
{
	int64_t room = out->head_max - (int64_t)sizeof(struct rv_output_entry);
	struct rv_output_entry entry;
	int err = RV_OK;

	*ret_taken = 0;
	room -= out->head_size > 0 ? out->head_size : (int64_t)sizeof(struct rv_output_file);
	if (room <= 0) {
		out->head_full = true;
		return RV_OK;
	}
	if (room <= (int64_t)size)
		*ret_taken = (size_t)room;
	else
		*ret_taken = size;
	if (out->head_size == 0)
		err = head_begin(out);
	if (err != RV_OK)
		return err;
	entry = entry_of(stream, time_us, *ret_taken, out->seen);
	return head_add(out, &entry, data, *ret_taken);
}

static int tail_header(struct rv_output *out)
{
	struct rv_output_tail tail = {
		.file = {htole64(RV_OUTPUT_TAIL_MAGIC), htole32(RV_OUTPUT_VERSION), 0},
		.size = htole64((uint64_t)out->ring_size),
		.start = htole64((uint64_t)out->start),
		.end = htole64((uint64_t)out->end),
	};

	return write_at(out->tail_fd, &tail, sizeof(tail), 0);
}

/* Bytes of the ring from logical ${offset}, in at most two pieces. */
static int ring_write(struct rv_output *out, const void *data, size_t size, int64_t offset)
{
	int64_t place = offset % out->ring_size;
	size_t first = (size_t)(out->ring_size - place);
	int err;

	if (first > size)
		first = size;
	err = write_at(out->tail_fd, data, first, (int64_t)sizeof(struct rv_output_tail) + place);
	if (err != RV_OK || first == size)
		return err;
	return write_at(out->tail_fd, (const char *)data + first, size - first,
			(int64_t)sizeof(struct rv_output_tail));
}

static int ring_entry(const struct rv_output *out, int64_t offset, struct rv_output_entry *ret)
{
	char *to = (char *)ret;

	for (size_t got = 0; got < sizeof(*ret);) {
		int64_t place = (offset + (int64_t)got) % out->ring_size;
		size_t want = sizeof(*ret) - got;
		ssize_t n;

		if ((int64_t)want > out->ring_size - place)
			want = (size_t)(out->ring_size - place);
		n = pread(out->tail_fd, to + got, want,
			  (int64_t)sizeof(struct rv_output_tail) + place);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return RV_E_IO;
		got += (size_t)n;
	}
	return le16toh(ret->magic) == RV_OUTPUT_RECORD ? RV_OK : RV_E_CORRUPT;
}

/* Forgets the oldest records until ${need} bytes are free, and says so in the header. */
static int ring_room(struct rv_output *out, int64_t need)
{
	int64_t start = out->start;

	INV(out->start <= out->end && need <= out->ring_size);
	while (out->end + need - start > out->ring_size) {
		struct rv_output_entry entry;

		/* A ring that somebody else has scribbled on begins anew. */
		if (ring_entry(out, start, &entry) != RV_OK)
			start = out->end;
		else
			start += (int64_t)sizeof(entry) + (int64_t)le32toh(entry.size);
		if (start > out->end)
			start = out->end;
	}
	if (start == out->start)
		return RV_OK;
	out->start = start;
	return tail_header(out);
}

static int tail_write(struct rv_output *out, enum rv_output_stream stream, int64_t time_us,
		      const char *data, size_t size)
{
	struct rv_output_entry entry;
	int64_t at = out->seen;
	size_t most = (size_t)out->ring_size - sizeof(entry);
	int err = RV_OK;

	if (size > most) {
		at += (int64_t)(size - most);
		data += size - most;
		size = most;
	}
	entry = entry_of(stream, time_us, size, at);
	if (out->tail_fd < 0) {
		err = create(out, "tail", &out->tail_fd);
		if (err == RV_OK)
			err = tail_header(out);
	}
	if (err == RV_OK)
		err = ring_room(out, (int64_t)(sizeof(entry) + size));
	if (err == RV_OK)
		err = ring_write(out, &entry, sizeof(entry), out->end);
	if (err == RV_OK)
		err = ring_write(out, data, size, out->end + (int64_t)sizeof(entry));
	if (err != RV_OK)
		return err;
	out->end += (int64_t)(sizeof(entry) + size);
	return tail_header(out);
}

static void note(struct rv_output *out, int err, size_t size)
{
	out->seen += (int64_t)size;
	if (err == RV_OK)
		return;
	out->lost += (int64_t)size;
	out->err = err;
}

void rv_output_write(struct rv_output *out, enum rv_output_stream stream, int64_t time_us,
		     const void *data, size_t size)
{
	const char *from = data;

	PRE(size <= RV_OUTPUT_CHUNK);
	if (size > 0 && !out->head_full) {
		size_t taken;
		int err = head_write(out, stream, time_us, from, size, &taken);

		note(out, err, taken);
		from += taken;
		size -= taken;
		/* A reader goes on to the tail for good, so what follows must be there too. */
		if (size > 0)
			out->head_full = true;
	}
	if (size > 0 && out->ring_size > 0)
		note(out, tail_write(out, stream, time_us, from, size), size);
	else
		out->seen += (int64_t)size;
}
