/* statedoc.c - see statedoc.h. */
#include "lib/statedoc.h"

#include <stdio.h>

struct maker {
    uint64_t state;
};

static uint32_t pick(struct maker *m, uint32_t below) {
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((m->state >> 33) % below);
}

static struct val words(struct maker *m, unsigned n) {
    static const char *const list[] = {"a",      "private", "server", "for",      "photos",  "notes",   "that",
                                       "keeps",  "your",    "data",   "at",       "home",    "without", "cloud",
                                       "simple", "fast",    "shares", "files",    "between", "devices", "with",
                                       "people", "über",    "große",  "\"open\"", "source",  "sync",    "calendar",
                                       "música", "video",   "chat",   "wallet"};
    char text[1024];
    size_t len = 0;
    for (unsigned i = 0; i < n && len < sizeof text - 40; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "", list[pick(m, 32)]);
    return val_of_str(text);
}

static struct val name(struct maker *m, const char *prefix) {
    char text[100];
    snprintf(text, sizeof text, "%s-%08x", prefix, pick(m, UINT32_MAX));
    return val_of_str(text);
}

static struct val hex(struct maker *m, unsigned n) {
    char text[160];
    for (unsigned i = 0; i < n && i + 1 < sizeof text; i++) text[i] = "0123456789abcdef"[pick(m, 16)];
    text[n] = 0;
    return val_of_str(text);
}

static struct val locale_string(struct maker *m, unsigned n) {
    return VAL_MAP_OF({"en_US", words(m, n)}, {"de_DE", words(m, n)}, {"es_ES", words(m, n)});
}

static struct val version(struct maker *m) {
    char text[32];
    snprintf(text, sizeof text, "%u.%u.%u:%u", pick(m, 30), pick(m, 20), pick(m, 20), pick(m, 5));
    return val_of_str(text);
}

static struct val timestamp(struct maker *m) {
    char text[40];
    snprintf(text, sizeof text, "2026-%02u-%02uT%02u:%02u:%02u.%03uZ", 1 + pick(m, 12), 1 + pick(m, 28), pick(m, 24),
             pick(m, 60), pick(m, 60), pick(m, 1000));
    return val_of_str(text);
}

static struct val action(struct maker *m) {
    return VAL_MAP_OF({"name", words(m, 3)}, {"description", words(m, 14)},
                      {"warning", pick(m, 2) ? val_null() : words(m, 10)}, {"visibility", val_of_str("enabled")},
                      {"allowedStatuses", val_of_str("any")}, {"hasInput", val_of_bool(pick(m, 2))},
                      {"group", val_null()}, {"access", val_of_str("user")});
}

static struct val hostname_info(struct maker *m, bool public) {
    char host[64];
    snprintf(host, sizeof host, "192.168.%u.%u", pick(m, 256), pick(m, 256));
    return VAL_MAP_OF({"ssl", val_of_bool(true)}, {"public", val_of_bool(public)}, {"hostname", val_of_str(host)},
                      {"port", val_of_u64(49152 + pick(m, 16000))},
                      {"metadata", VAL_MAP_OF({"kind", val_of_str("ipv4")}, {"gateway", val_of_str("eth0")})});
}

static struct val host(struct maker *m) {
    struct val available = val_empty_array();
    for (unsigned i = 0; i < 4; i++) val_push(&available, hostname_info(m, i == 0));
    struct val interface = VAL_MAP_OF(
        {"id", val_of_str("ui")}, {"name", words(m, 2)}, {"description", words(m, 12)}, {"masked", val_of_bool(false)},
        {"addressInfo",
         VAL_MAP_OF({"username", val_null()}, {"hostId", val_of_str("main")}, {"internalPort", val_of_u64(80)},
                    {"scheme", val_of_str("http")}, {"sslScheme", val_of_str("https")}, {"suffix", val_of_str("")})},
        {"type", val_of_str("ui")});
    struct val binding = VAL_MAP_OF(
        {"enabled", val_of_bool(true)},
        {"options",
         VAL_MAP_OF(
             {"preferredExternalPort", val_of_u64(80)},
             {"addSsl",
              VAL_MAP_OF({"preferredExternalPort", val_of_u64(443)}, {"addXForwardedHeaders", val_of_bool(false)},
                         {"alpn", VAL_MAP_OF({"specified", VAL_ARRAY_OF(val_of_str("http/1.1"), val_of_str("h2"))})})},
             {"secure", val_null()})},
        {"net", VAL_MAP_OF({"assignedPort", val_null()}, {"assignedSslPort", val_of_u64(49152 + pick(m, 16000))})},
        {"addresses", VAL_MAP_OF({"enabled", val_empty_array()}, {"disabled", val_empty_array()},
                                 {"guaAccess", val_empty_map()}, {"available", available})},
        {"interfaces", VAL_MAP_OF({"ui", interface})});
    return VAL_MAP_OF({"bindings", VAL_MAP_OF({"80", binding})}, {"bindingRanges", val_empty_map()},
                      {"publicDomains", val_empty_map()}, {"privateDomains", val_empty_map()},
                      {"portForwards", val_empty_array()});
}

static struct val manifest(struct maker *m, const char *id) {
    struct val volumes = VAL_ARRAY_OF(val_of_str("main"), val_of_str("startos"));
    struct val image = VAL_MAP_OF({"source", VAL_MAP_OF({"dockerTag", name(m, "registry.example/app")})},
                                  {"arch", VAL_ARRAY_OF(val_of_str("x86_64"), val_of_str("aarch64"))},
                                  {"emulateMissingAs", val_of_str("aarch64")}, {"nvidiaContainer", val_of_bool(false)});
    struct val deps = val_empty_map();
    for (unsigned i = 0; i < 2; i++) {
        struct val dep =
            VAL_MAP_OF({"description", words(m, 12)}, {"optional", val_of_bool(pick(m, 2))}, {"s9pk", val_null()});
        val_set(&deps, name(m, "dependency"), dep);
    }
    return VAL_MAP_OF(
        {"id", val_of_str(id)}, {"title", words(m, 2)}, {"version", version(m)}, {"releaseNotes", locale_string(m, 40)},
        {"canMigrateTo", val_of_str("!")}, {"canMigrateFrom", val_of_str("*")}, {"gitHash", hex(m, 40)},
        {"license", val_of_str("MIT")}, {"packageRepo", name(m, "https://git.example/packages/app")},
        {"upstreamRepo", name(m, "https://git.example/upstream/app")},
        {"marketingUrl", name(m, "https://www.example/app")}, {"donationUrl", val_null()},
        {"description", VAL_MAP_OF({"short", locale_string(m, 9)}, {"long", locale_string(m, 70)})},
        {"images", VAL_MAP_OF({"main", image})}, {"volumes", volumes}, {"dependencies", deps},
        {"hardwareRequirements", VAL_MAP_OF({"device", val_empty_array()},
                                            {"ram", val_of_u64(pick(m, 64) * 16777216ull)}, {"arch", val_null()})},
        {"hardwareAcceleration", val_of_bool(false)}, {"osVersion", val_of_str("0.4.0-beta.10")},
        {"sdkVersion", val_of_str("2.0.1")});
}

static struct val package(struct maker *m, const char *id) {
    struct val health = val_empty_map(), actions = val_empty_map(), hosts = val_empty_map(), deps = val_empty_map();
    for (unsigned i = 0; i < 3; i++)
        val_set(&health, name(m, "check"),
                VAL_MAP_OF({"name", words(m, 3)}, {"result", val_of_str("success")}, {"message", words(m, 6)}));
    for (unsigned i = 0; i < 6; i++) val_set(&actions, name(m, "action"), action(m));
    for (unsigned i = 0; i < 2; i++) val_set(&hosts, name(m, "host"), host(m));
    val_set(&deps, name(m, "dependency"),
            VAL_MAP_OF({"title", words(m, 2)}, {"icon", name(m, "/assets/icons/sha256")},
                       {"kind", val_of_str("running")}, {"healthChecks", VAL_ARRAY_OF(val_of_str("primary"))},
                       {"versionRange", val_of_str(">=1.2.0:0 <2.0.0:0")}));
    char key[256];
    snprintf(key, sizeof key,
             "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA%08x%08x%08x%08x/abc=\n-----END PUBLIC KEY-----\n",
             pick(m, UINT32_MAX), pick(m, UINT32_MAX), pick(m, UINT32_MAX), pick(m, UINT32_MAX));
    return VAL_MAP_OF({"stateInfo", VAL_MAP_OF({"state", val_of_str("installed")}, {"manifest", manifest(m, id)})},
                      {"s9pk", name(m, "/media/startos/data/package-data/archive/installed/abcdefgh")},
                      {"statusInfo", VAL_MAP_OF({"health", health}, {"error", val_null()}, {"started", timestamp(m)},
                                                {"desired", VAL_MAP_OF({"main", val_of_str("running")})},
                                                {"cpuShare", val_of_double(pick(m, 1000) / 1000.0)})},
                      {"registry", val_of_str("https://registry.example/")}, {"developerKey", val_of_str(key)},
                      {"icon", name(m, "/assets/icons/sha256")}, {"lastBackup", timestamp(m)},
                      {"currentDependencies", deps}, {"actions", actions}, {"tasks", val_empty_map()}, {"hosts", hosts},
                      {"storeExposedDependents", val_empty_array()}, {"outboundGateway", val_null()},
                      {"plugin", VAL_MAP_OF({"url", val_null()})});
}

struct val statedoc_make(unsigned packages, uint64_t seed) {
    struct maker m = {seed};
    struct val data = val_empty_map();
    for (unsigned i = 0; i < packages; i++) {
        char id[32];
        snprintf(id, sizeof id, "package-%u", i);
        if (!val_set_str(&data, id, package(&m, id))) val_unref(&data);
    }
    struct val info = VAL_MAP_OF({"id", hex(&m, 32)}, {"name", words(&m, 2)}, {"hostname", val_of_str("startbox")},
                                 {"version", val_of_str("0.4.0-beta.10")}, {"lastBackup", timestamp(&m)},
                                 {"unreadNotificationCount", val_of_u64(3)}, {"ntpSynced", val_of_bool(true)},
                                 {"ram", val_of_u64(536870912)}, {"language", val_of_str("en_US")});
    return VAL_MAP_OF(
        {"serverInfo", info}, {"packageData", data},
        {"ui", VAL_MAP_OF({"registries", VAL_MAP_OF({"https://registry.example/", val_of_str("Example")})},
                          {"snakeHighScore", val_of_u64(17)})});
}
