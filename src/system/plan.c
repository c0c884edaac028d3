/* plan.c - the branches of the tree this room owns, and what they look like: the names and forms StartOS' UI reads. */
#include "system/room.h"

static const struct shape name_shape = {.kind = SHAPE_TEXT, .max = 200};
static const struct shape null_shape = {
    .kind = SHAPE_TEXT, .null = true, .max = 1}; /* what StartOS shows and we do not */
static const struct shape map_shape = {.kind = SHAPE_MAP};
static const struct shape list_shape = {.kind = SHAPE_LIST};
static const struct shape bool_or_null = {.kind = SHAPE_BOOL, .null = true};
static const struct shape record_or_null = {.kind = SHAPE_MAP, .null = true};
static const struct shape restart_shape = {.kind = SHAPE_WORD, .null = true, .words = "mdns language kiosk update"};

SHAPE_RECORD_OF(status_shape, {.name = "backupProgress", .shape = &record_or_null, .attrs = PLAN_VOLATILE},
                {.name = "updateProgress", .shape = &record_or_null, .attrs = PLAN_VOLATILE},
                {.name = "shuttingDown", .shape = &shape_bool, .attrs = PLAN_VOLATILE},
                {.name = "restarting", .shape = &shape_bool, .attrs = PLAN_VOLATILE},
                {.name = "restart", .shape = &restart_shape});

static const struct shape_field smtp_fields[] = {
    {.name = "host", .shape = &shape_text},
    {.name = "port", .shape = &shape_port},
    {.name = "from", .shape = &shape_text},
    {.name = "username", .shape = &shape_text},
    {.name = "password", .shape = &shape_text_or_null, .attrs = PLAN_SECRET | PLAN_NULL},
    {.name = "security", .shape = &shape_text},
};
static const struct shape smtp_shape = {.kind = SHAPE_RECORD, .null = true, .fields = smtp_fields, .field_n = 6};

SHAPE_RECORD_OF(server_shape, {.name = "id", .shape = &name_shape}, {.name = "name", .shape = &name_shape},
                {.name = "hostname", .shape = &name_shape}, {.name = "version", .shape = &name_shape},
                {.name = "packageVersionCompat", .shape = &name_shape},
                {.name = "postInitMigrationTodos", .shape = &map_shape},
                {.name = "lastBackup", .shape = &shape_time_or_null}, {.name = "network", .shape = &map_shape},
                {.name = "statusInfo", .shape = &status_shape},
                {.name = "unreadNotificationCount", .shape = &shape_u64},
                {.name = "passwordHash", .shape = &null_shape}, {.name = "pubkey", .shape = &shape_text},
                {.name = "caFingerprint", .shape = &shape_text}, {.name = "ntpSynced", .shape = &shape_bool},
                {.name = "zram", .shape = &shape_bool}, {.name = "governor", .shape = &shape_text_or_null},
                {.name = "smtp", .shape = &smtp_shape}, {.name = "echoipUrls", .shape = &shape_texts},
                {.name = "ram", .shape = &shape_u64}, {.name = "devices", .shape = &list_shape},
                {.name = "kiosk", .shape = &bool_or_null}, {.name = "language", .shape = &shape_text_or_null},
                {.name = "keyboard", .shape = &record_or_null});

static const struct shape level_shape = {.kind = SHAPE_WORD, .words = "success info warning error"};
SHAPE_RECORD_OF(notice_shape, {.name = "packageId", .shape = &shape_text_or_null},
                {.name = "createdAt", .shape = &shape_time}, {.name = "code", .shape = &shape_u64},
                {.name = "level", .shape = &level_shape}, {.name = "title", .shape = &shape_text},
                {.name = "message", .shape = &shape_text}, {.name = "data", .shape = &shape_any},
                {.name = "seen", .shape = &shape_bool});
SHAPE_MAP_OF(notices_shape, notice_shape);
SHAPE_RECORD_OF(ssh_shape, {.name = "line", .shape = &shape_text}, {.name = "createdAt", .shape = &shape_time});
SHAPE_MAP_OF(ssh_keys_shape, ssh_shape);

const struct plan_branch system_branches[] = {
    {.pattern = "/public/serverInfo", .owner = "system", .shape = &server_shape},
    {.pattern = "/public/ui", .owner = "ui"},
    {.pattern = "/private/notifications", .owner = "system", .shape = &notices_shape},
    {.pattern = "/private/nextNotification", .owner = "system", .shape = &shape_u64},
    {.pattern = "/private/sshPubkeys", .owner = "system", .shape = &ssh_keys_shape},
};
const unsigned system_branch_n = sizeof system_branches / sizeof system_branches[0];
