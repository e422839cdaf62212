"""A small HTTP server for /metrics, /healthz and /readyz. Every request has a deadline as a whole and a bounded size.

Written on plain sockets: http.server's time-out is per read, so a client that sends a byte a second holds a thread for hours.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from threading import BoundedSemaphore, Event, Thread
from typing import TypeAlias

HEAD_BYTES = 8192

Answer: TypeAlias = tuple[int, str, bytes]  # status, content type, body
Page: TypeAlias = Callable[[], Answer]
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error"}
_REASONS |= {408: "Request Timeout", 503: "Service Unavailable"}
_TEXT = "text/plain; charset=utf-8"


class Server:
    """Listens from the start; `address` is where. A request over `connections` waits for at most a second."""

    def __init__(
        self,
        pages: Mapping[str, Page],
        where: tuple[str, int] = ("127.0.0.1", 0),
        *,
        connections: int = 8,
        request_s: float = 5.0,
    ) -> None:
        """`where` is address and port; port 0 takes any free one."""
        self._pages, self._request_s = pages, request_s
        self._free = BoundedSemaphore(connections)
        self._ending = Event()
        self._socket = socket.create_server(where, family=_family(where[0]), backlog=16)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self.failed = 0  # pages that raised
        self.refused = 0  # connections closed because too many were open
        self._thread = Thread(target=self._accept_all, name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Accept no more. Requests that are being answered end by their own deadline."""
        self._ending.set()
        self._socket.shutdown(socket.SHUT_RDWR)  # Linux wakes a thread that waits in accept
        self._thread.join(2.0)
        self._socket.close()

    def _accept_all(self) -> None:
        while not self._ending.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:  # closed, out of descriptors, or the client is gone again: neither ends the server
                self._ending.wait(0.1)
                continue
            if self._free.acquire(timeout=1.0):
                Thread(target=self._serve, args=(client,), name="http.request", daemon=True).start()
            else:
                self.refused += 1
                client.close()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, contextlib.suppress(OSError):  # the client went away: nobody is left to be told
                deadline_s = time.monotonic() + self._request_s
                answer = self._answer(_head(client, deadline_s))
                client.settimeout(max(0.01, deadline_s - time.monotonic()))
                client.sendall(answer)
        finally:
            self._free.release()

    def _answer(self, head: bytes | None) -> bytes:
        if head is None:
            return _response((408, _TEXT, b"the request took too long, or is too long\n"), "GET")
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _response((400, _TEXT, b"not an HTTP/1 request\n"), "GET")
        if words[0] not in ("GET", "HEAD"):
            return _response((405, _TEXT, b"only GET and HEAD\n"), "GET")
        return _response(self._page(words[1].partition("?")[0]), words[0])

    def _page(self, path: str) -> Answer:
        page = self._pages.get(path)
        if page is None:
            return 404, _TEXT, f"there are {' '.join(self._pages)}\n".encode()
        try:
            return page()
        except Exception as error:  # noqa: BLE001 - the client is told, and a page that fails must not end its thread unseen
            self.failed += 1
            return 500, _TEXT, f"{type(error).__name__}: {error}\n".encode()


def pages(metrics: Callable[[], bytes], sick: Callable[[], list[str]], unready: Callable[[], list[str]]) -> dict[str, Page]:
    """The agent's three pages."""
    return {
        "/metrics": lambda: (200, "text/plain; version=0.0.4; charset=utf-8", metrics()),
        "/healthz": lambda: _verdict(sick()),
        "/readyz": lambda: _verdict(unready()),
    }


def _verdict(problems: list[str]) -> Answer:
    text = "".join(f"{problem}\n" for problem in problems) or "ok\n"
    return 503 if problems else 200, _TEXT, text.encode()


def _head(client: socket.socket, deadline_s: float) -> bytes | None:
    """The request up to its empty line; None if it does not come in time, or is too long."""
    head = b""
    while b"\r\n\r\n" not in head:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or len(head) > HEAD_BYTES:
            return None
        client.settimeout(left_s)
        try:
            more = client.recv(4096)
        except TimeoutError:
            return None
        if not more:
            return head
        head += more
    return head


def _response(answer: Answer, method: str) -> bytes:
    status, content_type, body = answer
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else body)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
