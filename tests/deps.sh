#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs what building and testing need and is missing; --bench: the tools that `make bench`
# compares with.  No package here starts a service: of redis only redis-tools is needed, whose
# redis-check-rdb is the server under another name.
set -eu

debian="gcc g++ make pkg-config libdw-dev libelf-dev libunwind-dev libzydis-dev libiberty-dev
	libjansson-dev libinih-dev libcmocka-dev python3 musl-tools libjemalloc-dev libgoogle-perftools-dev
	libmimalloc-dev redis-tools sqlite3 libsqlite3-dev dwz xz-utils binutils
	libc-devtools"
fedora="gcc gcc-c++ make pkgconf elfutils-devel libunwind-devel zydis-devel binutils-devel
	jansson-devel inih-devel libcmocka-devel python3 musl-gcc jemalloc-devel gperftools-devel
	mimalloc-devel redis sqlite sqlite-devel dwz xz binutils glibc-static glibc-utils"
arch="base-devel elfutils libunwind zydis jansson libinih cmocka python musl jemalloc gperftools mimalloc
	redis sqlite dwz xz binutils perl"
alpine="build-base pkgconf elfutils-dev libunwind-dev zydis-dev binutils-dev jansson-dev
	inih-dev cmocka-dev python3 jemalloc-dev gperftools-dev mimalloc2-dev redis sqlite sqlite-dev xz"
bench="valgrind heaptrack ltrace"

if [ "${1-}" = --bench ]; then
	debian=$bench fedora=$bench arch=$bench alpine=$bench
fi

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
	missing=
	for package in $debian; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
			grep -q 'ok installed' || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	echo "deps: installing$missing"
	apt_get="apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300"
	as_root $apt_get update
	as_root env DEBIAN_FRONTEND=noninteractive $apt_get install --no-install-recommends $missing
}

if command -v apt-get >/dev/null; then
	apt_install
elif command -v dnf >/dev/null; then
	as_root dnf install -y $fedora
elif command -v pacman >/dev/null; then
	as_root pacman -S --needed --noconfirm $arch
elif command -v apk >/dev/null; then
	as_root apk add $alpine
else
	echo "deps: no package manager that I know; the packages are"
	echo "Debian, Ubuntu:" $debian
	echo "Fedora:" $fedora
	echo "Arch:" $arch
	echo "Alpine:" $alpine
	exit 1
fi
