/* What tests on a stage share: the stage, and what one looks at there.
 */
#ifndef TESTS_PHP_FIXTURE_H
#define TESTS_PHP_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/support/php_stage.h"
#include "tests/support/wait.h"

static struct php_stage stage;

static inline void clear_stage(void)
{
    php_stage_close(&stage);
}

static inline size_t logged(const char *text)
{
    return php_stage_count(&stage, "log", text);
}

static inline size_t noted(const char *text)
{
    return php_stage_count(&stage, "ledger", text);
}

static inline bool is_all_done(void)
{
    return php_stage_int(&stage, "EXISTS queues:default queues:default:delayed "
                                 "queues:default:reserved") == 0;
}

/* Files of the stage, which PHP looks for. */
static inline void put_file(const char *name)
{
    scene_touch(stage.scene, name);
}

static inline void remove_file(const char *name)
{
    char *path = must_format("%s/%s", stage.scene->dir, name);

    ck_assert_int_eq(unlink(path), 0);
    free(path);
}

#endif
