// fill.h: what a payload holds when it is handed out
//
// malloc promises nothing about it. A build with -DMA_FILL=1 fills it, so that a program that reads
// what it never wrote finds 0xCC there, each time.

#ifndef MA_FILL_H
#define MA_FILL_H

#include "heap.h"

#include <string.h>

enum {
    FILL_FRESH = 0xCC, // what MA_FILL writes into a payload that is handed out
};

// Every payload that is handed out passes here.
static inline void *hand_out(void *payload, size_t size)
{
    if (MA_FILL)
        memset(payload, FILL_FRESH, size);
    return payload;
}

#endif
