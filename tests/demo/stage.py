"""The guide's cluster as the demo's scenes use it: hosts by name, lvsd on the balancers, what the kernel holds."""

from __future__ import annotations

from pathlib import Path

from tests.demo.narrator import Narrator, StepFailed
from tests.lab import service
from tests.lab.balancer import Balancer
from tests.lab.daemons import web
from tests.lab.daemons.process import DaemonFailed
from tests.lab.world import CHECKOUT, LiveHost, World

VIP = "1.1.1.12"
BALANCERS = ("lb1", "lb2")
EXAMPLES = f"{CHECKOUT}/examples/iredmail"
SECRETS = {"/etc/lvsd/vrrp.secret": "mySuper1\n", "/etc/lvsd/mysql.secret": "monitoringPassw0rd\n"}


class Stage:
    """A world of the cluster, and the narrator who tells of it."""

    def __init__(self, world: World, tell: Narrator) -> None:
        self.world = world
        self.tell = tell
        self.page = web.CHECK_PAGE
        self._balancers: dict[str, Balancer] = {}

    def build(self) -> None:
        """Start every daemon but lvsd."""
        self.tell.step("the cluster starts: MariaDB with Galera on three nodes, nginx, Dovecot and Postfix on two")
        service.up(self.world, progress=lambda text: self.tell.say(f"  ... {text}"))

    def host(self, name: str) -> LiveHost:
        return self.world[name]

    def install(self, name: str) -> None:
        """The example's configuration and its secrets, as an administrator would put them."""
        host = self.host(name)
        for path, text in SECRETS.items():
            host.write(path, text, 0o600)
        self._balancers[name] = Balancer(host, (Path(EXAMPLES) / f"{name}.yaml").read_text())

    def start(self, name: str) -> None:
        """`lvsd run`, in the background as systemd would."""
        self.tell.say(f"{name}# lvsd run -c /etc/lvsd/lvsd.yaml &")
        self.tell.wait(f"lvsd is up on {name}", self._balancers[name].start, 40)

    def stop(self, name: str) -> None:
        """SIGTERM to lvsd."""
        self.tell.say(f"{name}# kill $(cat /run/lvsd/lvsd.pid)")
        status = self._balancers[name].stop()
        self.tell.check(f"lvsd on {name} ended with exit status 0", status == 0, status)

    def all_serve(self, name: str) -> bool:
        """Whether every real server of every service stands at `serving`."""
        standings = self._balancers[name].standings()
        return len(standings) >= 12 and set(standings.values()) == {"serving"}

    def holds(self, name: str) -> bool:
        """Whether the virtual address is on that balancer's interface."""
        return f"{VIP}/" in self._balancers[name].addresses()

    def weight(self, balancer: str, port: int, real: str) -> int | None:
        """The weight the kernel of that balancer holds for a real server; None when it is not in the table."""
        return self._balancers[balancer].weights(port).get(self.host(real).address())

    def stop_database(self, name: str) -> None:
        """Stop MariaDB in good order."""
        self.tell.say(f"{name}# systemctl stop mariadb")
        self.host(name).stop(service.node(self.world, name))

    def start_database(self, name: str) -> None:
        """Start it again; it joins the cluster it knows."""
        self.tell.say(f"{name}# systemctl start mariadb")
        try:
            self.host(name).start(service.node(self.world, name))
        except (AssertionError, DaemonFailed) as error:
            raise StepFailed(str(error)) from error
