/*
 * Output files: what a worker writes, a reader gives back: order, streams, the cap, the ring, gaps,
 * torn ends, following.
 */
#include "base/err.h"
#include "obs/output.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void make_folder(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%.40s/reeve-out-XXXXXX", tmp ? tmp : "/tmp");
	cr_assert(mkdtemp(folder) != NULL);
}

static struct rv_output_how how_of(int64_t cap)
{
	return (struct rv_output_how){.state_dir = folder, .job = 4711, .run = 2, .cap_bytes = cap};
}

static void remove_all(void)
{
	struct rv_output_how how = how_of(0);
	char path[512];

	cr_assert(rv_output_remove(&how) == RV_OK);
	snprintf(path, sizeof(path), "%s/output/4", folder);
	(void)rmdir(path);
	snprintf(path, sizeof(path), "%s/output", folder);
	(void)rmdir(path);
	cr_assert(rmdir(folder) == 0, "something was left in the folder");
}

TestSuite(output, .init = make_folder, .fini = remove_all);

struct collected {
	char text[400000];
	size_t size;
	int64_t dropped;
	int records, gaps, err;
	enum rv_output_stream last;
};

static struct collected got;

/* Reads all there is into ${got}. */
static void drain(struct rv_output_reader *reader)
{
	struct rv_output_record record;

	while ((got.err = rv_output_next(reader, &record)) == RV_OK) {
		if (record.stream == RV_OUTPUT_DROPPED) {
			got.dropped += record.dropped;
			got.gaps++;
			continue;
		}
		cr_assert(got.size + record.size < sizeof(got.text));
		memcpy(got.text + got.size, record.data, record.size);
		got.size += record.size;
		got.text[got.size] = '\0';
		got.records++;
		got.last = record.stream;
	}
}

static void collect(void)
{
	struct rv_output_how how = how_of(0);
	struct rv_output_reader *reader;

	memset(&got, 0, sizeof(got));
	cr_assert(rv_output_reader_open(&how, &reader) == RV_OK);
	drain(reader);
	rv_output_reader_close(reader);
}

static int64_t size_of(bool tail)
{
	struct rv_output_how how = how_of(0);
	char path[512];
	struct stat st;

	cr_assert(rv_output_path(path, sizeof(path), &how, tail) == RV_OK);
	return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

Test(output, nothing_exists_before_the_first_byte)
{
	struct rv_output_how how = how_of(1 << 20);
	struct rv_output out;
	struct rv_output_reader *reader;

	rv_output_open(&out, &how);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 1, "", 0);
	rv_output_close(&out);
	cr_assert(rv_output_reader_open(&how, &reader) == RV_OK);
	cr_expect(not(rv_output_reader_exists(reader)));
	rv_output_reader_close(reader);
	collect();
	cr_expect(eq(int, got.err, RV_E_BUSY));
	cr_expect(eq(int, got.records, 0));
}

Test(output, records_come_back_in_order_with_their_streams)
{
	struct rv_output_how how = how_of(1 << 20);
	struct rv_output out;
	struct rv_output_reader *reader;
	struct rv_output_record record;

	rv_output_open(&out, &how);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 1000, "one\n", 4);
	rv_output_write(&out, RV_OUTPUT_STDERR, 2000, "a\0b", 3);
	rv_output_close(&out);
	cr_assert(rv_output_reader_open(&how, &reader) == RV_OK);
	cr_expect(rv_output_reader_exists(reader));
	cr_assert(rv_output_next(reader, &record) == RV_OK);
	cr_expect(record.stream == RV_OUTPUT_STDOUT && record.time_us == 1000);
	cr_expect(record.size == 4 && memcmp(record.data, "one\n", 4) == 0);
	cr_assert(rv_output_next(reader, &record) == RV_OK);
	cr_expect(record.stream == RV_OUTPUT_STDERR && record.at == 4);
	cr_expect(record.size == 3 && memcmp(record.data, "a\0b", 3) == 0);
	cr_expect(eq(int, rv_output_next(reader, &record), RV_E_BUSY));
	rv_output_reader_close(reader);
}

/* A restored store undoes a run, and gives its number again: the files begin anew, both. */
Test(output, of_the_same_run_before_nothing_is_left)
{
	static const char long_text[20000];
	struct rv_output_how how = how_of(16 << 10);
	struct rv_output out;

	rv_output_open(&out, &how);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 1, long_text, sizeof(long_text));
	rv_output_close(&out);
	cr_assert(size_of(true) > 0);
	rv_output_open(&out, &how);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 1, "short", 5);
	rv_output_close(&out);
	cr_expect(eq(i64, size_of(true), -1));
	collect();
	cr_expect(strcmp(got.text, "short") == 0);
	cr_expect(eq(i64, got.dropped, 0));
}

Test(output, files_are_for_their_owner_only)
{
	struct rv_output_how how = how_of(1 << 20);
	struct rv_output out;
	char path[512];
	struct stat st;

	rv_output_open(&out, &how);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 1, "x", 1);
	rv_output_close(&out);
	cr_assert(rv_output_path(path, sizeof(path), &how, false) == RV_OK);
	cr_assert(stat(path, &st) == 0);
	cr_expect(eq(int, (int)(st.st_mode & 07777), 0600));
	*strrchr(path, '/') = '\0';
	cr_assert(stat(path, &st) == 0);
	cr_expect(eq(int, (int)(st.st_mode & 07777), 0700));
}

/* Numbered lines, written in pieces of ${piece} bytes; ${total} bytes in all. */
static void write_lines(struct rv_output *out, int64_t total, size_t piece)
{
	char line[RV_OUTPUT_CHUNK];
	size_t filled = 0;
	int64_t n = 0;

	for (int64_t done = 0; done < total; done += (int64_t)piece) {
		while (filled < piece) {
			int wrote = snprintf(line + filled, 12, "%010lld\n", (long long)n++);

			filled += (size_t)wrote;
		}
		rv_output_write(out, RV_OUTPUT_STDOUT, done, line, piece);
		memmove(line, line + piece, filled - piece);
		filled -= piece;
	}
}

/* What byte ${at} of those lines is. */
static char line_byte(int64_t at)
{
	char line[32];

	snprintf(line, sizeof(line), "%010lld\n", (long long)(at / 11));
	return line[at % 11];
}

static const struct {
	int64_t cap, total;
	size_t piece;
} caps[] = {
	{10000, 1000, 100},   {10000, 5000, 1},       {10000, 9000, 977},
	{10000, 200000, 333}, {10000, 200000, 65000}, {100000, 3000000, 4096},
	{20000, 100000, 1},   {64, 1000, 10},         {0, 1000, 10},
	{300, 5000, 7},       {200000, 190000, 5000},
};

Test(output, the_first_and_the_last_bytes_are_kept_within_the_cap)
{
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		struct rv_output_how how = how_of(caps[i].cap);
		struct rv_output out;
		int64_t whole, at = 0, seen;
		bool same = true;

		cr_assert(rv_output_remove(&how) == RV_OK);
		rv_output_open(&out, &how);
		write_lines(&out, caps[i].total, caps[i].piece);
		seen = out.seen;
		rv_output_close(&out);
		cr_expect(eq(int, out.err, RV_OK));
		whole = (size_of(false) > 0 ? size_of(false) : 0) +
			(size_of(true) > 0 ? size_of(true) : 0);
		cr_expect(whole <= caps[i].cap, "case %zu: %lld bytes kept of a cap of %lld", i,
			  (long long)whole, (long long)caps[i].cap);
		collect();
		cr_expect(eq(int, got.err, RV_E_BUSY));
		if (size_of(true) > 0 || caps[i].total < caps[i].cap / 30)
			cr_expect(seen == (int64_t)got.size + got.dropped,
				  "case %zu: %lld seen, %zu read, %lld dropped", i, (long long)seen,
				  got.size, (long long)got.dropped);
		cr_expect(got.gaps <= 1, "case %zu: %d gaps", i, got.gaps);
		/* The kept bytes are the first and the last ones. */
		for (size_t b = 0; b < got.size; b++) {
			if (got.text[b] != line_byte((int64_t)b) &&
			    got.text[b] != line_byte((int64_t)b + got.dropped))
				same = false;
		}
		if (got.size > 0) {
			at = seen - 1;
			if (size_of(true) > 0)
				same = same && got.text[got.size - 1] == line_byte(at);
		}
		cr_expect(same, "case %zu: other bytes than were written", i);
	}
}

Test(output, a_record_that_is_not_whole_ends_the_head)
{
	struct rv_output_how how = how_of(1 << 20);
	struct rv_output out;
	char path[512];

	rv_output_open(&out, &how);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 1, "first\n", 6);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 1, "second\n", 7);
	rv_output_close(&out);
	cr_assert(rv_output_path(path, sizeof(path), &how, false) == RV_OK);
	for (int64_t cut = size_of(false) - 1; cut > 16 + 24 + 6; cut--) {
		cr_assert(truncate(path, cut) == 0);
		collect();
		cr_expect(eq(int, got.err, RV_E_BUSY));
		cr_expect(strcmp(got.text, "first\n") == 0);
	}
}

Test(output, garbage_is_told)
{
	struct rv_output_how how = how_of(1 << 20);
	struct rv_output out;
	char path[512];
	FILE *file;

	rv_output_open(&out, &how);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 1, "first\n", 6);
	rv_output_close(&out);
	cr_assert(rv_output_path(path, sizeof(path), &how, false) == RV_OK);
	file = fopen(path, "r+");
	cr_assert(file != NULL);
	cr_assert(fseek(file, 16, SEEK_SET) == 0 &&
		  fputs("\xff\xff\xff\xff\xff\xff\xff", file) >= 0);
	cr_assert(fclose(file) == 0);
	collect();
	cr_expect(eq(int, got.err, RV_E_CORRUPT));
	file = fopen(path, "w");
	cr_assert(file != NULL);
	cr_assert(fputs("this is no output file", file) >= 0);
	cr_assert(fclose(file) == 0);
	collect();
	cr_expect(eq(int, got.err, RV_E_CORRUPT));
}

Test(output, an_error_costs_output_and_is_counted)
{
	struct rv_output_how how = how_of(1 << 20);
	struct rv_output out;

	how.state_dir = "/proc/self/nowhere";
	rv_output_open(&out, &how);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 1, "lost", 4);
	rv_output_close(&out);
	cr_expect(eq(i64, out.lost, 4));
	cr_expect(eq(i64, out.seen, 4));
	cr_expect(out.err != RV_OK);
}

Test(output, a_full_device_leaves_a_gap)
{
	struct rv_output_how how = how_of(1 << 20);
	struct rv_output out;
	int full, kept;

	rv_output_open(&out, &how);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 1, "before\n", 7);
	/* /dev/full says ENOSPC to every write. */
	full = open("/dev/full", O_RDWR | O_CLOEXEC);
	cr_assert(full >= 0);
	kept = out.head_fd;
	out.head_fd = full;
	rv_output_write(&out, RV_OUTPUT_STDOUT, 2, "missing", 7);
	out.head_fd = kept;
	(void)close(full);
	rv_output_write(&out, RV_OUTPUT_STDOUT, 3, "after\n", 6);
	rv_output_close(&out);
	cr_expect(eq(int, out.err, RV_E_NOSPACE));
	cr_expect(eq(i64, out.lost, 7));
	collect();
	cr_expect(strcmp(got.text, "before\nafter\n") == 0);
	cr_expect(eq(i64, got.dropped, 7));
}

Test(output, a_reader_follows_from_nothing_to_the_ring)
{
	struct rv_output_how how = how_of(4000);
	struct rv_output out;
	struct rv_output_reader *reader;
	struct pollfd ready = {.events = POLLIN};

	memset(&got, 0, sizeof(got));
	rv_output_open(&out, &how);
	cr_assert(rv_output_reader_open(&how, &reader) == RV_OK);
	for (int i = 0; i < 300; i++) {
		char line[32];
		int n = snprintf(line, sizeof(line), "line %d\n", i);

		cr_assert(rv_output_watch(reader, &ready.fd) == RV_OK);
		drain(reader);
		cr_assert(eq(int, got.err, RV_E_BUSY));
		rv_output_write(&out, RV_OUTPUT_STDOUT, i, line, (size_t)n);
		for (int woken = 0; got.records <= i; woken++) {
			cr_assert(poll(&ready, 1, 5000) == 1, "not woken for line %d", i);
			cr_assert(rv_output_watch(reader, &ready.fd) == RV_OK);
			drain(reader);
			cr_assert(woken < 10);
		}
		cr_assert(strcmp(got.text + got.size - n, line) == 0);
	}
	cr_expect(eq(i64, got.dropped, 0));
	rv_output_close(&out);
	rv_output_reader_close(reader);
}

Test(output, a_slow_follower_is_told_what_it_missed)
{
	struct rv_output_how how = how_of(4000);
	struct rv_output out;
	struct rv_output_reader *reader;

	memset(&got, 0, sizeof(got));
	rv_output_open(&out, &how);
	cr_assert(rv_output_reader_open(&how, &reader) == RV_OK);
	write_lines(&out, 3000, 100);
	drain(reader);
	cr_expect(eq(i64, got.dropped, 0));
	for (int i = 0; i < 50; i++) {
		int64_t before = got.dropped;

		write_lines(&out, 5000, 100);
		drain(reader);
		cr_expect(before < got.dropped);
		cr_expect(out.seen == (int64_t)got.size + got.dropped);
	}
	rv_output_close(&out);
	rv_output_reader_close(reader);
}
