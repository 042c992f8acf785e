/* Starting a redis-server for a test, and being sure that it goes.
 *
 * It dies with the program that started it, even where that is killed; its files are in a
 * fresh directory under /tmp, since a socket's path has to be short.
 */
#include "tests/support/redis_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"

enum { START_LOOKS = 2000, LOOK_EVERY_MS = 5 };

struct redis_server {
    char dir[64];
    char socket[96];
    pid_t pid;
};

static void run_server(const struct redis_server *server)
{
    int null = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->socket,
           "--dir", server->dir, "--save", "", "--appendonly", "no",
           "--enable-debug-command", "yes", (char *)NULL);
    _exit(127);
}

static bool is_listening(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    connected = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return connected;
}

static void wait_until_listening(const struct redis_server *server)
{
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};

    for (int i = 0; i < START_LOOKS; i++) {
        if (is_listening(server->socket))
            return;
        if (waitpid(server->pid, NULL, WNOHANG) != 0)
            break;
        nanosleep(&pause, NULL);
    }
    fprintf(stderr, "redis-server does not start\n");
    exit(1);
}

struct redis_server *redis_server_start(void)
{
    struct redis_server *server = must_alloc(sizeof(*server));

    snprintf(server->dir, sizeof(server->dir), "/tmp/drover-test-XXXXXX");
    MUST(mkdtemp(server->dir) != NULL);
    snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->dir);
    server->pid = fork();
    MUST(server->pid >= 0);
    if (server->pid == 0)
        run_server(server);
    wait_until_listening(server);
    return server;
}

const char *redis_server_socket(const struct redis_server *server)
{
    return server->socket;
}

pid_t redis_server_pid(const struct redis_server *server)
{
    return server->pid;
}

void redis_server_stop(struct redis_server *server)
{
    kill(server->pid, SIGKILL);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    unlink(server->socket);
    rmdir(server->dir);
    free(server);
}
