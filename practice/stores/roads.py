"""Roads to a real server: what is sent to one comes from an address of its own, and a road can be cut, as a network is."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field

from practice.stores.ports import free_port


@dataclass
class Road:
    """From a port of its own to a server, coming from `source`."""

    to: int
    source: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    cut: bool = False
    _listener: socket.socket | None = None
    _open: list[socket.socket] = field(default_factory=list)

    def start(self) -> Road:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def stop(self) -> None:
        self.close()
        if self._listener is not None:
            self._listener.close()

    def close(self) -> None:
        """Cut it: who is on it is lost, and nobody new gets through."""
        self.cut = True
        for one in self._open:
            with contextlib.suppress(OSError):
                one.close()

    def _serve(self) -> None:
        assert self._listener is not None  # noqa: S101 - narrows the type
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._lead, args=(near,), daemon=True).start()

    def _lead(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), near:
            if self.cut:
                return
            with socket.create_connection(("127.0.0.1", self.to), 2, source_address=(self.source, 0)) as far:
                far.settimeout(None)
                self._open += [near, far]
                back = threading.Thread(target=_pump, args=(far, near), daemon=True)
                back.start()
                _pump(near, far)
                back.join(2)


def _pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
