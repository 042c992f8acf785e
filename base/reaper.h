/* The one place of a process that waits for children: SIGCHLD -> callback by pid.
 *
 * Several deaths may come with one signal; all are reaped in the same turn, also
 * children nobody registered (orphans that a subreaper inherits), which go to the
 * optional orphan callback.
 */
#ifndef BASE_REAPER_H
#define BASE_REAPER_H

#include <sys/resource.h>
#include <sys/types.h>

#include "base/loop.h"

struct reaper;

/* `status` as from wait(2). `usage` is the child's and its reaped children's; borrowed.
 */
typedef void (*reaper_cb)(pid_t pid, int status, const struct rusage *usage, void *arg);

struct reaper *reaper_create(struct loop *loop, struct err *err) MUSTCHECK;
void reaper_destroy(struct reaper *reaper); /* NULL is fine; forgets all pids */

/* Calls back once, later, from the loop. Register right after the start, before the loop
 * turns. The callback may watch and forget pids, its own too. */
void reaper_watch(struct reaper *reaper, pid_t pid, reaper_cb cb, void *arg);
void reaper_forget(struct reaper *reaper, pid_t pid); /* unknown pids are fine */
void reaper_on_orphan(struct reaper *reaper, reaper_cb cb, void *arg);

/* Whether that child has ended, though its death may not have been told yet. */
bool reaper_has_ended(pid_t pid);

int64_t reaper_cpu_ms(const struct rusage *usage); /* user and system */

/* One sentence: "exit status 3", "killed by SIGSEGV (core dumped)". */
enum { REAPER_TEXT_BYTES = 64 };
void reaper_describe(int status, char *text, size_t size);
const char *reaper_signal_name(int signum); /* "SIGSEGV", "SIGRTMIN+3", "signal 77" */

#endif
