/* The proxy's process: a loop with the proxy on it and the pipe of orders. It ends when
 * the pipe does. */
#include "tests/chaos/net.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/support/proxy.h"

/* Requests that one fault strikes: more, and nothing would ever get through. */
enum { STRIKES = 2, CUT_BYTES_MAX = 6000 };

struct order {
    struct planned_fault fault;
    bool begins;
};

struct wire {
    struct loop *loop;
    struct proxy *proxy;
    struct event *orders;
    int fd;
    enum proxy_step strike_at;
    unsigned strikes_left;
};

static void strike(void *arg, enum proxy_step step, const struct proxy_request *request)
{
    struct wire *wire = arg;

    if (step != wire->strike_at || wire->strikes_left == 0)
        return;
    wire->strikes_left--;
    proxy_link_cut(request->link, PROXY_FIN);
}

static void strike_script(struct wire *wire, const char *script, enum proxy_step at)
{
    wire->strike_at = at;
    wire->strikes_left = STRIKES;
    proxy_on(wire->proxy,
             &(struct proxy_rule){.script = script, .cb = strike, .arg = wire});
}

/* Acks travel alone and with the next reserve. */
static void strike_acks(struct wire *wire, enum proxy_step at)
{
    strike_script(wire, "ack", at);
    strike_script(wire, "reserve", at);
}

static void begin(struct wire *wire, const struct planned_fault *fault)
{
    switch ((int)fault->kind) {
    case FAULT_NET_CUT:
        proxy_cut_after(wire->proxy, fault->pick % 2 ? PROXY_REQUESTS : PROXY_ANSWERS,
                        fault->pick % CUT_BYTES_MAX, PROXY_FIN);
        break;
    case FAULT_NET_FRAGMENT:
        proxy_set(wire->proxy, PROXY_BOTH, PROXY_TRICKLE);
        break;
    case FAULT_NET_RST:
        proxy_cut(wire->proxy, PROXY_RST);
        break;
    case FAULT_NET_REFUSE:
        proxy_refuse(wire->proxy);
        proxy_cut(wire->proxy, PROXY_FIN);
        break;
    case FAULT_NET_BLACKHOLE:
        proxy_set(wire->proxy, PROXY_BOTH, PROXY_LOSE);
        break;
    case FAULT_NET_LOST_ACK:
        strike_acks(wire, PROXY_ASKED);
        break;
    case FAULT_NET_LOST_ACK_REPLY:
        strike_acks(wire, PROXY_EXECUTED);
        break;
    case FAULT_NET_LOST_RESERVE:
        strike_script(wire, "reserve", PROXY_EXECUTED);
        break;
    default:
        break;
    }
}

static void finish(struct wire *wire, const struct planned_fault *fault)
{
    switch ((int)fault->kind) {
    case FAULT_NET_CUT:
        proxy_cut_after(wire->proxy, PROXY_BOTH, -1, PROXY_FIN);
        break;
    case FAULT_NET_FRAGMENT:
        proxy_set(wire->proxy, PROXY_BOTH, PROXY_PASS);
        break;
    case FAULT_NET_REFUSE:
        proxy_admit(wire->proxy);
        break;
    case FAULT_NET_BLACKHOLE: /* what was lost leaves the streams without sense */
        proxy_set(wire->proxy, PROXY_BOTH, PROXY_PASS);
        proxy_cut(wire->proxy, PROXY_FIN);
        break;
    default:
        proxy_forget_rules(wire->proxy);
        break;
    }
}

static void take_order(evutil_socket_t fd, short what UNUSED, void *arg)
{
    struct wire *wire = arg;
    struct order order;

    if (read(fd, &order, sizeof(order)) != (ssize_t)sizeof(order))
        loop_stop(wire->loop);
    else if (order.begins)
        begin(wire, &order.fault);
    else
        finish(wire, &order.fault);
}

static void serve(int orders, int answer, const char *target)
{
    struct wire wire = {.fd = orders};
    struct err err = {0};
    unsigned port;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    wire.loop = loop_create(&err);
    MUST(wire.loop != NULL);
    wire.proxy = proxy_create(wire.loop, NULL, target);
    wire.orders =
        event_new(loop_base(wire.loop), orders, EV_READ | EV_PERSIST, take_order, &wire);
    MUST(event_add(wire.orders, NULL) == 0);
    port = proxy_port(wire.proxy);
    MUST(write(answer, &port, sizeof(port)) == (ssize_t)sizeof(port));
    loop_run(wire.loop);
    proxy_destroy(wire.proxy);
    event_free(wire.orders);
    loop_destroy(wire.loop);
}

void net_start(struct net *net, const char *target)
{
    int orders[2], answer[2];

    MUST(pipe2(orders, O_CLOEXEC) == 0 && pipe2(answer, O_CLOEXEC) == 0);
    net->pid = fork();
    MUST(net->pid >= 0);
    if (net->pid == 0) {
        (void)close(orders[1]);
        serve(orders[0], answer[1], target);
        _exit(0);
    }
    (void)close(orders[0]);
    (void)close(answer[1]);
    net->pipe = orders[1];
    MUST(read(answer[0], &net->port, sizeof(net->port)) == (ssize_t)sizeof(net->port));
    (void)close(answer[0]);
}

static void tell(struct net *net, const struct planned_fault *fault, bool begins)
{
    struct order order = {.fault = *fault, .begins = begins};

    MUST(write(net->pipe, &order, sizeof(order)) == (ssize_t)sizeof(order));
}

void net_begin(struct net *net, const struct planned_fault *fault)
{
    tell(net, fault, true);
}

void net_finish(struct net *net, const struct planned_fault *fault)
{
    tell(net, fault, false);
}

void net_stop(struct net *net)
{
    (void)close(net->pipe);
    (void)kill(net->pid, SIGKILL); /* others have inherited the pipe's end */
    while (waitpid(net->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
