#ifndef TINYC_UNSCHEDULED_H
#define TINYC_UNSCHEDULED_H

/* Register tiles just fit the registers of RISC-V. GCC spills them, and takes up to half as many instructions again,
 * when it loads everything before the first product (scheduling, and the replacement of temporaries by trees), groups
 * sums anew, carries values from one turn of a loop to the next, or gives registers to loops one by one. From here to
 * the end of the file it does none of this, whatever options it is called with.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2,no-tree-reassoc,no-schedule-insns,no-tree-ter,no-tree-pre")
#pragma GCC optimize("no-predictive-commoning,ira-region=one")
#endif

#endif
