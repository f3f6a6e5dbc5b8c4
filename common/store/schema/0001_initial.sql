-- The store, version 1.  Times are microseconds: *_at wall clock, UTC; beat_deadline monotonic.
-- The state of a job is the table it stands in: ready, scheduled, blocked, lease or done (R1).
--
-- What those tables carry along with a job: ord its place in the queue; runs starts so far;
-- attempts burned; crashes; granted more attempts by a person; marks 1 it holds a unique key,
-- 2 its ttl still counts (a row in ttl), 4 its place is in moved, 8 it names resources itself, 16 its
-- gates let it through, 32 it gives up that key when it first starts, 64 it is held (blocked only),
-- 128 it is in a batch, 256 it has a parent; what it holds of limits until its lease ends: 512 one of
-- its task and key, 1024 of its queue and key, 2048 of its queue, 4096 resources (rows in hold), 8192
-- one of its task; what it has lent of the same (lease only): 16384, 32768, 65536, 262144; 524288 some of
-- that is its parent's; from 1048576 on how many waits for its children go on in it (lease only); event
-- the last one of the job.

-- What every commit changes stands in one small table: a dirty page costs 3 us of a commit.
-- id 0 the store itself, n > 0 queue n, n < 0 the round of an area.
CREATE TABLE tally (
	id         INTEGER PRIMARY KEY,
	n          INTEGER NOT NULL, -- store: last event; queue: virtual time; round: its number
	job        INTEGER, -- store only: last job id, last fence counter, fence epoch,
	fence      INTEGER,
	epoch      INTEGER,
	names      INTEGER, -- raised when tasks or queues change
	deps       INTEGER, -- rows in dep, waiter
	waiters    INTEGER,
	batches    INTEGER, -- store only: last one given
	tables     INTEGER, -- store only: which it has (sqlite_migrate.c)
	scheduled  INTEGER, -- queue only: jobs in each shown state,
	ready      INTEGER,
	blocked    INTEGER,
	running    INTEGER,
	succeeded  INTEGER,
	dead       INTEGER,
	cancelled  INTEGER,
	prefetched INTEGER, -- and how many of the ready ones are leased already
	recent     BLOB,    -- store only: runs that ended and are not in stat yet (sqlite_stats.c)
	late       BLOB     -- store only: changes that are not in span yet (sqlite_span.c)
) STRICT;
INSERT INTO tally(id, n, job, fence, epoch, names, deps, waiters, batches) VALUES (0, 0, 0, 0, 1, 1, 0, 0, 0);

CREATE TABLE queue (
	id       INTEGER PRIMARY KEY,
	name     TEXT NOT NULL UNIQUE,
	strategy INTEGER NOT NULL,
	aging    INTEGER NOT NULL, -- what a level of priority is worth; 0 none
	paused   INTEGER NOT NULL DEFAULT 0, -- 2: it takes no new jobs
	concurrency     INTEGER NOT NULL, -- 0 no limit
	key_concurrency INTEGER NOT NULL,
	rate            INTEGER NOT NULL, -- starts in rate_per; 0 no limit
	rate_per        INTEGER NOT NULL,
	key_rate        INTEGER NOT NULL,
	key_rate_per    INTEGER NOT NULL,
	queue_max       INTEGER NOT NULL, -- jobs that may wait; 0 any number
	on_full         INTEGER NOT NULL  -- 0 refuse, 1 drop the oldest, 2 whoever asks waits
) STRICT;

CREATE TABLE task (
	name           TEXT PRIMARY KEY,
	queue          TEXT NOT NULL,
	max_attempts   INTEGER NOT NULL,
	max_crashes    INTEGER NOT NULL,
	timeout        INTEGER NOT NULL,
	weight         INTEGER NOT NULL,
	backoff        INTEGER NOT NULL,
	backoff_min    INTEGER NOT NULL,
	backoff_max    INTEGER NOT NULL,
	backoff_jitter INTEGER NOT NULL,
	durability     INTEGER NOT NULL,
	concurrency     INTEGER NOT NULL, -- 0 no limit
	key_concurrency INTEGER NOT NULL,
	rate            INTEGER NOT NULL, -- starts in rate_per; 0 no limit
	rate_per        INTEGER NOT NULL,
	key_rate        INTEGER NOT NULL,
	key_rate_per    INTEGER NOT NULL,
	takes           TEXT NOT NULL -- resources: "gpu:1,db:2"
) STRICT, WITHOUT ROWID;

-- What tasks are called in stat and lease; a name stays when its task goes.
CREATE TABLE task_name (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO task_name(name) VALUES ('');

CREATE TABLE resource (
	name  TEXT PRIMARY KEY,
	count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Written once; EDIT alone changes it, in priority, run_at and max_attempts.
CREATE TABLE job (
	id           INTEGER PRIMARY KEY,
	task         TEXT NOT NULL, -- '' carries its own command
	queue        INTEGER NOT NULL,
	priority     INTEGER NOT NULL,
	ord          INTEGER NOT NULL,
	created_at   INTEGER NOT NULL,
	run_at       INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL, -- 0 none
	max_attempts INTEGER NOT NULL,
	max_crashes  INTEGER NOT NULL,
	timeout      INTEGER NOT NULL,
	deadline     INTEGER NOT NULL, -- 0 none
	weight       INTEGER NOT NULL,
	uid          INTEGER NOT NULL,
	sum          INTEGER NOT NULL, -- CRC-32C of task, NUL, spec << 32 | that of payload (request.h)
	unique_until INTEGER NOT NULL, -- 0 the key is held until it is final, -1 starts, > 0 for this time
	unique_key   TEXT,
	idem_key     TEXT,
	key          TEXT,
	labels       TEXT,
	meta         TEXT, -- JSON object
	batch        INTEGER, -- NULL none; negative: it is a callback of that one
	parent       INTEGER, -- the job that submitted it; NULL none
	takes        TEXT, -- resources; NULL those of its task
	spec         TEXT,
	payload      BLOB
) STRICT;
CREATE INDEX job_parent ON job(parent, id) WHERE parent IS NOT NULL;

-- Jobs that are counted together.  It is open until closed_at, and over (ended_at) while it is closed
-- and all of its jobs have ended.
CREATE TABLE batch (
	id            INTEGER PRIMARY KEY,
	name          TEXT,
	labels        TEXT,
	uid           INTEGER NOT NULL,
	created_at    INTEGER NOT NULL,
	closed_at     INTEGER NOT NULL, -- 0 not yet
	ended_at      INTEGER NOT NULL, -- 0 not, or not any more
	total         INTEGER NOT NULL,
	succeeded     INTEGER NOT NULL,
	dead          INTEGER NOT NULL,
	cancelled     INTEGER NOT NULL,
	forgotten     INTEGER NOT NULL, -- of total: deleted since
	on_success    TEXT, -- tasks, and the specs of their jobs
	success_spec  TEXT,
	on_complete   TEXT,
	complete_spec TEXT,
	success_job   INTEGER NOT NULL, -- what was enqueued; 0 not yet
	complete_job  INTEGER NOT NULL,
	parent        INTEGER NOT NULL, -- of what is enqueued; 0 none
	allowed       INTEGER NOT NULL, -- how many may be dead before it has failed; -1 any number, or not known yet
	percent       INTEGER NOT NULL, -- allowed when it is closed: of total; -1 no share
	stops         INTEGER NOT NULL, -- 1: when it fails, what runs is cancelled too
	failed_at     INTEGER NOT NULL, -- 0 not, or not any more
	sweep         INTEGER NOT NULL  -- its jobs below this are still to be cancelled; 0 none
) STRICT;
CREATE INDEX batch_sweep ON batch(id) WHERE sweep <> 0;
CREATE INDEX batch_over ON batch(id) WHERE closed_at <> 0 AND ended_at = 0
	AND total = succeeded + dead + cancelled;

CREATE TABLE ready (
	queue    INTEGER NOT NULL,
	ord      INTEGER NOT NULL,
	id       INTEGER NOT NULL,
	since    INTEGER NOT NULL,
	runs     INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	crashes  INTEGER NOT NULL,
	granted  INTEGER NOT NULL,
	marks    INTEGER NOT NULL,
	event    INTEGER NOT NULL,
	PRIMARY KEY (queue, ord, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX ready_child ON ready(queue, id) WHERE (marks & 256) <> 0;
CREATE INDEX ready_passed ON ready(id) WHERE (marks & 16) <> 0;

CREATE TABLE scheduled (
	id       INTEGER PRIMARY KEY,
	queue    INTEGER NOT NULL,
	ord      INTEGER NOT NULL,
	run_at   INTEGER NOT NULL,
	runs     INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	crashes  INTEGER NOT NULL,
	granted  INTEGER NOT NULL,
	marks    INTEGER NOT NULL,
	event    INTEGER NOT NULL
) STRICT;
CREATE INDEX scheduled_due ON scheduled(run_at, id);

CREATE TABLE blocked (
	id       INTEGER PRIMARY KEY,
	queue    INTEGER NOT NULL,
	ord      INTEGER NOT NULL,
	reason   INTEGER NOT NULL, -- 1 waits for parents, 2 is held, 3 waits at a gate
	waits    INTEGER NOT NULL, -- how many parents
	due      INTEGER NOT NULL, -- not before
	gate     TEXT,
	line     INTEGER, -- its place in the line there
	moves    INTEGER, -- how often it changed lines
	runs     INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	crashes  INTEGER NOT NULL,
	granted  INTEGER NOT NULL,
	marks    INTEGER NOT NULL,
	event    INTEGER NOT NULL
) STRICT;
CREATE INDEX blocked_line ON blocked(gate, line, id) WHERE gate IS NOT NULL;
CREATE INDEX blocked_child ON blocked(gate, id) WHERE gate IS NOT NULL AND (marks & 256) <> 0;
CREATE INDEX blocked_moved ON blocked(id) WHERE moves >= 8;

CREATE TABLE lease (
	id               INTEGER PRIMARY KEY,
	queue            INTEGER NOT NULL,
	ord              INTEGER NOT NULL,
	incarnation      INTEGER NOT NULL,
	worker           TEXT NOT NULL, -- its name when it claimed
	fence            INTEGER NOT NULL,
	started          INTEGER NOT NULL, -- 0: prefetched, shown as ready
	started_at       INTEGER NOT NULL, -- of the claim, when it is prefetched
	cancel_requested INTEGER NOT NULL,
	waited           INTEGER NOT NULL DEFAULT 0, -- for statistics (rv_sqlite_waited)
	runs             INTEGER NOT NULL,
	attempts         INTEGER NOT NULL,
	crashes          INTEGER NOT NULL,
	granted          INTEGER NOT NULL,
	marks            INTEGER NOT NULL,
	event            INTEGER NOT NULL
) STRICT;

-- A finished job, and in the columns from fence on its last run, if its end was the job's end.
CREATE TABLE done (
	id           INTEGER PRIMARY KEY,
	queue        INTEGER NOT NULL,
	state        INTEGER NOT NULL,
	finished_at  INTEGER NOT NULL,
	runs         INTEGER NOT NULL,
	attempts     INTEGER NOT NULL,
	crashes      INTEGER NOT NULL,
	granted      INTEGER NOT NULL,
	marks        INTEGER NOT NULL,
	event        INTEGER NOT NULL,
	error        TEXT,
	fence        INTEGER,
	incarnation  INTEGER,
	worker       TEXT,
	attempt      INTEGER,
	started_at   INTEGER,
	ended_at     INTEGER,
	outcome      INTEGER,
	exit_code    INTEGER,
	signo        INTEGER,
	user_us      INTEGER,
	sys_us       INTEGER,
	maxrss       INTEGER,
	output       INTEGER,
	run_error    TEXT
) STRICT;

-- For lists: which of the jobs block * 64 to block * 64 + 63 are in a state, a bit each, the lowest id in
-- the lowest bit; never 0.  A running job counts as ready, so that a claim changes nothing here.
-- scope n > 0 queue n, n < 0 the members of batch -n.  The newest changes are in tally.late, on top.
CREATE TABLE span (
	scope INTEGER NOT NULL,
	state INTEGER NOT NULL,
	block INTEGER NOT NULL,
	jobs  INTEGER NOT NULL,
	PRIMARY KEY (scope, state, block)
) STRICT, WITHOUT ROWID;

-- Runs that ended without ending their job.  With outcome 6 (crashed) user_us, sys_us and maxrss are
-- the worker's, over its whole life: the share of the run is not known.  -1: nothing is known.  Only
-- sys_us is -1: the run was at a handler that stays, user_us is all its CPU time, maxrss the handler's.
CREATE TABLE attempt (
	job          INTEGER NOT NULL,
	run          INTEGER NOT NULL,
	fence        INTEGER NOT NULL,
	incarnation  INTEGER NOT NULL,
	worker       TEXT NOT NULL,
	attempt      INTEGER NOT NULL,
	started_at   INTEGER NOT NULL,
	ended_at     INTEGER NOT NULL,
	outcome      INTEGER NOT NULL,
	exit_code    INTEGER NOT NULL,
	signo        INTEGER NOT NULL,
	user_us      INTEGER NOT NULL,
	sys_us       INTEGER NOT NULL,
	maxrss       INTEGER NOT NULL,
	output       INTEGER NOT NULL,
	error        TEXT,
	PRIMARY KEY (job, run)
) STRICT, WITHOUT ROWID;

-- One row per change of the shown state; prev is the job's event before it (0: the first), so a
-- job's history is walked without an index.
CREATE TABLE event (
	seq         INTEGER PRIMARY KEY,
	at          INTEGER NOT NULL,
	job         INTEGER NOT NULL,
	prev        INTEGER NOT NULL,
	from_state  INTEGER, -- NULL: it was accepted
	to_state    INTEGER NOT NULL,
	fence       INTEGER,
	incarnation INTEGER,
	reason      TEXT
) STRICT;

-- Jobs whose place in the queue is no longer the one in their row; seq is what counts as their id
-- when a place is computed: that of a revived one is newer.
CREATE TABLE moved (
	id  INTEGER PRIMARY KEY,
	ord INTEGER NOT NULL,
	seq INTEGER NOT NULL
) STRICT;

-- Queues whose strategy has changed: the jobs up to at have their new place, those up to until get it.
CREATE TABLE rekey (
	queue INTEGER PRIMARY KEY,
	at    INTEGER NOT NULL,
	until INTEGER NOT NULL
) STRICT;

-- Fair queues: where the last job of a key ends, in virtual time.
CREATE TABLE fair (
	queue  INTEGER NOT NULL,
	key    TEXT NOT NULL,
	finish INTEGER NOT NULL,
	PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX fair_finish ON fair(queue, finish);

-- What the run of this fence said of itself.
CREATE TABLE progress (
	job     INTEGER PRIMARY KEY,
	fence   INTEGER NOT NULL,
	percent INTEGER NOT NULL, -- -1 not said
	message TEXT,
	at      INTEGER NOT NULL
) STRICT;
CREATE TABLE result (
	job   INTEGER PRIMARY KEY,
	fence INTEGER NOT NULL,
	data  BLOB NOT NULL
) STRICT;

-- Limits (core/limit.h): q/QUEUE, t/TASK, k/QUEUE/KEY, K/TASK/KEY, r/RESOURCE.
CREATE TABLE gate (
	name    TEXT PRIMARY KEY,
	used    INTEGER NOT NULL, -- units held
	waiting INTEGER NOT NULL, -- jobs in its line
	full    INTEGER NOT NULL, -- when its bucket of tokens will be full
	due     INTEGER NOT NULL  -- when the first in line is to be looked at; 0: when it has room
) STRICT, WITHOUT ROWID;
CREATE INDEX gate_due ON gate(due, name) WHERE due <> 0;

-- What a job that passed its gates has taken of resources, until its lease ends.
CREATE TABLE hold (
	id   INTEGER PRIMARY KEY, -- 64 * job + which of them: a number is found faster than a text
	gate TEXT NOT NULL,
	n    INTEGER NOT NULL,
	job  INTEGER AS (id / 64)
) STRICT;

-- Statistics: scope n > 0 queue n, n < 0 task_name -n; slot 1 + minute % 60 a minute of the last hour,
-- or an older one that nobody has needed the slot of; slot 0 the sum of all that is in no slot.
CREATE TABLE stat (
	slot   INTEGER NOT NULL,
	scope  INTEGER NOT NULL,
	minute INTEGER NOT NULL, -- since the epoch
	data   BLOB NOT NULL, -- core/stats.h
	PRIMARY KEY (slot, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE ttl (
	expires_at INTEGER NOT NULL,
	id         INTEGER NOT NULL,
	PRIMARY KEY (expires_at, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE ukey (
	scope_key TEXT PRIMARY KEY,
	id        INTEGER NOT NULL,
	until     INTEGER NOT NULL -- 0 the job says; else so long, whatever becomes of the job
) STRICT, WITHOUT ROWID;
CREATE INDEX ukey_until ON ukey(until) WHERE until > 0;

CREATE TABLE idem (
	key          TEXT PRIMARY KEY,
	id           INTEGER NOT NULL,
	request_hash INTEGER NOT NULL,
	expires      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idem_expires ON idem(expires);

-- What a blocked job still waits for.
CREATE TABLE dep (
	parent INTEGER NOT NULL,
	child  INTEGER NOT NULL,
	cond   INTEGER NOT NULL, -- 0 it must succeed, 1 fail, 2 end
	PRIMARY KEY (parent, child)
) STRICT, WITHOUT ROWID;
CREATE INDEX dep_child ON dep(child);

CREATE TABLE waiter (
	job     INTEGER NOT NULL, -- below 0 batch -job; from the lowest number on: room in queue 1, 2, ...; the highest: each event
	path    TEXT NOT NULL,
	expires INTEGER NOT NULL,
	room    INTEGER NOT NULL, -- for so many jobs; 0 of a job
	PRIMARY KEY (job, path)
) STRICT, WITHOUT ROWID;

-- Incarnations; a dead one is remembered for a day, so that what it still had posted is refused.
CREATE TABLE worker (
	incarnation   INTEGER PRIMARY KEY,
	pid           INTEGER NOT NULL,
	start_ticks   INTEGER NOT NULL,
	boot_id       TEXT NOT NULL,
	slot          INTEGER NOT NULL,
	pool          TEXT NOT NULL,
	name          TEXT NOT NULL, -- as people see it
	live          INTEGER NOT NULL,
	joined_at     INTEGER NOT NULL,
	ended_at      INTEGER NOT NULL,
	beat_deadline INTEGER NOT NULL
) STRICT;

-- Daemon starts; the one with the highest n is the newest.
CREATE TABLE instance (
	n           INTEGER PRIMARY KEY,
	pid         INTEGER NOT NULL,
	start_ticks INTEGER NOT NULL,
	boot_id     TEXT NOT NULL,
	runtime_dir TEXT NOT NULL,
	area        INTEGER NOT NULL,
	raised_at   INTEGER NOT NULL
) STRICT;

-- What makes a job again and again.  A schedule moves on in the transaction that enqueues a slot's job.
CREATE TABLE schedule (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	name     TEXT NOT NULL UNIQUE,
	cron     TEXT NOT NULL,
	timezone TEXT NOT NULL,
	task     TEXT NOT NULL,
	queue    TEXT, -- NULL its task's
	spec     TEXT,
	priority INTEGER NOT NULL, -- -1 the default
	jitter   INTEGER NOT NULL,
	catch_up INTEGER NOT NULL, -- 0 none, -1 last, -2 all, or those of this time
	overlap  INTEGER NOT NULL, -- 0 allow, 1 skip, 2 queue, 3 replace
	off      INTEGER NOT NULL,
	conf     INTEGER NOT NULL, -- it is in the configuration
	paused   INTEGER NOT NULL DEFAULT 0,
	since    INTEGER NOT NULL, -- slots up to that are none of its
	next     INTEGER NOT NULL DEFAULT 0, -- the first slot not dealt with; 0 not known, or none
	due      INTEGER NOT NULL, -- when to look at it; 0 never, 1 its next slot is not known
	last     INTEGER NOT NULL DEFAULT 0, -- the slot that fired last
	last_job INTEGER NOT NULL DEFAULT 0,
	fired    INTEGER NOT NULL DEFAULT 0, -- slots, in all its life
	missed   INTEGER NOT NULL DEFAULT 0,
	skipped  INTEGER NOT NULL DEFAULT 0,
	refused  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX schedule_due ON schedule(due, name) WHERE due <> 0;

-- What came of its slots, the last thousand.
CREATE TABLE firing (
	schedule TEXT NOT NULL,
	slot     INTEGER NOT NULL,
	person   INTEGER NOT NULL, -- 1: somebody wanted it then
	at       INTEGER NOT NULL,
	became   INTEGER NOT NULL, -- 0 a job, 1 missed, 2 skipped, 3 refused
	job      INTEGER NOT NULL, -- that; of a skipped one: the one before it; 0
	missed   INTEGER NOT NULL, -- how many slots from this one on
	error    TEXT,
	PRIMARY KEY (schedule, slot, person)
) STRICT, WITHOUT ROWID;

-- For programs that speak SQL and nothing else (docs/LIBRARY.md): what is inserted here is a job as
-- soon as the keeper has seen it, and gone from here in the same transaction.  What cannot be a job
-- stays, with its error; set that to NULL to have it tried again.  Columns are only ever added.
-- args and options are JSON objects, but json_valid() is not for connections that trust no schema.
CREATE TABLE reeve_inbox (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	task     TEXT NOT NULL CHECK (task <> ''),
	args     TEXT CHECK (args GLOB '{*}'),
	queue    TEXT CHECK (queue <> ''), -- NULL the task's
	priority INTEGER CHECK (priority BETWEEN 0 AND 65535),
	payload  ANY CHECK (payload IS NULL OR (typeof(payload) IN ('text', 'blob')
		AND length(CAST(payload AS BLOB)) <= 16777216)),
	options  TEXT CHECK (options GLOB '{*}'),
	error    TEXT
) STRICT;
CREATE INDEX reeve_inbox_new ON reeve_inbox(id) WHERE error IS NULL;
CREATE INDEX reeve_inbox_refused ON reeve_inbox(id) WHERE error IS NOT NULL;

-- For people.
CREATE VIEW state AS
	SELECT id, 'ready' AS state, queue, runs, attempts, crashes, granted, event FROM ready
	UNION ALL SELECT id, 'scheduled', queue, runs, attempts, crashes, granted, event FROM scheduled
	UNION ALL SELECT id, 'blocked', queue, runs, attempts, crashes, granted, event FROM blocked
	UNION ALL SELECT id, CASE WHEN started THEN 'running' ELSE 'ready' END, queue, runs, attempts,
		crashes, granted, event FROM lease
	UNION ALL SELECT id, CASE state WHEN 4 THEN 'succeeded' WHEN 5 THEN 'dead' ELSE 'cancelled' END,
		queue, runs, attempts, crashes, granted, event FROM done;
CREATE VIEW run AS
	SELECT job, run, fence, incarnation, worker, attempt, started_at, ended_at, outcome, exit_code,
		signo, user_us, sys_us, maxrss, output, error FROM attempt
	UNION ALL SELECT id, runs, fence, incarnation, worker, attempt, started_at, ended_at, outcome,
		exit_code, signo, user_us, sys_us, maxrss, output, run_error
		FROM done WHERE fence IS NOT NULL
	UNION ALL SELECT l.id, l.runs, l.fence, l.incarnation,
		l.worker, l.attempts + 1, l.started_at, 0, -1, -1, 0, 0, 0, 0, 0, NULL
		FROM lease l WHERE l.started = 1;
