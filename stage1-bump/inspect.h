// inspect.h: the invariants: what holds between two calls
//
//   I1: base <= top <= limit
//   I2: every payload is aligned

#ifndef MA_INSPECT_H
#define MA_INSPECT_H

#include "heap.h"

static inline bool check_bounds(struct ma_heap *heap)
{
    return heap->start <= heap->base && heap->base <= heap->top && heap->top <= heap->limit;
}

static inline bool check_alignment(struct ma_heap *heap)
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

// The text of the first invariant that is broken; NULL: all hold.
static inline const char *heap_check(struct ma_heap *heap)
{
    for (size_t i = 0; i < sizeof invariants / sizeof invariants[0]; i++)
        if (!invariants[i].holds(heap))
            return invariants[i].text;
    return NULL;
}

#endif
