/* From a job's name to its entry in the configuration: exact, then glob, longest first.
 */
#ifndef JOBS_MATCH_H
#define JOBS_MATCH_H

#include "config/config.h"

/* Borrowed from `config`; NULL: no entry. Of equally long globs the first listed counts.
 */
const struct job_config *job_match(const struct config *config, const char *name);

#endif
