"""Attacks on the sandbox as bodies of ``def f(x)``; each gives a text that starts with ESCAPED if it got out.

``{outside}`` is a folder outside the workspace with ``secret.txt``, ``{workspace}`` the
workspace (with ``.env``, ``data.txt`` and ``.git/hooks``), ``{parent}`` the process that
started the sandbox, ``{port}`` a TCP port on which somebody listens.
"""

from __future__ import annotations

WRITES = """
    try:
        with open({path!r}, "w") as file:
            file.write("x")
    except OSError as error:
        return "stopped: " + str(error)
    return "ESCAPED: wrote"
"""
READS = """
    try:
        with open({path!r}, "rb") as file:
            return "ESCAPED: read " + repr(file.read(20))
    except OSError as error:
        return "stopped: " + str(error)
"""
TRIES = """
    import os, socket, subprocess, signal, threading, resource, time, ctypes, stat, sys, atexit, mmap, fcntl
    try:
        result = (lambda: {expression})()
    except (OSError, RuntimeError, MemoryError, ValueError, subprocess.SubprocessError) as error:
        return "stopped: " + repr(error)
    return "ESCAPED: " + repr(result)
"""
SYSCALL = """
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    result = libc.syscall({arguments})
    if result < 0:
        return "stopped: " + os.strerror(ctypes.get_errno())
    return "ESCAPED: " + str(result)
"""


def writes(path: str) -> str:
    return WRITES.replace("{path!r}", f'"{path}"')


def reads(path: str) -> str:
    return READS.replace("{path!r}", f'"{path}"')


def tries(expression: str) -> str:
    return TRIES.replace("{expression}", expression)


def syscall(arguments: str) -> str:
    return SYSCALL.replace("{arguments}", arguments)


# end either contained or with the process gone; nothing may be left
ATTACKS: dict[str, str] = {
    "write outside": writes("{outside}/written.txt"),
    "write the workspace": writes("{workspace}/written.txt"),
    "write over a module": writes("{workspace}/module.py"),
    "write git hooks": writes("{workspace}/.git/hooks/post-commit"),
    "write /tmp": writes("/tmp/assist-attack-{parent}"),
    "write /dev/shm": writes("/dev/shm/assist-attack-{parent}"),
    "write /var/tmp": writes("/var/tmp/assist-attack-{parent}"),
    "read outside": reads("{outside}/secret.txt"),
    "read .env": reads("{workspace}/.env"),
    "read git config": reads("{workspace}/.git/config"),
    "read /etc/passwd": reads("/etc/passwd"),
    "read /etc/shadow": reads("/etc/shadow"),
    "read the parent's environment": reads("/proc/{parent}/environ"),
    "read the parent's memory": reads("/proc/{parent}/mem"),
    "read its own maps": reads("/proc/self/maps"),
    "list outside": tries("os.listdir('{outside}')"),
    "list the home": tries("os.listdir(os.path.expanduser('~root'))"),
    "environment secrets": tries("{k: v for k, v in os.environ.items() if 'SECRET' in k}['ASSIST_TEST_SECRET']").replace(
        "except (OSError", "except (LookupError, OSError"
    ),
    "symlink into the workspace": tries("os.symlink('/etc/passwd', '{workspace}/link')"),
    "hard link": tries("os.link('{workspace}/data.txt', '{workspace}/link')"),
    "rename": tries("os.rename('{workspace}/data.txt', '{workspace}/moved')"),
    "delete": tries("os.remove('{workspace}/data.txt')"),
    "truncate": tries("os.truncate('{workspace}/data.txt', 0)"),
    "make a folder": tries("os.mkdir('{workspace}/folder')"),
    "chmod": tries("os.chmod('{workspace}/data.txt', 0o777)"),
    "set-user-id": tries("os.chmod('{workspace}/data.txt', 0o4755)"),
    "change times": tries("os.utime('{workspace}/data.txt', (1, 1))"),
    "extended attribute": tries("os.setxattr('{workspace}/data.txt', 'user.x', b'1')"),
    "inodes": tries("[os.mkdir('{workspace}/%d' % k) for k in range(10000)]"),
    "tcp connect": tries("socket.create_connection(('127.0.0.1', {port}), timeout=2)"),
    "tcp listen": tries("socket.create_server(('127.0.0.1', 0))"),
    "udp": tries("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))"),
    "unix socket": tries("socket.socket(socket.AF_UNIX).bind('{workspace}/socket')"),
    "abstract socket": tries("socket.socket(socket.AF_UNIX).bind(chr(0) + 'assist-attack')"),
    "netlink": tries("socket.socket(16, socket.SOCK_RAW, 0)"),
    "fork": tries("os.fork()"),
    "fork bomb": tries("[os.fork() for _ in range(1000)]"),
    "spawn": tries("os.posix_spawn('/bin/true', ['true'], {})"),
    "subprocess": tries("subprocess.run(['/bin/echo', 'x'], check=True)"),
    "shell": tries("os.system('true') and 1 / 0 or 'ran' if os.system('true') == 0 else (_ for _ in ()).throw(OSError())"),
    "exec": tries("os.execv('/bin/true', ['true'])"),
    "double fork": tries("(os.setsid(), os.fork())"),
    "new session": tries("os.setsid()"),
    "threads": tries("[threading.Thread(target=time.sleep, args=(30,), daemon=True).start() for _ in range(500)]"),
    "memory": tries("len(b'x' * (8 << 30))"),
    "many allocations": tries("[bytearray(64 << 20) for _ in range(200)] and 'allocated'"),
    "kill the parent": tries("os.kill({parent}, signal.SIGTERM)"),
    "stop the parent": tries("os.kill({parent}, signal.SIGSTOP)"),
    "kill its parent": tries("os.kill(os.getppid() or {parent}, signal.SIGKILL)"),
    "kill everybody": tries("os.kill(-1, signal.SIGKILL)"),
    "kill its group": tries("os.kill(0, signal.SIGTERM)"),
    "raise a limit": tries("resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))"),
    "limit the parent": tries("resource.prlimit({parent}, resource.RLIMIT_CPU, (1, 1))"),
    "slow the parent down": tries("os.setpriority(os.PRIO_PROCESS, {parent}, 19)"),
    "pin the parent": tries("os.sched_setaffinity({parent}, {0})"),
    "become root": tries("os.setuid(0) if os.getuid() else (_ for _ in ()).throw(OSError('is root already'))"),
    "change identity": tries("os.setgroups([0])"),
    "chroot": tries("os.chroot('/')"),
    "memfd": tries("os.memfd_create('x')"),
    "fifo": tries("os.mkfifo('{workspace}/fifo')"),
    "terminal injection": tries("fcntl.ioctl(0, 0x5412, b'x')"),
    "ptrace": syscall("101, 16, {parent}, 0, 0"),
    "process_vm_readv": syscall("310, {parent}, 0, 0, 0, 0, 0"),
    "pidfd": syscall("434, {parent}, 0"),
    "io_uring": syscall("425, 8, ctypes.create_string_buffer(256)"),
    "user namespace": syscall("272, 0x10000000"),
    "clone with a namespace": syscall("56, 0x10000011, 0, 0, 0, 0"),
    "clone3": syscall("435, ctypes.create_string_buffer(88), 88"),
    "mount": syscall("165, b'none', b'/', b'tmpfs', 0, 0"),
    "raw socket call": syscall("41, 2, 1, 0"),
    "raw fork call": syscall("57"),
    "bpf": syscall("321, 0, ctypes.create_string_buffer(128), 128"),
    "userfaultfd": syscall("323, 0"),
    "perf events": syscall("298, ctypes.create_string_buffer(128), 0, -1, -1, 0"),
    "keyring": syscall("250, 0, -3, 1"),
    "handles": syscall("303, -100, b'/', ctypes.create_string_buffer(256), ctypes.byref(ctypes.c_int()), 0"),
    "death signal": syscall("157, 1, 0, 0, 0, 0"),
    "future calls": syscall("600, 0, 0"),
    "x32 calls": syscall("0x40000000 + 39"),
    "int 0x80": """
    import ctypes, mmap
    memory = mmap.mmap(-1, 4096, prot=7)
    memory.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))  # getpid of the 32-bit table
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return "ESCAPED: " + str(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
""",
    "endless loop": "    while True:\n        pass\n",
    "endless loop that catches": """
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
""",
    "endless loop in C": "    return 7 ** (10 ** 9) % 3\n",
    "sleep": "    import time\n    time.sleep(1000)\n    return 'ESCAPED'\n",
    "output": "    for _ in range(1 << 24):\n        print('x' * 1000)\n    return 'ESCAPED: printed everything'\n",
    "output past Python": """
    import os
    for _ in range(1 << 16):
        os.write(1, b'x' * 65536)
    return 'ESCAPED: wrote 4 GB'
""",
    "recursion": "    return f(x)\n",
    "deep recursion": "    import sys\n    sys.setrecursionlimit(10 ** 9)\n    return f(x)\n",
    "crash": "    import ctypes\n    return ctypes.string_at(8)\n",
    "exit": "    import os\n    os._exit(0)\n",
    "exit at the end": "    import atexit, os\n    atexit.register(os.system, 'touch {outside}/exit.txt')\n    return 'registered'\n",
    "alarm": "    import signal\n    signal.setitimer(signal.ITIMER_REAL, 0.1)\n    while True:\n        pass\n",
    "stdin": "    return 'ESCAPED' if input() else 'nothing'\n",
}  # fmt: skip
