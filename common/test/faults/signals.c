// A storm of SIGALRM while the heap works: the handler does not allocate, but it interrupts every
// call, between any two instructions. And new processes in the middle of the work, by vfork and by
// posix_spawn. On stage 5 four threads work, else one.
//
// usage: signals STAGE
//        signals STAGE child     what the new processes run

#define _DEFAULT_SOURCE // for vfork

#include "allocator.h"
#include "faults.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    THREADS = 4,
    SLOTS = 100,
    PROCESSES = 40,
    INTERVAL = 200,
    SIGNALS_MIN = 300
}; // INTERVAL: µs
extern char **environ;

static int stage;
static volatile sig_atomic_t signals;
static atomic_bool stop;

static void note(int number)
{
    (void)number;
    signals = signals + 1;
}

// Blocks come, change their size and go; stage 1, which frees nothing, gets a new heap now and then.
static void work_once(struct ma_heap *heap, uint64_t *random)
{
    struct {
        void *block;
        size_t size;
    } slots[SLOTS] = {0};
    for (int step = 0; step < 10 * SLOTS; step++) {
        size_t i = random_below(random, SLOTS);
        size_t size = random_below(random, 3000) + 1;
        size_t kept = size < slots[i].size ? size : slots[i].size;
        if (kept > 0)
            expect(is_marked(slots[i].block, slots[i].size, (unsigned)i), "contents are kept");
        slots[i].block = ma_heap_realloc(heap, slots[i].block, size);
        expect(slots[i].block != NULL, "a block is given");
        mark(slots[i].block, slots[i].size = size, (unsigned)i);
    }
    for (int i = 0; i < SLOTS; i++)
        ma_heap_free(heap, slots[i].block);
}

static void *work(void *context)
{
    uint64_t random = (uint64_t)(uintptr_t)context + 1;
    while (!stop) {
        struct ma_heap *heap = ma_heap_create((size_t)8 << 20);
        work_once(heap, &random);
        expect(ma_heap_check(heap) == NULL, "the heap passes its check");
        if (stage > 1) // stage 1 would tell of blocks that it cannot free
            expect(ma_heap_destroy(heap) == 0, "no block is left");
        if (stage > 1)
            work_once(ma_default_heap(), &random);
        for (size_t size = 0; size < 2000 && stage > 1; size += 100)
            ma_free(ma_malloc(size));
        if (stage < 5) // there is one thread, which has more to do
            break;
    }
    return NULL;
}

static pid_t start_by_vfork(const char *program, char **arguments)
{
    pid_t process = vfork(); // NOLINT: it is what is tested
    if (process == 0) {
        execve(program, arguments, environ); // NOLINT
        _exit(127);
    }
    return process;
}

static pid_t start_by_spawn(const char *program, char **arguments)
{
    pid_t process;
    return posix_spawn(&process, program, NULL, NULL, arguments, environ) == 0 ? process : -1;
}

static void start_processes(const char *program)
{
    static char name[] = "signals", child[] = "child";
    char digit[] = {(char)('0' + stage), '\0'};
    char *arguments[] = {name, digit, child, NULL};
    for (int i = 0; i < PROCESSES; i++) {
        pid_t process =
            i % 2 == 0 ? start_by_vfork(program, arguments) : start_by_spawn(program, arguments);
        expect(process > 0 && ends_well(process), "a process starts while the heap works");
    }
}

static void storm(int microseconds)
{
    struct itimerval often = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &often, NULL);
}

static void run(const char *program)
{
    pthread_t threads[THREADS];
    int count = stage == 5 ? THREADS : 0;
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i) != 0)
            exit(EXIT_FAILURE);
    start_processes(program);
    while (signals < SIGNALS_MIN) // on a machine with a coarse clock they take longer to arrive
        if (count == 0)
            (void)work((void *)(uintptr_t)(signals + 7));
        else
            usleep(INTERVAL);
    stop = true;
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

int main(int count, char **arguments)
{
    stage = stage_from(count, arguments);
    if (count == 3) {
        void *block = ma_malloc(1000);
        mark(block, 1000, 1);
        return is_marked(block, 1000, 1) && ma_heap_check(ma_default_heap()) == NULL ? 0 : 1;
    }
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = note, .sa_flags = SA_RESTART}, NULL);
    storm(INTERVAL);
    run(arguments[0]);
    storm(0);
    expect(signals >= SIGNALS_MIN, "signals arrived");
    expect(ma_heap_check(ma_default_heap()) == NULL, "the default heap passes its check");
    return report("");
}
