/* The user that drover needs of Redis, from the one place that tells people how to make
 * it: contrib/drover.acl. Whatever drover does in tests it does as this user; the tests
 * themselves look on as the default user, who may do anything.
 */
#ifndef SUPPORT_ACL_H
#define SUPPORT_ACL_H

#include <stddef.h>

#define ACL_USER "drover"
#define ACL_PASSWORD "secret"

enum { ACL_ARGS_MAX = 120 };

/* What the arguments below point into. */
struct acl_words {
    char line[2048];
    char prefixed[256];
    size_t prefixed_len;
};

/* Appends to `argv` at `ct` what makes redis-server start with the user; returns the new
 * count. Needs room for ACL_ARGS_MAX. Next to the keys without a prefix the user gets
 * those under "p:" and Laravel's "laravel_database_", which some tests have. */
size_t acl_add_server_args(struct acl_words *words, const char **argv, size_t ct);

/* From the text of redis-cli ACL LOG: whether a command or a key was denied. */
int acl_log_has_denial(const char *log);

#endif
