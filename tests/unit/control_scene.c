/* The server and the clients that the tests of the control socket share. */
#include "tests/unit/control_scene.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "supervisor/control.h"

char dir[64];
char path[96];
pid_t server;

/* ---- the server ---- */

static struct loop *server_loop;
static struct control *server_control;
unsigned requests;

static json_t *big_answer(void)
{
    char *text = must_alloc(BIG_ANSWER + 1);
    json_t *answer;

    memset(text, 'x', BIG_ANSWER);
    answer = json_pack("{s:b, s:s}", "ok", 1, "text", text);
    free(text);
    return answer;
}

static json_t *limit_descriptors(json_int_t limit)
{
    struct rlimit files = {.rlim_cur = (rlim_t)limit, .rlim_max = 1024};

    return json_pack("{s:b}", "ok", setrlimit(RLIMIT_NOFILE, &files) == 0);
}

json_t *answer(void *arg, const json_t *request)
{
    const char *cmd = json_string_value(json_object_get(request, "cmd"));

    ck_assert_ptr_eq(arg, &requests);
    requests++;
    if (cmd == NULL)
        return control_error("no cmd");
    if (strcmp(cmd, "big") == 0)
        return big_answer();
    if (strcmp(cmd, "about") == 0)
        return json_pack("{s:b, s:I, s:I}", "ok", 1, "requests", (json_int_t)requests,
                         "turns", (json_int_t)loop_turns(server_loop));
    if (strcmp(cmd, "limit") == 0)
        return limit_descriptors(
            json_integer_value(json_object_get(request, "descriptors")));
    if (strcmp(cmd, "look") == 0)
        control_look(server_control);
    return json_pack("{s:b, s:s}", "ok", 1, "echo", cmd);
}

static void serve(int ready_fd)
{
    struct err err = {0};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* ends with the test */
    server_loop = loop_create(&err);
    server_control = control_create(server_loop, path, answer, &requests, &err);
    if (server_control == NULL) {
        (void)fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    (void)!write(ready_fd, "r", 1);
    (void)close(ready_fd);
    loop_run(server_loop);
    _exit(0);
}

void start_server(void)
{
    int ready[2];
    char byte;

    ck_assert_int_eq(pipe(ready), 0);
    server = fork();
    ck_assert_int_ge(server, 0);
    if (server == 0) {
        (void)close(ready[0]);
        serve(ready[1]);
    }
    (void)close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
}

void stop_server(void)
{
    int status;

    if (server == 0)
        return;
    ck_assert_int_eq(waitpid(server, &status, WNOHANG), 0); /* it lived through it all */
    ck_assert_int_eq(kill(server, SIGKILL), 0);
    ck_assert_int_eq(waitpid(server, &status, 0), server);
    server = 0;
}

void open_dir(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/drover-control-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/control.sock", dir);
}

void open_scene(void)
{
    open_dir();
    start_server();
}

void close_scene(void)
{
    stop_server();
    (void)unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- clients ---- */

int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = WAIT_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
                     0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)),
                     0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void say(int fd, const char *bytes, size_t len)
{
    ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

/* One line of the answer, without its newline. */
json_t *hear(int fd)
{
    static char line[2 * BIG_ANSWER];
    const char *end = NULL;
    size_t len = 0;
    json_t *heard;

    while (end == NULL) { /* takes no more than the line */
        ssize_t n = recv(fd, line + len, sizeof(line) - len, MSG_PEEK);

        ck_assert_int_gt(n, 0);
        end = memchr(line + len, '\n', (size_t)n);
        if (end)
            n = end + 1 - (line + len);
        ck_assert_int_eq(recv(fd, line + len, (size_t)n, 0), n);
        len += (size_t)n;
    }
    heard = json_loadb(line, len, 0, NULL);
    ck_assert(json_is_object(heard));
    return heard;
}

void hear_ok(int fd)
{
    json_t *heard = hear(fd);

    ck_assert(json_is_true(json_object_get(heard, "ok")));
    json_decref(heard);
}

void hear_error(int fd, const char *part)
{
    json_t *heard = hear(fd);
    const char *error = json_string_value(json_object_get(heard, "error"));

    ck_assert(json_is_false(json_object_get(heard, "ok")));
    ck_assert_msg(error && strstr(error, part), "\"%s\" is not in \"%s\"", part, error);
    json_decref(heard);
}

/* The server has closed: end of file, or a reset where it had unread input. */
void hear_end(int fd)
{
    char bytes[4096];
    ssize_t n;

    do
        n = recv(fd, bytes, sizeof(bytes), 0);
    while (n > 0);
    ck_assert(n == 0 || errno == ECONNRESET);
    (void)close(fd);
}

json_int_t about(const char *what)
{
    int fd = dial();
    json_t *heard;
    json_int_t number;

    say_text(fd, "{\"cmd\":\"about\"}\n");
    heard = hear(fd);
    number = json_integer_value(json_object_get(heard, what));
    json_decref(heard);
    (void)close(fd);
    return number;
}

void must_still_answer(void)
{
    int fd = dial();

    say_text(fd, "{\"cmd\":\"x\"}\n");
    hear_ok(fd);
    (void)close(fd);
}
