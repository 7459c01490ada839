// Stage 3: best fit
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
// Stage 2 adds: a header before every payload, a list of free blocks, and a region that grows.
//
//     used block                       free block
//     +--------+-------------------+   +--------+------+------+------------+
//     | header |  payload          |   | header | next | prev |            |
//     +--------+-------------------+   +--------+------+------+------------+
//     8 bytes  ^ multiple of 16        links to its neighbours on the list
//
//     struct ma_heap
//     +-----------+     +------+      +------+      +------+
//     | bins[i]   | --> | free | <--> | free | <--> | free |   last freed, first found
//     +-----------+     +------+      +------+      +------+
//
// Stage 3 adds: one list for each size class, and splitting.
//
//     bitmap   0    0    1    0    1    1   ...         which bins hold a block
//     bins     .    .   [ ]   .   [ ]  [ ]  ...
//     bytes    0   16    32  48    64   80  ...  1024-1055  1056-1087  ...
//
//     block taken for a smaller size
//     +--------+---------------------------+     +--------+---------+--------+------------+
//     | header |  free                     |  => | header | payload | header |  free      |
//     +--------+---------------------------+     +--------+---------+--------+------------+
//
// A heap of your own keeps its bookkeeping, struct ma_heap, at the start of its region. The
// default heap keeps it outside.
//
// Invariants, tested by ma_heap_check:
//   I1: base <= top <= limit
//   I2: every payload is aligned
//   I3: blocks follow each other without a gap, each header intact
//   I4: the free list holds the free blocks, linked both ways
//   I5: each free block is in the bin of its size, the bitmap names the filled bins
//
// Cost of malloc: constant; it looks at 64 free blocks at most.
// Cost of free: constant.
// Space: up to 15 bytes a block to round its size up.
// And 8 bytes a block for its header; no block is smaller than 32.

#define _DEFAULT_SOURCE // for MAP_ANONYMOUS under -std=c11

#include "allocator.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

// --- constants -----------------------------------------------------------------------------------

enum {
    ALIGNMENT = 16, // bytes; the address of every payload is a multiple
    HEADER_SIZE = 8, // bytes before every payload
    MIN_BLOCK = 32, // bytes of the smallest block: a header and what a free block keeps
    GROW_MIN = 1 << 20, // bytes; a region grows by no less, if it can
    SMALL_BINS = 64, // bins of one size each, below 1 KiB
    BINS_PER_DOUBLING = 32, // above, bins as wide as 1/32 of 1, 2, 4, ... KiB
    BIN_COUNT = SMALL_BINS + 26 * BINS_PER_DOUBLING, // up to 64 GiB
    SEARCH_MAX = 32, // candidates looked at in one bin
    FILL_FRESH = 0xCC, // what MA_FILL writes into a payload that is handed out
    FILL_FREED = 0xDD, // and into one that is freed
    LINE_LENGTH = 160, // bytes of the longest message, with room to spare
};

static const size_t max_payload = MA_HEAP_MAX - 4096; // bytes; rounded up, still below MA_HEAP_MAX

static_assert(MA_HEAP_SIZE <= MA_HEAP_MAX - 65536, "rounded up to pages, it is still a region");
static_assert(ALIGNMENT % _Alignof(max_align_t) == 0, "a payload can hold any C object");
static_assert(MA_FILL + MA_MEMORY_CHECKER < 2, "what is hidden must not be filled");

// --- types ---------------------------------------------------------------------------------------

struct block {
    uint32_t size; // of the whole block, in units of ALIGNMENT
    uint16_t check; // shows whether the header was overwritten: see header_check
    uint8_t state; // enum ma_block_state
    uint8_t prev_free; // reserved: stage 4 gives it a meaning
    uintptr_t next_link; // a used block's payload begins here; a free block keeps its links in it
    uintptr_t prev_link;
};

static_assert(BIN_COUNT % 64 == 0, "the bitmap is made of whole words");
static_assert(offsetof(struct block, next_link) == HEADER_SIZE, "the header is 8 bytes");
static_assert(sizeof(struct block) <= MIN_BLOCK, "the smallest block can be free");

struct ma_heap {
    uintptr_t start; // first byte of the region
    uintptr_t base; // first byte of the first block
    uintptr_t top; // first byte after the last block
    uintptr_t limit; // first byte after the region
    bool owns_region; // the region is not the caller's
    uint64_t secret; // random: headers and links of this heap are mixed with it
    struct block *bins[BIN_COUNT]; // of each size class the block freed last, or NULL
    uint64_t bitmap[BIN_COUNT / 64]; // bit i % 64 of word i / 64: bins[i] holds a block
    const char *problem; // the misuse that the running call found, or NULL
    const void *problem_at; // the pointer it is about
};

static_assert(sizeof(struct ma_heap) + 256 <= MA_HEAP_MIN, "the smallest heap holds some blocks");

// --- heap state ----------------------------------------------------------------------------------

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

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

// Bytes of the block that holds a payload of size bytes; even the empty payload has an address.
static size_t block_size_for(size_t size)
{
    return larger(MIN_BLOCK, round_up(HEADER_SIZE + size, ALIGNMENT));
}

// The bin for blocks of size bytes. In units of 16 bytes, the first bins hold one size each. Above,
// the highest bit of the size picks 32 bins and the five bits below it one of them, as in TLSF
// (Masmano et al., 2004):
//
//     1xxxxx......  ->  64 + 32 * (position of the 1, less 6) + xxxxx
static size_t bin_of(size_t size)
{
    size_t units = size / ALIGNMENT;
    if (units < SMALL_BINS)
        return units;
    size_t highest = 63 - (size_t)__builtin_clzll(units);
    size_t below = (units >> (highest - 5)) - BINS_PER_DOUBLING;
    return SMALL_BINS + (highest - 6) * BINS_PER_DOUBLING + below;
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
    return round_up(address + HEADER_SIZE, ALIGNMENT) - HEADER_SIZE;
}

static struct block *block_of(const void *payload)
{
    return pointer_to((uintptr_t)payload - HEADER_SIZE);
}

static void *payload_of(const struct block *block)
{
    return pointer_to((uintptr_t)block + HEADER_SIZE);
}

static size_t block_size(const struct block *block)
{
    return (size_t)block->size * ALIGNMENT;
}

static size_t payload_size(const struct block *block)
{
    return block_size(block) - HEADER_SIZE;
}

// The block after this one in memory; the top, if this is the last.
static struct block *block_next(const struct block *block)
{
    return pointer_to((uintptr_t)block + block_size(block));
}

static enum ma_block_state block_state(const struct block *block)
{
    return block->state;
}

static bool is_state(enum ma_block_state state)
{
    return state == MA_BLOCK_USED || state == MA_BLOCK_FREE || state == MA_BLOCK_CACHED;
}

static void block_set_state(struct block *block, enum ma_block_state state)
{
    block->state = (uint8_t)state;
}

// What belongs in a header's check: address, size and secret, mixed by multiplication with the
// golden ratio (Knuth, TAOCP volume 3, section 6.4). A header that was overwritten, or bytes that
// were never a header, agree by chance once in 65,536 times.
static uint16_t header_check(const struct ma_heap *heap, const struct block *block)
{
    uint64_t mixed = (uintptr_t)block ^ ((uint64_t)block->size << 32) ^ heap->secret;
    return (uint16_t)((mixed * 0x9E3779B97F4A7C15) >> 48);
}

static void block_set_size(const struct ma_heap *heap, struct block *block, size_t size)
{
    block->size = (uint32_t)(size / ALIGNMENT);
    block->check = header_check(heap, block);
}

// Whether a block's header is as it was written.
static inline bool header_intact(const struct ma_heap *heap, const struct block *block)
{
    return block->check == header_check(heap, block);
}

// Whether a block can lie at address: in the region, and aligned.
static inline bool can_be_block(const struct ma_heap *heap, uintptr_t address)
{
    uintptr_t base = heap->base;
    size_t span = heap->limit - base;
    size_t offset = address - base; // larger than span, if address lies before base
    return offset < span && span - offset >= MIN_BLOCK && offset % ALIGNMENT == 0;
}

// Whether an intact header lies at address. Reads nothing outside the region.
static inline bool is_header(const struct ma_heap *heap, uintptr_t address)
{
    const struct block *block = pointer_to(address);
    return can_be_block(heap, address) && header_intact(heap, block) && block->size != 0 &&
           block_size(block) <= heap->limit - address && is_state(block_state(block));
}

// Whether memory that was never handed out is still zero where the next block will begin.
static bool top_intact(const struct ma_heap *heap)
{
    return !heap->owns_region || *(const uint64_t *)pointer_to(heap->top) == 0;
}

// Whether the header after a block, or the memory after the last one, is intact: did it overflow?
static bool next_intact(const struct ma_heap *heap, const struct block *block)
{
    const struct block *next = block_next(block);
    return (uintptr_t)next >= heap->top ? top_intact(heap) : header_intact(heap, next);
}

// Bytes to leave out at address, so that the payload of a block after them is aligned.
// They are none, or room for a block:
//
//     address           a multiple of alignment
//     v                 v
//     +--------+--------+---------
//     |  gap   | header | payload
//     +--------+--------+---------
static size_t gap_before_aligned(uintptr_t address, size_t alignment)
{
    size_t gap = round_up(address + HEADER_SIZE, alignment) - HEADER_SIZE - address;
    if (gap != 0 && gap < MIN_BLOCK)
        gap += alignment;
    return gap;
}

// --- misuse --------------------------------------------------------------------------------------

static ma_misuse_handler *misuse_handler; // NULL: abort_on_misuse

static const char overflow[] = "overflow: the next header is overwritten";
static const char overflow_of_last[] = "overflow: the last block ran into unused memory";
static const char write_after_free[] = "freed block overwritten";

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

// Why no intact header lies before pointer: a walk meets a broken one, or jumps over the pointer.
static const char *why_no_header(const struct ma_heap *heap, const void *pointer)
{
    uintptr_t wanted = (uintptr_t)pointer - HEADER_SIZE;
    for (uintptr_t address = heap->base; address <= wanted && address < heap->top;) {
        if (!is_header(heap, address))
            return "header overwritten";
        address += block_size(pointer_to(address));
    }
    return "not the start of a block";
}

// What is wrong with a pointer that is given back; NULL: nothing.
static const char *problem_with(const struct ma_heap *heap, const void *pointer,
                                const char *if_free)
{
    uintptr_t address = (uintptr_t)pointer;
    if (address < heap->base || address >= heap->limit)
        return "not from this heap";
    if (address % ALIGNMENT != 0)
        return "not the start of a block";
    const struct block *block = block_of(pointer);
    if (!is_header(heap, (uintptr_t)block))
        return why_no_header(heap, pointer);
    if (block_state(block) != MA_BLOCK_USED)
        return if_free;
    if (address >= heap->top)
        return "not the start of a block";
    if (!next_intact(heap, block))
        return overflow;
    return NULL;
}

// Whether pointer may be given back; if not, the misuse is noted.
static bool is_payload(struct ma_heap *heap, const void *pointer, const char *if_free)
{
    const char *problem = problem_with(heap, pointer, if_free);
    if (problem != NULL)
        note_misuse(heap, pointer, problem);
    return problem == NULL;
}

// --- free list -----------------------------------------------------------------------------------

// A link is stored mixed with the secret and its own address. What a program writes into a freed
// block becomes a link out of the region, or to a block that does not point back.
static uintptr_t link_mix(const struct ma_heap *heap, const uintptr_t *link, uintptr_t value)
{
    return value ^ (uintptr_t)link ^ (uintptr_t)heap->secret;
}

static void link_set(const struct ma_heap *heap, uintptr_t *link, const struct block *target)
{
    *link = link_mix(heap, link, (uintptr_t)target);
}

static struct block *link_get(const struct ma_heap *heap, const uintptr_t *link)
{
    return pointer_to(link_mix(heap, link, *link));
}

// Whether a link may be followed: to NULL, the end of the list, or to where a block can be.
static inline bool link_ok(const struct ma_heap *heap, const uintptr_t *link)
{
    uintptr_t target = (uintptr_t)link_get(heap, link);
    return target == 0 || can_be_block(heap, target);
}

// The next block on the list; NULL at its end, or if the link is broken, which is noted.
static struct block *list_next(struct ma_heap *heap, const struct block *block)
{
    struct block *next = link_get(heap, &block->next_link);
    if (link_ok(heap, &block->next_link) &&
        (next == NULL || link_get(heap, &next->prev_link) == block))
        return next;
    note_misuse(heap, payload_of(block), write_after_free);
    return NULL;
}

static struct block **list_of(struct ma_heap *heap, const struct block *block)
{
    return &heap->bins[bin_of(block_size(block))];
}

// Marks a bin as filled.
static void bitmap_set(struct ma_heap *heap, size_t bin)
{
    heap->bitmap[bin / 64] |= (uint64_t)1 << (bin % 64);
}

static void bitmap_clear(struct ma_heap *heap, size_t bin)
{
    heap->bitmap[bin / 64] &= ~((uint64_t)1 << (bin % 64));
}

// The first bin, from bin on, that holds a block; BIN_COUNT if none does.
static size_t bitmap_next(const struct ma_heap *heap, size_t bin)
{
    uint64_t below = ((uint64_t)1 << (bin % 64)) - 1;
    for (size_t word = bin / 64; word < BIN_COUNT / 64; word++) {
        uint64_t bits = heap->bitmap[word] & ~below;
        if (bits != 0)
            return word * 64 + (size_t)__builtin_ctzll(bits);
        below = 0;
    }
    return BIN_COUNT;
}

// The smallest of the bin's first blocks that is large enough, or NULL.
static struct block *bin_best(struct ma_heap *heap, size_t bin, size_t size)
{
    struct block *best = NULL;
    struct block *block = heap->bins[bin];
    if (bin < SMALL_BINS)
        return block;
    for (int seen = 0; block != NULL && seen < SEARCH_MAX; seen++) {
        if (block_size(block) == size)
            return block;
        if (block_size(block) > size && (best == NULL || block_size(block) < block_size(best)))
            best = block;
        block = list_next(heap, block);
    }
    return best;
}

// The block goes to the front: what was freed last is reused first, while the processor's caches
// still hold it.
static void list_push(struct ma_heap *heap, struct block *block)
{
    struct block **first = list_of(heap, block);
    link_set(heap, &block->next_link, *first);
    link_set(heap, &block->prev_link, NULL);
    if (*first != NULL)
        link_set(heap, &(*first)->prev_link, block);
    *first = block;
    bitmap_set(heap, bin_of(block_size(block)));
}

// Whether the block is intact and free, and both its neighbours on the list point back to it.
static inline bool list_has(struct ma_heap *heap, const struct block *block)
{
    if (!header_intact(heap, block) || block_state(block) != MA_BLOCK_FREE ||
        !link_ok(heap, &block->next_link) || !link_ok(heap, &block->prev_link))
        return false;
    const struct block *next = link_get(heap, &block->next_link);
    const struct block *prev = link_get(heap, &block->prev_link);
    return (next == NULL || link_get(heap, &next->prev_link) == block) &&
           (prev == NULL ? *list_of(heap, block) : link_get(heap, &prev->next_link)) == block;
}

// Takes a block off its list; false if it was overwritten, which is noted.
//
//     prev <--> block <--> next   =>   prev <--> next
static bool list_remove(struct ma_heap *heap, struct block *block)
{
    if (!list_has(heap, block)) {
        note_misuse(heap, payload_of(block), write_after_free);
        return false;
    }
    struct block *next = link_get(heap, &block->next_link);
    struct block *prev = link_get(heap, &block->prev_link);
    if (next != NULL)
        link_set(heap, &next->prev_link, prev);
    if (prev != NULL) {
        link_set(heap, &prev->next_link, next);
        return true;
    }
    struct block **first = list_of(heap, block);
    *first = next;
    if (next == NULL)
        bitmap_clear(heap, bin_of(block_size(block)));
    return true;
}

// Best fit: the smallest block that is large enough, or NULL. If the request's own bin holds none,
// every block of the next bin that is not empty is large enough.
static struct block *find_fit(struct ma_heap *heap, size_t size)
{
    size_t bin = bin_of(size);
    struct block *best = bin_best(heap, bin, size);
    if (best != NULL)
        return best;
    bin = bitmap_next(heap, bin + 1);
    return bin < BIN_COUNT ? bin_best(heap, bin, size) : NULL;
}

// --- split ---------------------------------------------------------------------------------------

// Cuts a block in two after size bytes and returns the second; NULL if it would be too small.
//
//     block                                     block     rest
//     v                                         v         v
//     +--------+--------------------+           +---------+--------------------+
//     | header |  payload           |     =>    |  size   | header |  payload  |
//     +--------+--------------------+           +---------+--------------------+
static struct block *block_split(struct ma_heap *heap, struct block *block, size_t size)
{
    size_t rest_size = block_size(block) - size;
    if (rest_size < MIN_BLOCK)
        return NULL;
    block_set_size(heap, block, size);
    struct block *rest = block_next(block);
    block_set_size(heap, rest, rest_size);
    block_set_state(rest, block_state(block));
    rest->prev_free = false;
    return rest;
}

// --- region --------------------------------------------------------------------------------------

static uint64_t random_bits(void)
{
    static uint64_t calls;
    uint64_t bits;
    if (getentropy(&bits, sizeof bits) != 0)
        bits = ((uintptr_t)&bits + ++calls) * 0x9E3779B97F4A7C15; // stacks lie at random places
    return bits | 1;
}

static void region_begin(struct ma_heap *heap, uintptr_t start, uintptr_t base, uintptr_t limit)
{
    heap->start = start;
    heap->base = first_block(base);
    heap->top = heap->base;
    heap->limit = limit;
    heap->secret = random_bits();
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

// An address far from everything else, so that a region can grow: 64-bit systems leave the middle
// of a process empty, 32-bit ones the first gigabyte.
static void *region_hint(void)
{
    if (sizeof(void *) < 8)
        return pointer_to(0x10000000 +
                          (uintptr_t)(random_bits() & 0x3FC00000)); // 256 MiB to 1.2 GiB
    uint64_t offset = random_bits() & 0x1FFFFFE00000; // below 32 TiB, a multiple of 2 MiB
    return pointer_to((uintptr_t)(0x200000000000 + offset));
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
    size_t size = round_up(MA_HEAP_SIZE, page_size());
    uintptr_t start = (uintptr_t)region_map(region_hint(), size);
    if (start == 0)
        return false;
    region_begin(heap, start, start, start + size);
    return true;
}

// Maps the next size bytes after the limit. Mapped elsewhere they are of no use and go back.
static bool region_append(struct ma_heap *heap, size_t size)
{
    if (size > MA_HEAP_MAX - (heap->limit - heap->start))
        return false;
    void *wanted = pointer_to(heap->limit);
    void *memory = region_map(wanted, size);
    if (memory == wanted)
        heap->limit += size;
    else if (memory != NULL)
        munmap(memory, size);
    return memory == wanted;
}

// Makes room for size bytes above the top.
static bool region_grow(struct ma_heap *heap, size_t size)
{
    if (!heap->owns_region || (heap->limit == 0 && !region_first(heap)))
        return false;
    if (size <= heap->limit - heap->top)
        return true;
    size_t missing = round_up(size - (heap->limit - heap->top), page_size());
    size_t eighth = round_up((heap->limit - heap->start) / 8, page_size());
    return region_append(heap, larger(missing, larger(eighth, GROW_MIN))) ||
           region_append(heap, missing); // the system may refuse more than that
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
    if (!top_intact(heap)) {
        note_misuse(heap, payload_of(pointer_to(heap->top)), overflow_of_last);
        return 0;
    }
    uintptr_t address = heap->top;
    heap->top += size;
    return address;
}

// A new block of size bytes from the top; NULL if there is no room.
static struct block *block_bump(struct ma_heap *heap, size_t size)
{
    struct block *block = pointer_to(bump(heap, size));
    if (block == NULL)
        return NULL;
    block_set_size(heap, block, size);
    block->prev_free = false;
    return block;
}

// --- operations ----------------------------------------------------------------------------------

// Gives a block back to the heap.
static void block_release(struct ma_heap *heap, struct block *block)
{
    block_set_state(block, MA_BLOCK_FREE);
    list_push(heap, block);
}

// Shortens a used block to size bytes; what is left over becomes free, if it can be a block.
static void block_shorten(struct ma_heap *heap, struct block *block, size_t size)
{
    struct block *rest = block_split(heap, block, size);
    if (rest != NULL)
        block_release(heap, rest);
}

// A used block of at least size bytes: from the free list, else from the top.
static struct block *block_take(struct ma_heap *heap, size_t size)
{
    struct block *block = find_fit(heap, size);
    if (heap->problem != NULL || (block != NULL && !list_remove(heap, block)))
        return NULL;
    if (block == NULL)
        block = block_bump(heap, size);
    if (block != NULL) {
        block_set_state(block, MA_BLOCK_USED);
        block_shorten(heap, block, size);
    }
    return block;
}

// Of a payload the first size bytes are the program's, from now on.
static void tell_checker(const void *payload, size_t size)
{
    if (MA_MEMORY_CHECKER) {
        ma_memory_show(payload, size);
        ma_memory_hide((const char *)payload + size, payload_size(block_of(payload)) - size);
    }
}

// Every payload that is handed out passes here.
static void *hand_out(void *payload, size_t size)
{
    tell_checker(payload, size);
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
    struct block *block = block_take(heap, block_size_for(size));
    return block == NULL ? NULL : hand_out(payload_of(block), size);
}

static void heap_free(struct ma_heap *heap, void *pointer)
{
    if (!is_payload(heap, pointer, "double free"))
        return;
    if (MA_FILL)
        memset(pointer, FILL_FREED, payload_size(block_of(pointer)));
    tell_checker(pointer, 0);
    block_release(heap, block_of(pointer));
}

static void *heap_calloc(struct ma_heap *heap, size_t count, size_t size)
{
    if (size != 0 && count > max_payload / size) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t zero_from = heap->owns_region && !MA_FILL ? heap->top : UINTPTR_MAX;
    void *payload = heap_malloc(heap, count * size);
    if (payload != NULL && (uintptr_t)payload < zero_from)
        memset(payload, 0, count * size);
    return payload;
}

static void *heap_realloc(struct ma_heap *heap, void *pointer, size_t size)
{
    if (!is_payload(heap, pointer, "already freed"))
        return NULL;
    if (size == 0) {
        heap_free(heap, pointer);
        return NULL;
    }
    size_t old_size = payload_size(block_of(pointer));
    if (size <= old_size) {
        tell_checker(pointer, size);
        block_shorten(heap, block_of(pointer), block_size_for(size));
        return pointer;
    }
    void *moved = heap_malloc(heap, size);
    if (moved != NULL) {
        tell_checker(pointer, old_size); // all of it is copied
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
    struct block *block = block_take(heap, alignment + MIN_BLOCK + block_size_for(size));
    if (block == NULL)
        return NULL;
    size_t gap = gap_before_aligned((uintptr_t)block, alignment);
    if (gap != 0) {
        struct block *before = block;
        block = block_split(heap, before, gap);
        block_release(heap, before);
    }
    block_shorten(heap, block, block_size_for(size));
    return hand_out(payload_of(block), size);
}

static size_t heap_usable_size(struct ma_heap *heap, const void *pointer)
{
    if (!is_payload(heap, pointer, "already freed"))
        return 0;
    size_t size = payload_size(block_of(pointer));
    tell_checker(pointer, size); // the program may use all of it now
    return size;
}

// The block at address, for ma_heap_walk.
static struct ma_block describe(struct ma_heap *heap, uintptr_t address)
{
    const struct block *block = pointer_to(address);
    bool is_free = block_state(block) == MA_BLOCK_FREE;
    bool has_next = is_free && link_ok(heap, &block->next_link);
    const struct block *next_free = has_next ? link_get(heap, &block->next_link) : NULL;
    return (struct ma_block){
        .address = pointer_to(address),
        .payload = payload_of(block),
        .size = block_size(block),
        .state = block_state(block),
        .next_free = next_free == NULL ? NULL : payload_of(next_free),
    };
}

static bool heap_walk(struct ma_heap *heap, ma_visitor *visit, void *context)
{
    for (uintptr_t address = heap->base; address < heap->top;) {
        if (!is_header(heap, address))
            return false;
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
    if (block->state == MA_BLOCK_FREE) {
        stats->free_blocks++;
        stats->free_bytes += payload;
        stats->largest_free = larger(stats->largest_free, payload);
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

static bool check_headers(struct ma_heap *heap)
{
    uintptr_t address = heap->base;
    while (address < heap->top && is_header(heap, address))
        address += block_size(pointer_to(address));
    return address == heap->top;
}

static bool count_free(const struct ma_block *block, void *context)
{
    size_t *count = context;
    *count += block->state == MA_BLOCK_FREE;
    return true;
}

// Blocks on the list from first on; SIZE_MAX if one is not free or the links are broken.
static size_t list_length(struct ma_heap *heap, const struct block *first)
{
    size_t length = 0;
    for (const struct block *block = first; block != NULL;
         block = link_get(heap, &block->next_link)) {
        if (!list_has(heap, block))
            return SIZE_MAX;
        length++;
    }
    return length;
}

static bool check_lists(struct ma_heap *heap)
{
    size_t expected = 0;
    heap_walk(heap, count_free, &expected);
    size_t found = 0;
    for (size_t bin = 0; bin < BIN_COUNT; bin++)
        found += list_length(heap, heap->bins[bin]);
    return found == expected;
}

static bool check_bins(struct ma_heap *heap)
{
    for (size_t bin = 0; bin < BIN_COUNT; bin++) {
        const struct block *block = heap->bins[bin];
        bool marked = (heap->bitmap[bin / 64] >> (bin % 64) & 1) != 0;
        if (marked != (block != NULL))
            return false;
        for (; block != NULL; block = link_get(heap, &block->next_link))
            if (bin_of(block_size(block)) != bin)
                return false;
    }
    return true;
}

struct invariant {
    bool (*holds)(struct ma_heap *heap);
    const char *text;
};

static const struct invariant invariants[] = {
    {check_bounds, "I1: base <= top <= limit"},
    {check_alignment, "I2: every payload is aligned"},
    {check_headers, "I3: blocks follow each other without a gap, each header intact"},
    {check_lists, "I4: the free list holds the free blocks, linked both ways"},
    {check_bins, "I5: each free block is in the bin of its size, the bitmap names the filled bins"},
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
    void *memory = region_map(region_hint(), mapped);
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
    if (MA_MEMORY_CHECKER)
        ma_memory_show(pointer_to(heap->start), heap->limit - heap->start);
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
