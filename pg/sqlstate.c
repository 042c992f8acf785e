/* Telling the refusals that pass from those that stay, by the SQLSTATE. Pure. Whatever is
 * not known to stay is tried again: connections (08), a server that is read-only (25006),
 * locks and deadlocks (40, 55), resources (53, and 54000, which is a server out of
 * transaction numbers too), an operator's doing (57), what functions raise (P0), defects
 * (XX).
 */
#include "pg/sqlstate.h"

#include <stddef.h>
#include <string.h>

#include "base/must.h"

enum sqlstate_kind sqlstate_judge(const char *sqlstate)
{
    static const char *const lasting[] = {
        "08P01", /* the statement has not as many parameters as it was given */
        "0A",    /* feature not supported */
        "0B",    /* invalid transaction initiation */
        "10",    /* XQuery error */
        "20",    /* case not found */
        "21",    /* cardinality violation */
        "22",    /* data exception */
        "23",    /* integrity constraint violation */
        "24",    /* invalid cursor state */
        "25001", /* it cannot be in a transaction: VACUUM */
        "27",    /* triggered data change violation */
        "2D",    /* invalid transaction termination: a procedure's COMMIT */
        "2F",    /* SQL routine exception */
        "34",    /* invalid cursor name */
        "39",    /* external routine invocation exception */
        "3B",    /* savepoint exception */
        "3F",    /* invalid schema name */
        "42",    /* syntax error or access rule violation */
        "44",    /* WITH CHECK OPTION violation */
        "54001", /* statement too complex */
        "54011", /* too many columns */
        "54023", /* too many arguments */
        "55P02", /* cannot change a parameter of the server */
    };

    if (strlen(sqlstate) != 5)
        return SQLSTATE_TRANSIENT;
    for (size_t i = 0; i < ARRAY_CT(lasting); i++)
        if (strncmp(sqlstate, lasting[i], strlen(lasting[i])) == 0)
            return SQLSTATE_DATA;
    return SQLSTATE_TRANSIENT;
}
