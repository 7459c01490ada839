// Writes into a block that was given back.

#include "probe.h"

enum { X = 0x41, WHOLE = 0, FOOTER = -8 };

// Frees the block and writes into it: at its beginning, at an offset, from its end, or all over it.
static void write_late(const struct probe *probe, size_t size)
{
    give(row[BLOCK]);
    unsigned char *from = row[BLOCK];
    size_t bytes = 8;
    if (probe->bytes == WHOLE)
        bytes = size;
    else if (probe->bytes == FOOTER)
        from += size - 8;
    else if (probe->bytes == 1)
        bytes = 1;
    else
        from += probe->bytes - 8; // the word that ends there
    spoil(from, probe->value, bytes);
}

static void then_malloc(const struct probe *probe, size_t size)
{
    write_late(probe, size);
    take(size);
    take(size);
}

static void then_malloc_smaller(const struct probe *probe, size_t size)
{
    write_late(probe, size);
    take(size / 2);
    take(size / 2);
}

static void then_calloc(const struct probe *probe, size_t size)
{
    write_late(probe, size);
    take_zeroed(size);
}

static void then_free_again(const struct probe *probe, size_t size)
{
    write_late(probe, size);
    free(row[BLOCK]);
}

static void then_free_before(const struct probe *probe, size_t size)
{
    write_late(probe, size);
    give(row[LEFT]);
}

static void then_free_after(const struct probe *probe, size_t size)
{
    write_late(probe, size);
    give(row[RIGHT]);
}

static void then_realloc_before(const struct probe *probe, size_t size)
{
    write_late(probe, size);
    forget(row[LEFT]);
    keep(realloc(row[LEFT], size + size / 2), size + size / 2);
}

// Its header: the two bytes before it say that the block is in use, as far as a zero can.
static void state(const struct probe *probe, size_t size)
{
    (void)size;
    give(row[BLOCK]);
    spoil(row[BLOCK] - probe->bytes, probe->value, (size_t)probe->bytes);
    free(row[BLOCK]);
}

static void state_then_malloc(const struct probe *probe, size_t size)
{
    give(row[BLOCK]);
    spoil(row[BLOCK] - probe->bytes, probe->value, (size_t)probe->bytes);
    take(size);
    take(size);
}

// As state, and then two requests with nothing between them: what if both get this block?
static void state_then_malloc_twice(const struct probe *probe, size_t size)
{
    state(probe, size);
    void *first = malloc(size);
    void *second = malloc(size);
    keep(first, size);
    keep(second, size);
}

// A pointer of the program's own, to memory that it would like to be given.
static void a_pointer(const struct probe *probe, size_t size)
{
    static _Alignas(16) unsigned char target[256];
    keep_own(target, sizeof target);
    give(row[RIGHT]);
    give(row[BLOCK]);
    uintptr_t pointer = (uintptr_t)target;
    memcpy(row[BLOCK] + probe->bytes, &pointer, sizeof pointer);
    for (int i = 0; i < 3; i++)
        take(size);
}

const struct probe late_writes[] = {
    {"late-write.first-byte-then-malloc", then_malloc, UP_TO_LARGE, 1, X},
    {"late-write.first-8-then-malloc", then_malloc, ALL, 8, X},
    {"late-write.first-8-zeros-then-malloc", then_malloc, UP_TO_LARGE, 8, 0},
    {"late-write.second-8-then-malloc", then_malloc, ALL, 16, X},
    {"late-write.second-8-zeros-then-malloc", then_malloc, UP_TO_LARGE, 16, 0},
    {"late-write.third-8-then-malloc", then_malloc, UP_TO_LARGE, 24, X},
    {"late-write.far-inside-then-malloc", then_malloc, UP_TO_LARGE, 64, X},
    {"late-write.last-8-then-malloc", then_malloc, ALL, FOOTER, X},
    {"late-write.everywhere-then-malloc", then_malloc, ALL, WHOLE, X},
    {"late-write.everywhere-zeros-then-malloc", then_malloc, UP_TO_LARGE, WHOLE, 0},
    {"late-write.everywhere-then-malloc-smaller", then_malloc_smaller, UP_TO_LARGE, WHOLE, X},
    {"late-write.everywhere-then-calloc", then_calloc, UP_TO_LARGE, WHOLE, X},
    {"late-write.far-inside-then-calloc", then_calloc, UP_TO_LARGE, 64, X},
    {"late-write.everywhere-then-free-again", then_free_again, UP_TO_LARGE, WHOLE, X},
    {"late-write.first-8-then-free-the-one-before", then_free_before, ALL, 8, X},
    {"late-write.last-8-then-free-the-one-before", then_free_before, UP_TO_LARGE, FOOTER, X},
    {"late-write.first-8-then-free-the-next", then_free_after, ALL, 8, X},
    {"late-write.last-8-then-free-the-next", then_free_after, ALL, FOOTER, X},
    {"late-write.last-8-zeros-then-free-the-next", then_free_after, UP_TO_LARGE, FOOTER, 0},
    {"late-write.everywhere-then-realloc-the-one-before", then_realloc_before, UP_TO_LARGE, WHOLE,
     X},
    {"late-write.header-zeros-then-free-again", state, UP_TO_LARGE, 2, 0},
    {"late-write.header-zeros-freed-again-then-2-mallocs", state_then_malloc_twice, UP_TO_LARGE, 2,
     0},
    {"late-write.header-then-malloc", state_then_malloc, UP_TO_LARGE, 8, X},
    {"late-write.header-zeros-then-malloc", state_then_malloc, UP_TO_LARGE, 2, 0},
    {"late-write.a-pointer-first", a_pointer, UP_TO_LARGE, 0, 0},
    {"late-write.a-pointer-second", a_pointer, UP_TO_LARGE, 8, 0},
    {NULL, NULL, 0, 0, 0},
};
