/* Claim, lease, settle, cancel, reap and sweep, as the tables and the store see them: every interleaving of two workers, two uploads, a reaper and
 * a sweep. Time is not here: a lease may end at any moment, however alive its worker is; a worker may die after any step; an answer of the store
 * may get lost after the request was done; whoever has the presigned form may post other bytes at any moment. What is one transaction, or one
 * request of the store, is one step here.
 *
 * What must hold is said by assert(). Each of these makes an error that spin must find:
 *   NOFENCE      a settle asks neither for the attempt nor for the worker
 *   NOSOURCE     the copy takes whatever lies there by now
 *   DELETEFIRST  the tmp object is deleted before `stored` is committed
 *   NOMARK       the sweep deletes without marking the key as expired
 *   FORGETS      the sweep does not look for copies
 *   TAKEBACK     a worker deletes the copy of an upload that was withdrawn, at some moment after its settle was refused
 *   GIVESBACK    a worker gives back what it has claimed, again and again, and no attempt is counted
 *   NOCANCEL     a settle does not ask whether the upload was withdrawn, and puts it back
 * That nothing goes on for ever is asked apart: spin looks for a cycle of states, of which there must be none.
 */

#define UPLOADS 2
#define WORKERS 2
/* Each worker may lose its lease once, and registers anew under a number that was never used. Its second lease stays. */
#define LEASES (2 * WORKERS + 1)

#define NONE 0      /* no row */
#define QUEUED 1    /* or moving: `holder` tells */
#define STORED 2
#define FAILED 3
#define CANCELLED 4
#define EXPIRED 5

/* The record. */
byte status[UPLOADS];
byte verified[UPLOADS];       /* the bytes that were verified: 1, or 2 */
byte holder[UPLOADS];         /* a lease, 0 for nobody's */
byte attempt[UPLOADS];
bool to_delete[UPLOADS];
bool cancelling[UPLOADS];     /* asked for while it moves */
bool gone[UPLOADS];           /* its tmp object, for good: it is taken up no more */
bool alive[LEASES];

/* The store: which bytes lie there, 0 for none. */
byte tmp[UPLOADS];
byte stored[UPLOADS];

/* What the clients did. */
bool rolled_back[UPLOADS];
byte ended;
/* How often the store has failed: what may go on for ever has no end to look for. */
#define TROUBLES 1
byte trouble;

/* With ONE nobody has a second upload. */
#ifdef ONE
#define CLIENTS 1
#else
#define CLIENTS UPLOADS
#endif
#define ALL_ENDED (ended == CLIENTS)
#define WAITS(u) (status[u] == QUEUED && holder[u] == 0)
#define IDLE (ALL_ENDED && status[0] != QUEUED && status[1] != QUEUED && !to_delete[0] && !to_delete[1])

/* One transaction: refused when the key has expired, or is somebody's. */
inline enqueue(u, bytes_) {
    atomic {
        if
        :: status[u] == NONE || (status[u] == FAILED || status[u] == CANCELLED) && !gone[u] ->
            status[u] = QUEUED; verified[u] = bytes_; cancelling[u] = false
        :: else
        fi
    }
}

inline delete_tmp(u, seen) {
    /* The store deletes what was seen, and nothing that came after. */
    if
    :: tmp[u] == seen && tmp[u] != 0 ->
        assert(status[u] == STORED || status[u] == EXPIRED || gone[u]);
        tmp[u] = 0
    :: else
    fi
}

/* The copy of an attempt that was withdrawn or failed: looked at, and deleted whenever. */
inline give_up_copy(u) {
    if
    :: gone[u] && stored[u] != 0 ->
        atomic { assert(status[u] != STORED && status[u] != QUEUED); stored[u] = 0 }
    :: else
    fi
}

/* A person with a file, and the app that takes the form; this one gives up now and then, and posts other bytes. */
proctype Client(byte u) {
    byte seen;
    tmp[u] = 1;
    seen = tmp[u];                                  /* HEAD: verified */
    if
    :: seen == 0                                    /* swept before the form came: refused */
    :: seen != 0 ->
        if
        :: enqueue(u, seen)
        :: rolled_back[u] = true
        fi;
        if
        :: tmp[u] = 2;                              /* the presigned form once more, with other bytes */
           if
           :: status[u] == FAILED -> enqueue(u, 2)  /* and then the app's, when the first attempt has told that they changed */
           :: true
           fi
        :: true
        fi
    fi;
    seen = 0;
    ended++
}

/* One transaction: what waits is withdrawn, and the worker of what moves is told when it settles. */
inline cancel(u) {
    atomic {
        if
        :: WAITS(u) -> status[u] = CANCELLED
        :: status[u] == QUEUED && holder[u] != 0 -> cancelling[u] = true
        :: else
        fi
    }
}

/* This one withdraws its upload now and then, and takes that back. */
proctype WithdrawingClient(byte u) {
    atomic { tmp[u] = 1 };
    if
    :: atomic { tmp[u] != 0 -> enqueue(u, 1) }
    :: tmp[u] == 0
    fi;
    if
    :: cancel(u);
       if
       :: enqueue(u, 1)
       :: true
       fi
    :: true
    fi;
    ended++
}

inline claim() { holder[u] = lease; attempt[u]++; mine = attempt[u]; bytes = verified[u] }

inline settle() {
    d_step {
        if
#ifdef NOFENCE
        :: status[u] == QUEUED && holder[u] != 0 ->
#else
        :: status[u] == QUEUED && holder[u] == lease && attempt[u] == mine ->
#endif
            holder[u] = 0;
#ifndef NOCANCEL
            if
            :: cancelling[u] && outcome == QUEUED -> outcome = CANCELLED
            :: else
            fi;
#endif
            status[u] = outcome;
            assert(!cancelling[u] || outcome != QUEUED);            /* what was withdrawn does not wait again */
            assert(outcome != STORED || stored[u] == verified[u]);
            assert(outcome != FAILED || tmp[u] != verified[u]);     /* nobody is told of a change that was none */
            to_delete[u] = (outcome == STORED)
        :: else ->                                  /* the attempt is somebody else's by now */
            outcome = NONE
        fi
    }
}

inline work() {
    copy(u);
#ifdef DELETEFIRST
    d_step { if :: outcome == STORED -> delete_tmp(u, bytes) :: else fi };
#endif
    settle();
#ifdef TAKEBACK
    if
    :: status[u] == CANCELLED -> atomic { assert(status[u] != STORED); stored[u] = 0 }
    :: else
    fi;
#endif
    d_step { found = 0; outcome = 0; bytes = 0; mine = 0; u = 0 }
}

inline copy(u) {
    /* HEAD of the destination, then the copy, with its conditions on both ends. What lies there of the same bytes is an earlier attempt's. */
    found = stored[u];
    if
    :: found == bytes -> outcome = STORED
    :: else ->
        if
        :: atomic {
#ifdef NOSOURCE
            if
            :: tmp[u] != 0 && stored[u] == found ->
                assert(status[u] != STORED);        /* nothing is overwritten */
                stored[u] = tmp[u];
#else
            if
            :: tmp[u] == bytes && stored[u] == found ->
                assert(status[u] != STORED);
                stored[u] = bytes;
#endif
                if
                :: outcome = STORED
                :: trouble < TROUBLES -> trouble++; outcome = QUEUED    /* the answer was lost */
                fi
            :: else ->                              /* 412: who was at the destination tells which */
                if
                :: stored[u] == bytes -> outcome = STORED
                :: stored[u] != bytes && tmp[u] != bytes -> outcome = FAILED
                :: else -> outcome = QUEUED
                fi
            fi
           }
        :: trouble < TROUBLES -> trouble++; outcome = QUEUED            /* 503, or nothing at all */
        fi
    fi
}

/* A worker that dies is here one that is late: its lease is ended by the reaper, and what it does after that must change nothing. */
proctype Worker(byte lease) {
    byte mine, bytes, found, outcome, u;
    do
    :: IDLE -> break
    :: d_step { !alive[lease] && lease <= WORKERS -> lease = lease + WORKERS }     /* told so by a heartbeat: it registers anew */
    :: d_step { alive[lease] && WAITS(0) -> u = 0; claim() }; work()
    :: d_step { alive[lease] && WAITS(1) -> u = 1; claim() }; work()
#ifdef GIVESBACK
    :: d_step { alive[lease] && WAITS(1) -> u = 1; claim() }; d_step { holder[1] == lease -> holder[1] = 0; attempt[1]--; mine = 0; bytes = 0; u = 0 }
#endif
    :: d_step { to_delete[0] -> delete_tmp(0, verified[0]); to_delete[0] = false }
    :: d_step { to_delete[1] -> delete_tmp(1, verified[1]); to_delete[1] = false }
    od
}

/* Ends leases of the first kind, whenever it pleases, and takes back what their workers held: one statement. */
inline reap(lease) {
    alive[lease] = false;
    if :: holder[0] == lease -> holder[0] = 0; if :: cancelling[0] -> status[0] = CANCELLED :: else fi :: else fi;
    if :: holder[1] == lease -> holder[1] = 0; if :: cancelling[1] -> status[1] = CANCELLED :: else fi :: else fi
}

proctype Reaper() {
    do
    :: IDLE -> break
    :: atomic { alive[1] -> reap(1) }
#ifdef BOTH
    :: atomic { alive[2] -> reap(2) }
#endif
    od
}

/* One pass over what lies in tmp, all of which is old. */
proctype Sweep() {
    byte u, seen;
    bool free;
    do
    :: u == UPLOADS -> break
    :: u < UPLOADS ->
        seen = tmp[u];
        if
        :: seen == 0
        :: seen != 0 ->
            atomic {                                /* mark */
                free = (status[u] != QUEUED);               /* the week of a failed one may be over */
#ifndef NOMARK
                if
                :: status[u] == NONE -> status[u] = EXPIRED
                :: status[u] == CANCELLED || status[u] == FAILED -> gone[u] = true
                :: else
                fi
#endif
            }
            if
            :: free ->
#ifndef FORGETS
                give_up_copy(u);
#endif
                atomic { delete_tmp(u, seen) };
#ifndef FORGETS
                give_up_copy(u)                     /* one that came after the look: from now on none can be begun */
#endif
            :: else
            fi
        fi;
        u++
    od;
    seen = 0; free = false
}

init {
    byte u;
    atomic {
        u = 1;
        do :: u < LEASES -> alive[u] = true; u++ :: else -> break od;
#ifndef ONE
        run Client(0);
#endif
        run WithdrawingClient(1); run Worker(1); run Worker(2); run Reaper(); run Sweep()
    }
    /* All others have ended: spin says so if one cannot. */
    _nr_pr == 1;
    u = 0;
    do
    :: u == UPLOADS -> break
    :: u < UPLOADS ->
        assert(status[u] != QUEUED);
        assert(status[u] != STORED || stored[u] == verified[u]);
        /* An attempt may have left a copy of its own behind, which goes with the tmp object, or with reconcile; nobody else may. */
        assert(status[u] == STORED || status[u] == FAILED || status[u] == CANCELLED || stored[u] == 0);
        assert(!gone[u] || status[u] == CANCELLED || status[u] == FAILED);
        assert(!gone[u] || tmp[u] != 0 || stored[u] == 0);      /* a copy that is given up is gone with the tmp object */
        assert(!rolled_back[u] || status[u] == NONE || status[u] == EXPIRED);
        u++
    od
}
