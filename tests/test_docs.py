"""What the documentation says exists: files, commands, fields, reasons."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
import yaml

from rollouts import analysis
from rollouts.cli.main import app
from rollouts.controller.manifests import CLUSTER_RULES
from rollouts.controller.metrics import ControllerMetrics
from rollouts.core import decide
from rollouts.core.decide import PIPELINES, RELEASE
from rollouts.core.next.commands import HANDLERS
from rollouts.core.plan.write_order import by_urgency
from rollouts.model.criteria import Criterion
from rollouts.model.status import PauseReason, Phase
from rollouts.model.validation import parse_rollout

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    page
    for page in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "charts").rglob("*.md"),
    )
    if not any(part.startswith(".") for part in page.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
WORD = re.compile(r"[A-Z][A-Za-z]+")


def of_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """Return what stands below a heading, up to the next of its rank or a higher one."""
    text = text_of(name)
    assert f"\n{heading}\n" in text, f"{name} has no section {heading}"
    rank = len(heading.split(maxsplit=1)[0])
    return re.split(rf"\n#{{1,{rank}}} ", text.split(f"\n{heading}\n", 1)[1], maxsplit=1)[0]


def first_column(table: str) -> set[str]:
    """Return the words in backticks of each row's first cell."""
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{of_page(page)} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{of_page(page)} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_files_that_are_named_exist(page: Path) -> None:
    text = re.sub(r"://\S+", "", code_in(page))
    for path in re.findall(r"(?<![\w./<-])(?:[\w.-]+/)+[\w.-]+\.(?:py|sh|toml)\b", text):
        rooms = (ROOT, ROOT / "rollouts", ROOT / "rollouts" / "core")
        assert any((room / path).exists() for room in rooms), path


def test_examples_and_yaml_in_pages_are_valid_rollouts() -> None:
    blocks = [
        (of_page(page), body)
        for page in PAGES
        for language, body in FENCE.findall(page.read_text(encoding="utf-8"))
        if language == "yaml"
    ]
    blocks += [
        (of_page(file), file.read_text(encoding="utf-8"))
        for file in sorted((ROOT / "examples").rglob("*.yaml"))
    ]
    found = 0
    for name, body in blocks:
        for document in yaml.safe_load_all(body):
            if isinstance(document, dict) and document.get("kind") == "Rollout":
                parse_rollout(document)
                found += 1
            elif isinstance(document, dict) and "successCriteria" in document:
                for criterion in document["successCriteria"]:
                    Criterion.model_validate(criterion)
            assert document is not None, name
    assert found


def code_in(page: Path) -> str:
    """Return everything that a page sets as code."""
    text = page.read_text(encoding="utf-8")
    blocks = [body for _, body in FENCE.findall(text)]
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", FENCE.sub("", text))])


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    mentioned = set(re.findall(r"^make ([a-z-]+)", code_in(page), re.MULTILINE))
    assert mentioned <= targets


def test_every_make_target_for_people_is_described() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", text_of("Makefile"), re.MULTILINE))
    described = first_column(section("CONTRIBUTING.md", "## Set-up"))
    assert {f"make {target}" for target in targets - {"help"}} <= described


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_verbs_and_their_options_exist(page: Path) -> None:
    command = typer.main.get_command(app)
    for line in code_in(page).splitlines():
        for call in re.split(r"\|\||&&|[|;]", line.split(" #")[0]):
            words = call.split()
            if words[:2] == ["kubectl", "rollouts"]:
                words = words[1:]
            if len(words) < 2 or words[0] != "rollouts" or not re.match(r"[a-z-]+$", words[1]):
                continue
            check_call(command, words[1:], call)


def check_call(command: object, words: list[str], call: str) -> None:
    """Follow the words into the registry of verbs, and look up each long option."""
    while words and (below := getattr(command, "commands", None)) is not None:
        if words[0].startswith("--"):
            break
        assert words[0] in below, f"there is no such verb: {call}"
        command = below[words.pop(0)]
    options = {name for each in getattr(command, "params", ()) for name in each.opts}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in options | {"--help"}, f"there is no such option: {call}"


def test_every_verb_is_described() -> None:
    page = section("docs/commands.md", "## The command line")
    described = {word.split()[1] for word in first_column(page) if word.startswith("rollouts ")}
    command = typer.main.get_command(app)
    assert described == set(getattr(command, "commands", ()))


def test_every_command_of_the_annotation_is_described() -> None:
    assert first_column(section("docs/commands.md", "### Verbs")) == set(HANDLERS)


def test_phases_are_those_of_the_code() -> None:
    assert first_column(section("docs/conditions.md", "## Phases")) == set(get_args(Phase))


def test_event_reasons_are_those_of_the_code() -> None:
    said = set(reasons("event", 1)) | set(reasons("Event", 1))
    assert first_column(section("docs/conditions.md", "## Events")) == said


def test_findings_are_those_of_the_code() -> None:
    found = set(reasons("Finding", 1)) - {""}  # what is wrong in a spec by itself has none
    assert first_column(section("docs/conditions.md", "## Preflight")) == found


def test_the_controllers_metrics_are_those_of_the_code() -> None:
    """Each by the name that `/metrics` shows, with its labels."""
    metrics = ControllerMetrics()
    metrics.watch(queue_depth=int, phases=dict[str, int])
    page = section("docs/conditions.md", "## The controller's metrics")
    said = re.findall(r"^\| `(\w+)[^`]*` \| (\w+) ", page, re.MULTILINE)
    shown = {
        (f"{each.name}_total" if each.type == "counter" else each.name, each.type)
        for each in metrics.registry.collect()
    }
    assert set(said) == shown


def test_condition_reasons_are_those_of_the_code() -> None:
    tree = parsed("rollouts/core/next/conditions.py")
    (function,) = (each for each in ast.walk(tree) if is_function(each, "_reason"))
    expected = set(words_in(function)) - set(get_args(Phase)) | set(get_args(PauseReason))
    expected |= {"Passed", "InvalidSpec"}
    assert first_column(section("docs/conditions.md", "## Reasons of conditions")) == expected


def test_the_stages_of_a_decision_are_those_of_the_code() -> None:
    """In their order, each beside the file that it is in; then those of the other pipelines."""
    page = section("ARCHITECTURE.md", "## The life of one release")
    told = re.findall(r"^\| `(\w+)` \| [^|]+ \| `([\w/.]+)` \|$", page, re.MULTILINE)
    writes = (*RELEASE.writes, by_urgency, decide.named_command)
    usual = [*decide.READ, *decide.FINDINGS, *RELEASE.next, *writes, *decide.LATER]
    others = [
        RELEASE.back,
        *((*each.next, *each.writes, *each.back) for each in PIPELINES.values()),
    ]
    known: dict[Any, None] = dict.fromkeys([*usual, *chain.from_iterable(others)])
    assert told == [(each.__name__, file_in_the_core(each)) for each in known]


def test_the_pipelines_of_a_decision_are_those_of_the_code() -> None:
    page = section("ARCHITECTURE.md", "## The life of one release")
    rows = re.findall(
        r"^\| `([A-Z_.a-z]+)` \| [^|]+ \| ((?:`\w+`(?:, )?)+) \|$", page, re.MULTILINE
    )
    told = {name: re.findall(r"`(\w+)`", stages) for name, stages in rows}
    expected: dict[str, tuple[Any, ...]] = {"RELEASE.back": RELEASE.back}
    for name, each in PIPELINES.items():
        if each is not RELEASE:
            of_release = each.writes == RELEASE.writes and each.back == RELEASE.back
            expected[name] = each.next if of_release else (*each.next, *each.writes, *each.back)
    assert {name: stages for name, stages in told.items() if name in expected} == {
        name: [stage.__name__ for stage in stages] for name, stages in expected.items()
    }


def file_in_the_core(stage: Any) -> str:
    module: str = stage.__module__
    return module.removeprefix("rollouts.core.").replace(".", "/") + ".py"


def parsed(name: str) -> ast.Module:
    return ast.parse(text_of(name))


def is_function(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == name


def words_in(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield from WORD.findall(each.value) if WORD.fullmatch(each.value) else ()


def reasons(called: str, position: int) -> Iterator[str]:
    """Yield the reasons that are given to calls of `called`, as the argument at `position`."""
    for path in sorted((ROOT / "rollouts").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for call in ast.walk(function):
                    if not isinstance(call, ast.Call) or name_of(call.func) != called:
                        continue
                    for argument in call.args[position : position + 1]:  # asyncio's Event has none
                        if isinstance(argument, ast.Starred):
                            yield from first_returned(argument.value, tree)
                        else:
                            yield from values(argument, function)


def first_returned(call: ast.expr, tree: ast.Module) -> Iterator[str]:
    """Yield the first words of the tuples that a function of the same module may return."""
    assert isinstance(call, ast.Call)
    for function in ast.walk(tree):
        if is_function(function, name_of(call.func)):
            for each in ast.walk(function):
                if isinstance(each, ast.Return) and isinstance(each.value, ast.Tuple):
                    yield from values(each.value.elts[0], function)


def name_of(function: ast.expr) -> str:
    return str(getattr(function, "attr", "") or getattr(function, "id", ""))


def values(argument: ast.expr, function: ast.AST) -> Iterator[str]:
    """Yield the words that an argument may be: itself, a constant, what its variable got, or a pause's reason."""
    if isinstance(argument, ast.Constant):
        yield str(argument.value)
    elif isinstance(argument, ast.IfExp):
        yield from values(argument.body, function)
        yield from values(argument.orelse, function)
    elif isinstance(argument, ast.Attribute) and argument.attr == "pause":
        yield from set(waits()) - {"PauseStep"}
    elif isinstance(argument, ast.Name) and argument.id.isupper():
        yield constants()[argument.id]
    elif isinstance(argument, ast.Name):
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                yield from assigned(node, argument.id, function)


@cache
def constants() -> dict[str, str]:
    """Return the texts that modules of the product have given a name, by that name."""
    return {
        node.targets[0].id: str(node.value.value)
        for path in (ROOT / "rollouts").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }


def assigned(node: ast.Assign, name: str, function: ast.AST) -> Iterator[str]:
    for target in node.targets:
        if isinstance(target, ast.Name) and target.id == name:
            yield from values(node.value, function)
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            for each, value in zip(target.elts, node.value.elts, strict=True):
                if isinstance(each, ast.Name) and each.id == name:
                    yield from values(value, function)


def waits() -> Iterator[str]:
    """Yield the reasons for which a step can pause."""
    rooms = ("rollouts/core/facts/steps.py", "rollouts/core/facts/evidence.py")
    words = {word for room in rooms for word in words_in(parsed(room))}
    yield from words & set(get_args(PauseReason))


def test_every_resource_that_the_controller_may_touch_is_in_the_readme() -> None:
    said = {
        each.lower() for each in WORD.findall(section("README.md", "## What it is allowed to do"))
    }
    touched = [name for rule in CLUSTER_RULES for name in rule["resources"]]
    assert not [name for name in touched if name.partition("/")[0] not in said]


def test_every_decision_is_in_the_list_of_decisions() -> None:
    listed = set(LINK.findall(text_of("docs/adr/README.md")))
    assert listed == {file.name for file in (ROOT / "docs/adr").glob("0*.md")}


def test_every_module_on_the_map_exists() -> None:
    """By its path from the root or from the package, or by the end of it where a folder was named before."""
    rooms = ("rollouts", "tests", "bench")
    found = (*ROOT.glob("*.py"), *(path for room in rooms for path in (ROOT / room).rglob("*.py")))
    listed = [str(path.relative_to(ROOT)) for path in found]
    named = set(re.findall(r"`([\w/]+\.py)`", text_of("ARCHITECTURE.md")))
    assert not {
        name for name in named if not any(f"/{each}".endswith(f"/{name}") for each in listed)
    }


def test_the_analysis_says_of_each_of_its_modules_what_it_does() -> None:
    listed = re.findall(r"^    (\w+)  +\S", analysis.__doc__ or "", re.MULTILINE)
    found = [path.stem for path in (ROOT / "rollouts/analysis").glob("*.py")]
    assert sorted(listed) == sorted(set(found) - {"__init__"})


def test_every_folder_on_the_map_exists() -> None:
    rows = "\n".join(re.findall(r"^\| .*", text_of("ARCHITECTURE.md"), re.MULTILINE))
    named = set(re.findall(r"`([\w-]+(?:/[\w-]+)*)/`", rows))
    assert not {
        each
        for each in named
        if not any((ROOT / room / each).is_dir() for room in ("", "rollouts"))
    }
