/* Says of each text on stdin what the scanner makes of it, for against_python.py.
 *
 * In: four bytes of length, big-endian, then the text; again and again. Out: a line each:
 * "bad", or "json KIND" with the job's name in hexadecimal where the text is a payload
 * that has one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/payload.h"

enum { TEXT_BYTES_MAX = 1 << 20 };

static bool read_text(char *text, size_t *len)
{
    unsigned char head[4];

    if (fread(head, 1, sizeof(head), stdin) != sizeof(head))
        return false;
    *len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    MUST(*len <= TEXT_BYTES_MAX);
    return fread(text, 1, *len, stdin) == *len;
}

static void print_name(struct slice raw)
{
    char name[PAYLOAD_NAME_MAX + 1];
    struct payload p;

    if (payload_scan(&p, raw, NULL) != 0 ||
        payload_name(&p, name, sizeof(name), NULL) != 0)
        return;
    (void)putchar(' ');
    for (const char *at = name; *at; at++)
        (void)printf("%02x", (unsigned)(unsigned char)*at);
}

static void print_verdict(struct slice raw)
{
    struct json_reader reader;
    struct json_value top;

    json_open(&reader, raw);
    if (json_read_value(&reader, &top, NULL) != 0 || json_read_end(&reader, NULL) != 0) {
        (void)puts("bad");
        return;
    }
    (void)printf("json %d", (int)top.kind);
    print_name(raw);
    (void)putchar('\n');
}

int main(void)
{
    char *text = must_alloc(TEXT_BYTES_MAX);
    size_t len;

    while (read_text(text, &len))
        print_verdict(slice_of(text, len));
    free(text);
    return EXIT_SUCCESS;
}
