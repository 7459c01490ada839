// What the targets for parsers share.

#ifndef MA_FUZZ_PARSER_H
#define MA_FUZZ_PARSER_H

#include "target.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Aborts, which libFuzzer takes for a crash, unless it holds.
static inline void expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz: not so: %s\n", what);
        abort();
    }
}

/// A copy of just that size, so that AddressSanitizer finds reads behind it. The caller frees it.
static inline char *exact_copy(const uint8_t *data, size_t size)
{
    char *text = malloc(size == 0 ? 1 : size);
    expect(text != NULL, "there is memory for the text");
    memcpy(text, data, size);
    return text;
}

#endif
