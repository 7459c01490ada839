// What the mutex adds (stage 5): any thread may call anything at any time, free another's blocks,
// end, or fork. Workers only note what is wrong: check's assertions belong to the first thread.

#include "suite.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, STEPS = 20000, SLOTS = 64 };

struct worker {
    pthread_t thread;
    uint64_t random; // the worker's own sequence
    struct ma_heap *heap; // NULL: the default heap
    const char *problem; // the first one met, or NULL
};

static void start(struct worker *worker, void *(*work)(void *))
{
    ck_assert_int_eq(pthread_create(&worker->thread, NULL, work, worker), 0);
}

static void finish(const struct worker *worker)
{
    pthread_join(worker->thread, NULL);
    if (worker->problem != NULL)
        ck_abort_msg("%s", worker->problem);
}

static void run_workers(void *(*work)(void *), struct ma_heap *heap)
{
    struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.random = run_seed() * THREADS + i + 1, .heap = heap};
        start(&workers[i], work);
    }
    for (int i = 0; i < THREADS; i++)
        finish(&workers[i]);
}

// Fails unless as many blocks are live and cached as before, and the heap is sound.
static void expect_nothing_left(const struct ma_stats *before)
{
    struct ma_stats after = ma_heap_stats(ma_default_heap());
    ck_assert_uint_eq(after.live_blocks, before->live_blocks);
    ck_assert_uint_eq(after.cached_blocks, before->cached_blocks);
    expect_sound(ma_default_heap());
}

// --- the flip from stage 4 -----------------------------------------------------------------------

// The first thread is stopped at the first byte that its malloc writes into the heap, and goes on
// when the second thread's malloc is done, or is seen to wait for the first.
enum { WAIT_MILLISECONDS = 500 };
static unsigned char *interrupted_memory;
static int second_may_begin[2], second_is_done[2]; // pipes

static void let_the_second_in(int signal_number)
{
    struct pollfd done = {.fd = second_is_done[0], .events = POLLIN};
    (void)signal_number;
    mprotect(interrupted_memory, 65536, PROT_READ | PROT_WRITE);
    if (write(second_may_begin[1], "", 1) == 1)
        poll(&done, 1, WAIT_MILLISECONDS);
}

static void *be_second(void *heap)
{
    char byte;
    if (read(second_may_begin[0], &byte, 1) != 1)
        return NULL;
    void *payload = ma_heap_malloc(heap, 100);
    return write(second_is_done[1], "", 1) == 1 ? payload : NULL;
}

START_TEST(second_malloc_during_the_first)
{
    pthread_t second;
    void *second_block = NULL;
    interrupted_memory = make_memory(65536);
    struct ma_heap *heap = ma_heap_init(interrupted_memory, 65536);
    ck_assert(pipe(second_may_begin) == 0 && pipe(second_is_done) == 0);
    ck_assert_int_eq(pthread_create(&second, NULL, be_second, heap), 0);
    struct sigaction before;
    ck_assert_int_eq(
        sigaction(SIGSEGV, &(struct sigaction){.sa_handler = let_the_second_in}, &before), 0);
    mprotect(interrupted_memory, 65536, PROT_READ);
    void *first_block = ma_heap_malloc(heap, 100);
    sigaction(SIGSEGV, &before, NULL);
    pthread_join(second, &second_block);
    ck_assert(first_block != NULL && second_block != NULL);
    ck_assert_msg(first_block != second_block, "two threads were given the same block");
    expect_sound(heap);
    ck_assert_uint_eq(ma_heap_stats(heap).live_blocks, 2);
}
END_TEST

// --- every function waits ------------------------------------------------------------------------

// While one thread is within ma_heap_walk, another calls a function of the same heap, or forks. It
// must not come back before the walk ends.
enum { TURN_MILLISECONDS = 50 };
static struct ma_heap *shared_heap;
static void *shared_block;
static int call_is_done[2]; // a pipe
static bool call_came_back;

static bool see_block(const struct ma_block *block, void *context)
{
    (void)context;
    return block == NULL;
}

static void call_malloc(void)
{
    ma_heap_malloc(shared_heap, 100);
}

static void call_free(void)
{
    ma_heap_free(shared_heap, shared_block);
}

static void call_calloc(void)
{
    ma_heap_calloc(shared_heap, 10, 10);
}

static void call_realloc(void)
{
    ma_heap_realloc(shared_heap, shared_block, 200);
}

static void call_aligned_alloc(void)
{
    ma_heap_aligned_alloc(shared_heap, 64, 100);
}

static void call_usable_size(void)
{
    ma_heap_usable_size(shared_heap, shared_block);
}

static void call_walk(void)
{
    ma_heap_walk(shared_heap, see_block, NULL);
}

static void call_stats(void)
{
    ma_heap_stats(shared_heap);
}

static void call_check(void)
{
    ma_heap_check(shared_heap);
}

static void call_extend(void)
{
    ma_heap_extend(shared_heap, 0);
}

static void call_fork(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
}

// A thread's first block of a size comes from the heap.
static void call_default_malloc(void)
{
    ma_malloc(100);
}

enum { MANY = 1000 };
static void *many_blocks[MANY];

// More than its cache keeps goes back to the heap.
static void call_default_free(void)
{
    for (size_t i = 0; i < MANY; i++)
        ma_free(many_blocks[i]);
}

static void *call_in_a_thread(void *call)
{
    (*(void (**)(void))call)();
    return write(call_is_done[1], "", 1) == 1 ? NULL : call;
}

static pthread_t calling_thread;

static bool let_another_call(const struct ma_block *block, void *call)
{
    struct pollfd done = {.fd = call_is_done[0], .events = POLLIN};
    (void)block;
    if (pthread_create(&calling_thread, NULL, call_in_a_thread, call) != 0)
        _exit(1);
    call_came_back = poll(&done, 1, TURN_MILLISECONDS) != 0;
    return false;
}

// Fails if the call comes back during the walk, or not after it.
static void expect_to_wait(struct ma_heap *heap, void (*call)(void))
{
    char byte;
    ck_assert_int_eq(pipe(call_is_done), 0);
    ma_heap_walk(heap, let_another_call, &call);
    ck_assert_msg(!call_came_back, "it did not wait for the thread within ma_heap_walk");
    ck_assert_int_eq(read(call_is_done[0], &byte, 1), 1);
    pthread_join(calling_thread, NULL); // its cache goes back when it ends
    expect_sound(heap);
}

START_TEST(every_function_waits)
{
    static void (*const calls[])(void) = {
        call_malloc,      call_free, call_calloc, call_realloc, call_aligned_alloc,
        call_usable_size, call_walk, call_stats,  call_check,   call_extend,
    };
    shared_heap = make_heap(65536);
    shared_block = take(shared_heap, 100);
    expect_to_wait(shared_heap, calls[_i]);
}
END_TEST

START_TEST(caches_wait)
{
    for (size_t i = 0; i < MANY; i++)
        ck_assert_ptr_nonnull(many_blocks[i] = ma_malloc(100));
    expect_to_wait(ma_default_heap(), _i == 0 ? call_default_malloc : call_default_free);
}
END_TEST

// For each heap: the default one, and the oldest and the newest of one's own.
START_TEST(fork_waits)
{
    ck_assert_ptr_nonnull(ma_malloc(100));
    struct ma_heap *heaps[] = {ma_default_heap(), make_heap(65536), ma_heap_create(65536)};
    for (size_t i = 1; i < 3; i++)
        take(heaps[i], 100);
    expect_to_wait(heaps[_i], call_fork);
}
END_TEST

// While fork waits for a heap, no other comes or goes.
enum { HEAPS_MAX = 50 }; // ThreadSanitizer follows no more than 64 mutexes that one thread holds
static struct ma_heap *many_heaps[HEAPS_MAX];
static atomic_int heaps_changed;
static atomic_bool walk_is_over;

static void *change_heaps(void *made)
{
    unsigned char *memory = made;
    for (size_t i = 0; i < HEAPS_MAX && !walk_is_over; i++) {
        if (memory != NULL)
            ma_heap_init(memory + i * MA_HEAP_MIN, MA_HEAP_MIN);
        else
            ma_heap_destroy(many_heaps[i]);
        heaps_changed++;
        usleep(TURN_MILLISECONDS * 1000 / 2);
    }
    return NULL;
}

static pthread_t forking, changing;

static bool fork_and_change_heaps(const struct ma_block *block, void *memory)
{
    static void (*call)(void) = call_fork;
    (void)block;
    pthread_create(&forking, NULL, call_in_a_thread, &call);
    pthread_create(&changing, NULL, change_heaps, memory);
    for (int before = -1; before != heaps_changed && before != HEAPS_MAX;) {
        before = heaps_changed;
        poll(NULL, 0, TURN_MILLISECONDS);
    }
    return false;
}

START_TEST(heaps_come_and_go_after_fork)
{
    unsigned char *memory = make_memory((size_t)HEAPS_MAX * MA_HEAP_MIN);
    for (size_t i = 0; _i == 1 && i < HEAPS_MAX; i++)
        many_heaps[i] = ma_heap_init(memory + i * MA_HEAP_MIN, MA_HEAP_MIN);
    struct ma_heap *heap = make_heap(65536);
    take(heap, 100);
    ck_assert_int_eq(pipe(call_is_done), 0);
    ma_heap_walk(heap, fork_and_change_heaps, _i == 0 ? memory : NULL);
    ck_assert_msg(heaps_changed < HEAPS_MAX, "all heaps changed while fork waited for one");
    walk_is_over = true;
    pthread_join(forking, NULL);
    pthread_join(changing, NULL);
}
END_TEST

// --- many threads --------------------------------------------------------------------------------

static void *resize(struct worker *worker, void *block, size_t size)
{
    return worker->heap == NULL ? ma_realloc(block, size)
                                : ma_heap_realloc(worker->heap, block, size);
}

// Blocks that come, grow, shrink and go; each has the same size and seed as its slot says.
static void *work_privately(void *context)
{
    struct worker *worker = context;
    void *blocks[SLOTS] = {NULL};
    size_t sizes[SLOTS] = {0};
    for (int step = 0; step < STEPS && worker->problem == NULL; step++) {
        size_t i = random_below(&worker->random, SLOTS);
        size_t size = random_below(&worker->random, (size_t)1 << random_below(&worker->random, 12));
        size_t kept = size < sizes[i] ? size : sizes[i];
        blocks[i] = resize(worker, blocks[i], size);
        if (size != 0 && (blocks[i] == NULL || !is_filled(blocks[i], kept, (unsigned)i)))
            worker->problem = "a block changed while another thread worked";
        else if (blocks[i] != NULL)
            fill(blocks[i], size, (unsigned)i);
        sizes[i] = size;
    }
    for (size_t i = 0; i < SLOTS; i++)
        resize(worker, blocks[i] == NULL ? resize(worker, NULL, 1) : blocks[i], 0);
    return NULL;
}

START_TEST(threads_with_blocks_of_their_own)
{
    ma_free(ma_malloc(1 << 20));
    struct ma_stats before = ma_heap_stats(ma_default_heap());
    run_workers(work_privately, NULL);
    expect_nothing_left(&before);
}
END_TEST

START_TEST(threads_on_one_heap)
{
    struct ma_heap *heap = make_heap(1 << 22);
    struct ma_stats before = ma_heap_stats(heap);
    run_workers(work_privately, heap);
    struct ma_stats after = ma_heap_stats(heap);
    ck_assert(same_stats(&before, &after));
    expect_sound(heap);
}
END_TEST

static void *work_on_new_heaps(void *context)
{
    struct worker *worker = context;
    for (int round = 0; round < 50 && worker->problem == NULL; round++) {
        struct ma_heap *heap = ma_heap_create(65536);
        void *block = ma_heap_malloc(heap, 1000);
        fill(block, 1000, (unsigned)round);
        for (size_t size = 0; size < 1000; size += 10)
            ma_heap_free(heap, ma_heap_malloc(heap, size));
        if (!is_filled(block, 1000, (unsigned)round) || ma_heap_check(heap) != NULL)
            worker->problem = "a heap changed while other threads worked on theirs";
        ma_heap_free(heap, block);
        if (ma_heap_destroy(heap) != 0)
            worker->problem = "blocks are left in a thread's own heap";
    }
    return NULL;
}

START_TEST(threads_with_heaps_of_their_own)
{
    run_workers(work_on_new_heaps, NULL);
}
END_TEST

// --- blocks that change hands --------------------------------------------------------------------

// A block carries its size, so that whoever gets it can verify it.
struct parcel {
    size_t size; // of the contents
    unsigned char contents[];
};

static _Atomic(struct parcel *) exchange[SLOTS];

static struct parcel *make_parcel(size_t size)
{
    struct parcel *parcel = ma_malloc(sizeof *parcel + size);
    if (parcel != NULL) {
        parcel->size = size;
        fill(parcel->contents, size, (unsigned)size);
    }
    return parcel;
}

static bool open_parcel(struct parcel *parcel)
{
    bool intact = is_filled(parcel->contents, parcel->size, (unsigned)parcel->size);
    ma_free(parcel);
    return intact;
}

static void *swap_parcels(void *context)
{
    struct worker *worker = context;
    for (int step = 0; step < STEPS && worker->problem == NULL; step++) {
        struct parcel *mine = make_parcel(random_below(&worker->random, 1500));
        size_t i = random_below(&worker->random, SLOTS);
        struct parcel *other = atomic_exchange(&exchange[i], mine);
        if (mine == NULL || (other != NULL && !open_parcel(other)))
            worker->problem = "a block changed on its way to another thread";
    }
    return NULL;
}

START_TEST(blocks_freed_by_another_thread)
{
    ma_free(ma_malloc(1 << 20));
    struct ma_stats before = ma_heap_stats(ma_default_heap());
    run_workers(swap_parcels, NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        struct parcel *last = atomic_exchange(&exchange[i], NULL);
        if (last != NULL && !open_parcel(last))
            ck_abort_msg("a block changed after its thread had ended");
    }
    // What this thread freed lies in its cache: it is live no more.
    ck_assert_uint_eq(ma_heap_stats(ma_default_heap()).live_blocks, before.live_blocks);
    expect_sound(ma_default_heap());
}
END_TEST

static int conveyor[2]; // a pipe of pointers

static void *consume(void *context)
{
    struct worker *worker = context;
    struct parcel *parcel;
    while (read(conveyor[0], &parcel, sizeof(void *)) == (ssize_t)sizeof(void *))
        if (!open_parcel(parcel))
            worker->problem = "a block changed between producer and consumer";
    return NULL;
}

// One thread only takes, the other only frees: what is freed must become available again.
START_TEST(producer_and_consumer)
{
    struct worker consumer = {.random = 1};
    ck_assert_int_eq(pipe(conveyor), 0);
    ma_free(ma_malloc(1 << 20));
    start(&consumer, consume);
    struct ma_stats before = ma_heap_stats(ma_default_heap());
    for (size_t i = 0; i < STEPS; i++) {
        struct parcel *parcel = make_parcel(i * 7 % 1000);
        ck_assert_ptr_nonnull(parcel);
        if (write(conveyor[1], &parcel, sizeof(void *)) != (ssize_t)sizeof(void *))
            ck_abort_msg("the pipe is broken");
    }
    close(conveyor[1]);
    finish(&consumer);
    struct ma_stats after = ma_heap_stats(ma_default_heap());
    ck_assert_uint_eq(after.live_blocks, before.live_blocks);
    ck_assert_uint_le(after.region_bytes, before.region_bytes); // as large as all blocks together
    expect_sound(ma_default_heap());
}
END_TEST

// --- threads that end ----------------------------------------------------------------------------

static void *use_many_sizes(void *context)
{
    struct worker *worker = context;
    void *blocks[200];
    for (size_t i = 0; i < 200; i++)
        blocks[i] = ma_malloc(i * 9);
    for (size_t i = 0; i < 200; i++) {
        if (blocks[i] == NULL)
            worker->problem = "no block";
        ma_free(blocks[i]);
    }
    return NULL;
}

START_TEST(thread_exit_leaves_nothing)
{
    ma_free(ma_malloc(1 << 20));
    struct ma_stats before = ma_heap_stats(ma_default_heap());
    run_workers(use_many_sizes, NULL);
    expect_nothing_left(&before);
}
END_TEST

START_TEST(thousand_short_threads)
{
    ma_free(ma_malloc(1 << 20));
    struct ma_stats before = ma_heap_stats(ma_default_heap());
    for (int i = 0; i < 20; i++)
        run_workers(use_many_sizes, NULL); // the C library keeps their stacks, 8 MiB each
    size_t mapped = mapped_bytes();
    for (int i = 0; i < 1000 / THREADS; i++)
        run_workers(use_many_sizes, NULL);
    ck_assert_uint_lt(mapped_bytes(), mapped + (25 << 20)); // rarely, a few more
    expect_nothing_left(&before);
    ck_assert_uint_le(ma_heap_stats(ma_default_heap()).region_bytes, before.region_bytes);
}
END_TEST

// Keys made after the allocator's own have their destructors called after it.
enum { KEYS = 3 };
static pthread_key_t keys[KEYS];
static atomic_int destructor_calls;

static void free_late(void *block)
{
    int call = atomic_fetch_add(&destructor_calls, 1);
    ma_free(block);
    ma_free(ma_malloc(100));
    if (call < KEYS)
        pthread_setspecific(keys[call], ma_malloc(50)); // so that there is a second round
}

static void *leave_blocks_to_destructors(void *context)
{
    (void)context;
    for (size_t i = 0; i < KEYS; i++)
        pthread_setspecific(keys[i], ma_malloc(100 * i));
    for (size_t size = 0; size < 1000; size++)
        ma_free(ma_malloc(size));
    return NULL;
}

START_TEST(free_in_late_destructors)
{
    for (size_t i = 0; i < KEYS; i++)
        ck_assert_int_eq(pthread_key_create(&keys[i], free_late), 0);
    ma_free(ma_malloc(1 << 20));
    struct ma_stats before = ma_heap_stats(ma_default_heap());
    struct worker worker = {.random = 1};
    start(&worker, leave_blocks_to_destructors);
    finish(&worker);
    ck_assert_int_eq(destructor_calls, 2 * KEYS);
    struct ma_stats after = ma_heap_stats(ma_default_heap());
    ck_assert_uint_eq(after.cached_blocks, before.cached_blocks);
    ck_assert_uint_eq(after.live_blocks, before.live_blocks);
    expect_sound(ma_default_heap());
}
END_TEST

static void count_cached(void *count)
{
    ma_free(ma_malloc(100));
    *(size_t *)count = ma_heap_stats(ma_default_heap()).cached_blocks;
}

static void *count_when_ending(void *count)
{
    ma_free(ma_malloc(100));
    pthread_setspecific(keys[0], count);
    return NULL;
}

// What a destructor frees after the thread's cache was emptied goes back to the heap: no other cache is
// begun, which nobody might empty.
START_TEST(ended_cache_stays_closed)
{
    size_t cached = SIZE_MAX;
    pthread_t thread;
    ck_assert_int_eq(pthread_key_create(&keys[0], count_cached), 0);
    ma_free(ma_malloc(1 << 20));
    struct ma_stats before = ma_heap_stats(ma_default_heap());
    ck_assert_int_eq(pthread_create(&thread, NULL, count_when_ending, &cached), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(cached, before.cached_blocks);
    expect_nothing_left(&before);
}
END_TEST

// --- while others work ---------------------------------------------------------------------------

static atomic_bool stop;

static void *work_until_stopped(void *context)
{
    struct worker *worker = context;
    while (!stop && worker->problem == NULL) {
        size_t size = random_below(&worker->random, 3000);
        unsigned char *block = ma_malloc(size);
        unsigned char *own = worker->heap == NULL ? NULL : ma_heap_malloc(worker->heap, size);
        if (block == NULL)
            worker->problem = "no block";
        ma_free(block);
        if (worker->heap != NULL)
            ma_heap_free(worker->heap, own);
    }
    return NULL;
}

static int use_all_heaps(void *heap)
{
    for (size_t size = 0; size < 5000; size += 50) {
        void *block = ma_malloc(size);
        void *own = ma_heap_malloc(heap, size);
        if (block == NULL || own == NULL)
            return 1;
        ma_free(block);
        ma_heap_free(heap, own);
    }
    struct ma_heap *fresh = ma_heap_create(65536);
    if (fresh == NULL || ma_heap_destroy(fresh) != 0)
        return 2;
    return ma_heap_check(heap) == NULL && ma_heap_check(ma_default_heap()) == NULL ? 0 : 3;
}

START_TEST(fork_while_others_allocate)
{
    struct worker workers[THREADS];
    struct ma_heap *heap = make_heap(1 << 20);
    stop = false;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.random = i + 1, .heap = heap};
        start(&workers[i], work_until_stopped);
    }
    for (int i = 0; i < 50; i++) {
        struct outcome outcome = run_in_child(use_all_heaps, heap);
        expect_exit_0(&outcome, "malloc after fork");
    }
    stop = true;
    for (int i = 0; i < THREADS; i++)
        finish(&workers[i]);
    expect_sound(heap);
    expect_sound(ma_default_heap());
}
END_TEST

// Nothing reaches for a heap that is gone: neither for its mapping nor for its owner's memory.
START_TEST(fork_after_heaps_were_destroyed)
{
    enum { HEAPS = 6 };
    struct ma_heap *heaps[HEAPS];
    void *memory = make_memory(HEAPS * 65536);
    struct ma_heap *kept = make_heap(1 << 20);
    for (size_t i = 0; i < HEAPS; i++)
        heaps[i] =
            i % 2 == 0 ? ma_heap_create(65536) : ma_heap_init((char *)memory + i * 65536, 65536);
    for (size_t i = 0; i < HEAPS; i++)
        ck_assert_uint_eq(ma_heap_destroy(heaps[i * 5 % HEAPS]), 0);
    memset(memory, 0xFF, HEAPS * 65536);
    struct outcome outcome = run_in_child(use_all_heaps, kept);
    expect_exit_0(&outcome, "malloc after fork");
    ck_assert_int_eq(use_all_heaps(kept), 0);
}
END_TEST

START_TEST(heap_is_sound_while_others_allocate)
{
    struct worker workers[THREADS];
    struct ma_heap *heap = make_heap(1 << 20);
    stop = false;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.random = i + 1, .heap = heap};
        start(&workers[i], work_until_stopped);
    }
    const char *broken = NULL;
    for (int i = 0; i < 500 && broken == NULL; i++) {
        broken = ma_heap_check(i % 2 == 0 ? heap : ma_default_heap());
        struct ma_stats stats = ma_heap_stats(heap);
        if (broken == NULL && stats.live_bytes + stats.free_bytes + stats.header_bytes +
                                      stats.padding_bytes + stats.top_bytes !=
                                  stats.region_bytes)
            broken = "region_bytes is not the sum of its parts";
    }
    stop = true;
    for (int i = 0; i < THREADS; i++)
        finish(&workers[i]);
    ck_assert_msg(broken == NULL, "%s", broken);
    ck_assert_uint_eq(ma_heap_stats(heap).live_blocks, 0);
}
END_TEST

void add_threads_rows(void)
{
    add_row(second_malloc_during_the_first);
    add_loop_row(every_function_waits, 10);
    add_loop_row(caches_wait, 2);
    add_loop_row(fork_waits, 3);
    add_loop_row(heaps_come_and_go_after_fork, 2);
    add_row(threads_with_blocks_of_their_own);
    add_row(threads_on_one_heap);
    add_row(threads_with_heaps_of_their_own);
    add_row(blocks_freed_by_another_thread);
    add_row(producer_and_consumer);
    add_row(thread_exit_leaves_nothing);
    add_row(thousand_short_threads);
    add_row(free_in_late_destructors);
    add_row(ended_cache_stays_closed);
    add_row(fork_while_others_allocate);
    add_row(fork_after_heaps_were_destroyed);
    add_row(heap_is_sound_while_others_allocate);
}
