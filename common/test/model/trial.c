// Children, and delta debugging.

#define _DEFAULT_SOURCE // for MAP_ANONYMOUS and strsignal under -std=c11

#include "trial.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    RUN_SECONDS = 100, // a run that takes longer has failed
    TRY_SECONDS = 5, // likewise, while shrinking
    SHRINK_SECONDS = 60, // then what there is must do
    ROUNDS = 8, // of leaving out and making smaller
};

// --- children ------------------------------------------------------------------------------------

static _Noreturn void run_in_child(const struct trial *trial, struct operation_list *list,
                                   struct outcome *outcome)
{
    int nowhere = trial->quiet ? open("/dev/null", O_WRONLY) : -1;
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
    alarm(trial->quiet ? TRY_SECONDS : RUN_SECONDS);
    exit(trial->run(&trial->setup, list, outcome) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void note_end(struct outcome *outcome, int status)
{
    if (outcome->problem[0] != '\0')
        return;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(outcome->problem, PROBLEM_MAX, "it does not come to an end");
    else if (WIFSIGNALED(status))
        snprintf(outcome->problem, PROBLEM_MAX, "%s", strsignal(WTERMSIG(status)));
    else
        snprintf(outcome->problem, PROBLEM_MAX, "exit status %d", WEXITSTATUS(status));
}

bool trial_run(const struct trial *trial, struct operation_list *list, struct outcome *outcome)
{
    static struct outcome *shared;
    if (shared == NULL)
        shared =
            mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *shared = (struct outcome){.step = 0};
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        run_in_child(trial, list, shared);
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("fork");
        exit(2);
    }
    if (status != 0)
        note_end(shared, status);
    *outcome = *shared;
    return status == 0;
}

// --- shrinking -----------------------------------------------------------------------------------

struct shrinking {
    struct trial trial;
    struct operation_list best; // fails
    struct operation_list scratch;
    struct outcome outcome; // of best
    time_t end;
};

static bool time_is_up(const struct shrinking *shrinking)
{
    return time(NULL) >= shrinking->end;
}

// Runs what is in scratch; if it fails, it is the best.
static bool scratch_fails(struct shrinking *shrinking)
{
    struct outcome outcome;
    if (trial_run(&shrinking->trial, &shrinking->scratch, &outcome))
        return false;
    struct operation_list old = shrinking->best;
    shrinking->best = shrinking->scratch;
    shrinking->scratch = old;
    shrinking->outcome = outcome;
    if (outcome.step < shrinking->best.count)
        shrinking->best.count = outcome.step + 1;
    return true;
}

static void copy_to_scratch(struct shrinking *shrinking)
{
    shrinking->scratch.count = shrinking->best.count;
    memcpy(shrinking->scratch.operations, shrinking->best.operations,
           shrinking->best.count * sizeof *shrinking->best.operations);
}

static bool leave_out(struct shrinking *shrinking, size_t first, size_t count)
{
    struct operation_list *scratch = &shrinking->scratch;
    copy_to_scratch(shrinking);
    memmove(scratch->operations + first, scratch->operations + first + count,
            (scratch->count - first - count) * sizeof *scratch->operations);
    scratch->count -= count;
    return scratch_fails(shrinking);
}

// From the end on: what made the others necessary goes first.
static bool leave_out_parts(struct shrinking *shrinking, size_t length)
{
    bool any = false;
    size_t end = shrinking->best.count;
    while (end > 0 && !time_is_up(shrinking)) {
        size_t count = end < length ? end : length;
        any |= leave_out(shrinking, end - count, count);
        end -= count;
        if (end > shrinking->best.count)
            end = shrinking->best.count;
    }
    return any;
}

static bool try_number(struct shrinking *shrinking, size_t at, int which, size_t number)
{
    copy_to_scratch(shrinking);
    shrinking->scratch.operations[at].numbers[which] = number;
    return scratch_fails(shrinking);
}

// Simple numbers first; then half, and less by the block sizes' step and by one.
static bool shrink_number(struct shrinking *shrinking, size_t at, int which)
{
    static const size_t simple[] = {0, 1, 16, 100, 1000};
    bool any = false;
    size_t i = 0;
    while (i < sizeof simple / sizeof simple[0] && at < shrinking->best.count &&
           simple[i] < shrinking->best.operations[at].numbers[which] &&
           !(any = try_number(shrinking, at, which, simple[i])))
        i++;
    size_t less = SIZE_MAX;
    while (at < shrinking->best.count && less != 0 && !time_is_up(shrinking)) {
        size_t number = shrinking->best.operations[at].numbers[which];
        less = less > number / 2 ? number / 2 : less;
        if (number > 1 && less > 0 && try_number(shrinking, at, which, number - less))
            any = true;
        else
            less /= 2;
    }
    return any;
}

static bool try_in_heap(struct shrinking *shrinking, size_t at, uint8_t heap)
{
    copy_to_scratch(shrinking);
    shrinking->scratch.operations[at].heap = heap;
    return scratch_fails(shrinking);
}

static bool try_malloc(struct shrinking *shrinking, size_t at)
{
    copy_to_scratch(shrinking);
    struct operation *operation = &shrinking->scratch.operations[at];
    operation->numbers[0] = operation_size(operation);
    operation->kind = OP_MALLOC;
    return scratch_fails(shrinking);
}

// A request that malloc can serve as well.
static bool is_special(const struct operation *operation)
{
    return operation->kind == OP_CALLOC || operation->kind == OP_ALIGNED_ALLOC ||
           (operation->kind == OP_REALLOC && operation->effect == OP_DONE_WITH_NULL);
}

static bool simplify(struct shrinking *shrinking)
{
    bool any = false;
    for (size_t at = 0; at < shrinking->best.count && !time_is_up(shrinking); at++) {
        if (shrinking->best.operations[at].kind < OP_HEAP_DEFAULT &&
            shrinking->best.operations[at].heap != 0)
            any |= try_in_heap(shrinking, at, 0);
        if (at < shrinking->best.count && is_special(&shrinking->best.operations[at]))
            any |= try_malloc(shrinking, at);
        for (int which = 0; which < 2 && at < shrinking->best.count; which++)
            any |= shrink_number(shrinking, at, which);
    }
    return any;
}

void trial_shrink(const struct trial *trial, struct operation_list *list, struct outcome *outcome)
{
    struct shrinking shrinking = {
        .trial = *trial,
        .best = list_create(list->count),
        .scratch = list_create(list->count),
        .outcome = *outcome,
        .end = time(NULL) + SHRINK_SECONDS,
    };
    shrinking.trial.quiet = true;
    shrinking.best.count = outcome->step < list->count ? outcome->step + 1 : list->count;
    memcpy(shrinking.best.operations, list->operations,
           shrinking.best.count * sizeof *list->operations);
    copy_to_scratch(&shrinking);
    if (scratch_fails(&shrinking)) { // else it does not depend on the operations alone
        bool any = true;
        shrinking.trial.setup.thorough = shrinking.best.count < 3000;
        for (int round = 0; any && round < ROUNDS && !time_is_up(&shrinking); round++) {
            any = false;
            for (size_t length = shrinking.best.count / 2 + 1; length > 0; length /= 2)
                any |= leave_out_parts(&shrinking, length);
            any |= simplify(&shrinking);
        }
    }
    list_destroy(list);
    list_destroy(&shrinking.scratch);
    *list = shrinking.best;
    *outcome = shrinking.outcome;
}
