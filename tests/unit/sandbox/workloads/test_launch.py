"""What a container's process is given."""

import pytest

from rollouts.model.kinds import JSON
from rollouts.sandbox.workloads.launch import (
    DEMO_APP,
    ConfigError,
    Launch,
    expanded,
    is_missing,
    launch,
    version_of,
)

DATA = {
    ("ConfigMap", "settings"): {"COLOUR": "blue", "SIZE": "xl"},
    ("Secret", "key"): {"token": "t"},
}


def launched(container: JSON, **pod: JSON) -> Launch:
    whole = {"name": "app", "image": "shop/checkout:v3", **container}
    body: JSON = {
        "metadata": {"name": "web-1", "namespace": "shop", "labels": {"tier": "front"}},
        "spec": {"containers": [whole]},
        "status": {"podIP": "127.9.1.1"},
        **pod,
    }
    return launch(body, whole, lambda kind, name: DATA.get((kind, name)))


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("checkout:v3", "v3"),
        ("host:5000/shop/checkout:v3", "v3"),
        ("host:5000/shop/checkout", "latest"),
        ("checkout:v3@sha256:0123456789abcdef", "v3"),
        ("checkout@sha256:0123456789abcdef", "0123456789ab"),
    ],
)
def test_the_version_is_the_tag(image: str, version: str) -> None:
    assert version_of(image) == version


@pytest.mark.parametrize(
    ("image", "missing"),
    [("shop/does-not-exist:v1", True), ("checkout:missing", True), ("checkout:v1", False)],
)
def test_some_images_can_never_be_pulled(image: str, *, missing: bool) -> None:
    assert is_missing(image) is missing


def test_any_image_runs_the_demo_app() -> None:
    found = launched(
        {"ports": [{"containerPort": 9000}], "env": [{"name": "LATENCY", "value": "5ms"}]}
    )
    assert tuple(found.argv) == DEMO_APP
    wanted = {"POD_IP": "127.9.1.1", "PORT": "9000", "VERSION": "v3", "REVISION": "v3"}
    assert (wanted | {"POD_NAME": "web-1", "LATENCY": "5ms"}).items() <= found.env.items()


def test_the_revision_is_the_pod_template_hash() -> None:
    labels = {"rollouts.dev/pod-template-hash": "abc"}
    found = launched({}, metadata={"name": "p", "namespace": "n", "labels": labels})
    assert found.env["REVISION"] == "abc"


def test_a_version_that_is_set_wins() -> None:
    assert launched({"env": [{"name": "VERSION", "value": "mine"}]}).env["VERSION"] == "mine"


def test_a_command_is_executed_as_given() -> None:
    env = [{"name": "WHO", "value": "me"}]
    found = launched({"command": ["echo"], "args": ["$(WHO)", "$(POD_IP)", "$$(WHO)"], "env": env})
    assert found.argv == ["echo", "me", "127.9.1.1", "$(WHO)"]
    assert "VERSION" not in found.env


def test_variables_may_refer_to_earlier_ones() -> None:
    assert expanded("$(A)-$(B)-$$(A)", {"A": "1"}) == "1-$(B)-$(A)"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("metadata.labels['tier']", "front"),
        ("metadata.labels['none']", ""),
        ("status.podIP", "127.9.1.1"),
    ],
)
def test_the_downward_api(path: str, value: str) -> None:
    found = launched({"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}]})
    assert found.env["X"] == value


def test_config_maps_and_secrets() -> None:
    found = launched(
        {
            "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "APP_"}],
            "env": [
                {"name": "T", "valueFrom": {"secretKeyRef": {"name": "key", "key": "token"}}},
                {
                    "name": "N",
                    "valueFrom": {
                        "configMapKeyRef": {"name": "none", "key": "x", "optional": True}
                    },
                },
            ],
        }
    )
    assert {"APP_COLOUR": "blue", "APP_SIZE": "xl", "T": "t"}.items() <= found.env.items()
    assert "N" not in found.env


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "x"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "key", "key": "x"}}, "couldn't find key x in Secret key"),
        ({"fieldRef": {"fieldPath": "spec.magic"}}, "unsupported fieldPath: spec.magic"),
    ],
)
def test_what_is_not_there_is_named(source: JSON, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        launched({"env": [{"name": "X", "valueFrom": source}]})
