// cache.h: what each thread keeps for itself, in front of the mutex
//
//     thread 1   cache  [32] [48] [64] ... --+
//     thread 2   cache  [32] [48] [64] ... --+-- magazines of blocks --> mutex --> heap
//     thread 3   cache  [32] [48] [64] ... --+
//
// Two magazines for each size. One is in use. Only when both are full, or both are empty, the heap
// takes or gives one. Each such visit doubles the magazine, up to MAGAZINE_BYTES: for a rare size a
// thread keeps little.

#ifndef MA_CACHE_H
#define MA_CACHE_H

#include "fill.h"
#include "magazine.h"

enum {
    CACHE_MAX = 8192, // bytes of the largest block that threads cache
    CACHE_BINS = SMALL_BINS + 3 * BINS_PER_DOUBLING + 1, // the bins of the sizes up to that
    MAGAZINE_MIN = 2, // blocks in the first magazine of a size
    MAGAZINE_BYTES = 8192, // bytes of the blocks in one magazine, at most
    CACHE_BYTES = 1 << 20, // bytes of the blocks in all magazines of a thread, at most
};

struct cache {
    struct magazine loaded[CACHE_BINS]; // by bin: see bin_of
    struct magazine spare[CACHE_BINS];
    size_t bytes; // that all its magazines may hold
    size_t hand; // the bin that last made room for another
    size_t flushes; // of the heap, when this cache last heard of one
    struct block *blocks[]; // of all magazines
};

static struct cache no_cache; // its magazines give no block and take none
static _Thread_local struct cache *cache = &no_cache;
static _Thread_local bool cache_denied; // the thread ends, or the system refused: it gets no other
static pthread_key_t cache_key; // its destructor empties the cache of a thread that ends
static atomic_bool cache_key_made;

// The most blocks that a magazine of a bin can hold.
static inline size_t magazine_max(size_t bin)
{
    return bin_min(bin) < MIN_BLOCK ? 0 : MAGAZINE_BYTES / bin_min(bin);
}

static inline size_t cache_size(void)
{
    size_t blocks = 0;
    for (size_t bin = 0; bin < CACHE_BINS; bin++)
        blocks += 2 * magazine_max(bin);
    return sizeof(struct cache) + blocks * sizeof(struct block *);
}

// A cache whose magazines have no capacity yet; NULL if the system refuses the memory.
static inline struct cache *cache_create(void)
{
    struct cache *created = region_map(NULL, cache_size());
    if (created == NULL)
        return NULL;
    struct block **place = created->blocks;
    for (size_t bin = 0; bin < CACHE_BINS; bin++) {
        created->loaded[bin].blocks = place;
        created->spare[bin].blocks = place + magazine_max(bin);
        place += 2 * magazine_max(bin);
    }
    return created;
}

// Gives the blocks of some bins back to the heap. Their magazines begin anew, and small.
static inline void cache_flush(struct cache *all, size_t bin, size_t end)
{
    struct cache *own = cache;
    bool denied = cache_denied;
    cache = &no_cache; // a misuse handler may free meanwhile: not into what is being emptied
    cache_denied = true;
    for (; bin < end; bin++) {
        magazine_flush(&all->loaded[bin], "free");
        magazine_flush(&all->spare[bin], "free");
        all->bytes -= (all->loaded[bin].capacity + all->spare[bin].capacity) * bin_min(bin);
        all->loaded[bin].capacity = 0;
        all->spare[bin].capacity = 0;
    }
    cache = own;
    cache_denied = denied;
}

// Ends the cache of a thread that ends. Other destructors may run after this one, and free.
static inline void cache_close(void *unused)
{
    (void)unused;
    struct cache *old = cache;
    cache = &no_cache;
    cache_denied = true;
    cache_flush(old, 0, CACHE_BINS);
    munmap(old, cache_size());
}

__attribute__((constructor(101))) static void cache_begin(void)
{
    cache_key_made = pthread_key_create(&cache_key, cache_close) == 0;
}

// A library that is unloaded takes cache_close with it: threads that end later must not call it.
__attribute__((destructor)) static void cache_end(void)
{
    if (atomic_exchange(&cache_key_made, false))
        pthread_key_delete(cache_key);
}

// Whether this thread may use its cache. On its first call it gets one, and arranges for the cache
// to be emptied when the thread ends.
static inline bool cache_is_open(void)
{
    if (cache == &no_cache && cache_key_made && !cache_denied) {
        int saved_errno = errno; // free leaves errno alone
        struct cache *created = cache_create();
        if (created == NULL)
            cache_denied = true;
        else
            cache = created; // at once: pthread_setspecific may allocate
        if (created != NULL && pthread_setspecific(cache_key, created) != 0)
            cache_close(created);
        errno = saved_errno;
    }
    return cache != &no_cache;
}

static inline void cache_exchange(size_t bin)
{
    struct magazine loaded = cache->loaded[bin];
    cache->loaded[bin] = cache->spare[bin];
    cache->spare[bin] = loaded;
}

// Empties the loaded magazine of a bin and doubles it. Other bins make room for that, in turn.
static inline void cache_renew(size_t bin, const char *operation)
{
    struct magazine *loaded = &cache->loaded[bin];
    magazine_flush(loaded, operation);
    size_t capacity = smaller(larger(2 * loaded->capacity, MAGAZINE_MIN), magazine_max(bin));
    while (cache->bytes + (capacity - loaded->capacity) * bin_min(bin) > CACHE_BYTES) {
        cache->hand = (cache->hand + 1) % CACHE_BINS;
        cache_flush(cache, cache->hand, cache->hand + 1);
    }
    cache->bytes += (capacity - loaded->capacity) * bin_min(bin);
    loaded->capacity = (uint32_t)capacity;
}

// Whether the loaded magazine has a block to give, if need be after a visit to the heap.
static inline bool cache_refill(size_t bin)
{
    if (!cache_is_open())
        return false;
    bool overwritten = cache->loaded[bin].count != 0; // it has blocks, and yet gave none
    if (!overwritten)
        cache_exchange(bin);
    if (overwritten || cache->loaded[bin].count == 0)
        cache_renew(bin, "malloc");
    if (cache->loaded[bin].count == 0) // a misuse handler may have freed meanwhile
        magazine_fill(&cache->loaded[bin], bin_min(bin));
    return cache->loaded[bin].count != 0;
}

// Whether the loaded magazine has room for a block, if need be after a visit to the heap. When the
// heap has become nearly empty, what is cached holds its pages: the whole cache goes back.
static inline bool cache_drain(size_t bin)
{
    if (!cache_is_open())
        return false;
    if (cache->flushes != default_heap.flushes) {
        cache->flushes = default_heap.flushes;
        cache_flush(cache, 0, CACHE_BINS);
    }
    cache_exchange(bin);
    if (cache->loaded[bin].count == cache->loaded[bin].capacity)
        cache_renew(bin, "free");
    return true;
}

// I8: each block is as the cache left it, and in the bin of its size, or in the one below: what was
// left over could not be split. (In a bin above, the difference would wrap around.)
static inline bool check_magazine(const struct magazine *magazine, size_t bin)
{
    for (size_t i = 0; i < magazine->count; i++) {
        const struct block *block = magazine->blocks[i];
        if (!is_cached(&default_heap, block) || bin_of(block->size) - bin > 1)
            return false;
    }
    return magazine->count <= magazine->capacity;
}

static inline bool check_cache(struct ma_heap *heap)
{
    for (size_t bin = 0; is_default(heap) && bin < CACHE_BINS; bin++)
        if (!check_magazine(&cache->loaded[bin], bin) || !check_magazine(&cache->spare[bin], bin))
            return false;
    return true;
}

#endif
