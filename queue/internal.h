/* What the files behind queue.h share: the state of a queue, and who does what with it.
 *
 *   link.c     connecting, outages, when to try again
 *   resume.c   from "connected" to "ready": nothing is reserved before it is through
 *   owner.c    tag, gate, heartbeat, drain, leave
 *   take_back.c  giving back what a tag holds: dead workers', and our own unknown
 *   reserve.c  the reserve script and its answer; reply.c reads the answer
 *   arrive.c   from reserved to handed over: crash counts, regained leases
 *   wait.c     the second connection: BRPOP and the reserve behind it
 *   pause.c    queues that nothing is taken from for now
 *   extend.c   keeping leases
 *   settle.c   verdicts; verdict.c spells their calls, acks.c those of acks
 *   outbox.c   failed records on their way to PostgreSQL
 *   notes.c    how earlier attempts ended, until the job is done or fails
 *   hint.c     where Laravel may have its queues
 *   inspect.c  what Redis is set to, and whether our own keys are well
 *   queue.c    create, destroy, want, and the pump that decides what is sent next
 *
 * Everything runs on the worker's loop. A reply's callback that finds NULL (the link is
 * lost) only frees what it owns; link_lost() then puts the state right, once.
 */
#ifndef QUEUE_INTERNAL_H
#define QUEUE_INTERNAL_H

#include <hiredis/hiredis.h>

#include "queue/call.h"
#include "queue/conn.h"
#include "queue/keys.h"
#include "queue/leases.h"
#include "queue/peers.h"
#include "queue/queue.h"
#include "queue/vitals.h"

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_RESUMING, LINK_READY };
enum drain_state { DRAIN_NONE, DRAIN_ASKED, DRAIN_DONE };

/* Durations that are nobody's setting; tests change them. */
struct queue_pace {
    int64_t beat_ms;
    int64_t dead_after_ms; /* a heartbeat that stands still for so long is a dead one's */
    int64_t dead_jitter_ms; /* and up to so much longer, so that not all rush at once */
    int64_t connect_ms;
    int64_t answer_ms;
    int64_t retry_min_ms;
    int64_t retry_max_ms;
    int64_t stable_ms;      /* a link that held so long ends a row of retries */
    int64_t quiet_start_ms; /* an embedded server may take so long to appear */
    int64_t auth_remind_ms; /* a refused password is said again so often, and so is the
                               reason of a link that comes and goes */
    int64_t news_ms;        /* between two reasons that are said of one outage */
    int64_t inspect_ms;     /* between two looks at what Redis is set to */
    int64_t hold_ms;        /* until what could not be recorded is tried again */
    int64_t brpop_early_ms; /* Redis looks at timeouts ten times a second: up to 100 ms
                               late */
};

struct pool_queue {
    const char *name; /* borrowed from the pool */
    struct queue_keys keys;
    char *problem;           /* NULL: healthy; as the last reserve told */
    bool bad;                /* ready, delayed or reserved is not what it must be */
    bool bad_notify;         /* not in the BRPOP */
    int64_t yields_until_ms; /* monotonic; nor until then, see queue_yield() */
    bool paused;             /* in Redis, for every drover on it */
    bool held;               /* by the worker's word, see queue_hold() */
};

enum { YIELD_MS = 60000, SETTLE_YIELDS = -1 };

enum { WAIT_TURNS_MAX = 4 }; /* of the loop, that a reserve waits for more slots */

enum settle_kind { SETTLE_ACK, SETTLE_RELEASE, SETTLE_FAIL, SETTLE_GIVE_BACK };

/* A verdict until Redis has answered it. */
struct settle {
    TAILQ_ENTRY(settle) next;
    enum settle_kind kind;
    struct lease *lease;
    struct lease *again; /* same bytes, reserved while this was in flight; in the table */
    char *bytes;         /* RELEASE: the payload to come back */
    size_t bytes_len;
    int64_t due_ms;             /* RELEASE: monotonic, or SETTLE_YIELDS */
    char *note;                 /* RELEASE: a line for the record; NULL: none */
    struct fail_record *record; /* FAIL: owned, with all it points to */
    bool in_flight;
    unsigned sent_ct;
    uint64_t ride;         /* ACK: the acks it was last sent with */
    bool held;             /* FAIL: the store did not take it; its lease is extended */
    int64_t not_before_ms; /* held: monotonic */
};
TAILQ_HEAD(settle_list, settle);

/* Acks that are sent together, in the order in which their places are answered. */
struct acks {
    struct queue *queue;
    uint64_t ride; /* a number of their own */
    size_t ct;
    struct settle *items[];
};

struct take_back;

/* Rights a user of Redis may lack without stopping the work. */
enum inspect_right { RIGHT_INFO, RIGHT_TYPE, RIGHT_CLIENT, RIGHT_BRPOP };
enum { OWN_TYPED_CT = 10 }; /* own keys of a type that can be looked at */

struct queue {
    struct queue_options options;
    struct queue_events events;
    struct queue_pace pace;
    struct loop *loop;
    struct board *board;
    struct own_keys own;
    struct pool_queue *queues;
    unsigned queue_ct;

    struct conn *main, *wait;
    char name[64];      /* what CLIENT LIST shows of us, unique */
    int64_t old_ids[2]; /* connections of before that may not be dead yet */
    enum link_state link;
    struct timer retry;
    struct timer wait_retry;
    unsigned attempt;
    int64_t created_at_ms, up_at_ms, down_at_ms;
    int64_t warned_at_ms; /* of this outage, 0: not yet */
    bool was_up;
    char *said; /* reason of the last outage that was said; NULL: none */
    int64_t said_at_ms;

    bool some_crashed; /* drover:crashes had something in it at the last look */
    uint32_t tag;      /* 0: none */
    struct timer beat;
    bool beating; /* a beat is unanswered */
    struct peers peers;
    struct take_back *take_back; /* the one under way */
    bool fatal;

    unsigned want;          /* the worker's free slots */
    unsigned arriving;      /* leases reserved and not handed over */
    unsigned questions;     /* about crashes, without whose answers batches wait */
    uint64_t batch;         /* number of the last batch that arrived */
    unsigned chunk;         /* slots a reserve asks for at most */
    unsigned enough;        /* slots for which no others are waited for */
    unsigned waited_turns;  /* for slots that are about to be free */
    unsigned reserves_open; /* reserves on the main connection that are unanswered */
    unsigned asked;         /* slots they ask for, and the one behind a BRPOP */
    size_t usual_bytes;     /* of a payload, the biggest of late; 0: not known yet */
    uint64_t backlog;       /* ready jobs that the last answer left */
    bool waiting;           /* the wait is unanswered */
    bool reserve_waits;     /* waiting: a reserve stands behind the BRPOP */
    bool hushing;           /* on_quiet() is owed */
    bool look;              /* something may be ready: reserve rather than wait */
    int64_t next_due_ms;    /* from now on, as the last reserve told; -1: nothing */
    struct timer pump;
    struct timer due;

    struct leases leases;
    struct timer extend;
    uint64_t extend_id;
    unsigned extends_open;                 /* extend calls unanswered */
    void (*extended)(struct queue *queue); /* when they are; may be NULL */

    struct settle_list settles;
    uint64_t rides; /* the last number of acks that were sent together */
    bool settled_told;
    unsigned held_ct; /* settles that are held, and what they keep in memory */
    size_t held_bytes;
    struct timer held;
    bool held_said; /* that failed jobs cannot be recorded */

    struct timer inspect;
    struct vitals vitals;         /* as last told */
    bool own_wrong[OWN_TYPED_CT]; /* told to be of a wrong type */
    bool doubt_keys;              /* a wrong type ended the link: look before resuming */
    unsigned refused;             /* 1 << enum inspect_right: on this link */
    unsigned refused_said;        /* ever */

    enum drain_state drain;
    unsigned drain_open;        /* replies that the drain still needs */
    bool gate_sent, leave_sent; /* on this link */
    struct timer leave;
    void (*left)(void *arg);
    void *left_arg;
    bool leaving;
};

/* link.c */
void link_start(struct queue *queue);
void link_stop(struct queue *queue);
void link_lost(struct queue *queue, const struct err *why);
void link_ready(struct queue *queue);
/* False where there is no reply, or an error, which then ends the link. */
bool link_took(struct queue *queue, const char *verb, const redisReply *reply);
/* As link_took(), but an error that is no outage is as good as an answer: for what jobs
 * do not depend on. */
bool link_took_or_nil(struct queue *queue, const char *verb, const redisReply *reply);
bool link_may_send(const struct queue *queue); /* the main connection is up */
bool link_is_outage(const char *error); /* an error that says nothing about the call */
int64_t link_retry_ms(const struct queue_pace *pace, unsigned attempt);

/* resume.c */
void resume_start(struct queue *queue);
void resume_owner(struct queue *queue); /* the gate was found shut: a new tag */
/* Gives back what the supervisor has put on the board meanwhile: tags of dead siblings.
 * False: there is nothing to do. */
bool resume_adopted(struct queue *queue);

/* owner.c */
void owner_open(struct queue *queue, void (*opened)(struct queue *queue));
void owner_check(struct queue *queue, void (*checked)(struct queue *queue, bool open));
void owner_start_beat(struct queue *queue);
void owner_beat(void *arg);
void owner_shut_gate(struct queue *queue); /* SREM, answered or not */
void owner_drain(struct queue *queue);     /* goes on with a drain that was asked for */
void owner_leave(struct queue *queue);
void owner_link_lost(struct queue *queue);

/* take_back.c */
struct take_back_options {
    uint32_t tag;
    const char *note; /* how the tag's worker ended; NULL: it is our own tag */
    bool judged;      /* dead by its heartbeat alone, which stood still at `beat` */
    int64_t beat;
    void (*done)(struct queue *queue, uint32_t tag,
                 bool taken); /* not if the link goes */
};
void take_back_start(struct queue *queue, const struct take_back_options *options);

/* reserve.c */
void reserve_send(struct queue *queue, struct conn *conn, unsigned slots,
                  int64_t within_ms);

/* arrive.c */
void arrive_job(struct queue *queue, unsigned index, struct slice bytes, uint32_t tag,
                int64_t now_ms);
/* The batch is complete; `ask` Redis for its crashes before handing it over. */
void arrive_finish(struct queue *queue, uint64_t batch, bool ask);
void arrive_held(struct queue *queue, struct lease *lease); /* may be handed over now */
/* What came and is not wanted any more goes back to its queue, once nothing can come that
 * was reserved after it. */
void arrive_return(struct queue *queue);
void arrive_drop(struct queue *queue, struct lease *lease);
void arrive_link_lost(struct queue *queue);

/* wait.c */
void wait_start(struct queue *queue);
void wait_nudge(struct queue *queue); /* CLIENT UNBLOCK */
void wait_due(void *arg);

/* pause.c */
void pause_took(struct queue *queue, const redisReply *places); /* as beat.lua answers */
bool pause_is_on(const struct pool_queue *queue);
/* The queue's name as a reserve is told it: "" where nothing is to be taken. */
const char *pause_name(const struct pool_queue *queue);

/* extend.c */
void extend_all(struct queue *queue, void (*done)(struct queue *queue));
void extend_tick(void *arg);
void extend_link_lost(struct queue *queue);
void extend_keep_going(struct queue *queue); /* sets the timer while there are leases */

/* settle.c */
void settle_send_all(struct queue *queue, bool ride); /* ride: leave acks to a reserve */
struct settle *settle_find(const struct queue *queue, const struct lease_key *key);
bool settle_brings_back(const struct queue *queue); /* a job, and is not answered */
void settle_forget(struct queue *queue, struct settle *settle);
void settle_done(struct queue *queue, struct settle *settle, bool ours);
void settle_tell(struct queue *queue); /* on_settled(), if that is news */
void settle_link_lost(struct queue *queue);
void settle_free_all(struct queue *queue);
void settle_give_back(struct queue *queue, struct lease *lease);
/* The store did not take a FAIL: it is tried again later, and its lease kept meanwhile.
 * While draining it goes back to its queue instead. */
void settle_hold(struct queue *queue, struct settle *settle, const char *reason);
void settle_let_go(struct queue *queue); /* a drain begins: nothing is held any more */
bool settle_holds_too_much(const struct queue *queue);
void settle_held_due(void *arg);
/* "" where nothing can have been counted, as far as is known. */
const char *settle_crash_key(const struct queue *queue, const struct lease *lease,
                             char *key);

bool settle_may_be_counted(const struct queue *queue, const struct lease *lease);

/* acks.c */
/* Those that are due in queues from..end - 1; they count as sent. */
struct acks *acks_take(struct queue *queue, unsigned from, unsigned end) MUSTCHECK;
void acks_put_back(struct acks *acks); /* as if they had not been taken; frees */
void acks_done(struct acks *acks, const struct redisReply *lost); /* frees */
size_t acks_group_ct(const struct acks *acks);
enum acks_form { ACKS_OF_ONE_QUEUE, ACKS_WITH_QUEUES };
void acks_spell(struct call *call, const struct acks *acks, enum acks_form form);

/* verdict.c */
void verdict_send(struct queue *queue, struct settle *settle);
struct fail_record *verdict_copy_record(const struct fail_record *record) MUSTCHECK;
void verdict_free_record(struct fail_record *record);

/* outbox.c */
const char *outbox_index(const struct queue *queue); /* where failed records go */
const char *outbox_other_index(const struct queue *queue);
void outbox_counted(struct queue *queue, int64_t ct);

/* inspect.c */
void inspect_tick(void *arg);
void inspect_own_keys(struct queue *queue);
/* Says once what the user lacks. */
void inspect_refused(struct queue *queue, enum inspect_right right);
bool inspect_is_refusal(const redisReply *reply);

/* hint.c */
void hint_prefix(struct queue *queue);

/* notes.c */
/* Where a job's notes are; NULL: it has no uuid, so none are kept. Caller frees. */
char *notes_key(const struct queue *queue, const struct lease *lease) MUSTCHECK;
void notes_drop(struct queue *queue, const struct lease *lease); /* sent, not awaited */

/* queue.c */
void queue_pump_soon(struct queue *queue);
/* Slots that the next reserve may ask for: free, and nothing is on its way to them. */
unsigned queue_free_slots(const struct queue *queue);

#endif
