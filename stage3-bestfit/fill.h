// fill.h: what a payload holds when it is handed out, and when it has come back
//
// malloc promises nothing about it. A build with -DMA_FILL=1 fills it, so that a program that reads
// what it never wrote finds 0xCC there, each time, and what it has freed, 0xDD. A build with
// -DMA_MEMORY_CHECKER=1 tells a memory checker which bytes are the program's.

#ifndef MA_FILL_H
#define MA_FILL_H

#include "block.h"

#include <string.h>

enum {
    FILL_FRESH = 0xCC, // what MA_FILL writes into a payload that is handed out
    FILL_FREED = 0xDD, // and into one that is freed
};

static_assert(MA_FILL + MA_MEMORY_CHECKER < 2, "what is hidden must not be filled");

// Of a payload the first size bytes are the program's, from now on.
static inline void tell_checker(const void *payload, size_t size)
{
    if (MA_MEMORY_CHECKER) {
        ma_memory_show(payload, size);
        ma_memory_hide((const char *)payload + size, payload_size(block_of(payload)) - size);
    }
}

// Every payload that is handed out passes here.
static inline void *hand_out(void *payload, size_t size)
{
    tell_checker(payload, size);
    if (MA_FILL)
        memset(payload, FILL_FRESH, size);
    return payload;
}

// And every one that comes back, here.
static inline void take_back(void *payload)
{
    if (MA_FILL)
        memset(payload, FILL_FREED, payload_size(block_of(payload)));
    tell_checker(payload, 0);
}

#endif
