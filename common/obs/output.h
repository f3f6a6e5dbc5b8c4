#ifndef RV_OBS_OUTPUT_H
#define RV_OBS_OUTPUT_H

/*
 * What a job has printed, in files that a worker writes and `reeve logs` reads.
 *
 *   <state_dir>/output/<job / 1000>/<job>.<run>.out    the first half of the cap
 *   <state_dir>/output/<job / 1000>/<job>.<run>.tail   a ring of the other half, when that is full
 *
 * Both begin with a header (magic, version; the ring's size and bounds) and hold records: size,
 * stream, time, and how many bytes the job had printed before, so that any gap tells its length.
 * Integers are little-endian.  A record that is not whole (the writer was killed) ends a file.
 */

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rv_output_stream {
	RV_OUTPUT_STDOUT = 1,
	RV_OUTPUT_STDERR = 2,
	RV_OUTPUT_PROGRESS = 3, /* lines of REEVE_PROGRESS_FD */
	RV_OUTPUT_DROPPED = 4,  /* reader only: ${dropped} bytes are missing here */
};

#define RV_OUTPUT_CHUNK (64U << 10) /* bytes of a record at most */

struct rv_output_how {
	const char *state_dir; /* borrowed while the writer is open */
	int64_t job;
	int run;
	int64_t cap_bytes;   /* of both files together; 0 keeps nothing */
	bool group_readable; /* 0640 in folders of 2750, for `[reeve] group`; else 0600 and 0700 */
};

/* A writer (worker).  Nothing exists before the first byte; zeroed by rv_output_open. */
struct rv_output {
	struct rv_output_how how;
	int head_fd, tail_fd;          /* -1: not there */
	int64_t head_size, head_max;   /* file bytes */
	int64_t ring_size, start, end; /* ring: logical offsets, they only grow */
	int64_t seen;                  /* bytes the job has printed */
	int64_t lost;                  /* bytes that an error kept us from writing */
	int err;                       /* the last such error, RV_OK: none */
	bool head_full;
};

void rv_output_open(struct rv_output *out, const struct rv_output_how *how);
/*
 * Keeps ${size} bytes or what the cap leaves of them.  Never fails and never waits for anything but
 * the disk: what cannot be written is counted in lost, with err.
 */
void rv_output_write(struct rv_output *out, enum rv_output_stream stream, int64_t time_us,
		     const void *data, size_t size);
void rv_output_close(struct rv_output *out);

/* The path of the head (the tail: ${tail}) into ${out}; RV_E_TOOBIG. */
int rv_output_path(char *out, size_t space, const struct rv_output_how *how,
		   bool tail) RV_MUST_CHECK;
/* Removes both files of a run; absent ones are RV_OK. */
int rv_output_remove(const struct rv_output_how *how) RV_MUST_CHECK;

/* A reader (CLI), also of a run that still writes. */
struct rv_output_reader;

struct rv_output_record {
	enum rv_output_stream stream;
	int64_t time_us;
	const void *data; /* borrowed until the next call */
	size_t size;
	int64_t dropped; /* DROPPED: how many bytes */
	int64_t at;      /* bytes printed before this record */
};

/* Of ${how}, state_dir (copied), job and run count.  RV_E_NOMEM; files need not exist yet. */
int rv_output_reader_open(const struct rv_output_how *how,
			  struct rv_output_reader **ret_reader) RV_MUST_CHECK;
void rv_output_reader_close(struct rv_output_reader *reader);
/*
 * The next record.  RV_E_BUSY: no more for now (for a finished run: ever).  RV_E_CORRUPT: not a
 * file of ours; RV_E_DENIED, RV_E_IO.
 */
int rv_output_next(struct rv_output_reader *reader, struct rv_output_record *ret) RV_MUST_CHECK;
/* Whether there is any file of this run. */
bool rv_output_reader_exists(const struct rv_output_reader *reader);
/*
 * Following: rv_output_watch() once rv_output_next() said BUSY; then rv_output_next() until BUSY
 * again, and only then poll the descriptor for reading and begin anew (the call also clears what
 * was pending).  ${*ret_fd} (an inotify) stays the reader's.
 */
int rv_output_watch(struct rv_output_reader *reader, int *ret_fd) RV_MUST_CHECK;

#endif
