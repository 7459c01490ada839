// A mixed load for as long as it is told, and the memory it takes meanwhile: mostly small blocks, some
// large ones, of all functions, contents verified; now and then all are freed. On stage 5 six threads,
// which end and are followed by others, and pass blocks to each other.
//
// usage: soak STAGE SECONDS     prints samples: KiB in memory

#define _POSIX_C_SOURCE 200809L // for clock_gettime under -std=c11

#include "allocator.h"
#include "faults.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS = 6, SLOTS = 2000, SAMPLES = 200, TURNS = 40, STEPS = 10000, MIB = 1 << 20 };

struct block {
    size_t size; // of the whole block
    unsigned seed;
    unsigned char bytes[];
};

static int stage;
static atomic_bool stop;
static _Atomic(struct block *) exchange[SLOTS];

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

// Most are small, one in a hundred is large.
static size_t some_size(uint64_t *random)
{
    size_t most =
        random_below(random, 100) == 0 ? (size_t)MIB / 4 : (size_t)32 << random_below(random, 10);
    return sizeof(struct block) + random_below(random, most);
}

static struct block *sign(struct block *block, size_t size, unsigned seed)
{
    expect(block != NULL, "a block is given");
    if (block == NULL)
        exit(EXIT_FAILURE);
    block->size = size;
    block->seed = seed;
    mark(block->bytes, size - sizeof *block, seed);
    return block;
}

static void verify(const struct block *block)
{
    if (!is_marked(block->bytes, block->size - sizeof *block, block->seed))
        expect(false, "a block keeps its contents");
}

static struct block *make(uint64_t *random)
{
    size_t size = some_size(random);
    switch (random_below(random, 8)) {
    case 0:
        return sign(ma_calloc(1, size), size, (unsigned)size);
    case 1:
        return sign(ma_aligned_alloc((size_t)32 << random_below(random, 8), size), size, 3);
    default:
        return sign(ma_malloc(size), size, (unsigned)size);
    }
}

static void drop(struct block *block)
{
    if (block != NULL)
        verify(block);
    ma_free(block);
}

static void step(struct block **slot, uint64_t *random)
{
    size_t choice = random_below(random, 16);
    if (*slot == NULL) {
        *slot = make(random);
    } else if (choice == 0) {
        verify(*slot);
        size_t size = some_size(random);
        *slot = sign(ma_realloc(*slot, size), size, (unsigned)size);
    } else if (choice == 1) {
        *slot = atomic_exchange(&exchange[random_below(random, SLOTS)], *slot);
    } else {
        drop(*slot);
        *slot = NULL;
    }
}

// Some turns, after each of which nothing is left but what was passed on.
static void *work(void *context)
{
    uint64_t random = (uint64_t)(uintptr_t)context * 2 + 1;
    struct block *slots[SLOTS] = {NULL};
    for (int turn = 0; turn < TURNS && !stop; turn++) {
        for (int i = 0; i < STEPS; i++)
            step(&slots[random_below(&random, SLOTS)], &random);
        for (int i = 0; i < SLOTS; i++) {
            drop(slots[i]);
            slots[i] = NULL;
        }
    }
    return NULL;
}

// A thread's place: one thread after the other.
static void *work_in_turn(void *context)
{
    uintptr_t seed = (uintptr_t)context;
    while (!stop) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, (void *)(seed += THREADS)) != 0)
            exit(EXIT_FAILURE);
        pthread_join(thread, NULL);
    }
    return NULL;
}

static void write_sample(void)
{
    printf("%zu\n", resident_bytes() / 1024);
}

static void run_threads(double seconds)
{
    pthread_t places[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&places[i], NULL, work_in_turn, (void *)(i + 1)) != 0)
            exit(EXIT_FAILURE);
    long interval = (long)(seconds * 1e9 / SAMPLES);
    for (int i = 0; i < SAMPLES; i++) {
        nanosleep(&(struct timespec){interval / 1000000000, interval % 1000000000}, NULL);
        write_sample();
    }
    stop = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(places[i], NULL);
}

static void run_alone(double seconds)
{
    double begin = now();
    struct block *slots[SLOTS] = {NULL};
    uint64_t random = 1;
    for (int sample = 0; sample < SAMPLES; sample++) {
        while (now() - begin < seconds * (sample + 1) / SAMPLES)
            for (int i = 0; i < STEPS / 10; i++)
                step(&slots[random_below(&random, SLOTS)], &random);
        write_sample();
    }
    for (int i = 0; i < SLOTS; i++)
        drop(slots[i]);
}

int main(int count, char **arguments)
{
    stage = stage_from(count, arguments);
    double seconds = count == 3 ? strtod(arguments[2], NULL) : 0;
    if (seconds <= 0) {
        (void)fprintf(stderr, "usage: soak STAGE SECONDS\n");
        return 2;
    }
    if (stage == 5)
        run_threads(seconds);
    else
        run_alone(seconds);
    for (int i = 0; i < SLOTS; i++)
        drop(exchange[i]);
    expect(ma_heap_stats(ma_default_heap()).live_blocks == 0, "no block is left");
    expect(ma_heap_check(ma_default_heap()) == NULL, "the heap passes its check");
    return all_hold() ? EXIT_SUCCESS : EXIT_FAILURE;
}
