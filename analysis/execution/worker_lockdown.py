"""Worker, part 1: gives up every right that the code about to run does not need; fails closed and never undoes a step.

The standard library alone, Python 3.9 and later, Linux on x86-64 and AArch64. The parts
``worker_*.py`` are shipped as one file (see ``bundle.py``), so their names are distinct.
Sources: Linux man-pages seccomp(2), landlock(7), capabilities(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from typing import Any

MEBIBYTE = 1 << 20
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 1, 4, 38, 24
NOBODY = 65534
ARM = hasattr(os, "uname") and os.uname().machine == "aarch64"
AUDIT_ARCH = 0xC00000B7 if ARM else 0xC000003E
NEWEST_SYSCALL = 470

# name -> (x86-64, AArch64); None where the architecture has no such call.
ALWAYS_DENIED = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "accept": (43, 202),
    "bind": (49, 200), "listen": (50, 201), "accept4": (288, 242), "ptrace": (101, 117),
    "personality": (135, 92), "pivot_root": (155, 41), "chroot": (161, 51), "acct": (163, 89),
    "settimeofday": (164, 170), "mount": (165, 40), "umount2": (166, 39), "swapon": (167, 224),
    "swapoff": (168, 225), "reboot": (169, 142), "sethostname": (170, 161),
    "setdomainname": (171, 162), "iopl": (172, None), "ioperm": (173, None),
    "init_module": (175, 105), "delete_module": (176, 106), "quotactl": (179, 60),
    "clock_settime": (227, 112), "kexec_load": (246, 104), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "unshare": (272, 97),
    "perf_event_open": (298, 241), "fanotify_init": (300, 262), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "clock_adjtime": (305, 266), "setns": (308, 268),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "finit_module": (313, 273), "memfd_create": (319, 279), "kexec_file_load": (320, 294),
    "bpf": (321, 280), "userfaultfd": (323, 282), "mknod": (133, None), "mknodat": (259, 33),
    "shmget": (29, 194), "shmat": (30, 196), "semget": (64, 190), "msgget": (68, 186),
    "mq_open": (240, 180), "move_pages": (279, 239), "migrate_pages": (256, 238),
    "vmsplice": (278, 75), "syslog": (103, 116), "adjtimex": (159, 171),
    "lookup_dcookie": (212, 18), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "pidfd_send_signal": (424, 424), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "mount_setattr": (442, 442), "quotactl_fd": (443, 443), "memfd_secret": (447, 447),
    "process_mrelease": (448, 448), "open_tree_attr": (467, 467),
}  # fmt: skip
IDENTITY_DENIED = {
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setgroups": (116, 159), "setresuid": (117, 147), "setresgid": (119, 149),
}  # fmt: skip
# Landlock does not govern the metadata of files, nor priorities of other processes.
CANDIDATE_DENIED = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None),
    "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "truncate": (76, 45), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276),
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "creat": (85, None),
    "link": (86, None), "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36),
    "unlink": (87, None), "unlinkat": (263, 35), "setpriority": (141, 140),
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122), "ioprio_set": (251, 30), "setsid": (112, 157),
    "setpgid": (109, 154), "tkill": (200, 130), "flock": (73, 32),
}  # fmt: skip
EXEC = {"execve": (59, 221), "execveat": (322, 281)}
FORK = {"fork": (57, None), "vfork": (58, None)}
CLONE, KILL, TGKILL, PRCTL = (56, 220), (62, 129), (234, 131), (157, 167)
IOCTL, PRLIMIT = (16, 29), (302, 261)
SOCKETS = ("socket", "socketpair", "connect", "accept", "bind", "listen", "accept4")
UNKNOWN_HERE = {"clone3": 435, "openat2": 437, "fchmodat2": 452}  # callers fall back
TERMINAL_INJECTION = (0x5412, 0x541C)
CLONE_NEW_ANYTHING, CLONE_THREAD = 0x7E020000, 0x10000
EPERM, EAGAIN, ENOSYS = 1, 11, 38

LANDLOCK_EXECUTE, LANDLOCK_WRITE, LANDLOCK_READ, LANDLOCK_LIST = 1, 2, 4, 8
LANDLOCK_TRUNCATE = 1 << 14
# neither device nodes nor sockets nor device ioctls, whatever is writable
LANDLOCK_NEVER = (1 << 6) | (1 << 9) | (1 << 11) | (1 << 15)


class LockdownError(OSError):
    """A layer that was asked for cannot be set up; nothing may run."""


def lock_down_process(config: dict[str, Any]) -> list[str]:
    """Limits, capabilities, Landlock and seccomp, in this order; gives the names of the layers.

    ``config``: ``readable``, ``listable`` and ``writable`` paths, permissions ``exec``,
    ``fork`` and ``sockets``, ``landlock`` and ``seccomp`` (False only where the user allowed reduced
    isolation), ``limits``, ``uid`` (to become, or None).
    """
    layers = ["rlimits"]
    set_limits(config["limits"])
    if config.get("uid") is not None and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(config["uid"], config["uid"], config["uid"])
        os.setresuid(config["uid"], config["uid"], config["uid"])
        layers.append("uid")
    drop_capabilities()
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    layers.append("no_new_privs")
    if config["landlock"]:
        execute = LANDLOCK_EXECUTE if config["exec"] else 0
        restrict_files(config, execute)
        layers.append("landlock")
    if config["seccomp"]:
        install_filter(zygote_filter(config["fork"], config["exec"], config["sockets"]))
        layers.append("seccomp")
    return layers


def lock_down_candidate(seconds_max: int, memory_bytes_max: int) -> None:
    """The last step before foreign code runs in this process: no fork, no thread, no signal to others."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    seconds = seconds_max if hard == resource.RLIM_INFINITY else min(seconds_max, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    lower_limit(resource.RLIMIT_AS, memory_bytes_max)
    lower_limit(resource.RLIMIT_NPROC, 0)
    install_filter(candidate_filter(os.getpid()))


def set_limits(limits: dict[str, int]) -> None:
    lower_limit(resource.RLIMIT_CORE, 0)
    lower_limit(resource.RLIMIT_MSGQUEUE, 0) if hasattr(resource, "RLIMIT_MSGQUEUE") else None
    lower_limit(resource.RLIMIT_MEMLOCK, 64 << 10)
    lower_limit(resource.RLIMIT_NOFILE, limits["files"])
    lower_limit(resource.RLIMIT_FSIZE, limits["file_bytes"])
    lower_limit(resource.RLIMIT_AS, limits["memory_bytes"])
    if limits.get("processes"):
        lower_limit(resource.RLIMIT_NPROC, limits["processes"])


def lower_limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


# ------------------------------------------------------------------ capabilities


def drop_capabilities() -> None:
    for capability in range(64):
        if _libc().prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    nothing = ctypes.create_string_buffer(24)
    _syscall("capset", (126, 91), header, nothing)


def die_with_parent(parent: int | None = None) -> None:
    _prctl(PR_SET_PDEATHSIG, 9)
    if parent is not None and os.getppid() != parent:
        os._exit(125)


# ------------------------------------------------------------------ Landlock


def landlock_abi() -> int:
    """Version of Landlock in this kernel, 0 if there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    version = _libc().syscall(ctypes.c_long(444), None, ctypes.c_long(0), ctypes.c_long(1))
    return max(int(version), 0)


def restrict_files(config: dict[str, Any], execute: int) -> None:
    """Only these trees, for this process and all it starts; a path that does not exist is left out."""
    abi = landlock_abi()
    if abi < 1:
        raise LockdownError("this kernel has no Landlock")
    files = (1 << 13) - 1
    files |= (
        (1 << 13 if abi >= 2 else 0) | (1 << 14 if abi >= 3 else 0) | (1 << 15 if abi >= 5 else 0)
    )
    network = 3 if abi >= 4 and not config["sockets"] else 0
    scopes = 3 if abi >= 6 else 0
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    attributes = ctypes.create_string_buffer(struct.pack("QQQ", files, network, scopes))
    ruleset = _syscall("landlock_create_ruleset", (444, 444), attributes, size, 0)
    devices = ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"]
    rules = [
        (path, (LANDLOCK_READ | LANDLOCK_LIST | execute)) for path in config["readable"] + devices
    ]
    rules += [(path, LANDLOCK_LIST) for path in config["listable"]]
    rules += [
        (path, (files & ~LANDLOCK_NEVER & ~LANDLOCK_EXECUTE) | execute)
        for path in config["writable"]
    ]
    rules.append(("/dev/null", LANDLOCK_READ | LANDLOCK_WRITE))
    for path, rights in rules:
        _allow_path(ruleset, path, rights & files)
    _syscall("landlock_restrict_self", (446, 446), ruleset, 0)
    os.close(ruleset)


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= LANDLOCK_EXECUTE | LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_TRUNCATE
        if rights:
            rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, handle))
            _syscall("landlock_add_rule", (445, 445), ruleset, 1, rule, 0)
    finally:
        os.close(handle)


# ------------------------------------------------------------------ seccomp


class FilterProgram:
    """A classic BPF program over one system call; instructions run from top to bottom."""

    LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
    ALLOW, FAIL, KILL = 0x7FFF0000, 0x50000, 0x80000000

    def __init__(self) -> None:
        self.code: list[bytes] = []
        self.emit(self.LOAD, 4)
        self.emit(self.EQUAL, AUDIT_ARCH, 1, 0)
        self.emit(self.RETURN, self.KILL)  # also what int 0x80 meets
        self.emit(self.LOAD, 0)
        if not ARM:
            self.emit(self.AT_LEAST, 0x40000000, 0, 1)
            self.emit(self.RETURN, self.KILL)  # the x32 calls
        self.emit(self.AT_LEAST, NEWEST_SYSCALL + 1, 0, 1)
        self.emit(self.RETURN, self.FAIL | ENOSYS)

    def emit(self, operation: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self.code.append(struct.pack("HBBI", operation, if_true, if_false, value & 0xFFFFFFFF))

    def deny(self, numbers: Any, error: int = EPERM) -> None:
        number = numbers[ARM] if isinstance(numbers, tuple) else numbers
        if number is not None:
            self.emit(self.EQUAL, number, 0, 1)
            self.emit(self.RETURN, self.FAIL | error)

    def deny_unless_argument(self, numbers: Any, index: int, value: int) -> None:
        self.emit(self.EQUAL, numbers[ARM], 0, 4)
        self.emit(self.LOAD, 16 + 8 * index)
        self.emit(self.EQUAL, value, 1, 0)
        self.emit(self.RETURN, self.FAIL | EPERM)
        self.emit(self.RETURN, self.ALLOW)

    def deny_if_argument(self, numbers: Any, index: int, values: Any) -> None:
        self.emit(self.EQUAL, numbers[ARM], 0, 2 + 2 * len(values))
        self.emit(self.LOAD, 16 + 8 * index)
        for value in values:
            self.emit(self.EQUAL, value, 0, 1)
            self.emit(self.RETURN, self.FAIL | EPERM)
        self.emit(self.RETURN, self.ALLOW)

    def deny_if_bits(self, numbers: Any, index: int, mask: int) -> None:
        number = numbers[ARM] if isinstance(numbers, tuple) else numbers
        if number is None:
            return
        self.emit(self.EQUAL, number, 0, 4)
        self.emit(self.LOAD, 16 + 8 * index)
        self.emit(self.ANY_BIT, mask, 0, 1)
        self.emit(self.RETURN, self.FAIL | EPERM)
        self.emit(self.RETURN, self.ALLOW)


def zygote_filter(fork: bool, execute: bool, sockets: bool) -> FilterProgram:
    """What no process of ours may do; sockets only in a network namespace that leads nowhere."""
    program = FilterProgram()
    for name, numbers in {**ALWAYS_DENIED, **IDENTITY_DENIED}.items():
        if not (sockets and name in SOCKETS):
            program.deny(numbers)
    for number in UNKNOWN_HERE.values():
        program.deny(number, ENOSYS)
    if not execute:
        for numbers in EXEC.values():
            program.deny(numbers)
    if not fork:
        for numbers in FORK.values():
            program.deny(numbers, EAGAIN)
    for numbers, index in (((90, None), 1), ((91, 52), 1), ((268, 53), 2)):
        program.deny_if_bits(numbers, index, 0o6000)  # set-user-id files
    program.deny_unless_argument(PRLIMIT, 0, 0)
    program.deny_if_argument(IOCTL, 1, TERMINAL_INJECTION)
    if not execute:
        program.deny_if_argument(KILL, 0, (0, -1, 1, os.getppid()))
    program.deny_if_bits(CLONE, 0, CLONE_NEW_ANYTHING)
    program.emit(program.RETURN, program.ALLOW)
    return program


def candidate_filter(pid: int) -> FilterProgram:
    program = FilterProgram()
    for numbers in CANDIDATE_DENIED.values():
        program.deny(numbers)
    for numbers in (*EXEC.values(), PRCTL):
        program.deny(numbers)
    for numbers in (*FORK.values(), CLONE):
        program.deny(numbers, EAGAIN)
    program.deny_unless_argument(KILL, 0, pid)
    program.deny_unless_argument(TGKILL, 0, pid)
    program.emit(program.RETURN, program.ALLOW)
    return program


def install_filter(program: FilterProgram) -> None:
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    buffer = ctypes.create_string_buffer(b"".join(program.code))
    structure = Program(len(program.code), ctypes.addressof(buffer))
    # SECCOMP_SET_MODE_FILTER with TSYNC, so that every thread is covered
    _syscall("seccomp", (317, 277), 1, 1, ctypes.byref(structure))


# ------------------------------------------------------------------ libc


def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _syscall(name: str, numbers: tuple[int, int], *arguments: Any) -> int:
    converted = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(_libc().syscall(ctypes.c_long(numbers[ARM]), *converted))
    if result != 0 and (result < 0 or name == "seccomp"):
        error = ctypes.get_errno()
        raise LockdownError(error, f"{name}: {os.strerror(error)}")
    return result


def _prctl(option: int, value: int) -> None:
    if _libc().prctl(option, ctypes.c_ulong(value), 0, 0, 0) < 0:
        error = ctypes.get_errno()
        raise LockdownError(error, f"prctl {option}: {os.strerror(error)}")
