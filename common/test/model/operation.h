// Operations on heaps: what a random sequence, a fuzzer's bytes and a heap script all come down to.
// README.md says how a script writes those that have no word of their own.

#ifndef MA_MODEL_OPERATION_H
#define MA_MODEL_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    HEAP_COUNT = 6, // heaps at once; heap 0 lies in an array and is there without being asked for
    HEAP_0_SIZE = 8192, // bytes for its blocks, as in the heap maps
    HEAP_0_SIZE_MAX = 16 * 1024 * 1024, // likewise
    RANDOM_SLOTS = 100, // names that random sequences use
};

enum operation_kind {
    OP_MALLOC,
    OP_CALLOC,
    OP_ALIGNED_ALLOC,
    OP_REALLOC,
    OP_FREE,
    OP_WRITE, ///< a block gets other contents
    OP_HEAP_DEFAULT, ///< heap is the default heap
    OP_HEAP_CREATE, ///< heap is made by ma_heap_create
    OP_HEAP_INIT, ///< heap is made by ma_heap_init, in an array
    OP_HEAP_INSIDE, ///< heap is made by ma_heap_init, in the block that subject names
    OP_HEAP_EXTEND,
    OP_HEAP_DESTROY,
};

/// What became of an operation. A correct program does not free twice, or use a heap that is gone:
/// such operations, which shrinking produces, are left out.
enum operation_effect {
    OP_LEFT_OUT,
    OP_DONE,
    OP_DONE_WITH_NULL, ///< a realloc or free whose name held no block
};

struct operation {
    uint8_t kind; ///< enum operation_kind
    uint8_t effect; ///< enum operation_effect; set when it is run
    uint8_t heap; ///< below HEAP_COUNT
    uint32_t target; ///< the name that gets the result
    uint32_t subject; ///< the name of the block that is used
    size_t numbers[2]; ///< calloc: count, size; aligned_alloc: alignment, size; else: bytes
};

/// The size that an operation asks for; its last number.
size_t operation_size(const struct operation *operation);

/// Where choices come from: bytes, or a generator of random numbers.
struct choices {
    const uint8_t *bytes; ///< NULL: random
    size_t length;
    uint64_t random;
};

/// Makes sensible operations out of choices.
struct generator {
    struct choices choices;
    bool one_heap; ///< heap 0 only
    bool named[RANDOM_SLOTS]; ///< probably holds a block
    bool large[RANDOM_SLOTS]; ///< a heap could lie in it
    bool large_sizes; ///< megabytes are asked for, for now
    bool shrinking; ///< frees outnumber requests for now
};

/// A list of operations that a forked child shares with its parent.
struct operation_list {
    struct operation *operations;
    size_t count;
    size_t capacity;
};

/// Ends the program if there is no memory.
struct operation_list list_create(size_t capacity);
void list_append(struct operation_list *list, struct operation operation);
void list_destroy(struct operation_list *list);

/// Appends operations, until there are most of them or no more bytes. The first may say how large heap 0
/// is: a request to make it.
void list_generate(struct operation_list *list, struct generator *generator, size_t most);

/// Bytes for the blocks of heap 0, which the first operation may say.
size_t list_heap_0_size(const struct operation_list *list);

/// One more than the largest name.
size_t list_names(const struct operation_list *list);

/// Reads a heap script; false if it is none, which one line on standard error says.
bool list_read_script(struct operation_list *list, const char *file);

/// Writes the operations that were not left out as a heap script.
void list_write_script(const struct operation_list *list, FILE *to);

#endif
