#!/bin/sh
# Runs in the test guest (scripts/guest): what this machine's kernel cannot show. Prints a line for each
# part, and the whole output of a part that fails; ends with 1 if one failed.
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
bin=$repository/target/guest/bin
export LONGSHORE_TEST_EMBEDDED=$bin/embedded LONGSHORE_BIN=$bin/longshore
# Emulated processors are some twenty times slower.
export LONGSHORE_TEST_PATIENCE=8
# Where this kernel has it, encryption between hosts is to be seen, not its refusal.
export LONGSHORE_TEST_WIREGUARD=1
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

# In a group of its own, with processes in it, as in a container or a delegated unit of systemd.
delegated() {
    group=/sys/fs/cgroup/delegated
    mkdir -p "$group"
    echo '+cpu +memory +pids +io' >/sys/fs/cgroup/cgroup.subtree_control
    (
        sh -c 'echo $PPID' >"$group/cgroup.procs"
        unshare --cgroup --mount sh -c 'umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"' sh "$@"
    ) || return 1
    left=$(find "$group" -mindepth 1 -type d)
    [ -z "$left" ] || { echo "left behind: $left"; return 1; }
    enabled=$(cat "$group/cgroup.subtree_control")
    [ -z "$enabled" ] || { echo "left enabled: $enabled"; return 1; }
    rmdir "$group"
}

# The first task of `up --demo`, through the public API: what a user of such a machine does first.
demo() {
    data=/scratch/demo
    "$LONGSHORE_BIN" up --demo --data $data >/scratch/demo.log 2>&1 &
    up=$!
    until grep -q '^It answers at' /scratch/demo.log; do
        kill -0 $up || { cat /scratch/demo.log $data/log/*.log; return 1; }
        sleep 1
    done
    curl --silent --fail "$(sed -n 's/^It answers at \([^ ]*\) .*/\1/p' /scratch/demo.log)" || return 1
    cat /sys/fs/cgroup/longshore-*/*/*/memory.max || return 1
    "$LONGSHORE_BIN" down --data $data && wait $up
}

echo "kernel $(uname -r), controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
# The test of bridged packets switches it off in its own namespace; elsewhere it is built in.
modprobe br_netfilter
modprobe loop
# A profile for the test of confinement: everything but /etc/passwd.
mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security
if apparmor_parser --skip-cache --replace <<'END'
profile longshore-test flags=(attach_disconnected, mediate_deleted) {
  file, capability, network, mount, signal, ptrace, unix,
  deny /etc/passwd rwklx,
}
END
then
    export LONGSHORE_TEST_APPARMOR=longshore-test
else
    failed=1
fi
[ $# -gt 0 ] || set -- runtime netdev delegated demo
for what in "$@"; do
    case $what in
    runtime | netdev)
        for executable in "$bin/$what"-*; do
            part "$(basename "$executable")" "$executable" --test-threads=2
        done
        ;;
    delegated)
        part "runtime-container, delegated group" delegated "$bin/runtime-container" --test-threads=2
        part "runtime-cgroups, delegated group" delegated "$bin/runtime-cgroups" --test-threads=2
        ;;
    demo) part "longshore up --demo" demo ;;
    e2e)
        cd "$repository" || exit 1
        part "end to end" timeout --signal=INT 480 .venv/bin/pytest -v --tb=short -p no:cacheprovider --durations=30 \
            tests/e2e/test_thin_line.py tests/e2e/test_containers.py \
            -k "by_the_aws_cli or exit_codes or confinement or limits or bridge_ports"
        ;;
    fields)
        cd "$repository" || exit 1
        part "fields of containers" timeout --signal=INT 480 .venv/bin/pytest -v --tb=short -p no:cacheprovider --durations=30 \
            tests/e2e/test_container_fields.py -k "apparmor or cpu_and_memory or swap"
        ;;
    encrypt)
        cd "$repository" || exit 1
        modprobe wireguard
        part "hosts that encrypt" timeout --signal=INT 480 .venv/bin/pytest -v --tb=short -p no:cacheprovider tests/e2e/test_encrypt.py
        ;;
    esac
done
left=$(find /sys/fs/cgroup -name 'longshore*')
[ -z "$left" ] || { echo "FAILED  control groups left behind: $left"; failed=1; }
exit $failed
