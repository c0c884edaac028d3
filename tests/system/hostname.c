/* hostname.c - names of boxes, by the rules of StartOS' server.set-hostname. */
#include "system/hostname.h"

#include "lib/tap.h"

static struct hostname_names names;

static bool find(const char *name, const char *host) {
    return hostname_find(slice_str(name), slice_str(host), &names, NULL);
}

TEST(a_host_name_is_made_of_a_name) {
    CHECK(find("Attic Box", "") && !strcmp(names.host, "attic-box") && !strcmp(names.name, "Attic Box"));
    CHECK(find("  Mum's  --  big Server 2 ", "") && !strcmp(names.host, "mums-big-server-2"));
    CHECK(find("\xc5\xbb\xc3\xb3\xc5\x82w box", "") && !strcmp(names.host, "w-box"));
    CHECK(find("abc", "") && !strncmp(names.host, "startbox-", 9) && strlen(names.host) == 13);
    CHECK(find("\xe7\xae\xb1", "") && !strncmp(names.host, "startbox-", 9) && !strcmp(names.name, "\xe7\xae\xb1"));
    char text[NAME_MOST + 2];
    memset(text, 'a', sizeof text);
    text[NAME_MOST] = 0;
    CHECK(find(text, "") && strlen(names.host) <= HOSTNAME_MOST);
    text[NAME_MOST] = 'a';
    text[NAME_MOST + 1] = 0;
    CHECK(!find(text, ""));
}

TEST(a_name_is_made_of_a_host_name) {
    CHECK(find("", "attic-box-2") && !strcmp(names.name, "Attic Box 2") && !strcmp(names.host, "attic-box-2"));
    CHECK(find("The Box", "x") && !strcmp(names.name, "The Box") && !strcmp(names.host, "x"));
}

TEST(what_is_no_host_name_is_refused) {
    static const char *const bad[] = {"-a", "a-", "a.b", "A", "a b", "a_b", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) CHECK(!find("name", bad[i]));
    CHECK(!find("", ""));
    CHECK(!find("a\nb", ""));
    char text[HOSTNAME_MOST + 2];
    memset(text, 'a', sizeof text);
    text[HOSTNAME_MOST] = 0;
    CHECK(find("", text));
    text[HOSTNAME_MOST] = 'a';
    text[HOSTNAME_MOST + 1] = 0;
    CHECK(!find("", text));
}

TAP_MAIN(T(a_host_name_is_made_of_a_name), T(a_name_is_made_of_a_host_name), T(what_is_no_host_name_is_refused))
