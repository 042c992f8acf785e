/* Starting a redis-server for tests, and being sure that it goes. A socket's path has to
 * be short: the directory is a fresh one under /tmp. */
#include "tests/support/redis_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/support/acl.h"
#include "tests/support/wait.h"

enum { SERVER_ARGS = 13, MORE_MAX = 16, DENIALS_BYTES = 65536 };

static size_t add_more(const char **argv, size_t ct, const char *const *more)
{
    for (size_t i = 0; more && more[i] && i < MORE_MAX; i++)
        argv[ct++] = more[i];
    return ct;
}

static void exec_server(const struct redis_process *process)
{
    const char *argv[SERVER_ARGS + ACL_ARGS_MAX + MORE_MAX + 1] = {
        "redis-server",
        "--port",
        "0",
        "--unixsocket",
        process->socket,
        "--dir",
        process->dir,
        "--save",
        "",
        "--appendonly",
        process->files == REDIS_ON_DISK ? "yes" : "no",
        "--appendfsync",
        "no"};
    struct acl_words words;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    size_t ct = acl_add_server_args(&words, argv, SERVER_ARGS);

    (void)add_more(argv, ct, process->more);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        (void)dup2(null, fd);
    (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static bool is_listening(void *arg)
{
    const struct redis_process *process = arg;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", process->socket);
    connected = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(fd);
    return connected;
}

void redis_process_again(struct redis_process *process)
{
    process->pid = fork();
    MUST(process->pid >= 0);
    if (process->pid == 0)
        exec_server(process);
    MUST(wait_at_most(is_listening, process, WAIT_MS));
}

void redis_process_begin(struct redis_process *process, enum redis_files files)
{
    *process = (struct redis_process){.files = files};
    (void)snprintf(process->dir, sizeof(process->dir), "/tmp/drover-redis-XXXXXX");
    MUST(mkdtemp(process->dir) != NULL);
    (void)snprintf(process->socket, sizeof(process->socket), "%s/redis.sock",
                   process->dir);
    redis_process_again(process);
}

void redis_process_stop(struct redis_process *process)
{
    if (process->pid == 0)
        return;
    (void)kill(process->pid, SIGCONT);
    (void)kill(process->pid, SIGTERM);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    process->pid = 0;
}

/* By redis-cli, for not all programs that run a server have hiredis. */
static void check_denials(const struct redis_process *process)
{
    char *command = must_format("redis-cli -s %s ACL LOG", process->socket);
    char *log = must_alloc(DENIALS_BYTES);
    FILE *pipe = popen(command, "re");
    size_t len;

    MUST(pipe != NULL);
    len = fread(log, 1, DENIALS_BYTES - 1, pipe);
    log[len] = '\0';
    (void)pclose(pipe);
    if (acl_log_has_denial(log)) {
        fprintf(stderr, "drover was denied:\n%s", log);
        abort();
    }
    free(log);
    free(command);
}

void redis_process_end(struct redis_process *process)
{
    char command[128];

    if (process->pid)
        check_denials(process);
    redis_process_stop(process);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", process->dir);
    MUST(system(command) == 0);
}
