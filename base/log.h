/* The log: one line per event on stderr, logfmt or JSON.
 *
 *   log_info("worker.start", log_str("pool", name), log_int("slot", 2));
 *
 * The first argument is the event, a fixed dotted name (docs/ lists them), never
 * outside data. Keys are fixed, values are escaped (control bytes, invalid UTF-8,
 * bidi marks become \xNN), cut at LOG_FIELD_BYTES each; the whole line stays within
 * PIPE_BUF so that processes sharing a pipe never mix lines. Writing never blocks:
 * where stderr takes no more, lines are dropped, and counted in the next that fits.
 * Levels: error = somebody must act; warning = degraded, drover is retrying;
 * info = life cycle and finished jobs; debug = the rest.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/buf.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };
enum { LOG_FIELD_BYTES = 1024 };

struct log_field {
    const char *key;
    enum { LOG_SKIP, LOG_TEXT, LOG_NUMBER, LOG_FLAG } kind;
    struct slice text;
    int64_t number;
};

/* Makers of fields; what they point to is borrowed until the call returns. */
struct log_field log_str(const char *key, const char *text);    /* NULL: left out */
struct log_field log_slice(const char *key, struct slice text); /* absent: left out */
struct log_field log_int(const char *key, int64_t number);
struct log_field log_opt(const char *key, int64_t number); /* below 0: left out */
struct log_field log_bool(const char *key, bool flag);

#define log_debug(event, ...) log_at(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...) log_at(LOG_INFO, event, __VA_ARGS__)
#define log_warning(event, ...) log_at(LOG_WARNING, event, __VA_ARGS__)
#define log_error(event, ...) log_at(LOG_ERROR, event, __VA_ARGS__)
/* The fields are not even made where the level is not wanted. */
#define log_at(level, event, ...)                                                        \
    (log_is_on(level) ? log_write(level, event, (const struct log_field[]){__VA_ARGS__}, \
                                  sizeof((const struct log_field[]){__VA_ARGS__}) /      \
                                      sizeof(struct log_field))                          \
                      : (void)0)

bool log_is_on(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t field_ct);

/* For the whole process; `who` ("supervisor", "main/0") is copied. */
void log_setup(enum log_level least, enum log_format format);
void log_identity(const char *who);

/* Appends what log_write() would write, newline included: the pure part, for tests. */
void log_render(struct buf *out, enum log_format format, int64_t wall_ms,
                enum log_level level, const char *who, const char *event,
                const struct log_field *fields, size_t field_ct);

#endif
