// What libFuzzer calls.

#ifndef MA_FUZZ_TARGET_H
#define MA_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

// NOLINTBEGIN(readability-identifier-naming): the names are libFuzzer's

/// Runs one input. What is wrong aborts.
/// @return 0
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// Sees the command line before the first input.
int LLVMFuzzerInitialize(int *argc, char ***argv);

// NOLINTEND(readability-identifier-naming)

#endif
