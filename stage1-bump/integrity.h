// integrity.h: whether a pointer that is given back can be trusted

#ifndef MA_INTEGRITY_H
#define MA_INTEGRITY_H

#include "misuse.h"

// What is wrong with a pointer that is given back; NULL: nothing.
static inline const char *problem_with(const struct ma_heap *heap, const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    if (address < heap->base || address >= heap->limit)
        return "not from this heap";
    if (address % ALIGNMENT != 0 || address >= heap->top)
        return "no intact block starts here";
    return NULL;
}

// Whether pointer may be given back; if not, the misuse is noted.
static inline bool is_payload(struct ma_heap *heap, const void *pointer)
{
    const char *problem = problem_with(heap, pointer);
    if (problem != NULL)
        note_misuse(heap, pointer, problem);
    return problem == NULL;
}

#endif
