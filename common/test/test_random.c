// Random sequences over all functions and several heaps, against a model: the list of blocks that
// should be live, and what they should contain. The heap is checked after every step.

#include "suite.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { HEAPS = 3, SLOTS = 100, STEPS = 3000, SEEDS = 4 };

struct slot {
    void *payload; // NULL: no block
    size_t size;
    unsigned seed; // of its contents
};

struct model {
    struct ma_heap *heaps[HEAPS];
    struct slot slots[HEAPS][SLOTS];
    size_t live[HEAPS]; // blocks that should be
    uint64_t first_seed; // for messages
    uint64_t random;
    int step;
    bool counts_blocks; // the statistics must agree with the model
};

static void give_up(const struct model *model, const char *problem)
{
    ck_abort_msg("SEED=%" PRIu64 ", step %d: %s", model->first_seed, model->step, problem);
}

static size_t random_size(struct model *model)
{
    return random_below(&model->random, (size_t)8 << random_below(&model->random, 12));
}

static bool is_default(const struct model *model, size_t which)
{
    return model->heaps[which] == ma_default_heap();
}

// --- one step ------------------------------------------------------------------------------------

static void *allocate(struct model *model, size_t which, size_t size)
{
    struct ma_heap *heap = model->heaps[which];
    size_t alignment = (size_t)1 << random_below(&model->random, 13);
    void *payload = NULL;
    errno = 0;
    switch (random_below(&model->random, 3)) {
    case 0:
        payload = is_default(model, which) ? ma_malloc(size) : ma_heap_malloc(heap, size);
        break;
    case 1:
        payload = is_default(model, which) ? ma_calloc(size, 1) : ma_heap_calloc(heap, size, 1);
        if (payload != NULL && !is_zero(payload, size))
            give_up(model, "calloc gives bytes that are not 0");
        break;
    default:
        payload = is_default(model, which) ? ma_aligned_alloc(alignment, size)
                                           : ma_heap_aligned_alloc(heap, alignment, size);
        if (!is_aligned(payload, alignment))
            give_up(model, "aligned_alloc does not align");
    }
    if (payload == NULL && errno != ENOMEM)
        give_up(model, "NULL without ENOMEM");
    return payload;
}

static void verify(const struct model *model, const struct slot *slot)
{
    if (slot->payload != NULL && !is_filled(slot->payload, slot->size, slot->seed))
        give_up(model, "the contents of a block have changed");
}

static void refill(struct model *model, struct slot *slot)
{
    slot->seed = (unsigned)next_random(&model->random);
    if (slot->payload != NULL)
        fill(slot->payload, slot->size, slot->seed);
}

static void step_allocate(struct model *model, size_t which, struct slot *slot)
{
    slot->size = random_size(model);
    slot->payload = allocate(model, which, slot->size);
    model->live[which] += slot->payload != NULL;
    refill(model, slot);
}

static void step_free(struct model *model, size_t which, struct slot *slot)
{
    verify(model, slot);
    if (is_default(model, which))
        ma_free(slot->payload);
    else
        ma_heap_free(model->heaps[which], slot->payload);
    slot->payload = NULL;
    model->live[which]--;
}

static void step_realloc(struct model *model, size_t which, struct slot *slot)
{
    size_t size = 1 + random_size(model);
    verify(model, slot);
    errno = 0;
    void *moved = is_default(model, which)
                      ? ma_realloc(slot->payload, size)
                      : ma_heap_realloc(model->heaps[which], slot->payload, size);
    if (moved == NULL && errno != ENOMEM)
        give_up(model, "realloc gives NULL without ENOMEM");
    if (moved != NULL) {
        slot->payload = moved;
        slot->size = size < slot->size ? size : slot->size;
        verify(model, slot);
        slot->size = size;
        refill(model, slot);
    }
}

static void step(struct model *model)
{
    size_t which = random_below(&model->random, HEAPS);
    struct slot *slot = &model->slots[which][random_below(&model->random, SLOTS)];
    if (slot->payload == NULL)
        step_allocate(model, which, slot);
    else if (random_below(&model->random, 3) == 0)
        step_realloc(model, which, slot);
    else
        step_free(model, which, slot);
    verify(model, slot);
    const char *broken = ma_heap_check(model->heaps[which]);
    if (broken != NULL)
        give_up(model, broken);
    if (model->counts_blocks &&
        ma_heap_stats(model->heaps[which]).live_blocks != model->live[which])
        give_up(model, "the statistics count other blocks than were taken");
}

// --- a sequence ----------------------------------------------------------------------------------

static void verify_all(const struct model *model)
{
    for (size_t i = 0; i < HEAPS; i++)
        for (size_t j = 0; j < SLOTS; j++)
            verify(model, &model->slots[i][j]);
}

// Frees what is left.
static void free_all(struct model *model)
{
    for (size_t i = 0; i < HEAPS; i++)
        for (size_t j = 0; j < SLOTS; j++)
            if (model->slots[i][j].payload != NULL)
                step_free(model, i, &model->slots[i][j]);
    for (size_t i = 0; i < HEAPS; i++) {
        expect_sound(model->heaps[i]);
        if (model->counts_blocks && ma_heap_stats(model->heaps[i]).live_blocks != model->live[i])
            give_up(model, "all blocks were freed, some are live");
    }
}

// The last sequence of a row begins with the run's seed, the others are the same in every run.
static void run_sequence(int number, bool counts_blocks)
{
    static struct model model;
    model = (struct model){
        .heaps = {ma_default_heap(), make_heap(1 << 19), ma_heap_create(MA_HEAP_MIN)},
        .first_seed = number == SEEDS - 1 ? run_seed() : (uint64_t)number + 1,
        .counts_blocks = counts_blocks,
    };
    model.random = model.first_seed;
    model.live[0] = ma_heap_stats(ma_default_heap()).live_blocks; // of other tests, with CK_FORK=no
    for (model.step = 0; model.step < STEPS; model.step++) {
        step(&model);
        if (model.step % 50 == 0)
            verify_all(&model);
    }
    verify_all(&model);
    free_all(&model);
}

START_TEST(random_sequences_keep_contents)
{
    run_sequence(_i, false);
}
END_TEST

START_TEST(random_sequences_count_blocks)
{
    run_sequence(_i, true);
}
END_TEST

void add_random_rows(void)
{
    add_loop_row(random_sequences_keep_contents, SEEDS);
    add_loop_row(random_sequences_count_blocks, SEEDS);
}
