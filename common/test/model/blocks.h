// The blocks that should be live, in the order of their addresses, and what they should contain.

#ifndef MA_MODEL_BLOCKS_H
#define MA_MODEL_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live_block {
    char *payload;
    size_t asked; ///< bytes
    size_t extent; ///< bytes that may be used: at least asked
    size_t written; ///< bytes that have contents: what was asked for, and some or all of the rest
    uint64_t seed; ///< of the contents
    size_t heap;
    bool lent; ///< a heap lies inside it: its contents are not looked at
};

/// Sorted by payload. Blocks that overlap do not get in: so those that are in never do.
struct block_table {
    struct live_block *blocks;
    size_t count;
    size_t capacity;
};

/// The index of the block with this payload, or of the first one behind it.
size_t table_position(const struct block_table *table, const void *payload);

/// The block with this payload, or NULL.
struct live_block *table_find(const struct block_table *table, const void *payload);

/// @return NULL, or what is wrong with the new block
const char *table_insert(struct block_table *table, struct live_block block);

void table_remove(struct block_table *table, struct live_block *block);

/// Writes contents that follow from block->seed.
void block_fill(const struct live_block *block);

/// The bytes of a block to write: all of them; where stage 2 gives far more than was asked for, some.
size_t bytes_to_write(size_t asked, size_t extent);

/// Whether the first bytes of a block are as block_fill wrote them.
bool block_intact(const struct live_block *block, size_t bytes);

#endif
