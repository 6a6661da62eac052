"""Dovecot and Postfix as a mail host runs them: one user, whose submitted mail can be read back.

Mailboxes are Maildirs under /var/vmail, which the cluster's mail hosts share.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.daemons import certificates, process
from tests.lab.world import LiveHost

USER = ("user", "userPassw0rd")
MAILBOXES = "/var/vmail"
IMAP_PORTS = (143, 993)
POP_PORTS = (110, 995)
SMTP_PORTS = (25, 465, 587)
_UID = 5000  # of the mailboxes; it needs no name

_DOVECOT = f"""
protocols = imap pop3
listen = *
ssl = yes
ssl_cert = <{certificates.CERTIFICATE}
ssl_key = <{certificates.KEY}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %Ln
mail_location = maildir:{MAILBOXES}/%Ln/Maildir
first_valid_uid = {_UID}
log_path = /var/log/dovecot.log
passdb {{
  driver = passwd-file
  args = /etc/lab/users
}}
userdb {{
  driver = static
  args = uid={_UID} gid={_UID} home={MAILBOXES}/%Ln
}}
service auth {{
  unix_listener /var/spool/postfix/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
service imap-login {{
  process_min_avail = 0
}}
service pop3-login {{
  process_min_avail = 0
}}
"""

# No DNS in the lab: names come from /etc/hosts, and nothing may wait for a resolver.
_MAIN_CF = f"""
compatibility_level = 3.6
myhostname = {{name}}
mydestination = localhost
inet_protocols = ipv4
maillog_file = /var/log/mail.log
smtp_host_lookup = native
disable_dns_lookups = yes
smtpd_peername_lookup = no
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.net
virtual_mailbox_maps = inline:{{{{ {USER[0]}@example.net={USER[0]}/Maildir/ }}}}
virtual_mailbox_base = {MAILBOXES}
virtual_uid_maps = static:{_UID}
virtual_gid_maps = static:{_UID}
smtpd_tls_cert_file = {certificates.CERTIFICATE}
smtpd_tls_key_file = {certificates.KEY}
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = yes
smtpd_tls_auth_only = yes
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated reject_unauth_destination
"""

_MASTER_CF = """
smtp       inet n - n - - smtpd
smtps      inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
submission inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
pickup     unix n - n 60 1 pickup
cleanup    unix n - n - 0 cleanup
qmgr       unix n - n 300 1 qmgr
tlsmgr     unix - - n 1000? 1 tlsmgr
rewrite    unix - - n - - trivial-rewrite
bounce     unix - - n - 0 bounce
defer      unix - - n - 0 bounce
trace      unix - - n - 0 bounce
verify     unix - - n - 1 verify
flush      unix n - n 1000? 0 flush
proxymap   unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp       unix - - n - - smtp
relay      unix - - n - - smtp
showq      unix n - n - - showq
error      unix - - n - - error
retry      unix - - n - - error
discard    unix - - n - - discard
local      unix - n n - - local
virtual    unix - n n - - virtual
lmtp       unix - - n - - lmtp
anvil      unix - - n - 1 anvil
scache     unix - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """IMAP and POP3, plain and TLS, and Postfix's authentication."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "dovecot"

    def start(self, host: LiveHost) -> None:
        """Ready when all four ports listen."""
        host.write("/etc/dovecot/lab.conf", _DOVECOT)
        host.write("/etc/lab/users", f"{USER[0]}:{{PLAIN}}{USER[1]}::::::\n")
        host.run(["install", "-d", "-m", "770", "-o", str(_UID), "-g", str(_UID), f"{MAILBOXES}/{USER[0]}"])
        host.run(["mkdir", "-p", "/var/spool/postfix/private"])
        command = ["dovecot", "-F", "-c", "/etc/dovecot/lab.conf"]
        ports = (*IMAP_PORTS, *POP_PORTS)
        process.start(host, self.name, command, lambda: process.listening(host, *ports))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM."""
        process.stop(host, self.name)


@dataclass(frozen=True, slots=True)
class Postfix:
    """SMTP on 25, TLS from the first byte on 465, submission with STARTTLS on 587."""

    @property
    def name(self) -> str:
        """What its log is called."""
        return "postfix"

    def start(self, host: LiveHost) -> None:
        """Ready when all three ports listen. `postfix start` checks its whole spool: 1 to 2 s of forks."""
        host.write("/etc/postfix/main.cf", _MAIN_CF.format(name=f"{host.name}.example.net"))
        host.write("/etc/postfix/master.cf", _MASTER_CF)
        process.start(host, self.name, ["postfix", "start-fg"], lambda: process.listening(host, *SMTP_PORTS))

    def stop(self, host: LiveHost) -> None:
        """By its own command, which waits for its processes."""
        host.run(["postfix", "stop"])
        process.await_end(host, self.name)
