// What the tests of the recorder record: one small program, which does what its argument says. It
// uses nothing of the C library that allocates.

#define _GNU_SOURCE // for reallocarray, valloc and pvalloc

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    THREADS = 4,
    ROUNDS = 20000,
    KEPT = 64,
    SHORT_THREADS = 200,
    MANY = 200000,
    EARLIER = 1000,
    MOVES = 3000,
    LARGE = 262144
};

static _Thread_local void *volatile sink; // keeps calls that the compiler would leave out

// A size that the compiler does not know: it would warn of requests that cannot be met.
static size_t hidden(size_t size)
{
    volatile size_t same = size;
    return same;
}

static void *keep(void *block)
{
    sink = block;
    return block;
}

static int test_calls(void)
{
    char *first = keep(malloc(100));
    first = keep(realloc(first, 200));
    char *second = keep(realloc(NULL, 50));
    sink = realloc(second, 0);
    char *third = keep(calloc(3, 7));
    third = keep(reallocarray(third, 5, 9));
    void *aligned = NULL;
    if (posix_memalign(&aligned, 64, 10) != 0)
        return 1;
    keep(aligned_alloc(32, 64));
    keep(memalign(32, 65));
    keep(valloc(66));
    keep(pvalloc(67));
    keep(malloc(0));
    keep(malloc(hidden(SIZE_MAX)));
    keep(calloc(hidden(SIZE_MAX / 2), 3));
    free(NULL);
    if (keep(realloc(third, hidden(SIZE_MAX))) != NULL)
        return 1;
    if (keep(reallocarray(first, hidden(SIZE_MAX / 2), 3)) != NULL)
        return 1;
    free(third);
    free(aligned);
    free(first);
    return 0;
}

// Every thread frees the blocks that the one before it has allocated: they pass through here.
static void *shared[KEPT];
static pthread_mutex_t shared_mutex = PTHREAD_MUTEX_INITIALIZER;

static void *swap_in(size_t place, void *block)
{
    pthread_mutex_lock(&shared_mutex);
    void *before = shared[place];
    shared[place] = block;
    pthread_mutex_unlock(&shared_mutex);
    return before;
}

static void *churn(void *argument)
{
    size_t random = (size_t)(uintptr_t)argument;
    for (size_t i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        void *block = malloc(random >> 58);
        if (i % 3 == 0)
            block = realloc(block, (random >> 56) + 1);
        free(swap_in(random >> 32 & (KEPT - 1), block));
    }
    return NULL;
}

static int start_and_join(void *(*function)(void *), size_t count)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, function, (void *)(uintptr_t)(i + 1)) != 0)
            return 1;
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static pthread_barrier_t all_there;

// All have made a call, and so have a number, before the first of them ends.
static void *churn_together(void *argument)
{
    free(keep(malloc(1)));
    pthread_barrier_wait(&all_there);
    return churn(argument);
}

static int test_threads(void)
{
    pthread_barrier_init(&all_there, NULL, THREADS);
    int status = start_and_join(churn_together, THREADS);
    for (size_t i = 0; i < KEPT; i++)
        free(swap_in(i, NULL));
    return status;
}

// Blocks that libc maps one by one: an address that realloc leaves can be another thread's next.
static void *move_large(void *argument)
{
    for (size_t i = 0; i < MOVES; i++) {
        char *block = keep(malloc(LARGE));
        block = keep(realloc(block, LARGE * (2 + i % 5)));
        free(block);
    }
    return argument;
}

static int test_moves(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE / 2); // else the threshold rises when such a block is freed
    return start_and_join(move_large, THREADS);
}

static void *one_block(void *argument)
{
    (void)argument;
    free(keep(malloc(11)));
    return NULL;
}

static int test_short_threads(void)
{
    int status = 0;
    for (size_t i = 0; i < SHORT_THREADS && status == 0; i++)
        status = start_and_join(one_block, 1);
    return status;
}

static int test_fork(void)
{
    void *first = keep(malloc(1));
    void *second = keep(malloc(2));
    pid_t child = fork();
    if (child == 0) {
        free(first); // known to the parent's recording only
        second = keep(realloc(second, 3)); // new to this one
        keep(malloc(4));
        free(second);
        _exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    free(first);
    free(second);
    return status;
}

// The child makes more calls than its parent.
static int test_larger_child(void)
{
    free(keep(malloc(1)));
    pid_t child = fork();
    for (size_t i = 0; child == 0 && i < EARLIER; i++)
        keep(malloc(i));
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    return 0;
}

static void *fork_once(void *argument)
{
    (void)argument;
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            churn((void *)(uintptr_t)1);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    return NULL;
}

static void *churn_or_fork(void *argument)
{
    return (uintptr_t)argument == 1 ? fork_once(argument) : churn(argument);
}

static int test_many(void)
{
    for (size_t i = 0; i < MANY; i++)
        free(keep(malloc(i)));
    return 0;
}

// Becomes another program after some calls.
static int test_exec(char **argv)
{
    for (size_t i = 0; i < EARLIER; i++)
        keep(malloc(i));
    argv[1] = argv[2];
    argv[2] = NULL;
    execv("/proc/self/exe", argv);
    return 1;
}

static int test_death(const char *mode)
{
    keep(malloc(1));
    keep(malloc(2));
    if (strcmp(mode, "exit") == 0)
        _exit(0);
    if (strcmp(mode, "abort") == 0)
        abort();
    return raise(SIGKILL);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "calls") == 0)
        return test_calls();
    if (strcmp(mode, "threads") == 0)
        return test_threads();
    if (strcmp(mode, "short-threads") == 0)
        return test_short_threads();
    if (strcmp(mode, "moves") == 0)
        return test_moves();
    if (strcmp(mode, "fork") == 0)
        return test_fork();
    if (strcmp(mode, "larger-child") == 0)
        return test_larger_child();
    if (strcmp(mode, "fork-threads") == 0)
        return start_and_join(churn_or_fork, THREADS);
    if (strcmp(mode, "many") == 0)
        return test_many();
    if (strcmp(mode, "exec") == 0 && argc == 3)
        return test_exec(argv);
    return test_death(mode);
}
