/* common/client: finding and making a store, submitting, ringing, waiting; without a daemon. */
#include "helpers/assert.h"

#include "base/seam.h"
#include "client/alive.h"
#include "client/bell.h"
#include "client/client.h"
#include "client/submit.h"
#include "client/waiter.h"
#include "conf/conf.h"
#include "helpers/tmpdir.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/sock.h"
#include "store/read.h"
#include "wire/control.h"
#include "wire/sup.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *tmp;
static struct rv_client client;

static void open_client(const char *const *overrides, const char *store)
{
	static char *environment[] = {NULL};
	struct rv_conf_errors errors;
	struct rv_client_how how = {.store = store,
				    .overrides = overrides,
				    .environment = environment,
				    .busy_us = 200000};
	struct rv_why why = {.text = ""};

	rv_conf_errors_init(&errors);
	int err = rv_client_init(&client, &how, &errors, &why);
	cr_assert(eq(int, err, RV_OK), "%s", why.text);
	rv_conf_errors_fini(&errors);
}

static void setup(void)
{
	char state[RV_PATH_MAX];
	char run[RV_PATH_MAX];
	const char *overrides[] = {state, run, NULL};

	tmp = rv_test_tmpdir();
	(void)snprintf(state, sizeof(state), "reeve.state_dir=%s/state", tmp);
	(void)snprintf(run, sizeof(run), "reeve.runtime_dir=%s", tmp);
	open_client(overrides, NULL);
}

static void teardown(void)
{
	rv_client_fini(&client);
	rv_test_tmpdir_end();
}

TestSuite(client, .init = setup, .fini = teardown);

static int64_t enqueue(const char *queue, int expected)
{
	struct rv_job_new job = {.task = RV_TASK_ADHOC,
				 .spec = "{\"command\":[\"true\"]}",
				 .queue = queue,
				 .priority = -1};
	struct rv_req *req = calloc(1, sizeof(*req));
	int64_t id = 0;
	struct rv_why why = {.text = ""};

	req->kind = RV_REQ_ENQUEUE;
	req->u.enqueue.jobs = &job;
	req->u.enqueue.count = 1;
	req->u.enqueue.ret_ids = &id;
	int err = rv_submit_one(&client, req, &why);
	cr_assert(eq(int, err, expected), "%s", why.text);
	free(req);
	return id;
}

Test(client, reading_makes_nothing)
{
	struct rv_why why;
	struct stat st;
	int err = rv_client_store(&client, RV_CLIENT_READ, &why);

	cr_assert(eq(int, err, RV_E_NOTFOUND));
	err = rv_client_store(&client, RV_CLIENT_WRITE, &why);
	cr_assert(eq(int, err, RV_E_NOTFOUND));
	cr_assert(eq(int, stat(client.store_path, &st), -1));
}

Test(client, creating_makes_a_private_store_and_mirrors)
{
	char folder[RV_PATH_MAX];
	struct stat st;
	int err = rv_client_store(&client, RV_CLIENT_CREATE, NULL);

	cr_assert(eq(int, err, RV_OK));
	err = rv_path_folder(folder, sizeof(folder), client.store_path);
	cr_assert(eq(int, err, RV_OK));
	cr_assert(eq(int, stat(folder, &st), 0));
	unsigned mode = st.st_mode & 07777;
	cr_assert(eq(uint, mode, 0700));
	cr_assert(eq(int, stat(client.store_path, &st), 0));
	mode = st.st_mode & 07777;
	cr_assert(eq(uint, mode, 0600));
	int64_t id = enqueue("default", RV_OK);
	cr_assert(eq(i64, id, 1));
}

Test(client, a_refused_request_commits_nothing)
{
	int err = rv_client_store(&client, RV_CLIENT_CREATE, NULL);
	struct rv_store_totals totals;

	cr_assert(eq(int, err, RV_OK));
	enqueue("nowhere", RV_E_NOTFOUND);
	err = rv_store_totals(client.store, &totals);
	cr_assert(eq(int, err, RV_OK));
	cr_assert(eq(i64, totals.counts[RV_JOB_READY], 0));
	int64_t id = enqueue("default", RV_OK);
	cr_assert(eq(i64, id, 1), "a refused job took an id");
}

Test(client, a_store_option_is_made_absolute)
{
	static const char *const none[] = {NULL};
	char wanted[RV_PATH_MAX];

	rv_client_fini(&client);
	cr_assert(eq(int, chdir(tmp), 0));
	open_client(none, "sub/x.db");
	char *here = getcwd(NULL, 0);
	(void)snprintf(wanted, sizeof(wanted), "%s/sub/x.db", here);
	free(here);
	rv_assert_text(client.store_path, wanted);
}

static volatile sig_atomic_t stops;
static int64_t stopped_at_us;

static void on_stop(int signo)
{
	(void)signo;
	stops++;
	stopped_at_us = rv_mono_us();
}

/* Somebody else holds the write lock for all of our 200 ms; TERM comes at 50 ms and must wait. */
Test(client, signals_wait_until_the_transaction_is_over)
{
	struct rv_store_open how = {.backend = "sqlite", .group = (gid_t)-1};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM};
	struct itimerspec when = {.it_value.tv_nsec = 50000000};
	struct sigaction action = {.sa_handler = on_stop};
	struct rv_store *other = NULL;
	timer_t timer;
	int err = rv_client_store(&client, RV_CLIENT_CREATE, NULL);

	cr_assert(eq(int, err, RV_OK));
	how.path = client.store_path;
	err = rv_store_open(&how, &other, NULL);
	cr_assert(eq(int, err, RV_OK));
	err = rv_store_begin(other, RV_DURABILITY_NORMAL, 1000000, NULL);
	cr_assert(eq(int, err, RV_OK));
	cr_assert(eq(int, sigaction(SIGTERM, &action, NULL), 0));
	cr_assert(eq(int, timer_create(CLOCK_MONOTONIC, &event, &timer), 0));
	int64_t start_us = rv_mono_us();
	cr_assert(eq(int, timer_settime(timer, 0, &when, NULL), 0));
	enqueue("default", RV_E_BUSY);
	(void)timer_delete(timer);
	int64_t waited_us = stopped_at_us - start_us;
	cr_assert(eq(int, stops, 1), "TERM did not come");
	cr_assert(ge(i64, waited_us, 190000), "TERM came inside");
	rv_store_rollback(other);
	rv_store_close(other);
	enqueue("default", RV_OK);
}

Test(client, an_enqueue_rings_the_doorbell)
{
	char path[RV_PATH_MAX];
	RV_AUTO(rv_fd_close) int bell = -1;
	uint64_t token = 0;
	int err = rv_path_join(path, sizeof(path), tmp, "doorbell");

	cr_assert(eq(int, err, RV_OK));
	err = rv_sock_bell(path, 0600, &bell, NULL);
	cr_assert(eq(int, err, RV_OK));
	err = rv_client_store(&client, RV_CLIENT_CREATE, NULL);
	cr_assert(eq(int, err, RV_OK));
	enqueue("default", RV_OK);
	err = rv_sock_rung(bell, &token);
	cr_assert(eq(int, err, RV_OK), "nobody rang");
	cr_assert(eq(u64, token, rv_ring_token("default")));
}

Test(client, a_waiter_is_rung_by_the_commit_and_leaves_nothing)
{
	struct rv_waiter waiter;
	struct rv_req *req = calloc(1, sizeof(*req));
	uint64_t token = 0;
	char path[108];
	struct stat st;
	int err = rv_client_store(&client, RV_CLIENT_CREATE, NULL);

	cr_assert(eq(int, err, RV_OK));
	int64_t id = enqueue("default", RV_OK);
	rv_waiter_init(&waiter, &client);
	cr_assert(ne(int, waiter.fd, -1));
	err = rv_waiter_watch(&waiter, &client, &id, 1, NULL);
	cr_assert(eq(int, err, RV_OK));
	req->kind = RV_REQ_CANCEL;
	req->u.cancel.job = id;
	err = rv_submit_one(&client, req, NULL);
	cr_assert(eq(int, err, RV_OK));
	free(req);
	err = rv_sock_rung(waiter.fd, &token);
	cr_assert(eq(int, err, RV_OK), "the waiter was not rung");
	cr_assert(eq(u64, token, (uint64_t)id));
	memcpy(path, waiter.path, sizeof(path));
	rv_waiter_fini(&waiter, &client);
	cr_assert(eq(int, stat(path, &st), -1));
}

Test(client, a_waiter_without_a_folder_goes_by_the_second)
{
	struct rv_waiter waiter;
	int64_t id;
	int err = rv_client_store(&client, RV_CLIENT_CREATE, NULL);

	cr_assert(eq(int, err, RV_OK));
	id = enqueue("default", RV_OK);
	rv_test_remove_tree(tmp); /* the store's file is open; its sockets' folder is gone */
	rv_waiter_init(&waiter, &client);
	cr_assert(eq(int, waiter.fd, -1));
	err = rv_waiter_watch(&waiter, &client, &id, 1, NULL);
	cr_assert(eq(int, err, RV_OK));
	rv_waiter_sleep(&waiter, NULL, 0, 1000);
	rv_waiter_fini(&waiter, &client);
}

Test(client, alive_is_who_holds_the_lock)
{
	char path[RV_PATH_MAX];
	int lock = -1;
	pid_t pid = 0;
	pid_t holder = 0;
	int err = rv_client_store(&client, RV_CLIENT_CREATE, NULL);

	cr_assert(eq(int, err, RV_OK));
	err = rv_alive(&client, &pid);
	cr_assert(eq(int, err, RV_E_NOTRUN));
	err = rv_client_lock_path(&client, path, sizeof(path));
	cr_assert(eq(int, err, RV_OK));
	err = rv_lock_daemon(path, 0600, &lock, &holder, NULL);
	cr_assert(eq(int, err, RV_OK));
	err = rv_alive(&client, &pid);
	cr_assert(eq(int, err, RV_OK));
	cr_assert(eq(int, (int)pid, (int)getpid()));
	rv_fd_close(&lock);
}

Test(client, nobody_to_call_is_not_running)
{
	json_t *request = rv_control_request("ping");
	json_t *reply = NULL;
	struct rv_why why;
	int err = rv_alive_call(&client, request, &reply, &why);

	cr_assert(eq(int, err, RV_E_NOTRUN));
	rv_assert_text(why.text, "reeved is not running");
	json_decref(request);
}
