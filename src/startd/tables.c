/* tables.c - see tables.h. */
#include "startd/tables.h"

#include "auth/auth.h"
#include "base/must.h"
#include "net/authority.h"
#include "system/system.h"

static const struct method *const *const rooms[] = {auth_tables, system_tables};

size_t startd_rows(const struct method **rows) {
    size_t n = 0;
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        for (const struct method *const *table = rooms[i]; *table; table++)
            for (const struct method *m = *table; m->name; m++) {
                must(n < STARTD_ROWS);
                rows[n++] = m;
            }
    return n;
}

/* Version 1. What changes here later needs a higher version, and fields with `since` or a migration. */
static const char birth[] =
    "{\"public\":{"
    "\"serverInfo\":{\"id\":\"\",\"name\":\"startbox\",\"hostname\":\"startbox\",\"version\":\"0.4.0-beta.10\","
    "\"packageVersionCompat\":\">=0.3.5:0 <=0.4.0-beta.10:0\",\"postInitMigrationTodos\":{},\"lastBackup\":null,"
    "\"network\":{\"wifi\":{\"enabled\":false,\"interface\":null,\"ssids\":[],\"selected\":null,\"lastRegion\":null},"
    "\"host\":{\"bindings\":{},\"bindingRanges\":{},\"publicDomains\":{},\"privateDomains\":{},\"portForwards\":[]},"
    "\"gateways\":{},\"acme\":{\"https://acme-v02.api.letsencrypt.org/directory\":{\"contact\":[]}},"
    "\"dns\":{\"dhcpServers\":[],\"staticServers\":null},\"defaultOutbound\":null,\"passthroughs\":[]},"
    "\"statusInfo\":{\"backupProgress\":null,\"updateProgress\":null,\"shuttingDown\":false,\"restarting\":false,"
    "\"restart\":null},"
    "\"unreadNotificationCount\":0,\"passwordHash\":null,\"pubkey\":\"\",\"caFingerprint\":\"\",\"ntpSynced\":false,"
    "\"zram\":false,\"governor\":null,\"smtp\":null,"
    "\"echoipUrls\":[\"https://ipconfig.io/\",\"https://ifconfig.co/\"],\"ram\":0,\"devices\":[],\"kiosk\":null,"
    "\"language\":\"en_US\",\"keyboard\":null},"
    "\"packageData\":{},"
    "\"ui\":{\"registries\":{},\"startosRegistry\":\"https://registry.start9.com/\",\"snakeHighScore\":0,"
    "\"hiddenUpdates\":{}}},"
    "\"private\":{\"password\":null,\"sessions\":{},\"authKeys\":{},\"sshPubkeys\":{},\"notifications\":{},"
    "\"nextNotification\":1,\"keyStore\":{},\"flows\":{}}}";

struct plan *startd_plan(struct err *e) {
    static struct plan_branch all[64] = {
        /* the plan points into it */
        {.pattern = "/public", .owner = "main"},
        {.pattern = "/public/packageData", .owner = "service"},
        {.pattern = "/private", .owner = "main", .attrs = PLAN_PRIVATE},
    };
    unsigned n = 3;
    const struct {
        const struct plan_branch *of;
        unsigned n;
    } parts[] = {{system_branches, system_branch_n}, {auth_branches, auth_branch_n}, {net_branches, net_branch_n}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (unsigned k = 0; k < parts[i].n; k++) {
            must(n < sizeof all / sizeof all[0]);
            all[n++] = parts[i].of[k];
        }
    const struct plan_config config = {.name = "startd", .version = 1, .birth = birth, .branches = all, .branch_n = n};
    return plan_new(&config, e);
}
