// Runs random operations, or those of files, beside the model. common/test/model/run calls it.

#include "trial.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct trial trial;
    uint64_t seed;
    size_t operations;
    const char *script; // where a failure's script goes
    const char *bytes; // a fuzzer's file, or NULL
    const char *mine; // the directory of the reader's own allocator, or NULL
};

static int usage(void)
{
    fprintf(stderr,
            "usage: model --stage=N [--placement] [--seed=N] [--operations=N] [--script=FILE]\n"
            "             [--mine=DIR] [--bytes=FILE | SCRIPT...]\n");
    return 2;
}

// The number in an option; false if it is none.
static bool read_number(const char *text, uint64_t most, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *number <= most;
}

// The text behind an option's '=', or NULL.
static const char *value_of(const char *word, const char *option)
{
    size_t length = strlen(option);
    return strncmp(word, option, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

static bool read_option(struct options *options, const char *word)
{
    const char *value;
    uint64_t number = 0;
    if (strcmp(word, "--placement") == 0) {
        options->trial.run = placement_run;
        return true;
    }
    if ((value = value_of(word, "--script")) != NULL) {
        options->script = value;
        return true;
    }
    if ((value = value_of(word, "--bytes")) != NULL) {
        options->bytes = value;
        return true;
    }
    if ((value = value_of(word, "--mine")) != NULL) {
        options->mine = value;
        return true;
    }
    if ((value = value_of(word, "--seed")) != NULL)
        return read_number(value, UINT64_MAX, &options->seed);
    bool is_stage = (value = value_of(word, "--stage")) != NULL;
    if (!is_stage && (value = value_of(word, "--operations")) == NULL)
        return false;
    bool good = read_number(value, is_stage ? 5 : 100000000, &number) && number != 0;
    if (is_stage)
        options->trial.setup.stage = (int)number;
    else
        options->operations = (size_t)number;
    return good;
}

// --- sequences -----------------------------------------------------------------------------------

static struct operation_list random_list(const struct options *options)
{
    struct generator generator = {.choices.random = options->seed,
                                  .one_heap = options->trial.run == placement_run};
    struct operation_list list = list_create(options->operations);
    list_generate(&list, &generator, options->operations);
    return list;
}

static struct operation_list list_of_bytes(const char *file)
{
    static uint8_t bytes[1 << 20];
    FILE *from = fopen(file, "rb");
    if (from == NULL) {
        perror(file);
        exit(2);
    }
    struct generator generator = {.choices.bytes = bytes};
    generator.choices.length = fread(bytes, 1, sizeof bytes, from);
    fclose(from);
    struct operation_list list = list_create(64);
    list_generate(&list, &generator, SIZE_MAX);
    return list;
}

// Returns false if it cannot be written.
static bool write_script(const struct options *options, const struct operation_list *list,
                         const struct outcome *outcome, const char *source)
{
    FILE *to = fopen(options->script, "w");
    if (to == NULL)
        return false;
    fprintf(to, "# Stage %d, from %s: %s\n", options->trial.setup.stage, source, outcome->problem);
    list_write_script(list, to);
    return fclose(to) == 0;
}

static size_t count_done(const struct operation_list *list)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += list->operations[i].effect != OP_LEFT_OUT;
    return count;
}

// How to run it again, and how to draw it: in a region of the size that heap 0 has.
static void print_commands(const struct options *options, const struct operation_list *list,
                           const char *source)
{
    size_t size = list_heap_0_size(list);
    int stage = options->trial.setup.stage;
    char mine[4096] = "";
    if (options->mine != NULL)
        snprintf(mine, sizeof mine, " MINE=%s", options->mine);
    if (strncmp(source, "SEED=", 5) == 0)
        printf("  repeat it: make test-%s%s STAGE=%d %s\n",
               options->trial.run == placement_run ? "placement" : "model", mine, stage, source);
    if (options->mine != NULL)
        printf("  draw it:   make view-mine%s SCRIPT=%s", mine, options->script);
    else
        printf("  draw it:   make view-stage%d SCRIPT=%s", stage, options->script);
    if (size > HEAP_0_SIZE)
        printf(" SIZE=%zu", size);
    putchar('\n');
}

static void report(const struct options *options, struct operation_list *list,
                   struct outcome *outcome, const char *source)
{
    printf("stage %d: %s: operation %zu: %s\n", options->trial.setup.stage, source,
           outcome->step + 1, outcome->problem);
    if (options->script == NULL)
        return;
    size_t before = list->count;
    trial_shrink(&options->trial, list, outcome);
    if (!write_script(options, list, outcome, source)) {
        perror(options->script);
        return;
    }
    printf("  shrunk:    %zu operations to %zu: %s\n", before, count_done(list), outcome->problem);
    print_commands(options, list, source);
}

// Returns whether the operations ran as they should.
static bool run_list(const struct options *options, struct operation_list list, const char *source)
{
    struct outcome outcome;
    bool good = trial_run(&options->trial, &list, &outcome);
    if (!good)
        report(options, &list, &outcome, source);
    list_destroy(&list);
    return good;
}

static bool run_script(const struct options *options, const char *file)
{
    if (sizeof(size_t) < 8 && strstr(file, "-64.script") != NULL)
        return true; // its numbers need 64 bits
    struct operation_list list = list_create(64);
    return list_read_script(&list, file) && run_list(options, list, file);
}

int main(int argc, char **argv)
{
    struct options options = {.trial.run = model_run, .seed = 1, .operations = 5000};
    int first = 1;
    while (first < argc && argv[first][0] == '-')
        if (!read_option(&options, argv[first++]))
            return usage();
    int stage = options.trial.setup.stage;
    if (stage == 0 || (options.trial.run == placement_run && stage != 3 && stage != 4))
        return usage();
    bool good = true;
    char source[64];
    snprintf(source, sizeof source, "SEED=%" PRIu64 " OPS=%zu", options.seed, options.operations);
    if (options.bytes != NULL)
        good = run_list(&options, list_of_bytes(options.bytes), options.bytes);
    else if (first == argc)
        good = run_list(&options, random_list(&options), source);
    for (; first < argc; first++)
        good &= run_script(&options, argv[first]);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
