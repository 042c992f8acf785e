/* The Lua scripts of queue/lua/, one verb each, with the SHA-1 that EVALSHA wants. The
 * table is generated from the .lua files at build time.
 */
#ifndef QUEUE_SCRIPTS_H
#define QUEUE_SCRIPTS_H

#include <stddef.h>

struct script {
    const char *name; /* "reserve": the file's name without .lua */
    const char *sha1; /* 40 hex digits */
    const char *text;
    size_t len;
};

extern const struct script script_table[];
extern const size_t script_ct;

const struct script *script_named(const char *name); /* a wrong name is a bug */

#endif
