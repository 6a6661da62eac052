"""slapd: LDAP with StartTLS and LDAPS, one entry and one account."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import certificates, process
from tests.lab.world import LiveHost

PORTS = (389, 636)
BASE = "dc=example,dc=net"
LOGIN = (f"cn=monitor,{BASE}", "monitorPassw0rd")
_HOME = "/var/lib/lab-ldap"
_SETTINGS = f"{_HOME}/slapd.conf"
_USER = "openldap"

_CONFIGURATION = f"""
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {_HOME}/pid
TLSCACertificateFile {certificates.CA}
TLSCertificateFile {_HOME}/server.pem
TLSCertificateKeyFile {_HOME}/server.key
database mdb
maxsize 10485760
suffix {BASE}
rootdn {LOGIN[0]}
rootpw {LOGIN[1]}
directory {_HOME}/data
"""

_ENTRY = f"""dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: example
o: the lab
"""


@dataclass(frozen=True, slots=True)
class Slapd:
    """LDAP and LDAPS; needs a certificate on its host."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "slapd"

    def start(self, host: LiveHost) -> None:
        """Ready when both ports listen."""
        if host.run(["test", "-e", _HOME], check=False).returncode:
            _lay(host)
        command = ["slapd", "-d", "0", "-u", _USER, "-g", _USER, "-f", _SETTINGS, "-h", "ldap:/// ldaps:///"]
        process.start(host, self.name, command, lambda: process.listening(host, *PORTS))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)


def _lay(host: LiveHost) -> None:
    own = ["install", "-o", _USER, "-g", _USER]
    host.run([*own, "-d", _HOME, f"{_HOME}/data"])
    host.run([*own, "-m", "600", certificates.CERTIFICATE, f"{_HOME}/server.pem"])
    host.run([*own, "-m", "600", certificates.KEY, f"{_HOME}/server.key"])
    host.write(_SETTINGS, _CONFIGURATION)
    host.write(f"{_HOME}/entry.ldif", _ENTRY)
    host.run(["slapadd", "-f", _SETTINGS, "-l", f"{_HOME}/entry.ldif"])
    host.run(["chown", "-R", f"{_USER}:{_USER}", f"{_HOME}/data"])
