#!/usr/bin/env bash
# Builds the base images that Compose files name, on a machine that reaches Debian's packages but no image
# registry: Debian 12 by debootstrap, and on top of it Python, PostgreSQL, Redis and nginx under the names and
# with the behaviour of the official images. An image whose inputs have not changed is left as it is.
#
#   tests/stack/images.sh           build what is missing or out of date
#   tests/stack/images.sh --force   build everything anew
#
# Nothing of this machine is written into the repository: its apt sources, its pip settings and its certificate
# authorities are copied into the base image here, so that `apt-get` and `pip` work inside image builds as they
# do on the machine itself.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
STARTED="$(date +%s)"
readonly HERE STARTED
readonly SUITE=bookworm
readonly BASE_NAME=eclusa-test/bookworm
readonly HASH_LABEL=eclusa.test.inputs
readonly FORCE="${1:-}"

say() { printf 'images.sh: %s\n' "$*"; }
fail() { printf 'images.sh: %s\n' "$*" >&2; exit 1; }

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"; }

# The machine's own apt sources for this suite, one line each, in the classic format.
debian_sources() {
    # shellcheck disable=SC2016  # these are apt's own placeholders
    apt-get indextargets --format '$(CREATED_BY) $(SITE) $(RELEASE) $(COMPONENT)' \
        | awk -v suite="$SUITE" '$1 == "Packages" && index($3, suite) == 1 && $4 == "main" \
            { print "deb", $2, $3, $4 }' | sort -u
}

# Settings of the machine's package clients, as files below directory $1, laid out as in an image.
collect_settings() {
    local root=$1 file
    mkdir -p "$root/etc/apt/apt.conf.d" "$root/usr/local/share/ca-certificates"
    debian_sources >"$root/etc/apt/sources.list"
    [ -s "$root/etc/apt/sources.list" ] || fail "the apt sources of this machine have no $SUITE"
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
        # Proxies, certificates and validity settings; not the hooks of packages that an image does not have.
        if [ -f "$file" ] && grep -q '^[[:space:]]*Acquire' "$file"; then
            cp "$file" "$root/etc/apt/apt.conf.d/"
        fi
    done
    if [ -d /etc/apt/auth.conf.d ]; then cp -r /etc/apt/auth.conf.d "$root/etc/apt/"; fi
    if [ -d /usr/local/share/ca-certificates ]; then
        cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
    fi
    {
        echo '[global]'
        pip_settings
    } >"$root/etc/pip.conf"
}

# What pip on this machine is told about indexes and certificates, by variable or by file.
pip_settings() {
    local name variable value
    for name in index-url extra-index-url trusted-host timeout; do
        variable="PIP_$(tr 'a-z-' 'A-Z_' <<<"$name")"
        value="${!variable:-}"
        if [ -z "$value" ] && command -v pip >/dev/null; then
            value="$(pip config get "global.$name" 2>/dev/null || true)"
        fi
        if [ -n "$value" ]; then printf '%s = %s\n' "$name" "$value"; fi
    done
    # The bundle of the image holds the machine's authorities; a newer pip would bring its own.
    echo 'cert = /etc/ssl/certs/ca-certificates.crt'
}

hash_of() { # directories and files...
    local path
    for path in "$@"; do
        if [ -d "$path" ]; then
            (cd "$path" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
        else
            sha256sum <"$path"
        fi
    done | sha256sum | cut -c1-16
}

is_current() { # image, hash
    [ "$FORCE" != --force ] \
        && [ "$(docker image inspect --format "{{index .Config.Labels \"$HASH_LABEL\"}}" "$1" 2>/dev/null)" = "$2" ]
}

build_base() {
    local settings root mirror started
    if ! command -v debootstrap >/dev/null; then
        apt_get install -y -qq --no-install-recommends debootstrap >/dev/null
    fi
    settings="$(mktemp -d)"
    collect_settings "$settings"
    BASE_HASH="$(hash_of "${BASH_SOURCE[0]}" "$settings")"
    if is_current "$BASE_NAME:$BASE_HASH" "$BASE_HASH"; then
        say "$BASE_NAME:$BASE_HASH is current"
        rm -rf "$settings"
        return 0
    fi
    started="$(date +%s)"
    mirror="$(awk -v suite="$SUITE" '$3 == suite { print $2; exit }' "$settings/etc/apt/sources.list")"
    root="$(mktemp -d)"
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$root" "$mirror" >"$root.log" 2>&1 \
        || { tail -n 20 "$root.log" >&2; fail 'debootstrap failed'; }
    cp -r "$settings/." "$root/"
    chroot "$root" update-ca-certificates >/dev/null 2>&1
    # A machine may have had authorities added to its bundle without their certificates being kept beside it.
    if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
        cp --remove-destination /etc/ssl/certs/ca-certificates.crt "$root/usr/local/share/ca-certificates.machine"
        cp --remove-destination /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
        mkdir -p "$root/etc/ca-certificates/update.d"
        printf '#!/bin/sh\ncp /usr/local/share/ca-certificates.machine /etc/ssl/certs/ca-certificates.crt\n' \
            >"$root/etc/ca-certificates/update.d/machine"
        chmod +x "$root/etc/ca-certificates/update.d/machine"
    fi
    # As the official images have it: no services are started, nothing is kept of what apt downloads.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    printf 'path-exclude /usr/share/man/*\npath-exclude /usr/share/doc/*\n' >"$root/etc/dpkg/dpkg.cfg.d/slim"
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/speed"
    rm -rf "${root:?}"/var/cache/apt/* "${root:?}"/var/lib/apt/lists/* \
        "${root:?}"/usr/share/{doc,man}/* "${root:?}"/dev/*
    tar -C "$root" --numeric-owner -c . \
        | docker import --change "LABEL $HASH_LABEL=$BASE_HASH" \
            --change 'ENV DEBIAN_FRONTEND=noninteractive' \
            --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
            --change 'CMD ["bash"]' - "$BASE_NAME:$BASE_HASH" >/dev/null
    rm -rf "$settings" "$root" "$root.log"
    say "$BASE_NAME:$BASE_HASH built in $(($(date +%s) - started)) s"
}

build_image() { # directory below images/, name and tag
    local context="$HERE/images/$1" image=$2 inputs started log
    inputs="$BASE_HASH-$(hash_of "$context")"
    if is_current "$image" "$inputs"; then
        say "$image is current"
        return 0
    fi
    started="$(date +%s)"
    log="$(mktemp)"
    # The build uses the machine's network: a bridge may have no way out, or no name server.
    docker build --network host --build-arg "BASE=$BASE_NAME:$BASE_HASH" --label "$HASH_LABEL=$inputs" \
        --tag "$image" "$context" >"$log" 2>&1 || { tail -n 40 "$log" >&2; fail "building $image failed"; }
    rm -f "$log"
    say "$image built in $(($(date +%s) - started)) s"
}

# The testbench's releases: one Dockerfile, told by tag which release it is and which applications it holds.
build_testbench() { # tag, release, overlays, more applications
    local image="${TESTBENCH_IMAGE:-testbench}:$1" inputs started log
    inputs="$BASE_HASH-$(hash_of "$HERE/../../testbench")-$2-$3-$4"
    inputs="$(sha256sum <<<"$inputs" | cut -c1-16)"
    if is_current "$image" "$inputs"; then
        say "$image is current"
        return 0
    fi
    started="$(date +%s)"
    log="$(mktemp)"
    docker build --network host --build-arg "RELEASE=$2" --build-arg "OVERLAYS=$3" --build-arg "MORE=$4" \
        --label "$HASH_LABEL=$inputs" --file "$HERE/../../testbench/docker/Dockerfile" --tag "$image" \
        "$HERE/../../testbench" >"$log" 2>&1 || { tail -n 40 "$log" >&2; fail "building $image failed"; }
    rm -f "$log"
    say "$image built in $(($(date +%s) - started)) s"
}

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || fail 'no Docker engine answers; run docker.sh first'
[ -n "$(debian_sources)" ] || apt_get update -qq
build_base
build_image python python:3.11-slim-bookworm &
build_image redis redis:7-bookworm
build_image nginx nginx:1.22-bookworm
build_image postgres postgres:15-bookworm
build_image mariadb mariadb:10.11-bookworm
wait $!
build_testbench v15.1 15.1.0 '' ''
build_testbench v15.2 15.2.0 15.2.0 ''
build_testbench v15.3 15.3.0 '15.2.0 15.3.0' ''
build_testbench v15.1-loyalty 15.1.0 '' loyalty
# Names that say what a release is for: its patch dies where a site asks for it; an application is missing.
docker tag "${TESTBENCH_IMAGE:-testbench}:v15.3" "${TESTBENCH_IMAGE:-testbench}:v15.3-broken"
docker tag "${TESTBENCH_IMAGE:-testbench}:v15.2" "${TESTBENCH_IMAGE:-testbench}:v15.2-without-loyalty"
say "done in $(($(date +%s) - STARTED)) s"
