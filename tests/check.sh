#!/bin/sh
# check.sh - every test, counted; called by `make check`. The last line is `N passed, N failed` (with `, N skipped` before
# its end when something was).
#
# What a machine lacks is skipped loudly. CI=true: a skip is a failure. STARTBOX_LONG=1: the exhaustive forms.
set -u
cd "$(dirname "$0")/.."
export DEVELOPER=1
# What is compared is English, whatever the machine speaks.
export LC_ALL=C
unset LANG LANGUAGE LC_MESSAGES
log=$PWD/build/check
rm -rf "$log"
mkdir -p "$log"
jobs=$(nproc)
passed=0 failed=0 skipped=0
began=$(date +%s)

say() { printf '%4ds  %s\n' $(($(date +%s) - began)) "$*"; }

# One command that must succeed is one test.
must() {
    name=$1
    shift
    if "$@" >"$log/out" 2>&1; then
        passed=$((passed + 1))
        say "ok      $name"
    else
        failed=$((failed + 1))
        say "FAILED  $name"
        tail -n 60 "$log/out" | sed 's/^/        /'
        return 1
    fi
}

skip() {
    skipped=$((skipped + 1))
    say "SKIPPED $1: $2"
    [ "${CI:-}" = true ] || return 0
    failed=$((failed + 1))
    say "FAILED  on CI nothing may be skipped"
}

# Runs one test program with TAP output: tap FILE_OF_OUTPUT COMMAND...
cat >"$log/one" <<'EOF'
#!/bin/sh
out=$1
shift
timeout 900 "$@" >"$out" 2>&1 </dev/null
code=$?
grep -q '^1\.\.' "$out" || grep -q '^ok' "$out" || echo "not ok - $* said nothing" >>"$out"
[ $code = 0 ] || grep -q '^not ok' "$out" || echo "not ok - $* ended with status $code" >>"$out"
EOF
chmod +x "$log/one"

# Counts the TAP files of a folder and shows what failed.
tally() {
    name=$1 dir=$2
    good=$(cat "$dir"/*.tap 2>/dev/null | grep -c '^ok')
    bad=$(cat "$dir"/*.tap 2>/dev/null | grep -c '^not ok')
    left=$(cat "$dir"/*.tap 2>/dev/null | grep -c '^ok.*# SKIP')
    passed=$((passed + good - left)) failed=$((failed + bad))
    say "$([ "$bad" = 0 ] && echo 'ok     ' || echo 'FAILED ') $name: $good passed, $bad failed$([ "$left" = 0 ] || echo ", $left skipped")"
    for f in "$dir"/*.tap; do
        grep -q '^not ok' "$f" && { echo "        $f"; grep -B 12 '^not ok' "$f" | tail -n 60 | sed 's/^/        /'; }
    done
    if [ "$left" != 0 ]; then
        for f in "$dir"/*.tap; do grep '^ok.*# SKIP' "$f" | while read -r line; do say "SKIPPED $line"; done; done
        skipped=$((skipped + left))
        [ "${CI:-}" = true ] && { failed=$((failed + left)); say "FAILED  on CI nothing may be skipped"; }
    fi
}

# Builds and runs the test programs of a variant: suite NAME OUT RUNNER MAKE-ARGUMENTS
suite() {
    suite=$1 out=$2 runner=$3
    shift 3
    must "$suite builds" make --no-print-directory -j"$jobs" "$@" test-bins || return 1
    dir=$log/$(echo "$suite" | tr ' ' '-')
    mkdir -p "$dir"
    # Emulators have neither filters of system calls nor Landlock, and are no place to measure a server.
    part=tests
    [ -z "$runner" ] || part="tests/base $out/tests/protocols $out/tests/loop $out/tests/state"
    jailed=/nothing
    [ -z "$runner" ] || jailed=$out/tests/state/hand
    {
        find $out/$part -type f -perm -u+x ! -path '*/bench/*' ! -path '*/tools/*' ! -path "$jailed" | sort | while read -r bin; do
            echo "$dir/$(echo "${bin#"$out"/}" | tr / -).tap $runner $bin"
        done
        find "$out/fuzz" -type f -perm -u+x -name 'replay-*' | sort | while read -r bin; do
            t=${bin##*/replay-}
            echo "$dir/fuzz-$t.tap $runner $bin fuzz/seed/$t fuzz/found/$t"
        done
    } | xargs -P "$jobs" -L 1 "$log/one"
    tally "$suite" "$dir"
}

if [ -z "${STARTBOX_VECTORS:-}" ]; then
    skip "the public vectors" "STARTBOX_VECTORS names no folder (see README)"
elif [ ! -d "$STARTBOX_VECTORS" ]; then
    failed=$((failed + 1))
    say "FAILED  STARTBOX_VECTORS names $STARTBOX_VECTORS, which is no folder"
fi

must "include law" make --no-print-directory check-includes
must "headers compile alone" make --no-print-directory check-headers
must "release builds with warnings as errors" make --no-print-directory -j"$jobs" all
must "the names are there" sh -c 'for n in startd start-cli start-container registrybox tunnelbox; do test -L build/$n || exit 1; done'
must "the stripped program is at most 1.2 MB" sh -c 'strip -o build/check/stripped build/startbox && s=$(stat -c %s build/check/stripped) && echo "$s bytes" && test "$s" -le 1200000'
must "every undefined symbol is a function we may call" sh tests/banned.sh build/startbox
must "clang agrees" make --no-print-directory check-clang
must "the format is clang-format's" make --no-print-directory check-format
must "man pages are clean" make --no-print-directory check-man
must "cppcheck finds nothing" make --no-print-directory check-cppcheck
must "clang-tidy finds nothing" make --no-print-directory check-tidy
must "install puts everything in its place" sh -c 'make --no-print-directory install DESTDIR=build/check/root &&
    test -x build/check/root/usr/bin/startbox && test "$(readlink build/check/root/usr/bin/startd)" = startbox &&
    test -s build/check/root/usr/share/man/man1/startbox.1 && test -s build/check/root/usr/share/man/man1/start-cli.1'
suite "gcc" build/test "" VARIANT=test
suite "sanitizers" build/asan "" VARIANT=asan
mkdir -p "$log/cli" "$log/rows"
export STARTBOX_ROWS=$log/rows
for t in tests/cli/*.sh; do
    echo "$log/cli/$(basename "$t" .sh).tap sh $t build/startbox"
    echo "$log/cli/$(basename "$t" .sh)-asan.tap sh $t build/asan/startbox"
done | xargs -P "$jobs" -L 1 "$log/one"
tally "command line" "$log/cli"
must "every row was tried, and every result is as its row says" sh tests/rows.sh build/asan/startbox "$log/rows"
for arch in arm64 armhf; do
    if [ ! -e "build/sysroot-$arch/.done" ]; then
        skip "$arch under qemu" "no toolchain or libraries: make deps-cross"
        continue
    fi
    case $arch in
    arm64) triple=aarch64-linux-gnu qemu=qemu-aarch64-static ;;
    armhf) triple=arm-linux-gnueabihf qemu=qemu-arm-static ;;
    esac
    must "$arch cross-builds in release" make --no-print-directory -j"$jobs" cross ARCH=$arch
    suite "$arch under qemu" build/test-$arch "$qemu -L /usr/$triple -E LD_LIBRARY_PATH=$PWD/build/sysroot-$arch/usr/lib/$triple:$PWD/build/sysroot-$arch/lib/$triple" VARIANT=test ARCH=$arch
done
say "took $(($(date +%s) - began)) s (budget 900 on two cores)"
[ "$skipped" = 0 ] || echo "$skipped skipped, see SKIPPED above"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
