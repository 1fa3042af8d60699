/* Data structures in memory: quicksort of a million numbers, a walk over 16 MiB in random order, and a hash table with open
 * addressing. */

#include "compute.h"

enum { NUMBERS = 1000000, SMALL = 16 };
enum { NODES = (16 << 20) / 64 };
enum { SLOTS = 1 << 16, KEYS = 1 << 15 };

static void insertion_sort(int32_t *first, int32_t *last)
{
    for (int32_t *at = first + 1; at <= last; at++) {
        int32_t value = *at, *to = at;
        for (; to > first && to[-1] > value; to--)
            *to = to[-1];
        *to = value;
    }
}

static int32_t median(int32_t a, int32_t b, int32_t c)
{
    if (a < b)
        return b < c ? b : a < c ? c : a;
    return a < c ? a : b < c ? c : b;
}

static __attribute__((noinline)) void quicksort(int32_t *first, int32_t *last)
{
    while (last - first >= SMALL) {
        int32_t pivot = median(*first, first[(last - first) / 2], *last);
        int32_t *low = first, *high = last;
        while (low <= high) {
            while (*low < pivot)
                low++;
            while (*high > pivot)
                high--;
            if (low > high)
                break;
            int32_t value = *low;
            *low++ = *high;
            *high-- = value;
        }
        quicksort(first, high);
        first = low;
    }
    insertion_sort(first, last);
}

static __attribute__((noinline)) uint64_t sort_unit(int32_t *numbers)
{
    uint32_t random = 12345;
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = (int32_t)next_random(&random);
    quicksort(numbers, numbers + NUMBERS - 1);
    uint64_t sum = 0;
    for (int i = 0; i < NUMBERS; i++)
        sum = sum * 31 + (uint32_t)numbers[i];
    return sum;
}

uint64_t sort(uint64_t units)
{
    static int32_t numbers[NUMBERS];
    uint64_t sum = 0;
    while (units-- > 0) {
        int32_t *hidden = numbers;
        HIDE(hidden);
        sum += sort_unit(hidden);
    }
    return sum;
}

/* One cache line. */
struct node {
    struct node *next;
    uint64_t number;
    uint64_t rest[6];
};

/* Links the nodes to one ring that visits them in random order (Sattolo's shuffle). */
static void link_ring(struct node *nodes)
{
    static uint32_t order[NODES];
    uint32_t random = 777;
    for (uint32_t i = 0; i < NODES; i++)
        order[i] = i;
    for (uint32_t i = NODES - 1; i > 0; i--) {
        uint32_t j = next_random(&random) % i, swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[order[i]].next = &nodes[order[(i + 1) % NODES]];
        nodes[i].number = i;
    }
}

static __attribute__((noinline)) uint64_t chase_unit(const struct node *at)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        sum += at->number;
        at = at->next;
    }
    return sum + at->number;
}

uint64_t chase(uint64_t units)
{
    static struct node nodes[NODES];
    if (nodes[0].next == 0)
        link_ring(nodes);
    uint64_t sum = 0;
    while (units-- > 0) {
        const struct node *hidden = nodes;
        HIDE(hidden);
        sum += chase_unit(hidden);
    }
    return sum;
}

/* Key 0 is an empty slot. */
struct entry {
    uint64_t key;
    uint64_t count;
};

static __attribute__((noinline)) struct entry *find(struct entry *table, uint64_t key)
{
    uint64_t at = (key * 0x9e3779b97f4a7c15u) >> 48;
    while (table[at].key != key && table[at].key != 0)
        at = (at + 1) % SLOTS;
    return &table[at];
}

/* Enters KEYS keys, some of them more than once, then looks for twice as many, half of which are there. */
static __attribute__((noinline)) uint64_t hash_unit(struct entry *table)
{
    for (int i = 0; i < SLOTS; i++)
        table[i].key = table[i].count = 0;
    uint32_t random = 99;
    for (int i = 0; i < KEYS; i++) {
        uint64_t key = next_random(&random) % (1u << 20) + 1;
        struct entry *entry = find(table, key);
        entry->key = key;
        entry->count += 1;
    }
    uint64_t sum = 0;
    random = 99;
    for (int i = 0; i < KEYS; i++) {
        uint64_t key = next_random(&random) % (1u << 20) + 1;
        sum += find(table, key)->count;
        sum += find(table, key + (2u << 20))->key + 1;
    }
    return sum;
}

uint64_t hash(uint64_t units)
{
    static struct entry table[SLOTS];
    uint64_t sum = 0;
    while (units-- > 0) {
        struct entry *hidden = table;
        HIDE(hidden);
        sum += hash_unit(hidden);
    }
    return sum;
}
