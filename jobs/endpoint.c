/* Window and breaker of an endpoint. Must not know what an endpoint is, nor of clocks. */
#include "jobs/endpoint.h"

enum { AVERAGE_OF = 8 };

void endpoint_init(struct endpoint *endpoint)
{
    *endpoint = (struct endpoint){.window = ENDPOINT_WINDOW_FIRST};
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t limit_of(const struct endpoint *endpoint,
                        const struct endpoint_rules *rules)
{
    if (rules->max_in_flight > 0)
        return smaller(endpoint->window, rules->max_in_flight);
    return endpoint->window;
}

/* Rounds of requests until it is the turn of the last who was turned away. Who comes back
 * too early only costs another way through the queue, so long waits are no promise. */
static int64_t full_wait_ms(const struct endpoint *endpoint,
                            const struct endpoint_rules *rules, int64_t now_ms)
{
    int64_t rounds = 1 + endpoint->turned_away / limit_of(endpoint, rules);
    int64_t silent_ms = now_ms - endpoint->silent_since_ms;
    int64_t round_ms =
        larger(larger(endpoint->took_ms, silent_ms), ENDPOINT_FULL_WAIT_MIN_MS);

    if (rounds > ENDPOINT_FULL_WAIT_MAX_MS / round_ms)
        return ENDPOINT_FULL_WAIT_MAX_MS;
    return rounds * round_ms;
}

enum endpoint_pass endpoint_admit(struct endpoint *endpoint,
                                  const struct endpoint_rules *rules, int64_t now_ms,
                                  int64_t *wait_ms)
{
    enum endpoint_pass pass = ENDPOINT_GO;

    *wait_ms = 0;
    if (endpoint->open_ms > 0) {
        if (endpoint->probing || now_ms < endpoint->open_until_ms) {
            *wait_ms = endpoint->probing ? ENDPOINT_OPEN_FIRST_MS
                                         : endpoint->open_until_ms - now_ms;
            return ENDPOINT_OPEN;
        }
        endpoint->probing = true;
        pass = ENDPOINT_PROBE;
    } else if (endpoint->in_flight >= limit_of(endpoint, rules)) {
        endpoint->turned_away++;
        *wait_ms = full_wait_ms(endpoint, rules, now_ms);
        return ENDPOINT_FULL;
    }
    if (endpoint->in_flight++ == 0)
        endpoint->silent_since_ms = now_ms;
    if (endpoint->turned_away > 0)
        endpoint->turned_away--;
    return pass;
}

static void open_breaker(struct endpoint *endpoint, int64_t now_ms)
{
    endpoint->open_ms = endpoint->open_ms == 0
                            ? ENDPOINT_OPEN_FIRST_MS
                            : smaller(2 * endpoint->open_ms, ENDPOINT_OPEN_MAX_MS);
    endpoint->open_until_ms = now_ms + endpoint->open_ms;
}

static void settle_answer(struct endpoint *endpoint)
{
    endpoint->failures = 0;
    endpoint->open_ms = 0;
    endpoint->window = smaller(endpoint->window + 1, ENDPOINT_WINDOW_MAX);
}

static void settle_trouble(struct endpoint *endpoint, const struct endpoint_rules *rules,
                           bool probe, int64_t now_ms)
{
    if (endpoint->open_ms > 0 && !probe)
        return;
    endpoint->failures++;
    if (endpoint->window > 1)
        endpoint->window /= 2;
    if (rules->breaker_failures > 0 && endpoint->failures >= rules->breaker_failures)
        open_breaker(endpoint, now_ms);
}

void endpoint_settle(struct endpoint *endpoint, const struct endpoint_rules *rules,
                     enum endpoint_pass pass, enum endpoint_result result,
                     int64_t took_ms, int64_t now_ms)
{
    bool probe = pass == ENDPOINT_PROBE;

    endpoint->silent_since_ms = now_ms;
    if (--endpoint->in_flight == 0)
        endpoint->turned_away = 0;
    if (result != ENDPOINT_UNKNOWN)
        endpoint->took_ms += (took_ms - endpoint->took_ms) / AVERAGE_OF;
    if (probe)
        endpoint->probing = false;
    if (result == ENDPOINT_ANSWERED)
        settle_answer(endpoint);
    else if (result == ENDPOINT_TROUBLE)
        settle_trouble(endpoint, rules, probe, now_ms);
}

bool endpoint_is_idle(const struct endpoint *endpoint)
{
    return endpoint->in_flight == 0 && endpoint->failures == 0 && endpoint->open_ms == 0;
}
