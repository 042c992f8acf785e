/* The status document as Prometheus reads it (text format 0.0.4): one sample a line, each
 * family with its HELP and TYPE. Names begin with drover_, values are in seconds and
 * bytes; labels come from the configuration alone (pools, queues) or from fixed words, so
 * that no job can make a series.
 */
#ifndef STATUS_METRICS_H
#define STATUS_METRICS_H

#include <jansson.h>

#include "base/buf.h"

/* Appends the metrics of a document as status_document() makes it; what is null there has
 * no sample here. Pure. */
void metrics_text(const json_t *document, struct buf *out);

#endif
