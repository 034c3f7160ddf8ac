import tracemalloc
from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.errors import TooLarge, Unavailable
from rollouts.metrics.exposition import LONGEST_LINE_BYTES, MOST_SERIES, Exposition
from rollouts.ports import WantedSeries

NAME = "http_requests_total"
WANTED = WantedSeries((NAME,))
INGRESS = WantedSeries(
    (
        "nginx_ingress_controller_request_duration_seconds_count",
        "nginx_ingress_controller_request_duration_seconds_bucket",
    ),
    "canary",
    ("shop-checkout-canary-",),
)
MIB = 1024 * 1024


def read(
    page: str | bytes,
    wanted: WantedSeries = WANTED,
    *,
    size: int = 65536,
    open_metrics: bool = False,
) -> dict[tuple[tuple[str, str], ...], float]:
    """Return what a page shows, by its labels without the name."""
    found = Exposition(wanted, open_metrics=open_metrics)
    data = page.encode() if isinstance(page, str) else page
    for at in range(0, len(data), size):
        found.feed(data[at : at + size])
    return {
        tuple(sorted((key, text) for key, text in labels.items() if key != "__name__")): value
        for labels, value in found.end()
    }


@pytest.mark.parametrize(
    ("line", "labels", "value"),
    [
        (f"{NAME} 5", {}, 5.0),
        (f"{NAME}{{}} 5", {}, 5.0),
        (f"{NAME} \t 5.5e+3 1700000000000", {}, 5500.0),
        (f'{NAME}{{code="200"}} 12', {"code": "200"}, 12.0),
        (f'{NAME} {{ code = "200" , }} 12', {"code": "200"}, 12.0),
        (
            f'{NAME}{{code="200",path="/a\\"b\\\\c\\nd"}} 1',
            {"code": "200", "path": '/a"b\\c\nd'},
            1.0,
        ),
        (f'{NAME}{{path="}} 7",code="500"}} 1', {"path": "} 7", "code": "500"}, 1.0),
        (f'{NAME}{{a="\\x"}} 1', {"a": "\\x"}, 1.0),
        (f'{{"{NAME}",code="200"}} 3', {"code": "200"}, 3.0),
        (f'{NAME}{{"http.code"="200"}} 3', {"http.code": "200"}, 3.0),
        (f'{NAME}{{code="ü"}} +Inf', {"code": "ü"}, float("inf")),
        (f"{NAME} -1", {}, -1.0),
        (f'{NAME}{{code="200"}} 4 # {{trace_id="abc"}} 0.67 1520879607.789', {"code": "200"}, 4.0),
    ],
)
def test_a_line_is_read_as_the_format_has_it(
    line: str, labels: dict[str, str], value: float
) -> None:
    assert read(f"# HELP x y\n{line}\nother 1\n") == {tuple(sorted(labels.items())): value}


@pytest.mark.parametrize(
    "line",
    [
        f"{NAME} ",
        f"{NAME} many",
        f"{NAME} 1_000",
        f"{NAME} 0x10",
        f"{NAME} 1.2.3",
        f"{NAME} 5\r",
        f"{NAME}{{code=200}} 1",
        f'{NAME}{{code="200" 1',
        f'{NAME}{{code="200",code="500"}} 1',
        f'{NAME}{{"code"}} 1',
        f"{NAME}{{code}} 1",
        f'{NAME}{{code="\udcff"}} 1',
    ],
)
def test_a_wanted_line_that_cannot_be_understood_is_an_error(line: str) -> None:
    with pytest.raises(Unavailable, match="can't be understood"):
        read(line.encode(errors="surrogateescape") + b"\n")


def test_names_that_only_begin_alike_are_others() -> None:
    page = f"{NAME}_created 1.7e9\n{NAME}s 3\nmy_{NAME} 4\n{NAME} 5\n# {NAME} 6\n"
    assert read(page) == {(): 5.0}


def test_a_type_that_the_page_declares_is_not_believed() -> None:
    assert read(f"# TYPE {NAME} gauge\n{NAME} 5\n# TYPE {NAME} histogram\n") == {(): 5.0}


def test_a_series_that_is_there_twice_is_an_error() -> None:
    with pytest.raises(Unavailable, match="twice"):
        read(f"{NAME} 5\n{NAME} 6\n")


def test_a_last_line_that_was_cut_off_is_no_number() -> None:
    assert read(f'{NAME}{{code="200"}} 12\n{NAME}{{code="500"}} 3') == {(("code", "200"),): 12.0}


OPEN_METRICS = """# TYPE http_requests counter
http_requests_total{code="200"} 90.0 # {trace_id="a \\"b\\" # c"} 1.0 1520879607.7
http_requests_created{code="200"} 1520430000.123
http_requests_total{code="500"} 7.0 1520879607.789
# EOF
"""


def test_open_metrics_are_read_up_to_their_end() -> None:
    expected = {(("code", "200"),): 90.0, (("code", "500"),): 7.0}
    assert read(OPEN_METRICS, open_metrics=True) == expected
    assert read(OPEN_METRICS.rstrip("\n"), open_metrics=True) == expected
    assert read(OPEN_METRICS + f"{NAME} 5\n", open_metrics=True, size=1) == expected


def test_open_metrics_without_their_end_were_cut_off() -> None:
    with pytest.raises(Unavailable, match="# EOF"):
        read(OPEN_METRICS.removesuffix("# EOF\n"), open_metrics=True)


def ingress_line(ingress: str, status: str, canary: str, value: int, end: str = "_count") -> str:
    """Return a line as ingress-nginx has it: what is one request is told by all of these labels."""
    le = ',le="0.005"' if end == "_bucket" else ""
    return (
        f"nginx_ingress_controller_request_duration_seconds{end}"
        f'{{canary="{canary}",controller_class="k8s.io/ingress-nginx",controller_namespace="ingress-nginx",'
        f'controller_pod="ingress-nginx-controller-6b7c5b8c8b-abcde",host="shop.example",ingress="{ingress}",'
        f'method="GET",namespace="shop",path="/",service="{ingress}",status="{status}"{le}}} {value}\n'
    )


def test_a_page_of_ingress_nginx_is_filtered_by_the_canary() -> None:
    page = "".join(
        f"# HELP nginx_ingress_controller_request_duration_seconds{end} The time\n"
        + ingress_line(name, status, canary, value, end)
        for end in ("_count", "_bucket", "_sum")
        for name in ("checkout", "cart", "checkout-api")
        for status, value in (("200", 90), ("500", 3))
        for canary in ("", f"shop-{name}-canary-80")
    )
    assert len(read(page, INGRESS)) == 4
    assert {dict(labels)["ingress"] for labels in read(page, INGRESS)} == {"checkout"}


def large_page() -> Iterable[bytes]:
    """Yield 50 MiB as an ingress controller of a thousand Ingresses has them, the wanted ones at the end."""
    block = "".join(
        ingress_line(f"app-{number}", "200", "", number, "_bucket") for number in range(3000)
    ).encode()
    for _ in range(50 * MIB // len(block) + 1):
        yield block
    yield ingress_line("checkout", "500", "shop-checkout-canary-80", 3).encode()


def test_of_50_mib_hardly_anything_is_held() -> None:
    chunks = list(large_page())
    tracemalloc.start()
    try:
        found = Exposition(INGRESS)
        for chunk in chunks:
            for at in range(0, len(chunk), 65536):
                found.feed(chunk[at : at + 65536])
        assert [value for _, value in found.end()] == [3.0]
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_a_line_without_an_end_is_not_held() -> None:
    found = Exposition(WANTED)
    tracemalloc.start()
    try:
        for _ in range(64):
            found.feed(b"x" * MIB)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()
    found.feed(f"\n{NAME} 5\n".encode())
    assert [value for _, value in found.end()] == [5.0]


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_wanted_line_that_is_too_long_is_an_error(end: str) -> None:
    with pytest.raises(TooLarge, match="longer than 64 KiB"):
        read(f'{NAME}{{a="{"x" * LONGEST_LINE_BYTES}"}} 1{end}')


def test_a_long_line_of_a_name_that_only_begins_alike_is_skipped() -> None:
    assert read(f'{NAME}_by_user{{a="{"x" * LONGEST_LINE_BYTES}"}} 1\n{NAME} 2\n') == {(): 2.0}


def test_too_many_series_are_an_error() -> None:
    page = "".join(f'{NAME}{{user="{number}"}} 1\n' for number in range(MOST_SERIES + 1))
    with pytest.raises(TooLarge, match="too many series"):
        read(page)


def test_series_without_the_wanted_label_are_not_counted_among_them() -> None:
    page = "".join(f'{NAME}{{user="{number}x"}} 1\n' for number in range(MOST_SERIES + 1))
    wanted = WantedSeries((NAME,), "user", ("7x", "9999x", "nobody"))
    assert read(page, wanted) == {(("user", "7x"),): 1.0, (("user", "9999x"),): 1.0}


@pytest.mark.parametrize(
    ("line", "is_wanted"),
    [
        (f'{NAME}{{canary="shop-web-80"}} 1', True),
        (f'{NAME}{{path="/",canary="shop-web-80",code="200"}} 1', True),
        (f'{NAME} {{ "canary" = "shop-web-80" }} 1', True),
        (f"{NAME} 1", True),  # of a process without labels there is one
        (f'{NAME}{{canary=""}} 1', False),
        (f'{NAME}{{code="200"}} 1', False),
        (f'{NAME}{{canary="shop-we"}} 1', False),
        (f'{NAME}{{not_canary="shop-web-80"}} 1', False),
        (f'{NAME}{{path=",canary=\\"shop-web-80\\""}} 1', False),
        (f'{NAME}{{path="{{canary=",canary="shop-web-80"}} 1', True),
        (f'{NAME}{{path="{{canary=",canary="shop-web-80",a="{{canary=",b=""}} 1', True),
    ],
)
def test_series_are_wanted_by_what_a_label_begins_with(line: str, *, is_wanted: bool) -> None:
    assert (
        bool(read(f"{line}\n", WantedSeries((NAME,), "canary", ("shop-web-", "other-"))))
        == is_wanted
    )


def test_long_lines_are_not_held_without_an_end() -> None:
    page = "".join(f'{NAME}{{user="{number:060000d}"}} 1\n' for number in range(80))
    with pytest.raises(TooLarge, match="too many series"):
        read(page)


label_values = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
series = st.dictionaries(
    st.dictionaries(st.sampled_from(["code", "path", "le"]), label_values).map(
        lambda labels: tuple(sorted(labels.items()))
    ),
    st.floats(min_value=0, max_value=1e15),
    max_size=5,
)
junk = st.lists(
    st.binary(max_size=40).filter(
        lambda line: b"\n" not in line and not line.startswith((b"http", b"{"))
    ),
    max_size=5,
)


def written(labels: Iterable[tuple[str, str]], value: float) -> bytes:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    pairs = ",".join(f'{key}="{escaped(text)}"' for key, text in labels)
    return f"{NAME}{{{pairs}}} {value!r}".encode()


@given(series, junk, st.integers(min_value=1, max_value=50))
def test_what_is_written_is_read_however_it_is_cut_and_whatever_is_around(
    found: dict[tuple[tuple[str, str], ...], float], around: list[bytes], size: int
) -> None:
    lines = [written(labels, value) for labels, value in found.items()]
    page = b"\n".join([*around, *lines, *around, b""])
    assert read(page, size=size) == found


@given(st.binary(max_size=300), st.integers(min_value=1, max_value=20))
def test_whatever_bytes_there_are_nothing_but_our_own_errors_is_raised(
    data: bytes, size: int
) -> None:
    with suppress(Unavailable):
        read(b"\n" + NAME.encode() + data, size=size)
