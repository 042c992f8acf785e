/* Memory of a process, from /proc/PID/smaps_rollup, in KiB. Where growth is the question
 * only the anonymous is to be compared: of pages of files the page cache decides. And not
 * in a sanitized build, whose memory is not ours (sanitized.h).
 */
#ifndef SUPPORT_MEMORY_H
#define SUPPORT_MEMORY_H

#include <sys/types.h>

long memory_private_kib(pid_t pid);   /* clean and dirty, of files too */
long memory_anonymous_kib(pid_t pid); /* without pages of files */

#endif
