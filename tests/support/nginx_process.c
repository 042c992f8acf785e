/* Starting an nginx for tests. Its master process is told to stop by pid. */
#include "tests/support/nginx_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/support/wait.h"

static const char make_certificates[] =
    "cd '%s' && exec >certificates.log 2>&1 && "
    "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test-ca -days 2 "
    "  -keyout ca.key -out ca.pem && "
    "for name in server client; do "
    "  openssl req -newkey rsa:2048 -nodes -subj /CN=localhost "
    "    -addext subjectAltName=DNS:localhost -keyout $name.key -out $name.csr && "
    "  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial "
    "    -days 2 -copy_extensions copy -out $name.pem || exit 1; "
    "done";

void nginx_process_begin(struct nginx_process *process)
{
    char command[sizeof(make_certificates) + sizeof(process->dir)];

    *process = (struct nginx_process){.pid = 0};
    (void)snprintf(process->dir, sizeof(process->dir), "/tmp/drover-nginx-XXXXXX");
    MUST(mkdtemp(process->dir) != NULL);
    (void)snprintf(command, sizeof(command), make_certificates, process->dir);
    MUST(system(command) == 0);
}

static struct sockaddr_in local_port(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* Free a moment ago; nobody else on this machine asks for one of this kind meanwhile. */
static int free_port(void)
{
    struct sockaddr_in address = local_port(0);
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    MUST(bind(fd, (struct sockaddr *)&address, len) == 0);
    MUST(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void write_conf(const struct nginx_process *process, const char *listen_flags,
                       const char *server)
{
    char path[96];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/nginx.conf", process->dir);
    file = fopen(path, "we");
    MUST(file != NULL);
    (void)fprintf(file,
                  "daemon off; worker_processes 1; pid nginx.pid;\n"
                  "events { worker_connections 256; }\n"
                  "http {\n"
                  "  log_format short '$request_method $uri $server_protocol $status';\n"
                  "  access_log access.log short;\n"
                  "  client_body_temp_path t; proxy_temp_path t;\n"
                  "  fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;\n"
                  "  server { listen 127.0.0.1:%d %s;\n"
                  "    ssl_certificate %s/server.pem;\n"
                  "    ssl_certificate_key %s/server.key;\n"
                  "    ssl_client_certificate %s/ca.pem;\n"
                  "    %s }\n}\n",
                  process->port, listen_flags, process->dir, process->dir, process->dir,
                  server);
    MUST(fclose(file) == 0);
}

static void exec_nginx(const struct nginx_process *process)
{
    char conf[96], log[96];

    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)snprintf(conf, sizeof(conf), "%s/nginx.conf", process->dir);
    (void)snprintf(log, sizeof(log), "%s/error.log", process->dir);
    (void)setenv("PATH", "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", 1);
    MUST(freopen("/dev/null", "we", stderr) != NULL);
    (void)execlp("nginx", "nginx", "-p", process->dir, "-c", conf, "-e", log,
                 (char *)NULL);
    _exit(127);
}

static bool is_listening(void *arg)
{
    const struct nginx_process *process = arg;
    struct sockaddr_in address = local_port(process->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    (void)close(fd);
    return connected;
}

void nginx_process_serve(struct nginx_process *process, const char *listen_flags,
                         const char *server)
{
    process->port = free_port();
    write_conf(process, listen_flags, server);
    process->pid = fork();
    MUST(process->pid >= 0);
    if (process->pid == 0)
        exec_nginx(process);
    MUST(wait_at_most(is_listening, process, WAIT_MS));
}

void nginx_process_stop(struct nginx_process *process)
{
    if (process->pid == 0)
        return;
    (void)kill(process->pid, SIGTERM);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    process->pid = 0;
}

void nginx_process_end(struct nginx_process *process)
{
    char command[96];

    nginx_process_stop(process);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", process->dir);
    MUST(system(command) == 0);
}
