// Writes beyond a block's end, and before its beginning.

#include "probe.h"

enum { X = 0x41 };

// Writes behind the block, into the next one.
static void overflow(const struct probe *probe, size_t size)
{
    forget(row[RIGHT]); // its contents suffer, or its header
    spoil(row[BLOCK] + size, probe->value, (size_t)probe->bytes);
}

static void found_by_free(const struct probe *probe, size_t size)
{
    overflow(probe, size);
    give(row[BLOCK]);
}

static void found_by_realloc(const struct probe *probe, size_t size)
{
    overflow(probe, size);
    forget(row[BLOCK]);
    keep(realloc(row[BLOCK], 4 * size), 4 * size);
}

static void found_by_the_neighbour(const struct probe *probe, size_t size)
{
    overflow(probe, size);
    free(row[RIGHT]);
}

static void found_by_the_neighbours_realloc(const struct probe *probe, size_t size)
{
    overflow(probe, size);
    keep(realloc(row[RIGHT], 4 * size), 4 * size);
}

static void found_by_the_one_before(const struct probe *probe, size_t size)
{
    overflow(probe, size);
    give(row[LEFT]);
    give(row[BLOCK]);
}

// The next block is free when it is overwritten.
static void into_a_freed_block(const struct probe *probe, size_t size)
{
    free(row[RIGHT]);
    overflow(probe, size);
    take(size);
    give(row[BLOCK]);
}

// Behind it, the next block from the top will begin.
static void overflow_the_last_block(const struct probe *probe, size_t size)
{
    name_address("top", row[ROW - 1] + size + 8);
    spoil(row[ROW - 1] + size, probe->value, (size_t)probe->bytes);
}

static void of_the_last_block(const struct probe *probe, size_t size)
{
    overflow_the_last_block(probe, size);
    give(row[ROW - 1]);
}

// The memory behind the last block is written before anybody has it. calloc must still give zeros.
static void then_calloc(const struct probe *probe, size_t size)
{
    overflow_the_last_block(probe, size);
    for (int i = 0; i < ROW; i++)
        take_zeroed(size);
}

const struct probe overflows[] = {
    {"overflow.by-1-then-free", found_by_free, ALL, 1, X},
    {"overflow.by-8-then-free", found_by_free, ALL, 8, X},
    {"overflow.by-16-then-free", found_by_free, ALL, 16, X},
    {"overflow.by-64-then-free", found_by_free, ALL, 64, X},
    {"overflow.by-1-then-free-neighbour", found_by_the_neighbour, ALL, 1, X},
    {"overflow.by-8-then-free-neighbour", found_by_the_neighbour, ALL, 8, X},
    {"overflow.by-16-then-free-neighbour", found_by_the_neighbour, ALL, 16, X},
    {"overflow.by-64-then-free-neighbour", found_by_the_neighbour, ALL, 64, X},
    {"overflow.by-1-zero-then-free", found_by_free, UP_TO_LARGE, 1, 0},
    {"overflow.by-1-zero-then-free-neighbour", found_by_the_neighbour, UP_TO_LARGE, 1, 0},
    {"overflow.by-8-zeros-then-free-neighbour", found_by_the_neighbour, UP_TO_LARGE, 8, 0},
    {"overflow.by-8-then-realloc", found_by_realloc, ALL, 8, X},
    {"overflow.by-8-then-realloc-neighbour", found_by_the_neighbours_realloc, ALL, 8, X},
    {"overflow.by-8-then-free-both", found_by_the_one_before, UP_TO_LARGE, 8, X},
    {"overflow.by-8-into-a-freed-block", into_a_freed_block, UP_TO_LARGE, 8, X},
    {"overflow.by-16-into-a-freed-block", into_a_freed_block, UP_TO_LARGE, 16, X},
    {"overflow.by-64-into-a-freed-block", into_a_freed_block, UP_TO_LARGE, 64, X},
    {"overflow.by-8-of-the-last-block", of_the_last_block, UP_TO_LARGE, 8, X},
    {"overflow.by-64-of-the-last-block", of_the_last_block, UP_TO_LARGE, 64, X},
    {"overflow.by-64-of-the-last-block-then-calloc", then_calloc, UP_TO_LARGE, 64, X},
    {NULL, NULL, 0, 0, 0},
};

// Writes before the block.
static void underflow(const struct probe *probe, size_t size)
{
    (void)size;
    spoil(row[BLOCK] - probe->bytes, probe->value, (size_t)probe->bytes);
    refill(row[LEFT]); // its last bytes may have been hit
}

static void under_then_free(const struct probe *probe, size_t size)
{
    underflow(probe, size);
    give(row[BLOCK]);
}

static void under_then_free_the_one_before(const struct probe *probe, size_t size)
{
    underflow(probe, size);
    forget(row[BLOCK]);
    give(row[LEFT]);
}

static void under_then_realloc(const struct probe *probe, size_t size)
{
    underflow(probe, size);
    forget(row[BLOCK]);
    keep(realloc(row[BLOCK], 4 * size), 4 * size);
}

static void under_beside_a_freed_block(const struct probe *probe, size_t size)
{
    (void)size;
    give(row[LEFT]);
    spoil(row[BLOCK] - probe->bytes, probe->value, (size_t)probe->bytes);
    give(row[BLOCK]);
}

const struct probe underflows[] = {
    {"underflow.by-1-then-free", under_then_free, ALL, 1, X},
    {"underflow.by-2-then-free", under_then_free, UP_TO_LARGE, 2, X},
    {"underflow.by-4-then-free", under_then_free, UP_TO_LARGE, 4, X},
    {"underflow.by-8-then-free", under_then_free, ALL, 8, X},
    {"underflow.by-16-then-free", under_then_free, ALL, 16, X},
    {"underflow.by-64-then-free", under_then_free, UP_TO_LARGE, 64, X},
    {"underflow.by-2-zeros-then-free", under_then_free, UP_TO_LARGE, 2, 0},
    {"underflow.by-8-zeros-then-free", under_then_free, ALL, 8, 0},
    {"underflow.by-8-then-realloc", under_then_realloc, UP_TO_LARGE, 8, X},
    {"underflow.by-8-then-free-the-one-before", under_then_free_the_one_before, ALL, 8, X},
    {"underflow.by-1-beside-a-freed-block", under_beside_a_freed_block, UP_TO_LARGE, 1, X},
    {"underflow.by-1-zero-beside-a-freed-block", under_beside_a_freed_block, UP_TO_LARGE, 1, 0},
    {"underflow.by-8-beside-a-freed-block", under_beside_a_freed_block, UP_TO_LARGE, 8, X},
    {"underflow.by-16-beside-a-freed-block", under_beside_a_freed_block, UP_TO_LARGE, 16, X},
    {NULL, NULL, 0, 0, 0},
};
