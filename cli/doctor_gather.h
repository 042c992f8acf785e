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
void doctor_ask_failed(struct facts *facts);

#endif
