// The model: what heaps should do, beside what they do. README.md describes it.

#ifndef MA_MODEL_MODEL_H
#define MA_MODEL_MODEL_H

#include "blocks.h"
#include "operation.h"

#include "allocator.h"

enum { PROBLEM_MAX = 200 };

/// How a sequence ended.
struct outcome {
    size_t step; ///< the operation that was the last
    char problem[PROBLEM_MAX]; ///< what was wrong then; "": nothing
};

/// How to run one.
struct setup {
    int stage;
    bool thorough; ///< look at every block of every heap after each operation
};

/// Runs operations on heaps, and compares the heaps with the model after each.
/// @param outcome zero at first; it is kept up to date, so that it tells the step even after a crash
/// @return whether all was well
bool model_run(const struct setup *setup, struct operation_list *list, struct outcome *outcome);

/// Runs operations on one heap, and compares each address with a prediction (stages 3 and 4).
bool placement_run(const struct setup *setup, struct operation_list *list, struct outcome *outcome);

/// Memory for a heap whose first block begins at offset 0 or 8 of a multiple of 64 KiB, as in the
/// heap maps: a script's addresses are those of its pictures.
/// @param bookkeeping set to the bytes before offset 0 that the heap needs
/// @param reserve bytes from offset 0 on
/// @return the heap's first byte
char *memory_for_heap_0(size_t *bookkeeping, size_t reserve);

/// Ends a heap without its warning of live blocks.
size_t destroy_quietly(struct ma_heap *heap);

// --- between model.c and look.c ------------------------------------------------------------------

enum heap_kind { HEAP_NONE, HEAP_DEFAULT, HEAP_CREATED, HEAP_IN_ARRAY, HEAP_IN_BLOCK };

/// A heap at one moment.
struct snapshot {
    struct ma_stats stats;
    uint64_t hash; ///< of all blocks' places, sizes and states
};

struct model_heap {
    enum heap_kind kind;
    struct ma_heap *heap;
    size_t live_blocks;
    size_t live_bytes; ///< their extents
    bool used; ///< it has given out a block
    char *memory; ///< NULL: not the caller's
    size_t size; ///< of that memory; the region
    size_t reserve; ///< bytes that the region may come to
    void *mapping; ///< that holds all this, or NULL
    size_t mapped;
    char *host; ///< the payload of the block that it lies in, or NULL
    struct snapshot last; ///< after the last operation on it
};

struct slot {
    char *payload; ///< NULL: the program got NULL, or has nothing
};

struct model {
    struct setup setup;
    struct outcome *outcome;
    struct model_heap heaps[HEAP_COUNT];
    struct block_table table;
    struct slot *slots;
    size_t slot_count;
    uint64_t seeds; ///< contents given out
    size_t page;
};

/// Notes what is wrong, unless something was before. Always false.
bool fail(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

/// Compares a heap with the model: invariants, statistics, walk. Leaves the snapshot in last.
bool look_at_heap(struct model *model, size_t heap);

/// Whether a heap may refuse a request.
/// @param bytes of payload
/// @param alignment of an aligned_alloc; else 0
bool may_refuse(const struct model *model, size_t heap, size_t bytes, size_t alignment);

/// Whether the operation that was refused left the heap as it was.
bool look_unchanged(struct model *model, size_t heap);

#endif
