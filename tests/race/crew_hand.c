/*
 * The hand's side of a crew: a process with a writer of its own, in the slot it was given.  It
 * tells on stdout when it waits ("waiting", once an order), whom it reports ("stuck N") and what it
 * was answered ("= result err a b c").
 */
#include "crew.h"

#include "base/check.h"
#include "base/seam.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_US (60 * RV_S_US)

static bool waited; /* said so already, for this order */
static struct rv_writer *writer;

static void on_beat(void *ctx)
{
	(void)ctx;
	if (waited || !writer)
		return;
	waited = true;
	(void)dprintf(STDOUT_FILENO, "waiting\n");
}

static void on_stuck(void *ctx, unsigned slot)
{
	(void)ctx;
	(void)dprintf(STDOUT_FILENO, "stuck %u\n", slot);
}

static void give_up(const char *what, const char *detail)
{
	(void)fprintf(stderr, "hand: %s: %s\n", what, detail);
	_exit(70);
}

void crew_self_open(struct crew_self *self, int argc, char **argv)
{
	struct rv_why why = {""};
	int fd = argc > 5 ? open(argv[3], O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		give_up("arguments", "ROLE STORE AREA SLOT INCARNATION [WORD]");
	*self = (struct crew_self){.word = argc > 6 ? argv[6] : "",
				   .slot = (unsigned)strtoul(argv[4], NULL, 10),
				   .incarnation = strtoull(argv[5], NULL, 10)};
	struct rv_store_open open_how = {.backend = "sqlite",
					 .path = argv[2],
					 .group = (gid_t)-1,
					 .interrupt = rv_writer_busy,
					 .ctx = &writer};

	if (rv_store_open(&open_how, &self->store, &why) != RV_OK)
		give_up("store", why.text);
	if (rv_area_map(fd, &self->area, &why) != RV_OK)
		give_up("area", why.text);
	(void)close(fd);
	struct rv_writer_open how = {.store = self->store,
				     .area = &self->area,
				     .slot = self->slot,
				     .incarnation = self->incarnation,
				     .beat = on_beat,
				     .stuck = on_stuck};

	if (rv_writer_open(&how, &self->writer, &why) != RV_OK)
		give_up("writer", why.text);
	writer = self->writer;
	(void)dprintf(STDOUT_FILENO, "open\n");
}

void crew_self_close(struct crew_self *self)
{
	writer = NULL;
	rv_writer_close(self->writer);
	rv_area_unmap(&self->area);
	rv_store_close(self->store);
}

/* What an order asks for; the answer's numbers are read from ${*ret} afterwards. */
struct order {
	const char *word;
	int kind;
	void (*fill)(struct crew_self *self, struct rv_req *req, const char *args);
	struct crew_answer (*read)(const struct rv_req *req);
};

static void fill_claim(struct crew_self *self, struct rv_req *req, const char *args)
{
	req->u.turn.incarnation = self->incarnation;
	req->u.turn.want = 1;
	req->u.turn.nqueues = 1;
	(void)sscanf(args, "%63s", req->u.turn.queues[0]);
}

static struct crew_answer read_claim(const struct rv_req *req)
{
	const struct rv_req_turn *turn = &req->u.turn;

	return (struct crew_answer){.a = turn->nclaimed,
				    .b = turn->nclaimed ? turn->claimed[0].job : 0,
				    .c = turn->nclaimed ? turn->claimed[0].fence : 0};
}

static void fill_ack(struct crew_self *self, struct rv_req *req, const char *args)
{
	struct rv_ack *ack = &req->u.turn.acks[0];

	req->u.turn.incarnation = self->incarnation;
	req->u.turn.nacks = 1;
	(void)sscanf(args, "%" SCNd64 " %" SCNd64, &ack->job, &ack->fence);
	ack->outcome = RV_OUTCOME_SUCCEEDED;
	ack->started_us = rv_wall_us();
	ack->ended_us = rv_wall_us();
}

static struct crew_answer read_ack(const struct rv_req *req)
{
	return (struct crew_answer){.a = req->u.turn.acks[0].err};
}

static void fill_cancel(struct crew_self *self, struct rv_req *req, const char *args)
{
	(void)self;
	(void)sscanf(args, "%" SCNd64, &req->u.cancel.job);
}

static struct crew_answer read_cancel(const struct rv_req *req)
{
	return (struct crew_answer){.a = req->u.cancel.was};
}

static void fill_expire(struct crew_self *self, struct rv_req *req, const char *args)
{
	struct rv_expire_one *who = &req->u.expire.who[0];

	(void)self;
	req->u.expire.count = 1;
	(void)sscanf(args, "%" SCNu64 " %" SCNd32, &who->incarnation, &who->died);
	(void)snprintf(who->words, sizeof who->words, "killed by the test");
}

static struct crew_answer read_expire(const struct rv_req *req)
{
	return (struct crew_answer){.a = req->u.expire.who[0].released};
}

static void fill_promote(struct crew_self *self, struct rv_req *req, const char *args)
{
	(void)self;
	(void)args;
	req->u.promote.limit = 100;
}

static struct crew_answer read_promote(const struct rv_req *req)
{
	return (struct crew_answer){.a = req->u.promote.promoted};
}

static void fill_leave(struct crew_self *self, struct rv_req *req, const char *args)
{
	(void)args;
	req->u.leave.incarnation = self->incarnation;
}

static void fill_nothing(struct crew_self *self, struct rv_req *req, const char *args)
{
	(void)self;
	(void)req;
	(void)args;
}

static struct crew_answer read_nothing(const struct rv_req *req)
{
	(void)req;
	return (struct crew_answer){.result = 0};
}

static struct rv_job_new new_job;
static char new_queue[RV_NAME_MAX];
static int64_t new_id;

static void fill_enqueue(struct crew_self *self, struct rv_req *req, const char *args)
{
	(void)self;
	(void)sscanf(args, "%63s", new_queue);
	new_id = 0;
	new_job = (struct rv_job_new){
		.task = "t", .queue = new_queue, .spec = "{\"args\":{}}", .priority = -1};
	req->u.enqueue = (struct rv_req_enqueue){.jobs = &new_job, .count = 1, .ret_ids = &new_id};
}

static struct crew_answer read_enqueue(const struct rv_req *req)
{
	(void)req;
	return (struct crew_answer){.a = new_id};
}

static const struct order orders[] = {
	{"claim", RV_REQ_TURN, fill_claim, read_claim},
	{"ack", RV_REQ_TURN, fill_ack, read_ack},
	{"cancel", RV_REQ_CANCEL, fill_cancel, read_cancel},
	{"expire", RV_REQ_EXPIRE, fill_expire, read_expire},
	{"promote", RV_REQ_PROMOTE, fill_promote, read_promote},
	{"leave", RV_REQ_LEAVE, fill_leave, read_nothing},
	{"enqueue", RV_REQ_ENQUEUE, fill_enqueue, read_enqueue},
	{"beats", RV_REQ_BEATS, fill_nothing, read_nothing},
};

static void obey(struct crew_self *self, const struct order *order, const char *args)
{
	static struct rv_req req;

	memset(&req, 0, sizeof req);
	req.kind = order->kind;
	order->fill(self, &req, args);
	waited = false;
	int result = rv_writer_do(self->writer, &req, RV_DURABILITY_FULL, PATIENCE_US);
	struct crew_answer answer = order->read(&req);

	(void)dprintf(STDOUT_FILENO, "= %d %d %" PRId64 " %" PRId64 " %" PRId64 "\n", result,
		      req.err, answer.a, answer.b, answer.c);
}

int crew_hand_main(int argc, char **argv)
{
	struct crew_self self;
	char line[256];
	char word[32];
	int used = 0;

	crew_self_open(&self, argc, argv);
	while (fgets(line, sizeof line, stdin) && sscanf(line, "%31s%n", word, &used) == 1) {
		const struct order *order = NULL;

		for (size_t i = 0; i < RV_ARRAY_LEN(orders); i++) {
			if (strcmp(orders[i].word, word) == 0)
				order = &orders[i];
		}
		if (!order)
			break;
		obey(&self, order, line + used);
	}
	crew_self_close(&self);
	return strcmp(word, "quit") == 0 ? 0 : 71;
}
