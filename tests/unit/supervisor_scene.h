/* A whole supervisor in a process of its own, with fake workers.
 */
#ifndef TESTS_SUPERVISOR_SCENE_H
#define TESTS_SUPERVISOR_SCENE_H

#include <jansson.h>
#include <stdbool.h>

#include "tests/unit/fake_worker.h"

enum { NOTES_MAX = 64, NOTE_BYTES = 256 };

/* What the supervisor told the service manager, in memory that it shares with the test.
 */
struct notes {
    _Atomic unsigned ct;
    char text[NOTES_MAX][NOTE_BYTES];
};

extern struct notes *notes;
extern char dir[64];
extern char conf[96];
extern char state_dir[96];
extern char control_path[128];
extern char log_path[96];
extern pid_t supervisor;  /* 0: none */
extern int64_t repeat_ms; /* of its options; before begin() */

#define POOL(name, workers)                                                              \
    "{ name = \"" name "\"; workers = " workers "; concurrency = 2; }"
#define POOLS(list) "pools: ( " list " );\n"

int note_state(int unset_environment, const char *state);
unsigned count_notes(const char *part);
void write_file(const char *path, const char *text);
/* Writes the configuration: no Redis, and what `more` says. */
void configure(const char *more);
bool log_has(const char *part);
void open_scene(void);
int remove_tree(const char *path);
void close_scene(void);
/* Forks a supervisor; start() also configures it and waits until it is ready. */
void begin(void);
void await_ready(void); /* fails at once where the supervisor ends instead */
void start(const char *pools);
int await_exit(void); /* its exit code */
void nothing_is_left(void);
void stop(int signum);
/* Requests are taken; the answer must be good, or bad with `part` in its error. */
json_t *ask(json_t *request);
void ask_in_vain(json_t *request, const char *part);
json_t *status(void);
json_int_t worker_number(size_t pool, size_t slot, const char *what);
pid_t worker_pid(size_t pool, size_t slot);
size_t count_running(size_t pool);

#endif
