/* Whether a module can be loaded, by a process that does it.  Who checks a configuration. */
#include "os/module.h"

#include "base/attr.h"
#include "base/seam.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/self.h"
#include "os/spawn.h"
#include "os/user.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_US (10 * RV_S_US)
#define REFUSED     78 /* the runner's exit code */
#define ANSWERS     3  /* where it repeats the word that it was given */
#define WORD_SIZE   17

struct look {
	struct rv_spawn how;
	struct rv_user user;
	char runner[RV_PATH_MAX], check[16], file[RV_PATH_MAX];
	char word[WORD_SIZE]; /* of this look: no module says it by chance */
	char *argv[5];
	int words[2];   /* its stderr */
	int answers[2]; /* the word, once all was looked at */
};

static int set_user(struct look *look, const char *user, const char *group, struct rv_why *why)
{
	int err = RV_OK;

	if (geteuid() != 0 || (!user && !group))
		return RV_OK;
	look->how.switch_user = true;
	if (user)
		err = rv_user_find(user, &look->user, why);
	look->how.uid = look->user.uid;
	look->how.gid = look->user.gid;
	look->how.user = user;
	look->how.groups = look->user.groups;
	look->how.ngroups = look->user.ngroups;
	if (err == RV_OK && group)
		err = rv_group_find(group, &look->how.gid, why);
	return err;
}

static int start(struct look *look, const char *path, struct rv_proc *ret_proc, struct rv_why *why)
{
	if (strlen(path) >= sizeof(look->file))
		return rv_fail(why, RV_E_TOOBIG, "%.100s…: too long a path", path);
	memcpy(look->file, path, strlen(path) + 1);
	memcpy(look->check, "--check", sizeof("--check"));
	look->argv[0] = look->runner;
	look->argv[1] = look->check;
	look->argv[2] = look->file;
	(void)snprintf(look->word, sizeof(look->word), "%016llx",
		       (unsigned long long)rv_random_u64());
	look->argv[3] = look->word;
	look->how.path = look->runner;
	look->how.argv = look->argv;
	look->how.new_session = true;
	look->how.parent_death_signal = SIGKILL;
	look->how.no_new_privs = true;
	look->how.fds[0] = (struct rv_spawn_fd){.from = look->words[1], .to = 2};
	look->how.fds[1] = (struct rv_spawn_fd){.from = look->answers[1], .to = ANSWERS};
	look->how.nfds = 2;
	return rv_spawn(&look->how, ret_proc, why);
}

/* Any process ends with 0 that a module's constructor ends: the runner itself has to say it. */
static bool has_said_word(const struct look *look)
{
	char word[WORD_SIZE] = "";

#ifdef RV_MUTANT_MODULE_BY_EXIT_CODE
	return true;
#endif
	return read(look->answers[0], word, sizeof(word) - 1) == WORD_SIZE - 1 &&
	       strcmp(word, look->word) == 0;
}

/* Its words, without the newline at their end. */
static int judge(struct look *look, const char *path, const struct rv_exit *end, struct rv_why *why)
{
	char words[400];
	ssize_t n = read(look->words[0], words, sizeof(words) - 1);

	words[n > 0 ? n : 0] = '\0';
	words[strcspn(words, "\n")] = '\0';
	if (end->code == 0 && has_said_word(look))
		return RV_OK;
	if (end->code == REFUSED && words[0] != '\0')
		return rv_fail(why, RV_E_REFUSED, "%s", words);
	if (end->signo != 0)
		return rv_fail(why, RV_E_REFUSED, "%s: loading it ends in signal %d%s%s", path,
			       end->signo, words[0] ? ": " : "", words);
	return rv_fail(why, RV_E_REFUSED, "%s: loading it ends with exit code %d%s%s", path,
		       end->code, words[0] ? ": " : "", words);
}

static int run(struct look *look, const char *path, struct rv_why *why)
{
	struct rv_proc proc = {.pidfd = -1};
	struct rv_exit end = {0};
	int err = start(look, path, &proc, why);
	int late;

	rv_fd_close(&look->words[1]);
	rv_fd_close(&look->answers[1]);
	if (err != RV_OK)
		return err;
	late = rv_fd_wait(proc.pidfd, POLLIN, PATIENCE_US);
	/* Before it is collected: its number is still that of its group. */
	(void)rv_proc_signal(&proc, SIGKILL, true);
	if (late != RV_OK)
		late = rv_fd_wait(proc.pidfd, POLLIN, -1) == RV_OK ? late : RV_E_IO;
	err = rv_proc_reap(&proc, &end);
	rv_fd_close(&proc.pidfd);
	if (late != RV_OK)
		return rv_fail(why, RV_E_REFUSED, "%s: is not loaded within 10s", path);
	return err == RV_OK ? judge(look, path, &end, why) : err;
}

int rv_module_check(const char *path, const char *user, const char *group, struct rv_why *why)
{
	struct look look = {.words = {-1, -1}, .answers = {-1, -1}};
	int err = rv_self_sibling("reeve-runner", look.runner, sizeof(look.runner), why);

	if (err == RV_OK)
		err = set_user(&look, user, group, why);
	if (err == RV_OK)
		err = rv_fd_pipe(look.words, true);
	if (err == RV_OK)
		err = rv_fd_pipe(look.answers, true);
	if (err == RV_OK)
		err = run(&look, path, why);
	rv_fd_close(&look.words[0]);
	rv_fd_close(&look.words[1]);
	rv_fd_close(&look.answers[0]);
	rv_fd_close(&look.answers[1]);
	rv_user_fini(&look.user);
	return err;
}
