/* The control socket's protocol: STATE_DIR/control.sock, unix, mode 0600, one JSON object
 * per line each way.
 *
 * Requests: {"cmd":"status"}  {"cmd":"scale","pool":"main","workers":5}  {"cmd":"stop"}
 *           {"cmd":"reload"}  {"cmd":"pause"}  {"cmd":"drain"}  {"cmd":"resume"}
 * Answers:  {"ok":true,...}  or {"ok":false,"error":"no pool named x (known: main)"}
 * status answers {"ok":true,"supervisor":{"pid","state","uptime_s","paused","draining"},
 * "pools":[{"name","workers":[..]}],"stale","redis":{"up","since_s"}}, a worker as in
 * status/status.h: design for programs, kept stable. "stale" workers still run with the
 * configuration from before a reload. scale answers with "was" and "now", reload with
 * "needs_restart", the changed settings that it does not take ("state_dir, redis.url", or
 * ""), the others with "pid", which can be waited for after stop. A line is at most
 * CONTROL_LINE_MAX bytes; CONTROL_CLIENTS_MAX clients; an idle one is closed after
 * CONTROL_IDLE_MS.
 */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include <jansson.h>

#include "base/loop.h"

enum { CONTROL_LINE_MAX = 4096, CONTROL_CLIENTS_MAX = 64, CONTROL_IDLE_MS = 5000 };

struct control;

/* Answers one request; returns a new reference, never NULL. */
typedef json_t *(*control_request_cb)(void *arg, const json_t *request);

/* Listens on `path`; takes over a dead socket, never a live one (err says so). */
struct control *control_create(struct loop *loop, const char *path, control_request_cb cb,
                               void *arg, struct err *err) MUSTCHECK;
void control_destroy(struct control *control); /* NULL is fine; removes the socket */

/* To be called now and then: where somebody has removed the socket (who cleans /tmp, say)
 * it is made anew, as control_create() does. Logs that, or why not, once. */
void control_look(struct control *control);

/* The line that answers `line` (both without newline); caller frees. Answers garbage with
 * an error and never calls `cb` for it. `line` may hold any bytes. */
char *control_answer(control_request_cb cb, void *arg, const char *line,
                     size_t len) MUSTCHECK;

/* {"ok":false,"error":text}: for request callbacks. */
json_t *control_error(const char *text) MUSTCHECK;

/* For clients (the command line): sends one request, waits at most timeout_ms. Returns a
 * new reference to the answer where "ok" is true, else NULL with `err`: ERR_NOT_RUNNING
 * where nobody listens, ERR_REPLY with the answer's "error" otherwise. Takes `request`.
 * The answer gets one more member, "peer_pid": the supervisor's pid as it is seen from
 * here, which may be another pid namespace; 0: it is not. */
json_t *control_ask(const char *path, json_t *request, int64_t timeout_ms,
                    struct err *err) MUSTCHECK;

#endif
