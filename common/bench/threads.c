// Throughput of several threads.
//
//     threads private 4 1000000    each of 4 threads replaces blocks of its own, chosen at random
//     threads cross 4 1000000      2 threads ask for blocks, 2 others free them
//     ns=123456789 cpu=234567890 pairs=1000000
//
// The pairs of malloc and free are those of all threads together; ns is the wall clock from the first
// thread's start to the last one's end. They start together, when all are there. cpu is the time that they
// had of processors: twice ns, if two of them ran at the same time. Blocks cross from a producer to its consumer
// through a ring of bounded size, which allocates nothing. `cross 1` is one thread that fills the ring
// and empties it, in turns.

#define _POSIX_C_SOURCE 200809L // for pthread_barrier_t

#include "measure.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS_MAX = 64,
    OWN = 1000, // blocks of a thread
    RING = 1024, // blocks on their way
    CACHE_LINE = 128, // bytes; two lines of 64, which some processors fetch together
    SIZE_MAX_BYTES = 512,
};

struct ring {
    char *blocks[RING];
    _Alignas(CACHE_LINE) _Atomic size_t written; // by the producer alone
    _Alignas(CACHE_LINE) _Atomic size_t read; // by the consumer alone
};

// A line of the cache belongs to one of them alone: they write while they work.
struct worker {
    _Alignas(CACHE_LINE) pthread_t thread;
    void (*work)(struct worker *worker);
    struct random random;
    struct ring *ring;
    pthread_barrier_t *barrier;
    size_t pairs;
    uint64_t start, end; // by the clock of now()
    unsigned seen; // of what was read
};

static char *new_block(struct worker *worker)
{
    size_t size = 1 + random_below(&worker->random, SIZE_MAX_BYTES);
    char *block = malloc(size);
    if (block == NULL)
        fail(EXIT_REFUSED, "threads", "a request was refused");
    touch(block, 0, size);
    return block;
}

static void end_block(struct worker *worker, char *block)
{
    worker->seen += (unsigned char)block[0];
    free(block);
}

static void work_private(struct worker *worker)
{
    char *blocks[OWN] = {NULL};
    for (size_t pair = 0; pair < worker->pairs; pair++) {
        size_t i = random_below(&worker->random, OWN);
        if (blocks[i] != NULL)
            end_block(worker, blocks[i]);
        blocks[i] = new_block(worker);
    }
    for (size_t i = 0; i < OWN; i++)
        free(blocks[i]);
}

static void produce(struct worker *worker)
{
    struct ring *ring = worker->ring;
    for (size_t written = 0; written < worker->pairs; written++) {
        char *block = new_block(worker);
        while (written - atomic_load_explicit(&ring->read, memory_order_acquire) == RING)
            sched_yield();
        ring->blocks[written % RING] = block;
        atomic_store_explicit(&ring->written, written + 1, memory_order_release);
    }
}

static void consume(struct worker *worker)
{
    struct ring *ring = worker->ring;
    for (size_t read = 0; read < worker->pairs; read++) {
        while (atomic_load_explicit(&ring->written, memory_order_acquire) == read)
            sched_yield();
        end_block(worker, ring->blocks[read % RING]);
        atomic_store_explicit(&ring->read, read + 1, memory_order_release);
    }
}

static void work_alone(struct worker *worker)
{
    for (size_t done = 0; done < worker->pairs; done += RING) {
        for (size_t i = 0; i < RING; i++)
            worker->ring->blocks[i] = new_block(worker);
        for (size_t i = 0; i < RING; i++)
            end_block(worker, worker->ring->blocks[i]);
    }
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    pthread_barrier_wait(worker->barrier);
    worker->start = now();
    worker->work(worker);
    worker->end = now();
    return NULL;
}

// Gives each thread its part: of `pairs` for private work, of the rings for work across threads.
static void assign(struct worker *workers, size_t threads, size_t pairs, bool cross)
{
    bool pairwise = cross && threads > 1;
    struct ring *rings = map_memory(threads * sizeof *rings);
    for (size_t i = 0; i < threads; i++) {
        struct worker *worker = &workers[i];
        worker->random.state = i + 1;
        worker->ring = &rings[pairwise ? i / 2 : i];
        worker->pairs = pairwise ? pairs / (threads / 2) : pairs / threads;
        if (pairwise)
            worker->work = i % 2 == 0 ? produce : consume;
        else
            worker->work = cross ? work_alone : work_private;
    }
}

// Each thread reads the clock itself: another one might get a processor only when some are done.
static uint64_t run_all(struct worker *workers, size_t threads)
{
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (size_t i = 0; i < threads; i++) {
        workers[i].barrier = &barrier;
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0)
            fail(EXIT_USAGE, "threads", "the system has no thread left");
    }
    uint64_t start = UINT64_MAX, end = 0;
    for (size_t i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        start = workers[i].start < start ? workers[i].start : start;
        end = workers[i].end > end ? workers[i].end : end;
    }
    return end - start;
}

int main(int count, char **arguments)
{
    static const char usage[] =
        "threads [--expect=OBJECT] [--limit=SECONDS] private|cross THREADS PAIRS";
    static struct worker workers[THREADS_MAX];
    int first = measure_options(count, arguments, 3, usage);
    bool cross = strcmp(arguments[first], "cross") == 0;
    size_t threads = number(arguments[first + 1]), pairs = number(arguments[first + 2]);
    if ((!cross && strcmp(arguments[first], "private") != 0) || threads < 1 ||
        threads > THREADS_MAX || (cross && threads > 1 && threads % 2 != 0))
        fail(EXIT_USAGE, "usage", usage);
    assign(workers, threads, pairs, cross);
    uint64_t ns = run_all(workers, threads);
    print_line("ns=%" PRIu64 " cpu=%" PRIu64 " pairs=%zu", ns, processor_time(), pairs);
    return EXIT_SUCCESS;
}
