/* What ps shows. Uses argv's own room only: environ stays where and as it is. */
#ifndef BASE_PROCTITLE_H
#define BASE_PROCTITLE_H

#include "base/must.h"

void proctitle_init(int argc, char **argv); /* in main(), before argv is read by others */
void proctitle_set(const char *fmt, ...) PRINTF_LIKE(1, 2); /* "drover: " goes in front */

#endif
