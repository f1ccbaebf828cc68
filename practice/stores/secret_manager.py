"""Secret Manager by gRPC, on loopback and in the loop of the world: for the official client. Every call is one of the face's routes."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import httpx
from google.cloud import secretmanager_v1 as sm

from practice.http.face import TOKEN
from practice.http.in_process import BASE_URL, InProcess
from practice.world.world import World

HOST = "127.0.0.1"
SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
PASSED_ON = ("x-incident-id", "x-workflow-time", "x-pace", "idempotency-key")
State = sm.SecretVersion.State


class _Servicer:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    def handler(self) -> grpc.GenericRpcHandler:
        calls: dict[str, tuple[Any, Any, Any]] = {
            "AddSecretVersion": (self.add, sm.AddSecretVersionRequest, sm.SecretVersion),
            "ListSecretVersions": (self.listed, sm.ListSecretVersionsRequest, sm.ListSecretVersionsResponse),
            "GetSecretVersion": (self.get, sm.GetSecretVersionRequest, sm.SecretVersion),
            "AccessSecretVersion": (self.access, sm.AccessSecretVersionRequest, sm.AccessSecretVersionResponse),
            "DisableSecretVersion": (self._change("disable"), sm.DisableSecretVersionRequest, sm.SecretVersion),
            "EnableSecretVersion": (self._change("enable"), sm.EnableSecretVersionRequest, sm.SecretVersion),
            "DestroySecretVersion": (self._change("destroy"), sm.DestroySecretVersionRequest, sm.SecretVersion),
        }
        methods = {
            name: grpc.unary_unary_rpc_method_handler(does, request_deserializer=asked.deserialize, response_serializer=answers.serialize)
            for name, (does, asked, answers) in calls.items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def add(self, request: Any, context: Any) -> Any:
        payload = {"data": base64.b64encode(request.payload.data).decode()}
        if "data_crc32c" in request.payload:
            payload["dataCrc32c"] = str(request.payload.data_crc32c)
        return _version(await self._asked(context, "POST", f"{request.parent}:addVersion", json={"payload": payload}))

    async def listed(self, request: Any, context: Any) -> Any:
        asked = {"pageSize": request.page_size, "pageToken": request.page_token}
        said = await self._asked(context, "GET", f"{request.parent}/versions", params={name: one for name, one in asked.items() if one})
        found = [_version(one) for one in said["versions"]]
        return sm.ListSecretVersionsResponse(versions=found, next_page_token=said.get("nextPageToken", ""), total_size=said["totalSize"])

    async def get(self, request: Any, context: Any) -> Any:
        return _version(await self._asked(context, "GET", request.name))

    async def access(self, request: Any, context: Any) -> Any:
        said = await self._asked(context, "GET", f"{request.name}:access")
        payload = {"data": base64.b64decode(said["payload"]["data"]), "data_crc32c": int(said["payload"]["dataCrc32c"])}
        return sm.AccessSecretVersionResponse(name=said["name"], payload=payload)

    def _change(self, to: str) -> Callable[[Any, Any], Awaitable[Any]]:
        async def change(request: Any, context: Any) -> Any:
            return _version(await self._asked(context, "POST", f"{request.name}:{to}", json={"etag": request.etag}))

        return change

    async def _asked(self, context: Any, method: str, of: str, **more: Any) -> dict[str, Any]:
        given = {name: str(said) for name, said in context.invocation_metadata() if name in PASSED_ON}
        try:
            said = await self._http.request(
                method, f"/secretmanager/v1/{of}", headers={"Authorization": f"Bearer {TOKEN}", **given}, **more
            )
        except httpx.TransportError:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        body: dict[str, Any] = said.json()
        if said.is_redirect:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "it is not here any more")
        if said.is_error:
            await context.abort(_code(body["error"]["status"]), body["error"]["message"])
        return body


def _code(name: str) -> grpc.StatusCode:
    return getattr(grpc.StatusCode, name, grpc.StatusCode.UNKNOWN)


def _version(said: dict[str, Any]) -> Any:
    return sm.SecretVersion({"name": said["name"], "state": getattr(State, said["state"]), "etag": said["etag"]})


@contextlib.asynccontextmanager
async def secret_manager(world: World, port: int = 0) -> AsyncIterator[str]:
    """Serve the secrets of `world` until the block ends; yields `host:port`."""
    async with httpx.AsyncClient(base_url=BASE_URL, transport=InProcess(world), timeout=None) as http:  # noqa: S113 - the client has its own
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((_Servicer(http).handler(),))
        bound = server.add_insecure_port(f"{HOST}:{port}")
        await server.start()
        try:
            yield f"{HOST}:{bound}"
        finally:
            await server.stop(0)
