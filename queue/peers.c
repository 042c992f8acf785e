/* Judging heartbeats. An unordered array; a hash is answered in the same order each time,
 * so a search that starts behind the last hit mostly ends at once. */
#include "queue/peers.h"

#include <stdlib.h>

#include "base/must.h"

enum { PEERS_MAX = 100000 };

static struct peer *find_peer(struct peers *peers, uint32_t tag)
{
    for (size_t i = 0; i < peers->ct; i++) {
        size_t at = (peers->next + i) % peers->ct;

        if (peers->items[at].tag == tag) {
            peers->next = at + 1;
            return &peers->items[at];
        }
    }
    return NULL;
}

void peers_begin(struct peers *peers, int64_t now_ms, int64_t most_ms, int64_t *passed_ms)
{
    int64_t passed = peers->read_at_ms ? now_ms - peers->read_at_ms : 0;

    *passed_ms = passed < most_ms ? passed : most_ms;
    peers->read_at_ms = now_ms;
    for (size_t i = 0; i < peers->ct; i++)
        peers->items[i].seen = false;
}

void peers_note(struct peers *peers, uint32_t tag, int64_t beat, int64_t passed_ms,
                int64_t excuse_ms)
{
    struct peer *peer = find_peer(peers, tag);

    if (peer == NULL) {
        if (peers->ct >= PEERS_MAX)
            return;
        peers->items = must_realloc(peers->items, peers->ct + 1, sizeof(*peers->items));
        peer = &peers->items[peers->ct++];
        *peer = (struct peer){.tag = tag, .beat = beat, .excuse_ms = excuse_ms};
    } else if (peer->beat == beat) {
        peer->still_ms += passed_ms;
    } else {
        peer->beat = beat;
        peer->still_ms = 0;
    }
    peer->seen = true;
}

void peers_end(struct peers *peers)
{
    size_t kept = 0;

    for (size_t i = 0; i < peers->ct; i++)
        if (peers->items[i].seen)
            peers->items[kept++] = peers->items[i];
    peers->ct = kept;
    if (kept == 0)
        peers_free(peers);
}

const struct peer *peers_dead(const struct peers *peers, int64_t dead_after_ms)
{
    for (size_t i = 0; i < peers->ct; i++)
        if (peers->items[i].still_ms >= dead_after_ms + peers->items[i].excuse_ms)
            return &peers->items[i];
    return NULL;
}

void peers_forget(struct peers *peers, uint32_t tag)
{
    struct peer *peer = find_peer(peers, tag);

    if (peer)
        *peer = peers->items[--peers->ct];
}

void peers_free(struct peers *peers)
{
    free(peers->items);
    peers->items = NULL;
    peers->ct = 0;
}
