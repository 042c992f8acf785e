/* Telling the refusals that pass from those that stay, by the class (the first two
 * characters) of the SQLSTATE. Pure. Whatever is not known to stay is tried again. */
#include "pg/sqlstate.h"

#include <stddef.h>
#include <string.h>

#include "base/must.h"

enum sqlstate_kind sqlstate_judge(const char *sqlstate)
{
    static const char *const lasting[] = {
        "21", /* cardinality violation */
        "22", /* data exception */
        "23", /* integrity constraint violation */
        "42", /* syntax error or access rule violation */
    };

    if (strlen(sqlstate) != 5)
        return SQLSTATE_TRANSIENT;
    for (size_t i = 0; i < ARRAY_CT(lasting); i++)
        if (strncmp(sqlstate, lasting[i], 2) == 0)
            return SQLSTATE_DATA;
    return SQLSTATE_TRANSIENT;
}
