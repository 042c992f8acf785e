/* Pausing queues for every drover on a Redis, from the command line. Workers look once a
 * second; running jobs go on, and nothing moves. */
#ifndef QUEUE_CLIENT_PAUSE_H
#define QUEUE_CLIENT_PAUSE_H

#include "queue/client.h"

/* In place of a queue's name: all queues, whatever their names. It is lifted by itself,
 * and not by resuming one of them. */
#define CLIENT_PAUSE_ALL "*"

/* Pauses or resumes queues; changed[i] (may be NULL) tells whether names[i] was not so
 * already. */
enum { CLIENT_PAUSE_MAX = 1000 };
enum client_pausing { CLIENT_PAUSE, CLIENT_RESUME };
int client_pause(struct client *client, enum client_pausing what,
                 const char *const *names, size_t ct, bool *changed,
                 struct err *err) MUSTCHECK;

/* What is paused, at most CLIENT_PAUSED_MAX of it: the longest so first. Names are owned
 * by the list, which is to be freed in any case. */
enum { CLIENT_PAUSED_MAX = 10000 };
struct client_paused {
    struct {
        char *name;
        int64_t since_ms; /* wall clock of Redis */
    } * queues;
    size_t ct;
    bool unknown; /* the key has a wrong type: workers take nothing for paused */
};
int client_paused_read(struct client *client, struct client_paused *paused,
                       struct err *err) MUSTCHECK;
void client_paused_free(struct client_paused *paused);

/* Since when a queue has been paused, by its name or with all, in ms; 0: it is not;
 * -1: nobody knows. */
int64_t client_paused_since(const struct client_paused *paused, const char *queue);

#endif
