// Records what a program asks of its allocator, as a trace. Built as a shared object for LD_PRELOAD:
// its malloc, free and the others pass every call on to the next malloc, which is libc's as a rule,
// and write one line. The script `record` sets up the environment and names the files.
//
// The order of the lines is one in which the calls could have been made by a single thread. A free is
// written before the block is given back, a malloc after the block was received, and the mutex is held
// while realloc moves a block: so no other thread can be seen to get an address that still has an owner.
//
// The file is written through a shared mapping, a window of 1 MiB at a time. So what was recorded
// survives _exit, abort and exec. Only the zero bytes behind the last line are then left to be cut off.
//
// Everything that belongs to the process's own recording lies in memory that a fork gives to the child
// as zeros (MADV_WIPEONFORK). So a child finds its recording not begun: it has a file of its own,
// knows none of the blocks it inherited, and the mutex is not locked by a thread that it does not have.
//
// Parameters are named as in malloc(3).

#define _GNU_SOURCE // for RTLD_NEXT, MADV_WIPEONFORK, program_invocation_short_name

#include "table.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    WINDOW = 1024 * 1024, // bytes of the file that are mapped at a time
    LINE_MAX_BYTES = 64, // a letter, two numbers of 20 digits, a thread of 5
    COMMENT_MAX = 256,
    THREADS_MAX = 65536,
    BOOTSTRAP_BYTES = 16384, // for calls that are made while dlsym looks for the next malloc
    DECIMAL_DIGITS = 20,
};

// One process's recording. Zeros: it has not begun.
struct recording {
    pthread_mutex_t mutex; // zeros are PTHREAD_MUTEX_INITIALIZER on Linux
    bool begun;
    bool ended; // at exit, or because the file could not grow
    pid_t process;
    char path[PATH_MAX];
    char *window;
    size_t used; // bytes of the window
    off_t offset; // of the window in the file
    struct table live; // from a block's address to its id
    uint64_t next_id;
    uint32_t next_thread;
    uint32_t unused_count;
    uint16_t unused_threads[THREADS_MAX]; // numbers of threads that have ended
};

// What a thread knows about itself. A child's thread has its parent's copy: then process differs.
struct thread {
    pid_t process; // whose recording gave the number
    uint16_t number;
    bool inside; // the recorder itself makes a call
    int errno_before; // as the program is to see it
};

// The next malloc and its relatives.
struct next {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
};

// In a fork's child these are as in the parent.
static const char *out; // where to record; NULL: nowhere
static pid_t main_process; // writes to out itself, all others to out.PID; 0: none
static pid_t configured_by; // the process that has read the environment
static pthread_key_t thread_key; // its destructor tells that a thread has ended
static struct recording *recording; // wiped by a fork
static struct next next;
static bool resolving;

static _Thread_local struct thread thread __attribute__((tls_model("initial-exec")));

static _Alignas(max_align_t) char bootstrap[BOOTSTRAP_BYTES];
static size_t bootstrap_used;

void cfree(void *ptr); // gone from the headers, still in the C library for old programs

// --- the next malloc ------------------------------------------------------------------------------

// dlsym gives a function as a data pointer: POSIX has them of one size.
static void resolve_one(void *function, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof symbol);
}

static void resolve(void)
{
    resolving = true;
    struct next found;
    resolve_one(&found.malloc, "malloc");
    resolve_one(&found.free, "free");
    resolve_one(&found.calloc, "calloc");
    resolve_one(&found.realloc, "realloc");
    resolve_one(&found.aligned_alloc, "aligned_alloc");
    resolve_one(&found.memalign, "memalign");
    resolve_one(&found.posix_memalign, "posix_memalign");
    resolve_one(&found.valloc, "valloc");
    resolve_one(&found.pvalloc, "pvalloc");
    next = found;
    resolving = false;
}

// Whether the next malloc can be called. While dlsym looks for it, a malloc of ours may be called.
static bool ready(void)
{
    if (next.malloc == NULL && !resolving)
        resolve();
    return next.malloc != NULL;
}

// Memory that is never given back, all bytes zero.
static void *bootstrap_malloc(size_t size)
{
    size_t alignment = _Alignof(max_align_t);
    if (size > BOOTSTRAP_BYTES - bootstrap_used - alignment)
        return NULL;
    void *memory = bootstrap + bootstrap_used;
    bootstrap_used += (size + alignment - 1) / alignment * alignment;
    return memory;
}

static bool is_bootstrap(const void *pointer)
{
    uintptr_t offset = (uintptr_t)pointer - (uintptr_t)bootstrap;
    return offset < BOOTSTRAP_BYTES;
}

// --- the file -------------------------------------------------------------------------------------

// What is recorded ends here. The program goes on.
static void give_up(int error)
{
    recording->ended = true;
    char message[PATH_MAX + COMMENT_MAX];
    int length = snprintf(message, sizeof message, "record: %s: %s: the recording ends here\n",
                          recording->path, strerror(error));
    if (length > 0 && write(STDERR_FILENO, message, (size_t)length) < 0)
        return; // nobody is left to be told
}

// Gives the file room for one more window, so that no write can fail later. Plain system calls: the
// functions of these names are cancellation points, and malloc is none.
static bool open_window(off_t offset, int flags)
{
    long file = syscall(SYS_openat, AT_FDCWD, recording->path, O_RDWR | O_CLOEXEC | flags, 0666);
    if (file < 0)
        return false;
    char *window = MAP_FAILED;
    bool roomy = syscall(SYS_fallocate, (int)file, 0, offset, (off_t)WINDOW) == 0;
    if (roomy || (errno == EOPNOTSUPP && ftruncate((int)file, offset + WINDOW) == 0))
        window = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, (int)file, offset);
    int error = errno;
    syscall(SYS_close, (int)file);
    errno = error;
    if (window == MAP_FAILED)
        return false;
    madvise(window, WINDOW, MADV_DONTFORK);
    recording->window = window;
    recording->offset = offset;
    return true;
}

// The next window begins at the last page that is not full.
static bool next_window(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole = recording->used / page * page;
    munmap(recording->window, WINDOW);
    recording->window = NULL;
    if (!open_window(recording->offset + (off_t)whole, 0))
        return false;
    recording->used -= whole;
    return true;
}

static void write_text(const char *text, size_t length)
{
    if (recording->used + length > WINDOW && !next_window()) {
        give_up(errno);
        return;
    }
    memcpy(recording->window + recording->used, text, length);
    recording->used += length;
}

__attribute__((format(printf, 1, 2))) static void write_comment(const char *format, ...)
{
    char line[COMMENT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    size_t bytes = length < 0 ? 0 : (size_t)length;
    bytes = bytes < sizeof line - 1 ? bytes : sizeof line - 2;
    for (size_t i = 0; i < bytes; i++)
        if (line[i] < ' ' || line[i] > '~')
            line[i] = '?'; // a program's name is any bytes
    line[bytes] = '\n';
    write_text(line, bytes + 1);
}

static char *append_number(char *at, uint64_t number)
{
    char digits[DECIMAL_DIGITS];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    *at++ = ' ';
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static void write_line(char letter, uint64_t id, size_t size)
{
    char line[LINE_MAX_BYTES];
    char *at = line;
    *at++ = letter;
    at = append_number(at, id);
    if (letter != 'f')
        at = append_number(at, size);
    if (thread.number != 0)
        at = append_number(at, thread.number);
    *at++ = '\n';
    write_text(line, (size_t)(at - line));
}

// --- a process's recording ------------------------------------------------------------------------

static void begin(void)
{
    recording->begun = true;
    recording->process = getpid();
    int length = recording->process == main_process
                     ? snprintf(recording->path, PATH_MAX, "%s", out)
                     : snprintf(recording->path, PATH_MAX, "%s.%d", out, (int)recording->process);
    if (length >= PATH_MAX)
        give_up(ENAMETOOLONG);
    else if (!open_window(0, O_CREAT | O_TRUNC))
        give_up(errno);
    else if (recording->process == configured_by)
        write_comment("# recorded from %s, process %d", program_invocation_short_name,
                      (int)recording->process);
    else
        write_comment("# recorded from %s, process %d, forked from process %d",
                      program_invocation_short_name, (int)recording->process, (int)getppid());
}

// A number for a thread that has none yet in this process.
static void number_thread(void)
{
    if (thread.process == recording->process)
        return;
    thread.process = recording->process;
    if (recording->unused_count > 0)
        thread.number = recording->unused_threads[--recording->unused_count];
    else
        thread.number = (uint16_t)(recording->next_thread++ % THREADS_MAX);
    pthread_setspecific(thread_key, &thread); // may allocate, and is not recorded: inside
}

// Its number is free for another thread. Calls that it still makes keep the number.
static void thread_ended(void *ended)
{
    (void)ended;
    pthread_mutex_lock(&recording->mutex);
    if (thread.process == recording->process && recording->unused_count < THREADS_MAX)
        recording->unused_threads[recording->unused_count++] = thread.number;
    pthread_mutex_unlock(&recording->mutex);
}

static void leave(void)
{
    pthread_mutex_unlock(&recording->mutex);
    thread.inside = false;
    errno = thread.errno_before;
}

// Whether a call is to be written; then the mutex is held until leave().
static bool enter(void)
{
    if (out == NULL || thread.inside)
        return false;
    thread.errno_before = errno;
    thread.inside = true;
    pthread_mutex_lock(&recording->mutex);
    if (!recording->begun)
        begin();
    if (!recording->ended) {
        number_thread();
        return true;
    }
    leave();
    return false;
}

static void add_block(char letter, void *block, size_t size)
{
    uint64_t id = recording->next_id++;
    if (table_put(&recording->live, (uintptr_t)block, id))
        write_line(letter, id, size);
    else
        give_up(ENOMEM);
}

// Forgets a block, if it is known.
static void remove_block(void *block)
{
    uint64_t id;
    if (!table_get(&recording->live, (uintptr_t)block, &id))
        return;
    table_remove(&recording->live, (uintptr_t)block);
    write_line('f', id, 0);
}

// After a call that has returned a block, or NULL.
static void *record_new(char letter, void *block, size_t size)
{
    if (block == NULL || !enter())
        return block;
    add_block(letter, block, size);
    leave();
    return block;
}

// The old block's address is unused as soon as the call returns, and another thread may get it.
static void record_realloc(void *old, void *block, size_t size)
{
    uint64_t id;
    bool known = table_get(&recording->live, (uintptr_t)old, &id);
    if (size == 0) { // what libc frees, others make a block of 0 bytes
        remove_block(old);
        if (block != NULL)
            add_block('a', block, 0);
    } else if (block != NULL && known) {
        table_remove(&recording->live, (uintptr_t)old);
        if (table_put(&recording->live, (uintptr_t)block, id))
            write_line('r', id, size);
        else
            give_up(ENOMEM);
    } else if (block != NULL) { // the block is older than the recording
        add_block('a', block, size);
    }
}

// --- begin and end --------------------------------------------------------------------------------

// What was called before is not recorded: the environment may not be there that early.
__attribute__((constructor)) static void configure(void)
{
    const char *path = getenv("MA_TRACE_OUT");
    const char *process = getenv("MA_TRACE_PROCESS");
    if (path == NULL || path[0] != '/' || !ready())
        return;
    void *memory = table_map(sizeof *recording);
    if (memory == NULL || madvise(memory, sizeof *recording, MADV_WIPEONFORK) != 0 ||
        pthread_key_create(&thread_key, thread_ended) != 0)
        return;
    recording = memory;
    main_process = process == NULL ? 0 : (pid_t)strtol(process, NULL, 10);
    configured_by = getpid();
    thread.inside = true;
    out = strdup(path); // the program may change its environment
    thread.inside = false;
}

// Cuts off what lies behind the last line. Threads may still run: their calls are not recorded.
__attribute__((destructor)) static void finish(void)
{
    if (recording == NULL || !recording->begun || !enter())
        return;
    recording->ended = true;
    if (truncate(recording->path, recording->offset + (off_t)recording->used) != 0)
        give_up(errno);
    leave();
}

// --- malloc and its relatives ---------------------------------------------------------------------

#pragma GCC visibility push(default)

void *malloc(size_t size)
{
    return ready() ? record_new('a', next.malloc(size), size) : bootstrap_malloc(size);
}

void free(void *ptr)
{
    if (ptr == NULL || is_bootstrap(ptr) || !ready())
        return;
    if (enter()) {
        remove_block(ptr);
        leave();
    }
    next.free(ptr);
}

void cfree(void *ptr)
{
    free(ptr);
}

void *calloc(size_t nmemb, size_t size)
{
    if (ready()) // a block shows that the product did not overflow
        return record_new('c', next.calloc(nmemb, size), nmemb * size);
    return size != 0 && nmemb > SIZE_MAX / size ? NULL : bootstrap_malloc(nmemb * size);
}

void *realloc(void *ptr, size_t size)
{
    if (ptr == NULL || is_bootstrap(ptr)) {
        void *block = malloc(size);
        size_t left = ptr == NULL ? 0 : (size_t)(bootstrap + BOOTSTRAP_BYTES - (char *)ptr);
        if (block != NULL && left != 0) // its size is not known: what follows is ours too
            memcpy(block, ptr, size < left ? size : left);
        return block;
    }
    if (!enter())
        return next.realloc(ptr, size);
    errno = thread.errno_before;
    void *block = next.realloc(ptr, size);
    thread.errno_before = errno;
    record_realloc(ptr, block, size);
    leave();
    return block;
}

void *reallocarray(void *ptr, size_t nmemb, size_t size)
{
    if (size != 0 && nmemb > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(ptr, nmemb * size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return ready() ? record_new('a', next.aligned_alloc(alignment, size), size) : NULL;
}

void *memalign(size_t alignment, size_t size)
{
    return ready() ? record_new('a', next.memalign(alignment, size), size) : NULL;
}

int posix_memalign(void **memptr, size_t alignment, size_t size)
{
    if (!ready())
        return ENOMEM;
    int error = next.posix_memalign(memptr, alignment, size);
    if (error == 0)
        record_new('a', *memptr, size);
    return error;
}

void *valloc(size_t size)
{
    return ready() ? record_new('a', next.valloc(size), size) : NULL;
}

void *pvalloc(size_t size)
{
    return ready() ? record_new('a', next.pvalloc(size), size) : NULL;
}

#pragma GCC visibility pop
