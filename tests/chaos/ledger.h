/* The ledger: one line for every start and end of a run, appended in one write() by the
 * job itself, and for what the run's own programs saw.
 *
 *     S number host worker_pid pid attempt ns     it begins
 *     E number host worker_pid pid attempt ns ok  it is about to exit, well (1) or not
 * (0) O number host worker_pid pid attempt ns     it begins while another run of it is on
 */
#ifndef CHAOS_LEDGER_H
#define CHAOS_LEDGER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct record {
    char what; /* 'S', 'E', 'O' */
    uint32_t n;
    int host;
    pid_t worker, pid;
    int attempt;
    int64_t at_ns; /* monotonic */
    int ok;
};

struct ledger {
    struct record *records; /* by time */
    size_t ct;
    size_t bad_ct; /* lines that are none */
};

int64_t ledger_now_ns(void);

/* Appends to the open file; -1: it could not be written. */
int ledger_write(int fd, const struct record *record);
int ledger_read(struct ledger *ledger, const char *path); /* -1: there is no such file */
void ledger_parse(struct ledger *ledger, const char *text);
void ledger_free(struct ledger *ledger);

#endif
