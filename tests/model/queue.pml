/* A model of the queue protocol for spin: what Redis holds, two drover workers that speak to
 * it by requests which may be lost, late or unanswered, one PHP worker, and the faults.
 * check_model.sh runs it in many settings, check_model_broken.sh shows for every rule that
 * without it the model finds a fault.
 *
 * How it maps to the scripts. one step of Redis (execute) is one script: a Redis runs each whole.
 *
 *   RESERVE    reserve.lua: riding acks, gate, reclaim, promote, take one
 *   ACK        ack.lua        RELEASE  release.lua      FAIL  fail.lua
 *   GIVE_BACK  give_back.lua, to the queue; with `dead` a crash is counted
 *   EXTEND     extend.lua     OPEN     open.lua         BEAT  beat.lua
 *   CONDEMN    condemn.lua    HELD     held.lua         FORGET, LEAVE, SHUT  HDEL, SREM
 *   KILL       CLIENT KILL of the worker's connections of before
 *   php_*      Laravel's pop, delete and release scripts
 *
 * and the worker's part to C: `resume` is queue/resume.c, `ready` is the pump of queue.c with
 * settle.c, arrive.c, wait.c and extend.c, `take_back` is take_back.c.
 *
 * A second RESERVE may be sent on the main connection behind an unanswered one (OVERLAP): it is
 * executed and answered after that one, and names the verdicts that are unanswered.
 *
 * What is left out: order in the ready list (any ready job may be taken), due times (a
 * delayed job is due at the next reserve), clocks (a lease may run out at any moment, as often
 * as EXPIRIES says while its holder lives, always once it is dead or PHP's), tokens and
 * polling (a waiting reserve is answered when there is something to take), pages (a tag's
 * jobs are listed at once), who was first to condemn (two may take the same tag back).
 *
 * What must hold, in every state:
 *   one place  a job is in exactly one of ready, delayed, reserved, failed, done; only PHP's
 *              release after a lost lease may add a second
 *   one holder who runs a job under a lease that has not ended has it in reserved under a tag
 *              of its own: nobody else can take it
 *   attempts   a job fails when as many runs have failed as it has tries: no crash counts
 *   crashes    no more are counted than workers died or were given up with the job in hand
 *   own runs   no more jobs are done than runs went well: no ack ends a twin
 *   the end    there is no cycle, and nothing stops before all jobs are done or failed
 *
 * Settings (-D): J jobs, FAULTS in all of the kinds CUTS (a connection), CRASHES (a worker),
 * with HOST for ever; EXPIRIES of live leases, SILENCES (a living worker judged dead), LEASES_END
 * (leases of the dead run out), DRAIN, PHP, TWINS (two payloads of equal bytes), OVERLAP, ALONE
 * (one worker). Mutants take one rule away: see check_model_broken.sh.
 */
#ifndef J
#define J 1
#endif
#ifndef FAULTS
#define FAULTS 0
#endif
#ifndef EXPIRIES
#define EXPIRIES 0
#endif
#ifndef SILENCES
#define SILENCES 0
#endif
#ifndef CUTS
#define CUTS 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef LEASES_END
#define LEASES_END 0
#endif
#ifndef TRIES
#define TRIES 2
#endif

#define W 2         /* drover workers */
#define OLD_CT 3    /* requests of lost connections that may still be executed */
#ifdef OVERLAP
#define LIVE_CT (3 * W) /* requests of connections that are up */
#else
#define LIVE_CT (2 * W)
#endif
#define CALL_CT (LIVE_CT + OLD_CT)
#define NOBODY W    /* whose connection: a dead process' */
#define PHP_TAG 15
#define TAG_CT 12
#define CLOSED 100  /* a reserve's answer: the gate is shut */

#define IN(set, n) (((set) >> (n)) & 1)
#define ADD(set, n) set = (set) | (1 << (n))
#define DROP(set, n) set = (set) & ~(1 << (n))

mtype = {NONE, RESERVE, ACK, RELEASE, FAIL, GIVE_BACK, EXTEND, OPEN, BEAT, CONDEMN, HELD,
         FORGET, LEAVE, SHUT, KILL, LEASE};

/* ---- what Redis holds ---- */

byte ready[J] = 0, delayed[J] = 0;
byte owner[J] = 0;     /* in reserved, under this tag; 0: not there */
bool run_out[J] = false; /* its lease has */
byte failed[J] = 0, done[J] = 0;
byte bytes[J] = 0;     /* which bytes the payload has: how many attempts stand in it */
byte popped[J] = 0;    /* mutant: taken off the list and nowhere yet */
short condemned = 0; /* ghost: tags that were judged dead */
short open = 0, beats = 0; /* sets of tags: drover:open, drover:beats with drover:owners */
byte last_tag = 0;
bool twins = true;     /* TWINS: jobs 0 and 1 have the same bytes */

/* ---- what is on its way ---- */

typedef Call {
    mtype op = NONE;
    byte st = 0;   /* 0 free, 1 sent, 2 executed: the answer is on its way */
    byte whose = 0;
    byte link = 0; /* which of its connections, counted */
    byte tag = 0;
    byte set = 0;  /* of jobs */
#ifdef TWINS
    byte named = 0; /* RESERVE: jobs whose verdicts are unanswered */
#endif
    byte found = 0; /* the answer */
    bool dead = false;
#ifdef OVERLAP
    bool second = false; /* on a lost connection, behind another one */
#endif
    byte text[J] = 0;   /* per job: bytes as the worker knows them, and the tag of its lease */
    byte under[J] = 0;
};
Call call[CALL_CT];

/* ---- the workers, as far as others or what must hold look at them ---- */

typedef Worker {
    byte tag = 0;
    byte runs = 0;     /* set of jobs */
    byte holds = 0;    /* those whose lease has not ended; ghost */
    byte pending = 0;  /* with a verdict */
    byte in_flight = 0;
    byte again = 0;    /* reserved anew while the verdict is in flight */
    short orphans = 0; /* tags of earlier processes in this slot */
    mtype verdict[J] = NONE;
    byte text[J] = 0;
    byte under[J] = 0;
};
Worker worker[W];

byte faults = FAULTS, expiries = EXPIRIES, silences = SILENCES;
byte tag_owner[TAG_CT] = 0; /* ghost: slot + 1 */
byte deaths[J] = 0, crashes[J] = 0, failed_runs[J] = 0; /* ghosts, crashes as they were counted */
#ifdef TWINS
byte good_runs = 0; /* ghost */
#endif
bool doubled[J] = false; /* PHP has */
bool php_runs = false;
byte php_job = 0, php_bytes = 0;
bool php_holds = false;

hidden byte j_, k_, w_;

#define PLACES(j) (ready[j] + delayed[j] + (owner[j] != 0) + failed[j] + done[j] + popped[j])
#define ENDED(j) (failed[j] + done[j] > 0 && ready[j] + delayed[j] + (owner[j] != 0) + popped[j] == 0)
#define DUE(j) (ready[j] > 0 || delayed[j] > 0 || (owner[j] != 0 && run_out[j]))
#if J == 1
#define ALL_ENDED (ENDED(0) && !php_runs)
#define SOME_DUE DUE(0)
#else
#define ALL_ENDED (ENDED(0) && ENDED(1) && !php_runs)
#define SOME_DUE (DUE(0) || DUE(1))
#endif
#define OPENS(i, t) (call[i].op == OPEN && call[i].found == (t))
#define LIVES(t) (worker[0].tag == (t) || worker[1].tag == (t) || OPENS(0, t) || OPENS(2, t))

inline check()
{
    for (j_ : 0 .. J - 1) {
        assert(PLACES(j_) == 1 || (doubled[j_] && PLACES(j_) >= 1));
        for (w_ : 0 .. W - 1) {
            assert(!IN(worker[w_].runs & worker[w_].holds, j_) ||
                   (owner[j_] != 0 && owner[j_] != PHP_TAG &&
                    tag_owner[owner[j_]] == w_ + 1));
        }
        assert(crashes[j_] <= deaths[j_]);
    }
#if defined(TWINS) && !defined(PHP)
    assert(done[0] + done[1] <= good_runs);
#endif
    w_ = 0;
    j_ = 0;
}

/* A lease of j has ended by time or by judgement: who runs it has had its chance. */
inline end_lease(j)
{
    for (w_ : 0 .. W - 1) {
        DROP(worker[w_].holds, j);
    }
    w_ = 0;
    if
    :: php_runs && php_job == j -> php_holds = false
    :: else
    fi
}

/* ZADD NX, or a pad where it adds nothing. `there`: the other one's place in the same zset. */
inline add_distinct(there)
{
#ifdef TWINS
    if
    :: twins && there != 0 ->
#ifdef NOT_NX
        there = 0 /* one member for both */
#else
        twins = false
#endif
    :: else
    fi
#else
    skip
#endif
}

#define SAME_BYTES(i, j) (owner[j] != 0 && bytes[j] == call[i].text[j])
#define CARRIES(i, j) (SAME_BYTES(i, j) && owner[j] == call[i].under[j])
#ifdef BLIND_ACK
#define ACK_MAY(i, j) SAME_BYTES(i, j)
#else
#define ACK_MAY(i, j) CARRIES(i, j)
#endif
#ifdef BLIND_GIVE_BACK
#define GIVE_BACK_MAY(i, j) SAME_BYTES(i, j)
#else
#define GIVE_BACK_MAY(i, j) CARRIES(i, j)
#endif

/* Its own verdict ends a worker's lease, also one that it got anew meanwhile. */
inline give_up(i, j)
{
    if
    :: i < LIVE_CT && owner[j] != 0 && owner[j] != PHP_TAG &&
       tag_owner[owner[j]] == call[i].whose + 1 -> DROP(worker[call[i].whose].holds, j)
    :: else
    fi
}

/* A verdict knows its job by the bytes: it may meet the twin. */
#ifdef TWINS
#define TWIN(j) (1 - (j))
#define MEETS_TWIN(i, j)                                                                 \
    (twins && owner[TWIN(j)] != 0 && owner[TWIN(j)] == call[i].under[j] &&               \
     bytes[TWIN(j)] == call[i].text[j])
#else
#define TWIN(j) (j)
#define MEETS_TWIN(i, j) false
#endif

inline run_acks(i)
{
    for (j_ : 0 .. J - 1) {
        if
        :: IN(call[i].set, j_) && ACK_MAY(i, j_) -> give_up(i, j_); owner[j_] = 0; done[j_]++
        :: IN(call[i].set, j_) && !ACK_MAY(i, j_) && MEETS_TWIN(i, j_) ->
            give_up(i, TWIN(j_)); owner[TWIN(j_)] = 0; done[TWIN(j_)]++
        :: else
        fi
    }
}

inline run_reclaim()
{
    for (j_ : 0 .. J - 1) {
        if
        :: owner[j_] != 0 && run_out[j_] ->
            owner[j_] = 0; run_out[j_] = false; ready[j_]++
        :: else
        fi;
        ready[j_] = ready[j_] + delayed[j_];
        delayed[j_] = 0
    }
}

inline lease_to(i, j)
{
    add_distinct(owner[(J - 1) - (j)]);
#ifdef TWINS
    if
    :: IN(call[i].named, TWIN(j)) -> twins = false
    :: else
    fi;
#endif
    owner[j] = call[i].tag;
    run_out[j] = false;
    if
    :: i < LIVE_CT -> ADD(worker[call[i].whose].holds, j)
    :: else -> /* nobody will read the answer */
        if
        :: !LIVES(call[i].tag) -> deaths[j]++
        :: else
        fi
    fi
}

inline run_reserve(i)
{
    run_acks(i);
    if
#ifndef NO_GATE
    :: !IN(open, call[i].tag) -> call[i].found = CLOSED
    :: else ->
#else
    :: true ->
#endif
        run_reclaim();
        if
        :: ready[0] > 0 -> j_ = 0
#if J > 1
        :: ready[1] > 0 -> j_ = 1
#endif
#ifdef OVERLAP
        :: true -> j_ = J /* other jobs were taken */
#else
        :: else -> j_ = J
#endif
        fi;
        if
        :: j_ < J ->
            k_ = j_;
            ready[k_]--;
            call[i].found = k_ + 1;
#ifdef ATTEMPT_AT_RESERVE
            bytes[k_]++;
#endif
            call[i].text[k_] = bytes[k_];
#ifdef POP_BEFORE_LEASE
            popped[k_]++
#else
            lease_to(i, k_)
#endif
        :: else
        fi
    fi
}

inline run_lease(i) /* mutant POP_BEFORE_LEASE */
{
    for (j_ : 0 .. J - 1) {
        if
        :: IN(call[i].set, j_) && popped[j_] > 0 ->
            popped[j_]--;
            k_ = j_;
            lease_to(i, k_)
        :: else
        fi
    }
}

inline run_release(i)
{
    for (j_ : 0 .. J - 1) {
        if
        :: IN(call[i].set, j_) && CARRIES(i, j_) ->
            give_up(i, j_);
            owner[j_] = 0;
#ifndef NOT_COUNTED
            bytes[j_]++; failed_runs[j_]++;
#endif
            add_distinct(delayed[(J - 1) - j_]);
            delayed[j_]++
#ifdef BLIND_RELEASE
        :: IN(call[i].set, j_) && !CARRIES(i, j_) -> delayed[j_]++
#endif
        :: else
        fi
    }
}

inline run_fail(i)
{
    for (j_ : 0 .. J - 1) {
        if
        :: IN(call[i].set, j_) && CARRIES(i, j_) ->
            give_up(i, j_);
            owner[j_] = 0; failed[j_]++; failed_runs[j_]++;
#ifndef PHP
            assert(failed_runs[j_] == TRIES)
#endif
#ifdef BLIND_FAIL
        :: IN(call[i].set, j_) && !CARRIES(i, j_) -> failed[j_]++
#endif
        :: else
        fi
    }
}

inline run_give_back(i)
{
    for (j_ : 0 .. J - 1) {
        if
        :: IN(call[i].set, j_) && GIVE_BACK_MAY(i, j_) ->
            owner[j_] = 0; ready[j_]++;
            crashes[j_] = crashes[j_] + call[i].dead
        :: else
        fi
    }
}

inline run_extend(i) /* the answer: those that were not ours */
{
    for (j_ : 0 .. J - 1) {
        if
        :: IN(call[i].set, j_) && CARRIES(i, j_) ->
            owner[j_] = call[i].tag; run_out[j_] = false;
            if
            :: i < LIVE_CT && !IN(condemned, call[i].tag) -> ADD(worker[call[i].whose].holds, j_)
            :: else
            fi
        :: IN(call[i].set, j_) && !CARRIES(i, j_) -> ADD(call[i].found, j_)
        :: else
        fi
    }
}

inline run_condemn(i)
{
    DROP(open, call[i].tag);
    ADD(condemned, call[i].tag);
    for (k_ : 0 .. J - 1) {
        if
        :: owner[k_] == call[i].tag && LIVES(call[i].tag) -> end_lease(k_); deaths[k_]++
        :: else
        fi
    }
}

inline run_held(i)
{
    for (j_ : 0 .. J - 1) {
        call[i].text[j_] = bytes[j_];
        call[i].under[j_] = call[i].tag;
        if
        :: owner[j_] == call[i].tag -> ADD(call[i].found, j_)
        :: else
        fi
    }
}

#ifdef KILL_LAST_ONLY
#define KNOWN_LINK(old, i) (call[old].link + 1 == call[i].link)
#else
#define KNOWN_LINK(old, i) true
#endif

inline run_kill(i)
{
#ifndef NO_KILL
    for (k_ : LIVE_CT .. CALL_CT - 1) {
        if
        :: call[k_].st == 1 && call[k_].whose == call[i].whose && KNOWN_LINK(k_, i) ->
            wipe(k_)
        :: else
        fi
    }
#else
    skip
#endif
}

inline wipe(i)
{
#ifdef OVERLAP
    call[i].second = false;
#endif
    call[i].op = NONE; call[i].st = 0; call[i].whose = 0; call[i].link = 0;
#ifdef TWINS
    call[i].named = 0;
#endif
    call[i].tag = 0; call[i].set = 0; call[i].found = 0; call[i].dead = false;
    for (j_ : 0 .. J - 1) {
        call[i].text[j_] = 0; call[i].under[j_] = 0
    }
}

inline execute(i)
{
    if
    :: call[i].op == RESERVE -> run_reserve(i)
    :: call[i].op == ACK -> run_acks(i)
    :: call[i].op == RELEASE -> run_release(i)
    :: call[i].op == FAIL -> run_fail(i)
    :: call[i].op == GIVE_BACK -> run_give_back(i)
    :: call[i].op == EXTEND -> run_extend(i)
    :: call[i].op == OPEN ->
        last_tag++;
        assert(last_tag < TAG_CT);
        ADD(open, last_tag); ADD(beats, last_tag);
        tag_owner[last_tag] = call[i].whose + 1;
        call[i].found = last_tag
    :: call[i].op == BEAT -> call[i].found = IN(open, call[i].tag)
    :: call[i].op == CONDEMN -> run_condemn(i)
    :: call[i].op == HELD -> run_held(i)
    :: call[i].op == FORGET || call[i].op == LEAVE ->
        DROP(open, call[i].tag); DROP(beats, call[i].tag)
    :: call[i].op == SHUT -> DROP(open, call[i].tag)
    :: call[i].op == KILL -> run_kill(i)
    :: call[i].op == LEASE -> run_lease(i)
    fi;
    check();
    j_ = 0;
    k_ = 0
}

/* A reserve on the second connection waits in its BRPOP until there is something. */
#define IS_WAIT(i) ((i) < 2 * W && (i) % 2 == 1)
#define MAY_RUN(i)                                                                       \
    (call[i].st == 1 && (call[i].op != RESERVE || !IS_WAIT(i) || SOME_DUE ||              \
                         !IN(open, call[i].tag)))

/* Of the requests of one lost connection, the second one is not executed before the first;
 * strand() fills the places in order. */
#ifdef OVERLAP
#define BEFORE(a, b)                                                                     \
    (call[a].st == 1 && call[a].whose == call[b].whose && call[a].link == call[b].link)
#define IN_TURN(i)                                                                       \
    (!call[i].second || !(BEFORE(LIVE_CT, i) || ((i) > LIVE_CT + 1 && BEFORE(LIVE_CT + 1, i))))
#else
#define IN_TURN(i) true
#endif

active proctype Redis()
{
end:
    do
    :: atomic { MAY_RUN(0) -> execute(0); call[0].st = 2 }
    :: atomic { MAY_RUN(1) -> execute(1); call[1].st = 2 }
    :: atomic { MAY_RUN(2) -> execute(2); call[2].st = 2 }
    :: atomic { MAY_RUN(3) -> execute(3); call[3].st = 2 }
#ifdef OVERLAP /* in the order in which they were sent */
    :: atomic { MAY_RUN(4) && call[0].st != 1 -> execute(4); call[4].st = 2 }
    :: atomic { MAY_RUN(5) && call[2].st != 1 -> execute(5); call[5].st = 2 }
#endif
    :: atomic { MAY_RUN(LIVE_CT) -> execute(LIVE_CT); wipe(LIVE_CT) }
    :: atomic { MAY_RUN(LIVE_CT + 1) && IN_TURN(LIVE_CT + 1) ->
        execute(LIVE_CT + 1); wipe(LIVE_CT + 1) }
    :: atomic { MAY_RUN(LIVE_CT + 2) && IN_TURN(LIVE_CT + 2) ->
        execute(LIVE_CT + 2); wipe(LIVE_CT + 2) }
    od
}

/* What is on its way on a connection that is given up: it may yet be executed. */
inline strand(i, by)
{
    k_ = CALL_CT;
    if
    :: call[i].st == 1 ->
        k_ = LIVE_CT;
        do
        :: k_ < CALL_CT && call[k_].st != 0 -> k_++
        :: else -> break
        od
    :: call[i].st == 1 /* it was lost */
    :: else
    fi;
    if
    :: k_ < CALL_CT ->
        call[k_].op = call[i].op; call[k_].st = 1; call[k_].whose = by;
        call[k_].link = call[i].link; call[k_].tag = call[i].tag;
        call[k_].set = call[i].set; call[k_].dead = call[i].dead;
#ifdef TWINS
        call[k_].named = call[i].named;
#endif
#ifdef OVERLAP
        call[k_].second = (i >= 2 * W);
#endif
        for (j_ : 0 .. J - 1) {
            call[k_].text[j_] = call[i].text[j_]; call[k_].under[j_] = call[i].under[j_]
        }
    :: else
    fi;
    wipe(i);
    k_ = 0;
    j_ = 0
}

/* ---- a drover worker ---- */

#define MAIN (2 * w)     /* its connections */
#define WAIT (2 * w + 1)
#ifdef OVERLAP
#define NEXT (2 * W + w) /* behind what is on MAIN */
#endif
#define ME worker[w]

inline begin(i, what, under_tag, jobs)
{
    call[i].op = what; call[i].whose = w; call[i].link = link;
    call[i].tag = under_tag; call[i].set = jobs;
    for (j_ : 0 .. J - 1) {
        if
        :: IN(jobs, j_) -> call[i].text[j_] = ME.text[j_]; call[i].under[j_] = ME.under[j_]
        :: else
        fi
    }
    j_ = 0;
    call[i].st = 1
}

#ifdef OVERLAP
inline move_next()
{
    call[MAIN].op = call[NEXT].op; call[MAIN].st = call[NEXT].st;
    call[MAIN].whose = call[NEXT].whose; call[MAIN].link = call[NEXT].link;
    call[MAIN].tag = call[NEXT].tag; call[MAIN].set = call[NEXT].set;
#ifdef TWINS
    call[MAIN].named = call[NEXT].named;
#endif
    call[MAIN].found = call[NEXT].found;
    for (j_ : 0 .. J - 1) {
        call[MAIN].text[j_] = call[NEXT].text[j_]; call[MAIN].under[j_] = call[NEXT].under[j_]
    }
    j_ = 0;
    wipe(NEXT)
}
#endif

/* The two workers are alike: of two executions that differ in which is which, one is
 * enough. So the first to be struck is the first worker, or else the first to judge the
 * other; not both, and neither where only one of them drains. */
#ifdef DRAIN
#define MAY_BE_STRUCK (faults > 0)
#else
#define MAY_BE_STRUCK (faults > 0 && (w == 0 || faults < FAULTS))
#endif
#if defined(DRAIN) || FAULTS > 0
#define MAY_JUDGE (silences > 0)
#else
#define MAY_JUDGE (silences > 0 && (w == 0 || silences < SILENCES))
#endif

/* The answer to what was sent on the main connection; or it breaks, or the worker dies. */
inline answer()
{
    if
    :: call[MAIN].st == 2
    :: atomic { CUTS && MAY_BE_STRUCK -> faults--; goto lost }
    :: atomic { CRASHES && MAY_BE_STRUCK -> faults--; goto crash }
    fi
}

/* The verdict, or the verdicts, on this connection are answered. */
inline settled(i)
{
    for (j_ : 0 .. J - 1) {
        if
        :: IN(call[i].set & ME.in_flight, j_) ->
            DROP(ME.pending, j_); DROP(ME.in_flight, j_); ME.verdict[j_] = NONE
        :: else
        fi
    }
    j_ = 0
}

inline start(j)
{
    assert(!IN(ME.runs, j));
    ADD(ME.runs, j)
}

inline arrived(j, new_bytes, under_tag)
{
    if
    :: draining -> /* back to the head */
        ME.text[j] = new_bytes; ME.under[j] = under_tag;
        DROP(ME.holds, j); ADD(ME.pending, j); DROP(ME.in_flight, j);
        DROP(ME.runs, j);
        ME.verdict[j] = GIVE_BACK
    :: !draining && IN(ME.runs | ME.again, j) -> /* regained: the same run goes on */
        ME.text[j] = new_bytes; ME.under[j] = under_tag
#ifdef REGAINED_RUNS
        ; start(j)
#endif
#ifndef NO_HOLD
    :: !draining && !IN(ME.runs | ME.again, j) && IN(ME.in_flight, j) && ME.text[j] == new_bytes ->
        ME.under[j] = under_tag;
        ADD(ME.again, j)
    :: !draining && !IN(ME.runs | ME.again, j) && !(IN(ME.in_flight, j) && ME.text[j] == new_bytes) ->
#else
    :: !draining && !IN(ME.runs | ME.again, j) ->
#endif
        DROP(ME.pending, j); DROP(ME.in_flight, j); ME.verdict[j] = NONE;
        ME.text[j] = new_bytes; ME.under[j] = under_tag;
        start(j)
    fi
}

/* How a run ends. A job that has no try left fails. */
inline finish(j)
{
    DROP(ME.runs, j); DROP(ME.holds, j); ADD(ME.pending, j);
    if
    :: ME.verdict[j] = ACK
#ifdef TWINS
        ; good_runs++
#endif
    :: ME.text[j] + 1 < TRIES -> ME.verdict[j] = RELEASE
    :: ME.text[j] + 1 >= TRIES -> ME.verdict[j] = FAIL
    fi
}

/* Of what tag `t` holds: back to the queue, all but the jobs in `known`. */
inline give_back(t, known, is_dead)
{
    atomic { begin(MAIN, HELD, t, 0) };
    answer();
    atomic {
        jobs = call[MAIN].found;
        for (j_ : 0 .. J - 1) {
            if
            :: IN(known, j_) && ME.text[j_] == call[MAIN].text[j_] -> DROP(jobs, j_)
#ifdef TWINS
            :: twins && !IN(known, j_) && IN(known, TWIN(j_)) &&
               ME.text[TWIN(j_)] == call[MAIN].text[j_] -> DROP(jobs, j_)
#endif
            :: else
            fi
        }
        j_ = 0;
        call[MAIN].st = 1; call[MAIN].op = GIVE_BACK; call[MAIN].set = jobs;
        call[MAIN].found = 0; call[MAIN].dead = is_dead;
        if
        :: jobs == 0 -> call[MAIN].st = 2
        :: else
        fi;
        jobs = 0
    };
    answer();
    atomic { wipe(MAIN) }
}

inline take_back(t)
{
    atomic { begin(MAIN, CONDEMN, t, 0) };
    answer();
    atomic { wipe(MAIN) };
    give_back(t, 0, true);
    atomic { begin(MAIN, FORGET, t, 0) };
    answer();
    atomic { wipe(MAIN) }
}

#define PENDING(j) (IN(ME.pending, j) && !IN(ME.in_flight, j))
#define ACK_SET ((PENDING(0) && ME.verdict[0] == ACK) + 2 * (J > 1 && PENDING(J - 1) && ME.verdict[J - 1] == ACK))
#define OTHER_VERDICT(j) (PENDING(j) && ME.verdict[j] != ACK)
#define IS_DEAD(t) (IN(beats, t) && !LIVES(t))
#define SOMEBODY_DEAD                                                                    \
    (IS_DEAD(1) || IS_DEAD(2) || IS_DEAD(3) || IS_DEAD(4) || IS_DEAD(5) || IS_DEAD(6))

/* Where twins and cuts meet, the reserve behind a BRPOP goes only while nothing is held. */
#ifdef OVERLAP
#define MAY_WAIT ((ME.runs | ME.pending | ME.again) == 0)
#else
#define MAY_WAIT true
#endif

proctype Drover(byte w)
{
    byte link = 0, tag = 0, jobs = 0;
    bool draining = false, drained = false;

    goto resume;

lost: /* link_lost(): both connections go */
    atomic {
        strand(MAIN, w);
#ifdef OVERLAP
        strand(NEXT, w);
#endif
        strand(WAIT, w);
        link++;
        ME.in_flight = 0;
        for (j_ : 0 .. J - 1) {
            if
            :: IN(ME.again, j_) -> DROP(ME.pending, j_); ME.verdict[j_] = NONE
            :: else
            fi
        }
        ME.again = 0;
        j_ = 0;
        tag = 0;
        jobs = 0
    };
    goto resume;

crash:
    atomic {
        strand(MAIN, NOBODY);
#ifdef OVERLAP
        strand(NEXT, NOBODY);
#endif
        strand(WAIT, NOBODY);
        for (j_ : 0 .. J - 1) {
            if
            :: ME.tag != 0 && owner[j_] == ME.tag -> deaths[j_]++
            :: else
            fi;
            ME.verdict[j_] = NONE; ME.text[j_] = 0; ME.under[j_] = 0
        }
        j_ = 0;
#ifndef NO_SUCCESSOR
        if
        :: ME.tag != 0 -> ADD(ME.orphans, ME.tag)
        :: else
        fi;
#endif
        ME.tag = 0; ME.runs = 0; ME.holds = 0; ME.pending = 0; ME.in_flight = 0; ME.again = 0;
        draining = false; link = 0; tag = 0; jobs = 0
#ifdef HOST
        ; goto gone
#endif
    };

resume:
    if
    :: link > 0 ->
        atomic { begin(MAIN, KILL, 0, 0) };
        answer();
        atomic { wipe(MAIN) }
    :: else
    fi;
    if
    :: draining && ME.tag != 0 ->
        atomic { begin(MAIN, SHUT, ME.tag, 0) };
        answer();
        atomic { wipe(MAIN) }
    :: else
    fi;
    if
    :: ME.tag != 0 && link > 0 ->
#ifdef GIVE_BACK_ALL
        tag = ME.tag;
        give_back(tag, 0, false);
        tag = 0
#elif defined(NO_LIST)
        skip
#else
        tag = ME.tag;
        give_back(tag, ME.runs | ME.pending, false);
        tag = 0
#endif
    :: else
    fi;
    do /* verdicts that were not answered */
    :: atomic { ME.pending != 0 ->
        if
        :: IN(ME.pending, 0) -> jobs = 1
#if J > 1
        :: IN(ME.pending, 1) -> jobs = 2
#endif
        fi;
        ME.in_flight = jobs;
        begin(MAIN, ME.verdict[jobs - 1], ME.tag, jobs);
        jobs = 0
       };
       answer();
       atomic { settled(MAIN); wipe(MAIN) }
    :: else -> break
    od;

own: /* the gate, a new tag where it is shut, the leases */
    if
    :: ME.tag != 0 ->
        atomic { begin(MAIN, BEAT, ME.tag, 0) };
        answer();
        atomic { tag = (call[MAIN].found -> ME.tag : 0); wipe(MAIN) }
    :: else
    fi;
    if
    :: tag == 0 && !draining ->
        atomic { begin(MAIN, OPEN, 0, 0) };
        answer();
        atomic { ME.tag = call[MAIN].found; wipe(MAIN) }
    :: else
    fi;
    tag = 0;
    goto extend;

extend:
    if
    :: (ME.runs | ME.again) != 0 ->
        atomic { begin(MAIN, EXTEND, ME.tag, ME.runs | ME.again) };
        answer();
        atomic {
            for (j_ : 0 .. J - 1) {
                if
                :: IN(call[MAIN].found, j_) ->
                    DROP(ME.runs, j_); DROP(ME.holds, j_); DROP(ME.again, j_)
                :: IN(call[MAIN].set & ~call[MAIN].found, j_) ->
                    ME.under[j_] = ME.tag;
                    if
                    :: IN(ME.again, j_) && !IN(ME.pending, j_) ->
                        DROP(ME.again, j_); start(j_)
                    :: else
                    fi
                :: else
                fi
            }
            j_ = 0;
            wipe(MAIN)
        }
    :: else
    fi;

    do /* tags that earlier processes of this slot left */
    :: atomic { ME.orphans != 0 && !draining ->
        tag = 0;
        do
        :: IN(ME.orphans, tag) -> break
        :: else -> tag++
        od
       };
       take_back(tag);
       atomic { DROP(ME.orphans, tag); tag = 0 }
    :: else -> break
    od;

ready_:
    do
    :: ALL_ENDED -> break

    /* a job ends */
    :: atomic { IN(ME.runs, 0) -> finish(0) }
#if J > 1
    :: atomic { IN(ME.runs, 1) -> finish(1) }
#endif

    /* verdicts */
    :: atomic { call[MAIN].st == 0 && ACK_SET != 0 ->
        jobs = ACK_SET;
        begin(MAIN, ACK, ME.tag, jobs);
        ME.in_flight = ME.in_flight | jobs; jobs = 0 }
    :: atomic { call[MAIN].st == 0 && OTHER_VERDICT(0) ->
        begin(MAIN, ME.verdict[0], ME.tag, 1); ADD(ME.in_flight, 0) }
#if J > 1
    :: atomic { call[MAIN].st == 0 && OTHER_VERDICT(1) ->
        begin(MAIN, ME.verdict[1], ME.tag, 2); ADD(ME.in_flight, 1) }
#endif

    /* reserve: at once with the acks, or on the other connection when something comes */
    :: atomic { !draining && call[MAIN].st == 0 && call[WAIT].st == 0 && SOME_DUE ->
        jobs = ACK_SET;
        begin(MAIN, RESERVE, ME.tag, jobs);
#if defined(TWINS) && !defined(NOT_NAMED)
        call[MAIN].named = ME.in_flight | jobs;
#endif
        ME.in_flight = ME.in_flight | jobs; jobs = 0 }
#ifdef OVERLAP
    :: atomic { !draining && call[MAIN].st != 0 && call[MAIN].op == RESERVE &&
                call[NEXT].st == 0 && call[WAIT].st == 0 && SOME_DUE ->
        jobs = ACK_SET;
        begin(NEXT, RESERVE, ME.tag, jobs);
#ifdef NEXT_NAMES_ITS_OWN
        call[NEXT].named = jobs;
#elif defined(TWINS) && !defined(NOT_NAMED)
        call[NEXT].named = ME.in_flight | jobs;
#endif
        ME.in_flight = ME.in_flight | jobs; jobs = 0 }
#endif
    :: atomic { !draining && call[WAIT].st == 0 && call[MAIN].op != RESERVE && MAY_WAIT ->
        begin(WAIT, RESERVE, ME.tag, 0) }

    /* answers */
    :: atomic { call[MAIN].st == 2 ->
        settled(MAIN);
        tag = call[MAIN].found;
        if
        :: call[MAIN].op == RESERVE && tag > 0 && tag != CLOSED ->
#ifdef POP_BEFORE_LEASE
            ME.text[tag - 1] = call[MAIN].text[tag - 1];
            wipe(MAIN);
            jobs = 1 << (tag - 1);
            begin(MAIN, LEASE, ME.tag, jobs);
            jobs = 0;
            ME.under[tag - 1] = ME.tag
#else
            arrived(tag - 1, call[MAIN].text[tag - 1], call[MAIN].tag); wipe(MAIN)
#endif
        :: call[MAIN].op == LEASE ->
            tag = (call[MAIN].set == 2 -> 1 : 0);
            wipe(MAIN); start(tag)
        :: else -> wipe(MAIN)
        fi;
#ifdef OVERLAP
        if
        :: call[NEXT].st != 0 -> move_next()
        :: else
        fi;
#endif
        tag = 0 }
    :: atomic { call[WAIT].st == 2 && call[MAIN].op != LEASE ->
        tag = call[WAIT].found;
        if
        :: tag > 0 && tag != CLOSED ->
#ifdef POP_BEFORE_LEASE
            call[MAIN].st == 0;
            ME.text[tag - 1] = call[WAIT].text[tag - 1];
            wipe(WAIT);
            jobs = 1 << (tag - 1);
            begin(MAIN, LEASE, ME.tag, jobs);
            jobs = 0;
            ME.under[tag - 1] = ME.tag
#else
            arrived(tag - 1, call[WAIT].text[tag - 1], call[WAIT].tag); wipe(WAIT)
#endif
        :: else -> wipe(WAIT)
        fi;
        tag = 0 }

    /* a shut gate, a lease that is late, a lease regained behind a verdict */
    :: atomic { !draining && call[MAIN].st == 0 && !IN(open, ME.tag) -> goto own }
    :: atomic { call[MAIN].st == 0 && (ME.again & ~ME.pending) != 0 -> goto extend }
    :: atomic { call[MAIN].st == 0 && IN(ME.runs, 0) && owner[0] == ME.under[0] && run_out[0] ->
        goto extend }
#if J > 1
    :: atomic { call[MAIN].st == 0 && IN(ME.runs, 1) && owner[1] == ME.under[1] && run_out[1] ->
        goto extend }
#endif

    /* somebody is dead, or seems to be */
#ifndef NO_TAKE_OVER
    :: atomic { !draining && call[MAIN].st == 0 && ME.orphans == 0 && SOMEBODY_DEAD ->
        tag = 1;
        do
        :: IS_DEAD(tag) -> break
        :: else -> tag++
        od };
        take_back(tag);
        tag = 0
    :: atomic { !draining && call[MAIN].st == 0 && ME.orphans == 0 && MAY_JUDGE &&
                worker[1 - w].tag != 0 ->
        silences--;
        tag = worker[1 - w].tag };
        take_back(tag);
        tag = 0
#endif

#ifdef DRAIN
    :: atomic { w == 0 && !drained && call[MAIN].st == 0 ->
        drained = true; draining = true;
        begin(MAIN, SHUT, ME.tag, 0) }
    :: atomic { draining && call[MAIN].st == 0 && call[WAIT].st == 0 && ME.pending == 0 &&
                ME.runs == 0 && ME.again == 0 ->
        begin(MAIN, LEAVE, ME.tag, 0) };
        answer();
        atomic { wipe(MAIN); ME.tag = 0; draining = false; link = 0 };
        goto own
#endif

    :: atomic { CUTS && MAY_BE_STRUCK -> faults--; goto lost }
    :: atomic { CRASHES && MAY_BE_STRUCK -> faults--; goto crash }
    od;

gone:
    skip
}

/* ---- PHP: Laravel's RedisQueue. Its lease is nobody's, its word is never checked ---- */

proctype Php()
{
    do
    :: ALL_ENDED -> break
    :: atomic { SOME_DUE ->
        run_reclaim();
        if
        :: ready[0] > 0 -> j_ = 0
#if J > 1
        :: ready[1] > 0 -> j_ = 1
#endif
        fi;
        php_job = j_; php_runs = true; php_holds = true;
        ready[php_job]--; owner[php_job] = PHP_TAG; run_out[php_job] = false;
        if
        :: bytes[php_job] < TRIES + 1 -> bytes[php_job]++
        :: else
        fi;
        php_bytes = bytes[php_job];
        check() };
        atomic {
            if
            :: php_bytes <= TRIES -> /* delete: ZREM of the bytes, whoever holds them */
                if
                :: owner[php_job] != 0 && bytes[php_job] == php_bytes ->
                    end_lease(php_job);
                    owner[php_job] = 0; done[php_job]++
                :: else
                fi
            :: php_bytes < TRIES -> /* release: ZREM, and ZADD whatever that said */
                end_lease(php_job);
                if
                :: owner[php_job] != 0 && bytes[php_job] == php_bytes -> owner[php_job] = 0
                :: else -> doubled[php_job] = true
                fi;
                delayed[php_job]++
            :: php_bytes >= TRIES -> /* fail: ZREM, and the record whatever that said */
                end_lease(php_job);
                if
                :: owner[php_job] != 0 && bytes[php_job] == php_bytes -> owner[php_job] = 0
                :: else -> doubled[php_job] = true
                fi;
                failed[php_job]++
            :: CRASHES && faults > 0 -> faults--; php_runs = false; goto gone
            fi;
            php_runs = false; php_job = 0; php_bytes = 0; php_holds = false;
            j_ = 0;
            check()
        }
    od;
gone:
    skip
}

/* Leases run out: of the dead at some time, of the living as often as it is said. */
#define MAY_END(j)                                                                       \
    (owner[j] != 0 && !run_out[j] &&                                                     \
     (expiries > 0 || (LEASES_END && !LIVES(owner[j]) && !(owner[j] == PHP_TAG && php_runs))))

inline let_run_out(j)
{
    if
    :: LEASES_END && !LIVES(owner[j]) && !(owner[j] == PHP_TAG && php_runs)
    :: else -> expiries--
    fi;
    run_out[j] = true;
    end_lease(j)
}

active proctype Time()
{
end:
    do
    :: atomic { MAY_END(0) -> let_run_out(0) }
#if J > 1
    :: atomic { MAY_END(1) -> let_run_out(1) }
#endif
    od
}

init
{
    atomic {
        for (j_ : 0 .. J - 1) {
            ready[j_] = 1
        }
        j_ = 0;
        run Drover(0);
#ifndef ALONE
        run Drover(1);
#endif
#ifdef PHP
        run Php()
#endif
    }
}
