#!/usr/bin/env bash
# Gives a Debian 12 machine a working Docker engine with Compose v2, from Debian packages alone: no
# image registry and no vendor repository is needed. Running it again changes nothing that is in order.
#
#   tests/stack/docker.sh          install what is missing, start the engine, wait until it answers
#   tests/stack/docker.sh status   say what is there; exit 1 when the engine does not answer
#
# Environment:
#   ECLUSA_DOCKERD_LOG   where the engine's own output goes (default /var/log/dockerd.log)
#   ECLUSA_DOCKER_ROOT   the engine's data root (default: the engine's own, /var/lib/docker)
set -euo pipefail

readonly LOG_FILE="${ECLUSA_DOCKERD_LOG:-/var/log/dockerd.log}"
readonly PLUGIN_DIRECTORY=/usr/local/lib/docker/cli-plugins
# `!override` and `!reset` in a Compose file, on which generated overrides rely, came with this version.
readonly COMPOSE_MINIMUM=2.24.4
# Debian 12 carries Compose v1 only; the next release carries v2, as one binary that runs here as it is.
readonly PLUGIN_RELEASE=trixie

say() { printf 'docker.sh: %s\n' "$*"; }
fail() { printf 'docker.sh: %s\n' "$*" >&2; exit 1; }

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"; }

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# True when version $1 is at least $2.
at_least() { dpkg --compare-versions "$1" ge "$2"; }

compose_version() { docker compose version --short 2>/dev/null | sed 's/^v//; s/[^0-9.].*//'; }

install_engine() {
    local wanted=() package
    for package in docker.io iptables ca-certificates; do
        [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = 'install ok installed' ] || wanted+=("$package")
    done
    # A machine whose engine is from elsewhere keeps it.
    if [ "${#wanted[@]}" -eq 0 ] || { command -v dockerd && command -v docker; } >/dev/null; then
        return 0
    fi
    say "installing ${wanted[*]}"
    apt_get update -qq
    apt_get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

# The mirror that this machine's own apt uses for the main archive: whatever it is, it is the one that is reachable.
debian_mirror() {
    # shellcheck disable=SC2016  # these are apt's own placeholders
    apt-get indextargets --format '$(CREATED_BY) $(SITE) $(RELEASE)' 2>/dev/null \
        | awk '$1 == "Packages" && $3 ~ /^(bookworm|stable)$/ { print $2; exit }'
}

# Packages of the plugin release, fetched through an apt state of their own, so that the machine's package
# lists never see a second release.
download_plugins() { # directory, package...
    local directory=$1 mirror; shift
    mirror="$(debian_mirror)"
    [ -n "$mirror" ] || { apt_get update -qq; mirror="$(debian_mirror)"; }
    [ -n "$mirror" ] || fail 'no Debian mirror for bookworm found in the apt sources'
    mkdir -p "$directory"/{state/lists/partial,cache/archives/partial,parts}
    cat >"$directory/sources.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: $PLUGIN_RELEASE
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
    local options=(
        -o "Dir::Etc::sourcelist=$directory/sources.sources" -o "Dir::Etc::sourceparts=$directory/parts"
        -o "Dir::State::lists=$directory/state/lists" -o "Dir::Cache=$directory/cache"
        -o APT::Sandbox::User=root
    )
    apt_get "${options[@]}" update -qq
    (cd "$directory" && apt_get "${options[@]}" download -qq "$@")
}

install_plugins() {
    local version wanted=()
    version="$(compose_version || true)"
    if [ -z "$version" ] || ! at_least "$version" "$COMPOSE_MINIMUM"; then wanted+=(docker-compose); fi
    # Without this plugin Compose falls back to the classic builder, which has no cache mounts.
    docker buildx version >/dev/null 2>&1 || wanted+=(docker-buildx)
    [ "${#wanted[@]}" -gt 0 ] || return 0
    say "installing the plugins ${wanted[*]}"
    local directory package
    directory="$(mktemp -d)"
    # shellcheck disable=SC2064  # the directory of this call
    trap "rm -rf '$directory'" RETURN
    download_plugins "$directory" "${wanted[@]}"
    install -d "$PLUGIN_DIRECTORY"
    for package in "${wanted[@]}"; do
        dpkg-deb -x "$directory/$package"_*.deb "$directory/$package"
        install -m 0755 "$(find "$directory/$package" -type f -name "$package" -size +1M | head -n 1)" \
            "$PLUGIN_DIRECTORY/$package"
    done
    version="$(compose_version)"
    at_least "$version" "$COMPOSE_MINIMUM" || fail "Compose $version is older than $COMPOSE_MINIMUM"
}

# An engine that was just killed takes a moment to be gone, and what it left keeps the next one from starting.
clear_dead_engine() {
    local pid_file process
    for pid_file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
        [ -s "$pid_file" ] || continue
        process="$(<"$pid_file")"
        for _ in $(seq 20); do
            grep -qs '^Name:.*\(dockerd\|containerd\)' "/proc/$process/status" || break
            grep -qs '^State:[[:space:]]*Z' "/proc/$process/status" && break
            sleep 0.5
        done
        rm -f "$pid_file"
    done
}

start_by_hand() {
    local arguments=(--storage-driver overlay2) engine
    [ -z "${ECLUSA_DOCKER_ROOT:-}" ] || arguments+=(--data-root "$ECLUSA_DOCKER_ROOT")
    # A second and a third time, for an engine that meets the remains of one that was killed.
    for _ in 1 2 3; do
        clear_dead_engine
        say "starting dockerd, output in $LOG_FILE"
        setsid nohup dockerd "${arguments[@]}" >>"$LOG_FILE" 2>&1 </dev/null &
        engine=$!
        for _ in $(seq 120); do
            engine_answers && return 0
            kill -0 "$engine" 2>/dev/null || break
            sleep 0.5
        done
    done
    tail -n 5 "$LOG_FILE" >&2 || true
    fail 'the engine does not start'
}

start_engine() {
    engine_answers && return 0
    [ "$(id -u)" -eq 0 ] || fail 'the engine does not answer, and only root can start it'
    if [ -d /run/systemd/system ]; then
        say 'starting the engine through systemd'
        systemctl start docker
        engine_answers || fail 'the engine does not answer; see journalctl -u docker'
    else
        start_by_hand
    fi
}

status() {
    engine_answers || { say 'the engine does not answer'; return 1; }
    say "engine $(docker version --format '{{.Server.Version}} (API {{.Server.APIVersion}})')," \
        "storage $(docker info --format '{{.Driver}}'), Compose $(compose_version || echo none)"
}

case "${1:-install}" in
    install)
        install_engine
        start_engine
        install_plugins
        status
        ;;
    status) status ;;
    *) fail "unknown argument $1; known: install, status" ;;
esac
