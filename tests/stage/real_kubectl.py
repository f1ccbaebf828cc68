"""The real kubectl, pointed at the practice platform. It shows its token only to servers with TLS, so that one stands in front."""

import asyncio
import base64
import contextlib
import ipaddress
import json
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activities.edge.endpoints import CONFIG_CLUSTER

BIN = Path(__file__).parents[2] / ".venv" / "bin"
REGIONS = ("eu-west", "us-east")
PATIENCE = 60.0  # seconds; a whole Go program is started each time


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Kubectl:
    """A configured kubectl: one context per region."""

    environment: dict[str, str]

    async def say(self, *arguments: str, region: str = "eu-west") -> Ran:
        """Run it in a region's context, whatever comes of it."""
        return await self._run(str(BIN / "kubectl"), "--context", region, *arguments)

    async def __call__(self, *arguments: str, region: str = "eu-west") -> str:
        """Run it in a region's context. Fails unless it succeeds."""
        said = await self.say(*arguments, region=region)
        assert said.code == 0, f"kubectl {' '.join(arguments)}: {said.err}"
        return said.out

    async def shell(self, line: str) -> Ran:
        """A shell command that calls kubectl itself."""
        return await self._run("bash", "-ec", line)

    async def _run(self, *command: str) -> Ran:
        running = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            out, err = await asyncio.wait_for(running.communicate(), PATIENCE)
        finally:
            if running.returncode is None:
                running.kill()
        return Ran(running.returncode or 0, out.decode(), err.decode())


@contextlib.asynccontextmanager
async def kubectl(url: str, home: Path) -> AsyncIterator[Kubectl]:
    """A kubectl for the practice platform at `url`; its files are in `home`."""
    key, certificate = _certificate()
    (home / "key.pem").write_bytes(key)
    (home / "certificate.pem").write_bytes(certificate)
    async with _tls(url, home) as port:
        clusters = [
            {
                "name": region,
                "cluster": {
                    "server": f"https://127.0.0.1:{port}/k8s/{region}",
                    "certificate-authority-data": base64.b64encode(certificate).decode(),
                },
            }
            for region in REGIONS
        ]
        contexts = [{"name": region, "context": {"cluster": region, "user": "practice"}} for region in REGIONS]
        contexts.append({"name": CONFIG_CLUSTER, "context": {"cluster": REGIONS[0], "user": "practice"}})
        users = [{"name": "practice", "user": {"token": "practice-token"}}]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": clusters,
            "users": users,
            "contexts": contexts,
            "current-context": REGIONS[0],
        }
        (home / "config").write_text(json.dumps(config))
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        yield Kubectl({"HOME": str(home), "KUBECONFIG": str(home / "config"), "KUBECACHEDIR": str(home / "cache"), "PATH": path})


@contextlib.asynccontextmanager
async def _tls(url: str, home: Path) -> AsyncIterator[int]:
    """A TLS server that passes every byte on; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "certificate.pem", home / "key.pem")
    target = urlsplit(url)
    carriers: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside = await asyncio.open_connection(target.hostname, target.port)
        for one in (carry(reader, inside[1]), carry(inside[0], writer)):
            task = asyncio.create_task(one)
            carriers.add(task)
            task.add_done_callback(carriers.discard)

    server = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(carriers):
            task.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)


def _certificate() -> tuple[bytes, bytes]:
    """A key, and a certificate for this machine that it signed itself."""
    key, name, now = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "practice")]),
        datetime.now(UTC),
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    as_pem = serialization.Encoding.PEM
    return key.private_bytes(as_pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), certificate.public_bytes(as_pem)
