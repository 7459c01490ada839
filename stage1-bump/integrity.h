// integrity.h: whether a pointer that the program gives back can be trusted

#ifndef MA_INTEGRITY_H
#define MA_INTEGRITY_H

#include "misuse.h"

static const char foreign[] = "not from this heap";
static const char no_block[] = "no intact block starts here";

// Notes what cannot be trusted.
static inline bool trust(struct ma_heap *heap, bool intact, const void *pointer,
                         const char *problem)
{
    if (!intact)
        note_misuse(heap, pointer, problem);
    return intact;
}

// Whether pointer may be given back.
static inline bool is_payload(struct ma_heap *heap, const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    bool in_region = address >= heap->base && address < heap->limit;
    return trust(heap, in_region, pointer, foreign) &&
           trust(heap, address < heap->top, pointer, no_block) &&
           trust(heap, address % ALIGNMENT == 0, pointer, no_block);
}

#endif
