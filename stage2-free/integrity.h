// integrity.h: whether a pointer, a header or a link can be trusted
//
// A program that writes beyond its payload, or after free, writes over one of these:
//
//     +--------+---------------+ +--------+------+------+--------+ +------------
//     | header |  payload      | | header | next | prev |        | |  top: zeros
//     +--------+---------------+ +--------+------+------+--------+ +------------
//       check                      check    lead to blocks that
//                                           point back
//
// Nothing is repaired: what cannot be trusted is noted as misuse, and left as it is.

#ifndef MA_INTEGRITY_H
#define MA_INTEGRITY_H

#include "block.h"
#include "misuse.h"

static const char foreign[] = "not from this heap";
static const char no_block[] = "no intact block starts here";
static const char write_after_free[] = "freed block overwritten";
static const char overflow[] = "overflow: the next header is overwritten";

// What belongs in a header's check: address, size and the heap's number, mixed by multiplication
// with the golden ratio (Knuth, TAOCP volume 3, section 6.4). A header that was overwritten, or
// bytes that were never a header, agree by chance once in 65,536 times.
static inline uint16_t header_check(const struct ma_heap *heap, const struct block *block)
{
    uint32_t mixed = (uint32_t)(uintptr_t)block ^ block->size ^ heap->number;
    return (uint16_t)(mixed * 0x9E3779B1 >> 16);
}

// The only way in which a size is written.
static inline void block_set_size(const struct ma_heap *heap, struct block *block, size_t size)
{
    block->size = (uint32_t)(size / ALIGNMENT);
    block->check = header_check(heap, block);
}

// Begins a block of size bytes in memory that is taken.
static inline struct block *block_begin(const struct ma_heap *heap, struct block *block,
                                        size_t size)
{
    block_set_size(heap, block, size);
    block->prev_free = false;
    return block;
}

static inline bool header_intact(const struct ma_heap *heap, const struct block *block)
{
    return block->check == header_check(heap, block) && block->prev_free <= true;
}

// Whether an address lies among the blocks of a region that the heap has left.
static inline bool in_older_region(const struct ma_heap *heap, uintptr_t address)
{
    const struct region *region = heap->older;
    while (region != NULL && (address < region->base || address >= region->top))
        region = region->older;
    return region != NULL;
}

// Whether a block can lie at address: in a region, and aligned.
static inline bool can_be_block(const struct ma_heap *heap, uintptr_t address)
{
    uintptr_t limit = heap->limit;
    bool in_region = address >= heap->base && address < limit && limit - address >= MIN_BLOCK;
    return (in_region || in_older_region(heap, address)) &&
           (address + HEADER_SIZE) % ALIGNMENT == 0;
}

// Whether an intact header lies at address. Reads nothing outside the regions.
static inline bool is_header(const struct ma_heap *heap, uintptr_t address)
{
    const struct block *block = pointer_to(address);
    return can_be_block(heap, address) && block->size != 0 && header_intact(heap, block);
}

// Whether memory that was never handed out is still zero where the next block will begin.
static inline bool top_intact(const struct ma_heap *heap)
{
    return !heap->owns_region || *(const uint64_t *)pointer_to(heap->top) == 0;
}

// Whether the header after a block, or the memory after the last one, is intact: did it overflow?
static inline bool next_intact(const struct ma_heap *heap, const struct block *block)
{
    const struct block *next = block_next(block);
    return (uintptr_t)next == heap->top ? top_intact(heap) : header_intact(heap, next);
}

// Whether a link may be followed: to NULL, the end of the list, or to where a block can be.
static inline bool link_ok(const struct ma_heap *heap, const struct block *target)
{
    return target == NULL || can_be_block(heap, (uintptr_t)target);
}

static inline bool next_points_back(const struct ma_heap *heap, const struct block *block)
{
    return link_ok(heap, block->next) && (block->next == NULL || block->next->prev == block);
}

// Whether a block is intact and free, and both its neighbours on the list, which begins with first,
// point back to it. Before it is unlinked, this is known as safe unlinking.
static inline bool is_listed(const struct ma_heap *heap, const struct block *block,
                             const struct block *first)
{
    const struct block *prev = block->prev;
    return header_intact(heap, block) && block_state(block) == MA_BLOCK_FREE &&
           next_points_back(heap, block) && link_ok(heap, prev) &&
           (prev == NULL ? first : prev->next) == block;
}

// Notes what cannot be trusted.
static inline bool trust(struct ma_heap *heap, bool intact, const void *pointer,
                         const char *problem)
{
    if (!intact)
        note_misuse(heap, pointer, problem);
    return intact;
}

static inline bool top_trusted(struct ma_heap *heap)
{
    const void *next = payload_of(pointer_to(heap->top)); // it would be
    return trust(heap, top_intact(heap), next, "overflow: the last block ran into unused memory");
}

// The next block on the list; NULL at its end, or if the link cannot be trusted.
static inline struct block *trusted_next(struct ma_heap *heap, const struct block *block)
{
    bool intact = next_points_back(heap, block);
    return trust(heap, intact, payload_of(block), write_after_free) ? block->next : NULL;
}

// Whether pointer may be given back.
static inline bool is_payload(struct ma_heap *heap, const void *pointer, const char *if_free)
{
    uintptr_t address = (uintptr_t)pointer;
    bool in_region = address >= heap->base && address < heap->limit;
    const struct block *block = block_of(pointer);
    if (!is_header(heap, (uintptr_t)block))
        return trust(heap, in_region || in_older_region(heap, address), pointer, foreign) &&
               trust(heap, false, pointer, no_block);
    return trust(heap, block_state(block) == MA_BLOCK_USED, pointer, if_free) &&
           trust(heap, !in_region || address < heap->top, pointer, no_block) &&
           trust(heap, next_intact(heap, block), pointer, overflow);
}

#endif
