/* Reading answers within bounds. Nothing is decoded: no encoding is asked for, so what
 * comes is what was sent, and a small body cannot grow.
 */
#include "jobs/http_response.h"

#include <string.h>

#include "base/text.h"

void http_response_init(struct http_response *response, uint64_t body_max_bytes)
{
    *response = (struct http_response){.body_max_bytes = body_max_bytes};
    buf_init(&response->head, HTTP_HEAD_KEEP_BYTES);
    buf_init(&response->body, HTTP_BODY_KEEP_BYTES);
}

void http_response_clear(struct http_response *response)
{
    buf_clear(&response->head);
    buf_clear(&response->body);
    response->head_bytes = 0;
    response->head_ended = false;
    response->body_bytes = 0;
    response->capped = false;
    response->head_capped = false;
}

void http_response_free(struct http_response *response)
{
    buf_free(&response->head);
    buf_free(&response->body);
}

/* Adds as much as there is room for. */
static void keep(struct buf *buf, const char *bytes, size_t len)
{
    size_t room = buf->max - buf->len;

    (void)buf_add(buf, bytes, len < room ? len : room);
}

/* Called once a line. A status line begins an answer: 1xx ones come before the real one.
 */
static size_t take_header(char *bytes, size_t size, size_t ct, void *arg)
{
    struct http_response *response = arg;
    size_t len = size * ct;

    response->head_bytes += len;
    if (response->head_bytes > HTTP_HEAD_MAX_BYTES) {
        response->head_capped = true;
        return 0;
    }
    if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
        buf_clear(&response->head);
    response->head_ended = bytes[0] == '\r' || bytes[0] == '\n';
    keep(&response->head, bytes, len);
    return len;
}

static size_t take_body(char *bytes, size_t size, size_t ct, void *arg)
{
    struct http_response *response = arg;
    size_t len = size * ct;

    keep(&response->body, bytes, len);
    response->body_bytes += len;
    response->capped = response->body_bytes > response->body_max_bytes;
    return response->capped ? 0 : len;
}

void http_response_hook(struct http_response *response, CURL *easy)
{
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, response);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, response);
}

/* Line by line: text_escape() would show newlines as \x0A. */
static void add_lines(struct buf *out, struct slice text)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        size_t shown = len > 0 && text.ptr[len - 1] == '\r' ? len - 1 : len;

        text_escape(out, slice_of(text.ptr, shown));
        (void)buf_add_char(out, '\n');
        len += end != NULL;
        text = slice_of(text.ptr + len, text.len - len);
    }
}

void http_response_describe(const struct http_response *response, struct buf *out)
{
    if (response->head.len > 0) {
        (void)buf_add_text(out, "\nresponse:\n");
        add_lines(out, buf_slice(&response->head));
    }
    if (response->body.len == 0)
        return;
    if (response->body.len < response->body_bytes)
        (void)buf_addf(out, "\nbody (the first %zu of %llu bytes%s):\n",
                       response->body.len, (unsigned long long)response->body_bytes,
                       response->capped ? " that were read" : "");
    else
        (void)buf_add_text(out, "\nbody:\n");
    add_lines(out, buf_slice(&response->body));
}
