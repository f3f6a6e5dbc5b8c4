/*
 * Jobs handed over to the real keeper, under a supervisor made of this test: it passes the
 * connections on, and speaks on them as a client does, or as none should.
 */
#include "process/worker_room.h"

#include "base/check.h"
#include "os/fd.h"
#include "os/self.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE 65536

static const char ini[] = "[pool:default]\nworkers = 2\nqueues = default, small\n"
			  "[task:plain]\nhandler = builtin\nbuiltin = noop\n"
			  "[queue:small]\nqueue_max = 1\non_full = block\n";
static const char one[] = "{\"v\":1,\"jobs\":[{\"task\":\"plain\"}]}\n";

static char said[LINE + 1]; /* the last line that was read */

static void open_room(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	rv_fakesup_open(&sup, ini);
	rv_fakesup_start(&sup, 0, &subject);
	rv_fakesup_attach(&sup);
}

TestSuite(offers, .init = open_room, .fini = close_room);

/* Another keeper, with a fault. */
static void restart_with(const char *fault)
{
	const char *const env[] = {fault, NULL};

	cr_assert(eq(int, rv_fakesup_stop(&subject), 0));
	sup.env = env;
	rv_fakesup_start(&sup, 0, &subject);
	sup.env = NULL;
}

/* Our end of a connection whose other end the keeper has. */
static int pass_one(void)
{
	struct rv_sup_msg msg = {.kind = RV_SUP_SUBMIT};
	int fds[2];
	int err;

	cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0));
	while ((err = rv_sup_pass(subject.chan, &msg, fds[1])) == RV_E_BUSY)
		cr_assert(rv_fd_wait(subject.chan, POLLOUT, 10 * RV_S_US) == RV_OK);
	cr_assert(eq(int, err, RV_OK));
	(void)close(fds[1]);
	return fds[0];
}

#define HEAR(fd)                                                                                   \
	cr_assert(rv_test_wait_line((fd), said, sizeof(said), 20000), "it closed, or is silent")
#define ENDS(fd)                                                                                   \
	cr_assert(not(rv_test_wait_line((fd), said, sizeof(said), 20000)), "it says %s", said)

static int connect_one(void)
{
	int fd = pass_one();

	HEAR(fd);
	HAS(said, "\"ok\":true");
	HAS(said, "\"version\"");
	return fd;
}

static void say(int fd, const char *text)
{
	cr_assert(rv_fd_write_all(fd, text, strlen(text)) == RV_OK);
}

static int64_t stored(void)
{
	struct rv_store_totals totals;
	int64_t count = 0;

	cr_assert(rv_store_totals(sup.store, &totals) == RV_OK);
	for (int i = 0; i < RV_JOB_STATES; i++)
		count += totals.counts[i];
	return count;
}

static bool is_stopped(void *ctx)
{
	struct rv_procstat stat;

	(void)ctx;
	return rv_procstat(subject.proc.pid, &stat) == RV_OK && stat.state == 'T';
}

/* STOP, and until it stands still; CONT. */
static void pause_keeper(int signo)
{
	cr_assert(rv_proc_signal(&subject.proc, signo, false) == RV_OK);
	cr_assert(signo != SIGSTOP || rv_test_wait_until(is_stopped, NULL, 20000));
}

static int keeper_fds(void)
{
	char path[64];
	int count = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)subject.proc.pid);
	dir = opendir(path);
	cr_assert(dir != NULL);
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}

Test(offers, a_job_is_stored_and_then_told)
{
	int fd = connect_one();

	say(fd, one);
	HEAR(fd);
	HAS(said, "\"ok\":true,\"ids\":[1],\"repeated\":0");
	cr_expect(eq(int, (int)rv_fakesup_job(&sup, 1)->state, RV_JOB_READY));
	say(fd, "{\"v\":1,\"jobs\":[{\"task\":\"plain\",\"idempotency_key\":\"k\"},"
		"{\"task\":\"plain\",\"delay\":\"1h\"}]}\n");
	HEAR(fd);
	HAS(said, "\"ids\":[2,3]");
	say(fd, "{\"v\":1,\"jobs\":[{\"task\":\"plain\",\"idempotency_key\":\"k\"}]}\n");
	HEAR(fd);
	HAS(said, "\"ids\":[2],\"repeated\":1");
	cr_expect(eq(i64, stored(), 3));
	(void)close(fd);
}

/* The second passage of the point would kill it. */
Test(offers, what_is_there_is_one_transaction)
{
	enum { CLIENTS = RV_LIMIT(20, 4) }; /* of one round: RV_OFFERS_LINES */
	int fds[CLIENTS];
	int last;

	restart_with("RV_FAULT=keeper_stored:kill:2:keeper");
	last = connect_one();
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = connect_one();
	pause_keeper(SIGSTOP);
	for (int i = 0; i < CLIENTS; i++)
		say(fds[i], one);
	pause_keeper(SIGCONT);
	for (int i = 0; i < CLIENTS; i++) {
		HEAR(fds[i]);
		HAS(said, "\"ok\":true");
		(void)close(fds[i]);
	}
	cr_assert(eq(i64, stored(), CLIENTS));
	/* Killed between its COMMIT and the answer: it is stored, and nobody says so. */
	say(last, one);
	ENDS(last);
	cr_assert(eq(int, rv_fakesup_wait(&subject, 20000), 128 + SIGKILL));
	cr_assert(eq(i64, stored(), CLIENTS + 1));
	(void)close(last);
	rv_fakesup_start(&sup, 0, &subject);
}

static const struct {
	const char *line;
	const char *says[2];
} bad[] = {
	{"nonsense\n", {"\"ok\":false", "\"name\":\"PARSE\""}},
	{"\n", {"\"ok\":false", "\"name\":\"PARSE\""}},
	{"{\"v\":1,\"jobs\":[{\"task\":\"plian\"}]}\n", {"did you mean", "\"failed\":0"}},
	{"{\"v\":1,\"jobs\":[{\"task\":\"plain\"},{\"task\":\"no\"}]}\n",
	 {"\"name\":\"NOTFOUND\"", "\"failed\":1"}},
	{"{\"v\":1,\"jobs\":[{\"task\":\"plain\"},{\"task\":\"plain\",\"tsak\":1}]}\n",
	 {"tsak", "\"failed\":1"}},
	{"{\"v\":1,\"jobs\":[{\"task\":\"plain\",\"unique\":\"u\"}]}\n",
	 {"\"name\":\"CONFLICT\"", "\"exit\":5"}},
	{"{\"v\":1,\"jobs\":[{\"task\":\"plain\",\"queue\":\"small\"}]}\n",
	 {"\"name\":\"FULL\"", "\"queue\":\"small\",\"may_wait\":true"}},
	{"{\"v\":1,\"jobs\":[{\"task\":\"plain\",\"after\":[4711]}]}\n", {"4711", "\"exit\":3"}},
};

Test(offers, a_bad_line_spoils_no_other)
{
	enum { BAD = RV_ARRAY_LEN(bad), GOOD = 5 };
	int fds[BAD + GOOD];

	for (int i = 0; i < BAD + GOOD; i++)
		fds[i] = connect_one();
	say(fds[0], "{\"v\":1,\"jobs\":[{\"task\":\"plain\",\"unique\":\"u\"},"
		    "{\"task\":\"plain\",\"queue\":\"small\"}]}\n");
	HEAR(fds[0]);
	HAS(said, "\"ids\":[1,2]");
	pause_keeper(SIGSTOP);
	for (int i = 0; i < BAD + GOOD; i++)
		say(fds[i], i < BAD ? bad[i].line : one);
	pause_keeper(SIGCONT);
	for (int i = 0; i < BAD + GOOD; i++) {
		HEAR(fds[i]);
		HAS(said, i < BAD ? bad[i].says[0] : "\"ok\":true");
		HAS(said, i < BAD ? bad[i].says[1] : "\"ids\":[");
	}
	cr_assert(eq(i64, stored(), 2 + GOOD));
	/* Who was refused is not cut off. */
	for (int i = 0; i < BAD; i++) {
		say(fds[i], one);
		HEAR(fds[i]);
		HAS(said, "\"ok\":true");
	}
	for (int i = 0; i < BAD + GOOD; i++)
		(void)close(fds[i]);
}

Test(offers, f30_lines_come_in_pieces_in_crowds_and_without_end)
{
	char *text = malloc(LINE + 2);
	int fd = connect_one();

	for (size_t i = 0; one[i]; i++)
		cr_assert(rv_fd_write_all(fd, one + i, 1) == RV_OK);
	HEAR(fd);
	HAS(said, "\"ids\":[1]");
	(void)snprintf(text, LINE, "%s%snonsense\n%s", one, one, one);
	say(fd, text);
	for (int i = 0; i < 4; i++) {
		HEAR(fd);
		HAS(said, i == 2 ? "\"ok\":false" : "\"ok\":true");
	}
	cr_assert(eq(i64, stored(), 4));
	memset(text, ' ', LINE);
	text[LINE] = '\0';
	(void)!rv_fd_write_all(fd, text, LINE); /* it need not read all of it */
	HEAR(fd);
	HAS(said, "\"name\":\"TOOBIG\"");
	ENDS(fd);
	(void)close(fd);
	/* Half a line is none. */
	fd = connect_one();
	say(fd, "{\"v\":1,\"jobs\":[{\"task\":\"plain\"}]}");
	(void)shutdown(fd, SHUT_WR);
	ENDS(fd);
	cr_assert(eq(i64, stored(), 4));
	(void)close(fd);
	free(text);
}

static bool has_stored(void *ctx)
{
	return stored() == *(const int64_t *)ctx;
}

static bool has_no_more_fds(void *ctx)
{
	return keeper_fds() <= *(const int *)ctx;
}

/* Who goes before he is answered has his job stored all the same. */
Test(offers, a_client_that_goes_harms_nobody)
{
	int before = keeper_fds();
	int stays = connect_one();

	for (int i = 0; i < 50; i++) {
		int fd = i % 2 ? pass_one() : connect_one();

		if (i % 2 == 0 && i % 5 != 0)
			say(fd, one);
		(void)close(fd);
	}
	say(stays, one);
	HEAR(stays);
	HAS(said, "\"ok\":true");
	(void)close(stays);
	cr_assert(rv_test_wait_until(has_stored, &(int64_t){21}, 20000));
	cr_assert(rv_test_wait_until(has_no_more_fds, &before, 20000),
		  "descriptors are left open: %d, %d before", keeper_fds(), before);
}

Test(offers, a_crowd_is_bounded_and_told_so)
{
	enum { PLACES = 256 };
	static int fds[PLACES];
	int extra;

	for (int i = 0; i < PLACES; i++)
		fds[i] = connect_one();
	extra = pass_one();
	HEAR(extra);
	HAS(said, "\"name\":\"BUSY\"");
	HAS(said, "256 programs");
	ENDS(extra);
	(void)close(extra);
	for (int i = 0; i < PLACES; i++)
		say(fds[i], one);
	for (int i = 0; i < PLACES; i++) {
		HEAR(fds[i]);
		HAS(said, "\"ok\":true");
	}
	cr_assert(eq(i64, stored(), PLACES));
	(void)close(fds[7]);
	say(fds[8], one); /* one that is answered after the end of the other was seen */
	HEAR(fds[8]);
	fds[7] = connect_one();
	for (int i = 0; i < PLACES; i++)
		(void)close(fds[i]);
}

/* They send as fast as they can and read nothing, one of them never. */
Test(offers, a_flood_keeps_the_keeper_from_nothing)
{
	enum { CLIENTS = 8 };
	struct rv_sup_msg died = {.kind = RV_SUP_DIED, .a = 1, .c = RV_DIED_CLEAN, .e = 1};
	struct rv_sup_msg msg;
	int64_t end = rv_mono_us() + 4 * RV_S_US;
	int64_t last = rv_mono_us();
	int64_t told = 0;
	int fds[CLIENTS];
	int ticks = 0;

	died.b = ++sup.last_incarnation;
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = connect_one();
		cr_assert(rv_fd_nonblock(fds[i], true) == RV_OK);
	}
	while (rv_mono_us() < end) {
		for (int i = 0; i < CLIENTS; i++) {
			while (send(fds[i], one, sizeof(one) - 1, MSG_NOSIGNAL) > 0)
				continue;
			if (i > 0)
				(void)!recv(fds[i], said, sizeof(said), 0);
		}
		if (rv_mono_us() > end - 3 * RV_S_US && told == 0) {
			rv_fakesup_say(&subject, &died);
			told = rv_mono_us();
		}
		if (!rv_fakesup_hear(&subject, RV_SUP_TICK, 1, &msg))
			continue;
		ticks++;
		cr_assert(lt(i64, rv_mono_us() - last, 2500 * RV_MS_US), "a TICK is late");
		last = rv_mono_us();
	}
	cr_assert(le(int, 2, ticks));
	rv_fakesup_say(&subject, &died);
	cr_assert(rv_fakesup_hear(&subject, RV_SUP_ACK, 5000, &msg), "the dead wait");
	cr_assert(lt(i64, 100, stored()));
	for (int i = 0; i < CLIENTS; i++)
		(void)close(fds[i]);
}

Test(offers, a_goodbye_says_that_nothing_was_stored)
{
	int idle = connect_one();
	int half = connect_one();

	say(half, "{\"v\":1,\"jobs\":");
	say(idle, one);
	HEAR(idle);
	cr_assert(eq(int, rv_fakesup_stop(&subject), 0));
	HEAR(idle);
	HAS(said, "\"name\":\"NOTRUN\"");
	HAS(said, "nothing of this was stored");
	ENDS(idle);
	HEAR(half);
	HAS(said, "\"name\":\"NOTRUN\"");
	ENDS(half);
	cr_assert(eq(i64, stored(), 1));
	(void)close(idle);
	(void)close(half);
	rv_fakesup_start(&sup, 0, &subject);
}

/* What was not committed is not told to be: not even when all went well until then. */
Test(offers, an_error_of_the_transaction_is_everybodys)
{
	int fds[3];

	restart_with("RV_FAULT=keeper_offer:busy:1:keeper");
	for (int i = 0; i < 3; i++)
		fds[i] = connect_one();
	pause_keeper(SIGSTOP);
	for (int i = 0; i < 3; i++)
		say(fds[i], one);
	pause_keeper(SIGCONT);
	for (int i = 0; i < 3; i++) {
		HEAR(fds[i]);
		HAS(said, "\"ok\":false");
		HAS(said, "\"name\":\"BUSY\"");
	}
	cr_assert(eq(i64, stored(), 0));
	for (int i = 0; i < 3; i++) {
		say(fds[i], one);
		HEAR(fds[i]);
		HAS(said, "\"ok\":true");
		(void)close(fds[i]);
	}
	cr_assert(eq(i64, stored(), 3));
}

/* A store that is not at its path any more takes nothing. */
Test(offers, nothing_is_stored_where_nobody_looks)
{
	char away[300];
	int fd = connect_one();

	(void)snprintf(away, sizeof(away), "%s.away", sup.path);
	cr_assert(eq(int, rename(sup.path, away), 0));
	say(fd, one);
	HEAR(fd);
	HAS(said, "\"name\":\"NOTRUN\"");
	cr_assert(eq(int, rv_fakesup_wait(&subject, 20000), 74));
	cr_assert(eq(int, rename(away, sup.path), 0));
	cr_assert(eq(i64, stored(), 0));
	(void)close(fd);
	rv_fakesup_start(&sup, 0, &subject);
}

/* Ten seconds for the rest of a line, and for reading; who is silent between lines may stay. */
Test(offers, who_is_slow_is_ended_and_who_is_idle_is_not)
{
	int half = connect_one();
	int deaf = connect_one();
	int idle = connect_one();
	char byte;

	say(half, "{");
	cr_assert(rv_fd_nonblock(deaf, true) == RV_OK);
	while (rv_fd_wait(deaf, POLLOUT, 300 * RV_MS_US) == RV_OK)
		(void)!send(deaf, "\n\n\n\n\n\n\n\n", 8, MSG_NOSIGNAL);
	HEAR(half);
	HAS(said, "\"name\":\"TIMEOUT\"");
	ENDS(half);
	cr_assert(rv_fd_nonblock(deaf, false) == RV_OK);
	(void)shutdown(deaf, SHUT_WR);
	while (recv(deaf, &byte, 1, 0) == 1)
		continue;
	say(idle, one);
	HEAR(idle);
	HAS(said, "\"ok\":true");
	(void)close(half);
	(void)close(deaf);
	(void)close(idle);
}
