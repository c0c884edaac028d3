#!/bin/sh
# cover.sh - line coverage of src/base and protocols by the tests and the fuzz targets' seeds; fails below 95 %.
set -eu
cd "$(dirname "$0")/.."
make --no-print-directory -j"$(nproc)" VARIANT=cover test-bins >/dev/null
find build/cover -name '*.gcda' -delete
for bin in $(find build/cover/tests -type f -perm -u+x ! -path '*/bench/*'); do "$bin" >/dev/null || echo "failed: $bin"; done
for bin in $(find build/cover/fuzz -type f -perm -u+x -name 'replay-*'); do
    t=${bin##*/replay-}
    "$bin" "fuzz/seed/$t" "fuzz/found/$t" >/dev/null || echo "failed: $bin"
done
dir=build/cover/report
rm -rf $dir
mkdir -p $dir
for f in src/base/*.c protocols/*.c; do
    gcov -o "build/cover/${f%.c}.o" "$f" 2>/dev/null | awk -v f="$f" '
        $1 == "File" { hit = index($0, "\x27" f "\x27") }
        hit && /^Lines executed/ { split($2, a, ":"); sub(/%/, "", a[2]); n = $4; printf "%s %.2f %d\n", f, a[2], n; hit = 0 }'
    mv ./*.gcov $dir/ 2>/dev/null || true
done | sort -k2n >$dir/files
awk '{ printf "%7.2f %% of %5d  %s\n", $2, $3, $1; lines += $3; run += $2 * $3 / 100 }
     END { p = lines ? 100 * run / lines : 0; printf "%7.2f %% of %5d  in all (at least 95 is asked for)\n", p, lines; exit p < 95 }' $dir/files
