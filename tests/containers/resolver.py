"""A small DNS server. `python -m tests.containers.resolver ADDRESS PORT ZONE` answers from ZONE by UDP and TCP until killed.

ZONE is JSON: name → list of [type, value], type one of A, AAAA, CNAME. A CNAME is followed into the same zone, as a
recursive server does. Names outside it are NXDOMAIN.
"""

import ipaddress
import json
import selectors
import socket
import struct
import sys

TYPES = {"A": 1, "CNAME": 5, "AAAA": 28}
TTL_S = 60
Zone = dict[str, list[tuple[str, str]]]


def answer(query: bytes, zone: Zone) -> bytes:
    """The reply to one query with one question."""
    name, end = _name(query, 12)
    (wanted,) = struct.unpack_from(">H", query, end)
    records = _chain(name.lower(), wanted, zone)
    rcode = 0 if name.lower() in zone else 3
    head = query[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1, len(records), 0, 0)
    return head + query[12 : end + 4] + b"".join(records)


def _name(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    return ".".join(labels), at + 1


def _chain(name: str, wanted: int, zone: Zone) -> list[bytes]:
    """The records of a name, and of what its CNAMEs lead to."""
    records = []
    for kind, value in zone.get(name, []):
        if kind == "CNAME":
            records += [_record(name, kind, value), *_chain(value, wanted, zone)]
        elif TYPES[kind] == wanted:
            records.append(_record(name, kind, value))
    return records


def _record(name: str, kind: str, value: str) -> bytes:
    data = _encoded(value) if kind == "CNAME" else ipaddress.ip_address(value).packed
    return _encoded(name) + struct.pack(">HHIH", TYPES[kind], 1, TTL_S, len(data)) + data


def _encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in name.split(".")) + b"\0"


def serve(address: str, port: int, zone: Zone) -> None:
    """Answer until killed. Says "ready" on standard output when it listens."""
    with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.create_server((address, port)) as tcp:
        udp.bind((address, port))
        print("ready", flush=True)  # noqa: T201
        with selectors.DefaultSelector() as ready:
            ready.register(udp, selectors.EVENT_READ, _by_udp)
            ready.register(tcp, selectors.EVENT_READ, _by_tcp)
            while True:
                for key, _ in ready.select():
                    key.data(key.fileobj, zone)


def _by_udp(udp: socket.socket, zone: Zone) -> None:
    query, client = udp.recvfrom(4096)
    udp.sendto(answer(query, zone), client)


def _by_tcp(tcp: socket.socket, zone: Zone) -> None:
    connection, _ = tcp.accept()
    with connection:
        query = connection.recv(4096)
        reply = answer(query[2:], zone)
        connection.sendall(struct.pack(">H", len(reply)) + reply)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
