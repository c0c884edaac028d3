/* sampler.c - what the kernel writes, as it really is, as it might be, and as it must not be believed; and the real
 * sampler. */
#include "warden/sampler.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "lib/faults.h"
#include "lib/tap.h"
#include "protocols/json.h"
#include "warden/call.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The value as JSON; "none" when it is not there. Takes it. */
static const char *text_of(struct val v) {
    static char text[4096];
    struct buf b;
    buf_init(&b, sizeof text - 1);
    if (val_is_none(&v) || !json_write(&b, &v, JSON_COMPACT, NULL)) {
        buf_reset(&b);
        buf_add_str(&b, "none");
    }
    memcpy(text, b.ptr, b.len);
    text[b.len] = 0;
    buf_release(&b);
    val_unref(&v);
    return text;
}

static bool reads_as(struct val got, const char *want) {
    const char *text = text_of(got);
    if (!strcmp(text, want)) return true;
    tap_note("got    %s", text);
    tap_note("wanted %s", want);
    return false;
}

static struct slice guard(const char *text) {
    return tap_guarded(slice_str(text));
}

TEST(uptime_and_load_are_read_exactly_or_not_at_all) {
    CHECK(reads_as(sampler_uptime(guard("14298.02 20046.67\n")), "14298020"));
    CHECK(reads_as(sampler_uptime(guard("0.00 0.00\n")), "0"));
    static const char *const bad[] = {"",
                                      "\n",
                                      "1\n",
                                      "1.2\n",
                                      "1.234\n",
                                      "-1.00\n",
                                      "1,00\n",
                                      "a.bc\n",
                                      "1.00",
                                      ".50\n",
                                      "99999999999999999999.00\n",
                                      "9223372036854775807.99\n",
                                      "1.-1\n",
                                      "0x1.00\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!CHECK(reads_as(sampler_uptime(guard(bad[i])), "none"))) tap_note("case %zu", i);
    CHECK(reads_as(sampler_load(guard("0.50 1.25 12.00 2/345 6789\n")), "[0.5,1.25,12.0]"));
    CHECK(reads_as(sampler_load(guard("0.50 1.25\n")), "none"));
    CHECK(reads_as(sampler_load(guard("0.50 1.25 x.00 1/2 3\n")), "none"));
    CHECK(reads_as(sampler_load(guard("0.50 1.25 99999999.00 1/2 3\n")), "none"));
    CHECK(reads_as(sampler_load(guard("")), "none"));
}

TEST(processors_come_as_milliseconds_all_of_them_first) {
    const char *real = "cpu  10 2 30 400 5 6 7 8 0 0\n"
                       "cpu0 5 1 15 200 2 3 3 4 0 0\n"
                       "cpu1 5 1 15 200 3 3 4 4 0 0\n"
                       "intr 1234 5 6\nctxt 99\n";
    CHECK(reads_as(
        sampler_cpu(guard(real), 100),
        "[{\"user\":100,\"nice\":20,\"system\":300,\"idle\":4000,\"iowait\":50,\"irq\":60,\"softirq\":70,\"steal\":80},"
        "{\"user\":50,\"nice\":10,\"system\":150,\"idle\":2000,\"iowait\":20,\"irq\":30,\"softirq\":30,\"steal\":40},"
        "{\"user\":50,\"nice\":10,\"system\":150,\"idle\":2000,\"iowait\":30,\"irq\":30,\"softirq\":40,\"steal\":40}"
        "]"));
    CHECK(reads_as(sampler_cpu(guard("cpu 1 2 3 4\n"), 1000),
                   "[{\"user\":1,\"nice\":2,\"system\":3,\"idle\":4}]")); /* an old one */
    static const char *const bad[] = {"",
                                      "cpu 1 2 3\n",
                                      "cpu 1 2 3 4",
                                      "cpu0 1 2 3 4\n",
                                      "cpu 1 2 x 4\n",
                                      "cpu -1 2 3 4\n",
                                      "intr 5\n",
                                      "cpu 99999999999999999999 2 3 4\n",
                                      "cpu 9223372036854775807 2 3 4\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!CHECK(reads_as(sampler_cpu(guard(bad[i]), 100), "none"))) tap_note("case %zu", i);
    CHECK(reads_as(sampler_cpu(guard("cpu 1 2 3 4\n"), 0), "none"));
    /* A processor that says nonsense ends the list; a cut line does not count. */
    struct val v = sampler_cpu(guard("cpu 1 2 3 4\ncpu0 1 2 3 4\ncpux 1 2 3 4\ncpu1 1 2 3 4\n"), 100);
    CHECK_INT(val_count(&v), 2);
    val_unref(&v);
    v = sampler_cpu(guard("cpu 1 2 3 4\ncpu0 1 2 3 4 5"), 100);
    CHECK_INT(val_count(&v), 1);
    val_unref(&v);
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_add_str(&b, "cpu 1 2 3 4\n");
    for (unsigned i = 0; i < 3000; i++) buf_printf(&b, "cpu%u 1 2 3 4\n", i);
    v = sampler_cpu(buf_slice(&b), 100);
    CHECK_INT(val_count(&v), LIMIT_SAMPLER_CPUS + 1);
    val_unref(&v);
    buf_release(&b);
}

TEST(memory_comes_in_bytes_and_what_is_not_said_is_not_there) {
    const char *real =
        "MemTotal:        8000 kB\nMemFree:         1000 kB\nMemAvailable:    3000 kB\nBuffers:           10 kB\n"
        "Cached:          2000 kB\nSwapCached:         7 kB\nSwapTotal:          0 kB\nSwapFree:           0 kB\n"
        "HugePages_Total:       0\nDirectMap4k:   99999 kB\n";
    CHECK(reads_as(sampler_memory(guard(real)),
                   "{\"total\":8192000,\"free\":1024000,\"available\":3072000,\"buffers\":10240,"
                   "\"cached\":2048000,\"swap_total\":0,\"swap_free\":0}"));
    CHECK(reads_as(sampler_memory(guard("MemTotal: 1 kB\n")), "{\"total\":1024}"));
    CHECK(reads_as(sampler_memory(guard("MemTotal: 1 kB\nMemTotal: 2 kB\nMemFree: x kB\nCached: 5\nBuffers: -1 kB\n")),
                   "{\"total\":1024}"));
    CHECK(reads_as(sampler_memory(guard("MemFree: 1 kB\n")), "none"));
    CHECK(reads_as(sampler_memory(guard("MemTotal: 99999999999999999 kB\n")), "none"));
    CHECK(reads_as(sampler_memory(guard("MemTotal: 1 kB")), "none")); /* cut */
    CHECK(reads_as(sampler_memory(guard("")), "none"));
}

TEST(interfaces_come_with_their_bytes_whatever_their_names) {
    const char *head = "Inter-|   Receive    |  Transmit\n face |bytes    packets|bytes\n";
    char text[1000];
    snprintf(
        text, sizeof text, "%s%s", head,
        "    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n"
        "  eth0:4294967296 7 0 0 0 0 0 0 826411 9 0 0 0 0 0 0\n" /* no space behind the colon, as old kernels had it */
        "br:1: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n");
    CHECK(reads_as(sampler_net(guard(text)), "[{\"name\":\"lo\",\"rx_bytes\":100,\"tx_bytes\":100},"
                                             "{\"name\":\"eth0\",\"rx_bytes\":4294967296,\"tx_bytes\":826411},"
                                             "{\"name\":\"br:1\",\"rx_bytes\":5,\"tx_bytes\":6}]"));
    snprintf(text, sizeof text, "%s%s", head,
             "  : 1 2 3 4 5 6 7 8 9 10\n" /* no name */
             "a b: 1 2 3 4 5 6 7 8 9 10\nsixteen-letters-: 1 2 3 4 5 6 7 8 9\nbad\x01: 1 2 3 4 5 6 7 8 9\n"
             "short: 1 2 3 4 5 6 7 8\nneg: -1 2 3 4 5 6 7 8 9\nnothing\n\n"
             "fine: 1 2 3 4 5 6 7 8 9\ncut: 1 2 3 4 5 6 7 8 9");
    CHECK(reads_as(sampler_net(guard(text)), "[{\"name\":\"fine\",\"rx_bytes\":1,\"tx_bytes\":9}]"));
    CHECK(reads_as(sampler_net(guard(head)), "none"));
    CHECK(reads_as(sampler_net(guard("")), "none"));
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_add_str(&b, head);
    for (unsigned i = 0; i < 3000; i++) buf_printf(&b, "veth%u: 1 2 3 4 5 6 7 8 9\n", i);
    struct val v = sampler_net(buf_slice(&b));
    CHECK_INT(val_count(&v), LIMIT_SAMPLER_NETS);
    val_unref(&v);
    buf_release(&b);
}

TEST(pressure_and_temperatures_are_read) {
    CHECK(reads_as(sampler_pressure(guard("some avg10=4.42 avg60=21.35 avg300=15.46 total=649828203\n"
                                          "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")),
                   "{\"some\":{\"avg10\":4.42,\"avg60\":21.35,\"avg300\":15.46,\"total_us\":649828203},"
                   "\"full\":{\"avg10\":0.0,\"avg60\":0.0,\"avg300\":0.0,\"total_us\":0}}"));
    CHECK(reads_as(sampler_pressure(guard("some avg10=1.00 avg60=2.00 avg300=3.00 total=x\n")), "none"));
    CHECK(reads_as(sampler_pressure(guard("some avg60=1.00 avg10=2.00 avg300=3.00 total=1\n")), "none"));
    CHECK(reads_as(sampler_pressure(guard("some\nfull avg10=\nother avg10=1.00 avg60=1.00 avg300=1.00 total=1\n")),
                   "none"));
    CHECK(reads_as(sampler_pressure(guard("")), "none"));
    CHECK(reads_as(sampler_temperature(LIT("cpu-thermal\n"), guard("48312\n")),
                   "{\"name\":\"cpu-thermal\",\"milli_c\":48312}"));
    CHECK(reads_as(sampler_temperature(LIT("out"), guard("-5000\n")), "{\"name\":\"out\",\"milli_c\":-5000}"));
    static const char *const bad[] = {"", "48312", "x\n", "--5\n", "-\n", "99999999\n", "-300000\n", "+5\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(reads_as(sampler_temperature(LIT("a"), guard(bad[i])), "none"));
    CHECK(reads_as(sampler_temperature(LIT(""), guard("1\n")), "none"));
    CHECK(reads_as(sampler_temperature(LIT("a b"), guard("1\n")), "none"));
    CHECK(reads_as(sampler_temperature(LIT("\xff"), guard("1\n")), "none"));
}

static struct val parse(unsigned which, struct slice s) {
    switch (which % 7) {
    case 0: return sampler_uptime(s);
    case 1: return sampler_load(s);
    case 2: return sampler_cpu(s, 100);
    case 3: return sampler_memory(s);
    case 4: return sampler_net(s);
    case 5: return sampler_pressure(s);
    default: return sampler_temperature(slice_head(s, 10), s);
    }
}

TEST(cut_texts_and_seeded_garbage_never_lead_beyond_their_end) {
    static const char *const real[] = {"14298.02 20046.67\n",
                                       "0.50 1.25 12.00 2/345 6789\n",
                                       "cpu  10 2 30 400 5 6 7 8 0 0\ncpu0 5 1 15 200\n",
                                       "MemTotal:        8000 kB\nMemFree:  1 kB\n",
                                       "a\nb\nlo: 1 2 3 4 5 6 7 8 9\n",
                                       "some avg10=4.42 avg60=21.35 avg300=15.46 total=6\n",
                                       "48312\n"};
    for (unsigned i = 0; i < 7; i++)
        for (size_t n = 0; n <= strlen(real[i]); n++)
            for (unsigned k = 0; k < 7; k++) {
                struct val v = parse(k, tap_guarded(slice_of(real[i], n)));
                if (n < strlen(real[i]) && k == i && i != 2 && i != 3)
                    CHECK(val_is_none(&v)); /* a whole line is still missing */
                val_unref(&v);
            }
    rng_use_seed(5);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[80];
        static const char alphabet[] = "cpu0123456789 .:=-\n\n  kBsomefullavgtotal\xff\x00";
        size_t n = (size_t)rng_below(sizeof bytes);
        for (size_t k = 0; k < n; k++) bytes[k] = (uint8_t)alphabet[rng_below(sizeof alphabet)];
        struct val v = parse(i, tap_guarded(slice_of(bytes, n)));
        val_unref(&v);
    }
    rng_use_seed(0);
}

static bool parse_all(void *arg) {
    (void)arg;
    struct val cpu = sampler_cpu(LIT("cpu  10 2 30 400 5 6 7 8 0 0\ncpu0 5 1 15 200 1 1 1 1\n"), 100),
               net = sampler_net(LIT("a\nb\na-long-name-123: 1 2 3 4 5 6 7 8 9\n")),
               memory = sampler_memory(LIT("MemTotal: 1 kB\nMemFree: 1 kB\n")),
               pressure = sampler_pressure(LIT("some avg10=4.42 avg60=21.35 avg300=15.46 total=6\n"));
    bool good = val_count(&cpu) == 2 && val_count(&net) == 1 && val_count(&memory) == 2 && val_count(&pressure) == 1;
    val_unref(&cpu);
    val_unref(&net);
    val_unref(&memory);
    val_unref(&pressure);
    return good;
}

TEST(any_allocation_may_fail) {
    faults_sweep(parse_all, NULL, "four texts");
}

/* --- the real one --- */

static struct val sampled;
static unsigned answers;
static enum err_code answer_code;

static void answered(struct call *c, struct call_answer *a) {
    (void)c;
    val_unref(&sampled);
    sampled = a->result;
    a->result = val_none;
    answer_code = a->err.code;
    answers++;
}

static void say_nothing(void *arg, enum log_level level, const char *line) {
    (void)arg, (void)level, (void)line;
}

TEST(the_real_sampler_samples_again_and_again_in_its_jail) {
    struct err err = ERR_INIT;
    int fd[2];
    if (!CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0)) return;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct jail jail = {.kind = JAIL_SAMPLER};
        uint64_t before = mem_stats().live_blocks;
        log_use(say_nothing, NULL);
        if (!jail_begin(&fd[1], 1, getppid(), &err)) _exit(98);
        int code = sampler_hand(fd[1], &jail);
        _exit(mem_stats().live_blocks != before ? 99 : code);
    }
    close(fd[1]);
    struct loop *loop = loop_new(&err);
    struct port port = {.name = "sampler"};
    CHECK(port_start(&port, loop, fd[0], &err));
    uint64_t up[3] = {0}, total = 0, available = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct call c = {.done = answered};
        answers = 0;
        CHECK(call_start(&c, &port, "sample", val_empty_map(), NULL, 0, 0, &err));
        for (unsigned k = 0; k < 100 && !answers; k++) loop_turn(loop, 1000);
        CHECK(answers == 1 && answer_code == ERR_NONE);
        CHECK(val_as_u64(val_get(&sampled, LIT("uptime_ms")), &up[i]) && up[i] > 0 && up[i] >= up[i ? i - 1 : 0]);
    }
    const struct val *memory = val_get(&sampled, LIT("memory")), *cpu = val_get(&sampled, LIT("cpu"));
    CHECK(val_as_u64(val_get(memory, LIT("total")), &total) && total > 16 << 20);
    CHECK(val_as_u64(val_get(memory, LIT("available")), &available) && available <= total);
    CHECK(val_count(val_get(&sampled, LIT("load"))) == 3 && val_count(cpu) >= 2 &&
          val_count(cpu) <= LIMIT_SAMPLER_CPUS + 1);
    CHECK(val_count(val_get(&sampled, LIT("disks"))) == 1);
    if (access("/proc/net/dev", R_OK) == 0) CHECK(val_count(val_get(&sampled, LIT("net"))) >= 1);
    CHECK(val_is_none(val_get(&sampled, LIT("pressure"))) == (access("/proc/pressure/cpu", R_OK) != 0));
    static const char *const verbs[] = {"sample.more", "disk.stat"};
    for (unsigned i = 0; i < 3; i++) { /* it refuses, and goes on */
        struct call c = {.done = answered};
        answers = 0;
        struct val args = i < 2 ? val_empty_map() : VAL_MAP_OF({"what", val_null()});
        CHECK(call_start(&c, &port, i < 2 ? verbs[i] : "sample", args, NULL, 0, 0, &err));
        for (unsigned k = 0; k < 100 && !answers; k++) loop_turn(loop, 1000);
        CHECK(answers == 1 && answer_code == ERR_INVALID);
    }
    port_stop(&port);
    loop_turn(loop, 0);
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    val_unref(&sampled);
    loop_free(loop);
}

TEST(the_verb_and_its_fields_stand_in_the_page_about_hands) {
    struct slice page = tap_file("docs/warden-hands.md");
    unsigned n;
    const struct verb *rows = sampler_rows(&n);
    CHECK(n == 1 && rows[0].arg_n == 0);
    static const char *const words[] = {"\n### sample\n", "`uptime_ms`", "`load`",         "`cpu`",      "`memory`",
                                        "`disks`",        "`net`",       "`temperatures`", "`pressure`", "`rx_bytes`",
                                        "`milli_c`",      "`steal`",     "`swap_free`",    "`total_us`"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!CHECK(memmem(page.ptr, page.len, words[i], strlen(words[i])) != NULL)) tap_note("%s", words[i]);
    tap_free(page);
}

TAP_MAIN(T(uptime_and_load_are_read_exactly_or_not_at_all), T(processors_come_as_milliseconds_all_of_them_first),
         T(memory_comes_in_bytes_and_what_is_not_said_is_not_there),
         T(interfaces_come_with_their_bytes_whatever_their_names), T(pressure_and_temperatures_are_read),
         T(cut_texts_and_seeded_garbage_never_lead_beyond_their_end), T(any_allocation_may_fail),
         T(the_real_sampler_samples_again_and_again_in_its_jail),
         T(the_verb_and_its_fields_stand_in_the_page_about_hands))
