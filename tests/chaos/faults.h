/* Striking: the plan's faults when they are due, and a log of what they hit.
 */
#ifndef CHAOS_FAULTS_H
#define CHAOS_FAULTS_H

#include "tests/chaos/hosts.h"
#include "tests/chaos/net.h"
#include "tests/chaos/plan.h"
#include "tests/chaos/server.h"

enum { FAULT_PIDS = 128 };

struct fault_event {
    struct planned_fault plan;
    int64_t from_ns, to_ns; /* to_ns 0: still on */
    bool is_skipped;        /* there was nothing to hit */
    pid_t pids[FAULT_PIDS]; /* what was killed or stopped */
    size_t pid_ct;
};

struct faults {
    const struct plan *plan;
    struct host *hosts;
    struct net *nets;
    struct server *server;
    struct fault_event *events; /* as they came */
    size_t event_ct;
    size_t next; /* in the plan */
};

void faults_init(struct faults *faults, const struct plan *plan, struct host *hosts,
                 struct net *nets, struct server *server);
void faults_tick(struct faults *faults, int64_t start_ns, int64_t now_ns);
bool faults_are_over(const struct faults *faults);
void faults_free(struct faults *faults);

#endif
