/* What all of Redis holds of queues, and how its server is: for `drover doctor`. Reads
 * only, within bounds, over a connection of the command line.
 */
#ifndef QUEUE_SURVEY_H
#define QUEUE_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/client.h"

enum {
    SURVEY_QUEUES_MAX = 500,
    SURVEY_PREFIXES_MAX = 16,
    SURVEY_PAGES_MAX = 1000, /* of SCAN, each of about 1000 keys */
    SURVEY_WITHIN_MS = 10000,
    SURVEY_HEADS = 8,    /* members of :delayed that are looked at */
    SURVEY_STALE_S = 120 /* a lease that ran out so long ago was seen by nobody */
};

struct survey_queue {
    char *name;
    struct depths depths; /* -1: the key has a wrong type */
    int64_t stale_ct;     /* in :reserved, run out for SURVEY_STALE_S */
    int64_t odd_ct;       /* of the first SURVEY_HEADS in :delayed: no JSON objects */
};

struct survey {
    char version[32]; /* "7.0.15"; "": not known */
    char mode[16];    /* "standalone", "cluster"; "": not known */
    int64_t ahead_ms; /* Redis' clock less this host's */
    int64_t exact_ms; /* give or take so much */
    struct vitals vitals;
    struct survey_queue *queues; /* under the client's prefix, by name */
    size_t queue_ct;
    char *prefixes[SURVEY_PREFIXES_MAX]; /* others that have keys of queues */
    size_t prefix_ct;
    bool cut; /* there may be more of both than was looked at */
};

/* -1: the connection broke, or Redis refused what even drover's own user may ask.
 * `survey` needs no preparation and is to be freed in any case. */
int client_survey(struct client *client, struct survey *survey,
                  struct err *err) MUSTCHECK;
void survey_free(struct survey *survey);

/* The pure part. */

/* Of a key of a queue the prefix's length, and the queue's name in *name, without what
 * tells its kind; false: it is none. A key that begins with `own` counts as under that.
 */
bool survey_split(struct slice key, const char *own, size_t *prefix_len,
                  struct slice *name);

/* Whether a member of a queue's key is what Laravel and drover write there: a JSON
 * object, and not what a serializer or a compression made of one. */
bool survey_is_object(struct slice member);

#endif
