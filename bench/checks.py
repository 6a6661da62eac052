"""What checking costs: keepalived's checker beside the whole of lvsd, natively, over real TCP on this machine.

Nothing here needs IPVS: keepalived's requests to it are answered by a stub (bench/native/ipvs_stub.c), our director's
by the table in memory, so neither figure holds the kernel's part. Everything runs in a network namespace of its own;
CPU time is the scheduler's (/proc/PID/schedstat), memory the proportional set size.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

NATIVE = Path(__file__).resolve().parent / "native"
CHECKOUT = NATIVE.parents[1]
INSIDE = "LVSD_BENCH_INSIDE"
GROWTH = (100, 300, 1000, 3000, 10_000)  # real servers
PORTS = {"tcp": 8001, "http": 8002, "https": 8003}
WINDOW_SECONDS, WINDOWS, START_LIMIT_SECONDS, STOP_SECONDS = 10.0, 3, 90.0, 10.0


@dataclass(frozen=True)
class Farm:
    """So many real servers, each checked once a second."""

    name: str
    services: int
    reals_each: int
    kinds: tuple[str, ...]

    @property
    def reals(self) -> int:
        """All real servers."""
        return self.services * self.reals_each

    def configuration(self) -> str:
        """As keepalived.conf."""
        lines = ["global_defs {", " router_id bench", "}"]
        for number in range(self.services):
            kind = self.kinds[number % len(self.kinds)]
            port = PORTS[kind]
            lines.append(f"virtual_server 10.1.{number // 250}.{1 + number % 250} {port} {{")
            lines += [" delay_loop 1", " lb_algo wrr", " lb_kind DR", " protocol TCP"]
            for place in range(number * self.reals_each, (number + 1) * self.reals_each):
                lines.append(f" real_server 10.{2 + place // 62500}.{place // 250 % 250}.{1 + place % 250} {port} {{")
                lines += ["  weight 1", *_checker(kind), " }"]
            lines.append("}")
        return "\n".join(lines) + "\n"

    def own(self) -> str:
        """The same as lvsd.yaml."""
        lines = ["services:"]
        for number in range(self.services):
            kind = self.kinds[number % len(self.kinds)]
            port = PORTS[kind]
            places = range(number * self.reals_each, (number + 1) * self.reals_each)
            reals = ", ".join(f"10.{2 + place // 62500}.{place // 250 % 250}.{1 + place % 250}" for place in places)
            lines.append(f"  s{number}: {{virtual: 10.1.{number // 250}.{1 + number % 250}:{port},")
            lines.append(f"    check: {{type: {kind}, interval: 1s, timeout: 1s, fall: 1}}, real_servers: [{reals}]}}")
        return "\n".join(lines) + "\n"


def _checker(kind: str) -> list[str]:
    limits = ["   connect_timeout 1", "   retry 0", "   delay_before_retry 1"]
    if kind == "tcp":
        return ["  TCP_CHECK {", *limits, "  }"]
    return [
        "  SSL_GET {" if kind == "https" else "  HTTP_GET {",
        "   url {",
        "    path /",
        "    status_code 200",
        "   }",
        *limits,
        "  }",
    ]


@dataclass(frozen=True)
class Cost:
    """Of one program under one farm."""

    cpu_seconds_a_minute: float  # the median of the windows
    lowest: float
    highest: float
    probes_a_second: float
    memory_mib: float
    shares: dict[str, tuple[float, float]]  # CPU and memory by process
    words: str = ""  # what it says of itself


@contextlib.contextmanager
def running(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> Iterator[int]:
    """A program with its children, ended by us: its process id."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **(environment or {})}, process_group=0
        )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """Of all its threads, so far."""
    schedules = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in schedules) / 1e9


def memory_mib(pid: int) -> float:
    """Its proportional set size."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def connections() -> int:
    """How many were begun here, so far; whether they became whole is the check's affair."""
    rows = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")]
    return int(rows[1][rows[0].index("ActiveOpens")])


def name_of(pid: int) -> str:
    """What it calls itself."""
    return Path(f"/proc/{pid}/comm").read_text().strip().removeprefix("lvsd-")


def cost(pid: int, farm: Farm) -> Cost:
    """Wait until every real server is checked at its pace, then look at some windows."""
    settle(farm, pid)
    windows: list[dict[int, float]] = []
    rates = []
    for _ in range(WINDOWS):
        before, opened = {one: cpu_seconds(one) for one in family(pid)}, connections()
        began_at = time.monotonic()
        time.sleep(WINDOW_SECONDS)
        seconds = time.monotonic() - began_at
        windows.append({one: (cpu_seconds(one) - spent) * 60 / seconds for one, spent in before.items()})
        rates.append((connections() - opened) / seconds)
    totals = [sum(window.values()) for window in windows]
    shares = {
        f"{name_of(one)} {one}": (statistics.median(window[one] for window in windows), memory_mib(one))
        for one in windows[0]
    }
    memory = sum(each for _, each in shares.values())
    return Cost(statistics.median(totals), min(totals), max(totals), statistics.median(rates), memory, shares)


def settle(farm: Farm, pid: int) -> None:
    """Until nine tenths of the pace are kept, and two seconds more. Raises ProcessLookupError."""
    deadline = time.monotonic() + START_LIMIT_SECONDS
    opened = connections()
    while time.monotonic() < deadline:
        time.sleep(1.0)
        if not memory_mib(pid):
            raise ProcessLookupError(pid)
        now = connections()
        if now - opened >= 0.9 * farm.reals:
            break
        opened = now
    time.sleep(2.0)


def keepalived(farm: Farm, folder: Path) -> Cost:
    """Its checker alone; it has no other process worth counting with -C but its parent."""
    (folder / "keepalived.conf").write_text(farm.configuration())
    command = ["keepalived", "-n", "-l", "-C", "-f", "keepalived.conf", "-p", "pid", "-c", "checkers.pid"]
    with running(command, folder, {"LD_PRELOAD": str(folder / "stub.so")}) as pid:
        return cost(pid, farm)


def lvsd(farm: Farm, folder: Path) -> Cost:
    """All its processes."""
    (folder / "lvsd.yaml").write_text(farm.own())
    shutil.rmtree(folder / "state", ignore_errors=True)
    for name in ("run", "state"):
        (folder / name).mkdir(exist_ok=True)
    command = [sys.executable, "-m", "bench.native.memory_supervisor", f"--run-dir={folder / 'run'}"]
    command += [f"--state-dir={folder / 'state'}", f"--config={folder / 'lvsd.yaml'}"]
    with running(command, folder, {"PYTHONPATH": str(CHECKOUT)}) as pid:
        return replace(cost(pid, farm), words=lateness(pid, folder / "log"))


def lateness(supervisor: int, log: Path) -> str:
    """What the worker says of its schedule. Raises SystemExit when something failed that would cost time, too."""
    [worker] = (one for one in family(supervisor) if name_of(one) == "checker")
    os.kill(worker, signal.SIGUSR1)
    time.sleep(1.0)
    lines = log.read_text().splitlines()
    if faults := [line for line in lines if "_fault " in line or "_crashed " in line]:
        raise SystemExit(f"a fault of lvsd's own, what it costs is not known: {faults[-1]}")
    told = [line.split("schedule_kept ")[1] for line in lines if "schedule_kept " in line]
    return told[-1] if told else ""


def build(folder: Path) -> None:
    """The farm and the stub, in C."""
    compiler = ["gcc", "-O2", "-o"]
    subprocess.run([*compiler, folder / "farm", NATIVE / "farm.c"], check=True)
    subprocess.run([*compiler, folder / "stub.so", "-shared", "-fPIC", NATIVE / "ipvs_stub.c"], check=True)


@contextlib.contextmanager
def secure_farm(folder: Path) -> Iterator[None]:
    """nginx with a key on P-256, for all real servers that speak TLS."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(folder / "key.pem")]
    made = ["openssl", "req", "-x509", *key, "-out", str(folder / "cert.pem"), "-days", "2", "-subj", "/CN=bench"]
    subprocess.run(made, check=True, stderr=subprocess.DEVNULL)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=PORTS["https"]))
    with running(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")], folder):
        yield


def limit_of_crypto(folder: Path) -> None:
    """CPU-s that `openssl s_time` takes for 10,000 full handshakes, connections included."""
    command = ["openssl", "s_time", "-connect", f"10.2.0.1:{PORTS['https']}", "-new", "-time", str(int(WINDOW_SECONDS))]
    before = os.times()
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    [made] = [int(line.split()[0]) for line in told.splitlines() if "connections in" in line and "real" in line]
    print(f"  openssl s_time -new: {spent / made * 10_000:.2f} CPU-s for 10,000 handshakes", flush=True)


def secure(folder: Path) -> None:
    """TLS: both programs, and what the handshakes cost by themselves."""
    ours = compare(Farm("200 x 1, HTTPS", 200, 1, ("https",)), folder)
    worker = sum(cpu for who, (cpu, _) in ours.shares.items() if who.startswith("checker"))
    print(f"  lvsd's worker: {worker / 60 / ours.probes_a_second * 10_000:.2f} CPU-s for 10,000 checks")
    limit_of_crypto(folder)


def scale(folder: Path) -> None:
    """What it costs as the farm grows, as a picture."""
    found: dict[int, dict[str, Cost]] = {}
    for reals in GROWTH:
        services = reals // 10
        farm = Farm(f"{services} x 10, TCP and HTTP", services, 10, ("tcp", "http"))
        found[reals] = both(farm, folder)
    print("CPU time of one probe in microseconds, and memory of all processes; # is lvsd, o keepalived")
    for reals, costs in found.items():
        for name, mark in (("keepalived", "o"), ("lvsd", "#")):
            one = costs[name]
            each = one.cpu_seconds_a_minute / 60 / one.probes_a_second * 1e6
            kept = f"{one.probes_a_second:6.0f}/s"
            print(f"  {reals:6} {name:<10} {kept} {each:6.1f} us {one.memory_mib:6.1f} MiB  {mark * round(each / 2)}")


FARMS = {
    "tcp": Farm("1,000 x 1, TCP", 1000, 1, ("tcp",)),
    "http": Farm("1,000 x 1, HTTP", 1000, 1, ("http",)),
    "mixed": Farm("1,000 x 10, TCP and HTTP", 1000, 10, ("tcp", "http")),
}
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/log crit; worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off; ssl_session_cache off; ssl_session_tickets off;
  server {{ listen {port} ssl backlog=4096; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
           location / {{ return 200 "ok\n"; }} }}
}}
"""


def compare(farm: Farm, folder: Path) -> Cost:
    """One row for each, and their ratio. Returns ours."""
    return both(farm, folder)["lvsd"]


def both(farm: Farm, folder: Path) -> dict[str, Cost]:
    """The same, of both programs."""
    print(f"{farm.name}, interval 1 s; CPU-s a minute (lowest to highest), probes a second, memory (PSS)")
    costs = {name: program(farm, folder) for name, program in (("keepalived", keepalived), ("lvsd", lvsd))}
    for name, one in costs.items():
        print(
            f"  {name:<11}{one.cpu_seconds_a_minute:7.2f} ({one.lowest:.2f} to {one.highest:.2f})"
            f"{one.probes_a_second:9.0f}/s {one.memory_mib:7.1f} MiB   "
            + ", ".join(f"{who.split()[0]} {cpu:.2f} s {mib:.1f} MiB" for who, (cpu, mib) in one.shares.items())
            + f"\n             {one.words}" * bool(one.words),
            flush=True,
        )
    peer, ours = costs["keepalived"], costs["lvsd"]
    print(
        f"  lvsd / keepalived: CPU {ours.cpu_seconds_a_minute / peer.cpu_seconds_a_minute:.2f}, "
        f"memory {ours.memory_mib / peer.memory_mib:.2f}",
        flush=True,
    )
    return costs


BENCHES: dict[str, Callable[[Path], object]] = {
    **{name: partial(compare, farm) for name, farm in FARMS.items()},
    "tls": secure,
    "scale": scale,
}


def main() -> int:
    """Those named, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench.checks", description=__doc__)
    parser.add_argument("bench", nargs="*", help=f"{', '.join(BENCHES)}; all unless named")
    chosen = parser.parse_args().bench or [*BENCHES]
    if unknown := [name for name in chosen if name not in BENCHES]:
        parser.error(f"no bench {', '.join(unknown)} (there are: {', '.join(BENCHES)})")
    if INSIDE not in os.environ:
        command = ["unshare", "--net", sys.executable, "-m", "bench.checks", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, INSIDE: "1"}, cwd=CHECKOUT, check=False).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "local", "10.0.0.0/8", "dev", "lo"], check=True)
    with tempfile.TemporaryDirectory(prefix="lvsd-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        build(folder)
        with running([str(folder / "farm"), str(PORTS["tcp"]), str(PORTS["http"])], folder), secure_farm(folder):
            for bench in chosen:
                BENCHES[bench](folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
