// What MA_MEMORY_CHECKER asks for, by AddressSanitizer. Its shadow memory knows of every 8 bytes how many
// of them may be touched; code that was compiled with -fsanitize=address looks there first.

#include "allocator.h"

#include <sanitizer/asan_interface.h>

void ma_memory_hide(const void *start, size_t size)
{
    __asan_poison_memory_region(start, size);
}

void ma_memory_show(const void *start, size_t size)
{
    __asan_unpoison_memory_region(start, size);
}
