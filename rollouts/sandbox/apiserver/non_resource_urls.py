"""The paths that hold no objects: health, version, discovery, OpenAPI."""

from aiohttp import web

from rollouts.sandbox.apiserver import discovery, openapi
from rollouts.sandbox.apiserver.answers import answer, dumps
from rollouts.sandbox.apiserver.errors import ApiError, no_such_path
from rollouts.sandbox.apiserver.registry import Registry

_HEALTH = ("/healthz", "/livez", "/readyz")


def answered(request: web.Request, registry: Registry) -> web.Response:
    """
    Answer a request for such a path.

    Raises:
        ApiError: 404, there is nothing; 406, not in the form that is asked for.
    """
    path = request.path.rstrip("/")
    if path.startswith(_HEALTH):
        return web.Response(text="ok")
    if path == "/version":
        return answer(discovery.VERSION)
    if path.startswith("/openapi"):
        return _openapi(request, registry, path)
    found = _discovery(request, registry, path)
    if found is None:
        raise no_such_path()
    return found


def _openapi(request: web.Request, registry: Registry, path: str) -> web.Response:
    if path == "/openapi/v2":
        accepted = request.headers.get("Accept", "json")
        if openapi.PROTOBUF_V2 in accepted:
            body, kind = openapi.WITHOUT_KINDS_V2, openapi.PROTOBUF_V2_TYPE
            return web.Response(body=body, content_type=kind)
        if "json" not in accepted:
            raise ApiError(406, "only the following media types are accepted: application/json")
        return answer(openapi.document_v2(registry))
    if path == "/openapi/v3":
        return answer(openapi.index(registry))
    parts = path.removeprefix("/openapi/v3/").split("/")
    group, version = ("", parts[1]) if parts[0] == "api" else (*parts, "", "")[1:3]
    if (group, version) not in registry.group_versions():
        raise no_such_path()
    return answer(openapi.document(registry, group, version))


def _discovery(request: web.Request, registry: Registry, path: str) -> web.Response | None:
    if path in ("/api", "/apis") and discovery.AGGREGATED in request.headers.get("Accept", ""):
        body = discovery.aggregated(registry, core=path == "/api")
        headers = {"Content-Type": discovery.AGGREGATED_TYPE, "Vary": "Accept"}
        return web.Response(body=dumps(body).encode(), headers=headers)
    parts = path.strip("/").split("/")
    if path == "/api":
        return answer(discovery.core_versions(request.host))
    if path == "/apis":
        return answer(discovery.group_list(registry))
    if parts[0] == "api" and len(parts) == 2:
        found = discovery.resource_list(registry, "", parts[1])
    elif parts[0] == "apis" and len(parts) == 2:
        found = discovery.group(registry, parts[1])
    elif parts[0] == "apis" and len(parts) == 3:
        found = discovery.resource_list(registry, parts[1], parts[2])
    elif path == "":
        found = {
            "paths": [
                "/api",
                "/apis",
                "/healthz",
                "/livez",
                "/openapi/v2",
                "/openapi/v3",
                "/readyz",
                "/version",
            ]
        }
    else:
        found = None
    return answer(found) if found else None
