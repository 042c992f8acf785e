/* What an SQLSTATE means for a statement that was refused. Pure. */
#ifndef PG_SQLSTATE_H
#define PG_SQLSTATE_H

enum sqlstate_kind {
    SQLSTATE_TRANSIENT, /* the same statement may go well later: try again */
    SQLSTATE_DATA       /* it is this statement or its values: it never will */
};

/* `sqlstate` is five characters; anything else, "" too, counts as transient. */
enum sqlstate_kind sqlstate_judge(const char *sqlstate);

#endif
