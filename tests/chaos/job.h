/* The program that drover's jobs run: chaos itself, as `chaos job DIR HOST KIND N MS
 * FAILS`. */
#ifndef CHAOS_JOB_H
#define CHAOS_JOB_H

int job_main(int argc, char **argv); /* the words after "job"; returns the exit status */

#endif
