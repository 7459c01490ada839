// What the caches of threads hold: not much while a thread is idle, and nothing for ever. A misuse
// handler that returns may use the heap, also in the middle of a visit of a cache to the heap.
//
// usage: caches STAGE     (5)

#define _POSIX_C_SOURCE 200809L // for barriers under -std=c11

#include "allocator.h"
#include "faults.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 20, BLOCKS = 40, ROUNDS = 300, FREED_BY_HANDLER = 40, MIB = 1 << 20 };

static void start(pthread_t *thread, void *(*body)(void *))
{
    if (pthread_create(thread, NULL, body, NULL) != 0) {
        perror("pthread_create");
        exit(EXIT_FAILURE);
    }
}

// Blocks of one size come and go: the thread caches them.
static void use_many(size_t size)
{
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = ma_malloc(size);
    for (size_t i = 0; i < BLOCKS; i++)
        ma_free(blocks[i]);
}

// --- threads that are idle -----------------------------------------------------------------------

static pthread_barrier_t idle;

static void *touch_all_sizes(void *unused)
{
    for (int round = 0; round < 3; round++)
        for (size_t size = 100; size <= 16384; size += size / 32)
            use_many(size);
    pthread_barrier_wait(&idle); // now it is looked at
    pthread_barrier_wait(&idle);
    return unused;
}

static void test_idle_threads(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&idle, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        start(&threads[i], touch_all_sizes);
    pthread_barrier_wait(&idle);
    struct ma_stats stats = ma_heap_stats(ma_default_heap());
    expect(stats.live_blocks == 0 && stats.cached_blocks > 0, "all that is left is cached");
    expect(stats.cached_bytes <= (size_t)THREADS * MIB, "an idle thread keeps 1 MiB at most");
    pthread_barrier_wait(&idle);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    expect(ma_heap_stats(ma_default_heap()).cached_blocks == 0, "a thread that ends keeps nothing");
}

// --- a handler that uses the heap ----------------------------------------------------------------

static void *to_free[FREED_BY_HANDLER];
static size_t handler_calls;
static size_t overwritten;

static void free_in_handler(const char *message)
{
    (void)message;
    handler_calls++;
    for (size_t i = 0; i < FREED_BY_HANDLER; i++) {
        void *block = to_free[i];
        to_free[i] = NULL; // freeing it may call the handler again
        ma_free(block);
    }
}

static bool stop_at_cached(const struct ma_block *block, void *payload)
{
    return block->payload != payload || block->state != MA_BLOCK_CACHED;
}

// Writes into a block that was freed, if it is in the cache.
static bool write_after_free(size_t size)
{
    char *volatile stale = ma_malloc(size); // or compilers warn, rightly
    ma_free(stale);
    if (ma_heap_walk(ma_default_heap(), stop_at_cached, stale))
        return false;
    memset(stale, 'x', 16);
    return true;
}

// The block is found when it is to be handed out, or when the cache is emptied for other sizes. The
// handler frees blocks of its size: into the magazine that is being filled or emptied.
static void *misuse(void *unused)
{
    uint64_t random = 1;
    for (int round = 0; round < ROUNDS; round++) {
        size_t size = 16 + random_below(&random, 5000);
        for (size_t i = 0; i < FREED_BY_HANDLER; i++)
            to_free[i] = ma_malloc(size);
        use_many(size);
        size_t calls = handler_calls;
        bool is_found = !write_after_free(size);
        overwritten += !is_found;
        for (size_t others = random_below(&random, 60); others > 0; others--)
            use_many(16 + random_below(&random, 5000));
        is_found = is_found || handler_calls > calls;
        for (int tries = 0; tries < 10 && !is_found; tries++) {
            use_many(size);
            is_found = handler_calls > calls;
        }
        expect(is_found, "the handler is told of each block");
        expect(ma_heap_check(ma_default_heap()) == NULL, "the cache passes its check");
        for (size_t i = 0; i < FREED_BY_HANDLER; i++)
            ma_free(to_free[i]);
    }
    return unused;
}

// A block that was overwritten is left alone, as it is: cached.
static void test_handler(void)
{
    pthread_t thread;
    ma_set_misuse_handler(free_in_handler);
    start(&thread, misuse);
    pthread_join(thread, NULL);
    struct ma_stats stats = ma_heap_stats(ma_default_heap());
    expect(overwritten > ROUNDS / 2, "blocks were overwritten");
    expect(stats.cached_blocks <= overwritten, "what a handler frees does not stay cached");
    expect(stats.live_blocks == 0, "nor live");
    expect(ma_heap_check(ma_default_heap()) == NULL, "the heap passes its check");
}

int main(int count, char **arguments)
{
    (void)stage_from(count, arguments);
    test_idle_threads();
    test_handler();
    return report("");
}
