/* The meaning of statuses and of Retry-After. Must not know of connections. */
#include "jobs/http_answer.h"

#include <curl/curl.h>

#include "base/text.h"

enum {
    HTTP_REQUEST_TIMEOUT = 408,
    HTTP_GONE = 410,
    HTTP_TOO_EARLY = 425,
    HTTP_TOO_MANY = 429,
    HTTP_UNAVAILABLE = 503
};

enum outcome_kind http_status_kind(int status, bool permanent_4xx)
{
    if (status >= 200 && status < 300)
        return OUTCOME_DONE;
    switch (status) {
    case HTTP_GONE:
        return OUTCOME_FAIL;
    case HTTP_REQUEST_TIMEOUT:
    case HTTP_TOO_EARLY:
    case HTTP_TOO_MANY:
        return OUTCOME_RETRY;
    default:
        break;
    }
    return permanent_4xx && status >= 400 && status < 500 ? OUTCOME_FAIL : OUTCOME_RETRY;
}

bool http_status_is_trouble(int status)
{
    return status >= 500 || status == HTTP_REQUEST_TIMEOUT;
}

bool http_status_waits(int status)
{
    return status == HTTP_TOO_MANY || status == HTTP_UNAVAILABLE;
}

static int64_t capped_ms(int64_t seconds)
{
    int64_t max_s = HTTP_RETRY_AFTER_MAX_MS / 1000;

    if (seconds < 0)
        return 0;
    return (seconds < max_s ? seconds : max_s) * 1000;
}

int64_t http_retry_after_ms(const char *value, int64_t now_s)
{
    int64_t seconds;
    size_t digits;

    while (*value == ' ' || *value == '\t')
        value++;
    for (digits = 0; value[digits] >= '0' && value[digits] <= '9'; digits++)
        ;
    if (digits > 0 && value[digits] == '\0') {
        if (text_integer(value, 0, INT64_MAX, &seconds, NULL) != 0)
            return HTTP_RETRY_AFTER_MAX_MS; /* more digits than a number holds */
        return capped_ms(seconds);
    }
    /* A bare number with something behind it is no date, whatever curl makes of it. */
    seconds = digits > 0 ? -1 : (int64_t)curl_getdate(value, NULL);
    return seconds < 0 ? -1 : capped_ms(seconds - now_s);
}
