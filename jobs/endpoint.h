/* How much is sent to one endpoint, going by what came back: a window on the requests in
 * flight, and a circuit breaker. Pure: time is an input.
 *
 * The window begins small, grows by one with every answer and halves with every trouble,
 * so that an endpoint nobody has heard of, or that hangs, holds few of a worker's slots.
 * Who finds it full is told to wait for about as long as those before it will take. The
 * breaker opens after so many troubles in a row; then one request at a time probes,
 * after 1 s at first, twice as long after each probe in vain, 5 minutes at most.
 */
#ifndef JOBS_ENDPOINT_H
#define JOBS_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ENDPOINT_WINDOW_FIRST = 8,
    ENDPOINT_WINDOW_MAX = 1 << 16,
    ENDPOINT_FULL_WAIT_MIN_MS = 100, /* until a look at a full window pays again */
    ENDPOINT_FULL_WAIT_MAX_MS = 60 * 1000,
    ENDPOINT_OPEN_FIRST_MS = 1000,
    ENDPOINT_OPEN_MAX_MS = 5 * 60 * 1000
};

struct endpoint_rules {
    int64_t max_in_flight;    /* 0: the window alone */
    int64_t breaker_failures; /* troubles in a row that open the breaker; 0: none do */
};

struct endpoint {
    int64_t in_flight;
    int64_t window;
    int64_t took_ms;         /* how long requests take, a moving average */
    int64_t silent_since_ms; /* monotonic: the last end, or the first start after none */
    int64_t turned_away;     /* since as many were let go */
    int64_t failures;        /* troubles since the last answer */
    int64_t open_ms;         /* how long the breaker is open this time; 0: it is closed */
    int64_t open_until_ms;   /* monotonic; when a probe may go */
    bool probing;            /* a probe is on its way */
};

enum endpoint_pass {
    ENDPOINT_GO,
    ENDPOINT_PROBE, /* go, as the one probe */
    ENDPOINT_FULL,  /* as many as it takes are in flight */
    ENDPOINT_OPEN   /* the breaker is open */
};

enum endpoint_result {
    ENDPOINT_ANSWERED,
    ENDPOINT_TROUBLE, /* no answer, or one that says that the endpoint is not well */
    ENDPOINT_UNKNOWN  /* ended by us: says nothing */
};

void endpoint_init(struct endpoint *endpoint);

/* Whether one more request may go now; GO and PROBE count it as in flight. Otherwise
 * `*wait_ms` says after how long to ask again. */
enum endpoint_pass endpoint_admit(struct endpoint *endpoint,
                                  const struct endpoint_rules *rules, int64_t now_ms,
                                  int64_t *wait_ms);

/* A request that endpoint_admit() let go as `pass` has ended after `took_ms`. Troubles of
 * requests that were on their way when the breaker opened change nothing more. */
void endpoint_settle(struct endpoint *endpoint, const struct endpoint_rules *rules,
                     enum endpoint_pass pass, enum endpoint_result result,
                     int64_t took_ms, int64_t now_ms);

/* Nothing is known of it that would be missed. */
bool endpoint_is_idle(const struct endpoint *endpoint);

#endif
