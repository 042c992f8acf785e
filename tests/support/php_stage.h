/* A scene with Laravel in it: the built drover, a redis-server, and the scripts of
 * tests/php on the same queues, with one connection to look at what Redis holds.
 *
 * PHP's ledger is the file "ledger" of the scene.
 */
#ifndef SUPPORT_PHP_STAGE_H
#define SUPPORT_PHP_STAGE_H

#include <hiredis/hiredis.h>

#include "tests/support/php_process.h"
#include "tests/support/scene.h"

struct php_stage {
    struct scene *scene;
    redisContext *redis;
    const char *prefix; /* of PHP and of drover */
    unsigned made_ct;   /* names for the producers */
};

/* `settings` as for scene_create(); drover is not started. */
void php_stage_open(struct php_stage *stage, const char *prefix, const char *settings);
void php_stage_close(struct php_stage *stage);

/* A command as for redisCommand(); an error fails the test. The reply is the caller's. */
redisReply *php_stage_ask(struct php_stage *stage, const char *format, ...);
/* Its integer; the number in a string, cut; 0 for nil. */
long long php_stage_int(struct php_stage *stage, const char *format, ...);
/* The only member of a list or sorted set, to be freed; fails where there is not one. */
char *php_stage_only(struct php_stage *stage, const char *key);

/* Starts producer.php on the orders in the scene's file NAME.in; its uuids go to
 * NAME.out. */
void php_stage_start_producer(struct php_stage *stage, struct php_process *php,
                              const char *name);
/* Runs producer.php on the orders, lines as it describes them, to its end. */
void php_stage_produce(struct php_stage *stage, const char *orders);

/* Starts consumer.php under a name, by which the ledger knows it; options of its own
 * follow, NULL at the end. */
void php_stage_start_consumer(struct php_stage *stage, struct php_process *php,
                              const char *name, ...) __attribute__((sentinel));

/* How many lines of a file of the scene hold a text. */
size_t php_stage_count(struct php_stage *stage, const char *file, const char *text);

#endif
