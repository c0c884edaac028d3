#!/bin/sh
# run.sh SECONDS RUNS - every fuzz target (or those in TARGETS) for that long, two at a time. New inputs stay below build/;
# what crashes is kept there too and named. RUNS 0: no bound but the time.
set -u
cd "$(dirname "$0")/.."
make --no-print-directory -j"$(nproc)" DEVELOPER=1 VARIANT=fuzz fuzz-bins || exit 1
bound=""
[ "$2" = 0 ] || bound="-runs=$2"
one() {
    t=$1
    work=build/fuzz/corpus/$t
    mkdir -p "$work" "fuzz/found/$t"
    build/fuzz/fuzz/"$t" -max_total_time="$2" $3 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="build/fuzz/corpus/$t-" "$work" "fuzz/seed/$t" "fuzz/found/$t" >"build/fuzz/corpus/$t.log" 2>&1
    code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/corpus/$t.log")
    if [ $code = 0 ]; then echo "ok - fuzz $t: ${runs:-?} runs"; else
        echo "not ok - fuzz $t: status $code, see build/fuzz/corpus/$t.log"
        grep -E 'ERROR|SUMMARY|Test unit written' "build/fuzz/corpus/$t.log" | head -n 5 | sed 's/^/#   /'
    fi
}
mkdir -p build/fuzz/corpus
list=${TARGETS:-$(ls fuzz/*.c | sed 's,fuzz/,,; s/\.c$//' | grep -v '^replay$')}
for t in $list; do
    while [ "$(jobs -p 2>/dev/null | wc -l)" -ge 2 ]; do sleep 1; jobs >/dev/null; done
    one "$t" "$1" "$bound" &
done | tee build/fuzz/corpus/result
wait
! grep -q '^not ok' build/fuzz/corpus/result
