// One mistake, or none, with blocks of the default heap. No stage sees a read of freed memory, and none
// sees a write beyond the size that was asked for while it stays within the block. A memory checker does.
//
//     demo correct | read | merged | write | shortened | pool

#include "allocator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 1000, SIZE = 100 };

static unsigned sum; // of what was read: nothing may be left out as useless

static void use(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
}

static unsigned char *take(size_t size)
{
    unsigned char *block = ma_malloc(size);
    if (block == NULL)
        abort();
    memset(block, 1, size);
    return block;
}

// A read of freed memory; if `merged`, after it became part of a larger free block.
static void read_after_free(bool merged)
{
    unsigned char *before = take(SIZE), *block = take(SIZE), *after = take(SIZE);
    ma_free(before);
    ma_free(block);
    if (merged)
        ma_free(after);
    use(block, 1);
}

static void write_after_free(void)
{
    unsigned char *block = take(SIZE);
    ma_free(block);
    block[SIZE / 2] = 2;
}

// A pointer that was kept when the block was shortened.
static void use_beyond_a_shortened_block(void)
{
    unsigned char *block = take(SIZE);
    block = ma_realloc(block, SIZE / 2);
    if (block != NULL)
        use(block + SIZE / 2, 1);
}

static void use_after_a_pool(void)
{
    struct ma_heap *pool = ma_heap_create(65536);
    unsigned char *block = pool == NULL ? NULL : ma_heap_malloc(pool, SIZE);
    if (block == NULL)
        abort();
    memset(block, 1, SIZE);
    ma_heap_free(pool, block);
    use(block, 1);
}

// Everything that is allowed, so that a checker which cries too early is noticed.
static void correct(void)
{
    static unsigned char *blocks[COUNT];
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < COUNT; i++)
            blocks[i] = take(i * (round + 1));
        for (size_t i = 0; i < COUNT; i += 3)
            blocks[i] = ma_realloc(blocks[i], i * 2 + 1);
        for (size_t i = 0; i < COUNT; i++) {
            use(blocks[i],
                i % 3 == 0 ? i * 2 + 1 > i * (round + 1) ? i * (round + 1) : i * 2 + 1 : i);
            memset(blocks[i], 2, ma_usable_size(blocks[i]));
            ma_free(blocks[i]);
        }
        unsigned char *zero = ma_calloc(COUNT, round * 10 + 1);
        unsigned char *aligned = ma_aligned_alloc(4096, SIZE);
        use(zero, COUNT);
        memset(aligned, 1, SIZE);
        ma_free(zero);
        ma_free(aligned);
    }
    static unsigned char memory[65536];
    struct ma_heap *pool = ma_heap_init(memory, sizeof memory);
    ma_heap_free(pool, ma_heap_malloc(pool, SIZE));
    ma_heap_destroy(pool);
    memset(memory, 0, sizeof memory); // it is the program's again
}

int main(int count, char **arguments)
{
    const char *mistake = count == 2 ? arguments[1] : "";
    if (strcmp(mistake, "correct") == 0)
        correct();
    else if (strcmp(mistake, "read") == 0)
        read_after_free(false);
    else if (strcmp(mistake, "merged") == 0)
        read_after_free(true);
    else if (strcmp(mistake, "write") == 0)
        write_after_free();
    else if (strcmp(mistake, "shortened") == 0)
        use_beyond_a_shortened_block();
    else if (strcmp(mistake, "pool") == 0)
        use_after_a_pool();
    else
        return 2;
    printf("done %u\n", sum & 1);
    return 0;
}
