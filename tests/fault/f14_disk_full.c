/*
 * F14: a disk that is full in truth (a small tmpfs of our own; needs root, else skipped).  New jobs
 * are refused with a sentence, the jobs that are there are finished out of the ballast, and when
 * there is room again everything goes on by itself.
 */
#include "helpers/tmpdir.h"
#include "scene.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS 60

static char folder[600];

static int own_disk(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return 1;
	return mount("tmpfs", folder, "tmpfs", 0, "size=48m,mode=0700");
}

/* Takes all there is; the file's name. */
static const char *fill_disk(void)
{
	static char name[640];
	static char data[1 << 16];
	ssize_t got;
	int fd;

	(void)snprintf(name, sizeof name, "%s/fat", folder);
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0, "cannot open %s", name);
	while ((got = write(fd, data, sizeof data)) > 0)
		;
	for (size_t piece = 4096; (got = write(fd, data, piece)) > 0;)
		;
	(void)close(fd);
	return name;
}

static void story(void)
{
	static char payload[20000];
	static struct scene s;
	struct rv_job_new job = {
		.task = "t", .priority = -1, .payload = payload, .payload_size = sizeof payload};
	const char *fat;
	char path[640];
	char ballast[660];
	int64_t size;
	int done = 0;
	int refusals = 0;

	(void)snprintf(path, sizeof path, "%s/s.db", folder);
	(void)snprintf(ballast, sizeof ballast, "%s.ballast", path);
	scene_make(path, RV_DURABILITY_FULL);
	scene_start(&s, path, RV_DURABILITY_FULL);
	CHECK(scene_open(&s) == RV_OK, "%s", s.why.text);
	CHECK(rv_store_checkpoint(s.store, 4 << 20, &size) == RV_OK, "no checkpoint");
	CHECK(access(ballast, F_OK) == 0, "no ballast was put aside");
	for (int i = 0; i < JOBS; i++)
		CHECK(scene_add(&s, &job) > 0, "%s", s.req.why.text);
	fat = fill_disk();
	for (int i = 0; i < 50 && refusals == 0; i++) { /* what is left of the log is used first */
		if (scene_add(&s, &job) > 0)
			continue;
		CHECK(s.last_error == RV_E_NOSPACE, "%s", rv_err_name(s.last_error));
		refusals++;
	}
	CHECK(refusals == 1 && access(ballast, F_OK) == 0, "a new job took the ballast");
	for (int tries = 0; done < JOBS && tries < 2 * JOBS; tries++) {
		struct rv_ack ack = {.outcome = RV_OUTCOME_SUCCEEDED};

		if (scene_turn(&s, 1, NULL, 0) != RV_OK || s.req.u.turn.nclaimed == 0) {
			CHECK(s.last_error == RV_E_NOSPACE, "%s", rv_err_name(s.last_error));
			continue;
		}
		ack.job = s.req.u.turn.claimed[0].job;
		ack.fence = s.req.u.turn.claimed[0].fence;
		while (scene_turn(&s, 0, &ack, 1) != RV_OK)
			CHECK(s.last_error == RV_E_NOSPACE && tries++ < 2 * JOBS, "%s",
			      rv_err_name(s.last_error));
		done++;
		(void)!rv_store_checkpoint(s.store, 4 << 20, &size);
	}
	CHECK(done == JOBS, "%d of %d jobs were finished on a full disk", done, JOBS);
	CHECK(access(ballast, F_OK) != 0, "the ballast was not needed: the disk was not full");
	if (scene_add(&s, &job) > 0)
		CHECK(false, "a new job was taken into the reserve");
	CHECK(s.last_error == RV_E_NOSPACE && strstr(s.req.why.text, "no room"), "%s",
	      s.req.why.text);
	CHECK(unlink(fat) == 0, "cannot make room");
	CHECK(scene_add(&s, &job) > 0, "there is room again, but: %s", s.req.why.text);
	CHECK(rv_store_checkpoint(s.store, 0, &size) == RV_OK, "no checkpoint");
	CHECK(access(ballast, F_OK) == 0, "the ballast was not put aside again");
	scene_verify(&s, "on a full disk");
}

int main(void)
{
	int status = -1;
	pid_t pid;

	scene_begin();
	(void)snprintf(folder, sizeof folder, "%s", rv_test_tmpdir());
	pid = fork();
	CHECK(pid >= 0, "no process");
	if (pid == 0) {
		if (own_disk() != 0)
			_exit(77);
		story();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "no child");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		(void)printf("skipped: a disk of our own needs root\n");
	else
		CHECK(status == 0, "it ended with %x", (unsigned)status);
	return 0;
}
