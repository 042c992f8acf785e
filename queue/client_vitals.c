/* Asking Redis, for the command line, what it is set to. As the worker does: INFO, and
 * CONFIG only where INFO is refused; what may not be asked stays unknown. */
#include "queue/client.h"

#include "queue/client_io.h"

/* One answer; an error of Redis' own is none. *refused: it was. */
static int ask(struct client *client, const char *const *words, size_t ct,
               struct vitals *vitals, bool *refused, struct err *err)
{
    redisReply *reply = client_ask(client, words, ct, err);
    int rc = 0;

    if (reply == NULL) {
        *refused = true;
        return err->code == ERR_REPLY ? 0 : -1;
    }
    if (reply->type == REDIS_REPLY_STRING)
        vitals_read_info(vitals, slice_of(reply->str, (size_t)reply->len));
    else if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
             reply->element[0]->str && reply->element[1]->str)
        vitals_read_config(vitals, slice_text(reply->element[0]->str),
                           slice_text(reply->element[1]->str));
    else if (reply->type != REDIS_REPLY_ARRAY)
        rc = client_odd_reply(client, words[0], err);
    freeReplyObject(reply);
    return rc;
}

int client_vitals(struct client *client, struct vitals *vitals, struct err *err)
{
    static const char *const infos[][2] = {{"INFO", "memory"}, {"INFO", "persistence"}};
    static const char *const configs[][3] = {{"CONFIG", "GET", "maxmemory-policy"},
                                             {"CONFIG", "GET", "appendonly"}};
    bool refused = false, ignored;
    struct err why = {0};
    int rc = 0;

    vitals_init(vitals);
    for (size_t i = 0; rc == 0 && i < ARRAY_CT(infos); i++)
        rc = ask(client, infos[i], ARRAY_CT(infos[i]), vitals, &refused, &why);
    for (size_t i = 0; rc == 0 && refused && i < ARRAY_CT(configs); i++)
        rc = ask(client, configs[i], ARRAY_CT(configs[i]), vitals, &ignored, &why);
    return rc == 0 ? 0 : err_set(err, why.code, "%s", why.text);
}
