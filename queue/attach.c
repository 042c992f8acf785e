/* A hiredis connection's events on a libevent loop. Knows no commands.
 *
 * hiredis' own adapter asks the kernel to watch the socket anew for every answer, and for
 * every command whether there is room to write. Here reading is watched all the time, and
 * what is to be written is written later in the same turn; room is asked for only where
 * there was none. hiredis says what it wants through the hooks, whatever is the case.
 */
#include "queue/attach.h"

#include <errno.h>
#include <event2/event.h>
#include <hiredis/async.h>
#include <stdbool.h>
#include <stdlib.h>

struct attached {
    redisAsyncContext *ac;
    struct event *readable, *writable;
    bool full; /* the last write left something behind */
};

static void now_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
    struct attached *attached = arg;

    redisAsyncHandleRead(attached->ac); /* both may be gone after this */
}

static void now_writable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
    struct attached *attached = arg;

    attached->full = true; /* if it asks for more from inside */
    redisAsyncHandleWrite(attached->ac);
}

static void add_read(void *arg)
{
    struct attached *attached = arg;

    MUST(event_add(attached->readable, NULL) == 0);
}

static void del_read(void *arg)
{
    struct attached *attached = arg;

    MUST(event_del(attached->readable) == 0);
}

static void add_write(void *arg)
{
    struct attached *attached = arg;

    if (attached->full || !(attached->ac->c.flags & REDIS_CONNECTED))
        MUST(event_add(attached->writable, NULL) == 0);
    else
        event_active(attached->writable, EV_WRITE, 1);
}

/* All is written. */
static void del_write(void *arg)
{
    struct attached *attached = arg;

    attached->full = false;
    MUST(event_del(attached->writable) == 0);
}

static void clean_up(void *arg)
{
    struct attached *attached = arg;

    event_free(attached->readable);
    event_free(attached->writable);
    free(attached);
}

int attach_to_loop(struct redisAsyncContext *ac, struct event_base *base)
{
    struct attached *attached;

    if (ac->ev.data != NULL)
        return -1;
    attached = must_alloc(sizeof(*attached));
    attached->ac = ac;
    attached->readable =
        event_new(base, ac->c.fd, EV_READ | EV_PERSIST, now_readable, attached);
    attached->writable = event_new(base, ac->c.fd, EV_WRITE, now_writable, attached);
    MUST(attached->readable && attached->writable);
    ac->ev.addRead = add_read;
    ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write;
    ac->ev.delWrite = del_write;
    ac->ev.cleanup = clean_up;
    ac->ev.data = attached;
    add_read(attached);
    add_write(attached); /* which tells that it is connected */
    return 0;
}
