/// @file
/// What the programs of this folder share: checks that are counted, contents to verify.

#ifndef MA_FAULTS_H
#define MA_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Counts a check, from any thread; writes "fails: what" if it does not hold.
void expect(bool holds, const char *what);

/// Writes how many checks there were and what else a program wants to tell.
/// @return the exit status: 0 if there was a check and none failed
int report(const char *remark);

/// Whether there was a check and none failed.
bool all_hold(void);

/// The stage, which is a program's first argument; ends the program if there is none.
int stage_from(int count, char **arguments);

/// Marks the first and the last bytes of a block, by a pattern that depends on seed.
void mark(void *block, size_t size, unsigned seed);

/// Whether those marks are still there.
bool is_marked(const void *block, size_t size, unsigned seed);

/// A number below bound; *state must not be 0 (Marsaglia's xorshift).
size_t random_below(uint64_t *state, size_t bound);

/// Runs body in a child, which counts its own checks.
/// @return whether the child exited with 0 in time
bool child_succeeds(int (*body)(void));

/// Whether the process, when it ends, exits with 0 within a minute; otherwise it is killed.
bool ends_well(pid_t process);

/// Whether an object whose path ends with name is in the memory of this process.
bool is_loaded(const char *name);

/// Bytes of memory that this process has (Linux only); ends the program if they are not known.
size_t resident_bytes(void);

#endif
