"""nginx: a page that names its host, and the page the guide's check asks for."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import certificates, process
from tests.lab.world import LiveHost

PORTS = (80, 443)
ROOT = "/var/www/lab"
CHECK_PAGE = f"{ROOT}/ldirectord.txt"
_CONFIGURATION = f"""
user www-data;
worker_processes 1;
pid /run/nginx.pid;
daemon off;
events {{ worker_connections 512; }}
http {{
    access_log /var/log/nginx/access.log;
    default_type text/plain;
    server {{
        listen 80 default_server;
        listen 443 ssl default_server;
        ssl_certificate {certificates.CERTIFICATE};
        ssl_certificate_key {certificates.KEY};
        root {ROOT};
        index index.html;
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """HTTP and HTTPS."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "nginx"

    def start(self, host: LiveHost) -> None:
        """Ready when both ports listen."""
        host.write("/etc/nginx/lab.conf", _CONFIGURATION)
        host.write(f"{ROOT}/index.html", f"{host.name}\n")
        host.write(CHECK_PAGE, "ldirectord\n")
        command = ["nginx", "-c", "/etc/nginx/lab.conf"]
        process.start(host, self.name, command, lambda: process.listening(host, *PORTS))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)
