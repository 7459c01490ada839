// For LD_PRELOAD: mmap does not heed where a mapping is wanted, as in small address spaces, under
// ThreadSanitizer and in some sandboxes. What must lie at an address (MAP_FIXED) still does.

#define _GNU_SOURCE // for RTLD_NEXT and MAP_FIXED_NOREPLACE

#include <dlfcn.h>
#include <stddef.h>
#include <sys/mman.h>

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    void *(*next)(void *, size_t, int, int, int, off_t);
    *(void **)&next = dlsym(RTLD_NEXT, "mmap");
    if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == 0)
        address = NULL;
    return next(address, size, protection, flags, file, offset);
}
