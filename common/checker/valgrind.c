// What MA_MEMORY_CHECKER asks for, by valgrind's memcheck. A client request is a sequence of instructions
// that does nothing; valgrind, which reads all instructions, takes it for a message.

#include "allocator.h"

#include <valgrind/memcheck.h>

void ma_memory_hide(const void *start, size_t size)
{
    (void)VALGRIND_MAKE_MEM_NOACCESS(start, size);
}

void ma_memory_show(const void *start, size_t size)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(start, size);
}
