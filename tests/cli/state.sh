#!/bin/sh
# state.sh PROGRAM - `startbox state` as a whole: real processes, real files, killed and damaged. Says TAP.
set -u
program=$(realpath "$1")
cd "$(dirname "$0")/../.."
box=$(mktemp -d /tmp/startbox-test-XXXXXX)
chmod 755 "$box"

. tests/lib/tap.sh
finish() { rm -rf "$box"; }
trap finish EXIT

revision() { "$program" state check "$1" 2>/dev/null | sed -n 's/^revision \([0-9]*\)$/\1/p'; }
fresh() { rm -rf "$box/s" && mkdir "$box/s"; }
newest() { find "$box/s" -maxdepth 1 -name "$1-*" | sort | tail -n 1; }
# One byte of a file, turned over.
flip() {
    old=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    # shellcheck disable=SC2059
    printf "\\$(printf %o $((old ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# --- usage ---
ok "without a command it says what there is" exits 2 "$program" state
ok "an unknown command is refused" exits 2 "$program" state shake "$box"
ok "work wants a number" exits 2 "$program" state work "$box"
ok "an option of another command is refused" exits 2 "$program" state check "$box" --callers 3
ok "a folder that is not there is said" exits 71 "$program" state check "$box/none"
mkdir "$box/empty"
ok "an empty folder is no store" exits 4 "$program" state check "$box/empty"
ok "and stays empty" sh -c "[ -z \"\$(ls -A $box/empty)\" ]"

# --- work, check, dump ---
fresh
ok "a hundred commits" exits 0 "$program" state work "$box/s" 100
# A new tree is revision 1: a hundred commits lead to 101.
ok "each is acknowledged, in order, once" sh -c "seq 2 101 | sed 's/^/ACK /' | cmp - $box/so"
ok "check reaches the last one" test "$(revision "$box/s")" = 101
ok "and finds nothing wrong" exits 0 "$program" state check "$box/s"
before=$(cd "$box/s" && cat journal-* snapshot-* | sha256sum)
"$program" state check "$box/s" >/dev/null 2>&1
ok "check changes nothing" test "$before" = "$(cd "$box/s" && cat journal-* snapshot-* | sha256sum)"
ok "dump prints the tree" exits 0 "$program" state dump "$box/s"
ok "with the last value" grep -q '"key-00000099": "100\.*"' "$box/so"
ok "dump --cbor is CBOR" sh -c "'$program' state dump '$box/s' --cbor 2>/dev/null | od -An -v -tx1 | tr -d ' \n' | '$program' codec cbor | grep -q key-00000099"
ok "it goes on where it was" exits 0 "$program" state work "$box/s" 5 --callers 5
ok "behind what was there" says "ACK 106"
ok "files are the owner's alone" sh -c "! find $box/s -type f ! -perm 0600 | grep -q ."

# --- one process ---
"$program" state work "$box/s" 1000000 --quiet >/dev/null 2>&1 &
first=$!
i=0
while [ $i -lt 100 ] && [ "$(revision "$box/s")" = 106 ]; do
    sleep 0.05
    i=$((i + 1))
done
ok "a second process is refused" exits 1 "$program" state work "$box/s" 1
ok "with the reason" says "held by another process"
kill -TERM $first
wait $first
ok "SIGTERM ends it in order" exits 0 "$program" state check "$box/s"
ok "a million commits were not waited for" test "$(revision "$box/s")" -lt 1000106

# --- killed ---
rounds=8
[ "${STARTBOX_LONG:-}" = 1 ] && rounds=200
lost=0 wrong=0
for i in $(seq $rounds); do
    setsid "$program" state work "$box/s" 1000000 --callers 7 --keys 30 >"$box/acks" 2>/dev/null &
    leader=$!
    sleep "0.$((i * 7 % 4 + 1))$((i * 3 % 10))"
    case $((i % 3)) in
    0) pkill -9 -g $leader ;;                                           # everything
    1) pkill -9 -g $leader 'sb-disk|sb-reactor' ;;
    2) kill -9 $leader ;;                                            # the warden
    esac
    wait $leader 2>/dev/null
    j=0
    while [ $j -lt 100 ] && pgrep -g "$leader" >/dev/null; do
        [ $j = 40 ] && pkill -9 -g $leader
        sleep 0.05
        j=$((j + 1))
    done
    acked=$(sed -n 's/^ACK \([0-9]*\)$/\1/p' "$box/acks" | tail -n 1)
    "$program" state check "$box/s" >"$box/so" 2>"$box/se" || wrong=$((wrong + 1))
    got=$(sed -n 's/^revision \([0-9]*\)$/\1/p' "$box/so")
    [ "${got:-0}" -ge "${acked:-0}" ] || lost=$((lost + 1))
done
ok "killed $rounds times, no acknowledged revision is lost" test $lost = 0
ok "and check finds no damage" test $wrong = 0
ok "nothing is left running" sh -c "! pgrep -f '[w]ork $box/s' >/dev/null"

# --- damage ---
fresh
"$program" state work "$box/s" 20 >/dev/null 2>&1
"$program" state work "$box/s" 20 >/dev/null 2>&1
cp -a "$box/s" "$box/good"
journal=$(find "$box/s" -name 'journal-*' | sort | head -n 1)
flip "$journal" 600 # within the first batch: much was promised behind it
ok "damage in the journal is damage" exits 1 "$program" state check "$box/s"
ok "the file is named" says "$(basename "$journal")"
ok "and what is lost" says "repair"
ok "a start refuses" exits 71 "$program" state work "$box/s" 1
ok "repair without a choice says what can be had" exits 1 "$program" state repair "$box/s"
had=$(revision "$box/s")
ok "a revision that cannot be had is refused" exits 1 "$program" state repair "$box/s" --to 30
ok "going back is a word" exits 0 "$program" state repair "$box/s" --to "$had"
ok "nothing is thrown away" sh -c "ls $box/s/before-repair-*/$(basename "$journal")"
ok "it is good again" exits 0 "$program" state check "$box/s"
ok "at that revision" test "$(revision "$box/s")" = "$had"
ok "and goes on" exits 0 "$program" state work "$box/s" 3

rm -rf "$box/s" && cp -a "$box/good" "$box/s"
flip "$(newest snapshot)" 40
ok "a damaged snapshot is told" exits 1 "$program" state check "$box/s"
rm -rf "$box/s" && cp -a "$box/good" "$box/s"
rm "$(find "$box/s" -name 'journal-*' | sort | head -n 1)"
ok "a missing segment is damage" exits 1 "$program" state check "$box/s"

# --- larger ---
fresh
ok "a store of 20,000 entries is filled" exits 0 "$program" state fill "$box/s" 20000
ok "and timed" exits 0 "$program" state time "$box/s"
ok "check is content with it" exits 0 "$program" state check "$box/s"
ok "snapshots and segments do not pile up" sh -c "[ \$(ls $box/s/snapshot-0* | wc -l) -le 2 ] && [ \$(ls $box/s/journal-* | wc -l) -le 40 ]"

echo "1..$n"
[ $bad = 0 ]
