/* An HTTP server of a test's own on 127.0.0.1 that behaves as the path says, mostly
 * badly.
 *
 *   /status/N            answers N with a short body
 *   /after/N/VALUE       answers N with "Retry-After: VALUE" (%20 for a space)
 *   /echo/N              answers N with the request, headers and body, as its body
 *   /redirect/N          answers N with "Location: /status/200"
 *   /body/BYTES          200 with a body of so many bytes
 *   /hang                reads the request and never answers
 *   /drip-head           a header, a byte at a time, without end
 *   /drip-body           200, then a body a byte at a time, without end
 *   /endless             200 and a chunked body without end, as fast as can be
 *   /heads               headers without end
 *   /long-head           one header without end
 *   /bomb                200, "Content-Encoding: gzip" and 1 MiB that would be 1 GiB
 *   /bad-chunk           200 and a chunk whose length is none
 *   /short               200 with less body than it promised, then the end
 *   /reset               reads the request, then resets the connection
 *   /close               reads the request, then closes the connection
 *   /http09              a body without a status line
 *   /continue/N          a 100 with headers of its own, then N
 *
 * One process a connection; all die with the test.
 */
#ifndef SUPPORT_HTTP_SERVER_H
#define SUPPORT_HTTP_SERVER_H

#include <sys/types.h>

struct http_server {
    pid_t group; /* of its processes; 0: not running */
    int port;
    _Atomic unsigned *count; /* of connections, in shared memory */
    char log[64];            /* a file: "PATH WEBHOOK-ID" for each request read */
};

void http_server_begin(struct http_server *server); /* returns once it listens */
void http_server_end(struct http_server *server);
unsigned http_server_connections(const struct http_server *server); /* accepted so far */

#endif
