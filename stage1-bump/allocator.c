// Stage 1: bump
//
// Stage 1 adds: a region of memory and one pointer, the top, that only moves up.
//
//     start    base                          top                             limit
//     v        v                             v                               v
//     +--------+---------+---------+---------+-------------------------------+
//     |  heap  |  block  |  block  |  block  |  not handed out               |
//     +--------+---------+---------+---------+-------------------------------+
//                                            malloc takes from here -->
//
// A heap of your own keeps its bookkeeping, struct ma_heap, at the start of its region. The
// default heap keeps it outside.
//
// Invariants, tested by ma_heap_check:
//   I1: base <= top <= limit
//   I2: every payload is aligned
//
// Cost of malloc: constant.
// Cost of free: constant.
// Space: up to 15 bytes a block to round its size up.

#define _DEFAULT_SOURCE // for MAP_ANONYMOUS under -std=c11

#include "allocator.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// --- constants -----------------------------------------------------------------------------------

enum {
    ALIGNMENT = 16, // bytes; the address of every payload is a multiple
    FILL_FRESH = 0xCC, // what MA_FILL writes into a payload that is handed out
    LINE_LENGTH = 160, // bytes of the longest message, with room to spare
};

static const size_t max_payload = MA_HEAP_MAX - 4096; // bytes; rounded up, still below MA_HEAP_MAX

static_assert(MA_HEAP_SIZE <= MA_HEAP_MAX - 65536, "rounded up to pages, it is still a region");
static_assert(ALIGNMENT % _Alignof(max_align_t) == 0, "a payload can hold any C object");

// --- types ---------------------------------------------------------------------------------------

struct ma_heap {
    uintptr_t start; // first byte of the region
    uintptr_t base; // first byte of the first block
    uintptr_t top; // first byte after the last block
    uintptr_t limit; // first byte after the region
    bool owns_region; // the region is not the caller's
    const char *problem; // the misuse that the running call found, or NULL
    const void *problem_at; // the pointer it is about
};

static_assert(sizeof(struct ma_heap) + 256 <= MA_HEAP_MIN, "the smallest heap holds some blocks");

// --- heap state ----------------------------------------------------------------------------------

static _Alignas(ALIGNMENT) unsigned char static_region[MA_HEAP_SIZE];
static struct ma_heap default_heap = {.owns_region = true};

// --- size arithmetic -----------------------------------------------------------------------------

// multiple is a power of two.
static size_t round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) & ~(multiple - 1);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Bytes of the block that holds a payload of size bytes; even the empty payload has an address.
static size_t block_size_for(size_t size)
{
    return round_up(size == 0 ? 1 : size, ALIGNMENT);
}

// --- block access --------------------------------------------------------------------------------

// The one place where an address becomes a pointer.
static void *pointer_to(uintptr_t address)
{
    return (void *)address;
}

// Where a block can begin, at address or after, so that its payload is aligned.
static uintptr_t first_block(uintptr_t address)
{
    return round_up(address, ALIGNMENT);
}

// Bytes to leave out at address, so that the payload of a block after them is aligned.
static size_t gap_before_aligned(uintptr_t address, size_t alignment)
{
    size_t gap = round_up(address, alignment) - address;
    return gap;
}

// --- misuse --------------------------------------------------------------------------------------

static ma_misuse_handler *misuse_handler; // NULL: abort_on_misuse

static char *put_text(char *end, const char *text)
{
    size_t length = strlen(text);
    memcpy(end, text, length + 1);
    return end + length;
}

static char *put_number(char *end, uintptr_t number, unsigned base)
{
    char digits[sizeof number * 8 + 1];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do {
        *--first = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    return put_text(end, first);
}

// Begins a message: "ma_free(0x7f0012345678): ".
static char *put_call(char *end, const struct ma_heap *heap, const char *operation, const void *at)
{
    end = put_text(end, heap == &default_heap ? "ma_" : "ma_heap_");
    end = put_text(end, operation);
    end = put_text(end, "(0x");
    end = put_number(end, (uintptr_t)at, 16);
    return put_text(end, "): ");
}

// One write(2), so that lines of several processes do not mix. Nothing here may allocate.
static void write_line(const char *message)
{
    char line[LINE_LENGTH];
    char *end = put_text(put_text(line, message), "\n");
    if (write(STDERR_FILENO, line, (size_t)(end - line)) < 0)
        return; // nobody is left to be told
}

static void abort_on_misuse(const char *message)
{
    write_line(message);
    abort();
}

static void warn_of_live_blocks(const struct ma_heap *heap, size_t live)
{
    char message[LINE_LENGTH];
    char *end = put_call(message, heap, "destroy", heap);
    put_text(put_number(end, live, 10), live == 1 ? " block still live" : " blocks still live");
    write_line(message);
}

// Operations note what is wrong and return; heap_leave reports it when the heap is at rest again.
static void note_misuse(struct ma_heap *heap, const void *pointer, const char *problem)
{
    heap->problem = problem;
    heap->problem_at = pointer;
}

static void report_misuse(struct ma_heap *heap, const char *operation)
{
    char message[LINE_LENGTH];
    put_text(put_call(message, heap, operation, heap->problem_at), heap->problem);
    heap->problem = NULL;
    ma_misuse_handler *handler = misuse_handler;
    (handler != NULL ? handler : abort_on_misuse)(message);
}

// Ends every call on a heap.
static inline void heap_leave(struct ma_heap *heap, const char *operation)
{
    if (heap->problem != NULL)
        report_misuse(heap, operation);
}

// What is wrong with a pointer that is given back; NULL: nothing.
static const char *problem_with(const struct ma_heap *heap, const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    if (address < heap->base || address >= heap->limit)
        return "not from this heap";
    if (address % ALIGNMENT != 0 || address >= heap->top)
        return "not the start of a block";
    return NULL;
}

// Whether pointer may be given back; if not, the misuse is noted.
static bool is_payload(struct ma_heap *heap, const void *pointer)
{
    const char *problem = problem_with(heap, pointer);
    if (problem != NULL)
        note_misuse(heap, pointer, problem);
    return problem == NULL;
}

// --- region --------------------------------------------------------------------------------------

static void region_begin(struct ma_heap *heap, uintptr_t start, uintptr_t base, uintptr_t limit)
{
    heap->start = start;
    heap->base = first_block(base);
    heap->top = heap->base;
    heap->limit = limit;
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

// Asks the system for size bytes, at hint if it can; NULL if it refuses.
static void *region_map(void *hint, size_t size)
{
    void *memory = mmap(hint, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

// The default heap's region, on its first call.
static bool region_first(struct ma_heap *heap)
{
    size_t size = sizeof static_region;
    uintptr_t start = (uintptr_t)static_region;
    region_begin(heap, start, start, start + size);
    return true;
}

// Makes room for size bytes above the top.
static bool region_grow(struct ma_heap *heap, size_t size)
{
    if (!heap->owns_region || (heap->limit == 0 && !region_first(heap)))
        return false;
    return size <= heap->limit - heap->top; // the region stays as large as it is
}

// Whether size bytes lie between top and limit, if need be after growing.
static bool room_for(struct ma_heap *heap, size_t size)
{
    if (size <= heap->limit - heap->top || region_grow(heap, size))
        return true;
    errno = ENOMEM;
    return false;
}

// Moves the top up by size bytes and returns where it was; 0 if there is no room.
//
//     top                  limit            address  top         limit
//     v                    v                v        v           v
//     +--------------------+       =>       +--------+-----------+
//     |  not handed out    |                |  size  | the rest  |
//     +--------------------+                +--------+-----------+
static uintptr_t bump(struct ma_heap *heap, size_t size)
{
    if (!room_for(heap, size))
        return 0;
    uintptr_t address = heap->top;
    heap->top += size;
    return address;
}

// --- operations ----------------------------------------------------------------------------------

// Every payload that is handed out passes here.
static void *hand_out(void *payload, size_t size)
{
    if (MA_FILL)
        memset(payload, FILL_FRESH, size);
    return payload;
}

static void *heap_malloc(struct ma_heap *heap, size_t size)
{
    if (size > max_payload) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t address = bump(heap, block_size_for(size));
    return address == 0 ? NULL : hand_out(pointer_to(address), size);
}

static void heap_free(struct ma_heap *heap, void *pointer)
{
    is_payload(heap, pointer); // nobody knows how large the block is: it stays
}

static void *heap_calloc(struct ma_heap *heap, size_t count, size_t size)
{
    if (size != 0 && count > max_payload / size) {
        errno = ENOMEM;
        return NULL;
    }
    void *payload = heap_malloc(heap, count * size);
    if (payload != NULL)
        memset(payload, 0, count * size); // it may have been used before
    return payload;
}

static void *heap_realloc(struct ma_heap *heap, void *pointer, size_t size)
{
    if (!is_payload(heap, pointer))
        return NULL;
    if (size == 0) {
        heap_free(heap, pointer);
        return NULL;
    }
    size_t old_size = heap->top - (uintptr_t)pointer; // at most: the true size is unknown
    void *moved = heap_malloc(heap, size);
    if (moved != NULL) {
        memcpy(moved, pointer, smaller(old_size, size));
        heap_free(heap, pointer);
    }
    return moved;
}

static void *heap_aligned_alloc(struct ma_heap *heap, size_t alignment, size_t size)
{
    if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
        errno = EINVAL; // no power of two
        return NULL;
    }
    if (alignment <= ALIGNMENT)
        return heap_malloc(heap, size);
    if (size > max_payload || alignment > max_payload - size) {
        errno = ENOMEM;
        return NULL;
    }
    if (!room_for(heap, alignment + block_size_for(size)))
        return NULL;
    size_t gap = gap_before_aligned(heap->top, alignment);
    return hand_out(pointer_to(bump(heap, gap + block_size_for(size)) + gap), size);
}

static size_t heap_usable_size(struct ma_heap *heap, const void *pointer)
{
    is_payload(heap, pointer);
    return 0; // unknown
}

// The block at address, for ma_heap_walk.
static struct ma_block describe(struct ma_heap *heap, uintptr_t address)
{
    return (struct ma_block){
        .address = pointer_to(address),
        .payload = pointer_to(address),
        .size = heap->top - address, // without headers, all that was handed out is one block
        .state = MA_BLOCK_USED,
    };
}

static bool heap_walk(struct ma_heap *heap, ma_visitor *visit, void *context)
{
    for (uintptr_t address = heap->base; address < heap->top;) {
        struct ma_block block = describe(heap, address);
        if (!visit(&block, context))
            return false;
        address += block.size;
    }
    return true;
}

static bool add_block(const struct ma_block *block, void *context)
{
    struct ma_stats *stats = context;
    size_t header = (size_t)((const char *)block->payload - (const char *)block->address);
    size_t payload = block->size - header;
    stats->header_bytes += header;
    if (block->state == MA_BLOCK_USED) {
        stats->live_blocks++;
        stats->live_bytes += payload;
    }
    return true;
}

static struct ma_stats heap_stats(struct ma_heap *heap)
{
    struct ma_stats stats = {
        .padding_bytes = heap->base - heap->start,
        .top_bytes = heap->limit - heap->top,
        .region_bytes = heap->limit - heap->start,
    };
    heap_walk(heap, add_block, &stats);
    return stats;
}

// Makes a heap whose bookkeeping lies at the start of its region.
static struct ma_heap *heap_begin(uintptr_t start, size_t size, bool owns_region)
{
    struct ma_heap *heap = pointer_to(round_up(start, ALIGNMENT));
    *heap = (struct ma_heap){.owns_region = owns_region};
    region_begin(heap, start, (uintptr_t)(heap + 1), start + size);
    return heap;
}

// --- invariants ----------------------------------------------------------------------------------

static bool check_bounds(struct ma_heap *heap)
{
    return heap->start <= heap->base && heap->base <= heap->top && heap->top <= heap->limit;
}

static bool check_alignment(struct ma_heap *heap)
{
    bool no_region = heap->limit == 0; // before the first call on the default heap
    return no_region ||
           (first_block(heap->base) == heap->base && first_block(heap->top) == heap->top);
}

struct invariant {
    bool (*holds)(struct ma_heap *heap);
    const char *text;
};

static const struct invariant invariants[] = {
    {check_bounds, "I1: base <= top <= limit"},
    {check_alignment, "I2: every payload is aligned"},
};

static const char *heap_check(struct ma_heap *heap)
{
    for (size_t i = 0; i < sizeof invariants / sizeof invariants[0]; i++)
        if (!invariants[i].holds(heap))
            return invariants[i].text;
    return NULL;
}

// --- public API ----------------------------------------------------------------------------------

void *ma_heap_malloc(struct ma_heap *heap, size_t size)
{
    void *payload = heap_malloc(heap, size);
    heap_leave(heap, "malloc");
    return payload;
}

void ma_heap_free(struct ma_heap *heap, void *pointer)
{
    if (pointer == NULL)
        return;
    heap_free(heap, pointer);
    heap_leave(heap, "free");
}

void *ma_heap_calloc(struct ma_heap *heap, size_t count, size_t size)
{
    void *payload = heap_calloc(heap, count, size);
    heap_leave(heap, "calloc");
    return payload;
}

void *ma_heap_realloc(struct ma_heap *heap, void *pointer, size_t size)
{
    if (pointer == NULL)
        return ma_heap_malloc(heap, size);
    void *payload = heap_realloc(heap, pointer, size);
    heap_leave(heap, "realloc");
    return payload;
}

void *ma_heap_aligned_alloc(struct ma_heap *heap, size_t alignment, size_t size)
{
    void *payload = heap_aligned_alloc(heap, alignment, size);
    heap_leave(heap, "aligned_alloc");
    return payload;
}

size_t ma_heap_usable_size(struct ma_heap *heap, const void *pointer)
{
    if (pointer == NULL)
        return 0;
    size_t size = heap_usable_size(heap, pointer);
    heap_leave(heap, "usable_size");
    return size;
}

bool ma_heap_walk(struct ma_heap *heap, ma_visitor *visit, void *context)
{
    bool complete = heap_walk(heap, visit, context);
    return complete;
}

struct ma_stats ma_heap_stats(struct ma_heap *heap)
{
    struct ma_stats stats = heap_stats(heap);
    return stats;
}

const char *ma_heap_check(struct ma_heap *heap)
{
    const char *broken = heap_check(heap);
    return broken;
}

struct ma_heap *ma_heap_create(size_t size)
{
    if (size < MA_HEAP_MIN) {
        errno = EINVAL;
        return NULL;
    }
    size_t mapped = size > MA_HEAP_MAX ? size : round_up(size, page_size());
    if (mapped > MA_HEAP_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    void *memory = region_map(NULL, mapped);
    if (memory == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    return heap_begin((uintptr_t)memory, mapped, true);
}

struct ma_heap *ma_heap_init(void *memory, size_t size)
{
    if (memory == NULL || size < MA_HEAP_MIN || size > MA_HEAP_MAX) {
        errno = EINVAL;
        return NULL;
    }
    return heap_begin((uintptr_t)memory, size, false);
}

bool ma_heap_extend(struct ma_heap *heap, size_t bytes)
{
    if (heap->owns_region || bytes > MA_HEAP_MAX - (heap->limit - heap->start)) {
        errno = EINVAL;
        return false;
    }
    heap->limit += bytes;
    return true;
}

size_t ma_heap_destroy(struct ma_heap *heap)
{
    if (heap == NULL)
        return 0;
    if (heap == &default_heap) {
        note_misuse(heap, heap, "the default heap cannot be destroyed");
        heap_leave(heap, "heap_destroy");
        return 0;
    }
    size_t live = heap_stats(heap).live_blocks;
    if (live != 0)
        warn_of_live_blocks(heap, live);
    if (heap->owns_region)
        munmap(pointer_to(heap->start), heap->limit - heap->start);
    return live;
}

ma_misuse_handler *ma_set_misuse_handler(ma_misuse_handler *handler)
{
    ma_misuse_handler *before = misuse_handler;
    misuse_handler = handler;
    return before;
}

struct ma_heap *ma_default_heap(void)
{
    return &default_heap;
}

void *ma_malloc(size_t size)
{
    return ma_heap_malloc(&default_heap, size);
}

void ma_free(void *pointer)
{
    ma_heap_free(&default_heap, pointer);
}

void *ma_calloc(size_t count, size_t size)
{
    return ma_heap_calloc(&default_heap, count, size);
}

void *ma_realloc(void *pointer, size_t size)
{
    return ma_heap_realloc(&default_heap, pointer, size);
}

void *ma_aligned_alloc(size_t alignment, size_t size)
{
    return ma_heap_aligned_alloc(&default_heap, alignment, size);
}

size_t ma_usable_size(const void *pointer)
{
    return ma_heap_usable_size(&default_heap, pointer);
}
