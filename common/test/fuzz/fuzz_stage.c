// A libFuzzer target: a file's bytes are operations on heaps, run beside the model. The
// program's name ends with the stage's number.

#include "target.h"

#include "../model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPERATIONS_MAX = 2000 };

static struct setup setup;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = (*argv)[0];
    setup.stage = name[strlen(name) - 1] - '0';
    if (*argc < 1 || setup.stage < 1 || setup.stage > 5) {
        fprintf(stderr, "%s: the name does not end with a stage's number\n", name);
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct generator generator = {.choices = {.bytes = data, .length = size}};
    struct operation_list list = list_create(size / 3);
    struct outcome outcome = {.step = 0};
    list_generate(&list, &generator, OPERATIONS_MAX);
    if (size > 0 && !model_run(&setup, &list, &outcome)) {
        fprintf(stderr, "stage %d: operation %zu: %s\n", setup.stage, outcome.step + 1,
                outcome.problem);
        abort();
    }
    list_destroy(&list);
    return 0;
}
