#!/bin/sh
# state.sh - the state beside redis-server (appendfsync always; and without a file), SQLite (WAL, synchronous=FULL) and the bare disk, in
# one run: durable commits by one and by fifty callers, commits in memory in trees of 100,000 and a million entries, loading, and
# the longest callback while a snapshot is written under a load of commits. Rounds are interleaved; medians are printed.
#
#     ROUNDS=3 sh tests/bench/state.sh
set -u
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-3}
mkdir -p build
box=$(mktemp -d "$PWD/build/state-bench-XXXXXX") # the disk that is built on, not one in memory
chmod 755 "$box"
redis=""
finish() {
    [ -n "$redis" ] && kill "$redis" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$box"
}
trap finish EXIT
chrt=""
chrt -f 1 true 2>/dev/null && chrt="chrt -f 1"
program=build/startbox append=build/release/tests/tools/append

median() { sort -n "$box/$1" | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : 0 }'; }
# What a line of the tools says behind a name: figure NAME FIELD < log
pick() { sed -n "s/^$1: .*, \([0-9]*\) a second.*/\1/p" "$2"; }
redis_start() { # arguments of redis-server
    rm -f "$box/socket" "$box/redis.log"
    redis-server --port 0 --unixsocket "$box/socket" --dir "$box" --logfile "$box/redis.log" "$@" &
    redis=$!
    for _ in $(seq 400); do [ "$(redis-cli -s "$box/socket" ping 2>/dev/null)" = PONG ] && return; sleep 0.05; done
    echo "redis-server does not start" >&2
    exit 1
}
redis_stop() { kill "$redis"; wait "$redis" 2>/dev/null; redis=""; }
redis_rate() { # clients requests
    redis-benchmark -s "$box/socket" -q -c "$1" -n "$2" -d 20 -r 100000 -t set 2>/dev/null | tr '\r' '\n' |
        sed -n 's/^SET: \([0-9.]*\) requests.*/\1/p' | tail -n 1
}
ratio() { echo "$1 $2" | awk '{ printf "%.2f", ($2 > 0) ? $1 / $2 : 0 }'; }

# --- durable ---
for _ in $(seq "$rounds"); do
    mkdir "$box/one" && chmod 755 "$box/one"
    "$program" state time "$box/one" 2>"$box/log" || { cat "$box/log"; exit 1; }
    pick "commits by one caller" "$box/log" >>"$box/our1"
    pick "commits by fifty callers" "$box/log" >>"$box/our50"
    sed -n 's/^commits by fifty callers: \([0-9]*\) .*, \([0-9]*\) syncs/\1 \2/p' "$box/log" | awk '{ print $1 / $2 }' >>"$box/group"
    rm -rf "$box/one"
    redis_start --save "" --appendonly yes --appendfsync always --no-appendfsync-on-rewrite no
    redis_rate 1 1500 >>"$box/redis1"
    redis_rate 50 30000 >>"$box/redis50"
    redis_stop
    rm -rf "$box/appendonlydir"
    { echo "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(k TEXT PRIMARY KEY, v TEXT);"
      seq 1500 | awk '{ printf "INSERT OR REPLACE INTO t VALUES(\047key-%08d\047,\047%020d\047);\n", $1 % 100, $1 }'; } >"$box/sql"
    a=$(date +%s%N)
    sqlite3 "$box/sqlite.db" <"$box/sql" >/dev/null
    b=$(date +%s%N)
    echo "$a $b" | awk '{ printf "%.0f\n", 1500 / (($2 - $1) / 1e9) }' >>"$box/sqlite"
    rm -f "$box"/sqlite.db*
    "$append" grow "$box/bare" 1500 >>"$box/grow"
    "$append" place "$box/bare" 1500 >>"$box/place"
done
o1=$(median our1) o50=$(median our50)
echo "durable commits a second (medians of $rounds rounds):"
echo "  one caller: $o1; redis always $(median redis1): x $(ratio "$o1" "$(median redis1)"); sqlite WAL FULL $(median sqlite): x $(ratio "$o1" "$(median sqlite)")"
echo "    bare append and fdatasync $(median grow): x $(ratio "$o1" "$(median grow)") (bar 0.8); bare, in place $(median place): x $(ratio "$o1" "$(median place)")"
echo "  fifty callers: $o50; redis always, fifty clients $(median redis50): x $(ratio "$o50" "$(median redis50)") (bar 1.2); sqlite, one at a time: x $(ratio "$o50" "$(median sqlite)") (bar 1.0)"
echo "    commits a sync: $(median group) (bar 20)"

# --- in memory, loading, pauses ---
for n in 100000 1000000; do
    store=$box/fill$n
    mkdir "$store" && chmod 755 "$store"
    "$program" state fill "$store" "$n" 2>"$box/log" || { cat "$box/log"; exit 1; }
    redis_start --save "" --appendonly no
    seq 0 $((n - 1)) | awk '{ printf "SET key-%08d %08d\n", $1, $1 }' | redis-cli -s "$box/socket" --pipe >/dev/null
    used=$(redis-cli -s "$box/socket" info memory | tr -d '\r' | sed -n 's/^used_memory:\([0-9]*\)/\1/p')
    rm -f "$box/mem" "$box/set" "$box/load" "$box/pause" "$box/bytes"
    for _ in $(seq "$rounds"); do
        # Unpreempted where that is allowed: a pause must be the program's own.
        $chrt "$program" state time "$store" 2>"$box/log" || { cat "$box/log"; exit 1; }
        sed -n 's/^loaded .*, \([0-9]*\) bytes of memory each.*/\1/p' "$box/log" >>"$box/bytes"
        pick "commits nobody waits for" "$box/log" >>"$box/mem"
        sed -n 's/^loaded .* in \([0-9.]*\) ms/\1/p' "$box/log" >>"$box/load"
        sed -n 's/^snapshot under commits: .* callback \([0-9]*\) us.*/\1/p' "$box/log" >>"$box/pause"
        sed -n 's/^snapshot under commits: .*(\(.*\))/\1/p' "$box/log" >"$box/slowest"
        redis_rate 50 200000 >>"$box/set"
    done
    redis-cli -s "$box/socket" save >/dev/null
    rdb=$(stat -c %s "$box/dump.rdb")
    redis_stop
    redis_start --save "" --appendonly no --dbfilename dump.rdb
    loading=$(sed -n 's/.*DB loaded from disk: \([0-9.]*\) seconds.*/\1/p' "$box/redis.log" | tail -n 1)
    redis_stop
    rm -f "$box/dump.rdb"
    echo "a tree of $n entries:"
    echo "  commits of one small replace, nobody waiting: $(median mem) a second; redis SET from 50 clients $(median set): x $(ratio "$(median mem)" "$(median set)") (bar 3)"
    echo "  loaded in $(median load) ms; redis loads its $rdb bytes in $(echo "$loading" | awk '{ print $1 * 1000 }') ms: x $(ratio "$(median load)" "$(echo "$loading" | awk '{ print $1 * 1000 }')") (bar 0.45)"
    echo "  snapshot of $(find "$store" -name 'snapshot-0*' -printf '%s\n' | sort -n | tail -n 1) bytes; longest callback meanwhile $(median pause) us ($(cat "$box/slowest")) (bar 2000)"
    echo "  memory: $(median bytes) bytes an entry; redis $(echo "$used $n" | awk '{ printf "%.0f", $1 / $2 }'): x $(ratio "$(median bytes)" "$(echo "$used $n" | awk '{ print $1 / $2 }')") (bar 0.70)"
done
