"""Peers and ports that were seen, as rules of egress and listen: neighbours as a network, many ports as a range."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

from model.behaviour import Peer, Seen
from model.fields import PROTOCOLS
from model.suggestion import NAMES, Rule, rule_of

Address: TypeAlias = IPv4Address | IPv6Address

NEIGHBOURS: Final = 8  # addresses of one /24 or /64 with the same ports that are a network
PORTS: Final = 8  # ports of one address that are a range


def egress(seen: list[tuple[Peer, Seen]]) -> list[Rule]:
    """Addresses, those with the same ports and many neighbours as networks."""
    by_address: defaultdict[Address, list[tuple[Peer, Seen]]] = defaultdict(list)
    for peer, one in seen:
        if (address := _address(peer.address)) is not None:
            by_address[address].append((peer, one))
    alike: defaultdict[tuple[str, ...], list[Address]] = defaultdict(list)
    for address, members in by_address.items():
        alike[_ports([peer for peer, _ in members])].append(address)
    rules = []
    for ports, addresses in alike.items():
        for network, inside in _networks(addresses).items():
            of_it = [one for address in inside for _, one in by_address[address]]
            rules.append(rule_of("egress", network, of_it, ports=ports))
    return rules


def _address(text: str) -> Address | None:
    """As rules are written: IPv4 as IPv4, without a zone. None for what is no address."""
    try:
        found = ip_address(ip_address(text).packed)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _ports(peers: Sequence[Peer]) -> tuple[str, ...]:
    """In words; () where a protocol without ports is among them, which only a rule without ports allows."""
    by_protocol: defaultdict[str, set[int]] = defaultdict(set)
    for peer in peers:
        by_protocol[NAMES.get(peer.protocol, "")].add(peer.port)
    if any(protocol not in PROTOCOLS for protocol in by_protocol):
        return ()
    return tuple(word for protocol in PROTOCOLS for word in _in_words(by_protocol[protocol], protocol))


def _in_words(ports: set[int], protocol: str) -> list[str]:
    if len(ports) >= PORTS:
        return [f"{min(ports)}-{max(ports)}/{protocol}"]
    return [f"{port}/{protocol}" for port in sorted(ports)]


def _networks(addresses: Iterable[Address]) -> dict[str, list[Address]]:
    """Neighbours as one network, no larger than they need: many of one /24 or /64."""
    around: defaultdict[object, list[Address]] = defaultdict(list)
    for address in sorted(addresses, key=lambda one: (one.version, int(one))):
        around[ip_network((address, 24 if address.version == 4 else 64), strict=False)].append(address)
    found: dict[str, list[Address]] = {}
    for near in around.values():
        if len(near) >= NEIGHBOURS:
            bits = (int(near[0]) ^ int(near[-1])).bit_length()
            found[str(ip_network((near[0], near[0].max_prefixlen - bits), strict=False))] = near
        else:
            found.update({str(address): [address] for address in near})
    return found


def listen(seen: list[tuple[Peer, Seen]]) -> list[Rule]:
    """Ports on any address; where only loopback was seen, on that alone."""
    by_port: defaultdict[tuple[int, int], list[tuple[Address, Peer, Seen]]] = defaultdict(list)
    for peer, one in seen:
        if (address := _address(peer.address)) is not None:
            by_port[peer.protocol, peer.port].append((address, peer, one))
    by_place: defaultdict[tuple[str, str], list[tuple[Peer, Seen]]] = defaultdict(list)
    for (protocol, _), members in by_port.items():
        inside = all(address.is_loopback for address, _, _ in members)
        named = NAMES.get(protocol, "") in PROTOCOLS
        for address, peer, one in members:
            by_place[str(address) if inside or not named else "", str(protocol)].append((peer, one))
    rules = []
    for (place, _), of_it in by_place.items():
        for word in _ports([peer for peer, _ in of_it]) or ("",):
            of_word = [one for peer, one in of_it if not word or _in(word, peer.port)]
            what, ports = (place, (word,) if word else ()) if place else (word, ())
            rules.append(rule_of("listen", what, of_word, ports=ports))
    return rules


def _in(word: str, port: int) -> bool:
    low, _, high = word.partition("/")[0].partition("-")
    return int(low) <= port <= int(high or low)
