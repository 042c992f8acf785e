/* The processes of a scene, for scene.c; tests use scene_run() and scene_redis(). */
#ifndef SUPPORT_SCENE_PROCESS_H
#define SUPPORT_SCENE_PROCESS_H

#include "tests/support/scene.h"

/* The built drover: $DROVER_BINARY, or the one in the working directory. */
const char *scene_drover(void);
/* Starts argv, which ends with NULL; its stdout and stderr are appended to these files of
 * the scene. */
pid_t scene_process_start(struct scene *scene, const char *const *argv, const char *out,
                          const char *err);
/* Waits for its end; returns the status as from wait(2). */
int scene_process_finish(pid_t pid);

#endif
