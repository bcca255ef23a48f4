/* Tries from inside a container what would lead out of it. Prints a line for each thing that succeeds, and the last
 * line `tried`. Nothing is written to what can be opened: opening it is the escape. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void had(const char *form, ...) {
    va_list args;
    va_start(args, form);
    vprintf(form, args);
    va_end(args);
    putchar('\n');
}

/* In a child, so that one success does not change what the next may do. */
#define TRY(name, call) do { \
    pid_t child = fork(); \
    if (child == 0) _exit((long)(call) >= 0 ? 0 : 1); \
    int status = 1; \
    waitpid(child, &status, 0); \
    if (status == 0) had("%s", name); \
} while (0)

static void open_for_writing(const char *path) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) { had("writes %s", path); close(fd); }
}

static void read_from(const char *path) {
    char byte[16];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return;
    if (read(fd, byte, sizeof byte) > 0) had("reads %s", path);
    close(fd);
}

static void node(mode_t kind, unsigned major, unsigned minor) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/node-%u-%u", major, minor);
    if (mknod(path, kind | 0666, makedev(major, minor)) == 0) {
        int fd = open(path, O_RDWR);
        if (fd >= 0) { had("opens device %u:%u", major, minor); close(fd); }
        unlink(path);
    }
}

static int mounts(void) {
    mkdir("/tmp/m", 0755);
    return mount("none", "/tmp/m", "tmpfs", 0, "");
}

static int leaves_root(void) {
    struct stat before, after;
    if (stat("/", &before)) return -1;
    mkdir("/tmp/jail", 0755);
    int up = open("/", O_RDONLY | O_DIRECTORY);
    if (chroot("/tmp/jail") || fchdir(up)) return -1;
    for (int i = 0; i < 64; i++) if (chdir("..")) return -1;
    if (chroot(".") || stat("/", &after)) return -1;
    return before.st_dev == after.st_dev && before.st_ino == after.st_ino ? -1 : 0;
}

static int clones_user(void) {
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    return pid > 0 ? 0 : -1;
}

static void control_groups(const char *dir, int depth) {
    char path[512];
    for (const char *const *file = (const char *const[]){"release_agent", "notify_on_release", "cgroup.procs", "tasks",
             "memory.limit_in_bytes", "memory.max", "devices.allow", "cpu.max", "cpu.cfs_quota_us", 0}; *file; file++) {
        snprintf(path, sizeof path, "%s/%s", dir, *file);
        open_for_writing(path);
    }
    snprintf(path, sizeof path, "%s/mine", dir);
    if (mkdir(path, 0755) == 0) { had("makes group %s", path); rmdir(path); }
    DIR *all = depth ? opendir(dir) : 0;
    for (struct dirent *one; all && (one = readdir(all));) {
        if (one->d_type != DT_DIR || one->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", dir, one->d_name);
        control_groups(path, depth - 1);
    }
    if (all) closedir(all);
}

/* All that this sees is its own: processes with another root or in other namespaces are somebody else's. */
static void others(void) {
    char path[300], own[64] = "", its[64] = "";
    ssize_t ignored = readlink("/proc/self/ns/mnt", own, sizeof own - 1);
    DIR *all = opendir("/proc");
    for (struct dirent *one; all && (one = readdir(all));) {
        int pid = atoi(one->d_name);
        if (pid <= 0 || pid == getpid()) continue;
        memset(its, 0, sizeof its);
        snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
        ignored = readlink(path, its, sizeof its - 1);
        if (!its[0] || !strcmp(its, own)) continue;
        had("looks into process %d", pid);
        snprintf(path, sizeof path, "/proc/%d/root/etc", pid);
        if (access(path, R_OK) == 0) had("sees the root of process %d", pid);
        if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) had("traces process %d", pid);
    }
    (void)ignored;
    if (all) closedir(all);
}

static void calls(void) {
    static char page[4096];
    TRY("mount", mounts());
    TRY("mount proc", mount("proc", "/tmp/m", "proc", 0, ""));
    TRY("mount cgroup", mount("cgroup", "/tmp/m", "cgroup", 0, "memory"));
    TRY("mount cgroup2", mount("cgroup", "/tmp/m", "cgroup2", 0, ""));
    TRY("bind mount", mount("/etc", "/tmp", 0, MS_BIND, 0));
    TRY("remount /proc/sys", mount(0, "/proc/sys", 0, MS_REMOUNT | MS_BIND, 0));
    TRY("remount /sys", mount(0, "/sys", 0, MS_REMOUNT | MS_BIND, 0));
    TRY("umount /proc/sys", umount2("/proc/sys", MNT_DETACH));
    TRY("umount /etc/hosts", umount2("/etc/hosts", MNT_DETACH));
    TRY("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp"));
    TRY("fsopen", syscall(430, "tmpfs", 0));
    TRY("open_tree", syscall(428, AT_FDCWD, "/etc", 1));
    TRY("mount_setattr", syscall(442, AT_FDCWD, "/etc", 0, page, 32));
    TRY("unshare user", unshare(CLONE_NEWUSER));
    TRY("unshare user and mount", unshare(CLONE_NEWUSER | CLONE_NEWNS));
    TRY("unshare mount", unshare(CLONE_NEWNS));
    TRY("unshare net", unshare(CLONE_NEWNET));
    TRY("unshare pid", unshare(CLONE_NEWPID));
    TRY("clone user", clones_user());
    TRY("setns", setns(open("/proc/1/ns/net", O_RDONLY), 0));
    TRY("chroot leads out", leaves_root());
    TRY("keyctl", syscall(SYS_keyctl, 0, -3, 0, 0, 0));
    TRY("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
    TRY("request_key", syscall(SYS_request_key, "user", "x", 0, -3));
    TRY("bpf", syscall(SYS_bpf, 0, page, 72));
    TRY("perf_event_open", syscall(SYS_perf_event_open, page, 0, -1, -1, 0));
    TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
    TRY("io_uring", syscall(425, 1, page));
    TRY("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, page, 0));
    TRY("init_module", syscall(SYS_init_module, page, 1, ""));
    TRY("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
    TRY("swapon", syscall(SYS_swapon, "/tmp/x", 0));
    TRY("acct", syscall(SYS_acct, 0));
    TRY("quotactl", syscall(SYS_quotactl, 0x80000101, 0, 0, 0));
    TRY("sethostname", sethostname("other", 5));
    TRY("settimeofday", syscall(SYS_settimeofday, page, 0));
    TRY("iopl", syscall(SYS_iopl, 3));
    TRY("kernel log", syscall(SYS_syslog, 3, page, 100));
    TRY("vsock", socket(40, SOCK_STREAM, 0));
    TRY("becomes a user of the host's", syscall(SYS_setresuid, 100000, 100000, 100000));
}

static void paths(void) {
    const char *written[] = {
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/panic", "/proc/sys/vm/drop_caches",
        "/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/fs/binfmt_misc/register",
        "/proc/sys/user/max_user_namespaces", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/mtrr",
        "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/mm/ksm/run", "/sys/power/state", "/sys/kernel/uevent_helper",
        "/sys/kernel/uevent_seqnum", "/sys/class/net/eth0/mtu", "/sys/block/loop0/queue/read_ahead_kb", "/sys/module/kernel/parameters/panic",
        "/dev/mem", "/dev/kmem", "/dev/kmsg", "/dev/port", "/dev/sda", "/dev/vda", "/dev/loop0", "/dev/loop-control", "/dev/fuse",
        "/dev/kvm", "/dev/net/tun", "/dev/mapper/control", 0};
    const char *read[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/kmsg", "/proc/interrupts", "/proc/vmallocinfo",
        "/proc/sched_debug", "/proc/latency_stats", "/sys/firmware/dmi/tables/DMI", "/sys/kernel/debug/sched/debug", 0};
    for (int i = 0; written[i]; i++) open_for_writing(written[i]);
    for (int i = 0; read[i]; i++) read_from(read[i]);
    node(S_IFCHR, 1, 1); node(S_IFCHR, 1, 11); node(S_IFCHR, 10, 237);
    node(S_IFBLK, 254, 0); node(S_IFBLK, 8, 0); node(S_IFBLK, 253, 0); node(S_IFBLK, 7, 0);
    control_groups("/sys/fs/cgroup", 1);
}

/* A UDP datagram with a source of the caller's choice. */
static int forge(const char *from, const char *to, int port, const char *text) {
    struct { struct iphdr ip; struct udphdr udp; char text[32]; } packet = {0};
    int length = sizeof packet.ip + sizeof packet.udp + strlen(text);
    packet.ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(length),
                               .saddr = inet_addr(from), .daddr = inet_addr(to)};
    packet.udp = (struct udphdr){.source = htons(4000), .dest = htons(port), .len = htons(length - sizeof packet.ip)};
    strncpy(packet.text, text, sizeof packet.text - 1);
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_addr.s_addr = packet.ip.daddr};
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    return sendto(fd, &packet, length, 0, (struct sockaddr *)&target, sizeof target) == length ? 0 : 1;
}

static int listens(int port) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char text[64];
    if (bind(fd, (struct sockaddr *)&here, sizeof here)) return 1;
    for (ssize_t length; (length = recv(fd, text, sizeof text - 1, 0)) >= 0;) had("got %.*s", (int)length, text);
    return 1;
}

int main(int count, char **args) {
    setvbuf(stdout, 0, _IOLBF, 0);
    if (count == 3) return listens(atoi(args[2]));
    if (count == 5) return forge(args[1], args[2], atoi(args[3]), args[4]);
    if (geteuid() != getuid() || (getuid() && geteuid() == 0)) had("set-user-id gains %d", geteuid());
    if (count == 2) return 0;
    calls();
    paths();
    others();
    puts("tried");
    return 0;
}
