// What MA_FILL=1 writes into a payload that is handed out, and into one that is freed.
// Build with: -DMA_FILL=1 -DMA_NO_WARNINGS

#include "allocator.h"

#include <assert.h>
#include <stdio.h>

static _Alignas(max_align_t) unsigned char memory[64 * 1024];

static void show(const char *when, const unsigned char *payload)
{
    printf("%-8s", when);
    for (size_t i = 32; i < 40; i++)
        printf(" 0x%02X", payload[i]);
    putchar('\n');
}

int main(void)
{
    struct ma_heap *heap = ma_heap_init(memory, sizeof memory);
    unsigned char *payload = ma_heap_malloc(heap, 100);
    assert(ma_heap_malloc(heap, 100) != NULL); // so that the first block cannot join the top
    bool has_header = ma_heap_usable_size(heap, payload) != 0;

    show("fresh:", payload);
    for (size_t i = 0; i < 100; i++)
        assert(payload[i] == 0xCC);
    payload[32] = 1;
    show("written:", payload);
    ma_heap_free(heap, payload);
    show("freed:", payload);
    // Stage 1 does not know how large the block was and leaves it as it is.
    assert(payload[32] == (has_header ? 0xDD : 1));
    return 0;
}
