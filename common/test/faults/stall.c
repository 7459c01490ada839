// Nothing long happens under a mutex. In the middle of clearing, copying and giving back 32 MiB for
// one thread, another thread allocates: the functions that do the long work are this program's own,
// and wait for it. And a heap ends as fast among thousands as alone.
//
// usage: stall STAGE     (5)

#define _GNU_SOURCE // for syscall and madvise

#include "allocator.h"
#include "faults.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, LONG_WORK = 16 * MIB, WAIT_SECONDS = 5, HEAPS = 3000 };

// --- the other thread ----------------------------------------------------------------------------

static sem_t asked;
static sem_t answered;
static bool is_late; // it could not answer
static int times_asked;

static void *allocate_when_asked(void *unused)
{
    for (;;) {
        sem_wait(&asked);
        ma_free(ma_malloc(100000));
        sem_post(&answered);
    }
    return unused;
}

static void ask_other_thread(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_SECONDS;
    times_asked++;
    sem_post(&asked);
    is_late = sem_timedwait(&answered, &until) != 0;
}

// Before work that should let the other thread allocate, and after it.
static void begin_work(void)
{
    times_asked = 0;
    is_late = false;
}

static void end_work(const char *what)
{
    expect(times_asked > 0, "the work is done by the function that was expected to do it");
    expect(!is_late, what);
    if (is_late)
        sem_wait(&answered);
}

// --- what the allocator calls instead of the C library's functions -------------------------------

// Byte by byte and volatile, or compilers make calls of themselves of them.
void *memset(void *bytes, int value, size_t size)
{
    if (size >= LONG_WORK && !is_late)
        ask_other_thread();
    volatile unsigned char *to = bytes;
    for (size_t i = 0; i < size; i++)
        to[i] = (unsigned char)value;
    return bytes;
}

void *memcpy(void *restrict bytes, const void *restrict source, size_t size)
{
    if (size >= LONG_WORK && !is_late)
        ask_other_thread();
    volatile unsigned char *to = bytes;
    const unsigned char *from = source;
    for (size_t i = 0; i < size; i++)
        to[i] = from[i];
    return bytes;
}

int madvise(void *address, size_t size, int advice)
{
    if (size >= LONG_WORK && !is_late)
        ask_other_thread();
    return (int)syscall(SYS_madvise, address, size, advice);
}

// --- long work -----------------------------------------------------------------------------------

//     | block | stays |
static void test_long_work(void)
{
    size_t size = 32 * (size_t)MIB;
    char *block = ma_malloc(size);
    void *stays = ma_malloc(100000);
    mark(block, size, 1);

    begin_work();
    ma_free(block);
    end_work("a thread allocates while another gives memory back");

    begin_work();
    block = ma_calloc(1, size);
    end_work("a thread allocates while calloc clears");
    expect(block[0] == 0 && block[size / 2] == 0 && block[size - 1] == 0, "calloc gives zeros");
    mark(block, size, 2);

    begin_work();
    block = ma_realloc(block, 2 * size);
    end_work("a thread allocates while realloc copies");
    expect(is_marked(block, size, 2), "realloc keeps the content");

    ma_free(block);
    ma_free(stays);
    expect(ma_heap_check(ma_default_heap()) == NULL, "the heap passes its check");
}

// --- heaps that end ------------------------------------------------------------------------------

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double time_to_end_heaps(bool oldest_first)
{
    static struct ma_heap *heaps[HEAPS];
    bool all = true;
    for (size_t i = 0; i < HEAPS; i++)
        all = (heaps[i] = ma_heap_create(MA_HEAP_MIN)) != NULL && all;
    expect(all, "there are 3000 heaps");
    double start = seconds();
    for (size_t i = 0; i < HEAPS; i++)
        (void)ma_heap_destroy(heaps[oldest_first ? i : HEAPS - 1 - i]);
    return seconds() - start;
}

static void test_heaps_that_end(void)
{
    bool fast = false;
    for (int tries = 0; tries < 3 && !fast; tries++) // others may use the processors, too
        fast = time_to_end_heaps(true) < 5 * time_to_end_heaps(false);
    expect(fast, "heaps end in any order in about the same time");
}

int main(int count, char **arguments)
{
    pthread_t thread;
    (void)stage_from(count, arguments);
    sem_init(&asked, 0, 0);
    sem_init(&answered, 0, 0);
    if (pthread_create(&thread, NULL, allocate_when_asked, NULL) != 0) {
        perror("pthread_create");
        return 1;
    }
    test_long_work();
    test_heaps_that_end();
    return report("");
}
