"""The kernel modules the lab loads while it boots. What is missing here is still loaded on demand by the kernel.

One modprobe for all: each costs a fork and an exec (14 ms in User-Mode Linux) and the reading of its index.
br_netfilter is left out with intent: it would send what merely crosses a bridge through each host's packet filters;
and ipip, whose tunl0 would appear on every host (`modprobe ipip` works on the spot).
"""

from __future__ import annotations

MODULES = (
    "overlay",
    "ipv6",
    "af_packet",
    "unix",
    "veth",
    "bridge",
    "dummy",
    "macvlan",
    "8021q",
    "tun",
    "nf_conntrack",
    "nf_tables",
    "nft_ct",
    "sch_netem",
    "sch_tbf",
    "cls_u32",
    "cls_matchall",
    "act_gact",
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wrr",
    "ip_vs_lc",
    "ip_vs_wlc",
    "ip_vs_fo",
    "ip_vs_ovf",
    "ip_vs_lblc",
    "ip_vs_lblcr",
    "ip_vs_dh",
    "ip_vs_sh",
    "ip_vs_mh",
    "ip_vs_sed",
    "ip_vs_nq",
    "ip_vs_ftp",
)
