-- The rules of docs/MODEL.md that SQL can see.  Each query returns no row on a sound store; a row is
-- (rule, what).  States by number: 0 scheduled 1 ready 2 blocked 3 running 4 succeeded 5 dead
-- 6 cancelled.  reeve_legal(from, to) is core/job_states.def.  Run by rv_store_check.

-- R1: an accepted job is in exactly one table
SELECT 'R1', 'job ' || j.id || ' stands in ' || n || ' tables' FROM (SELECT job.id,
	(SELECT count(*) FROM scheduled t WHERE t.id = job.id)
	+ (SELECT count(*) FROM blocked t WHERE t.id = job.id)
	+ (SELECT count(*) FROM lease t WHERE t.id = job.id)
	+ (SELECT count(*) FROM done t WHERE t.id = job.id)
	+ (SELECT count(*) FROM ready t WHERE t.queue = job.queue AND t.id = job.id AND
		t.ord = coalesce((SELECT m.ord FROM moved m WHERE m.id = job.id), job.ord)) AS n
	FROM job) j WHERE n <> 1;
SELECT 'R1', 'ready has a row without a job or out of its place: ' || r.id FROM ready r
	LEFT JOIN job j ON j.id = r.id LEFT JOIN moved m ON m.id = r.id
	WHERE j.id IS NULL OR j.queue <> r.queue OR coalesce(m.ord, j.ord) <> r.ord;
SELECT 'R1', 'no job, but a row: ' || s.id FROM (SELECT id, queue FROM scheduled
	UNION ALL SELECT id, queue FROM blocked UNION ALL SELECT id, queue FROM lease
	UNION ALL SELECT id, queue FROM done) s LEFT JOIN job j ON j.id = s.id
	WHERE j.id IS NULL OR j.queue <> s.queue;
SELECT 'R1', 'id ' || id || ' was never given out' FROM job
	WHERE id > (SELECT job FROM tally WHERE id = 0) OR id < 1;
SELECT 'R1', 'job ' || id || ' is in no queue' FROM job
	WHERE queue NOT IN (SELECT id FROM queue);

-- R2: a lease is held by one that lives
SELECT 'R2', 'job ' || l.id || ' is leased to a dead worker' FROM lease l
	LEFT JOIN worker w ON w.incarnation = l.incarnation WHERE w.live IS NOT 1;

-- R3: no fence beyond the last one given out, none twice
SELECT 'R3', 'fence ' || fence || ' of job ' || job || ' was never given out'
	FROM (SELECT id AS job, fence FROM lease UNION ALL SELECT job, fence FROM attempt
	UNION ALL SELECT id, fence FROM done WHERE fence IS NOT NULL)
	WHERE (fence >> 40) > (SELECT epoch FROM tally WHERE id = 0)
	OR (fence & 0xffffffffff) > (SELECT fence FROM tally WHERE id = 0);
SELECT 'R3', 'fence ' || fence || ' was given out ' || count(*) || ' times'
	FROM (SELECT fence FROM lease UNION ALL SELECT fence FROM attempt
	UNION ALL SELECT fence FROM done WHERE fence IS NOT NULL) GROUP BY fence HAVING count(*) > 1;
SELECT 'R3', 'run ' || a.run || ' of job ' || a.job || ' has an older fence than the one before'
	FROM attempt a JOIN attempt b ON b.job = a.job AND b.run = a.run - 1 WHERE a.fence <= b.fence;

-- R5: attempts and crashes within their limits
SELECT 'R5', 'job ' || s.id || ' burned ' || s.attempts || ' attempts of ' || (j.max_attempts + s.granted)
	FROM (SELECT id, attempts, granted FROM ready UNION ALL SELECT id, attempts, granted FROM scheduled
	UNION ALL SELECT id, attempts, granted FROM blocked UNION ALL SELECT id, attempts, granted FROM lease
	UNION ALL SELECT id, attempts, granted FROM done) s JOIN job j ON j.id = s.id
	WHERE s.attempts > j.max_attempts + s.granted;
SELECT 'R5', 'job ' || s.id || ' crashed ' || s.crashes || ' times of ' || j.max_crashes
	FROM (SELECT id, crashes FROM ready UNION ALL SELECT id, crashes FROM scheduled
	UNION ALL SELECT id, crashes FROM blocked UNION ALL SELECT id, crashes FROM lease) s
	JOIN job j ON j.id = s.id WHERE s.crashes > j.max_crashes;
SELECT 'R5', 'job ' || s.id || ' started ' || s.runs || ' times, ' || s.n || ' runs are kept'
	FROM (SELECT id, runs, (SELECT count(*) FROM run r WHERE r.job = s.id) AS n FROM state s) s
	WHERE s.runs <> s.n;
SELECT 'R5', 'job ' || job || ': attempts and crashes are not those of its runs' FROM (
	SELECT r.job, s.attempts, s.crashes, sum(r.outcome IN (0, 1, 2)) AS burned,
	sum(r.outcome = 6) AS crashed FROM run r JOIN state s ON s.id = r.job GROUP BY r.job)
	WHERE attempts > burned OR crashes > crashed;

-- R7: each change wrote one event, and they chain
SELECT 'R7', 'job ' || e.job || ' cannot go from ' || e.from_state || ' to ' || e.to_state
	FROM event e WHERE e.from_state IS NOT NULL AND NOT reeve_legal(e.from_state, e.to_state)
	AND NOT (e.from_state = 1 AND e.to_state IN (0, 4, 5) AND e.fence IS NOT NULL);
SELECT 'R7', 'event ' || e.seq || ' does not start where event ' || p.seq || ' ended'
	FROM event e JOIN event p ON p.seq = e.prev
	WHERE p.job <> e.job OR p.to_state IS NOT e.from_state;
SELECT 'R7', 'event ' || e.seq || ' has lost the one before it' FROM event e
	LEFT JOIN event p ON p.seq = e.prev
	WHERE e.prev > (SELECT min(seq) FROM event) AND p.seq IS NULL;
SELECT 'R7', 'job ' || e.job || ' was accepted twice or from nowhere: event ' || e.seq FROM event e
	WHERE (e.prev = 0) <> (e.from_state IS NULL);
SELECT 'R7', 'the last event of job ' || s.id || ' does not say ' || s.state
	FROM state s LEFT JOIN event e ON e.seq = s.event
	WHERE (e.seq IS NULL AND s.event >= (SELECT min(seq) FROM event)) OR e.job <> s.id
	OR s.state <> CASE e.to_state WHEN 0 THEN 'scheduled' WHEN 1 THEN 'ready' WHEN 2 THEN 'blocked'
		WHEN 3 THEN 'running' WHEN 4 THEN 'succeeded' WHEN 5 THEN 'dead' ELSE 'cancelled' END;
SELECT 'R7', 'event ' || e.seq || ' belongs to no history' FROM event e
	LEFT JOIN event n ON n.prev = e.seq LEFT JOIN state s ON s.event = e.seq
	WHERE n.seq IS NULL AND s.id IS NULL;
SELECT 'R7', 'event ' || max(seq) || ' was never given out' FROM event
	HAVING max(seq) > (SELECT n FROM tally WHERE id = 0);

-- P1: who has a parent is known by its mark, and a parent is older
SELECT 'P1', 'job ' || j.id || ' does not know whether job ' || coalesce(j.parent, 0) || ' is its parent'
	FROM job j JOIN (SELECT id, marks FROM ready UNION ALL SELECT id, marks FROM scheduled
	UNION ALL SELECT id, marks FROM blocked UNION ALL SELECT id, marks FROM lease
	UNION ALL SELECT id, marks FROM done) s ON s.id = j.id
	WHERE ((s.marks & 256) <> 0) <> (j.parent IS NOT NULL);
SELECT 'P1', 'job ' || id || ' is older than job ' || parent || ', its parent' FROM job
	WHERE parent IS NOT NULL AND parent >= id;

-- R8: kept counts are counted rows
SELECT 'R8', 'queue ' || q.name || ' keeps ' || c.kept || ' ' || c.state || ' jobs, but has ' || c.n
	FROM queue q JOIN (
		SELECT t.id, 'scheduled' AS state, t.scheduled AS kept,
			(SELECT count(*) FROM scheduled s WHERE s.queue = t.id) AS n FROM tally t WHERE t.id > 0
		UNION ALL SELECT t.id, 'ready', t.ready, (SELECT count(*) FROM ready s WHERE s.queue = t.id)
			+ (SELECT count(*) FROM lease s WHERE s.queue = t.id AND s.started = 0)
			FROM tally t WHERE t.id > 0
		UNION ALL SELECT t.id, 'prefetched', t.prefetched,
			(SELECT count(*) FROM lease s WHERE s.queue = t.id AND s.started = 0)
			FROM tally t WHERE t.id > 0
		UNION ALL SELECT t.id, 'blocked', t.blocked,
			(SELECT count(*) FROM blocked s WHERE s.queue = t.id) FROM tally t WHERE t.id > 0
		UNION ALL SELECT t.id, 'running', t.running,
			(SELECT count(*) FROM lease s WHERE s.queue = t.id AND s.started = 1)
			FROM tally t WHERE t.id > 0
		UNION ALL SELECT t.id, 'succeeded', t.succeeded,
			(SELECT count(*) FROM done s WHERE s.queue = t.id AND s.state = 4) FROM tally t WHERE t.id > 0
		UNION ALL SELECT t.id, 'dead', t.dead,
			(SELECT count(*) FROM done s WHERE s.queue = t.id AND s.state = 5) FROM tally t WHERE t.id > 0
		UNION ALL SELECT t.id, 'cancelled', t.cancelled,
			(SELECT count(*) FROM done s WHERE s.queue = t.id AND s.state = 6) FROM tally t WHERE t.id > 0
	) c ON c.id = q.id WHERE c.kept IS NOT c.n;
SELECT 'R8', 'queue ' || q.name || ' has no counts' FROM queue q LEFT JOIN tally t ON t.id = q.id
	WHERE t.id IS NULL;
SELECT 'R8', 'kept: ' || t.deps || ' waits, ' || t.waiters || ' waiters' FROM tally t WHERE t.id = 0
	AND (t.deps <> (SELECT count(*) FROM dep) OR t.waiters <> (SELECT count(*) FROM waiter));

-- and so are the bits that lists are read from: span, and what is late on top of it
SELECT 'R8', 'the jobs ' || block * 64 || ' to ' || (block * 64 + 63) || ' of '
	|| iif(scope > 0, 'queue ' || scope, 'batch ' || -scope) || ' in state ' || state || ' are not those kept'
	FROM (SELECT scope, state, block, (sum(jobs) & ~sum(clear)) | sum(put) AS jobs FROM (
		SELECT scope, state, block, jobs, 0 AS clear, 0 AS put FROM span
		UNION ALL SELECT reeve_late(late, i, 0), reeve_late(late, i, 1), reeve_late(late, i, 2), 0,
			reeve_late(late, i, 4), reeve_late(late, i, 3) FROM (
			WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 63)
			SELECT i FROM n) JOIN tally ON id = 0 WHERE reeve_late(late, i, 0) IS NOT NULL)
		GROUP BY scope, state, block HAVING (sum(jobs) & ~sum(clear)) | sum(put) <> 0
	UNION ALL SELECT scope, state, id >> 6, sum(DISTINCT 1 << (id & 63)) FROM (
		SELECT s.id, s.state, iif(n.batch, -j.batch, s.queue) AS scope FROM (
			SELECT id, queue, 0 AS state FROM scheduled UNION ALL SELECT id, queue, 1 FROM ready
			UNION ALL SELECT id, queue, 1 FROM lease UNION ALL SELECT id, queue, 2 FROM blocked
			UNION ALL SELECT id, queue, state FROM done) s
		JOIN job j ON j.id = s.id JOIN (SELECT 0 AS batch UNION ALL SELECT 1) n
		ON NOT n.batch OR j.batch > 0) GROUP BY 1, 2, 3)
	GROUP BY scope, state, block HAVING count(*) <> 2 OR min(jobs) <> max(jobs);
SELECT 'R8', 'block ' || block || ' of ' || scope || ' is kept without a job' FROM span WHERE jobs = 0;

-- L1: of each gate is used what is held, by jobs that run or are about to
SELECT 'L1', 'gate ' || coalesce(g.name, h.gate) || ': ' || coalesce(g.used, 0) || ' used, '
	|| coalesce(h.n, 0) || ' held' FROM gate g FULL JOIN (
	SELECT gate, sum(n) AS n FROM (
		SELECT gate, n FROM hold
		UNION ALL SELECT CASE b.bit WHEN 512 THEN 'K/' || j.task || '/' || j.key
			WHEN 1024 THEN 'k/' || q.name || '/' || j.key WHEN 2048 THEN 'q/' || q.name
			ELSE 't/' || j.task END, 1
		FROM (SELECT id, marks FROM lease UNION ALL SELECT id, marks FROM ready
			WHERE (marks & 16) <> 0) p
		JOIN (SELECT 512 AS bit UNION ALL SELECT 1024 UNION ALL SELECT 2048 UNION ALL SELECT 8192) b
		ON (p.marks & b.bit) <> 0 JOIN job j ON j.id = p.id JOIN queue q ON q.id = j.queue)
	GROUP BY gate) h ON h.gate = g.name
	WHERE coalesce(g.used, 0) <> coalesce(h.n, 0);
SELECT 'L1', 'job ' || h.job || ' holds gate ' || h.gate || ' and does not run' FROM hold h
	LEFT JOIN job j ON j.id = h.job LEFT JOIN moved m ON m.id = h.job
	LEFT JOIN lease l ON l.id = h.job AND (l.marks & 4096) <> 0
	LEFT JOIN ready r ON r.queue = j.queue AND r.ord = coalesce(m.ord, j.ord) AND r.id = h.job
		AND (r.marks & 4096) <> 0
	WHERE (l.id IS NULL AND r.id IS NULL) OR h.n < 1;
SELECT 'L1', 'job ' || id || ' holds and has not passed' FROM (
	SELECT id, marks FROM lease WHERE (marks & 16) = 0 UNION ALL SELECT id, marks FROM ready
	WHERE (marks & 15872) <> 0 AND (marks & 16) = 0 UNION ALL SELECT id, marks FROM scheduled
	UNION ALL SELECT id, marks FROM blocked UNION ALL SELECT id, marks FROM done)
	WHERE (marks & 15872) <> 0;
SELECT 'L1', 'job ' || id || ' has passed its gates and waits' FROM (
	SELECT id, marks FROM scheduled UNION ALL SELECT id, marks FROM blocked
	UNION ALL SELECT id, marks FROM done) WHERE (marks & 16) <> 0;

-- L3: only who runs sleeps and lends, and not what it still has; only a child borrows
SELECT 'L3', 'job ' || id || ' lends or borrows what it has not' FROM (
	SELECT id, marks, 1 AS runs FROM lease UNION ALL SELECT id, marks, 0 FROM ready
	UNION ALL SELECT id, marks, 0 FROM scheduled UNION ALL SELECT id, marks, 0 FROM blocked
	UNION ALL SELECT id, marks, 0 FROM done)
	WHERE (marks & 2147467264) <> 0 AND (((marks & 1032192) <> 0 AND (marks & 16) = 0)
	OR (NOT runs AND (marks & 2146942976) <> 0)
	OR (((marks & 507904) >> 5) & marks) <> 0 OR ((marks & 524288) <> 0 AND (marks & 256) = 0)
	OR (marks & 131072) <> 0);

-- L2: lines are what they are kept to be, and nobody looks at a line without anybody
SELECT 'L2', 'gate ' || coalesce(g.name, b.gate) || ' keeps ' || coalesce(g.waiting, 0)
	|| ' waiting jobs, but has ' || coalesce(b.n, 0) FROM gate g
	FULL JOIN (SELECT gate, count(*) AS n FROM blocked WHERE gate IS NOT NULL GROUP BY gate) b
		ON b.gate = g.name WHERE coalesce(g.waiting, 0) <> coalesce(b.n, 0);
SELECT 'L2', 'gate ' || name || ' is due for nobody' FROM gate WHERE due <> 0 AND waiting = 0;
SELECT 'L2', 'job ' || id || ' is blocked for no reason' FROM blocked
	WHERE (reason = 3) <> (gate IS NOT NULL) OR (gate IS NOT NULL) <> (line IS NOT NULL)
	OR (gate IS NOT NULL AND line <> CASE WHEN gate GLOB 'r/*' THEN id ELSE ord END);
SELECT 'R1', 'job ' || s.id || ' names resources, but does not know' FROM (
	SELECT id, marks FROM ready UNION ALL SELECT id, marks FROM scheduled
	UNION ALL SELECT id, marks FROM blocked UNION ALL SELECT id, marks FROM lease) s
	JOIN job j ON j.id = s.id WHERE ((s.marks & 8) <> 0) <> (j.takes IS NOT NULL);

-- B1: what a batch counts is what its jobs are; a job knows whether it is in one
SELECT 'B1', 'batch ' || b.id || ' counts ' || b.total || '/' || b.succeeded || '/' || b.dead || '/'
	|| b.cancelled || ', ' || b.forgotten || ' forgotten; it has ' || count(j.id) || '/'
	|| total(d.state = 4) || '/' || total(d.state = 5) || '/' || total(d.state = 6)
	FROM batch b LEFT JOIN job j ON j.batch = b.id AND j.batch > 0 LEFT JOIN done d ON d.id = j.id GROUP BY b.id
	HAVING b.total - b.forgotten <> count(j.id) OR b.succeeded < total(d.state = 4)
	OR b.dead < total(d.state = 5) OR b.cancelled < total(d.state = 6)
	OR b.succeeded + b.dead + b.cancelled - b.forgotten <> count(d.id);
SELECT 'B1', 'job ' || s.id || ' is in a batch, or is not, and does not know' FROM (
	SELECT id, marks FROM ready UNION ALL SELECT id, marks FROM scheduled
	UNION ALL SELECT id, marks FROM blocked UNION ALL SELECT id, marks FROM lease
	UNION ALL SELECT id, marks FROM done) s JOIN job j ON j.id = s.id
	WHERE ((s.marks & 128) <> 0) <> (coalesce(j.batch, 0) > 0);
SELECT 'B1', 'job ' || j.id || ' is in batch ' || j.batch || ', which never was' FROM job j
	WHERE abs(j.batch) > (SELECT batches FROM tally WHERE id = 0); -- it may have been forgotten

-- B2: a batch is over while it is closed and all of its jobs have ended; its callbacks were enqueued then,
-- each once
SELECT 'B2', 'batch ' || id || ' is over and does not know, or knows and is not' FROM batch
	WHERE (ended_at <> 0) <> (closed_at <> 0 AND succeeded + dead + cancelled = total)
	OR id > (SELECT batches FROM tally WHERE id = 0);
SELECT 'B2', 'batch ' || id || ' is over and has not called back' FROM batch WHERE ended_at <> 0
	AND ((on_complete IS NOT NULL AND complete_job = 0)
	OR (on_success IS NOT NULL AND success_job = 0 AND succeeded = total));
SELECT 'B2', 'batch ' || id || ' called back and was not asked to' FROM batch
	WHERE (success_job <> 0 AND on_success IS NULL) OR (complete_job <> 0 AND on_complete IS NULL);
SELECT 'B2', 'job ' || j.id || ' is one callback too many of batch ' || b.id FROM batch b
	JOIN job j ON -j.batch = b.id WHERE j.batch < 0 AND j.id NOT IN (b.success_job, b.complete_job);

-- B9: a batch has failed only when more are dead than it tolerates; what it has swept waits no more
SELECT 'B9', 'batch ' || id || ' has failed and has not, or is swept and has not failed' FROM batch
	WHERE (failed_at <> 0 AND (allowed < 0 OR dead <= allowed)) OR (failed_at = 0 AND sweep <> 0);
SELECT 'B9', 'job ' || w.id || ' waits though its batch has failed' FROM batch b
	JOIN job j ON j.batch = b.id JOIN (SELECT id FROM ready UNION ALL SELECT id FROM scheduled
	UNION ALL SELECT id FROM blocked) w ON w.id = j.id
	WHERE b.failed_at <> 0 AND (b.sweep = 0 OR w.id >= b.sweep);

-- C1: schedules: what is off or paused is never due, what is to be planned knows no slot; of each slot
-- one thing came, with a job or without
SELECT 'C1', 'schedule ' || name || ' is due and must not, or must and is not' FROM schedule
	WHERE ((off OR paused) AND (due <> 0 OR next <> 0)) OR (due = 1 AND next <> 0)
	OR (NOT off AND NOT paused AND next <> 0 AND due = 0) OR (last = 0) <> (last_job = 0);
SELECT 'C1', 'slot ' || f.slot || ' of schedule ' || f.schedule || ' has come to nothing that can be'
	FROM firing f LEFT JOIN schedule s ON s.name = f.schedule WHERE s.name IS NULL
	OR f.became NOT BETWEEN 0 AND 3 OR (f.became IN (0, 2)) <> (f.job > 0)
	OR (f.became = 1) <> (f.missed > 0) OR (f.became = 3) <> (f.error IS NOT NULL);

-- What belongs to the rules above: parents, ttl, keys, places
SELECT 'R6', 'job ' || b.id || ' waits for ' || b.waits || ' parents, ' || b.n || ' are noted'
	FROM (SELECT id, gate, waits, marks, (SELECT count(*) FROM dep d WHERE d.child = b.id) AS n FROM blocked b) b
	WHERE b.waits <> b.n OR (b.waits < 1 AND NOT b.marks & 64 AND b.gate IS NULL)
	OR (b.gate IS NOT NULL AND b.marks & 64);
SELECT 'R6', 'job ' || id || ' is held and not blocked' FROM (SELECT id, marks FROM ready
	UNION ALL SELECT id, marks FROM scheduled UNION ALL SELECT id, marks FROM lease
	UNION ALL SELECT id, marks FROM done) WHERE marks & 64;
SELECT 'R6', 'job ' || d.child || ' waits for job ' || d.parent || ', which is over' FROM dep d
	LEFT JOIN job j ON j.id = d.parent LEFT JOIN done p ON p.id = d.parent
	LEFT JOIN blocked b ON b.id = d.child
	WHERE j.id IS NULL OR b.id IS NULL OR (p.id IS NOT NULL AND NOT (p.state = 5 AND d.cond = 0));
SELECT 'R1', 'the ttl of job ' || coalesce(t.id, s.id) || ' is noted wrongly' FROM (
	SELECT id, marks, runs FROM ready UNION ALL SELECT id, marks, runs FROM scheduled
	UNION ALL SELECT id, marks, runs FROM blocked UNION ALL SELECT id, marks, runs FROM lease
	UNION ALL SELECT id, marks, runs FROM done) s LEFT JOIN job j ON j.id = s.id
	LEFT JOIN ttl t ON t.id = s.id AND t.expires_at = j.expires_at
	WHERE ((s.marks & 2) <> 0) <> (t.id IS NOT NULL) OR ((s.marks & 2) <> 0 AND s.runs > 0);
SELECT 'R1', 'ttl has a row without a job: ' || id FROM ttl WHERE id NOT IN (SELECT id FROM job);
SELECT 'R1', 'the unique key of job ' || s.id || ' is held wrongly' FROM (
	SELECT id, marks, runs, 0 AS final FROM ready UNION ALL SELECT id, marks, runs, 0 FROM scheduled
	UNION ALL SELECT id, marks, runs, 0 FROM blocked UNION ALL SELECT id, marks, runs, 0 FROM lease
	UNION ALL SELECT id, marks, runs, 1 FROM done) s JOIN job j ON j.id = s.id
	LEFT JOIN ukey u ON u.scope_key = j.unique_key AND u.id = j.id AND u.until = 0
	WHERE (j.unique_key IS NOT NULL AND NOT s.final AND (j.unique_until = 0
		OR (j.unique_until = -1 AND s.runs = 0))) <> (u.id IS NOT NULL)
	OR ((s.marks & 1) <> 0) <> (u.id IS NOT NULL)
	OR ((s.marks & 32) <> 0) <> (u.id IS NOT NULL AND j.unique_until = -1);
SELECT 'R1', 'a unique key is held by job ' || u.id || ', which does not have it' FROM ukey u
	LEFT JOIN job j ON j.id = u.id WHERE j.unique_key IS NOT u.scope_key
	AND (u.until = 0 OR j.id IS NOT NULL);
SELECT 'R1', 'job ' || m.id || ' was moved, but does not know' FROM moved m LEFT JOIN (
	SELECT id, marks FROM ready UNION ALL SELECT id, marks FROM scheduled
	UNION ALL SELECT id, marks FROM blocked UNION ALL SELECT id, marks FROM lease
	UNION ALL SELECT id, marks FROM done) s ON s.id = m.id WHERE (s.marks & 4) IS NOT 4;
