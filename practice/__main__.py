"""`python -m practice`: serve one world until SIGTERM. One JSON line on stdout when ready, the log on stderr."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from pathlib import Path

from practice.http.server import serve
from practice.knowledge.library import Knowledge
from practice.services.fleet_cast import SERVICES
from practice.stores import valkey
from practice.stores.mail import mail_server
from practice.stores.secret_manager import secret_manager
from practice.world.world import World


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m practice", description="A small AI-agentic platform to practise on.")
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    parser.add_argument("--seed", type=int, default=7, help="names and chance")
    parser.add_argument("--pace", type=float, default=1.0, help="world seconds per real second")
    parser.add_argument("--following", action="store_true", help="no clock of its own: follow the time it is shown")
    parser.add_argument("--state", type=Path, help="directory for effects.jsonl")
    parser.add_argument("--service", default="chat", help="name of the one service, and of its route")
    parser.add_argument("--services", default=",".join(SERVICES), help="names of the services with revisions and regions, by commas")
    parser.add_argument("--rules", type=Path, action="append", default=[], help="Prometheus rule file; may be repeated")
    parser.add_argument("--smtp-port", type=int, default=0, help="loopback port of the mail server; 0 takes a free one")
    parser.add_argument("--secrets-port", type=int, default=0, help="loopback port of the secret store (gRPC); 0 takes a free one")
    parser.add_argument("--cache-port", type=int, help="loopback port of a real Valkey that answers are cached in; 0 takes a free one")
    parser.add_argument("--receiver", help="URL that alerts are posted to, as an Alertmanager does")
    parser.add_argument("--receiver-token", default="practice-token", help="bearer token for the receiver")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    services = tuple(name.strip() for name in arguments.services.split(",") if name.strip())
    world = World(arguments.seed, arguments.pace, arguments.following, arguments.state, arguments.service, services)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    kept = valkey.running(arguments.cache_port) if arguments.cache_port is not None else contextlib.nullcontext()
    async with (
        serve(world, arguments.rules, arguments.receiver, arguments.receiver_token, arguments.port) as url,
        mail_server(world, arguments.smtp_port) as smtp,
        secret_manager(world, arguments.secrets_port) as secrets,
    ):
        with kept as cache:
            world.state.part(Knowledge).cache = cache.address(valkey.PRODUCT) if cache else ""
            said = {"cache": cache.address()} if cache else {}
            print(json.dumps({"url": url, "smtp": smtp, "secrets": secrets, **said, "pid": os.getpid()}), flush=True)
            await stop.wait()


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(_run(_arguments()))


if __name__ == "__main__":
    main()
