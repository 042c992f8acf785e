/* The hosts of a run: a supervisor each, with a state directory, a configuration and a
 * log of its own, brought back when it has ended, as systemd would.
 */
#ifndef CHAOS_HOSTS_H
#define CHAOS_HOSTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum host_state { HOST_DOWN, HOST_UP, HOST_LEAVING };

/* How its end came about. */
enum host_end { HOST_END_UNASKED, HOST_END_TERM, HOST_END_KILL };

struct host_sample {
    long fd_ct, rss_kib; /* 0: none yet */
};

struct host {
    int number;
    char dir[64]; /* the run's */
    char conf[96];
    char log[96];
    const char *drover;
    unsigned port;       /* of Redis, as this host sees it */
    const char *preload; /* a library for the supervisor and its workers; NULL: none */
    enum host_state state;
    enum host_end end;
    pid_t supervisor;         /* 0: none */
    int64_t up_at_ns;         /* down: when it starts again */
    bool is_over;             /* the run: it does not start again */
    int64_t since_ns;         /* of the last change of state */
    int64_t orphans_until_ns; /* a start may find the state directory held until then */
    uint32_t pause_ms;        /* between its end and its next start */
    unsigned kills;           /* of the supervisor */
    unsigned starts, clean_exits, refused_starts, bad_exits;
    char bad_exit[128]; /* the last one */
    struct host_sample first, last;
};

void host_init(struct host *host, int number, const char *dir, const char *drover);
/* Writes its configuration; `variant` changes a setting, for reloads. */
void host_configure(const struct host *host, unsigned variant);
void host_start(struct host *host);
/* Starts it again when it is time, and kills one that does not end. */
void host_tick(struct host *host, int64_t now_ns);
/* Its supervisor was reaped. */
void host_ended(struct host *host, int status, int64_t now_ns);
void host_term(struct host *host, uint32_t pause_ms);
void host_kill(struct host *host, uint32_t pause_ms); /* the supervisor alone */

/* Runs `drover WORDS.. -c CONF` beside, its output thrown away; returns its pid. */
pid_t host_command(const struct host *host, const char *word, const char *pool,
                   unsigned number);

#endif
