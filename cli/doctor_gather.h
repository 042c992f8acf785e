/* Finding out the facts for `drover doctor`: asks, waits with deadlines, changes nothing.
 */
#ifndef CLI_DOCTOR_GATHER_H
#define CLI_DOCTOR_GATHER_H

#include "cli/doctor.h"

/* The Redis of `endpoint` under `prefix`: facts->redis and what follows from it. */
void doctor_ask_redis(struct facts *facts, const struct redis_endpoint *endpoint,
                      const char *prefix);

/* What facts->config names on this machine and in PostgreSQL. */
void doctor_ask_machine(struct facts *facts);
void doctor_ask_databases(struct facts *facts);

/* The table of failed jobs in PostgreSQL. */
void doctor_ask_failed(struct facts *facts, const struct postgres_endpoint *endpoint);

/* The application in `path`; where that is NULL in the working directory, else the first
 * that facts->config names; none of them is fine. Boots it, and fills facts->app. The
 * configuration that `drover work` would run it with, the caller's, or NULL. */
struct config *doctor_ask_app(struct facts *facts, const char *path) MUSTCHECK;

#endif
