/* Finding a script by its verb. */
#include "queue/scripts.h"

#include <string.h>

#include "base/must.h"

const struct script *script_named(const char *name)
{
    for (size_t i = 0; i < script_ct; i++)
        if (strcmp(script_table[i].name, name) == 0)
            return &script_table[i];
    must_fail(name, __FILE__, __LINE__);
}
