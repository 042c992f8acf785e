/* Prints what is kept in the tree but written from the table of settings; `make
 * update-settings` puts it in place. Not installed.
 *
 *   generate-settings sample             config/drover.conf
 *   generate-settings manual FILE        FILE (docs/drover.conf.5) with its list renewed
 */
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "config/sample.h"
#include "config/source.h"

static const char begin_mark[] = ".\\\" settings begin\n";
static const char end_mark[] = ".\\\" settings end\n";

static int print_manual(const char *path, struct buf *out)
{
    struct buf page;
    struct err err = {0};
    const char *begin, *end;
    int rc = -1;

    buf_init(&page, 0);
    if (source_read_file(path, SOURCE_BYTES_MAX, &page, &err) == 0) {
        begin = strstr(page.data, begin_mark);
        end = begin ? strstr(begin, end_mark) : NULL;
        if (end) {
            begin += strlen(begin_mark);
            (void)buf_add(out, page.data, (size_t)(begin - page.data));
            sample_write_manual(out);
            (void)buf_add_text(out, end);
            rc = 0;
        }
    }
    if (rc != 0)
        fprintf(stderr, "%s: %s\n", path, err.code ? err.text : "has no marks");
    buf_free(&page);
    return rc;
}

int main(int argc, char **argv)
{
    struct buf out;
    int rc = 0;

    buf_init(&out, 0);
    if (argc == 2 && strcmp(argv[1], "sample") == 0) {
        sample_write(&out);
    } else if (argc == 3 && strcmp(argv[1], "manual") == 0) {
        rc = print_manual(argv[2], &out);
    } else {
        fprintf(stderr, "usage: generate-settings sample | manual FILE\n");
        rc = -1;
    }
    if (rc == 0 && fwrite(out.data, 1, out.len, stdout) != out.len)
        rc = -1;
    if (fflush(stdout) != 0)
        rc = -1;
    buf_free(&out);
    return rc == 0 ? 0 : 1;
}
