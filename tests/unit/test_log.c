/* The log: its formats, what it escapes, and that it never waits for who reads it (F35). */
#include "base/check.h"
#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/limit.h"
#include "helpers/tmpdir.h"
#include "obs/log.h"
#include "os/fd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* Stderr is ${fd} from now on, in this test's process. */
static void be_stderr(int fd)
{
	cr_assert(eq(int, dup2(fd, STDERR_FILENO), STDERR_FILENO));
}

static void open_log(const char *target, enum rv_log_format format)
{
	const struct rv_log_setup setup = {
		.level = RV_LOG_INFO, .format = format, .target = target, .who = "tester"};
	struct rv_why why = {{0}};

	cr_assert(eq(int, rv_log_open(&setup, &why), RV_OK), "%s", why.text);
}

/* What lies in ${fd} now. */
static char *drain(int fd)
{
	static char text[1 << 20];
	size_t size = 0;
	ssize_t n;

	while (size < sizeof text - 1 && rv_fd_wait(fd, POLLIN, 0) == RV_OK &&
	       (n = read(fd, text + size, sizeof text - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	return text;
}

static const char *log_file(void)
{
	return rv_test_path("%s/log", rv_test_tmpdir());
}

Test(log, json_lines_have_their_fields)
{
	const char *path = log_file();
	char *text;
	json_t *json;

	open_log(path, RV_LOG_JSON);
	rv_log_with(RV_LOG_WARN, RV_EV_child_died,
		    RV_FIELDS(RV_STR("pool", "default"), RV_INT("pid", 42), RV_STR("none", NULL)),
		    "worker %d died", 3);
	rv_log(RV_LOG_DEBUG, RV_EV_child_died, "not written");
	rv_log_close();
	text = rv_test_read_file(path);
	json = json_loads(text, 0, NULL);
	cr_assert(ne(ptr, json, NULL), "%s", text);
	rv_assert_text(json_string_value(json_object_get(json, "level")), "warn");
	rv_assert_text(json_string_value(json_object_get(json, "event")), "child.died");
	rv_assert_text(json_string_value(json_object_get(json, "who")), "tester");
	rv_assert_text(json_string_value(json_object_get(json, "message")), "worker 3 died");
	rv_assert_text(json_string_value(json_object_get(json, "pool")), "default");
	rv_assert_text(json_string_value(json_object_get(json, "none")), "");
	cr_assert(eq(sz, strlen(json_string_value(json_object_get(json, "time"))), 27));
	json_decref(json);
	free(text);
}

/* All bytes but NUL, in message and field, in every format: one line, nothing that controls. */
Test(log, no_byte_forges_a_line_or_talks_to_a_terminal)
{
	char bytes[300];
	size_t size = 0;

	for (int c = 1; c < 256; c++)
		bytes[size++] = (char)c;
	(void)snprintf(bytes + size, sizeof bytes - size,
		       "\xc2\x9b"
		       "31m\xc3\xa9\n");
	for (int format = RV_LOG_TEXT; format < RV_LOG_FORMATS; format++) {
		const char *path = log_file();
		int lines = 0;
		char *text;

		open_log(path, (enum rv_log_format)format);
		rv_log_with(RV_LOG_ERROR, RV_EV_daemon_failed, RV_FIELDS(RV_STR("field", bytes)),
			    "%s", bytes);
		rv_log_close();
		text = rv_test_read_file(path);
		for (char *at = text; *at; at++) {
			lines += *at == '\n';
			if (*at != '\n')
				cr_assert(eq(int, iscntrl((unsigned char)*at) != 0, 0));
		}
		cr_assert(eq(int, lines, 1));
		cr_assert(eq(int, strstr(text, "\xc2\x9b") == NULL, 1),
			  "C1 is a terminal's escape too");
		rv_assert_has(text, "\xc3\xa9");
		if (format == RV_LOG_JSON) {
			json_t *json = json_loads(text, 0, NULL);

			cr_assert(ne(ptr, json, NULL), "%s", text);
			json_decref(json);
		}
		free(text);
	}
}

Test(log, too_long_a_line_is_cut_and_stays_whole)
{
	static char big[20000];

	memset(big, 'x', sizeof big - 1);
	for (int format = RV_LOG_TEXT; format < RV_LOG_FORMATS; format++) {
		for (int escaped = 0; escaped < 2; escaped++) {
			const char *path = log_file();
			char *text;

			if (escaped)
				memset(big, 1, sizeof big - 1);
			open_log(path, (enum rv_log_format)format);
			rv_log_with(
				RV_LOG_INFO, RV_EV_job_started,
				RV_FIELDS(RV_STR("a", "kept"), RV_STR("b", big), RV_INT("c", 1)),
				"%s", escaped ? big : "short");
			rv_log(RV_LOG_INFO, RV_EV_job_started, "next");
			rv_log_close();
			text = rv_test_read_file(path);
			cr_assert(eq(sz, strcspn(text, "\n") < RV_LOG_LINE, 1));
			rv_assert_has(text, "next");
			if (format == RV_LOG_JSON) {
				json_t *json;

				text[strcspn(text, "\n")] = '\0';
				json = json_loads(text, 0, NULL);
				cr_assert(ne(ptr, json, NULL), "%s", text);
				json_decref(json);
			} else {
				rv_assert_has(text, "\xe2\x80\xa6");
			}
			free(text);
			memset(big, 'x', sizeof big - 1);
		}
	}
}

Test(log, text_for_people_and_priorities_for_the_journal)
{
	const char *path = log_file();
	char *text;

	open_log(path, RV_LOG_TEXT);
	rv_log_with(RV_LOG_INFO, RV_EV_worker_ready,
		    RV_FIELDS(RV_STR("pool", "two words"), RV_INT("n", -1), RV_STR("empty", "")),
		    "ready");
	rv_log_close();
	text = rv_test_read_file(path);
	rv_assert_has(
		text,
		"Z info  tester: ready event=worker.ready pool=\"two words\" n=-1 empty=\"\"\n");
	free(text);
	open_log(path, RV_LOG_JOURNAL);
	rv_log(RV_LOG_ERROR, RV_EV_worker_ready, "bad");
	rv_log(RV_LOG_WARN, RV_EV_worker_ready, "warned");
	rv_log_close();
	text = rv_test_read_file(path);
	rv_assert_has(
		text,
		"\n<3>tester: bad event=worker.ready\n<4>tester: warned event=worker.ready\n");
	free(text);
}

Test(log, f35_a_full_pipe_costs_lines_not_time)
{
	int64_t before;
	int64_t slowest = 0;
	uint64_t dropped;
	int fds[2];

	cr_assert(eq(int, rv_fd_pipe(fds, false), RV_OK));
	be_stderr(fds[1]);
	rv_fd_close(&fds[1]);
	open_log("stderr", RV_LOG_JSON);
	cr_assert(eq(int, rv_log_pending_fd(), -1));
	for (int i = 0; i < 5000; i++) {
		before = rv_mono_us();
		rv_log(RV_LOG_INFO, RV_EV_job_started, "line %d of very many that nobody reads", i);
		if (rv_mono_us() - before > slowest)
			slowest = rv_mono_us() - before;
	}
	cr_assert(lt(i64, slowest, 500000));
	cr_assert(eq(int, fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0),
		  "the description that others share is as it was");
	dropped = rv_log_dropped();
	cr_assert(lt(u64, 1000, dropped));
	cr_assert(le(int, 0, rv_log_pending_fd()));
	/* The reader comes back: the pending lines whole and in order, then how many are missing.
	 */
	char *text = drain(fds[0]);
	rv_assert_has(text, "line 0 of");
	while (rv_log_pending_fd() >= 0) {
		rv_log_pump();
		text = drain(fds[0]);
	}
	rv_log_pump();
	char expected[64];
	(void)snprintf(expected, sizeof expected, "%llu lines of the log were dropped",
		       (unsigned long long)dropped);
	rv_assert_has(text, expected);
	cr_assert(eq(u64, rv_log_dropped(), dropped));
	rv_log_close();
}

/* Every line that arrives is whole JSON, in order, and with the dropped ones they are all. */
Test(log, f35_nothing_is_torn_when_the_reader_is_slow)
{
	static char all[1 << 20];
	uint64_t arrived = 0;
	size_t size = 0;
	int last = -1;
	int fds[2];

	cr_assert(eq(int, rv_fd_pipe(fds, false), RV_OK));
	be_stderr(fds[1]);
	rv_fd_close(&fds[1]);
	open_log("stderr", RV_LOG_JSON);
	for (int i = 0; i < 3000; i++) {
		rv_log_with(RV_LOG_INFO, RV_EV_job_started, RV_FIELDS(RV_INT("i", i)), "x");
		if (i % 7 == 0 && size < sizeof all - 70000)
			size += (size_t)read(fds[0], all + size, 333);
	}
	for (;;) {
		char *more;

		rv_log_pump();
		more = drain(fds[0]);
		memcpy(all + size, more, strlen(more));
		size += strlen(more);
		if (more[0] == '\0' && rv_log_pending_fd() < 0)
			break;
	}
	all[size] = '\0';
	for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *json = json_loads(line, 0, NULL);
		json_t *number;

		cr_assert(ne(ptr, json, NULL), "%s", line);
		number = json_object_get(json, "i");
		if (number) {
			cr_assert(lt(int, last, (int)json_integer_value(number)));
			last = (int)json_integer_value(number);
			arrived++;
		}
		json_decref(json);
	}
	cr_assert(eq(u64, arrived + rv_log_dropped(), 3000));
	cr_assert(lt(u64, 0, rv_log_dropped()));
	rv_log_close();
}

Test(log, f35_a_journal_that_does_not_read)
{
	char stream[64];
	struct stat st;
	int fds[2];

	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0));
	cr_assert(eq(int, fstat(fds[1], &st), 0));
	be_stderr(fds[1]);
	(void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	(void)setenv("JOURNAL_STREAM", stream, 1);
	open_log(NULL, RV_LOG_AUTO);
	for (int i = 0; i < 20000; i++)
		rv_log(RV_LOG_INFO, RV_EV_job_started, "line %d", i);
	cr_assert(lt(u64, 0, rv_log_dropped()));
	rv_assert_has(drain(fds[0]), "<6>tester: line 0 event=job.started\n");
	while (rv_log_pending_fd() >= 0) {
		rv_log_pump();
		(void)drain(fds[0]);
	}
	/* And one that is gone. */
	uint64_t before = rv_log_dropped();
	(void)close(fds[0]);
	rv_log(RV_LOG_INFO, RV_EV_job_started, "nobody");
	cr_assert(lt(u64, before, rv_log_dropped()));
	rv_log_close();
}

Test(log, another_stream_than_the_journals_gets_json)
{
	int fds[2];

	cr_assert(eq(int, rv_fd_pipe(fds, false), RV_OK));
	be_stderr(fds[1]);
	(void)setenv("JOURNAL_STREAM", "1:1", 1);
	open_log("stderr", RV_LOG_AUTO);
	rv_log(RV_LOG_INFO, RV_EV_job_started, "hello");
	rv_assert_has(drain(fds[0]), "{\"time\":\"");
	rv_log_close();
}

/* A terminal gets text, with colours unless somebody does not want them. */
Test(log, a_terminal)
{
	struct termios raw;
	int master = -1;
	int slave = -1;

	cr_assert(eq(int, openpty(&master, &slave, NULL, NULL, NULL), 0));
	(void)tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	(void)tcsetattr(slave, TCSANOW, &raw);
	be_stderr(slave);
	(void)unsetenv("JOURNAL_STREAM");
	(void)unsetenv("NO_COLOR");
	(void)setenv("TERM", "xterm", 1);
	open_log("stderr", RV_LOG_AUTO);
	rv_log(RV_LOG_ERROR, RV_EV_job_started, "red");
	rv_assert_has(drain(master), "\033[31merror\033[0m tester: red");
	(void)setenv("NO_COLOR", "1", 1);
	open_log("stderr", RV_LOG_AUTO);
	rv_log(RV_LOG_ERROR, RV_EV_job_started, "plain");
	rv_assert_has(drain(master), " error tester: plain");
	rv_log_close();
	(void)close(master);
	(void)close(slave);
}

Test(log, before_it_is_opened_it_goes_to_stderr)
{
	int fds[2];

	cr_assert(eq(int, rv_fd_pipe(fds, false), RV_OK));
	be_stderr(fds[1]);
	(void)unsetenv("JOURNAL_STREAM");
	rv_log_pump();
	cr_assert(eq(int, rv_log_reopen(NULL), RV_OK));
	rv_log_close();
	errno = ENOENT;
	rv_log(RV_LOG_ERROR, RV_EV_daemon_failed, "early: %m");
	cr_assert(eq(int, errno, ENOENT));
	rv_assert_has(drain(fds[0]), "\"message\":\"early: No such file or directory\"");
	cr_assert(eq(int, rv_log_reopen(NULL), RV_OK), "nothing to reopen");
}

Test(log, reopened_after_a_rotation)
{
	const char *path = log_file();
	const char *old = rv_test_path("%s.1", path);
	struct rv_why why = {{0}};
	struct stat st;
	char *text;

	(void)umask(022);
	open_log(path, RV_LOG_TEXT);
	cr_assert(eq(int, stat(path, &st), 0));
	cr_assert(eq(int, st.st_mode & 0777, 0640));
	rv_log(RV_LOG_INFO, RV_EV_job_started, "first");
	cr_assert(eq(int, rename(path, old), 0));
	rv_log(RV_LOG_INFO, RV_EV_job_started, "second");
	cr_assert(eq(int, rv_log_reopen(&why), RV_OK), "%s", why.text);
	rv_log(RV_LOG_INFO, RV_EV_job_started, "third");
	text = rv_test_read_file(old);
	rv_assert_has(text, "second");
	free(text);
	text = rv_test_read_file(path);
	rv_assert_has(text, "third");
	cr_assert(eq(int, strstr(text, "second") == NULL, 1));
	free(text);
	/* A reopening that fails keeps what there is. */
	cr_assert(eq(int, unlink(path), 0));
	cr_assert(eq(int, mkdir(path, 0700), 0));
	cr_assert(ne(int, rv_log_reopen(&why), RV_OK));
	rv_assert_has(why.text, path);
	rv_log(RV_LOG_INFO, RV_EV_job_started, "fourth");
	rv_log_close();
}

Test(log, a_target_that_cannot_be_keeps_the_old_one)
{
	const char *folder = rv_test_tmpdir();
	const char *path = rv_test_path("%s/log", folder);
	const char *link = rv_test_path("%s/link", folder);
	static char big[5000];
	struct rv_log_setup setup = {.target = link};
	struct rv_why why = {{0}};
	char *text;

	open_log(path, RV_LOG_TEXT);
	cr_assert(eq(int, symlink("/etc/passwd", link), 0));
	cr_assert(eq(int, rv_log_open(&setup, &why), RV_E_REFUSED));
	setup.target = "/nonexistent/log";
	cr_assert(eq(int, rv_log_open(&setup, &why), RV_E_NOTFOUND));
	setup.target = "/dev/null";
	cr_assert(eq(int, rv_log_open(&setup, &why), RV_E_REFUSED));
	memset(big, 'x', sizeof big - 1);
	setup.target = big;
	cr_assert(eq(int, rv_log_open(&setup, &why), RV_E_TOOBIG));
	rv_log(RV_LOG_INFO, RV_EV_job_started, "still here");
	text = rv_test_read_file(path);
	rv_assert_has(text, "still here");
	free(text);
	rv_log_close();
}

/* F14: the log's disk is full. */
Test(log, f14_a_full_disk_costs_lines)
{
	struct rv_test_limit limit;

	(void)signal(SIGXFSZ, SIG_IGN);
	open_log(log_file(), RV_LOG_TEXT);
	limit = rv_test_limit(RLIMIT_FSIZE, 300);
	for (int i = 0; i < 100; i++)
		rv_log(RV_LOG_INFO, RV_EV_job_started, "line %d", i);
	cr_assert(lt(u64, 80, rv_log_dropped()));
	rv_log_close();
	rv_test_limit_end(&limit);
}

static const struct {
	enum rv_log_format format;
	const char *line;
	bool passes;
} child_lines[] = {
	{RV_LOG_JSON, "{\"time\":\"2026-11-21T20:21:32.485201Z\",\"level\":\"info\"}", true},
	{RV_LOG_JSON, "{\"time\":\"2026-11-21T20:21:32.485201Z\",\"level\":\"in", false},
	{RV_LOG_JSON, "check failed: INV(x) at a.c:1", false},
	{RV_LOG_JSON, "{\"time\":\"\033[31m\"}", false},
	{RV_LOG_JSON, "", false},
	{RV_LOG_JOURNAL, "<6>worker: ready", true},
	{RV_LOG_JOURNAL, "<9>worker: ready", false},
	{RV_LOG_JOURNAL, "<6", false},
	{RV_LOG_TEXT, "2026-11-21T20:21:32.485201Z info  worker: ready", true},
	{RV_LOG_TEXT, "2026-11-21 20:21:32.485201Z info  worker: ready", false},
	{RV_LOG_TEXT, "oops", false},
};

Test(log, the_lines_of_a_child_are_passed_on_as_they_are)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(child_lines); i++) {
		const char *path = log_file();
		const char *line = child_lines[i].line;
		bool passed;
		char *text;

		open_log(path, child_lines[i].format);
		cr_assert(eq(int, (int)rv_log_format(), (int)child_lines[i].format));
		passed = rv_log_pass(line, strlen(line));
		rv_log_close();
		cr_assert(eq(int, passed, child_lines[i].passes), "row %zu", i);
		text = rv_test_read_file(path);
		rv_assert_text(text, passed ? rv_test_path("%s\n", line) : "");
		free(text);
	}
}

Test(log, f35_lines_passed_on_are_counted_when_they_are_lost)
{
	const char *line = "<6>worker: ready";
	int fds[2];

	cr_assert(eq(int, rv_fd_pipe(fds, false), RV_OK));
	be_stderr(fds[1]);
	rv_fd_close(&fds[1]);
	cr_assert(ne(int, (int)rv_log_format(), (int)RV_LOG_AUTO), "opened by asking");
	rv_log_close();
	open_log("stderr", RV_LOG_JOURNAL);
	for (int i = 0; i < 20000; i++)
		cr_assert(rv_log_pass(line, strlen(line)));
	cr_assert(lt(u64, 0, rv_log_dropped()));
	rv_log_close();
	rv_fd_close(&fds[0]);
}

Test(log, levels_formats_and_events_have_names)
{
	enum rv_log_level level = RV_LOG_LEVELS;
	enum rv_log_format format = RV_LOG_FORMATS;

	for (int i = 0; i < RV_LOG_LEVELS; i++) {
		cr_assert(eq(int,
			     rv_log_level_parse(rv_log_level_name((enum rv_log_level)i), &level),
			     RV_OK));
		cr_assert(eq(int, (int)level, i));
	}
	cr_assert(eq(int, rv_log_level_parse("loud", &level), RV_E_PARSE));
	cr_assert(eq(int, rv_log_format_parse("journal", &format), RV_OK));
	cr_assert(eq(int, (int)format, RV_LOG_JOURNAL));
	cr_assert(eq(int, rv_log_format_parse("xml", &format), RV_E_PARSE));
	rv_assert_text(rv_log_level_name(RV_LOG_LEVELS), "?");
	rv_assert_text(rv_event_name(RV_EVENTS), "?");
	rv_assert_text(rv_event_name(RV_EV_log_dropped), "log.dropped");
	for (int i = 0; i < RV_EVENTS; i++) {
		for (int j = i + 1; j < RV_EVENTS; j++)
			cr_assert(ne(int,
				     strcmp(rv_event_name((enum rv_event)i),
					    rv_event_name((enum rv_event)j)),
				     0));
	}
	cr_assert(rv_log_wants(RV_LOG_INFO));
	cr_assert(not(rv_log_wants(RV_LOG_DEBUG)));
}
