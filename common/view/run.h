// Runs the statements of a script on a heap in static memory.

#ifndef MA_VIEW_RUN_H
#define MA_VIEW_RUN_H

#include "script.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RUN_SIZE_MIN = 8 * 1024, // bytes for blocks; MA_HEAP_MIN
    RUN_SIZE_MAX = 16 * 1024 * 1024,
    RUN_NOTE_MAX = 160, // bytes of the longest note, its final zero included
};

struct variable {
    char *pointer; ///< what the heap returned last
    size_t asked; ///< bytes asked for
    bool live; ///< the program still owns the block; NULL is not live
};

struct run {
    const struct script *script;
    struct ma_heap *heap;
    uintptr_t origin; ///< the address at offset 0
    size_t size; ///< bytes from there to the end of the region
    struct variable *variables; ///< one for each name of the script
};

/// Makes the heap. Its first block begins at offset 0 (or 8, where headers come first, so that
/// payloads lie at multiples of 16), whatever the heap's bookkeeping takes before it; offset 0
/// lies at a multiple of 64 KiB.
/// @param size bytes from offset 0 to the end of the region, RUN_SIZE_MIN ... RUN_SIZE_MAX
/// @return false if memory for the variables is missing; nothing is to be freed then
bool run_begin(struct run *run, const struct script *script, size_t size);

/// Runs one statement.
/// @param note set to what is worth saying about it, or to ""
void run_statement(struct run *run, const struct script_statement *statement,
                   char note[RUN_NOTE_MAX]);

/// Bytes from the heap's origin to a pointer into it.
size_t run_offset(const struct run *run, const void *pointer);

void run_end(struct run *run);

#endif
