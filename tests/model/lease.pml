/*
 * One job and the leases on it (docs/MODEL.md): claim, start, beat, ack, nack, cancel, release on
 * drain, a crash at any moment, a worker that is stopped past its lease, and two keepers at once (an
 * old one still ending beside a new one).  Each atomic step is a transaction of the store or what one
 * process does alone.  spin looks at every interleaving; tests/model/run says what it must find.
 *
 * Faults to be caught, each a define: UNFENCED (an ack looks at the state only), DIED_BEFORE_SWEEP
 * (a death is told before its orphans are gone), CANCEL_LOSES (an ack wins over a cancel that was
 * committed before it), LEASE_FORGOTTEN (an expiry ends the life and forgets the lease).  BIG: four
 * lives and two crashes instead of three and one.
 */
#ifdef BIG
#define LIVES   4 /* incarnations; at most two at once */
#define CRASHES 2
#else
#define LIVES   3
#define CRASHES 1
#endif
#define STOPS   1
#define RUNS    6 /* more than crashes, stops, failures and drains can bring about, and one */

mtype = { READY, LEASED, SUCCEEDED, CANCELLED };
mtype = { IDLE, CLAIMED, RUNNING, GOOD, BAD, GIVEN_BACK };

mtype state = READY;     /* of the job */
byte fence;              /* the last one given out; of the lease, while there is one */
byte owner;              /* of the lease */
bool cancel;             /* committed while it was leased */
byte ended_by;           /* fence of the run that ended it; 0 none yet */

byte nup;
bool up[LIVES];          /* the process is there */
bool live[LIVES];        /* its row in the store */
bool stopped[LIVES];     /* SIGSTOP, suspend: it neither beats nor does anything else */
bool runs[LIVES];        /* a process of the job is there, be its worker alive or not */
bool told[LIVES];        /* to drain */
bool late;               /* a stopped worker lost its lease: until it looks, its job may still run */
byte crashes, stops, failures, drains;

#define FINAL (state == SUCCEEDED || state == CANCELLED)
#ifdef BIG
#define ALONE (runs[0] + runs[1] + runs[2] + runs[3] == 1)
#else
#define ALONE (runs[0] + runs[1] + runs[2] == 1)
#endif

#ifdef UNFENCED
#define HOLDS(me, held) (state == LEASED)
#else
#define HOLDS(me, held) (state == LEASED && owner == me && fence == held && live[me])
#endif

inline finish(how)
{
	assert(!FINAL);
	ended_by = fence;
	state = how
}

/* A lease ends without a result that counts. */
inline release()
{
	if
	:: cancel -> finish(CANCELLED)
	:: else -> state = READY
	fi
}

inline acknowledge(me, held, phase)
{
	if
	:: HOLDS(me, held) ->
		assert(held == fence); /* R4: no older run decides */
		if
#ifndef CANCEL_LOSES
		:: cancel -> finish(CANCELLED)
#endif
		:: !cancel && phase == GOOD -> finish(SUCCEEDED)
#ifdef CANCEL_LOSES
		:: cancel && phase == GOOD -> finish(SUCCEEDED)
		:: cancel && phase != GOOD -> finish(CANCELLED)
#endif
		:: !cancel && phase != GOOD -> release()
		fi
	:: else /* STALE: nothing changes */
	fi
}

#define CAN (up[me] && !stopped[me])

proctype worker(byte me)
{
	mtype phase = IDLE;
	byte held;

end_unborn:
	atomic { nup < 2 -> nup++; up[me] = true; live[me] = true }
end_idle:
	do
	:: atomic { CAN && phase == IDLE && !told[me] && live[me] && state == READY ->
		assert(fence < RUNS && ended_by == 0);
		fence++; state = LEASED; owner = me; held = fence; phase = CLAIMED }
	:: atomic { CAN && phase == CLAIMED ->
		runs[me] = true; phase = RUNNING;
		assert(late || ALONE) } /* R2 and R9, as the machine sees them */
	:: atomic { CAN && phase == RUNNING -> runs[me] = false; phase = GOOD }
	:: atomic { CAN && phase == RUNNING && failures < 1 ->
		failures++; runs[me] = false; phase = BAD }
	:: atomic { CAN && (phase == RUNNING || phase == CLAIMED) && (cancel || told[me] || !live[me]) ->
		runs[me] = false; phase = GIVEN_BACK } /* cancelled, drained, self-fenced */
	:: atomic { CAN && phase != IDLE && phase != CLAIMED && phase != RUNNING ->
		acknowledge(me, held, phase); held = 0; phase = IDLE }
	:: atomic { CAN && phase == IDLE && (told[me] || !live[me]) ->
		live[me] = false; up[me] = false; nup--; break } /* LEAVE, or it was taken for dead */
	:: !up[me] -> break
	od
}

#define OF(w) (state == LEASED && owner == w)

inline expire(w)
{
	live[w] = false;
	if
#ifndef LEASE_FORGOTTEN
	:: OF(w) -> release()
#endif
	:: else
	fi
}

/* The supervisor has swept before it tells of a death; silence is judged by the beats. */
#ifdef DIED_BEFORE_SWEEP
#define DIED(w) (!up[w] && live[w])
#else
#define DIED(w) (!up[w] && live[w] && !runs[w])
#endif

proctype keeper()
{
	byte w;

end_keep:
	do
	:: atomic { DIED(0) -> w = 0; expire(w) }
	:: atomic { DIED(1) -> w = 1; expire(w) }
	:: atomic { DIED(2) -> w = 2; expire(w) }
#ifdef BIG
	:: atomic { DIED(3) -> w = 3; expire(w) }
#endif
	:: atomic { stopped[0] && live[0] && OF(0) -> w = 0; late = true; expire(w) }
	:: atomic { stopped[1] && live[1] && OF(1) -> w = 1; late = true; expire(w) }
	od
}

proctype sweeper()
{
end_sweep:
	do
	:: atomic { !up[0] && runs[0] -> runs[0] = false }
	:: atomic { !up[1] && runs[1] -> runs[1] = false }
	:: atomic { !up[2] && runs[2] -> runs[2] = false }
#ifdef BIG
	:: atomic { !up[3] && runs[3] -> runs[3] = false }
#endif
	od
}

#define HIT(w) up[w] && crashes < CRASHES -> crashes++; up[w] = false; nup--; stopped[w] = false

/* Whatever may happen to them, but to the last one; it may stop happening at any time. */
proctype world()
{
	do
	:: atomic { HIT(0) }
	:: atomic { HIT(1) }
#ifdef BIG
	:: atomic { HIT(2) }
#endif
	:: atomic { up[0] && !stopped[0] && stops < STOPS -> stops++; stopped[0] = true }
	:: atomic { up[1] && !stopped[1] && stops < STOPS -> stops++; stopped[1] = true }
	:: atomic { stopped[0] -> stopped[0] = false }
	:: atomic { stopped[1] -> stopped[1] = false }
	:: atomic { up[0] && drains < 1 -> drains++; told[0] = true }
	:: atomic { state == READY -> finish(CANCELLED) }
	:: atomic { state == LEASED && !cancel -> cancel = true }
	:: break
	od
}

init
{
	atomic {
		run worker(0); run worker(1); run worker(2);
#ifdef BIG
		run worker(3);
#endif
		run keeper(); run keeper(); run sweeper(); run world()
	}
}

#ifdef LIVENESS
/* R6: it ends, when everybody who can do something does it at last. */
ltl ends { <> FINAL }
#else
/* What a cancel that was committed first decides stays decided. */
ltl cancel_wins { [] (!(cancel && state == SUCCEEDED)) }
#endif
