// A libFuzzer target: the parser of traces. What it accepts must keep what trace.h promises, so that
// it can be replayed; what it refuses must have a line and a reason.

#include "parser.h"

#include "../../trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void replay_one(const struct trace_op *op, bool *live, size_t *live_count)
{
    if (op->slot == TRACE_NULL) {
        expect(op->kind == TRACE_FREE, "only a free has no slot");
        return;
    }
    bool begins = op->kind == TRACE_MALLOC || op->kind == TRACE_CALLOC;
    expect(begins != live[op->slot], "malloc takes a dead slot, the others a live one");
    bool lives = begins || (op->kind == TRACE_REALLOC && op->size != 0);
    *live_count = *live_count + lives - live[op->slot];
    live[op->slot] = lives;
}

static void replay(const struct trace *trace)
{
    bool *live = calloc(trace->slots + 1, sizeof *live);
    expect(live != NULL, "there is memory for the slots");
    size_t count = 0;
    size_t most = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_op *op = &trace->ops[i];
        expect(op->kind <= TRACE_FREE, "the kind is one of four");
        expect(op->slot < trace->slots || op->slot == TRACE_NULL, "slots are below trace.slots");
        expect(op->thread < trace->threads, "threads are below trace.threads");
        expect(op->kind != TRACE_FREE || op->size == 0, "a free has no size");
        replay_one(op, live, &count);
        most = count > most ? count : most;
    }
    expect(most == trace->slots, "slots are the most blocks at once");
    expect(count == trace->live_at_end, "live_at_end is what is live at the end");
    free(live);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace trace;
    struct trace_error error;
    char *text = exact_copy(data, size);
    if (trace_parse(text, size, &trace, &error)) {
        replay(&trace);
        trace_release(&trace);
    } else {
        expect(memchr(error.reason, '\0', sizeof error.reason) != NULL, "a reason is a string");
        expect(error.reason[0] != '\0', "a refusal has a reason");
        for (const char *c = error.reason; *c != '\0'; c++)
            expect(*c >= ' ' && *c <= '~', "a reason is printable");
    }
    free(text);
    return 0;
}
