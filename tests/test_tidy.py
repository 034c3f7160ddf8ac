"""
The limits of this code base, and the exceptions from them, of which there are only ever fewer.

Each finding names what to do instead. An exception that is needed no longer fails the test as
well: take it out. After TigerBeetle's tidy.zig.
"""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from tests.core_imports import above_the_most, arrows_by_room

ROOT = Path(__file__).parents[1]
Finding = tuple[str, str]
"""Where, as an exception names it; and what is wrong, with the way out."""
Function = ast.FunctionDef | ast.AsyncFunctionDef
Rule = Callable[[], Iterator[Finding]]

LINES_OF_A_FUNCTION = 70
LINES_OF_A_MODULE = 400
PARAMETERS = 6
METHODS_OF_A_PROTOCOL = 4
SHAPELESS = ("utils", "util", "helpers", "helper", "manager", "common", "misc")
ROUTER = re.compile(
    r"(?<![a-z])(nginx|smi|traefik|linkerd|istio|gateway|ingress|http_?route|grpc_?route|traffic_?split)"
    r"(e?s)?(?![a-z])",
    re.IGNORECASE,
)
ROUTERS_LIVE = (
    "rollouts/traffic/",
    "rollouts/model/routers/",
    "rollouts/model/traffic_routing.py",  # the list of them
    "rollouts/sandbox/dataplane/",
    "rollouts/sandbox/crds/",  # the kinds that these serve
    "rollouts/sandbox/environment.py",  # which starts one of them
    "rollouts/cli/sandbox.py",  # whose option --gateway chooses one
)
INGRESS_IS_BUILT_IN = "rollouts/sandbox/apiserver/"
"""Where an Ingress is a kind like all that an API server has."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# What does not follow a rule, and why. Don't add to these; make them shorter.
EXCEPTIONS: dict[str, str] = {
    "tests/unit/cli/objects.py criterion": "a maker of test objects, with names at every call",
    "rollouts/cli/main.py nginx": "a package that the sandbox needs",
    "rollouts/sandbox/demo.py nginx": "the example that is released, by its file's name",
    "rollouts/sandbox/demo.py ingress": "at which host and address the example is asked",
    "rollouts/model/criteria.py ingress": "what a router's counters are called as a source",
    "rollouts/model/sources.py ingress": "what a router's counters are called as a source",
    "tests/waiting.py sleep": "this is the place to wait",
    "tests/sandbox/releases/prometheus_proxy.py sleep": "a Prometheus that is slow",
    "tests/sandbox/test_load.py sleep": "an app that is slow",
    "tests/unit/metrics/test_prometheus.py sleep": "an answer that trickles",
    "tests/sandbox/releases/test_metrics.py sleep": "an outage lasts as long as it lasts",
    "tests/sandbox/releases/test_writes.py sleep": "what must not happen has no condition to wait for",
}


@cache
def files() -> tuple[str, ...]:
    """Return every file that is committed; without git, every file that could be."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        listed = [str(path) for path in found if not _made(path)]
    return tuple(sorted(name for name in listed if name and (ROOT / name).is_file()))


def _made(path: Path) -> bool:
    """Return whether tools made it: environments, caches, builds."""
    hidden = any(part.startswith(".") and part != ".ci" for part in path.parts[:-1])
    return hidden or "__pycache__" in path.parts or ".egg-info" in str(path)


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def modules(*rooms: str) -> list[str]:
    return [name for name in files() if name.endswith(".py") and name.startswith(rooms or "")]


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(text(name), name)


@cache
def nodes(name: str) -> list[ast.AST]:
    return list(ast.walk(tree(name)))


def functions() -> Iterator[tuple[str, Function]]:
    for name in modules():
        for node in nodes(name):
            if isinstance(node, Function):
                yield f"{name} {node.name}", node


def long_functions() -> Iterator[Finding]:
    for where, node in functions():
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > LINES_OF_A_FUNCTION:
            yield where, f"{lines} lines; give its parts names and make them functions"


def long_modules() -> Iterator[Finding]:
    for name in modules():
        lines = text(name).count("\n")
        if lines > LINES_OF_A_MODULE:
            yield name, f"{lines} lines; find its second noun and move that out"


def many_parameters() -> Iterator[Finding]:
    for where, node in functions():
        given = node.args
        names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        names += [each.arg for each in (given.vararg, given.kwarg) if each is not None]
        count = sum(name not in ("self", "cls") for name in names)
        if count > PARAMETERS:
            yield where, f"{count} parameters; those that go together are a frozen dataclass"


def wide_protocols() -> Iterator[Finding]:
    for name in modules("rollouts/"):
        for node in nodes(name):
            if isinstance(node, ast.ClassDef) and any(
                ast.unparse(base).split("[")[0] in ("Protocol", "typing.Protocol")
                for base in node.bases
            ):
                methods = sum(isinstance(each, Function) for each in node.body)
                if methods > METHODS_OF_A_PROTOCOL:
                    yield f"{name} {node.name}", f"{methods} methods; split it by who calls what"


def shapeless_names() -> Iterator[Finding]:
    for name in modules():
        for part in Path(name).with_suffix("").parts:
            if set(part.split("_")) & set(SHAPELESS):
                yield name, f"{part!r} says nothing; name the module after the noun it is about"


def missing_promises() -> Iterator[Finding]:
    for name in modules("rollouts/"):
        if not ast.get_docstring(tree(name)):
            yield name, "no docstring; say in a sentence what the module promises and never does"


def sleeps() -> Iterator[Finding]:
    way_out = "a test waits for a condition with a deadline: tests.waiting.until"
    for name in modules("tests/"):
        if "sleep(" not in text(name):
            continue
        for node in nodes(name):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            yields = [ast.unparse(each) for each in node.args] == ["0"]
            if called in ("time.sleep", "asyncio.sleep", "sleep") and not yields:
                yield f"{name} sleep", f"line {node.lineno}: {way_out}"


def lines_with(pattern: str, way_out: str) -> Iterator[Finding]:
    """Yield every line of every file in which `pattern` is found."""
    compiled = re.compile(pattern)
    for name in files():
        if not compiled.search(text(name)):
            continue
        for number, line in enumerate(text(name).splitlines(), start=1):
            if found := compiled.search(line):
                yield name, f"line {number} has {found[0]!r}; {way_out}"


def markers() -> Iterator[Finding]:
    return lines_with(
        r"\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b", "do it, or open an issue; code holds what is done"
    )


def machine_paths() -> Iterator[Finding]:
    return lines_with(
        r"(?<![\w.})/])/(work|root|home|Users)/",
        "name it relative to the checkout, or take it from the environment",
    )


def registry_hosts() -> Iterator[Finding]:
    return lines_with(
        r"\b(pypi\.org|pythonhosted\.org|(ghcr|docker|quay|gcr|registry\.k8s)\.io|npmjs\.\w+"
        r"|proxy\.golang\.org|deb\.debian\.org|archive\.ubuntu\.com)\b",
        "where packages and images come from is for the machine's own settings to say",
    )


def unlocked() -> Iterator[Finding]:
    pinned = re.compile(r"[\w.\[\],-]+==[\w.!+]+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    for number, line in enumerate(text("requirements.lock").splitlines(), start=1):
        if not pinned.fullmatch(line):
            way_out = "only name==version and its hashes, without a host: `make lock`"
            yield "requirements.lock", f"line {number} is {line!r}; {way_out}"


def named_routers() -> Iterator[Finding]:
    """Yield what knows a router by name besides its own places, in code, texts, docstrings and comments."""
    for name in modules("rollouts/"):
        for words in (
            () if name.startswith(ROUTERS_LIVE) else (*_words(tree(name)), *_comments(name))
        ):
            for found in ROUTER.finditer(_CAMEL.sub("_", words)):
                if name.startswith(INGRESS_IS_BUILT_IN) and found[1].lower() == "ingress":
                    continue
                way_out = "ask `ROUTERS`, or `RouterSpec` below traffic"
                yield f"{name} {found[1].lower()}", f"names a router in {words!r}; {way_out}"


def _words(module: ast.Module) -> Iterator[str]:
    """Yield every name and text of a module."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        for field in ("id", "attr", "name", "asname", "arg", "module"):
            named = getattr(node, field, None)
            yield named if isinstance(named, str) else ""


def _comments(name: str) -> Iterator[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text(name)).readline)
    return (each.string for each in tokens if each.type == tokenize.COMMENT)


def many_imports_within_the_core() -> Iterator[Finding]:
    """
    Yield each module of the core that imports more than three others of it.

    A room with a face is one import from outside (docs/adr/0029-the-rooms-of-the-core.md).
    """
    trees = {name: tree(name) for name in modules("rollouts/core/")}
    for name, found in above_the_most(arrows_by_room(trees)).items():
        listed = ", ".join(sorted(found))
        yield name, f"imports {listed}; what is asked together belongs into one module"


def assertions_in_the_core() -> Iterator[Finding]:
    for name in modules("rollouts/core/"):
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.Assert):
                way_out = "what must be there is a type: rollouts.core.world.stage"
                yield name, f"line {node.lineno} asserts; {way_out}"


def facts_that_change_something() -> Iterator[Finding]:
    """Yield what answers a question with a status, with an update of one, or with another world."""
    for name in modules("rollouts/core/facts/"):
        for node in ast.walk(tree(name)):
            if not isinstance(node, Function) or node.returns is None:
                continue
            answer = ast.unparse(node.returns)
            if re.search(
                r"\b(RolloutStatus|StatusUpdate|Adoption|RolloutSpec|World|Observed)\b", answer
            ):
                way_out = "facts ask; what is next belongs into rollouts.core.next"
                yield name, f"{node.name} returns {answer}; {way_out}"


def askers_of_the_strategy() -> Iterator[Finding]:
    """Yield who asks a spec by its fields what carries the weight."""
    for name in modules("rollouts/core/"):
        for node in ast.walk(tree(name)):
            if not isinstance(node, ast.Attribute):
                continue
            asked = ast.unparse(node)
            if asked.endswith((".blue_green", ".by_replicas")) or (
                asked.endswith(".strategy.canary")
                and not name.endswith("world/weight_mechanism.py")
            ):
                way_out = "ask mechanism_of(spec), or spec.active_strategy"
                yield name, f"line {node.lineno} asks for {asked}; {way_out}"


@cache
def findings(rule: Rule) -> tuple[Finding, ...]:
    return tuple(rule())


RULES: list[Rule] = [
    named_routers,
    many_imports_within_the_core,
    assertions_in_the_core,
    facts_that_change_something,
    askers_of_the_strategy,
    long_functions,
    long_modules,
    many_parameters,
    wide_protocols,
    shapeless_names,
    missing_promises,
    sleeps,
    markers,
    machine_paths,
    registry_hosts,
    unlocked,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_tidy(rule: Rule) -> None:
    found = [f"{where}: {what}" for where, what in findings(rule) if where not in EXCEPTIONS]
    assert not found, "\n" + "\n".join(found)


def test_every_exception_is_still_needed() -> None:
    needed = {where for where, _ in chain.from_iterable(findings(rule) for rule in RULES)}
    left = [where for where in EXCEPTIONS if where not in needed]
    assert not left, f"no longer needed; take them out of EXCEPTIONS: {', '.join(left)}"


def test_there_is_something_to_look_at() -> None:
    assert {"pyproject.toml", "rollouts/core/decide.py", "tests/test_tidy.py"} <= set(files())
