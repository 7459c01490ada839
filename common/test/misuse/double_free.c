// A block that is given back, and then given back or used again.

#include "probe.h"

enum { OTHERS = 20, MANY_MIB = 40 << 20 };

// Frees the row's block, and afterwards only forgets it: the pointer is dead.
static unsigned char *free_block(void)
{
    give(row[BLOCK]);
    return row[BLOCK];
}

static void at_once(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    free(free_block());
}

static void after_another(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    unsigned char *freed = free_block();
    give(row[RIGHT + 2]);
    free(freed);
}

static void after_many(const struct probe *probe, size_t size)
{
    (void)probe;
    void *others[OTHERS];
    for (size_t i = 0; i < OTHERS; i++)
        others[i] = take(size);
    unsigned char *freed = free_block();
    for (size_t i = 0; i < OTHERS; i++)
        give(others[i]);
    free(freed);
}

// bytes: 1 merges with the block before, 2 with the one after.
static void merged(const struct probe *probe, size_t size)
{
    (void)size;
    if ((probe->bytes & 1) != 0)
        give(row[LEFT]);
    if ((probe->bytes & 2) != 0)
        give(row[RIGHT]);
    free(free_block());
}

static void merged_later(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    unsigned char *freed = free_block();
    give(row[LEFT]);
    give(row[RIGHT]);
    free(freed);
}

static void merged_with_the_top(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    give(row[ROW - 1]);
    free(row[ROW - 1]);
}

static void in_another_thread(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    free_in_a_thread(free_block());
}

static void after_a_thread_freed_it(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    forget(row[BLOCK]);
    free_in_a_thread(row[BLOCK]);
    free(row[BLOCK]);
}

static void of_a_thread_that_ended(const struct probe *probe, size_t size)
{
    (void)probe;
    void *block = freed_by_a_thread(size);
    name_address("block", block);
    free(block);
}

// The second free takes the block away from who has it now, and the third is the one that is found.
static void after_reuse(const struct probe *probe, size_t size)
{
    (void)probe;
    unsigned char *freed = free_block();
    unsigned char *next_owner = take(size);
    free(freed);
    forget(next_owner);
    free(next_owner);
}

static void after_realloc_moved_it(const struct probe *probe, size_t size)
{
    (void)probe;
    forget(row[BLOCK]);
    keep(realloc(row[BLOCK], 4 * size), 4 * size);
    free(row[BLOCK]);
}

static void after_realloc_to_zero(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    forget(row[BLOCK]);
    void *volatile none = realloc(row[BLOCK], 0);
    free(none);
    free(row[BLOCK]);
}

static void realloc_larger(const struct probe *probe, size_t size)
{
    (void)probe;
    keep(realloc(free_block(), 4 * size), 4 * size);
}

static void realloc_smaller(const struct probe *probe, size_t size)
{
    (void)probe;
    keep(realloc(free_block(), size / 2), size / 2);
}

static void usable_size(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    malloc_usable_size(free_block());
}

static void of_calloc(const struct probe *probe, size_t size)
{
    (void)probe;
    void *volatile block = calloc(1, size);
    name_address("block", block);
    free(block);
    free(block);
}

static void of_aligned_alloc(const struct probe *probe, size_t size)
{
    (void)probe;
    void *volatile block = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    name_address("block", block);
    free(block);
    free(block);
}

// A larger block now lies where the freed one lay. value: whether the program has written to it.
static void covered(const struct probe *probe, size_t size)
{
    give(row[LEFT]);
    unsigned char *freed = free_block();
    void *larger = malloc(2 * size);
    if (probe->value != 0)
        keep(larger, 2 * size);
    free(freed);
    if (probe->value == 0)
        free(larger);
}

static void back_at_the_system(const struct probe *probe, size_t size)
{
    (void)probe, (void)size;
    void *volatile block = malloc(MANY_MIB);
    name_address("block", block);
    free(block);
    free(block);
}

// What an allocator may have noted inside the freed block is gone.
static void after_clearing(const struct probe *probe, size_t size)
{
    unsigned char *freed = free_block();
    spoil(freed, probe->value, size);
    free(freed);
}

const struct probe double_frees[] = {
    {"double-free.at-once", at_once, ALL, 0, 0},
    {"double-free.after-another", after_another, ALL, 0, 0},
    {"double-free.after-20-others", after_many, UP_TO_LARGE, 0, 0},
    {"double-free.merged-before", merged, ALL, 1, 0},
    {"double-free.merged-after", merged, ALL, 2, 0},
    {"double-free.merged-both", merged, ALL, 3, 0},
    {"double-free.merged-later", merged_later, ALL, 0, 0},
    {"double-free.merged-with-the-top", merged_with_the_top, ALL, 0, 0},
    {"double-free.in-another-thread", in_another_thread, UP_TO_LARGE, 0, 0},
    {"double-free.after-a-thread-freed-it", after_a_thread_freed_it, UP_TO_LARGE, 0, 0},
    {"double-free.of-a-thread-that-ended", of_a_thread_that_ended, UP_TO_LARGE, 0, 0},
    {"double-free.after-reuse", after_reuse, UP_TO_LARGE, 0, 0},
    {"double-free.after-realloc-moved-it", after_realloc_moved_it, ALL, 0, 0},
    {"double-free.after-realloc-to-0", after_realloc_to_zero, UP_TO_LARGE, 0, 0},
    {"double-free.realloc-larger", realloc_larger, ALL, 0, 0},
    {"double-free.realloc-smaller", realloc_smaller, ALL, 0, 0},
    {"double-free.usable-size", usable_size, ALL, 0, 0},
    {"double-free.of-calloc", of_calloc, UP_TO_LARGE, 0, 0},
    {"double-free.of-aligned-alloc", of_aligned_alloc, UP_TO_LARGE, 0, 0},
    {"double-free.covered-and-written", covered, UP_TO_LARGE, 0, 1},
    {"double-free.covered", covered, UP_TO_LARGE, 0, 0},
    {"double-free.back-at-the-system", back_at_the_system, HUGE, 0, 0},
    {"double-free.after-clearing-it", after_clearing, UP_TO_LARGE, 0, 0},
    {"double-free.after-overwriting-it", after_clearing, UP_TO_LARGE, 0, 0x41},
    {NULL, NULL, 0, 0, 0},
};
