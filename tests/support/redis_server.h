/* A redis-server of the test's own: on a unix socket in a directory of its own, without
 * TCP and without persistence, gone with the test.
 */
#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <sys/types.h>

struct redis_server;

/* Returns once the server answers; ends the test program where that does not come. */
struct redis_server *redis_server_start(void);
const char *redis_server_socket(const struct redis_server *server);
pid_t redis_server_pid(const struct redis_server *server);
void redis_server_stop(struct redis_server *server); /* also removes its directory */

#endif
