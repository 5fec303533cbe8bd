#!/usr/bin/env bash
# tests/fuzz/run.sh BUILD_FOLDER [SECONDS]: every fuzz target of a build made with the `fuzz` preset, one after the other, SECONDS (15) each,
# from its kept corpus. What it finds lies in BUILD_FOLDER/fuzz-findings. The last line is "N passed, M failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${1:?"usage: tests/fuzz/run.sh BUILD_FOLDER [SECONDS]"}
seconds=${2:-15}
findings=$build/fuzz-findings
mkdir -p "$findings"
passed=0
failed=0

for source in tests/fuzz/fuzz_*.cc; do
  name=$(basename "$source" .cc)
  if [ ! -x "$build/bin/$name" ]; then
    echo "FAIL $name: not built"
    failed=$((failed + 1))
    continue
  fi
  grown=$(mktemp -d)
  log=$findings/$name.log
  if nice -n 10 "$build/bin/$name" -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
    -artifact_prefix="$findings/$name-" "$grown" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
    echo "ok $name: $(grep -oE 'Done [0-9]+ runs' "$log" | tail -n 1 | grep -oE '[0-9]+') inputs in $seconds s"
    passed=$((passed + 1))
  else
    echo "FAIL $name: $(grep -E 'does not hold|ERROR' "$log" | head -n 2 | tr '\n' ' ') (log: $log)"
    failed=$((failed + 1))
  fi
  rm -rf "$grown"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
