// Prints a trace of any dialect in the plain format, its ids and threads renumbered, after two lines
// that sum it up.
// usage: convert FILE

#include "trace.h"

#include <inttypes.h>
#include <stdio.h>

static void print_operation(const struct trace_op *op)
{
    static const char letters[] = {
        [TRACE_MALLOC] = 'a',
        [TRACE_CALLOC] = 'c',
        [TRACE_REALLOC] = 'r',
        [TRACE_FREE] = 'f',
    };
    if (op->slot == TRACE_NULL)
        printf("f -1");
    else
        printf("%c %" PRIu32, letters[op->kind], op->slot);
    if (op->kind != TRACE_FREE)
        printf(" %zu", op->size);
    if (op->thread != 0)
        printf(" %u", (unsigned)op->thread);
    putchar('\n');
}

static void print_trace(const struct trace *trace)
{
    printf("# %s: %zu operations, threads: %zu\n", trace->dialect, trace->count, trace->threads);
    printf("# live at once, at most: blocks %zu, bytes %zu; never freed: blocks %zu\n",
           trace->slots, trace->peak_payload, trace->live_at_end);
    for (size_t i = 0; i < trace->count; i++)
        print_operation(&trace->ops[i]);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: convert FILE\n");
        return 2;
    }
    struct trace trace;
    struct trace_error error;
    if (!trace_read(argv[1], &trace, &error)) {
        trace_print_error(argv[1], &error);
        return 2;
    }
    print_trace(&trace);
    trace_release(&trace);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("convert");
        return 1;
    }
    return 0;
}
