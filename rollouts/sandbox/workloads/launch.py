"""
What a container's process is: its command and its environment. Pure.

The image says nothing but the version, unless the container brings its own command: then that
is executed as given, on this machine. Volumes are not mounted and resources not limited.
"""

import base64
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rollouts.model.kinds import HASH_LABEL, JSON, FrozenJSON
from rollouts.sandbox.apiserver.objects import get_path, labels_of

DEMO_APP = (sys.executable, "-P", "-m", "rollouts.sandbox.demo_app")
DEFAULT_PORT = 8080

Data = Callable[[str, str], dict[str, str] | None]
"""(`ConfigMap` or `Secret`, name) → its data as text, or None when there is none."""

_REFERENCE = re.compile(r"\$(\$)?\(([^()]+)\)")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ConfigError(Exception):
    """A container can't be started as it is written."""


@dataclass(frozen=True, slots=True)
class Launch:
    argv: list[str]
    env: dict[str, str]


def version_of(image: str) -> str:
    """Return the image's tag; without one, the start of its digest, or `latest`."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag or digest.rpartition(":")[2][:12] or "latest"


def is_missing(image: str) -> bool:
    """Return whether the image is one that can never be pulled: so that this can be tried."""
    return "does-not-exist" in image or version_of(image) == "missing"


def launch(pod: FrozenJSON, container: FrozenJSON, data: Data) -> Launch:
    """
    Return how to start a container; the pod's address is already in its status.

    Raises:
        ConfigError: it refers to something that is not there.
    """
    given = dict(_variables(pod, container, data))
    own = [*(container.get("command") or ()), *(container.get("args") or ())]
    meta = pod["metadata"]
    env = {
        "HOSTNAME": meta["name"],
        "POD_IP": get_path(pod, "status.podIP", ""),
        "POD_NAME": meta["name"],
        "POD_NAMESPACE": meta["namespace"],
    }
    if own:
        env |= given
        return Launch([expanded(word, env) for word in own], env)
    return Launch(list(DEMO_APP), env | _demo_defaults(pod, container) | given)


def _demo_defaults(pod: FrozenJSON, container: FrozenJSON) -> dict[str, str]:
    version = version_of(container["image"])
    labels = labels_of(pod)
    revision = labels.get(HASH_LABEL) or labels.get("pod-template-hash") or version
    ports = container.get("ports") or ()
    first = container["name"] == pod["spec"]["containers"][0]["name"]
    port = ports[0]["containerPort"] if ports else DEFAULT_PORT if first else 0
    return {
        "PORT": str(port),
        "VERSION": version,
        "REVISION": revision,
        "SSL_CERT_FILE": "/dev/null",  # loading certificates is a fifth of the start-up time
        "SSL_CERT_DIR": "/dev/null",
    }


def _variables(pod: FrozenJSON, container: FrozenJSON, data: Data) -> Iterator[tuple[str, str]]:
    known: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        known |= _all_of(source, data)
    for variable in container.get("env") or ():
        reference = variable.get("valueFrom")
        if reference:
            value = _referred(pod, reference, data)
            if value is None:
                continue
        else:
            value = expanded(str(variable.get("value") or ""), known)
        known[variable["name"]] = value
    yield from known.items()


def expanded(text: str, env: dict[str, str]) -> str:
    """Return `text` with every $(NAME) of `env` put in; $$(NAME) stays $(NAME)."""

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return f"$({found[2]})"
        return env.get(found[2], found[0])

    return _REFERENCE.sub(value, text)


def _all_of(source: FrozenJSON, data: Data) -> dict[str, str]:
    kind, reference = (
        ("ConfigMap", source["configMapRef"])
        if source.get("configMapRef")
        else ("Secret", source.get("secretRef") or {})
    )
    found = data(kind, reference.get("name", ""))
    if found is None and not reference.get("optional"):
        raise ConfigError(f'{kind.lower()} "{reference.get("name")}" not found')
    return {source.get("prefix", "") + key: value for key, value in (found or {}).items()}


def _referred(pod: FrozenJSON, reference: FrozenJSON, data: Data) -> str | None:
    if reference.get("fieldRef"):
        return field(pod, reference["fieldRef"]["fieldPath"])
    for word, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if reference.get(word):
            return _key_of(kind, reference[word], data)
    return "0"  # resourceFieldRef: nothing is limited here


def _key_of(kind: str, wanted: FrozenJSON, data: Data) -> str | None:
    found = data(kind, wanted.get("name", ""))
    if found is not None and wanted["key"] in found:
        return found[wanted["key"]]
    if wanted.get("optional"):
        return None
    if found is None:
        raise ConfigError(f'{kind.lower()} "{wanted.get("name")}" not found')
    raise ConfigError(f"couldn't find key {wanted['key']} in {kind} {wanted.get('name')}")


def field(pod: FrozenJSON, path: str) -> str:
    """
    Return a field of the pod, as the downward API does.

    Raises:
        ConfigError: the field is not one that a pod may ask for.
    """
    keyed = _KEYED.fullmatch(path)
    if keyed:
        values: JSON = pod["metadata"].get(keyed[1]) or {}
        return str(values.get(keyed[2], ""))
    if path == "status.podIPs":
        path = "status.podIP"
    if path not in _FIELDS:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return str(get_path(pod, path, ""))


_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.podIP",
)


def decoded(obj: FrozenJSON) -> dict[str, str]:
    """Return what a ConfigMap or a Secret holds, as text."""
    data: dict[str, str] = obj.get("data") or {}
    if obj["kind"] != "Secret":
        return dict(data)
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
