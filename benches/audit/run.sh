#!/usr/bin/env bash
# Compares `eclusa audit` with dclint (npm) and checkov (PyPI): seconds for a directory, and which of the cases of
# tests/audit/rules each of them tells from the case beside it, in which nothing is wrong.
#
#   benches/audit/run.sh ECLUSA [DIRECTORY…]
#
# ECLUSA is the binary, best a release build; each DIRECTORY is a repository to be timed. The other two are installed
# into ${XDG_CACHE_HOME:-~/.cache}/eclusa/benches on the first run.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly ROOT
readonly CACHE="${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/eclusa/benches"
readonly DCLINT="$CACHE/node_modules/.bin/dclint" CHECKOV="$CACHE/venv/bin/checkov"

[ $# -ge 1 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 2; }
ECLUSA="$(realpath "$1")"; shift
readonly ECLUSA
# What fails at once would be measured as very fast.
"$ECLUSA" --version >/dev/null || { echo "run.sh: $ECLUSA is no binary of Eclusa that runs" >&2; exit 2; }

mkdir -p "$CACHE"
[ -x "$DCLINT" ] || npm install --prefix "$CACHE" --no-fund --no-audit --silent dclint
[ -x "$CHECKOV" ] || { python3 -m venv "$CACHE/venv" && "$CACHE/venv/bin/pip" install --quiet checkov; }

run_eclusa() { "$ECLUSA" audit "$1" --format json --fail-on never; }
run_dclint() { "$DCLINT" --formatter json --recursive "$1"; }
run_checkov() { "$CHECKOV" --skip-download --quiet --compact --output json --directory "$1"; }

# What a tool says of a directory, without paths and places, so that two cases can be compared.
said() {
    local code=0 out
    out="$("run_$1" "$2" 2>/dev/null)" || code=$?
    [ "$code" -le 1 ] || echo "code $code"
    printf '%s' "$out" | grep -oE '"(ruleId|rule|check_id|code)": ?"[^"]*"' | sort | uniq -c || true
}

seconds() { local from to; from="$(date +%s.%N)"; "run_$1" "$2" >/dev/null 2>&1 || true; to="$(date +%s.%N)"; echo "$to - $from" | bc; }

printf '%-10s %s\n' tool seconds
for directory in "$@"; do
    printf '%s (%s files)\n' "$directory" "$(find "$directory" -type f -not -path '*/.git/*' | wc -l)"
    for tool in eclusa dclint checkov; do printf '%-10s %s\n' "$tool" "$(seconds "$tool" "$directory")"; done
done

echo
echo 'Rules whose bad case is told from its good one:'
# checkov needs seconds for each directory: it is asked only about one case of each rule, like the others.
for tool in eclusa dclint checkov; do
    told=0 all=0
    for rule in "$ROOT"/tests/audit/rules/*/; do
        all=$((all + 1))
        if [ "$(said "$tool" "$rule/bad")" != "$(said "$tool" "$rule/good")" ]; then told=$((told + 1)); fi
    done
    printf '%-10s %s of %s\n' "$tool" "$told" "$all"
done
