#!/bin/sh
# Runs in the test guest (scripts/guest): what this machine's kernel cannot show. Prints a line for each
# part, and the whole output of a part that fails; ends with 1 if one failed.
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
bin=$repository/target/guest/bin
export LONGSHORE_TEST_EMBEDDED=$bin/embedded LONGSHORE_BIN=$bin/longshore
# Emulated processors are some twenty times slower.
export LONGSHORE_TEST_PATIENCE=8
failed=0

part() { # a name, a command
    name=$1
    shift
    from=$(cut -d. -f1 /proc/uptime)
    if "$@" >/scratch/part.log 2>&1; then
        verdict=ok
    else
        verdict=FAILED
        failed=1
    fi
    echo "$verdict  $name  ($(($(cut -d. -f1 /proc/uptime) - from)) s)  $(tail -1 /scratch/part.log)"
    [ $verdict = ok ] || cat /scratch/part.log
}

echo "kernel $(uname -r), controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
for executable in "$bin"/runtime-* "$bin"/netdev-*; do
    part "$(basename "$executable")" "$executable" --test-threads=2
done
cd "$repository" || exit 1
part "end to end" .venv/bin/pytest -q -x -p no:cacheprovider tests/e2e/test_thin_line.py tests/e2e/test_containers.py \
    -k "not hundred"
exit $failed
