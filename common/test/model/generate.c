// Random operations, and operations out of a fuzzer's bytes.

#include "operation.h"

#include "allocator.h"

// --- choices -------------------------------------------------------------------------------------

// Random numbers as in splitmix64 (Steele, Lea, Flood, 2014).
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

static uint64_t next_byte(struct choices *choices)
{
    if (choices->length == 0)
        return 0;
    choices->length--;
    return *choices->bytes++;
}

// A number below a bound; no more bytes are used than it needs.
static size_t choose(struct choices *choices, size_t below)
{
    if (choices->bytes == NULL)
        return (size_t)(next_random(&choices->random) % below);
    uint64_t number = next_byte(choices);
    for (size_t most = below - 1; most > 0xFF; most >>= 8)
        number = number << 8 | next_byte(choices);
    return (size_t)(number % below);
}

// --- sizes ---------------------------------------------------------------------------------------

// Sizes that no heap can serve, most of them near a number where arithmetic could wrap.
static size_t choose_huge(struct choices *choices)
{
    const size_t edges[] = {MA_HEAP_MAX, PTRDIFF_MAX, SIZE_MAX - 128};
    size_t edge = edges[choose(choices, sizeof edges / sizeof edges[0])];
    return edge + choose(choices, 128);
}

static size_t choose_size(struct generator *generator)
{
    struct choices *choices = &generator->choices;
    size_t kind = choose(choices, 64);
    if (generator->large_sizes && kind < 8)
        return choose(choices, (size_t)1 << 23);
    if (kind < 36)
        return choose(choices, (size_t)8 << choose(choices, 8));
    if (kind < 52)
        return choose(choices, (size_t)8 << choose(choices, 13));
    if (kind < 62) // around the powers of two
        return ((size_t)16 << choose(choices, 12)) + choose(choices, 33) - 16;
    return kind == 62 ? choose(choices, (size_t)1 << 19) : choose_huge(choices);
}

static size_t choose_heap_size(struct choices *choices)
{
    switch (choose(choices, 8)) {
    case 0:
        return choose(choices, MA_HEAP_MIN); // too small
    case 1:
        return MA_HEAP_MIN + choose(choices, 64);
    case 2:
        return (size_t)1 << 20;
    default:
        return 16384 + choose(choices, 65536);
    }
}

// Sometimes 0 or no power of two, which is refused.
static size_t choose_alignment(struct choices *choices)
{
    size_t alignment = (size_t)1 << choose(choices, 14);
    return choose(choices, 32) == 0 ? alignment - 1 : alignment;
}

// --- operations ----------------------------------------------------------------------------------

static void generate_request(struct generator *generator, struct operation *operation)
{
    struct choices *choices = &generator->choices;
    operation->numbers[0] = choose_size(generator);
    switch (choose(choices, 8)) {
    case 0:
    case 1:
        operation->kind = OP_CALLOC;
        operation->numbers[1] = operation->numbers[0];
        operation->numbers[0] = choose(choices, 4);
        break;
    case 2:
        operation->kind = OP_ALIGNED_ALLOC;
        operation->numbers[1] = operation->numbers[0];
        operation->numbers[0] = choose_alignment(choices);
        break;
    case 3:
        operation->kind = OP_REALLOC; // of NULL
        break;
    default:
        operation->kind = OP_MALLOC;
    }
}

static void generate_use(struct generator *generator, struct operation *operation)
{
    size_t kind = choose(&generator->choices, 8);
    if (kind < 3) {
        operation->kind = OP_REALLOC;
        operation->numbers[0] = choose_size(generator);
    } else if (kind == 3) {
        operation->kind = OP_WRITE;
        operation->numbers[0] = choose_size(generator);
    } else {
        operation->kind = OP_FREE;
    }
}

// A name whose block may be large enough for a heap: the first from slot on.
static uint32_t choose_host(const struct generator *generator, uint32_t slot)
{
    for (uint32_t i = 0; i < RANDOM_SLOTS; i++)
        if (generator->large[(slot + i) % RANDOM_SLOTS])
            return (slot + i) % RANDOM_SLOTS;
    return slot;
}

static void generate_heap_operation(struct generator *generator, struct operation *operation)
{
    static const uint8_t kinds[] = {OP_HEAP_DEFAULT, OP_HEAP_CREATE, OP_HEAP_INIT,   OP_HEAP_INIT,
                                    OP_HEAP_INSIDE,  OP_HEAP_EXTEND, OP_HEAP_DESTROY};
    struct choices *choices = &generator->choices;
    operation->kind = kinds[choose(choices, sizeof kinds)];
    if (operation->kind == OP_HEAP_CREATE || operation->kind == OP_HEAP_INIT)
        operation->numbers[0] = choose_heap_size(choices);
    if (operation->kind == OP_HEAP_EXTEND)
        operation->numbers[0] = choose(choices, 65536);
    if (operation->kind == OP_HEAP_INSIDE)
        operation->subject = choose_host(generator, operation->subject);
}

// The next operation; false if there are no more bytes. Some names are used again at once, most live
// long. Now and then frees begin to outnumber requests, or no longer do.
static bool generate(struct generator *generator, struct operation *operation)
{
    struct choices *choices = &generator->choices;
    if (choices->bytes != NULL && choices->length == 0)
        return false;
    size_t kind = choose(choices, 256);
    size_t slot = choose(choices, kind % 4 == 0 ? 8 : RANDOM_SLOTS);
    if (kind == 255)
        generator->shrinking = !generator->shrinking;
    if (kind == 254)
        generator->large_sizes = !generator->large_sizes && choose(choices, 4) == 0;
    bool *named = &generator->named[slot];
    *operation = (struct operation){.target = (uint32_t)slot, .subject = (uint32_t)slot};
    if (!generator->one_heap)
        operation->heap = (uint8_t)choose(choices, HEAP_COUNT);
    if (kind >= 246 && !generator->one_heap)
        generate_heap_operation(generator, operation);
    else if (*named)
        generate_use(generator, operation);
    else if (generator->shrinking && kind % 3 != 0)
        operation->kind = OP_FREE; // of NULL
    else
        generate_request(generator, operation);
    if (operation->kind >= OP_HEAP_DEFAULT)
        return true;
    *named = operation->kind != OP_FREE;
    if (operation->kind != OP_WRITE)
        generator->large[slot] = operation_size(operation) >= MA_HEAP_MIN;
    return true;
}

void list_generate(struct operation_list *list, struct generator *generator, size_t most)
{
    static const size_t sizes[] = {HEAP_0_SIZE, 65536, 1 << 20};
    size_t size = sizes[choose(&generator->choices, 3)];
    struct operation operation = {.kind = OP_HEAP_INIT, .numbers = {size}};
    if (size != HEAP_0_SIZE)
        list_append(list, operation);
    while (list->count < most && generate(generator, &operation))
        list_append(list, operation);
}
