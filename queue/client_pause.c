/* The set of paused queues, written and read. */
#include "queue/client_pause.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/client_io.h"
#include "queue/reply.h"

enum { MS_PER_S = 1000 };

int client_pause(struct client *client, enum client_pausing what,
                 const char *const *names, size_t ct, bool *changed, struct err *err)
{
    struct script_call call = {0};
    redisReply *reply;
    int rc = 0;

    MUST(ct <= CLIENT_PAUSE_MAX);
    script_call_begin(&call, "pause");
    script_call_key(&call, client->own.paused);
    script_call_arg(&call, slice_text(what == CLIENT_PAUSE ? "pause" : "resume"));
    for (size_t i = 0; i < ct; i++)
        script_call_arg(&call, slice_text(names[i]));
    reply = client_script(client, &call, err);
    if (reply == NULL)
        return -1;
    if (!reply_is_places(reply))
        rc = client_odd_reply(client, "pause", err);
    for (size_t i = 0; rc == 0 && changed && i < ct; i++)
        changed[i] = reply_has_place(reply, i + 1);
    freeReplyObject(reply);
    return rc;
}

static void take_names(struct client_paused *paused, const redisReply *reply)
{
    paused->queues = must_alloc((reply->elements / 2 + 1) * sizeof(*paused->queues));
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        double since_s = strtod(reply->element[i + 1]->str, NULL);

        paused->queues[paused->ct].name = must_strdup(reply->element[i]->str);
        paused->queues[paused->ct++].since_ms =
            since_s > 0 && since_s < 1e11 ? (int64_t)(since_s * MS_PER_S) : 1;
    }
}

int client_paused_read(struct client *client, struct client_paused *paused,
                       struct err *err)
{
    char last[16];
    const char *const words[] = {"ZRANGE", client->own.paused, "0", last, "WITHSCORES"};
    struct err why = {0};
    redisReply *reply;
    int rc = 0;

    *paused = (struct client_paused){.queues = NULL};
    (void)snprintf(last, sizeof(last), "%d", CLIENT_PAUSED_MAX - 1);
    reply = client_ask(client, words, ARRAY_CT(words), &why);
    if (reply == NULL) {
        paused->unknown = client_is_wrong_type(&why);
        return paused->unknown ? 0 : err_set(err, why.code, "%s", why.text);
    }
    if (client_is_texts(reply, 2))
        take_names(paused, reply);
    else
        rc = client_odd_reply(client, "ZRANGE", err);
    freeReplyObject(reply);
    return rc;
}

void client_paused_free(struct client_paused *paused)
{
    for (size_t i = 0; i < paused->ct; i++)
        free(paused->queues[i].name);
    free(paused->queues);
    *paused = (struct client_paused){.queues = NULL};
}

int64_t client_paused_since(const struct client_paused *paused, const char *queue)
{
    for (size_t i = 0; i < paused->ct; i++)
        if (strcmp(paused->queues[i].name, queue) == 0 ||
            strcmp(paused->queues[i].name, CLIENT_PAUSE_ALL) == 0)
            return paused->queues[i].since_ms;
    return paused->unknown ? -1 : 0;
}
