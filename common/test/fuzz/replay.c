// Runs a libFuzzer target on files, without libFuzzer: a parser's regressions, with any compiler.

#include "target.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 1 << 20 };

int main(int argc, char **argv)
{
    static uint8_t data[FILE_MAX];
    if (argc < 2) {
        fprintf(stderr, "usage: replay FILE...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        FILE *from = fopen(argv[i], "rb");
        if (from == NULL) {
            perror(argv[i]);
            return 2;
        }
        size_t size = fread(data, 1, sizeof data, from);
        fclose(from);
        LLVMFuzzerTestOneInput(data, size);
    }
    return EXIT_SUCCESS;
}
