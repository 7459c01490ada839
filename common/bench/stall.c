// The longest that one call took.
//
//     stall large 5         malloc(8000) and free, while another thread handles 128 MiB, 5 times
//     worst=123456 calls=1600000
//     stall crowd 60000     free, of 60,000 blocks of 70 kB in random order, all written to
//     worst=812345 calls=60000
//
// worst is nanoseconds by the wall clock, without those in which another program had the processor. Both are
// about work that a call may do without the lock, or in parts: to clear, to copy, to give pages back.

#define _POSIX_C_SOURCE 200809L // for pread

#include "measure.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MIB = 1 << 20,
    LARGE = 128 * MIB, // bytes that the other thread handles
    SMALL = 8000, // bytes of a block that must not wait for it
    SCHEDULE_BYTES = 80,
    BURST = 100, // such blocks are live at once: more than a thread caches
    CROWD = 70000, // bytes of a block of the crowd
    FENCE = 20000, // bytes of a block that lies behind the last one: not from a cache
    FENCE_LEFT = 16, // bytes that it keeps
};

struct stall {
    int schedule; // file: what the kernel says of the first thread, which is the one that is timed
    uint64_t worst;
    size_t calls;
};

struct other {
    pthread_t thread;
    size_t times;
    _Atomic bool done;
};

static void *not_refused(void *block)
{
    if (block == NULL)
        fail(EXIT_REFUSED, "stall", "a request was refused");
    return block;
}

// Nanoseconds in which the thread was ready and others ran; 0 if the kernel does not count them.
static uint64_t time_ready(const struct stall *stall)
{
    char text[SCHEDULE_BYTES] = "";
    if (pread(stall->schedule, text, sizeof text - 1, 0) <= 0)
        return 0;
    const char *second = strchr(text, ' ');
    return second == NULL ? 0 : strtoull(second, NULL, 10);
}

static void note(struct stall *stall, uint64_t taken, uint64_t ready)
{
    stall->calls++;
    if (taken <= stall->worst)
        return;
    uint64_t lost = time_ready(stall) - ready; // some of it before the call began, perhaps
    if (taken > lost && taken - lost > stall->worst)
        stall->worst = taken - lost;
}

static void *timed_malloc(struct stall *stall, size_t size)
{
    uint64_t ready = time_ready(stall), start = now();
    void *block = malloc(size);
    note(stall, now() - start, ready);
    return not_refused(block);
}

static void timed_free(struct stall *stall, void *block)
{
    uint64_t ready = time_ready(stall), start = now();
    free(block);
    note(stall, now() - start, ready);
}

// A small block that lies behind the last one, so that they cannot become one. From a thread's cache it
// would lie elsewhere; so it is asked for as a large one, and shrinks.
static char *fence(void)
{
    return not_refused(realloc(not_refused(malloc(FENCE)), FENCE_LEFT));
}

// The fence stands where the first block would grow, so that realloc needs another place for it. The
// second calloc finds the memory that the first block left there, and has to clear it.
static void handle_large(void)
{
    char *block = not_refused(calloc(1, LARGE));
    char *last = fence();
    touch(block, 0, LARGE);
    block = not_refused(realloc(block, LARGE + MIB));
    char *second = not_refused(calloc(1, LARGE));
    free(second);
    free(block);
    free(last);
}

static void *run_other(void *argument)
{
    struct other *other = argument;
    for (size_t i = 0; i < other->times; i++)
        handle_large();
    atomic_store(&other->done, true);
    return NULL;
}

static void stall_by_large(struct stall *stall, size_t times)
{
    struct other other = {.times = times};
    char *blocks[BURST];
    if (pthread_create(&other.thread, NULL, run_other, &other) != 0)
        fail(EXIT_USAGE, "threads", "the system has no thread left");
    while (!atomic_load(&other.done)) {
        for (size_t i = 0; i < BURST; i++) {
            blocks[i] = timed_malloc(stall, SMALL);
            touch(blocks[i], 0, SMALL);
        }
        for (size_t i = 0; i < BURST; i++)
            timed_free(stall, blocks[i]);
    }
    pthread_join(other.thread, NULL);
}

// One write makes a page of memory real.
static void write_pages(char *block, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t at = 0; at < size; at += page)
        block[at] = 1;
}

static void stall_by_crowd(struct stall *stall, size_t count)
{
    struct random random = {1};
    char **blocks = map_memory(count * sizeof *blocks);
    char **fences = map_memory(count * sizeof *fences);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = not_refused(malloc(CROWD));
        write_pages(blocks[i], CROWD);
        fences[i] = fence();
    }
    for (; count > 0; count--) {
        size_t i = random_below(&random, count);
        timed_free(stall, blocks[i]);
        blocks[i] = blocks[count - 1];
    }
}

int main(int count, char **arguments)
{
    static const char usage[] =
        "stall [--expect=OBJECT] [--limit=SECONDS] large TIMES | crowd BLOCKS";
    struct stall stall = {.schedule = open("/proc/self/schedstat", O_RDONLY)};
    int first = measure_options(count, arguments, 2, usage);
    size_t value = number(arguments[first + 1]);
    if (value > 0 && strcmp(arguments[first], "large") == 0)
        stall_by_large(&stall, value);
    else if (value > 0 && strcmp(arguments[first], "crowd") == 0)
        stall_by_crowd(&stall, value);
    else
        fail(EXIT_USAGE, "usage", usage);
    print_line("worst=%" PRIu64 " calls=%zu", stall.worst, stall.calls);
    return EXIT_SUCCESS;
}
