// Each invariant, broken by hand, is named by ma_heap_check. These tests know how a stage lays out
// a header and a free block, and that a heap's bookkeeping begins with start, base, top, limit. The thread cache's invariant, I8, is in test_cache.c.

#include "suite.h"

#include <string.h>

enum { SIZE = 100, USABLE = 104, HEADER_SIZE = 8, STATE = 6, PREV_FREE = 7 };

static struct ma_heap *heap;
static unsigned char *blocks[6];

static void make_blocks(void)
{
    heap = make_heap(65536);
    for (size_t i = 0; i < 6; i++)
        blocks[i] = take(heap, SIZE);
    expect_sound(heap);
}

static unsigned char *header_of(unsigned char *payload)
{
    return payload - HEADER_SIZE;
}

static void expect_broken(const char *text)
{
    ck_assert_pstr_eq(ma_heap_check(heap), text);
}

static uintptr_t *bookkeeping(void)
{
    return (uintptr_t *)(void *)heap; // start, base, top, limit, ...
}

START_TEST(i1_bounds)
{
    make_blocks();
    uintptr_t top = bookkeeping()[2];
    bookkeeping()[2] = bookkeeping()[3] + 16;
    expect_broken("I1: base <= top <= limit");
    bookkeeping()[2] = bookkeeping()[1] - 16;
    expect_broken("I1: base <= top <= limit");
    bookkeeping()[2] = top;
    expect_sound(heap);
    uintptr_t start = bookkeeping()[0];
    bookkeeping()[0] = bookkeeping()[1] + 16;
    expect_broken("I1: base <= top <= limit");
    bookkeeping()[0] = start;
    expect_sound(heap);
}
END_TEST

START_TEST(i2_alignment)
{
    make_blocks();
    bookkeeping()[2] += 8;
    expect_broken("I2: every payload is aligned");
}
END_TEST

START_TEST(i3_headers)
{
    static const char text[] = "I3: blocks follow each other without a gap, each header intact";
    make_blocks();
    for (size_t i = 0; i < 6; i++) {
        header_of(blocks[i])[_i] ^= 1;
        expect_broken(text);
        header_of(blocks[i])[_i] ^= 1;
    }
    expect_sound(heap);
}
END_TEST

// Links two free blocks with each other, and past one that lay between them.
static void pass_over(unsigned char *first, unsigned char *last)
{
    uintptr_t *next = (uintptr_t *)(void *)first;
    uintptr_t *prev = (uintptr_t *)(void *)last + 1;
    *next = (uintptr_t)header_of(last);
    *prev = (uintptr_t)header_of(first);
}

START_TEST(i4_lists)
{
    static const char text[] = "I4: the free list holds the free blocks, linked both ways";
    make_blocks();
    for (size_t i = 0; i < 5; i += 2)
        ma_heap_free(heap, blocks[i]);
    expect_sound(heap);
    for (size_t i = 0; i < 5; i += 2)
        for (size_t byte = 0; byte < 16; byte++) { // two links
            blocks[i][byte] ^= 0x20;
            expect_broken(text);
            blocks[i][byte] ^= 0x20;
        }
    header_of(blocks[1])[STATE] = MA_BLOCK_FREE; // free, but on no list
    expect_broken(text);
    header_of(blocks[1])[STATE] = MA_BLOCK_USED;
    header_of(blocks[2])[STATE] = MA_BLOCK_USED; // on a list, but not free
    expect_broken(text);
    header_of(blocks[1])[STATE] = MA_BLOCK_FREE; // and both: their number is right
    expect_broken(text);
    header_of(blocks[1])[STATE] = MA_BLOCK_USED;
    header_of(blocks[2])[STATE] = MA_BLOCK_FREE;
    expect_sound(heap);
    pass_over(blocks[4], blocks[0]); // free, but no longer on the list
    expect_broken(text);
}
END_TEST

// Freeing the first block of a size changes the bin's word, the bitmap's and, from stage 4 on, the
// count of free bytes. What is neither the block's address nor its size is the bitmap.
START_TEST(i5_bins)
{
    static const char text[] =
        "I5: each free block is in the bin of its size, the bitmap names the filled bins";
    static uintptr_t before[MA_HEAP_MIN / sizeof(uintptr_t)];
    make_blocks();
    memcpy(before, heap, ma_heap_stats(heap).padding_bytes);
    ma_heap_free(heap, blocks[1]);
    size_t words = ma_heap_stats(heap).padding_bytes / sizeof(uintptr_t);
    int found = 0;
    for (size_t i = 0; i < words; i++) {
        uintptr_t now = bookkeeping()[i];
        if (now == before[i] || now == (uintptr_t)header_of(blocks[1]))
            continue;
        if (now == before[i] + (uintptr_t)(blocks[2] - blocks[1])) {
            bookkeeping()[i] += 16;
            expect_broken("I4: the free list holds the free blocks, linked both ways");
            bookkeeping()[i] -= 16;
            continue;
        }
        bookkeeping()[i] = before[i];
        expect_broken(text);
        bookkeeping()[i] = now ^ 1; // and a bin that is empty
        expect_broken(text);
        bookkeeping()[i] = now;
        found++;
    }
    ck_assert_int_eq(found, 1);
    expect_sound(heap);
}
END_TEST

static size_t place_of(uintptr_t word)
{
    size_t place = 0;
    while (bookkeeping()[place] != word)
        place++;
    return place;
}

// A block that lies on the list of another bin, linked both ways.
START_TEST(i5_bin_of_another_size)
{
    static uintptr_t before[MA_HEAP_MIN / sizeof(uintptr_t)];
    make_blocks();
    unsigned char *larger = take(heap, SIZE + 16);
    take(heap, SIZE);
    size_t bytes = ma_heap_stats(heap).padding_bytes;
    ma_heap_free(heap, blocks[1]);
    memcpy(before, heap, bytes);
    ma_heap_free(heap, larger);
    size_t bin = place_of((uintptr_t)header_of(larger));
    ck_assert_uint_eq(place_of((uintptr_t)header_of(blocks[1])), bin - 1);
    pass_over(blocks[1], larger);
    bookkeeping()[bin] = 0;
    for (size_t i = bin + 1; i < bytes / sizeof(uintptr_t); i++)
        if (bookkeeping()[i] != before[i])
            bookkeeping()[i] = before[i]; // the bitmap, behind the bins
    expect_broken(
        "I5: each free block is in the bin of its size, the bitmap names the filled bins");
}
END_TEST

START_TEST(i6_coalesced)
{
    make_blocks();
    ma_heap_free(heap, blocks[1]);
    header_of(blocks[2])[PREV_FREE] = 0; // so that free does not merge them
    ma_heap_free(heap, blocks[2]);
    expect_broken("I6: no two free neighbours, and no free block before the top");
    make_blocks();
    ma_heap_free(heap, blocks[4]);
    bookkeeping()[2] = (uintptr_t)header_of(blocks[5]); // the top
    expect_broken("I6: no two free neighbours, and no free block before the top");
}
END_TEST

START_TEST(i7_boundary_tags)
{
    static const char text[] = "I7: prev_free and the footer tell the truth about the block before";
    make_blocks();
    header_of(blocks[3])[PREV_FREE] = 1;
    expect_broken(text);
    header_of(blocks[3])[PREV_FREE] = 0;
    ma_heap_free(heap, blocks[1]);
    header_of(blocks[2])[PREV_FREE] = 0;
    expect_broken(text);
    header_of(blocks[2])[PREV_FREE] = 1;
    expect_sound(heap);
    for (size_t byte = USABLE - 8; byte < USABLE; byte++) {
        blocks[1][byte] ^= 0x20;
        expect_broken(text);
        blocks[1][byte] ^= 0x20;
    }
    expect_sound(heap);
}
END_TEST

void add_invariants_rows(void)
{
    add_row(i1_bounds);
    add_row(i2_alignment);
    add_loop_row(i3_headers, 6); // bytes of size and check
    add_row(i4_lists);
    add_row(i5_bins);
    add_row(i5_bin_of_another_size);
    add_row(i6_coalesced);
    add_row(i7_boundary_tags);
}
