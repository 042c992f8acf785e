/* What is said of an outage of the table: each kind of refusal once, and the end. */
#include "failed/trouble.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

bool trouble_is_of_record(const char *sqlstate)
{
    static const char *const classes[] = {
        "22", /* data exception: too long for a column */
        "23", /* integrity constraint violation: a check of the table's owner */
        "54", /* program limit exceeded: too large for an index */
    };

    for (size_t i = 0; i < ARRAY_CT(classes); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return false;
}

const char *trouble_advice(const char *sqlstate)
{
    static const struct {
        const char *sqlstate, *advice;
    } table[] = {
        {"42P01", "drover failed migrate"},
        {"42703", "drover failed migrate tells which column is not as it must be"},
        {"23502", "drover failed migrate tells which column is not as it must be"},
        {"42P10", "the table needs a unique index on uuid"},
        {"42501", "grant SELECT and INSERT on the table and USAGE on its sequence"},
        {"25006", "connect to a server that takes writes"},
        {"53100", "free disk space on the server"},
    };

    for (size_t i = 0; i < ARRAY_CT(table); i++)
        if (strcmp(table[i].sqlstate, sqlstate) == 0)
            return table[i].advice;
    return NULL;
}

static bool was_told(struct trouble *trouble, const char *sqlstate)
{
    for (unsigned i = 0; i < trouble->told_ct; i++)
        if (strcmp(trouble->told[i], sqlstate) == 0)
            return true;
    if (trouble->told_ct == TROUBLE_SQLSTATES_MAX)
        return true;
    (void)snprintf(trouble->told[trouble->told_ct++], sizeof(trouble->told[0]), "%s",
                   sqlstate);
    return false;
}

static void tell_unknown(struct trouble *trouble, const struct trouble_report *report)
{
    if (trouble->told_unknown)
        return;
    trouble->told_unknown = true;
    log_warning("outbox.unsure", log_str("reason", report->reason),
                log_int("records", report->records));
}

void trouble_begin(struct trouble *trouble, enum trouble_kind kind,
                   const struct trouble_report *report)
{
    if (trouble->began_at_ms == 0)
        trouble->began_at_ms = clock_mono_ms();
    if (kind == TROUBLE_UNKNOWN)
        tell_unknown(trouble, report);
    else if (!was_told(trouble, report->sqlstate))
        log_error("outbox.stuck", log_str("sqlstate", report->sqlstate),
                  log_str("reason", report->reason),
                  log_str("do", trouble_advice(report->sqlstate)));
}

void trouble_end(struct trouble *trouble)
{
    if (trouble->began_at_ms)
        log_info("outbox.flows",
                 log_int("stuck_ms", clock_mono_ms() - trouble->began_at_ms));
    *trouble = (struct trouble){0};
}

void trouble_too_long(struct trouble_too_long *too_long, const char *uuid,
                      int64_t payload_bytes)
{
    char *place = too_long->told[too_long->told_ct % TROUBLE_TOO_LONG_MAX];

    for (size_t i = 0; i < TROUBLE_TOO_LONG_MAX; i++)
        if (strcmp(too_long->told[i], uuid) == 0)
            return;
    (void)snprintf(place, sizeof(too_long->told[0]), "%s", uuid);
    too_long->told_ct++;
    log_error("outbox.too_long", log_str("uuid", uuid),
              log_int("payload_bytes", payload_bytes),
              log_str("do", "drover failed show, then retry it under a larger "
                            "max_payload, or forget it"));
}
