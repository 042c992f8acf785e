/* From SQLSTATEs to outcomes. Knows no connection and no payload. */
#include "jobs/sql_verdict.h"

#include <string.h>

#include "base/text.h"
#include "pg/sqlstate.h"

/* Classes, or more of a code, that tell of the server's state and not of a statement, but
 * for what is lasting. */
static const char *const of_the_server[] = {
    "08",  /* connection exception */
    "25",  /* invalid transaction state: a standby, or read only */
    "26",  /* invalid statement name: a pooler lost something */
    "28",  /* invalid authorization */
    "3D",  /* no such database */
    "53",  /* insufficient resources */
    "57P", /* shutting down, starting, recovering */
    "58",  /* system error */
    "F0",  /* configuration file error */
    "XX",  /* internal error */
};

/* What will never work; for it is the statement's own doing. */
static bool is_lasting(const char *sqlstate, bool read_only)
{
    return sqlstate_judge(sqlstate) == SQLSTATE_DATA ||
           (read_only && strcmp(sqlstate, "25006") == 0);
}

bool sql_refusal_is_the_statements(const char *sqlstate, bool read_only)
{
    if (strlen(sqlstate) != 5)
        return false;
    if (is_lasting(sqlstate, read_only))
        return true;
    for (size_t i = 0; i < ARRAY_CT(of_the_server); i++)
        if (strncmp(sqlstate, of_the_server[i], strlen(of_the_server[i])) == 0)
            return false;
    return true;
}

void sql_outcome_refused(struct outcome *outcome, const struct pg_answer *answer,
                         const struct pg_result *refused, bool read_only)
{
    const char *sqlstate = refused ? refused->sqlstate : answer->sqlstate;
    struct buf line;

    buf_init(&line, OUTCOME_REASON_BYTES - 1);
    if (refused) {
        (void)buf_addf(&line, "SQLSTATE %s: ", refused->sqlstate);
        text_escape(&line, slice_text(refused->message));
    } else {
        text_escape(&line, slice_text(answer->why.text));
    }
    outcome_init(outcome, is_lasting(sqlstate, read_only) ? OUTCOME_FAIL : OUTCOME_RETRY,
                 "%s", line.data);
    buf_free(&line);
}

static void add_line(struct buf *out, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    (void)buf_addf(out, "%s: ", name);
    text_escape(out, slice_text(text));
    (void)buf_add_char(out, '\n');
}

void sql_describe(struct buf *out, const char *database, const char *search_path,
                  const struct pg_result *refused)
{
    (void)buf_addf(out, "\ndatabase: %s\n", database);
    add_line(out, "search_path", search_path);
    if (refused == NULL)
        return;
    add_line(out, "SQLSTATE", refused->sqlstate);
    add_line(out, "message", refused->message);
    add_line(out, "detail", refused->detail);
    add_line(out, "hint", refused->hint);
}
