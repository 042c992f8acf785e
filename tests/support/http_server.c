/* A server that misbehaves on demand. Blocking code, a process for each connection: what
 * one of them does to itself is no concern of the others.
 */
#include "tests/support/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"

enum { DRIP_US = 20000, BOMB_BYTES = 1 << 20, BLOCK_BYTES = 16384, BODY_MAX = 1 << 24 };

struct request {
    char path[1024];
    struct buf text; /* all of it */
};

/* ---- a connection ---- */

static void put(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0)
            _exit(0); /* the client has gone */
        bytes += n;
        len -= (size_t)n;
    }
}

static void put_text(int fd, const char *text)
{
    put(fd, text, strlen(text));
}

static void answer(int fd, int status, const char *headers, struct slice body)
{
    char head[2048];

    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 %d Status\r\n%sContent-Length: %zu\r\n\r\n", status, headers,
                   body.len);
    put_text(fd, head);
    put(fd, body.ptr, body.len);
}

static bool read_more(int fd, struct buf *text)
{
    char block[BLOCK_BYTES];
    ssize_t n = recv(fd, block, sizeof(block), 0);

    return n > 0 && buf_add(text, block, (size_t)n) == 0;
}

static size_t body_bytes_of(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");

    return at ? strtoul(at + 17, NULL, 10) : 0;
}

static bool read_request(int fd, struct request *request)
{
    const char *end;
    size_t want;

    buf_clear(&request->text);
    do {
        if (!read_more(fd, &request->text))
            return false;
    } while ((end = strstr(request->text.data, "\r\n\r\n")) == NULL);
    want = (size_t)(end + 4 - request->text.data) + body_bytes_of(request->text.data);
    while (request->text.len < want)
        if (!read_more(fd, &request->text))
            return false;
    return sscanf(request->text.data, "%*s %1023s", request->path) == 1;
}

/* ---- misbehaviour ---- */

static void drip(int fd)
{
    for (;;) {
        put(fd, "x", 1);
        (void)usleep(DRIP_US);
    }
}

static void drip_head(int fd)
{
    put_text(fd, "HTTP/1.1 200 OK\r\nX-Drip: ");
    drip(fd);
}

static void drip_body(int fd)
{
    put_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    drip(fd);
}

static void endless(int fd)
{
    static char chunk[BLOCK_BYTES];

    memset(chunk, 'x', sizeof(chunk));
    put_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (;;) {
        put_text(fd, "4000\r\n");
        put(fd, chunk, sizeof(chunk));
        put_text(fd, "\r\n");
    }
}

static void heads(int fd)
{
    put_text(fd, "HTTP/1.1 200 OK\r\n");
    for (;;)
        put_text(fd, "X-More: and more and more and more and more and more\r\n");
}

static void long_head(int fd)
{
    put_text(fd, "HTTP/1.1 200 OK\r\nX-Long: ");
    for (;;)
        put_text(fd, "and more and more and more and more and more and more");
}

/* Said to be gzip; who does not decode it need not care that it is not. */
static void bomb(int fd)
{
    char *zeros = calloc(1, BOMB_BYTES);

    answer(fd, 200, "Content-Encoding: gzip\r\n", slice_of(zeros, BOMB_BYTES));
    free(zeros);
}

static void bad_chunk(int fd)
{
    put_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n");
    _exit(0);
}

static void end_short(int fd)
{
    put_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    _exit(0);
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    _exit(0);
}

static void close_silently(int fd)
{
    (void)fd;
    _exit(0);
}

static void hang(int fd)
{
    (void)fd;
    for (;;)
        (void)pause();
}

static void http09(int fd)
{
    put_text(fd, "hello\n");
    _exit(0);
}

static const struct {
    const char *path;
    void (*act)(int fd);
} acts[] = {
    {"/hang", hang},           {"/drip-head", drip_head},
    {"/drip-body", drip_body}, {"/endless", endless},
    {"/heads", heads},         {"/bomb", bomb},
    {"/bad-chunk", bad_chunk}, {"/short", end_short},
    {"/reset", reset},         {"/close", close_silently},
    {"/http09", http09},       {"/long-head", long_head},
};

/* ---- answers with a number in the path ---- */

static void answer_after(int fd, int status, const char *value)
{
    char header[256], *percent;

    (void)snprintf(header, sizeof(header), "Retry-After: %.200s\r\n", value);
    while ((percent = strstr(header, "%20")) != NULL) {
        *percent = ' ';
        memmove(percent + 1, percent + 3, strlen(percent + 3) + 1);
    }
    answer(fd, status, header, slice_text("later"));
}

static void answer_body(int fd, size_t bytes)
{
    char *body = malloc(bytes + 1);

    memset(body, 'b', bytes);
    answer(fd, 200, "", slice_of(body, bytes));
    free(body);
}

static void answer_number(int fd, const struct request *request)
{
    char word[32], rest[900] = "";
    int number;

    if (sscanf(request->path, "/%31[^/]/%d/%899s", word, &number, rest) < 2)
        answer(fd, 404, "", slice_text("no such path"));
    else if (strcmp(word, "after") == 0)
        answer_after(fd, number, rest);
    else if (strcmp(word, "echo") == 0)
        answer(fd, number, "", buf_slice(&request->text));
    else if (strcmp(word, "redirect") == 0)
        answer(fd, number, "Location: /status/200\r\n", slice_text("elsewhere"));
    else if (strcmp(word, "body") == 0)
        answer_body(fd, (size_t)number < BODY_MAX ? (size_t)number : BODY_MAX);
    else if (strcmp(word, "continue") == 0)
        put_text(fd, "HTTP/1.1 100 Continue\r\nX-Early: yes\r\n\r\n"),
            answer(fd, number, "", slice_text("late"));
    else
        answer(fd, number, "", slice_text("hello"));
}

static void note(int log, const struct request *request)
{
    const char *id = strcasestr(request->text.data, "\nwebhook-id: ");
    char line[1200];
    int len;

    if (id != NULL)
        id += strlen("\nwebhook-id: ");
    len = snprintf(line, sizeof(line), "%s %.*s\n", request->path,
                   id ? (int)strcspn(id, "\r\n") : 0, id ? id : "");
    MUST(write(log, line, (size_t)len) == len); /* at once: lines do not mix */
}

static void serve(int fd, int log)
{
    struct request request;

    buf_init(&request.text, 0);
    while (read_request(fd, &request)) {
        void (*act)(int fd) = NULL;

        note(log, &request);
        for (size_t i = 0; i < ARRAY_CT(acts); i++)
            if (strcmp(request.path, acts[i].path) == 0)
                act = acts[i].act;
        if (act != NULL)
            act(fd);
        else
            answer_number(fd, &request);
    }
    _exit(0);
}

/* ---- the server ---- */

static void accept_all(int listener, int log, _Atomic unsigned *count)
{
    (void)signal(SIGCHLD, SIG_IGN); /* nobody waits for connections */
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            continue;
        ++*count;
        if (fork() == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)close(listener);
            serve(fd, log);
        }
        (void)close(fd);
    }
}

static int open_listener(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    MUST(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
    MUST(listen(fd, 1024) == 0);
    MUST(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

void http_server_begin(struct http_server *server)
{
    int listener = open_listener(&server->port), log;

    (void)snprintf(server->log, sizeof(server->log), "/tmp/drover-http-XXXXXX");
    log = mkostemp(server->log, O_APPEND | O_CLOEXEC);
    MUST(log >= 0);
    server->count = mmap(NULL, sizeof(*server->count), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(server->count != MAP_FAILED);
    server->group = fork();
    MUST(server->group >= 0);
    if (server->group == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)setpgid(0, 0);
        accept_all(listener, log, server->count);
    }
    (void)setpgid(server->group, server->group);
    (void)close(listener);
    (void)close(log);
}

void http_server_end(struct http_server *server)
{
    if (server->group == 0)
        return;
    (void)kill(-server->group, SIGKILL);
    (void)waitpid(server->group, NULL, 0);
    (void)munmap((void *)server->count, sizeof(*server->count));
    (void)unlink(server->log);
    server->group = 0;
}

unsigned http_server_connections(const struct http_server *server)
{
    return *server->count;
}
