// Threads that end with full caches, by return, pthread_exit and pthread_cancel; ten thousand short
// ones; destructors that allocate at thread exit; fork in the middle of eight threads that allocate,
// with handlers of the program, of before main and of main, that allocate too. The statistics prove
// that nothing leaks.
//
// usage: threads STAGE     (5)

#define _GNU_SOURCE // for nanosleep and the like under -std=c11

#include "allocator.h"
#include "faults.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, SHORT_THREADS = 10000, SLOTS = 200, FORKS = 20, KEYS = 3, ROUNDS = 4 };

static struct ma_stats stats_now(void)
{
    return ma_heap_stats(ma_default_heap());
}

// Blocks in no cache but this thread's, before threads start: what must be so again in the end.
static void expect_nothing_left(const struct ma_stats *before, const char *what)
{
    struct ma_stats after = stats_now();
    expect(after.live_blocks == before->live_blocks, what);
    expect(after.cached_blocks == before->cached_blocks, what);
    expect(after.region_bytes == before->region_bytes, what);
    expect(ma_heap_check(ma_default_heap()) == NULL, "the heap passes its check");
}

static void start(pthread_t *thread, void *(*body)(void *), void *context)
{
    if (pthread_create(thread, NULL, body, context) != 0) {
        perror("pthread_create");
        exit(EXIT_FAILURE);
    }
}

// --- threads that end ----------------------------------------------------------------------------

static atomic_size_t cached_at_the_end;

// Leaves blocks of many sizes in the thread's cache.
static void fill_cache(void)
{
    void *blocks[SLOTS];
    for (size_t i = 0; i < SLOTS; i++)
        mark(blocks[i] = ma_malloc(i * 20), i * 20, (unsigned)i);
    bool intact = true;
    for (size_t i = 0; i < SLOTS; i++) {
        intact = intact && is_marked(blocks[i], i * 20, (unsigned)i);
        ma_free(blocks[i]);
    }
    expect(intact, "blocks of a thread keep their contents");
}

static void *end_by_return(void *unused)
{
    fill_cache();
    atomic_store(&cached_at_the_end, stats_now().cached_blocks);
    return unused;
}

static void *end_by_exit(void *unused)
{
    fill_cache();
    pthread_exit(unused);
}

static void *end_by_cancel(void *unused)
{
    fill_cache();
    for (;;) { // every turn may be the last
        ma_free(ma_malloc(100));
        pthread_testcancel();
    }
    return unused;
}

static void test_ways_to_end(void)
{
    static void *(*const ways[])(void *) = {end_by_return, end_by_exit, end_by_cancel};
    struct ma_stats before = stats_now();
    for (size_t i = 0; i < 90; i++) {
        pthread_t thread;
        start(&thread, ways[i % 3], NULL);
        if (i % 3 == 2)
            pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    expect(cached_at_the_end > before.cached_blocks, "a thread had a full cache");
    expect_nothing_left(&before, "threads that ended in three ways leave nothing");
}

static void *live_briefly(void *context)
{
    size_t size = (size_t)(uintptr_t)context % 2000;
    void *block = ma_malloc(size);
    mark(block, size, 1);
    expect(is_marked(block, size, 1), "a short thread's block keeps its contents");
    ma_free(block);
    ma_free(ma_malloc(2000 - size));
    return NULL;
}

static void test_short_threads(void)
{
    struct ma_stats before = stats_now();
    pthread_t threads[THREADS];
    for (size_t i = 0; i < SHORT_THREADS; i++) {
        if (i >= THREADS)
            pthread_join(threads[i % THREADS], NULL);
        start(&threads[i % THREADS], live_briefly, (void *)(uintptr_t)i);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    expect_nothing_left(&before, "ten thousand short threads leave nothing");
}

// --- requests from destructors ------------------------------------------------------------------

static pthread_key_t keys[KEYS];
static atomic_int destructors;

// Each asks for more, and all but the last see to it that there is another round, of as many as the
// system grants. Those of the last come after everything, the allocator's own destructor too.
static void allocate_late(void *block)
{
    int call = atomic_fetch_add(&destructors, 1) % (ROUNDS * KEYS);
    ma_free(block);
    void *blocks[SLOTS];
    for (size_t i = 0; i < SLOTS; i++)
        mark(blocks[i] = ma_malloc(i * 20), i * 20, (unsigned)i);
    for (size_t i = 0; i < SLOTS; i++) {
        expect(is_marked(blocks[i], i * 20, (unsigned)i), "a destructor's blocks are its own");
        ma_free(ma_realloc(blocks[i], i * 20 + 50));
    }
    if (call < (ROUNDS - 1) * KEYS)
        pthread_setspecific(keys[call % KEYS], ma_calloc(10, 10));
}

static void *leave_to_destructors(void *unused)
{
    fill_cache();
    for (size_t i = 0; i < KEYS; i++)
        pthread_setspecific(keys[i], ma_malloc(100 * i));
    return unused;
}

static void test_destructors(void)
{
    for (size_t i = 0; i < KEYS; i++)
        expect(pthread_key_create(&keys[i], allocate_late) == 0, "there is a key");
    struct ma_stats before = stats_now();
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        start(&thread, leave_to_destructors, NULL);
        pthread_join(thread, NULL);
    }
    expect(destructors == 50 * ROUNDS * KEYS, "each destructor is called four times a thread");
    expect_nothing_left(&before, "destructors that allocate leave nothing");
}

// --- fork ----------------------------------------------------------------------------------------

static atomic_bool stop;
static _Atomic(unsigned char *) slots[THREADS][SLOTS]; // a block's first 8 bytes: its size
static atomic_int handler_calls;

static void put(_Atomic(unsigned char *) *slot, uint64_t *random)
{
    size_t size = 8 + random_below(random, random_below(random, 20) == 0 ? 200000 : 2000);
    unsigned char *block = ma_malloc(size);
    mark(block, size, 0);
    block[0] = (unsigned char)size;
    block[1] = (unsigned char)(size >> 8);
    block[2] = (unsigned char)(size >> 16);
    atomic_store(slot, block);
}

static void clear(_Atomic(unsigned char *) *slot)
{
    unsigned char *block = atomic_exchange(slot, NULL);
    if (block == NULL)
        return;
    size_t size = (size_t)block[0] | (size_t)block[1] << 8 | (size_t)block[2] << 16;
    unsigned char first[3] = {1, 8, 15}; // what mark writes there
    for (size_t i = 0; i < sizeof first; i++)
        block[i] = first[i];
    expect(is_marked(block, size, 0), "a block is as its thread left it");
    ma_free(block);
}

static void *allocate_until_stopped(void *context)
{
    size_t index = (size_t)(uintptr_t)context;
    uint64_t random = index + 1;
    while (!stop) {
        _Atomic(unsigned char *) *slot = &slots[index][random_below(&random, SLOTS)];
        clear(slot);
        put(slot, &random);
    }
    return NULL;
}

static void clear_all(void)
{
    for (size_t i = 0; i < THREADS; i++)
        for (size_t j = 0; j < SLOTS; j++)
            clear(&slots[i][j]);
}

static void allocate_in_handler(void)
{
    void *blocks[20];
    for (size_t i = 0; i < 20; i++)
        mark(blocks[i] = ma_malloc(i * 1000), i * 1000, (unsigned)i);
    for (size_t i = 0; i < 20; i++) {
        expect(is_marked(blocks[i], i * 1000, (unsigned)i), "a fork handler's blocks are its own");
        ma_free(blocks[i]);
    }
    atomic_fetch_add(&handler_calls, 1);
}

// This file is linked before the allocator, and its constructor would run first, were it not for their
// priorities. Then the handler before fork would come last, when the allocator holds all mutexes.
__attribute__((constructor)) static void register_early(void)
{
    pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler);
}

// In the child: the threads are gone, their blocks are here.
static int free_everything(void)
{
    fill_cache();
    clear_all();
    void *large = ma_malloc(30000000);
    expect(large != NULL, "the child gets a large block");
    ma_free(large);
    // A thread may have been between ma_malloc and its slot, or between its slot and ma_free.
    expect(stats_now().live_blocks <= 2 * THREADS, "no block of the child is left");
    expect(ma_heap_check(ma_default_heap()) == NULL, "the child's heap passes its check");
    return all_hold() ? 0 : 1;
}

static void test_fork(void)
{
    pthread_t threads[THREADS];
    pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler);
    struct ma_stats before = stats_now();
    for (size_t i = 0; i < THREADS; i++)
        start(&threads[i], allocate_until_stopped, (void *)(uintptr_t)i);
    for (int i = 0; i < FORKS; i++)
        expect(child_succeeds(free_everything), "a child frees all that eight threads hold");
    stop = true;
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    expect(handler_calls == 4 * FORKS, "both sets of handlers ran before and after each fork");
    clear_all();
    expect(stats_now().live_blocks == before.live_blocks, "no block of the parent is left");
    expect(ma_heap_check(ma_default_heap()) == NULL, "the parent's heap passes its check");
}

int main(int count, char **arguments)
{
    (void)stage_from(count, arguments);
    ma_free(ma_malloc(1 << 20));
    test_ways_to_end();
    test_short_threads();
    test_destructors();
    test_fork();
    return report("");
}
