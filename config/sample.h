/* What is written from the table of settings: the sample file and the manual's list. */
#ifndef CONFIG_SAMPLE_H
#define CONFIG_SAMPLE_H

#include "base/buf.h"
#include "config/settings.h"

/* drover.conf with every setting, commented out, at its default: "# prose" and
 * "#setting = value;", so that taking away "#" makes a setting of a line. */
void sample_write(struct buf *out);

/* The settings part of docs/drover.conf.5, in mdoc. */
void sample_write_manual(struct buf *out);

/* Appends the default in the file's syntax, else the example. */
void sample_value(const struct setting *setting, struct buf *out);

#endif
