/* host.c - naming the machine, switching it off (by a stand-in) and its keys, by a real warden in a namespace of names of its own. */
#include "wardens.h"

#include "base/hex.h"
#include "warden/host.h"

#include <sched.h>

/* --- what is checked without a machine --- */

TEST(a_name_is_a_label_of_RFC_1123) {
    static const char *const good[] = {
        "a", "1", "start9", "My-Box", "a-1", "x--y", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"};
    static const char *const bad[] = {"",
                                      "-a",
                                      "a-",
                                      "a.b",
                                      "a b",
                                      "a_b",
                                      "-",
                                      "\xc3\xa4",
                                      "a/b",
                                      "a\n",
                                      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) CHECK(host_name_check(slice_str(good[i]), NULL));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = ERR_INIT;
        if (!CHECK(!host_name_check(slice_str(bad[i]), &e) && e.code == ERR_INVALID)) tap_note("\"%s\"", bad[i]);
    }
}

/* A line for a type whose key is these bytes. */
static const char *key_line(const char *type, const char *inner, const char *rest) {
    static char lines[4][400];
    static unsigned turn;
    char *line = lines[turn++ & 3];
    struct buf blob, text;
    buf_init(&blob, 200);
    buf_init(&text, 400);
    buf_be32(&blob, (uint32_t)strlen(inner));
    buf_add_str(&blob, inner);
    buf_add_str(&blob, "0123456789abcdef");
    buf_add_str(&text, type);
    buf_byte(&text, ' ');
    base64_add(&text, BASE64_STD, buf_slice(&blob));
    buf_add_str(&text, rest);
    CHECK(buf_ok(&text));
    snprintf(line, 400, "%.*s", (int)text.len, (const char *)text.ptr);
    buf_release(&blob);
    buf_release(&text);
    return line;
}

static bool takes(const char *text, const char *why) {
    struct err e = ERR_INIT;
    bool good = host_keys_check(tap_guarded(slice_str(text)), &e);
    if (good != !why || (why && !strstr(e.text, why))) tap_note("\"%s\": %s", text, e.text);
    return good ? !why : why && e.code == ERR_INVALID && strstr(e.text, why);
}

/* The shape of a real one: the type, then 32 bytes with their length. */
#define REAL "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"

TEST(keys_are_lines_as_OpenSSH_writes_them_and_nothing_else) {
    static const char *const types[] = {
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "ssh-rsa",
    };
    char two[900];
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        CHECK(takes(key_line(types[i], types[i], ""), NULL));
        CHECK(takes(key_line(types[i], types[i], " somebody's key \xc3\xa4\n"), NULL));
        CHECK(takes(key_line(types[i], "ssh-dss", ""), "line 1"));
    }
    CHECK(takes("", NULL));
    snprintf(two, sizeof two, "%s\n%s\n", key_line("ssh-rsa", "ssh-rsa", " a"), key_line("ssh-rsa", "ssh-rsa", " b"));
    CHECK(takes(two, NULL));
    snprintf(two, sizeof two, "%s\n\n%s\n", key_line("ssh-rsa", "ssh-rsa", " a"), key_line("ssh-rsa", "ssh-rsa", " b"));
    CHECK(takes(two, "line 2"));
    snprintf(two, sizeof two, "command=\"/bin/sh\" %s", key_line("ssh-rsa", "ssh-rsa", ""));
    CHECK(takes(two, "line 1"));
    snprintf(two, sizeof two, " %s", key_line("ssh-rsa", "ssh-rsa", ""));
    CHECK(takes(two, "line 1"));
    CHECK(takes("\n", "line 1"));
    CHECK(takes("# a remark", "line 1"));
    CHECK(takes(key_line("ssh-dss", "ssh-dss", ""), "line 1"));
    CHECK(takes(key_line("ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519-cert-v01@openssh.com", ""), "line 1"));
    CHECK(takes(key_line("ssh-rsa", "ssh-rsa", "\r\n"), "line 1"));
    CHECK(takes(key_line("ssh-rsa", "ssh-rsa", " a\tb"), "line 1"));
    CHECK(takes("ssh-rsa", "line 1"));
    CHECK(takes("ssh-rsa ", "line 1"));
    CHECK(takes("ssh-rsa AAAA", "line 1"));
    CHECK(takes("ssh-rsa AAAAB3NzaC1yc2E=", "line 1")); /* its type and nothing behind it */
    CHECK(takes("ssh-rsa AAAAB3NzaC1yc2", "line 1"));
    CHECK(takes("ssh-rsa !!!!", "line 1"));
    CHECK(takes("ssh-rsa /////3NzaC1yc2EA", "line 1")); /* a length beyond the end */
    struct err e = ERR_INIT;
    CHECK(!host_keys_check(LIT("ssh-rsa SECRET==\n"), &e) && !strstr(e.text, "SECRET"));
}

TEST(a_lack_of_memory_is_not_a_bad_key) {
    char line[400];
    snprintf(line, sizeof line, "%s", key_line("ssh-rsa", "ssh-rsa", ""));
    mem_fault(1, 1);
    struct err e = ERR_INIT;
    CHECK(!host_keys_check(slice_str(line), &e) && e.code == ERR_NOMEM);
    mem_fault(0, 0);
    CHECK(host_keys_check(slice_str(line), &e));
}

/* --- a warden that owns the machine, or not --- */

static struct val text_arg(const char *key, const char *text) {
    return MAP({key, val_of_str(text)});
}

/* number[0]: the code that is wanted of every verb */
static int ask_all(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    SEE_INT(code_of(&r, "host.name", text_arg("name", "test-box")), sh->number[0]);
    SEE_INT(code_of(&r, "host.power", text_arg("how", "off")), sh->number[0] == ERR_AUTHORIZATION ? 0 : sh->number[0]);
    SEE_INT(code_of(&r, "host.power", text_arg("how", "reboot")),
            sh->number[0] == ERR_AUTHORIZATION ? 0 : sh->number[0]);
    SEE_INT(code_of(&r, "host.keys", text_arg("text", REAL " me\n" REAL)), sh->number[1]);
    /* Never, whoever asks. */
    SEE_INT(code_of(&r, "host.power", text_arg("how", "halt")), ERR_INVALID);
    SEE_INT(code_of(&r, "host.power", NO_ARGS), ERR_INVALID);
    SEE(code_of(&r, "host.name", text_arg("name", "a.b")) != ERR_NONE);
    SEE(code_of(&r, "host.name", text_arg("name", "../../x")) != ERR_NONE);
    SEE(code_of(&r, "host.keys", text_arg("text", "command=\"x\" " REAL)) != ERR_NONE);
    return 0;
}

static bool pretend(bool reboot_it, struct err *e) {
    (void)e;
    sh->number[reboot_it ? 3 : 2]++;
    return true;
}

static bool fail_power(bool reboot_it, struct err *e) {
    (void)reboot_it;
    return err_set(e, ERR_NETWORK, "the stand-in refuses");
}

static bool has_file(const char *path, const char *want, uid_t owner, mode_t mode) {
    struct stat st;
    if (!CHECK(lstat(path, &st) == 0)) return false;
    CHECK_INT(st.st_uid, owner);
    CHECK_INT(st.st_mode, S_IFREG | mode);
    struct slice text = tap_file(path);
    bool good = CHECK_TEXT(text, slice_str(want));
    tap_free(text);
    return good;
}

/* In a namespace of its own nothing of this names the real machine. */
static bool leave_names(void) {
    static int left = -1;
    if (left < 0) left = geteuid() == 0 && unshare(CLONE_NEWUTS) == 0;
    if (!left) tap_skip("not root, or no namespace: the machine that runs the tests must keep its name");
    return left;
}

struct etc {
    char base[64], etc[80], ssh[80], keys[100], name[100];
};

static bool etc_make(struct etc *p) {
    snprintf(p->base, sizeof p->base, "/tmp/startbox-test-host-XXXXXX");
    if (!CHECK(mkdtemp(p->base) != NULL)) return false;
    snprintf(p->etc, sizeof p->etc, "%s/etc", p->base);
    snprintf(p->ssh, sizeof p->ssh, "%s/ssh", p->base);
    snprintf(p->keys, sizeof p->keys, "%s/authorized_keys", p->ssh);
    snprintf(p->name, sizeof p->name, "%s/hostname", p->etc);
    return CHECK(chmod(p->base, 0755) == 0 && mkdir(p->etc, 0755) == 0 && mkdir(p->ssh, 0700) == 0);
}

TEST(whoever_does_not_own_the_machine_says_so) {
    struct etc p;
    if (!etc_make(&p)) return;
    shared_begin();
    sh->number[0] = sh->number[1] = ERR_UNSUPPORTED;
    struct warden_config c = {.reactor = ask_all, .etc = p.etc, .ssh_keys = p.keys, .power = pretend};
    CHECK_INT(warden_live(&c), 0);
    check_seen(12);
    CHECK(sh->number[2] == 0 && sh->number[3] == 0);
    CHECK(access(p.name, F_OK) != 0 && access(p.keys, F_OK) != 0);
    remove_tree(p.base);
}

TEST(the_owner_names_it_switches_it_off_and_says_who_logs_in) {
    struct etc p;
    char before[100], after[100];
    if (!leave_names() || !etc_make(&p)) return;
    CHECK(chown(p.ssh, 1234, 4321) == 0);
    CHECK(gethostname(before, sizeof before) == 0);
    shared_begin();
    struct warden_config c = {.reactor = ask_all, .machine = true, .etc = p.etc, .ssh_keys = p.keys, .power = pretend};
    CHECK_INT(warden_live(&c), 0);
    check_seen(12);
    CHECK_INT(sh->number[2], 1);
    CHECK_INT(sh->number[3], 1);
    CHECK(gethostname(after, sizeof after) == 0);
    CHECK_TEXT(slice_str(after), LIT("test-box"));
    has_file(p.name, "test-box\n", 0, 0644);
    has_file(p.keys, REAL " me\n" REAL "\n", 1234, 0600);
    CHECK(sethostname(before, strlen(before)) == 0);
    remove_tree(p.base);
}

static int ask_name_and_keys(const struct warden_birth *birth, void *arg) {
    (void)arg;
    struct reactor r;
    if (!reactor_open(&r, birth)) return 1;
    sh->number[0] = code_of(&r, "host.name", text_arg("name", "other-box"));
    sh->number[1] = code_of(&r, "host.keys", text_arg("text", REAL));
    sh->number[2] = code_of(&r, "host.power", text_arg("how", "off"));
    return 0;
}

TEST(what_cannot_be_kept_is_not_half_done) {
    struct etc p;
    char before[100], after[100];
    if (!leave_names() || !etc_make(&p)) return;
    CHECK(gethostname(before, sizeof before) == 0);
    CHECK(mkdir(p.name, 0755) == 0);                         /* a folder in the file's place */
    CHECK(rmdir(p.ssh) == 0 && symlink("/tmp", p.ssh) == 0); /* a way to somewhere else */
    shared_begin();
    struct warden_config c = {
        .reactor = ask_name_and_keys, .machine = true, .etc = p.etc, .ssh_keys = p.keys, .power = fail_power};
    CHECK_INT(warden_live(&c), 0);
    CHECK_INT(sh->number[0], ERR_FILESYSTEM);
    CHECK_INT(sh->number[1], ERR_FILESYSTEM);
    CHECK_INT(sh->number[2], ERR_NETWORK);
    CHECK(gethostname(after, sizeof after) == 0 && !strcmp(before, after));
    CHECK(access("/tmp/authorized_keys", F_OK) != 0);
    unlink(p.ssh);
    shared_begin();
    CHECK_INT(warden_live(&c), 0);
    CHECK_INT(sh->number[1], ERR_NOT_FOUND);
    c.ssh_keys = NULL;
    shared_begin();
    CHECK_INT(warden_live(&c), 0);
    CHECK_INT(sh->number[1], ERR_UNSUPPORTED);
    remove_tree(p.base);
}

/* The folder is somebody's own: what they put there in our way must not be written through. */
TEST(keys_are_written_as_their_owner_and_through_no_link_of_theirs) {
    struct etc p;
    char victim[100], fresh[120];
    if (!leave_names() || !etc_make(&p)) return;
    snprintf(victim, sizeof victim, "%s/victim", p.base);
    snprintf(fresh, sizeof fresh, "%s.new", p.keys);
    int fd = open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* root's */
    CHECK(write(fd, "mine", 4) == 4);
    close(fd);
    CHECK(chown(p.ssh, 1234, 1234) == 0);
    struct warden_config c = {
        .reactor = ask_name_and_keys, .machine = true, .etc = p.etc, .ssh_keys = p.keys, .power = fail_power};
    for (int hard = 0; hard < 2; hard++) {
        CHECK((hard ? link(victim, fresh) : symlink(victim, fresh)) == 0);
        shared_begin();
        CHECK_INT(warden_live(&c), 0);
        CHECK_INT(sh->number[1], ERR_FILESYSTEM);
        has_file(victim, "mine", 0, 0600);
        unlink(fresh);
    }
    remove_tree(p.base);
}

TEST(without_root_nothing_of_the_machine_is_changed) {
    struct etc p;
    char before[100], after[100];
    if (!leave_names() || !etc_make(&p)) return;
    CHECK(gethostname(before, sizeof before) == 0);
    CHECK(chown(p.ssh, 65534, 65534) == 0 && chown(p.etc, 65534, 65534) == 0);
    shared_begin();
    sh->number[0] = ERR_AUTHORIZATION;
    struct warden_config c = {.reactor = ask_all, .machine = true, .etc = p.etc, .ssh_keys = p.keys, .power = pretend};
    CHECK_INT(warden_end(warden_begin(&c, true)), 0);
    check_seen(12);
    CHECK(gethostname(after, sizeof after) == 0 && !strcmp(before, after));
    CHECK(access(p.name, F_OK) != 0);
    has_file(p.keys, REAL " me\n" REAL "\n", 65534, 0600); /* their own file they may */
    remove_tree(p.base);
}

TAP_MAIN(T(a_name_is_a_label_of_RFC_1123), T(keys_are_lines_as_OpenSSH_writes_them_and_nothing_else),
         T(a_lack_of_memory_is_not_a_bad_key), T(whoever_does_not_own_the_machine_says_so),
         T(the_owner_names_it_switches_it_off_and_says_who_logs_in), T(what_cannot_be_kept_is_not_half_done),
         T(keys_are_written_as_their_owner_and_through_no_link_of_theirs),
         T(without_root_nothing_of_the_machine_is_changed))
