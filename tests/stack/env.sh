#!/usr/bin/env bash
# Fills an example env file for a trial: env.sh EXAMPLE [NAME=VALUE ...] >FILE
# Every CHANGE_ME value becomes a random one, a domain becomes shop.example.org; NAME=VALUE replaces a line.
set -euo pipefail

[ "$#" -ge 1 ] || { echo "usage: $0 EXAMPLE [NAME=VALUE ...] >FILE" >&2; exit 2; }
readonly EXAMPLE=$1
shift

while IFS= read -r line || [ -n "$line" ]; do
    for setting in "$@"; do
        case "$line" in "${setting%%=*}="*) line=$setting ;; esac
    done
    line="${line//CHANGE_ME_DOMAIN/shop.example.org}"
    # Comments that speak of placeholders are kept as they are.
    case "$line" in
        '#'*) ;;
        *CHANGE_ME*)
            secret="$(od -An -N 32 -tx1 /dev/urandom | tr -d ' \n')"
            line="${line%%CHANGE_ME*}$secret"
            ;;
    esac
    printf '%s\n' "$line"
done <"$EXAMPLE"
