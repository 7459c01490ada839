// How long single calls of malloc and free take: the median, the 99th and 99.9th percentile, the worst.
//
//     latency 1000000
//     malloc_p50=25 malloc_p99=160 malloc_p999=900 malloc_worst=65000 free_p50=... clock=22
//
// LIVE blocks of mixed sizes are live; each call is a free of one chosen at random, or a malloc in its
// place. Times are nanoseconds by the wall clock. Reading the clock twice with nothing in between
// takes `clock`, in the median; it is part of every figure, and of all contestants' alike.

#include "measure.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LIVE = 50000, CLOCK_READINGS = 10001 };

struct latency {
    struct random random;
    char *blocks[LIVE];
};

static int compare_times(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void sort(uint32_t *times, size_t count)
{
    qsort(times, count, sizeof *times, compare_times);
}

static uint32_t nanoseconds(uint64_t start, uint64_t end)
{
    return end - start < UINT32_MAX ? (uint32_t)(end - start) : UINT32_MAX;
}

static uint32_t timed_malloc(struct latency *latency, size_t index)
{
    size_t size = random_size(&latency->random);
    uint64_t start = now();
    char *block = malloc(size);
    uint64_t end = now();
    if (block == NULL)
        fail(EXIT_REFUSED, "latency", "a request was refused");
    touch(block, 0, size);
    latency->blocks[index] = block;
    return nanoseconds(start, end);
}

static uint32_t timed_free(struct latency *latency, size_t index)
{
    uint64_t start = now();
    free(latency->blocks[index]);
    uint64_t end = now();
    return nanoseconds(start, end);
}

static uint32_t clock_overhead(void)
{
    uint32_t *times = map_memory(CLOCK_READINGS * sizeof *times);
    for (size_t i = 0; i < CLOCK_READINGS; i++) {
        uint64_t start = now();
        times[i] = nanoseconds(start, now());
    }
    sort(times, CLOCK_READINGS);
    return times[CLOCK_READINGS / 2];
}

int main(int count, char **arguments)
{
    int first =
        measure_options(count, arguments, 1, "latency [--expect=OBJECT] [--limit=SECONDS] PAIRS");
    size_t pairs = number(arguments[first]);
    if (pairs == 0)
        fail(EXIT_USAGE, arguments[first], "no pairs, no latency");
    struct latency *latency = map_memory(sizeof *latency);
    uint32_t *mallocs = map_memory(pairs * sizeof *mallocs);
    uint32_t *frees = map_memory(pairs * sizeof *frees);
    for (size_t i = 0; i < LIVE; i++)
        timed_malloc(latency, i);
    for (size_t pair = 0; pair < pairs; pair++) {
        size_t i = random_below(&latency->random, LIVE);
        frees[pair] = timed_free(latency, i);
        mallocs[pair] = timed_malloc(latency, i);
    }
    sort(mallocs, pairs);
    sort(frees, pairs);
    print_line("malloc_p50=%" PRIu32 " malloc_p99=%" PRIu32 " malloc_p999=%" PRIu32
               " malloc_worst=%" PRIu32 " free_p50=%" PRIu32 " free_p99=%" PRIu32
               " free_p999=%" PRIu32 " free_worst=%" PRIu32 " clock=%" PRIu32,
               mallocs[pairs / 2], mallocs[pairs / 100 * 99], mallocs[pairs / 1000 * 999],
               mallocs[pairs - 1], frees[pairs / 2], frees[pairs / 100 * 99],
               frees[pairs / 1000 * 999], frees[pairs - 1], clock_overhead());
    return EXIT_SUCCESS;
}
