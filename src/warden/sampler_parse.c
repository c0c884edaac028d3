/* sampler_parse.c - what the kernel writes about the machine, read strictly; see sampler.h.
 *
 * A text may be cut (a long one, read into a bounded buffer): only whole lines count. */
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "warden/sampler.h"

#define MILLI_C_LEAST (-273150)
#define MILLI_C_MOST  1000000
#define NAME_MOST     64

/* --- lines and words --- */

/* The next whole line; false when there is none. */
static bool next_line(struct slice *rest, struct slice *line) {
    if (slice_find(*rest, '\n') == rest->len) return false;
    *line = slice_cut(rest, '\n');
    return true;
}

/* The next word; empty at the end. */
static struct slice next_word(struct slice *line) {
    while (line->len && ascii_is_blank(line->ptr[0])) *line = slice_skip(*line, 1);
    size_t n = 0;
    while (n < line->len && !ascii_is_blank(line->ptr[n])) n++;
    struct slice word = slice_head(*line, n);
    *line = slice_skip(*line, n);
    return word;
}

static bool next_number(struct slice *line, uint64_t *out) {
    return num_read_u64(next_word(line), 0, INT64_MAX, out);
}

/* "12.34": thousandths, exactly two digits behind the point. */
static bool read_hundredths(struct slice word, uint64_t most, uint64_t *thousandths) {
    struct slice whole = slice_cut(&word, '.');
    uint64_t n, part;
    if (word.len != 2 || !num_read_u64(whole, 0, most, &n) || !num_read_u64(word, 0, 99, &part)) return false;
    *thousandths = n * 1000 + part * 10;
    return true;
}

/* A share or a load, as the kernel writes it. */
static struct val read_decimal(struct slice word) {
    uint64_t thousandths;
    if (!read_hundredths(word, 1000000, &thousandths)) return val_none;
    return val_of_double((double)thousandths / 1000);
}

/* An array that is empty tells nothing. */
static struct val unless_empty(struct val array) {
    if (val_count(&array) == 0) val_unref(&array);
    return array;
}

/* --- texts --- */

struct val sampler_uptime(struct slice text) {
    struct slice line;
    uint64_t ms;
    if (!next_line(&text, &line) || !read_hundredths(next_word(&line), INT64_MAX / 2000, &ms)) return val_none;
    return val_of_u64(ms);
}

struct val sampler_load(struct slice text) {
    struct slice line;
    if (!next_line(&text, &line)) return val_none;
    struct val one = read_decimal(next_word(&line)), five = read_decimal(next_word(&line)),
               fifteen = read_decimal(next_word(&line));
    return VAL_ARRAY_OF(one, five, fifteen);
}

static struct val read_cpu(struct slice line, unsigned hz) {
    /* In the kernel's order; guest times behind them are counted in user and nice already. */
    static const char *const keys[] = {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"};
    struct val v = val_empty_map();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        uint64_t ticks;
        if (!next_number(&line, &ticks) || ticks > INT64_MAX / 1000) {
            if (i < 4) val_unref(&v); /* no kernel has less than the first four */
            break;
        }
        if (!val_set_str(&v, keys[i], val_of_u64(ticks * 1000 / hz))) {
            val_unref(&v);
            break;
        }
    }
    return v;
}

struct val sampler_cpu(struct slice text, unsigned hz) {
    struct val all = val_empty_array();
    struct slice line;
    while (hz && next_line(&text, &line) && slice_starts(line, LIT("cpu")) && val_count(&all) <= LIMIT_SAMPLER_CPUS) {
        struct slice name = next_word(&line);
        uint64_t number;
        if (val_count(&all) ? !num_read_u64(slice_skip(name, 3), 0, 65535, &number) : name.len != 3) break;
        if (!val_push(&all, read_cpu(line, hz))) {
            val_unref(&all);
            return all;
        }
    }
    return unless_empty(all);
}

struct val sampler_memory(struct slice text) {
    static const struct {
        struct slice text;
        const char *key;
    } keys[] = {{LIT_INIT("MemTotal:"), "total"},    {LIT_INIT("MemAvailable:"), "available"},
                {LIT_INIT("MemFree:"), "free"},      {LIT_INIT("Buffers:"), "buffers"},
                {LIT_INIT("Cached:"), "cached"},     {LIT_INIT("SwapTotal:"), "swap_total"},
                {LIT_INIT("SwapFree:"), "swap_free"}};
    struct val v = val_empty_map();
    struct slice line;
    while (next_line(&text, &line)) {
        struct slice name = next_word(&line);
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            uint64_t kib;
            if (!slice_eq(name, keys[i].text) || !next_number(&line, &kib) || kib > INT64_MAX / 1024) continue;
            if (!slice_eq(next_word(&line), LIT("kB")) || !val_is_none(val_get(&v, slice_str(keys[i].key)))) continue;
            if (!val_set_str(&v, keys[i].key, val_of_u64(kib * 1024))) {
                val_unref(&v);
                return v;
            }
        }
    }
    if (val_is_none(val_get(&v, LIT("total")))) val_unref(&v);
    return v;
}

/* What may be shown as a name: printable, no space. */
static bool is_name(struct slice s, size_t most) {
    bool good = s.len > 0 && s.len <= most;
    for (size_t i = 0; good && i < s.len; i++) good = ascii_is_print(s.ptr[i]) && s.ptr[i] != ' ';
    return good;
}

struct val sampler_net(struct slice text) {
    struct val all = val_empty_array();
    struct slice line;
    /* Two lines of headings; then "name: rx_bytes and seven more, tx_bytes and more". The colon may touch a number. */
    for (int i = 0; i < 2; i++)
        if (!next_line(&text, &line)) return val_none;
    while (next_line(&text, &line) && val_count(&all) < LIMIT_SAMPLER_NETS) {
        size_t colon = line.len;
        while (colon > 0 && line.ptr[colon - 1] != ':') colon--; /* the last one: a name may have one as well */
        if (!colon) continue;
        struct slice name = slice_trim(slice_head(line, colon - 1)), rest = slice_skip(line, colon);
        uint64_t rx, tx, between;
        bool good = is_name(name, 15) && next_number(&rest, &rx);
        for (int i = 0; good && i < 7; i++) good = next_number(&rest, &between);
        if (!good || !next_number(&rest, &tx)) continue;
        if (!val_push(&all, VAL_MAP_OF({"name", val_of_text(name)}, {"rx_bytes", val_of_u64(rx)},
                                       {"tx_bytes", val_of_u64(tx)}))) {
            val_unref(&all);
            return all;
        }
    }
    return unless_empty(all);
}

static bool next_assignment(struct slice *line, struct slice key, struct slice *value) {
    struct slice word = next_word(line);
    if (!slice_eq(slice_cut(&word, '='), key)) return false;
    *value = word;
    return true;
}

static struct val read_pressure(struct slice line) {
    struct slice a, b, c, total;
    uint64_t us;
    if (!next_assignment(&line, LIT("avg10"), &a) || !next_assignment(&line, LIT("avg60"), &b) ||
        !next_assignment(&line, LIT("avg300"), &c) || !next_assignment(&line, LIT("total"), &total) ||
        !num_read_u64(total, 0, INT64_MAX, &us))
        return val_none;
    return VAL_MAP_OF({"avg10", read_decimal(a)}, {"avg60", read_decimal(b)}, {"avg300", read_decimal(c)},
                      {"total_us", val_of_u64(us)});
}

struct val sampler_pressure(struct slice text) {
    struct val v = val_empty_map();
    struct slice line;
    while (next_line(&text, &line)) {
        struct slice kind = next_word(&line);
        bool some = slice_eq(kind, LIT("some"));
        if (!some && !slice_eq(kind, LIT("full"))) continue;
        struct val one = read_pressure(line);
        if (!val_is_none(&one)) val_set_str(&v, some ? "some" : "full", one);
    }
    if (val_count(&v) == 0) val_unref(&v);
    return v;
}

struct val sampler_temperature(struct slice name, struct slice text) {
    name = slice_head(name, slice_find(name, '\n'));
    struct slice line;
    uint64_t n;
    if (!next_line(&text, &line) || !is_name(name, NAME_MOST)) return val_none;
    bool below = slice_starts(line, LIT("-"));
    if (!num_read_u64(slice_skip(line, below), 0, MILLI_C_MOST, &n)) return val_none;
    int64_t milli_c = below ? -(int64_t)n : (int64_t)n;
    if (milli_c < MILLI_C_LEAST) return val_none;
    return VAL_MAP_OF({"name", val_of_text(name)}, {"milli_c", val_of_i64(milli_c)});
}
