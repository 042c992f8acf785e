/* Which of the other workers are dead: those whose heartbeat stands still. Pure: time is
 * an input.
 *
 * Time counts against a peer only while Redis answers us: after a stall of Redis all
 * hearts have stood still, of the living too.
 */
#ifndef QUEUE_PEERS_H
#define QUEUE_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer {
    uint32_t tag;
    int64_t beat;
    int64_t still_ms;  /* seen unchanged for so long */
    int64_t excuse_ms; /* how much longer than dead_after_ms this observer waits */
    bool seen;         /* in the answer being read */
};

struct peers {
    struct peer *items;
    size_t ct;
    size_t next;        /* where the search for the next peer starts */
    int64_t read_at_ms; /* monotonic, of the last answer; 0: none */
};

/* An answer: begin, note each (tag, counter), end. Between two answers at most `most_ms`
 * count as time in which Redis answered. `excuse_ms` is for peers not seen before. */
void peers_begin(struct peers *peers, int64_t now_ms, int64_t most_ms,
                 int64_t *passed_ms);
void peers_note(struct peers *peers, uint32_t tag, int64_t beat, int64_t passed_ms,
                int64_t excuse_ms);
void peers_end(struct peers *peers); /* forgets those that were not noted */

/* A peer that stood still for dead_after_ms and its excuse, borrowed; NULL: none. */
const struct peer *peers_dead(const struct peers *peers, int64_t dead_after_ms);

void peers_forget(struct peers *peers, uint32_t tag);
void peers_free(struct peers *peers);

#endif
