/* A server that is slow: it takes connections on all of 127.0.0.0/8 and answers each with
 * headers that never end, a byte a second and connection, one after the other, so that
 * there is always a little to read somewhere.
 *
 *     bench/slow     prints its port; ends when it is killed
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"

enum { CLIENTS_MAX = 8192, ROUND_MS = 1000 };

static int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    MUST(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
         listen(fd, CLIENTS_MAX) == 0 &&
         getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    printf("%d\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    return fd;
}

static void say(int client, const char *text, size_t len)
{
    (void)!send(client, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int main(void)
{
    static const char beginning[] = "HTTP/1.1 200 OK\r\nSlow: ";
    static int clients[CLIENTS_MAX];
    struct pollfd door = {.fd = listen_anywhere(), .events = POLLIN};
    size_t ct = 0, turn = 0;

    for (;;) {
        int pause_ms = ct > 0 ? ROUND_MS / (int)ct : ROUND_MS;

        if (poll(&door, 1, pause_ms > 0 ? pause_ms : 1) > 0 && ct < CLIENTS_MAX) {
            clients[ct] = accept4(door.fd, NULL, NULL, SOCK_CLOEXEC);
            MUST(clients[ct] >= 0);
            say(clients[ct++], beginning, sizeof(beginning) - 1);
        } else if (ct > 0) {
            say(clients[turn++ % ct], "s", 1);
        }
    }
}
