// Runs probes, each in a process of its own, and says how each ended:
//   observe PROBE OBJECT NAME...     OBJECT is preloaded; a - stands for none
//
// One line for each: NAME, a tab, the outcome, a tab, the first line on standard error. In that line an
// address that the probe has named is shown by its name, another one as unnamed.
//
//   named    a line on standard error, and an abort
//   crash    a signal such as SIGSEGV came, in the allocator or because of it
//   trap     the program's own wrong write hit memory that was not mapped
//   silent   the program went on, and all was well
//   broken   the program went on, and blocks overlapped, or contents or whole blocks were lost
//   hang     still running after some seconds

#define _GNU_SOURCE // for environ

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 5, TEXT = 8192, BROKEN = 3 };

// What a probe left behind.
struct run {
    int status; // from wait
    char said[TEXT]; // on standard output: names of addresses
    char complaint[TEXT]; // on standard error
};

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void start(char *probe, const char *object, char *name, const int files[2])
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    alarm(SECONDS); // survives exec
    dup2(files[0], STDOUT_FILENO);
    dup2(files[1], STDERR_FILENO);
    if (strcmp(object, "-") != 0)
        setenv("LD_PRELOAD", object, 1);
    char *arguments[] = {probe, name, NULL};
    execv(probe, arguments);
    _exit(2);
}

static void read_text(int file, char text[TEXT])
{
    ssize_t length = pread(file, text, TEXT - 1, 0);
    text[length < 0 ? 0 : length] = '\0';
    if (ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0)
        fail("observe: temporary file");
}

// The files are shared with the probe, and empty before and after.
static void run_probe(char *probe, const char *object, char *name, const int files[2],
                      struct run *run)
{
    pid_t child = fork();
    if (child < 0)
        fail("observe: fork");
    if (child == 0)
        start(probe, object, name, files);
    while (waitpid(child, &run->status, 0) < 0 && errno == EINTR)
        ;
    read_text(files[0], run->said);
    read_text(files[1], run->complaint);
}

// Whether the probe was in the middle of a wrong write of its own.
static bool was_writing(const char *said)
{
    const char *last = said;
    for (const char *begin = said; (begin = strstr(begin, "begin\n")) != NULL; begin++)
        last = begin;
    return strncmp(last, "begin\n", 6) == 0 && strstr(last, "end\n") == NULL;
}

static const char *outcome_of(const struct run *run)
{
    if (WIFEXITED(run->status)) {
        if (WEXITSTATUS(run->status) == BROKEN)
            return "broken";
        return WEXITSTATUS(run->status) == 0 ? "silent" : "failed";
    }
    if (WTERMSIG(run->status) == SIGALRM)
        return "hang";
    if (WTERMSIG(run->status) == SIGABRT)
        return run->complaint[0] != '\0' ? "named" : "abort";
    return was_writing(run->said) ? "trap" : "crash";
}

// The name that the probe gave to an address, the first one if it gave several.
static const char *name_of(char *said, const char *address, size_t length)
{
    for (char *line = said; (line = strstr(line, "name ")) != NULL; line++)
        if (strncmp(line + 5, address, length) == 0 && line[5 + length] == ' ')
            return line + 5 + length + 1;
    return "unnamed";
}

// Prints one line of text, addresses by their names.
static void print_named(char *said, const char *text)
{
    while (*text != '\0' && *text != '\n') {
        size_t length = strncmp(text, "0x", 2) != 0 ? 0 : 2 + strspn(text + 2, "0123456789abcdef");
        if (length == 0) {
            putchar(*text++);
            continue;
        }
        const char *name = name_of(said, text, length);
        printf("%.*s", (int)strcspn(name, "\n"), name);
        text += length;
    }
}

static int temporary_file(void)
{
    FILE *file = tmpfile();
    if (file == NULL)
        fail("observe: temporary file");
    return fileno(file);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: observe PROBE OBJECT|- NAME...\n", stderr);
        return 2;
    }
    int files[2] = {temporary_file(), temporary_file()};
    for (int i = 3; i < argc; i++) {
        static struct run run;
        run_probe(argv[1], argv[2], argv[i], files, &run);
        printf("%s\t%s\t", argv[i], outcome_of(&run));
        print_named(run.said, run.complaint);
        putchar('\n');
        fflush(stdout);
    }
    return 0;
}
