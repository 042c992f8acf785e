/* A control socket's server in a process of its own, and clients for it. The server's
 * request callback echoes, and tells about itself when asked.
 */
#ifndef TESTS_CONTROL_SCENE_H
#define TESTS_CONTROL_SCENE_H

#include <jansson.h>
#include <sys/types.h>

enum { WAIT_S = 20, BIG_ANSWER = 200000 };

extern char dir[64];
extern char path[96]; /* of the socket, in `dir` */
extern pid_t server;
extern unsigned requests; /* the argument of answer() */

/* Requests: {"cmd":"big"} {"cmd":"about"} {"cmd":"limit","descriptors":N}; others echo,
 * {"cmd":"look"} after a control_look(). */
json_t *answer(void *arg, const json_t *request);
void start_server(void);
void stop_server(void);
void open_dir(void);
/* Fixtures: with a server, or only the directory. */
void open_scene(void);
void close_scene(void);
/* Clients, blocking. The hear functions fail the test where something else is heard. */
int dial(void);
void say(int fd, const char *bytes, size_t len);
void say_text(int fd, const char *text);
json_t *hear(int fd);
void hear_ok(int fd);
void hear_error(int fd, const char *part);
void hear_end(int fd);
/* A number of the server's: "requests", "turns". */
json_int_t about(const char *what);
void must_still_answer(void);

#endif
