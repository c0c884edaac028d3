/* val.c - a sequence of changes of a map and an array against a plain model, with versions kept and compared. */
#include "base/val.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEYS  128
#define ITEMS 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct val map = val_empty_map(), array = val_empty_array(), kept = val_none, kept_array = val_none;
    int there[KEYS], kept_there[KEYS]; /* -1: not */
    uint8_t item[ITEMS];
    size_t n = 0, count = 0;
    for (size_t k = 0; k < KEYS; k++) there[k] = kept_there[k] = -1;
    for (size_t i = 0; i + 2 < size; i += 3) {
        uint8_t op = data[i] & 15, a = data[i + 1], b = data[i + 2];
        size_t k = a % KEYS;
        struct val key =
            k % 2 ? val_of_u64(k) : val_of_text_checked(slice_of("a key longer than fourteen bytes", 15 + k / 8));
        if (k % 2 == 0 && k % 16) { /* those texts repeat: use plain numbers for the others */
            val_unref(&key);
            key = val_of_i64(-(int64_t)k - 1);
        }
        if (op < 6) {
            if (!val_set(&map, val_ref(&key), val_of_u64(b))) abort();
            if (there[k] < 0) count++;
            there[k] = b;
        } else if (op < 9) {
            if (!val_del(&map, &key)) abort();
            if (there[k] >= 0) count--;
            there[k] = -1;
        } else if (op < 12 && n < ITEMS) {
            size_t at = ((size_t)a << 1 | (op & 1)) % (n + 1);
            if (!val_insert(&array, at, val_of_u64(b))) abort();
            memmove(item + at + 1, item + at, n++ - at);
            item[at] = b;
        } else if (op < 14 && n) {
            size_t at = ((size_t)a << 1 | (op & 1)) % n;
            if (!val_del_at(&array, at)) abort();
            memmove(item + at, item + at + 1, --n - at);
        } else if (op == 15) {
            val_unref(&kept);
            val_unref(&kept_array);
            kept = val_ref(&map);
            kept_array = val_ref(&array);
            memcpy(kept_there, there, sizeof there);
        }
        uint64_t u = 0;
        const struct val *found = val_get_key(&map, &key);
        if (val_is_none(found) != (there[k] < 0) ||
            (there[k] >= 0 && (!val_as_u64(found, &u) || u != (uint64_t)there[k])))
            abort();
        if (!val_is_none(&kept)) {
            found = val_get_key(&kept, &key);
            if (val_is_none(found) != (kept_there[k] < 0)) abort();
        }
        val_unref(&key);
    }
    if (val_count(&map) != count || val_count(&array) != n) abort();
    size_t seen = 0;
    for (struct val_iter it = val_iter(&array); val_next(&it); seen++) {
        uint64_t u = 0;
        if (!val_as_u64(it.value, &u) || u != item[seen]) abort();
    }
    if (seen != n) abort();
    val_unref(&map);
    val_unref(&array);
    val_unref(&kept);
    val_unref(&kept_array);
    return 0;
}
