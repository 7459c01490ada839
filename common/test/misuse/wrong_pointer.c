// Pointers that malloc never returned: to other memory, into a block, to nothing at all.

#include "probe.h"

#include <sys/mman.h>

enum { PAGE = 4096, MAPPED = 64 * PAGE, OWN = 256, FAR = 4 << 20 };

static void *map(int protection)
{
    void *memory = mmap(NULL, MAPPED, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        broken("no mapping");
    return memory;
}

static void *address(uintptr_t number)
{
    return (void *)number;
}

static void *stack(void)
{
    return keep_own(stack_memory, STACK_MEMORY);
}

static void *environment(void)
{
    return environ;
}

static _Alignas(16) unsigned char static_memory[OWN];

static void *static_variable(void)
{
    return keep_own(static_memory, sizeof static_memory);
}

static _Thread_local _Alignas(16) unsigned char thread_memory[OWN];

static void *thread_local_variable(void)
{
    return keep_own(thread_memory, sizeof thread_memory);
}

static void *code(void)
{
    return address((uintptr_t)&code & ~(uintptr_t)15);
}

static void *string_literal(void)
{
    return address((uintptr_t) "a literal that lies in memory which nobody may write to");
}

static void *interior_1(void)
{
    return row[BLOCK] + 1;
}

static void *interior_8(void)
{
    return row[BLOCK] + 8;
}

static void *interior_16(void)
{
    return row[BLOCK] + 16;
}

static unsigned char *large_block(void)
{
    return take(LARGE_SIZE);
}

static void *interior_of_a_large_block(void)
{
    return large_block() + 16;
}

static void *page_within_a_large_block(void)
{
    return address(((uintptr_t)large_block() + PAGE) & ~(uintptr_t)(PAGE - 1));
}

static void *before_the_block(void)
{
    return row[BLOCK] - 16;
}

static void *end_of_the_block(void)
{
    return row[BLOCK] + SMALL_SIZE;
}

static void *page_of_the_block(void)
{
    return address((uintptr_t)row[BLOCK] & ~(uintptr_t)(PAGE - 1));
}

static void *beyond_all_blocks(void)
{
    return row[ROW - 1] + FAR;
}

// A block's header and contents, copied into other blocks' contents.
static void *copied_header(void)
{
    unsigned char *large = large_block();
    memcpy(large + 16 - 8, row[BLOCK] - 8, 8 + SMALL_SIZE);
    forget(large); // its contents are the forgery
    return large + 16;
}

// A static array that looks like a block: a size before it, as glibc's and as our header have it.
static void *forged_block(void)
{
    static _Alignas(16) uint64_t forged[64];
    forged[1] = 0x71;
    forged[15] = 0x71;
    return &forged[2];
}

// The block's page, copied into another mapping: the same bytes at other addresses.
static void *foreign_heap(void)
{
    const unsigned char *page = page_of_the_block();
    unsigned char *copy = map(PROT_READ | PROT_WRITE);
    memcpy(copy, page, PAGE);
    return copy + (row[BLOCK] - page);
}

static void *mapping(void)
{
    return keep_own(map(PROT_READ | PROT_WRITE), PAGE);
}

static void *within_a_mapping(void)
{
    return (unsigned char *)keep_own(map(PROT_READ | PROT_WRITE), PAGE) + 64;
}

static void *read_only(void)
{
    return map(PROT_READ);
}

static void *forbidden(void)
{
    return map(PROT_NONE);
}

static void *unmapped(void)
{
    unsigned char *memory = map(PROT_READ);
    munmap(memory, MAPPED);
    return memory + PAGE;
}

static void *low_1(void)
{
    return address(1);
}

static void *low_8(void)
{
    return address(8);
}

static void *low_16(void)
{
    return address(0x10);
}

static void *low_page(void)
{
    return address(PAGE);
}

static void *non_canonical(void)
{
    return address((uintptr_t)1 << (sizeof(void *) * 8 - 17));
}

static void *ascii(void)
{
    return address((uintptr_t)0x4141414141414140);
}

static void *kernel(void)
{
    return address(UINTPTR_MAX << 20);
}

static void *last_address(void)
{
    return address(UINTPTR_MAX);
}

static void *last_aligned_address(void)
{
    return address(UINTPTR_MAX - 15);
}

const struct wrong_pointer wrong_pointers[] = {
    {"stack", stack},
    {"environment", environment},
    {"static", static_variable},
    {"thread-local", thread_local_variable},
    {"code", code},
    {"string-literal", string_literal},
    {"interior-1", interior_1},
    {"interior-8", interior_8},
    {"interior-16", interior_16},
    {"interior-of-a-large-block", interior_of_a_large_block},
    {"page-within-a-large-block", page_within_a_large_block},
    {"before-the-block", before_the_block},
    {"end-of-the-block", end_of_the_block},
    {"page-of-the-block", page_of_the_block},
    {"beyond-all-blocks", beyond_all_blocks},
    {"copied-header", copied_header},
    {"forged-block", forged_block},
    {"foreign-heap", foreign_heap},
    {"mapping", mapping},
    {"within-a-mapping", within_a_mapping},
    {"read-only", read_only},
    {"forbidden", forbidden},
    {"unmapped", unmapped},
    {"low-1", low_1},
    {"low-8", low_8},
    {"low-16", low_16},
    {"low-page", low_page},
    {"non-canonical", non_canonical},
    {"ascii", ascii},
    {"kernel", kernel},
    {"last-address", last_address},
    {"last-aligned-address", last_aligned_address},
    {NULL, NULL},
};
