"""The box around one lab on the host: namespaces of its own, so that nothing it does or leaves outlives it.

The runner starts this module with a job on standard input. It makes new mount and process namespaces (and network,
host name and IPC ones where the lab runs on the host's own kernel), hides the machine's files behind read-only
mounts, puts all that the lab writes on a private tmpfs, and becomes process 1 of it. When that process dies,
for whatever reason, the kernel kills every process in the box and forgets its mounts and files: there is nothing
to clean up. The parent-death signal ties it to the runner, so a SIGKILL of the runner is enough.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.lab import guest, syscalls
from tests.lab.job import EXIT_NO_LAB, PRIVATE, Job, dump, load

UML_KNOWN_STATE_BYTES = 2696  # MAX_FP_NR of User-Mode Linux 6.1: AVX-512 and protection keys
_COMPILERS = ("cc", "gcc", "tcc", "clang")
_KEPT_WRITABLE = ("/proc", "/sys", "/dev")
_SPARE_MIB = 64


def main() -> int:
    """Run the job on standard input; the exit status says only whether the lab came up and went down."""
    job = load(sys.stdin.read())
    syscalls.die_with_parent()
    if os.getppid() != job.parent:
        return EXIT_NO_LAB
    flags = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID
    if job.backend == "native":
        flags |= syscalls.CLONE_NEWNET | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC
    syscalls.unshare(flags)
    alive_read, alive_write = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(alive_write)
        os._exit(_first_process(job, alive_read))
    signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGKILL))
    _, status = os.waitpid(first, 0)
    return os.waitstatus_to_exitcode(status) & 0xFF


def _first_process(job: Job, alive: int) -> int:
    """Process 1 of the box. A parent that died before the death signal was armed has closed `alive`."""
    syscalls.die_with_parent()
    os.set_blocking(alive, False)
    try:
        if os.read(alive, 1) == b"":
            return EXIT_NO_LAB
    except BlockingIOError:
        pass
    try:
        _furnish(job)
        return guest.run(job) if job.backend == "native" else _run_uml(job)
    except OSError as error:
        sys.stderr.write(f"the lab's box: {error}\n")
        return EXIT_NO_LAB


def _furnish(job: Job) -> None:
    """Private files on a tmpfs, the machine's own read-only, one writable way out."""
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("proc", "/proc", "proc")
    syscalls.mount("tmpfs", PRIVATE, "tmpfs", data=f"mode=700,size={job.memory_mib + _SPARE_MIB}m")
    for name in ("checkout", "out", "uml"):
        Path(PRIVATE, name).mkdir()
    if job.out:
        syscalls.bind(job.out, f"{PRIVATE}/out")
    syscalls.bind(job.checkout, f"{PRIVATE}/checkout")
    Path(PRIVATE, "job").write_text(dump(job))
    for point in _mount_points():
        _make_read_only(point)
    os.chdir(PRIVATE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _mount_points() -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1].replace("\\040", " ") for line in lines]
    return [p for p in points if p not in (PRIVATE, f"{PRIVATE}/out") and not p.startswith(_KEPT_WRITABLE)]


def _make_read_only(point: str) -> None:
    """Best effort: a mount that refuses (hidden, locked) is no worse than before."""
    try:
        syscalls.mount("none", point, None, syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY)
    except OSError:
        return


def _run_uml(job: Job) -> int:
    if job.cpu is not None:
        # Unpinned, its process hops between cores and every system call inside is 2 to 9 times slower.
        os.sched_setaffinity(0, {job.cpu})
    environment = {"PATH": os.environ.get("PATH", os.defpath), "TMPDIR": PRIVATE, "HOME": PRIVATE}
    if syscalls.extended_state_bytes() > UML_KNOWN_STATE_BYTES:
        environment["LD_PRELOAD"] = _build_register_shim()
    process = subprocess.Popen(
        _uml_command(job),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        pass_fds=(job.from_host_fd, job.to_host_fd),
    )
    return _reap_until(process.pid)


def _uml_command(job: Job) -> list[str]:
    return [
        "linux.uml",
        "quiet",
        f"mem={job.memory_mib}M",
        f"uml_dir={PRIVATE}/uml",
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        "con=null",
        "con0=null,fd:2",
        "ssl=null",
        f"ssl0=fd:{job.from_host_fd},fd:{job.to_host_fd}",
        f"init={Path(sys.executable).resolve()}",
        f"PYTHONPATH={PRIVATE}/checkout",
        "--",
        "-S",
        "-P",
        "-m",
        "tests.lab.guest",
    ]


def _build_register_shim() -> str:
    """See registers.c. 50 ms with gcc, 3 ms with tcc, and nothing to keep between boots."""
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        message = (
            "this processor has more registers than User-Mode Linux knows, and there is no C compiler for the "
            "shim it needs: run tests/lab/install, or apt-get install tcc"
        )
        raise OSError(message)
    target = f"{PRIVATE}/registers.so"
    source = f"{PRIVATE}/checkout/tests/lab/registers.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-nostdlib", "-o", target, source], check=True)
    return target


def _reap_until(wanted: int) -> int:
    """Process 1 inherits orphans; it waits for all and answers for one."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == wanted:
            return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(main())
