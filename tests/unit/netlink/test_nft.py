"""The table that drops packets: its messages as pyroute2 reads them, and what a kernel with nf_tables makes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.nfnetlink.nftsocket import nft_chain_msg, nft_rule_msg, nft_table_msg

from netlink import nft_codec
from netlink.errors import NetlinkError
from netlink.family import Family
from netlink.wire import frame
from tests.unit.netlink.strategies import addresses

CHECKOUT = Path(__file__).resolve().parents[3]


def read(message: type, request: nft_codec.Request) -> object:
    kind, flags, body = request
    found = message(frame(kind, flags, 1, body))
    found.decode()
    return found


def test_the_table_belongs_to_its_socket() -> None:
    table, _, *_ = nft_codec.new_table(Family.INET, ["192.0.2.1"])
    found = read(nft_table_msg, table)
    assert (found["nfgen_family"], found.get_attr("NFTA_TABLE_NAME")) == (2, "lvsd")  # type: ignore[index, attr-defined]
    assert table[2].endswith(bytes.fromhex("0800020000000002"))  # NFT_TABLE_F_OWNER


def test_the_chain_comes_after_ipvs() -> None:
    chain = read(nft_chain_msg, nft_codec.new_table(Family.INET6, [])[1])
    hook = chain.get_attr("NFTA_CHAIN_HOOK")  # type: ignore[attr-defined]
    assert (hook.get_attr("NFTA_HOOK_HOOKNUM"), hook.get_attr("NFTA_HOOK_PRIORITY")) == (1, 200)
    assert chain.get_attr("NFTA_CHAIN_TYPE") == "filter"  # type: ignore[attr-defined]


def expressions(request: nft_codec.Request) -> list[str]:
    rule = read(nft_rule_msg, request)
    return [one.get_attr("NFTA_EXPR_NAME") for one in rule.get_attr("NFTA_RULE_EXPRESSIONS")]  # type: ignore[attr-defined]


@given(st.sampled_from(tuple(Family)).flatmap(lambda family: st.tuples(st.just(family), addresses(family))))
def test_a_rule_compares_the_destination_and_drops(case: tuple[Family, str]) -> None:
    family, address = case
    *_, rule = nft_codec.new_table(family, [address])
    assert expressions(rule) == ["payload", "cmp", "counter", "immediate"]


def test_neighbours_are_heard_first() -> None:
    _, _, first, second, last = nft_codec.new_table(Family.INET6, ["2001:db8::1"])
    assert expressions(first) == expressions(second) == ["meta", "cmp", "payload", "cmp", "counter", "immediate"]
    assert len(expressions(last)) == 4


@pytest.mark.parametrize("address", ["", "192.0.2", "2001:db8::1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(NetlinkError, match="cannot be said"):
        nft_codec.new_table(Family.INET, [address])


# in a kernel

STORY = """
import subprocess
from netlink.errors import NetlinkError
from netlink.nft_socket import DropTable

def run(command):
    return subprocess.run(command.split(), capture_output=True, text=True)

def reached(address):
    source = "2001:db8::1" if ":" in address else "198.51.100.1"
    return run(f"ping -c1 -W1 -n -I {source} {address}").returncode == 0

four, six = "192.0.2.77", "2001:db8::77"
run("ip link set lo up")
run(f"ip address add {four}/32 dev lo")
run(f"ip address add {six}/128 dev lo nodad")
run("ip address add 198.51.100.1/32 dev lo")
run("ip address add 2001:db8::1/128 dev lo nodad")
assert reached(four) and reached(six)
drops = DropTable()
drops.set([four, six])
rules = run("nft list ruleset").stdout
assert "ip daddr 192.0.2.77 counter" in rules and "ip6 daddr 2001:db8::77 counter" in rules, rules
assert not reached(four) and not reached(six)
run("nft flush ruleset")
assert not reached(four), "flushed by a hand"
drops.set([six])
assert reached(four) and not reached(six)
drops.set([])
assert reached(six) and run("nft list ruleset").stdout == ""
run("nft add table ip lvsd")
try:
    drops.set([four])
except NetlinkError as error:
    assert error.errno == 17, error
assert reached(four) and "table ip lvsd" in run("nft list ruleset").stdout, "a stranger's table"
run("nft delete table ip lvsd")
drops.set([four])
assert not reached(four)
del drops
assert reached(four), "it goes with its socket"
print("done")
"""
_IN_ITS_OWN = ["unshare", "--net"]


def _kernel_has_it() -> bool:
    asked = subprocess.run([*_IN_ITS_OWN, "nft", "add table ip t { flags owner; }"], capture_output=True, check=False)
    return asked.returncode == 0


@pytest.mark.skipif("not _kernel_has_it()", reason="no nf_tables here, or not for us")
def test_a_kernel_drops_and_forgets() -> None:
    done = subprocess.run(
        [*_IN_ITS_OWN, sys.executable, "-c", STORY],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr
