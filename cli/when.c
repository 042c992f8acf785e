/* Reading points in time. Digits are read by hand: strptime() depends on the locale and
 * takes more than is meant. */
#include "cli/when.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

struct cursor {
    const char *at;
    bool bad;
};

/* Exactly `digits` digits, at most `max`. */
static int take_number(struct cursor *cursor, int digits, int min, int max)
{
    int number = 0;

    for (int i = 0; i < digits && !cursor->bad; i++) {
        if (!isdigit((unsigned char)*cursor->at))
            cursor->bad = true;
        else
            number = number * 10 + (*cursor->at++ - '0');
    }
    if (number < min || number > max)
        cursor->bad = true;
    return number;
}

static void take_char(struct cursor *cursor, const char *allowed)
{
    if (*cursor->at == '\0' || strchr(allowed, *cursor->at) == NULL)
        cursor->bad = true;
    else
        cursor->at++;
}

static int64_t take_fraction_ms(struct cursor *cursor)
{
    int64_t ms = 0, unit = 100;

    if (*cursor->at != '.')
        return 0;
    cursor->at++;
    if (!isdigit((unsigned char)*cursor->at))
        cursor->bad = true;
    for (; isdigit((unsigned char)*cursor->at); cursor->at++, unit /= 10)
        ms += (*cursor->at - '0') * unit;
    return ms;
}

/* "Z" or "+02:00", as milliseconds to take off. */
static int64_t take_zone_ms(struct cursor *cursor)
{
    int sign, hours, minutes;

    if (*cursor->at == 'Z' || *cursor->at == 'z') {
        cursor->at++;
        return 0;
    }
    sign = *cursor->at == '-' ? -1 : 1;
    take_char(cursor, "+-");
    hours = take_number(cursor, 2, 0, 23);
    take_char(cursor, ":");
    minutes = take_number(cursor, 2, 0, 59);
    return sign * (hours * 3600LL + minutes * 60LL) * 1000;
}

static bool parse_instant(const char *text, int64_t *at_ms)
{
    struct cursor cursor = {.at = text};
    struct tm tm = {0}, check;
    int64_t ms = 0;

    tm.tm_year = take_number(&cursor, 4, 1970, 9999) - 1900;
    take_char(&cursor, "-");
    tm.tm_mon = take_number(&cursor, 2, 1, 12) - 1;
    take_char(&cursor, "-");
    tm.tm_mday = take_number(&cursor, 2, 1, 31);
    if (!cursor.bad && *cursor.at != '\0') {
        take_char(&cursor, "Tt ");
        tm.tm_hour = take_number(&cursor, 2, 0, 23);
        take_char(&cursor, ":");
        tm.tm_min = take_number(&cursor, 2, 0, 59);
        take_char(&cursor, ":");
        tm.tm_sec = take_number(&cursor, 2, 0, 60);
        ms = take_fraction_ms(&cursor);
        ms -= take_zone_ms(&cursor);
    }
    if (cursor.bad || *cursor.at != '\0')
        return false;
    check = tm;
    *at_ms = (int64_t)timegm(&check) * 1000 + ms;
    return check.tm_mday == tm.tm_mday; /* no 30th of February */
}

int when_parse(const char *text, int64_t now_ms, int64_t *at_ms, struct err *err)
{
    int64_t ago_ms;

    if (text_duration(text, &ago_ms, NULL) == 0) {
        *at_ms = ago_ms < now_ms ? now_ms - ago_ms : 0;
        return 0;
    }
    if (parse_instant(text, at_ms))
        return 0;
    return err_set(err, ERR_USAGE,
                   "%s is no time: give a duration before now (90, 2h, 7d) or one like "
                   "2026-11-21T11:44:09Z",
                   text);
}
