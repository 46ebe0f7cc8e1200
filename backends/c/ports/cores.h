/* Runs the parts of a layer on two cores. */
#ifndef TINYC_CORES_H
#define TINYC_CORES_H

/* Computes part 0 or part 1 of a layer on what `context` points to. Neither part reads what the other one writes. */
typedef void (*tinyc_cores_part)(const void *context, int part);

/* Computes both parts of a layer and returns when both are done: part 0 here, and part 1 on the other core unless that
 * one has not been started, or works for another caller.
 */
void tinyc_cores_run(tinyc_cores_part compute, const void *context);

#endif
