"""The guide's mail cluster as data: two balancers, a three-node database, two mail hosts, two networks. Pure.

Addresses are the guide's own; they exist inside the lab only. Mailboxes lie on filer1 in the guide (NFS); here mail1
and mail2 share a directory, which is what NFS gives them.
"""

from __future__ import annotations

from tests.lab.topology import Attachment, Host, Network, Share, Topology

PUBLIC = "public"
PRIVATE = "private"
VIP = "1.1.1.12"
VIP_NAME = "lb0.example.net"
DATABASES = ("db1", "db2", "filer1")
MAIL = ("mail1", "mail2")
BALANCERS = ("lb1", "lb2")
DIRECT_ROUTING = (("net.ipv4.conf.all.arp_ignore", "1"), ("net.ipv4.conf.all.arp_announce", "2"))
MAILBOXES = Share("mailboxes", "/var/vmail")


def _host(name: str, last: int, *, private: bool = True, real: bool = False, shares: tuple[Share, ...] = ()) -> Host:
    attachments = [Attachment(PUBLIC, (f"1.1.1.{last}/24",))]
    if private:
        attachments.append(Attachment(PRIVATE, (f"10.1.1.{last}/24",)))
    return Host(
        name,
        tuple(attachments),
        loopback=(f"{VIP}/32",) if real else (),
        sysctls=DIRECT_ROUTING if real else (),
        shares=shares,
    )


CLUSTER = Topology(
    "cluster",
    (Network(PUBLIC, "1.1.1.0/24", "example.net"), Network(PRIVATE, "10.1.1.0/24", "local")),
    (
        _host("client", 50, private=False),
        _host("lb1", 13),
        _host("lb2", 14),
        _host("db1", 15, real=True),
        _host("db2", 16, real=True),
        _host("filer1", 11),
        _host("mail1", 17, real=True, shares=(MAILBOXES,)),
        _host("mail2", 18, real=True, shares=(MAILBOXES,)),
    ),
    names=((VIP, f"{VIP_NAME} lb0 db.example.net mail.example.net"),),
)
