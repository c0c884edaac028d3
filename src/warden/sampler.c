/* sampler.c - see sampler.h. What the texts mean is sampler_parse.c. */
#include "warden/sampler.h"

#include "base/log.h"
#include "base/mem.h"
#include "loop/file.h"
#include "warden/obey.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum source { UPTIME, LOAD, CPU, MEMORY, NET, PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, SOURCE_N };

static const char *const paths[SOURCE_N] = {
    [UPTIME] = "/proc/uptime",
    [LOAD] = "/proc/loadavg",
    [CPU] = "/proc/stat",
    [MEMORY] = "/proc/meminfo",
    [NET] = "/proc/net/dev",
    [PRESSURE_CPU] = "/proc/pressure/cpu",
    [PRESSURE_MEMORY] = "/proc/pressure/memory",
    [PRESSURE_IO] = "/proc/pressure/io",
};

struct sensor {
    int fd;
    char name[80];
};

struct sampler {
    struct obey obey;
    struct loop *loop;
    int files[SOURCE_N]; /* -1: this kernel has no such thing */
    int top;             /* "/", -1: not to be had */
    struct sensor sensors[LIMIT_SAMPLER_TEMPERATURES];
    unsigned sensor_n;
    unsigned hz;
};

static const struct verb rows[] = {
    {.name = "sample",
     .who = VERB_SAMPLER,
     .about = "Tells load, processors, memory, network, temperatures, pressure."},
};

const struct verb *sampler_rows(unsigned *n) {
    *n = sizeof rows / sizeof rows[0];
    return rows;
}

/* --- reading --- */

/* The text of a file as it is now; empty when there is none. Lives in the scratch. */
static struct slice read_text(const struct sampler *s, int fd) {
    uint8_t *scratch = loop_scratch(s->loop);
    ssize_t n = fd < 0 ? 0 : file_read_at(fd, scratch, LOOP_SCRATCH, 0, NULL);
    return slice_of(scratch, n < 0 ? 0 : (size_t)n);
}

/* What is not known is not there. */
static void set(struct val *map, const char *key, struct val v) {
    if (!val_is_none(&v)) val_set_str(map, key, v);
}

static struct val read_disks(const struct sampler *s) {
    struct statvfs st;
    if (s->top < 0 || fstatvfs(s->top, &st)) return val_none;
    return VAL_ARRAY_OF(VAL_MAP_OF({"path", val_of_str("/")},
                                   {"total", val_of_u64((uint64_t)st.f_blocks * st.f_frsize)},
                                   {"free", val_of_u64((uint64_t)st.f_bavail * st.f_frsize)}));
}

static struct val read_temperatures(const struct sampler *s) {
    struct val all = val_empty_array();
    for (unsigned i = 0; i < s->sensor_n; i++) {
        struct val v = sampler_temperature(slice_str(s->sensors[i].name), read_text(s, s->sensors[i].fd));
        if (!val_is_none(&v)) val_push(&all, v);
    }
    if (val_count(&all) == 0) val_unref(&all);
    return all;
}

static struct val read_pressures(const struct sampler *s) {
    struct val v = val_empty_map();
    set(&v, "cpu", sampler_pressure(read_text(s, s->files[PRESSURE_CPU])));
    set(&v, "memory", sampler_pressure(read_text(s, s->files[PRESSURE_MEMORY])));
    set(&v, "io", sampler_pressure(read_text(s, s->files[PRESSURE_IO])));
    if (val_count(&v) == 0) val_unref(&v);
    return v;
}

static bool act(struct obey *o, struct obey_ask *ask, struct err *e) {
    (void)e;
    const struct sampler *s = LOOP_OWNER(struct sampler, obey, o);
    struct val *v = &ask->result;
    *v = val_empty_map();
    set(v, "uptime_ms", sampler_uptime(read_text(s, s->files[UPTIME])));
    set(v, "load", sampler_load(read_text(s, s->files[LOAD])));
    set(v, "cpu", sampler_cpu(read_text(s, s->files[CPU]), s->hz));
    set(v, "memory", sampler_memory(read_text(s, s->files[MEMORY])));
    set(v, "disks", read_disks(s));
    set(v, "net", sampler_net(read_text(s, s->files[NET])));
    set(v, "temperatures", read_temperatures(s));
    set(v, "pressure", read_pressures(s));
    return true;
}

/* --- life --- */

static int open_quietly(const char *path) {
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void add_sensor(struct sampler *s, const char *name_path, const char *path) {
    if (s->sensor_n == LIMIT_SAMPLER_TEMPERATURES) return;
    struct sensor *sensor = &s->sensors[s->sensor_n];
    int fd = open_quietly(name_path);
    if (fd < 0) return;
    ssize_t n = file_read_at(fd, sensor->name, sizeof sensor->name - 1, 0, NULL);
    close(fd);
    if (n <= 0) return;
    sensor->name[n] = 0;
    sensor->fd = open_quietly(path);
    if (sensor->fd >= 0) s->sensor_n++;
}

/* What the boards have; where there is nothing of it, what PCs have. */
static void open_sensors(struct sampler *s) {
    char name[80], path[80];
    for (unsigned i = 0; i < LIMIT_SAMPLER_TEMPERATURES; i++) {
        snprintf(name, sizeof name, "/sys/class/thermal/thermal_zone%u/type", i);
        snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%u/temp", i);
        add_sensor(s, name, path);
    }
    for (unsigned i = 0; i < LIMIT_SAMPLER_TEMPERATURES && !s->sensor_n; i++)
        for (unsigned k = 1; k < 4; k++) {
            snprintf(name, sizeof name, "/sys/class/hwmon/hwmon%u/name", i);
            snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%u/temp%u_input", i, k);
            add_sensor(s, name, path);
        }
}

static void open_all(struct sampler *s) {
    for (unsigned i = 0; i < SOURCE_N; i++) s->files[i] = open_quietly(paths[i]);
    s->top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    open_sensors(s);
    long hz = sysconf(_SC_CLK_TCK);
    s->hz = hz > 0 && hz <= 10000 ? (unsigned)hz : 0;
}

static void close_all(struct sampler *s) {
    for (unsigned i = 0; i < SOURCE_N; i++)
        if (s->files[i] >= 0) close(s->files[i]);
    for (unsigned i = 0; i < s->sensor_n; i++) close(s->sensors[i].fd);
    if (s->top >= 0) close(s->top);
}

static bool begin(struct sampler *s, int link_fd, const struct jail *jail, struct err *e) {
    struct jail_report report;
    signal(SIGPIPE, SIG_IGN);
    s->loop = loop_new(e);
    if (!s->loop) {
        close(link_fd);
        return false;
    }
    s->obey = (struct obey){.name = "sampler", .act = act};
    s->obey.rows = sampler_rows(&s->obey.row_n);
    return obey_start(&s->obey, s->loop, link_fd, e) && jail_enter(jail, &report, e);
}

int sampler_hand(int link_fd, const struct jail *jail) {
    struct err e = ERR_INIT;
    int code = 71;
    struct sampler *s = mem_get_zero(sizeof *s);
    if (!s) return code;
    open_all(s);
    if (begin(s, link_fd, jail, &e))
        code = loop_run(s->loop);
    else
        log_warn("the sampler cannot begin: %s", e.text);
    obey_stop(&s->obey);
    close_all(s);
    loop_free(s->loop);
    mem_put(s, sizeof *s);
    return code;
}
