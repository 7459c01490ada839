#define _POSIX_C_SOURCE 200809L // for kill and nanosleep under -std=c11

#include "faults.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MARK = 256 }; // bytes at each end of a block
enum { WAIT_SECONDS = 60 };

static atomic_int checks;
static atomic_int failures;

void expect(bool holds, const char *what)
{
    atomic_fetch_add(&checks, 1);
    if (!holds && atomic_fetch_add(&failures, 1) < 10)
        (void)fprintf(stderr, "fails: %s\n", what);
}

bool all_hold(void)
{
    return checks > 0 && failures == 0;
}

int report(const char *remark)
{
    printf("%d checks, %d failed%s%s\n", checks, failures, *remark == '\0' ? "" : ": ", remark);
    (void)fflush(stdout);
    return all_hold() ? EXIT_SUCCESS : EXIT_FAILURE;
}

int stage_from(int count, char **arguments)
{
    if (count >= 2 && strlen(arguments[1]) == 1 && strchr("12345", arguments[1][0]) != NULL)
        return arguments[1][0] - '0';
    (void)fprintf(stderr, "usage: %s STAGE   (1 to 5)\n", arguments[0]);
    exit(2);
}

static unsigned char mark_at(size_t offset, unsigned seed)
{
    return (unsigned char)(offset * 7 + seed * 31 + 1);
}

void mark(void *block, size_t size, unsigned seed)
{
    unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++) {
        if (i == MARK && size > (size_t)2 * MARK)
            i = size - MARK;
        bytes[i] = mark_at(i, seed);
    }
}

bool is_marked(const void *block, size_t size, unsigned seed)
{
    const unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++) {
        if (i == MARK && size > (size_t)2 * MARK)
            i = size - MARK;
        if (bytes[i] != mark_at(i, seed))
            return false;
    }
    return true;
}

size_t random_below(uint64_t *state, size_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (size_t)((*state >> 11) % bound);
}

bool ends_well(pid_t process)
{
    int status = 0;
    for (int i = 0; i < WAIT_SECONDS * 1000; i++) {
        pid_t ended = waitpid(process, &status, WNOHANG);
        if (ended != 0)
            return ended == process && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    kill(process, SIGKILL);
    waitpid(process, &status, 0);
    return false;
}

bool child_succeeds(int (*body)(void))
{
    pid_t child = fork();
    if (child == 0) {
        checks = failures = 0;
        _exit(body());
    }
    return child > 0 && ends_well(child);
}

bool is_loaded(const char *name)
{
    char line[4096];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        size_t length = strlen(line);
        found = length >= strlen(name) && strcmp(line + length - strlen(name), name) == 0;
    }
    if (maps != NULL)
        (void)fclose(maps);
    return found;
}

size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1) // NOLINT: the kernel's own format
        exit(EXIT_FAILURE);
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}
