#!/bin/sh
# logs.sh PROGRAM - what the daemon and the kernel have said, page by page and as it comes; over files that were turned over, torn
# lines and several starts of the machine. Says TAP.
set -u
program=$(realpath "$1")
bin=$(dirname "$program")
cd "$(dirname "$0")/../.."
. tests/lib/box.sh
: >"$box/log"
start_owned
stop

# Files as the log hand leaves them: 1 to 900 of an older start of the machine, 901 to 2000 of another; torn lines in between.
old=0123456789abcdef0123456789abcdef new=fedcba9876543210fedcba9876543210
lines() { # lines FROM TO BOOT
    awk -v from="$1" -v to="$2" -v boot="$3" 'BEGIN { for (i = from; i <= to; i++) printf "{\"s\":%d,\"t\":%.0f,\"b\":\"%s\",\"p\":5,\"m\":\"line %d %s\"}\n", i, 1700000000000 + i * 1000, boot, i, substr("................................................................", 1, i % 60) }'
}
rm -f "$box/data/logs/"*
{ lines 1 500 $old; } >"$box/data/logs/startd.log.2"
{ lines 501 900 $old; printf '{"s":901,"t":17'; echo; lines 901 1200 $new; } >"$box/data/logs/startd.log.1"
{ lines 1201 2000 $new; printf '{"s":2001,"t":1700'; } >"$box/data/logs/startd.log"
start
page() { # page ARGUMENTS...: the numbers of the lines, and the cursors
    "$bin/start-cli" --format json server logs "$@" >"$box/page" || return 1
    tr '{' '\n' <"$box/page" | sed -n 's/.*"message":"line \([0-9]*\) .*/\1/p' | tr '\n' ' '
    sed 's/.*"startCursor":\(.*\),"endCursor":\(.*\)}/\1 \2/' "$box/page"
}
is() { # is WANT PAGE-ARGUMENTS...
    want=$1
    shift
    got=$(page "$@")
    [ "$got" = "$want" ] || { echo "$got"; echo "wanted: $want"; return 1; }
}
ok "the newest come last" sh -c "$bin/start-cli --format json server logs --limit 4 | grep -q '\"message\":\"ready after'"
ok "a line that a power cut tore is none" sh -c "! grep -q '\"s\":2001,\"t\":1700[^0-9]' $box/data/logs/startd.log"
ok "behind a cursor, the oldest first" is '11 12 13 "11" "13"' --cursor 10 --limit 3
ok "before one, the newest of these" is '7 8 9 "7" "9"' --cursor 10 --before --limit 3
ok "over two files" is '499 500 501 502 "499" "502"' --cursor 498 --limit 4
ok "and backwards" is '499 500 501 502 "499" "502"' --cursor 503 --before --limit 4
ok "over a torn line" is '899 900 901 902 "899" "902"' --cursor 898 --limit 4
ok "nothing before the first" is 'null null' --cursor 1 --before
ok "of one start of the machine" is '898 899 900 "898" "900"' --boot $old --limit 3
ok "counted back from this one" is '898 899 900 "898" "900"' --boot -2 --limit 3
ok "the one in between" is '1998 1999 2000 "1998" "2000"' --boot -1 --limit 3
ok "one that never was" is 'null null' --boot -9
all=$(seq 1 2000 | tr '\n' ' ')
walk() { # every line once, in pages of 170, forward
    cursor=1 got=$(page --cursor 2 --before --limit 1 | sed 's/ ".*/ /')
    while :; do
        now=$(page --cursor $cursor --limit 170)
        got=$got$(echo "$now" | sed 's/ *\("\|null\).*/ /')
        next=$(echo "$now" | sed -n 's/.* "\([0-9]*\)"$/\1/p')
        [ -n "$next" ] && [ "$next" -lt 2000 ] || break
        cursor=$next
    done
    [ "$(echo $got | cut -d ' ' -f 1-2000) " = "$all" ] || { echo "$got" | tail -c 200; return 1; }
}
ok "page by page every line once" walk
ok "a cursor that is none" exits 1 cli server logs --cursor x
ok "a boot that is none" exits 1 cli server logs --boot x
"$bin/start-cli" --format table server logs --cursor 10 --limit 1 >"$box/people"
ok "for people: when and what" grep -q "^2023-11-14T22:13:31.000Z  line 11 " "$box/people"
ok "nobody but the owner may" fails '{"method":"server.logs","params":{}}' 34

# --- as it comes ---
timeout 30 "$bin/start-cli" --format json server logs -f --limit 2 >"$box/follow" 2>&1 &
follower=$!
ok "following shows what was said lately" soon grep -q 'ready after' "$box/follow"
kill -9 "$(pgrep -P "$main" | while read -r p; do grep -q sb-sampler "/proc/$p/comm" 2>/dev/null || { grep -q sb-disk "/proc/$p/comm" && echo "$p"; }; done | head -n 1)" 2>/dev/null
ok "and what comes then" soon grep -q 'disk' "$box/follow"
# The file is turned over: what came last in the old one, then the new one.
mv "$box/data/logs/startd.log" "$box/data/logs/startd.log.1"
lines 900001 900002 $new >>"$box/data/logs/startd.log.1"
lines 900003 900004 $new >"$box/data/logs/startd.log"
ok "over a file that is turned over" soon grep -q 'line 900004 ' "$box/follow"
ok "without losing the end of the old one" sh -c "grep -q 'line 900001 ' $box/follow && grep -q 'line 900002 ' $box/follow && grep -q 'line 900003 ' $box/follow"
ok "and nothing twice" sh -c "[ -z \"\$(sed -n 's/.*line \\([0-9]*\\) .*/\\1/p' $box/follow | sort | uniq -d)\" ]"
kill $follower

# --- the kernel ---
if "$bin/start-cli" --format json server kernel-logs --limit 3 >"$box/kernel" 2>&1; then
    ok "the kernel's, with this start of the machine" grep -q "\"bootId\":\"$(tr -d - </proc/sys/kernel/random/boot_id)\"" "$box/kernel"
    ok "three of them" test "$(grep -o '"message"' "$box/kernel" | wc -l)" = 3
    first=$(sed 's/.*"startCursor":"\([0-9]*\)".*/\1/' "$box/kernel")
    ok "those behind the first are two or more" sh -c "[ \$($bin/start-cli --format json server kernel-logs --cursor $first --limit 5 | grep -o '\"message\"' | wc -l) -ge 2 ]"
    ok "one before it" sh -c "[ \$($bin/start-cli --format json server kernel-logs --cursor $first --before --limit 1 | grep -o '\"message\"' | wc -l) = 1 ]"
    timeout 10 "$bin/start-cli" --format json server kernel-logs -f --limit 2 >"$box/kfollow" 2>&1 &
    follower=$!
    ok "following begins with what was said" soon sh -c "[ \$(grep -c message $box/kfollow) -ge 2 ]"
    kill $follower
else
    n=$((n + 1))
    echo "ok $n - the kernel's log # SKIP $(head -c 100 "$box/kernel")"
fi
ok "disks are listed" sh -c "$bin/start-cli --format json disk list | grep -q '^\\['"
ok "the end" stop
ok "no sanitizer had anything to say" sh -c "! grep -q 'Sanitizer\\|runtime error' $box/log"
done_testing
