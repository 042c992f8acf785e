/* An nginx of a test's own: on a free port of 127.0.0.1, in a directory of its own, dying
 * with the program that started it.
 */
#ifndef SUPPORT_NGINX_PROCESS_H
#define SUPPORT_NGINX_PROCESS_H

#include <sys/types.h>

struct nginx_process {
    char dir[64]; /* access.log is in it: "METHOD PATH PROTOCOL STATUS" a line */
    int port;
    pid_t pid;
};

/* Makes the directory and a certificate authority in it: ca.pem; server.pem and .key, for
 * localhost; client.pem and .key. */
void nginx_process_begin(struct nginx_process *process);

/* Starts with `server` in its server block, behind the listen directive: `listen_flags`
 * are that one's ("ssl http2", or ""). Returns once it listens. */
void nginx_process_serve(struct nginx_process *process, const char *listen_flags,
                         const char *server);
void nginx_process_stop(struct nginx_process *process); /* its files stay */
void nginx_process_end(struct nginx_process *process);

#endif
