// The system refuses memory: from the n-th time on that the allocator asks, or that time only, for
// every n, while it heeds hints and while it ignores them; then large pieces; then what a thread needs
// for its cache. A request that cannot be met returns NULL with ENOMEM and changes nothing; it
// succeeds when there is memory again.
//
// usage: refuse STAGE

#define _GNU_SOURCE // for RTLD_NEXT, syscall and MAP_ANONYMOUS

#include "allocator.h"
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MIB = 1 << 20, BLOCKS_MAX = 9000 };

// --- what the allocator calls instead of the C library's functions ----------------------------------

static int calls; // of mmap
static int refused_call = INT_MAX;
static bool only_that_call;
static size_t refused_size = SIZE_MAX;
static bool ignore_hints;
static bool refuse_thread_data;

#ifdef SYS_mmap2
static const long map_call = SYS_mmap2; // 32-bit systems; it counts offsets, all 0 here, in pages
#else
static const long map_call = SYS_mmap;
#endif

static bool is_refused(size_t size)
{
    calls++;
    return (only_that_call ? calls == refused_call : calls >= refused_call) || size >= refused_size;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    if (ignore_hints)
        address = NULL;
    if (!is_refused(size))
        return (void *)syscall(map_call, address, size, protection, flags, file, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

int pthread_setspecific(pthread_key_t key, const void *value)
{
    int (*next)(pthread_key_t, const void *);
    *(void **)&next = dlsym(RTLD_NEXT, "pthread_setspecific");
    return refuse_thread_data ? ENOMEM : next(key, value);
}

// --- requests ------------------------------------------------------------------------------------

enum kind { MALLOC, CALLOC, REALLOC, ALIGNED };

struct request {
    enum kind kind;
    struct ma_heap *heap; // NULL: the default heap
    size_t size;
    void *old; // for REALLOC
};

struct held {
    struct ma_heap *heap;
    void *block;
    size_t size;
};

static int stage;
static struct held held[BLOCKS_MAX];
static int held_count;
static int failures; // requests that were not met

// Of calloc's elements: several where that gives the size.
static size_t count_for(size_t size)
{
    return size % 64 == 0 ? 64 : 1;
}

static void *ask_own(const struct request *request)
{
    switch (request->kind) {
    case MALLOC:
        return ma_heap_malloc(request->heap, request->size);
    case CALLOC:
        return ma_heap_calloc(request->heap, count_for(request->size),
                              request->size / count_for(request->size));
    case REALLOC:
        return ma_heap_realloc(request->heap, request->old, request->size);
    default:
        return ma_heap_aligned_alloc(request->heap, 65536, request->size);
    }
}

static void *ask(const struct request *request)
{
    if (request->heap != NULL)
        return ask_own(request);
    switch (request->kind) {
    case MALLOC:
        return ma_malloc(request->size);
    case CALLOC:
        return ma_calloc(count_for(request->size), request->size / count_for(request->size));
    case REALLOC:
        return ma_realloc(request->old, request->size);
    default:
        return ma_aligned_alloc(65536, request->size);
    }
}

static struct ma_heap *heap_of(struct ma_heap *heap)
{
    return heap == NULL ? ma_default_heap() : heap;
}

static void expect_all_intact(void)
{
    bool intact = true;
    for (int i = 0; i < held_count; i++)
        intact = intact && is_marked(held[i].block, held[i].size, (unsigned)i);
    expect(intact, "all blocks keep their contents");
}

static size_t live_blocks(struct ma_heap *heap)
{
    size_t live = 0;
    for (int i = 0; i < held_count; i++)
        live += held[i].heap == heap;
    return live;
}

// A request has failed: nothing else may have.
static void expect_clean_failure(struct ma_heap *heap)
{
    failures++;
    expect(errno == ENOMEM, "errno is ENOMEM");
    expect(ma_heap_check(heap_of(heap)) == NULL, "the heap passes its check after a refusal");
    if (stage > 1)
        expect(ma_heap_stats(heap_of(heap)).live_blocks == live_blocks(heap),
               "a refused request leaves no block behind");
    expect_all_intact();
}

// The result of a request, which is made again when there is memory again.
static void *insist(const struct request *request)
{
    errno = 0;
    void *result = ask(request);
    if (result == NULL) {
        expect_clean_failure(request->heap);
        refused_call = INT_MAX;
        result = ask(request);
    }
    expect(result != NULL, "the request succeeds when there is memory again");
    return result;
}

static void hold(struct request request)
{
    void *block = insist(&request);
    if (block == NULL)
        return;
    size_t looked_at = request.size < 4096 ? request.size : 4096;
    if (request.kind == CALLOC)
        expect(*(char *)block == 0 && memcmp(block, (char *)block + 1, looked_at - 1) == 0,
               "calloc gives zeros");
    mark(block, request.size, (unsigned)held_count);
    held[held_count++] = (struct held){request.heap, block, request.size};
}

static void hold_longer(int index, size_t size)
{
    struct held *old = &held[index];
    void *block = insist(&(struct request){REALLOC, old->heap, size, old->block});
    if (block == NULL)
        return;
    old->block = block;
    expect(*(unsigned char *)block == (unsigned char)(index * 31 + 1), "realloc keeps the content");
    old->size = size;
    mark(block, size, (unsigned)index);
}

// --- the work ------------------------------------------------------------------------------------

static struct ma_heap *create(size_t size)
{
    errno = 0;
    struct ma_heap *heap = ma_heap_create(size);
    if (heap == NULL) {
        failures++;
        expect(errno == ENOMEM, "errno is ENOMEM after ma_heap_create");
        refused_call = INT_MAX;
        heap = ma_heap_create(size);
    }
    expect(heap != NULL, "ma_heap_create succeeds when there is memory again");
    return heap;
}

// Each of the large requests makes the heap grow.
static void grow(struct ma_heap *heap, size_t unit)
{
    int first = held_count;
    hold((struct request){MALLOC, heap, 100, NULL});
    hold((struct request){MALLOC, heap, 12 * unit, NULL});
    hold((struct request){CALLOC, heap, 15 * unit, NULL});
    hold((struct request){CALLOC, heap, 64000, NULL});
    hold((struct request){ALIGNED, heap, 20 * unit, NULL});
    hold_longer(first + 1, 30 * unit);
    for (int i = 0; i < 4000; i++)
        hold((struct request){i % 3 == 0 ? MALLOC : CALLOC, heap, 4000 * unit / MIB, NULL});
}

static void free_all(void)
{
    expect_all_intact();
    for (; held_count > 0; held_count--) {
        const struct held *last = &held[held_count - 1];
        if (last->heap == NULL)
            ma_free(last->block);
        else
            ma_heap_free(last->heap, last->block);
    }
}

static void work(void)
{
    struct ma_heap *heap = create(stage == 1 ? 64 * (size_t)MIB : 65536);
    if (heap == NULL)
        return;
    if (stage > 1)
        grow(NULL, MIB); // stage 1's default heap is static memory, and never grows
    grow(heap, MIB / 4);
    free_all();
    expect(ma_heap_check(heap) == NULL && ma_heap_check(ma_default_heap()) == NULL,
           "the heaps pass their check in the end");
    expect(stage == 1 ||
               (ma_heap_destroy(heap) == 0 && ma_heap_stats(ma_default_heap()).live_blocks == 0),
           "no block is left");
}

// --- the faults ----------------------------------------------------------------------------------

static int *calls_of_work; // in memory that children share

static int work_and_count(void)
{
    work();
    *calls_of_work = calls;
    expect(failures == 0, "no request fails while nothing is refused");
    return all_hold() ? 0 : 1;
}

static int work_with_refusals(void)
{
    work();
    // One refusal alone may leave room for a smaller piece.
    expect(only_that_call || failures > 0, "a request fails from the refused call on");
    return all_hold() ? 0 : 1;
}

static int work_without_thread_data(void)
{
    refuse_thread_data = true;
    return work_and_count();
}

// In a thread that was refused its cache. A call that cannot have one should not cost a system call.
static void *allocate_without_cache(void *unused)
{
    calls = 0;
    only_that_call = false;
    refused_call = 1;
    for (size_t i = 0; i < 1000; i++) {
        void *block = ma_malloc(i);
        mark(block, i, (unsigned)i);
        expect(is_marked(block, i, (unsigned)i),
               "without a cache, too, blocks keep their contents");
        ma_free(block);
    }
    expect(calls < 10, "a thread that was refused a cache does not ask again and again");
    refused_call = INT_MAX;
    return unused;
}

static int work_in_thread_without_cache(void)
{
    pthread_t thread;
    ma_free(ma_malloc(MIB)); // the heap has memory
    expect(pthread_create(&thread, NULL, allocate_without_cache, NULL) == 0, "there is a thread");
    pthread_join(thread, NULL);
    return all_hold() ? 0 : 1;
}

// As a system that does not overcommit: small pieces are given, large ones never.
static int work_without_large_pieces(void)
{
    struct ma_heap *heap = ma_heap_create(65536);
    void *kept = ma_heap_malloc(heap, 1000);
    mark(kept, 1000, 1);
    refused_size = 8 * (size_t)MIB;
    for (int round = 0; round < 100; round++) {
        errno = 0;
        expect(ma_heap_malloc(heap, 64 * (size_t)MIB) == NULL && errno == ENOMEM, "64 MiB: ENOMEM");
        errno = 0;
        expect(ma_heap_create(64 * (size_t)MIB) == NULL && errno == ENOMEM, "64 MiB heap: ENOMEM");
        expect(ma_heap_check(heap) == NULL && is_marked(kept, 1000, 1), "the heap is as it was");
        void *small = ma_heap_malloc(heap, stage == 1 ? 100 : 100000);
        expect(small != NULL, "small requests are met while large ones are not");
        if (round % 2 == 0)
            ma_heap_free(heap, small);
    }
    void *first = ma_malloc(1); // from stage 2 on, the first region is large
    expect(stage == 1 || (first == NULL && errno == ENOMEM), "the default heap: ENOMEM");
    expect(ma_heap_check(ma_default_heap()) == NULL, "the default heap passes its check");
    refused_size = SIZE_MAX;
    expect(ma_malloc(1) != NULL, "the default heap begins when there is memory again");
    return all_hold() ? 0 : 1;
}

static void refuse_each_call(void)
{
    calls = 0;
    bool completes = child_succeeds(work_and_count);
    expect(completes, "the work completes while nothing is refused");
    if (!completes)
        return;
    int last = *calls_of_work;
    expect(last >= (stage == 1 ? 1 : 8), "the work asks the system again and again");
    for (int mode = 0; mode < 2; mode++) {
        only_that_call = mode == 1;
        for (refused_call = 1; refused_call <= last; refused_call++)
            expect(child_succeeds(work_with_refusals), "the work completes in spite of a refusal");
        refused_call = INT_MAX;
    }
}

int main(int count, char **arguments)
{
    stage = stage_from(count, arguments);
    calls_of_work =
        (int *)mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    refuse_each_call();
    ignore_hints = true;
    refuse_each_call();
    ignore_hints = false;
    expect(child_succeeds(work_without_thread_data), "the work completes without thread data");
    expect(child_succeeds(work_in_thread_without_cache), "a thread goes on without a cache");
    expect(child_succeeds(work_without_large_pieces), "large pieces are refused");
    return report("");
}
