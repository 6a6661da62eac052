"""nginx, Dovecot, Postfix and HAProxy as they stand behind a proxy: they want the PROXY protocol's header first."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import certificates, process
from tests.lab.world import LiveHost

NETWORK = "192.0.2.0/24"
HTTP, HTTPS, IMAP, IMAPS, POP = 1080, 1443, 1143, 1993, 1110
SMTP, SMTPS, SUBMISSION, POSTSCREEN, FRONTEND = 1025, 1465, 1587, 1026, 1081
PLAIN = 1090  # nginx, for those who come by themselves
ACCESS = "/var/log/nginx-behind.log"

_NGINX = f"""user www-data;
worker_processes 1;
pid /run/nginx-behind.pid;
daemon off;
events {{ worker_connections 128; }}
http {{
    log_format who '$remote_addr "$proxy_protocol_addr" $server_port $uri';
    access_log {ACCESS} who;
    server {{
        listen {HTTP} proxy_protocol;
        listen [::]:{HTTP} proxy_protocol ipv6only=on;
        listen {HTTPS} ssl proxy_protocol;
        listen {PLAIN};
        listen [::]:{PLAIN} ipv6only=on;
        ssl_certificate {certificates.CERTIFICATE};
        ssl_certificate_key {certificates.KEY};
        location / {{ return 200 "well\\n"; }}
    }}
}}
"""
_DOVECOT = f"""protocols = imap pop3
base_dir = /run/dovecot-behind
haproxy_trusted_networks = {NETWORK}
haproxy_timeout = 3s
ssl = yes
ssl_cert = <{certificates.CERTIFICATE}
ssl_key = <{certificates.KEY}
log_path = /var/log/dovecot-behind.log
auth_mechanisms = plain
passdb {{
  driver = static
  args = nopassword=y
}}
service imap-login {{
  inet_listener imap {{
    port = {IMAP}
    haproxy = yes
  }}
  inet_listener imaps {{
    port = {IMAPS}
    ssl = yes
    haproxy = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {POP}
    haproxy = yes
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""
_MAIN_CF = f"""compatibility_level = 3.6
myhostname = mail.example.net
mydestination = localhost
inet_protocols = ipv4
maillog_file = /var/log/mail.log
disable_dns_lookups = yes
smtp_host_lookup = native
smtpd_peername_lookup = no
mynetworks = 127.0.0.0/8
smtpd_tls_cert_file = {certificates.CERTIFICATE}
smtpd_tls_key_file = {certificates.KEY}
smtpd_tls_security_level = may
smtpd_upstream_proxy_protocol = haproxy
postscreen_upstream_proxy_protocol = haproxy
postscreen_greet_wait = 1s
postscreen_cache_map =
"""
_MASTER_CF = f"""{SMTP} inet n - n - - smtpd
{SMTPS} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
{SUBMISSION} inet n - n - - smtpd
{POSTSCREEN} inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
  -o smtpd_upstream_proxy_protocol=
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_HAPROXY = f"""defaults
    mode http
    timeout connect 2s
    timeout client 2s
    timeout server 2s
frontend door
    bind :{FRONTEND} accept-proxy
    http-request return status 200
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """HTTP and HTTPS behind the header, and HTTP without."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "nginx-behind"

    def start(self, host: LiveHost) -> None:
        """Ready when its ports listen."""
        host.write("/etc/nginx/behind.conf", _NGINX)
        command = ["nginx", "-c", "/etc/nginx/behind.conf"]
        process.start(host, self.name, command, lambda: process.listening(host, HTTP, HTTPS, PLAIN))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)


@dataclass(frozen=True, slots=True)
class Dovecot:
    """IMAP, IMAP over TLS and POP3."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "dovecot-behind"

    def start(self, host: LiveHost) -> None:
        """Ready when its ports listen."""
        host.write("/etc/dovecot/behind.conf", _DOVECOT)
        command = ["dovecot", "-F", "-c", "/etc/dovecot/behind.conf"]
        process.start(host, self.name, command, lambda: process.listening(host, IMAP, IMAPS, POP))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)


@dataclass(frozen=True, slots=True)
class Postfix:
    """SMTP with STARTTLS, over TLS, and by postscreen."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "postfix-behind"

    def start(self, host: LiveHost) -> None:
        """Ready when its ports listen."""
        host.write("/etc/postfix/main.cf", _MAIN_CF)
        host.write("/etc/postfix/master.cf", _MASTER_CF)
        ports = (SMTP, SMTPS, SUBMISSION, POSTSCREEN)
        process.start(host, self.name, ["postfix", "start-fg"], lambda: process.listening(host, *ports))

    def stop(self, host: LiveHost) -> None:
        """By its own command, which waits for its processes."""
        host.run(["postfix", "stop"])
        process.await_end(host, self.name)


@dataclass(frozen=True, slots=True)
class Haproxy:
    """HTTP."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "haproxy-behind"

    def start(self, host: LiveHost) -> None:
        """Ready when its port listens."""
        host.write("/etc/haproxy-behind.cfg", _HAPROXY)
        command = ["haproxy", "-db", "-f", "/etc/haproxy-behind.cfg"]
        process.start(host, self.name, command, lambda: process.listening(host, FRONTEND))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)
