// The table of live blocks.

#include "blocks.h"

#include "allocator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t golden_ratio = 0x9E3779B97F4A7C15; // times 2^64

size_t table_position(const struct block_table *table, const void *payload)
{
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)table->blocks[middle].payload < (uintptr_t)payload)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct live_block *table_find(const struct block_table *table, const void *payload)
{
    size_t i = table_position(table, payload);
    return i < table->count && table->blocks[i].payload == payload ? &table->blocks[i] : NULL;
}

// The empty block has an address, which no other may have.
static bool ends_before(const struct live_block *block, const struct live_block *next)
{
    size_t extent = block->extent == 0 ? 1 : block->extent;
    return (uintptr_t)next->payload >= (uintptr_t)block->payload &&
           (uintptr_t)next->payload - (uintptr_t)block->payload >= extent;
}

// A block inside one that is lent belongs to the heap in there.
static bool fits_between(const struct live_block *block, const struct live_block *next)
{
    return ends_before(block, next) || (block->lent && block->heap != next->heap);
}

const char *table_insert(struct block_table *table, struct live_block block)
{
    size_t at = table_position(table, block.payload);
    if (at < table->count && !fits_between(&block, &table->blocks[at]))
        return "the new block reaches into the one after it, or encloses it";
    if (at > 0 && !fits_between(&table->blocks[at - 1], &block))
        return "the new block lies inside another, or begins before that ends";
    if (table->count == table->capacity) {
        table->capacity = 2 * table->capacity + 64;
        table->blocks = realloc(table->blocks, table->capacity * sizeof block);
        if (table->blocks == NULL) {
            perror("realloc");
            exit(2);
        }
    }
    memmove(&table->blocks[at + 1], &table->blocks[at], (table->count - at) * sizeof block);
    table->blocks[at] = block;
    table->count++;
    return NULL;
}

void table_remove(struct block_table *table, struct live_block *block)
{
    size_t at = (size_t)(block - table->blocks);
    table->count--;
    memmove(block, block + 1, (table->count - at) * sizeof *block);
}

// The eight bytes of contents at an index.
static uint64_t word_of(const struct live_block *block, size_t index)
{
    uint64_t word = (block->seed + index) * golden_ratio;
    return word ^ word >> 32;
}

size_t bytes_to_write(size_t asked, size_t extent)
{
    enum { SURPLUS_MAX = 1024 };
    if (MA_MEMORY_CHECKER)
        return asked; // the checkers hide the rest
    return extent - asked > SURPLUS_MAX ? asked + SURPLUS_MAX : extent;
}

void block_fill(const struct live_block *block)
{
    for (size_t i = 0; i < block->written; i += sizeof(uint64_t)) {
        uint64_t word = word_of(block, i / sizeof word);
        size_t rest = block->written - i;
        memcpy(block->payload + i, &word, rest < sizeof word ? rest : sizeof word);
    }
}

bool block_intact(const struct live_block *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        uint64_t word = word_of(block, i / sizeof word);
        size_t rest = bytes - i;
        if (memcmp(block->payload + i, &word, rest < sizeof word ? rest : sizeof word) != 0)
            return false;
    }
    return true;
}
