#!/usr/bin/env bash
# Compares `eclusa audit` with dclint (npm) and checkov (PyPI): seconds for a directory, and which of the cases of
# tests/audit/rules each of them tells from the case beside it, in which nothing is wrong.
#
#   benches/audit/run.sh ECLUSA [PATH…]
#
# ECLUSA is the binary, best a release build; each PATH is a repository or a Compose file to be timed. The other two are installed
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
run_checkov() {
    local what=--directory
    [ -d "$1" ] || what=--file
    "$CHECKOV" --skip-download --quiet --compact --output json "$what" "$1"
}

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
for tool in eclusa dclint; do
    told=0 all=0
    for rule in "$ROOT"/tests/audit/rules/*/; do
        all=$((all + 1))
        if [ "$(said "$tool" "$rule/bad")" != "$(said "$tool" "$rule/good")" ]; then told=$((told + 1)); fi
    done
    printf '%-10s %s of %s\n' "$tool" "$told" "$all"
done

# checkov needs seconds for each run: it is asked once about all of them, and its answer sorted by case.
run_checkov "$ROOT/tests/audit/rules" >"$CACHE/checkov.json" || true
"$CACHE/venv/bin/python" - "$CACHE/checkov.json" "$ROOT/tests/audit/rules" <<'END'
import collections, json, os, sys

answer, rules = sys.argv[1:]
said = collections.defaultdict(collections.Counter)
found = json.load(open(answer))
for part in found if isinstance(found, list) else [found]:
    for check in part.get("results", {}).get("failed_checks", []):
        rule, case = check["file_path"].strip("/").split("/")[:2]
        said[rule, case][check["check_id"]] += 1
names = sorted(os.listdir(rules))
print("%-10s %s of %s" % ("checkov", sum(said[name, "bad"] != said[name, "good"] for name in names), len(names)))
END
