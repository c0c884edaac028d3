#!/bin/sh
# run.sh SECONDS RUNS - every fuzz target (or those in TARGETS) for that long, as many at a time as there are processors. New
# inputs stay below build/; what crashes is kept there too and named. RUNS 0: no bound but the time.
set -u
cd "$(dirname "$0")/.."
if [ "${1:-}" = one ]; then
    t=$2 seconds=$3 runs=$4
    work=build/fuzz/corpus
    mkdir -p "$work/$t" "fuzz/found/$t"
    bound=""
    [ "$runs" = 0 ] || bound="-runs=$runs"
    # shellcheck disable=SC2086
    build/fuzz/fuzz/"$t" -max_total_time="$seconds" $bound -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$work/$t-" "$work/$t" "fuzz/seed/$t" "fuzz/found/$t" >"$work/$t.log" 2>&1
    code=$?
    rmdir "fuzz/found/$t" 2>/dev/null
    did=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$t.log")
    if [ $code = 0 ]; then echo "ok - fuzz $t: ${did:-?} runs in at most $seconds s"; else
        echo "not ok - fuzz $t: status $code, see $work/$t.log"
        grep -E 'ERROR|SUMMARY|Test unit written' "$work/$t.log" | head -n 5 | sed 's/^/#   /'
    fi
    exit 0
fi
make --no-print-directory -j"$(nproc)" DEVELOPER=1 VARIANT=fuzz fuzz-bins || exit 1
mkdir -p build/fuzz/corpus
for t in ${TARGETS:-$(ls fuzz/*.c | sed 's,fuzz/,,; s/\.c$//' | grep -v '^replay$')}; do echo "$t"; done |
    xargs -P "$(nproc)" -I T sh fuzz/run.sh one T "$1" "$2" | tee build/fuzz/corpus/result
! grep -q '^not ok' build/fuzz/corpus/result
