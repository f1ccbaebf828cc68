"""A port of loopback that is free."""

import contextlib
import random
import socket


def free_port() -> int:
    """Below 32768: a port that the kernel would choose may be taken by any outgoing call before the server has started."""
    while True:
        with socket.socket() as listener, contextlib.suppress(OSError):
            port = random.SystemRandom().randrange(15_000, 32_000)
            listener.bind(("127.0.0.1", port))
            return port
