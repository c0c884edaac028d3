#!/bin/sh
# methods.sh PROGRAM - the pages made from the method rows: what stands in the repository is what the program prints. Says TAP.
# GOLDEN=write rewrites them.
set -u
program=$(realpath "$1")
cd "$(dirname "$0")/../.."
box=$(mktemp -d /tmp/startbox-test-XXXXXX)
trap 'rm -rf "$box"' EXIT
. tests/lib/tap.sh

made() { # made FORM FILE: FILE is what the program prints in this form
    case ${GOLDEN:-} in
    write) "$program" methods "$1" >"$box/page" && mkdir -p "$(dirname "$2")" && cp "$box/page" "$2" ;;
    *) "$program" methods "$1" >"$box/page" && diff "$2" "$box/page" ;;
    esac
}
begin='^\.\\" From here to the mark below made'
end='^\.\\" To here\.$'
made_section() { # the same of what stands between the marks of FILE
    "$program" methods "$1" >"$box/section" || return 1
    if [ "${GOLDEN:-}" = write ]; then
        sed -e "/$begin/,\$d" "$2" >"$box/page" && cat "$box/section" >>"$box/page" && sed -e "1,/$end/d" "$2" >>"$box/page" &&
            cp "$box/page" "$2"
    else
        sed -n -e "/$begin/,/$end/p" "$2" | diff - "$box/section"
    fi
}
again='; make golden rewrites it'
ok "docs/methods.md is what the rows make$again" made md docs/methods.md
ok "docs/methods.json is what the rows make$again" made json docs/methods.json
ok "web/api.d.ts is what the rows make$again" made ts web/api.d.ts
ok "the commands in man/start-cli.1 are what the rows make$again" made_section man man/start-cli.1
ok "its marks stand once each" sh -c "[ \$(grep -c '$begin' man/start-cli.1) = 1 ] && [ \$(grep -c '$end' man/start-cli.1) = 1 ]"

# Every command that start-cli lists stands in the manual, and the other way round; what has no row is written by hand.
ln -s "$program" "$box/start-cli"
"$box/start-cli" --help | sed -e '1,/^Commands:/d' -e 's/^  \([a-z0-9 -]*[a-z0-9]\)  .*/\1/' -e '/^  /d' -e '/^$/d' -e '/^start-cli/d' |
    grep -v '^db watch\|^init-key' | sort >"$box/listed"
"$program" methods man | sed -n 's/^\.It Cm //p' | sed 's/ \(Ar\|Oo\|Op\|Fl\) .*//' | sort >"$box/told"
ok "start-cli --help lists commands" test -s "$box/listed"
ok "the manual tells of exactly these" diff "$box/listed" "$box/told"
ok "the JSON page is JSON" sh -c "'$program' methods json | '$program' codec json"
ok "mandoc has nothing to say about it" mandoc -T lint -W warning man/start-cli.1

# --- a part of it ---
ok "one method" exits 0 "$program" methods ts db.dump
ok "is that one" says '"db.dump": {'
ok "and no other" sh -c "! grep -q '\"echo\"\|db.apply' '$box/so'"
ok "a group" exits 0 "$program" methods md auth.session
ok "has what begins with its words" sh -c "[ \$(grep -c '^### auth\.session\.' '$box/so') = \$(grep -c '^### ' '$box/so') ]"
ok "more than one" test "$(grep -c '^### ' "$box/so")" -gt 1
ok "a name that is none is not found" exits 4 "$program" methods md db.dum
ok "and nothing is printed" test ! -s "$box/so"

# --- usage ---
ok "without a form it says what it wants" exits 2 "$program" methods
ok "a form that is none is refused" exits 2 "$program" methods html
ok "so is a word too many" exits 2 "$program" methods md db.dump db.apply
ok "a full disk is told" sh -c "'$program' methods md >/dev/full; [ \$? = 71 ]"
done_testing
