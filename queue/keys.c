/* Spelling the keys. */
#include "queue/keys.h"

#include <stdlib.h>
#include <string.h>

void queue_keys_init(struct queue_keys *keys, const char *prefix, const char *queue)
{
    keys->ready = must_format("%squeues:%s", prefix, queue);
    keys->delayed = must_format("%squeues:%s:delayed", prefix, queue);
    keys->reserved = must_format("%squeues:%s:reserved", prefix, queue);
    keys->notify = must_format("%squeues:%s:notify", prefix, queue);
}

void queue_keys_free(struct queue_keys *keys)
{
    free(keys->ready);
    free(keys->delayed);
    free(keys->reserved);
    free(keys->notify);
}

struct slice queue_keys_name(struct slice rest)
{
    static const char *const kinds[] = {":delayed", ":reserved", ":notify"};

    for (size_t i = 0; i < ARRAY_CT(kinds); i++) {
        size_t len = strlen(kinds[i]);

        if (rest.len > len && memcmp(rest.ptr + rest.len - len, kinds[i], len) == 0)
            return slice_of(rest.ptr, rest.len - len);
    }
    return rest;
}

void own_keys_init(struct own_keys *keys, const char *prefix)
{
    keys->version = must_format("%sdrover:version", prefix);
    keys->tag = must_format("%sdrover:tag", prefix);
    keys->open = must_format("%sdrover:open", prefix);
    keys->beats = must_format("%sdrover:beats", prefix);
    keys->owners = must_format("%sdrover:owners", prefix);
    keys->crashes = must_format("%sdrover:crashes", prefix);
    keys->twins = must_format("%sdrover:twins", prefix);
    keys->failed = must_format("%sdrover:failed", prefix);
    keys->outbox = must_format("%sdrover:outbox", prefix);
    keys->paused = must_format("%sdrover:paused", prefix);
    keys->notes = must_format("%sdrover:notes:", prefix);
    keys->failed_record = must_format("%sdrover:failed:", prefix);
    keys->import = must_format("%sdrover:import:", prefix);
}

void own_keys_free(struct own_keys *keys)
{
    free(keys->version);
    free(keys->tag);
    free(keys->open);
    free(keys->beats);
    free(keys->owners);
    free(keys->crashes);
    free(keys->twins);
    free(keys->failed);
    free(keys->outbox);
    free(keys->paused);
    free(keys->notes);
    free(keys->failed_record);
    free(keys->import);
}
