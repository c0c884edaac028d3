#!/bin/sh
# deps.sh - what building, checking, benchmarking and cross-building need from Debian 12.
#
#   sh vendor/deps.sh build|install|bench   installs what is missing when it may (root), else says exactly what is missing
#   sh vendor/deps.sh cross                 toolchains, and libraries for arm64 and armhf into build/sysroot-ARCH. Their
#                                           packages are fetched with a package list of their own below build/, so the
#                                           system gets no foreign architecture
set -eu
cd "$(dirname "$0")/.."

build="gcc make pkg-config libc6-dev libcbor-dev libjsmn-dev libbearssl-dev lxc-dev zlib1g-dev libsodium-dev"
check="curl openssl procps openssh-client clang libclang-rt-14-dev llvm clang-format clang-tidy cppcheck mandoc"
bench="nginx-light wrk npm bc libjansson-dev libjson-c-dev libcjson-dev redis-server redis-tools sqlite3 g++ libsimdjson-dev"
cross="gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user-static"
cross_libs="libcbor-dev libcbor0.8 zlib1g-dev zlib1g libsodium-dev libsodium23 libbearssl-dev libbearssl0"

missing() {
    for p in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null | grep -q '^installed$' || printf '%s ' "$p"
    done
}

need() {
    lack=$(missing "$@")
    [ -z "$lack" ] && return 0
    if [ "$(id -u)" != 0 ]; then
        echo "missing Debian packages: $lack" >&2
        echo "as root: apt-get install $lack" >&2
        exit 1
    fi
    echo "installing: $lack"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $lack >/dev/null 2>&1 ||
        { apt-get update -qq; apt-get install -y -qq --no-install-recommends $lack >/dev/null; }
    case "$lack" in *redis-server*) systemctl stop redis-server >/dev/null 2>&1 || true ;; esac
}

# What has no pkg-config file is tried with a few lines of C.
probe() {
    for p in jsmn bearssl lxc; do
        ${CC:-gcc} -I. -fsyntax-only "vendor/probe/$p.c" 2>/dev/null ||
            { echo "vendor/probe/$p.c does not compile: its library is missing or another than expected" >&2; exit 1; }
    done
}

case "${1:-}" in
build) need $build; probe ;;
install)
    need $build $check
    # Whoever has Node and its package manager from elsewhere needs no other.
    { command -v node && command -v npm; } >/dev/null || need nodejs npm
    probe
    ;;
bench) need $build $bench ;;
cross)
    need $build $cross
    apt=$PWD/build/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    cat >"$apt/apt.conf" <<EOF
APT::Architectures { "$(dpkg --print-architecture)"; "arm64"; "armhf"; };
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
EOF
    for arch in arm64 armhf; do
        root=$PWD/build/sysroot-$arch
        [ -e "$root/.done" ] && continue
        [ -n "$(ls "$apt/lists" | grep "_${arch}_Packages" || true)" ] ||
            APT_CONFIG="$apt/apt.conf" apt-get update -qq 2>/dev/null || true
        rm -rf "$apt/$arch" "$root"
        mkdir -p "$apt/$arch" "$root"
        names=""
        for p in $cross_libs; do names="$names $p:$arch"; done
        # shellcheck disable=SC2086
        (cd "$apt/$arch" && APT_CONFIG="$apt/apt.conf" apt-get download -qq $names)
        for deb in "$apt/$arch"/*.deb; do dpkg-deb -x "$deb" "$root"; done
        touch "$root/.done"
        echo "build/sysroot-$arch: $(ls "$apt/$arch" | wc -l) packages"
    done
    ;;
*)
    echo "usage: sh vendor/deps.sh build|install|bench|cross" >&2
    exit 2
    ;;
esac
