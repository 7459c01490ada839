// A program for ThreadSanitizer: while one thread takes and frees blocks, another calls one of the
// public functions, and nothing else; then the next function. Stages 1 to 4 race, and the sanitizer
// reports it; stage 5 does not. A mutex that one function leaves out is reported: that thread has
// met no other since the two began.

#include "allocator.h"

#include <pthread.h>
#include <stddef.h>

enum { ROUNDS = 20, SMALL = 100, LARGE = 5000, OWN_SIZE = 1 << 20 }; // LARGE: no thread caches it

static _Alignas(max_align_t) unsigned char own_memory[2 * OWN_SIZE];
static _Alignas(max_align_t) unsigned char other_memory[2][MA_HEAP_MIN];
static struct ma_heap *own;
static void *blocks[2][ROUNDS]; // of the own heap and of the default heap
static size_t result; // so that no call is left out

// --- what the first thread does ------------------------------------------------------------------

static void call_malloc(int round)
{
    blocks[0][round] = ma_heap_malloc(own, LARGE);
    blocks[1][round] = ma_malloc(LARGE);
}

static void call_usable_size(int round)
{
    result += ma_heap_usable_size(own, blocks[0][round]) + ma_usable_size(blocks[1][round]);
}

static void call_realloc(int round)
{
    blocks[0][round] = ma_heap_realloc(own, blocks[0][round], SMALL);
    blocks[1][round] = ma_realloc(blocks[1][round], SMALL);
}

static void call_free(int round)
{
    ma_heap_free(own, blocks[0][round]);
    ma_free(blocks[1][round]);
}

static void call_calloc(int round)
{
    blocks[0][round] = ma_heap_calloc(own, 1, LARGE);
    blocks[1][round] = ma_calloc(1, LARGE);
}

static void call_aligned_alloc(int round)
{
    blocks[0][round] = ma_heap_aligned_alloc(own, 64, LARGE);
    blocks[1][round] = ma_aligned_alloc(64, LARGE);
}

static void call_small(int round)
{
    (void)round;
    ma_free(ma_malloc(SMALL));
    ma_free(ma_calloc(1, SMALL));
}

static bool add_size(const struct ma_block *block, void *sum)
{
    *(size_t *)sum += block->size;
    return true;
}

static void call_walk(int round)
{
    (void)round;
    ma_heap_walk(own, add_size, &result);
    ma_heap_walk(ma_default_heap(), add_size, &result);
}

static void call_stats(int round)
{
    (void)round;
    result += ma_heap_stats(own).live_blocks + ma_heap_stats(ma_default_heap()).live_blocks;
}

static void call_check(int round)
{
    (void)round;
    result += ma_heap_check(own) != NULL || ma_heap_check(ma_default_heap()) != NULL;
}

static void call_extend(int round)
{
    (void)round;
    ma_heap_extend(own, 16);
}

static void call_init_and_destroy(int round)
{
    (void)round;
    ma_heap_destroy(ma_heap_init(other_memory[0], MA_HEAP_MIN));
}

// What one takes, a later one frees.
static void (*const calls[])(int round) = {
    call_malloc,        call_usable_size,
    call_realloc,       call_free,
    call_calloc,        call_free,
    call_aligned_alloc, call_free,
    call_small,         call_walk,
    call_stats,         call_check,
    call_extend,        call_init_and_destroy,
};

// --- what the second thread does meanwhile -------------------------------------------------------

static void *take_and_free(void *unused)
{
    for (int round = 0; round < ROUNDS; round++) {
        ma_heap_free(own, ma_heap_malloc(own, LARGE));
        ma_free(ma_malloc(LARGE));
        ma_free(ma_malloc(SMALL));
        ma_heap_destroy(ma_heap_init(other_memory[1], MA_HEAP_MIN));
    }
    return unused;
}

int main(void)
{
    own = ma_heap_init(own_memory, OWN_SIZE);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        pthread_t second;
        if (pthread_create(&second, NULL, take_and_free, NULL) != 0)
            return 1;
        for (int round = 0; round < ROUNDS; round++)
            calls[i](round);
        if (pthread_join(second, NULL) != 0)
            return 1;
    }
    return result == 0;
}
