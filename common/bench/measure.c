// What the measuring programs share. Nothing here allocates: it would be part of what is measured.

#define _GNU_SOURCE // for dladdr, getopt_long, MAP_POPULATE

#include "measure.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 256, STATUS_BYTES = 4096, NANOSECONDS = 1000000000 };

static size_t all_mapped;
static size_t *rounds_wanted; // where --rounds goes; NULL: the program has no such option

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; // there is nowhere else to complain
}

_Noreturn void fail(int status, const char *what, const char *detail)
{
    say(what);
    say(": ");
    say(detail);
    say("\n");
    _exit(status);
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * NANOSECONDS + (uint64_t)time.tv_nsec;
}

uint64_t now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t processor_time(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t random_next(struct random *random)
{
    uint64_t mixed = random->state += 0x9E3779B97F4A7C15;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    return mixed ^ (mixed >> 31);
}

size_t random_below(struct random *random, size_t bound)
{
    return (size_t)((random_next(random) >> 32) * bound >> 32);
}

size_t random_size(struct random *random)
{
    uint64_t choice = random_next(random) % 64;
    if (choice < 56)
        return 1 + random_below(random, 128);
    if (choice < 63)
        return 1 + random_below(random, 2048);
    return 1 + random_below(random, 32768);
}

void *map_memory(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    bytes = (bytes + page) / page * page;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        fail(EXIT_USAGE, "mmap", "the system has no memory for a table");
    all_mapped += bytes;
    return memory;
}

size_t mapped_bytes(void)
{
    return all_mapped;
}

// Bytes of one line of /proc/self/status, which counts in KiB.
static size_t status_line(const char *status, const char *name)
{
    const char *line = strstr(status, name);
    return line == NULL ? 0 : strtoul(line + strlen(name), NULL, 10) * 1024;
}

static void read_status(char status[static STATUS_BYTES])
{
    int file = open("/proc/self/status", O_RDONLY);
    ssize_t length = file < 0 ? -1 : read(file, status, STATUS_BYTES - 1);
    if (length < 0)
        fail(EXIT_USAGE, "/proc/self/status", "cannot be read; memory cannot be measured");
    status[length] = '\0';
    close(file);
}

static size_t without_tables(size_t bytes)
{
    return bytes < all_mapped ? 0 : bytes - all_mapped;
}

size_t memory_now(void)
{
    char status[STATUS_BYTES];
    read_status(status);
    return without_tables(status_line(status, "\nRssAnon:"));
}

size_t memory_peak(void)
{
    char status[STATUS_BYTES];
    read_status(status);
    return without_tables(status_line(status, "\nVmHWM:") - status_line(status, "\nRssFile:") -
                          status_line(status, "\nRssShmem:"));
}

void memory_reset(void)
{
    int file = open("/proc/self/clear_refs", O_WRONLY);
    if (file < 0 || write(file, "5", 1) != 1)
        fail(EXIT_USAGE, "/proc/self/clear_refs", "cannot be written; the peak cannot be measured");
    close(file);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static void expect_symbol(const char *symbol, const char *object)
{
    Dl_info info;
    void *address = dlsym(RTLD_DEFAULT, symbol);
    if (address == NULL || dladdr(address, &info) == 0)
        fail(EXIT_CONTESTANT, symbol, "nobody knows where it comes from");
    if (strcmp(last_part(info.dli_fname), last_part(object)) != 0)
        fail(EXIT_CONTESTANT, info.dli_fname, "serves this program instead of the contestant");
}

static void expect_contestant(const char *object)
{
    expect_symbol("malloc", object);
    expect_symbol("calloc", object);
    expect_symbol("realloc", object);
    expect_symbol("free", object);
}

static void out_of_time(int signal_number)
{
    (void)signal_number;
    _exit(EXIT_LIMIT);
}

void measure_rounds(size_t *rounds)
{
    rounds_wanted = rounds;
}

int measure_options(int count, char **arguments, int wanted, const char *usage)
{
    static const struct option options[] = {
        {"expect", required_argument, NULL, 'e'},
        {"limit", required_argument, NULL, 'l'},
        {"rounds", required_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        if (option == 'e') {
            expect_contestant(optarg);
        } else if (option == 'l') {
            signal(SIGALRM, out_of_time);
            alarm((unsigned)number(optarg));
        } else if (option == 'r' && rounds_wanted != NULL) {
            *rounds_wanted = number(optarg);
        } else {
            fail(EXIT_USAGE, "usage", usage);
        }
    }
    if (count - optind != wanted)
        fail(EXIT_USAGE, "usage", usage);
    return optind;
}

void print_line(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length] = '\n';
    if (write(STDOUT_FILENO, line, (size_t)length + 1) != length + 1)
        fail(EXIT_USAGE, "standard output", "cannot be written");
}

void touch(char *block, size_t from, size_t size)
{
    for (size_t at = from; at + sizeof(uint32_t) <= size; at += TOUCH_STEP)
        memcpy(block + at, &(uint32_t){1}, sizeof(uint32_t));
    if (size > from)
        block[size - 1] = 1;
}

size_t number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0')
        fail(EXIT_USAGE, text, "not a number");
    return value;
}
