/// @file
/// The interface of all five stages: the same bytes in each.
///
/// Sizes are bytes of payload, the part of a block that the caller may use, unless a name says
/// otherwise. Every payload is aligned for any C object (16 bytes on x86-64 and AArch64).
/// What a stage cannot do yet is said in its README and shown by a test.
///
/// **Errors.** A request that cannot be met returns NULL with `errno == ENOMEM` and leaves the heap
/// and every block as they were. A wrong argument (an alignment, the size of a region) fails with
/// `errno == EINVAL`. A pointer that is no live block of the heap goes to the misuse handler.
///
/// **Threads.** Stages 1 to 4 serve one thread at a time. From stage 5 on every function may be
/// called from any thread; a block may be freed by a thread other than the one that asked for it.

#ifndef MA_ALLOCATOR_H
#define MA_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Bytes of the default heap's first region. A build may set it: `-DMA_HEAP_SIZE=1073741824`.
#ifndef MA_HEAP_SIZE
#define MA_HEAP_SIZE 10485760 // 10 MiB
#endif

/// 1 fills a fresh payload with 0xCC and a freed one with 0xDD, to show reads of memory that was
/// never written or is no longer owned. Off by default: it touches every byte.
#ifndef MA_FILL
#define MA_FILL 0
#endif

/// 1 tells a memory checker which bytes of a payload belong to the program, from stage 2 on: the build
/// adds ma_memory_hide() and ma_memory_show(), which `common/checker` has for AddressSanitizer and
/// for valgrind. Not to be combined with MA_FILL.
#ifndef MA_MEMORY_CHECKER
#define MA_MEMORY_CHECKER 0
#endif

/// 0 leaves the per-thread cache of stage 5 out: what remains is one mutex per heap.
#ifndef MA_THREAD_CACHE
#define MA_THREAD_CACHE 1
#endif

/// Bytes of the smallest region that can become a heap: room for the heap's own bookkeeping in the
/// stage that needs most, and for some blocks.
#define MA_HEAP_MIN 8192

/// Bytes of the largest region, and so of the largest block: 64 GiB less 16, or just below
/// PTRDIFF_MAX where that is smaller. A heap that grows may have more, in several regions.
#define MA_HEAP_MAX ((size_t)(0xFFFFFFFF0 & PTRDIFF_MAX))

#ifdef __cplusplus
extern "C" {
#endif

/// A heap: a region of memory, contiguous, and the bookkeeping to hand it out in blocks. From stage 2
/// on, a heap that owns its region and cannot make it longer goes on in a further one.
struct ma_heap;

/// @name For a memory checker
/// Called, not defined, by an allocator that was built with MA_MEMORY_CHECKER.
/// @{

/// Nobody may touch these bytes any more, but the allocator.
void ma_memory_hide(const void *start, size_t size);

/// These bytes may be touched again.
void ma_memory_show(const void *start, size_t size);

/// @}

/// @name The default heap
/// The C library's contract under other names. The heap's region appears on the first call.
/// @{

/// Allocates a block.
/// @param size bytes of payload; 0 gives a block of its own too, with a pointer unlike any other.
/// @return the payload, its content undefined, owned by the caller until ma_free() or ma_realloc();
///         NULL with ENOMEM if the heap cannot serve it.
/// @par Cost
/// Stage 1: constant. Stage 2: up to the number of free blocks. From stage 3: bounded, however
/// many blocks there are. Growing the region adds a system call.
void *ma_malloc(size_t size);

/// Gives a block back.
/// @param pointer a payload of the default heap that is still owned, or NULL, which does nothing.
///        Anything else is misuse.
/// @par Cost
/// Constant. Stage 1 does nothing at all; from stage 4 on a system call may return memory.
void ma_free(void *pointer);

/// Allocates a block for an array, all bytes zero.
/// @param count number of elements
/// @param size bytes of each
/// @return as ma_malloc() of `count * size`; NULL with ENOMEM too if that product overflows.
/// @par Cost
/// That of ma_malloc(), and writing `count * size` bytes, where they are not known to be zero.
void *ma_calloc(size_t count, size_t size);

/// Changes the size of a block; it may move.
/// @param pointer a payload that is still owned, or NULL, which makes this ma_malloc().
/// @param size bytes of payload wanted; 0 frees the block and returns NULL.
/// @return the payload, whose content is kept up to the smaller of both sizes; the old pointer is
///         no longer owned. NULL with ENOMEM leaves the old block as it was, still owned.
/// @par Cost
/// Constant if the block stays in place, else that of ma_malloc(), a copy and ma_free().
void *ma_realloc(void *pointer, size_t size);

/// Allocates a block with a stricter alignment than malloc's.
/// @param alignment bytes, a power of two; below malloc's own, malloc's own is given.
/// @param size bytes of payload; it need not be a multiple of the alignment (as in C17).
/// @return as ma_malloc(), the address a multiple of alignment; NULL with EINVAL if alignment is
///         no power of two.
/// @par Cost
/// That of ma_malloc(). Stages 1 and 2 always take such a block from the top.
void *ma_aligned_alloc(size_t alignment, size_t size);

/// Tells how many bytes of a block may be used: at least what was asked for.
/// @param pointer a payload that is still owned, or NULL.
/// @return bytes of payload; 0 for NULL. Stage 1 keeps no sizes and always answers 0.
///         With `_FORTIFY_SOURCE=3` or UBSan a program is held to the size it asked for.
/// @par Cost
/// Constant.
size_t ma_usable_size(const void *pointer);

/// @}
/// @name Heaps of your own
/// Also called pools. A pointer belongs to the heap it came from.
/// @{

/// Makes a heap in a mapping of its own. From stage 2 on it grows when it is exhausted, if need be
/// into further mappings.
/// @param size bytes of the first region, bookkeeping included; rounded up to whole pages.
/// @return the heap, owned by the caller until ma_heap_destroy(); NULL with EINVAL below
///         #MA_HEAP_MIN, NULL with ENOMEM above #MA_HEAP_MAX or if the system refuses.
/// @par Cost
/// A system call.
struct ma_heap *ma_heap_create(size_t size);

/// Makes a heap inside memory that the caller owns: a static array, `sbrk`, another heap's block,
/// shared memory (for one process at a time, and no fork while a thread uses the heap). It never
/// grows by itself.
/// @param memory its first byte, of any alignment. It belongs to the heap until ma_heap_destroy():
///        until then nothing else may use it.
/// @param size its bytes, bookkeeping included.
/// @return the heap, which lies inside the memory; NULL with EINVAL if memory is NULL or size is
///         below #MA_HEAP_MIN or above #MA_HEAP_MAX.
/// @par Cost
/// Constant; the bookkeeping is written, nothing else.
struct ma_heap *ma_heap_init(void *memory, size_t size);

/// Tells a heap of ma_heap_init() that the memory after its region now belongs to it too.
/// @param heap a heap of ma_heap_init()
/// @param bytes how many; they begin where its region ended.
/// @return true; false with EINVAL if the region is not the caller's or would exceed #MA_HEAP_MAX.
/// @par Cost
/// Constant.
bool ma_heap_extend(struct ma_heap *heap, size_t bytes);

/// Ends a heap. Every pointer into it is dead. A mapping goes back to the system, memory of
/// ma_heap_init() to its owner. Blocks that are still live are counted, and one line on standard
/// error warns of them. The default heap cannot be destroyed: that is misuse.
/// @param heap a heap of ma_heap_create() or ma_heap_init(), or NULL, which does nothing.
/// @return the number of blocks that were still live. Stage 1 has no headers to tell blocks apart:
///         it counts all it ever handed out as one block.
/// @par Cost
/// The number of blocks: the heap is walked once.
size_t ma_heap_destroy(struct ma_heap *heap);

/// ma_malloc() from a heap of your own.
void *ma_heap_malloc(struct ma_heap *heap, size_t size);

/// ma_free() into a heap of your own: the one that the pointer came from.
void ma_heap_free(struct ma_heap *heap, void *pointer);

/// ma_calloc() from a heap of your own.
void *ma_heap_calloc(struct ma_heap *heap, size_t count, size_t size);

/// ma_realloc() within a heap of your own.
void *ma_heap_realloc(struct ma_heap *heap, void *pointer, size_t size);

/// ma_aligned_alloc() from a heap of your own.
void *ma_heap_aligned_alloc(struct ma_heap *heap, size_t alignment, size_t size);

/// ma_usable_size() of a block in a heap of your own.
size_t ma_heap_usable_size(struct ma_heap *heap, const void *pointer);

/// The heap behind ma_malloc() and the others, to look inside it.
struct ma_heap *ma_default_heap(void);

/// @}
/// @name Looking inside
/// @{

/// Who holds a block.
enum ma_block_state {
    MA_BLOCK_USED = 'U', ///< owned by the program (letters, since what zeros overwrote is no state)
    MA_BLOCK_FREE = 'F', ///< on a free list
    MA_BLOCK_CACHED = 'C' ///< freed, kept by a thread for its next request of that size (stage 5)
};

/// One block, as ma_heap_walk() shows it.
struct ma_block {
    const void *address; ///< its first byte: the header, where there is one
    const void *payload; ///< what ma_malloc() returned
    size_t size; ///< bytes of the whole block, header included
    enum ma_block_state state; ///< who holds it
    const void *next_free; ///< payload of the next block on its free list; NULL: none
};

/// Sums over a heap. All bytes of its regions are accounted for: `region_bytes` is the sum of
/// `live_bytes`, `free_bytes`, `cached_bytes`, `header_bytes`, `padding_bytes` and `top_bytes`.
/// External fragmentation is `1 - largest_free / free_bytes`.
struct ma_stats {
    size_t live_blocks; ///< blocks that the program owns
    size_t live_bytes; ///< their payload, what rounding added included
    size_t free_blocks; ///< blocks on free lists
    size_t free_bytes; ///< their payload
    size_t largest_free; ///< payload of the largest of them
    size_t cached_blocks; ///< blocks in thread caches (stage 5), neither live nor free
    size_t cached_bytes; ///< their payload
    size_t header_bytes; ///< headers of all blocks
    size_t padding_bytes; ///< of regions, before the first block and after the last: bookkeeping
    size_t top_bytes; ///< after the last block: the top
    size_t region_bytes; ///< all regions
};

/// Looks at one block; see ma_heap_walk().
/// @param block valid during the call only
/// @param context what was given to ma_heap_walk()
/// @return true to go on, false to stop
typedef bool ma_visitor(const struct ma_block *block, void *context);

/// Shows every block: in address order within a region, the newest region first. Stage 1 has no
/// headers and shows all it handed out as one.
/// @param heap any heap
/// @param visit called for each block; it must not use the heap
/// @param context passed through
/// @return true if all blocks were shown; false if visit stopped it, or at an overwritten header:
///         ma_heap_check() says what is broken.
/// @par Cost
/// The number of blocks.
bool ma_heap_walk(struct ma_heap *heap, ma_visitor *visit, void *context);

/// Sums up a heap.
/// @par Cost
/// The number of blocks: nothing is counted while the heap works.
struct ma_stats ma_heap_stats(struct ma_heap *heap);

/// Tests every invariant that the stage's inspect.h lists at its top.
/// @return NULL if all hold, else the text of the first broken one, such as
///         "I1: base <= top <= limit". The text is static.
/// @par Cost
/// The number of blocks, times a constant.
const char *ma_heap_check(struct ma_heap *heap);

/// @}
/// @name Misuse
/// @{

/// Is told of misuse. The heap is not locked, and may be looked at. If the handler returns, a call
/// that was given a wrong pointer, or that needs a block which was overwritten, returns NULL or 0
/// and changes nothing. A call that only found a neighbour overwritten does its work without it.
/// @param message one line without a line end, such as "ma_free(0x7f0012345678): double free"
typedef void ma_misuse_handler(const char *message);

/// Replaces what happens on misuse, for all heaps. By default the message is written to standard
/// error, with write(2) and nothing else, and the process aborts.
/// @param handler the new handler; NULL: the default again
/// @return the handler before; NULL: it was the default
/// @par Cost
/// Constant.
ma_misuse_handler *ma_set_misuse_handler(ma_misuse_handler *handler);

/// @}

// The same once more, for the compiler to warn: of a result thrown away (warn_unused_result); of an
// access beyond the block (alloc_size: which parameter is its size, or which two are multiplied);
// with gcc also of a use after free and of a wrong pointer freed (malloc: which function frees the
// result, as which of its parameters). In underscores: a program may define malloc as a macro.
// -DMA_NO_WARNINGS leaves this out, for tests that misuse on purpose. So does the allocator itself,
// by heap.h, since gcc inlines nothing that is named here.
#if defined(__GNUC__) && !defined(MA_NO_WARNINGS) && !defined(MA_HEAP_H)
#if __GNUC__ >= 11 && !defined(__clang__)
#define MA_TO_FREE __warn_unused_result__, __malloc__(ma_free, 1)
#define MA_TO_HEAP_FREE __warn_unused_result__, __malloc__(ma_heap_free, 2)
#define MA_TO_DESTROY __warn_unused_result__, __malloc__(ma_heap_destroy, 1)
#else
#define MA_TO_FREE __warn_unused_result__
#define MA_TO_HEAP_FREE __warn_unused_result__
#define MA_TO_DESTROY __warn_unused_result__
#endif
void *ma_malloc(size_t) __attribute__((MA_TO_FREE, __alloc_size__(1)));
void *ma_calloc(size_t, size_t) __attribute__((MA_TO_FREE, __alloc_size__(1, 2)));
void *ma_realloc(void *, size_t) __attribute__((MA_TO_FREE, __alloc_size__(2)));
void *ma_aligned_alloc(size_t, size_t) __attribute__((MA_TO_FREE, __alloc_size__(2)));
struct ma_heap *ma_heap_create(size_t) __attribute__((MA_TO_DESTROY));
struct ma_heap *ma_heap_init(void *, size_t) __attribute__((MA_TO_DESTROY));
void *ma_heap_malloc(struct ma_heap *, size_t) __attribute__((MA_TO_HEAP_FREE, __alloc_size__(2)));
void *ma_heap_calloc(struct ma_heap *, size_t, size_t)
    __attribute__((MA_TO_HEAP_FREE, __alloc_size__(2, 3)));
void *ma_heap_realloc(struct ma_heap *, void *, size_t)
    __attribute__((MA_TO_HEAP_FREE, __alloc_size__(3)));
void *ma_heap_aligned_alloc(struct ma_heap *, size_t, size_t)
    __attribute__((MA_TO_HEAP_FREE, __alloc_size__(3)));
#endif

#ifdef __cplusplus
}
#endif

#endif
