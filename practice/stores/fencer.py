"""What stops a real server and keeps it stopped, whoever starts it again: by the same contract as the fence of the practice platform."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from practice.stores.postgres import Postgres


@dataclass
class Fencer:
    """One for a cluster. `nodes`: the servers by name; a fenced one is stopped, and `start` refuses it."""

    nodes: Mapping[str, Postgres]
    token: str = "practice-token"  # noqa: S105 - the token of a practice platform is no secret
    fenced: dict[str, int] = field(default_factory=dict)  # node → the epoch at which it was fenced
    at: dict[str, float] = field(default_factory=dict)  # node → when it took no write any more
    server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        assert self.server is not None  # noqa: S101 - narrows the type
        return f"http://127.0.0.1:{self.server.server_port}"

    def start(self) -> Fencer:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        assert self.server is not None  # noqa: S101 - as above
        self.server.shutdown()

    def come_back(self, node: str) -> bool:
        """The machine is started again: its server comes up, unless it is fenced."""
        if node in self.fenced:
            return False
        self.nodes[node].start()
        return True

    def shown(self, node: str) -> dict[str, Any]:
        epoch = self.fenced.get(node, 0)
        return {"fenced": node in self.fenced, "etag": f"{node}-{epoch}", "epoch": epoch, "changed_by": ""}

    def fence(self, node: str, epoch: int) -> None:
        self.fenced[node] = epoch
        self.nodes[node].crash()
        self.at.setdefault(node, time.time())


def _handler(fencer: Fencer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._with_node(lambda node: self._answer(200, fencer.shown(node)))

        def do_PUT(self) -> None:
            def put(node: str) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.headers.get("If-Match", "").strip('"') != fencer.shown(node)["etag"]:
                    return self._answer(412, {"error": {"code": "stale_etag", "message": "read it again"}})
                if asked["fenced"]:
                    fencer.fence(node, asked["epoch"])
                return self._answer(200, fencer.shown(node))

            self._with_node(put)

        def _with_node(self, do: Any) -> None:
            parts = self.path.split("/")
            if self.headers.get("Authorization") != f"Bearer {fencer.token}":
                self._answer(401, {"error": {"code": "unauthorized", "message": "unknown token"}})
            elif len(parts) < 6 or parts[5] not in fencer.nodes:
                self._answer(404, {"error": {"code": "not_found", "message": self.path}})
            else:
                do(parts[5])

        def _answer(self, status: int, body: Any) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """It keeps no log."""

    return Handler
