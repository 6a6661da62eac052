"""ldirectord.cf as it is: read, mapped to the configuration. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from config import codes
from config.build_service import Built
from config.ldirectord import directives as d
from config.ldirectord.build import ServerBudget, Shared, asks_pages, build_section
from config.ldirectord.executed import executed
from config.ldirectord.hooks import absolute, callback
from config.ldirectord.lines import Line, split_lines
from config.ldirectord.names import Names
from config.ldirectord.servers import Server, read_fallback
from config.ldirectord.told import note_left_out, note_maintenance, note_unused_globally
from config.ldirectord.values import Said
from config.nodes import At, Place
from config.parts import Part
from config.reading import Reading


def read_ldirectord(path: str, text: str, reading: Reading) -> Part:
    """The services of the file, what it wants of the processes, and the files it wants run with it."""
    lines = split_lines(path, text, reading)
    names = Names(reading)
    top = d.read_directives(lines.top, d.TOP, reading)
    note_left_out(lines.top, top, reading)
    shared = Shared(top, _fallbacks(lines.top, names, reading), names, ServerBudget())
    own = [d.read_directives(section[1:], d.SECTION, reading) for section in lines.sections]
    sections = zip(lines.sections, own, strict=True)
    built = [build_section(section, said, shared, reading) for section, said in sections]
    services = tuple(one for one in built if one is not None)
    _note_redirects(services, reading)
    note_unused_globally(top, [one.service for one in services], reading)
    return Part(
        services,
        clear_table=_clear_table(path, top, own, reading),
        autoreload=top.value(d.AUTORELOAD, default=False),
        on_config_change=callback(top, reading),
        maintenance_directory=_maintenance(top, reading),
        further=executed(lines.top, reading),
    )


def _maintenance(top: Said, reading: Reading) -> At[str] | None:
    said = top.get(d.MAINTENANCE)
    if said is None or not said.value:
        return None
    folder = At(absolute(said, d.MAINTENANCE, reading), said.place)
    note_maintenance(folder, reading)
    return folder


def _fallbacks(lines: Sequence[Line], names: Names, reading: Reading) -> dict[bool, Server]:
    """The file's fallback servers by "is IPv6"; other lines that name servers cannot stand there."""
    found: dict[bool, Server] = {}
    for line in lines:
        if line.value is None or line.name not in d.SERVER_LINES:
            continue
        if line.name in ("real", "real6"):
            reading.error(codes.LD_UNKNOWN, line.place, f"`{line.name}` cannot be said globally", "below a `virtual=`")
            continue
        server = read_fallback(line, names, reading)
        if server is not None:
            found[line.name == "fallback6"] = server
    return found


def _note_redirects(services: Sequence[Built], reading: Reading) -> None:
    first = next((one for one in services if asks_pages(one.service)), None)
    if first is not None:
        message = "redirects are not followed: a real server that answers with one is found down"
        reading.warning(codes.LD_OTHERWISE, first.place, message, "request= the page it leads to; told once a file")


def _clear_table(path: str, top: Said, sections: Sequence[Said], reading: Reading) -> At[bool] | None:
    """cleanstop, whose default is yes. lvsd does it for all services or none; where they differ the table stays."""
    shared = top.get(d.CLEANSTOP) or At(value=True, place=Place(path, 1, 1))
    wishes = [own.get(d.CLEANSTOP) or shared for own in sections]
    other = next((one for one in wishes if one.value is not wishes[0].value), None)
    if other is None:
        return wishes[0] if wishes else None
    message = "cleanstop differs from one virtual service to another: nothing is cleared at stop"
    reading.warning(codes.LD_OTHERWISE, other.place, message, "say the same in all of them")
    return At(value=False, place=other.place)
