"""
Header routes as canary annotations, as ingress-nginx reads them.

Facts, from its balancer and from its annotations' validators: `canary-by-header-value` is
compared with the whole value, and without it `canary-by-header-pattern`, a PCRE, is searched
for in it. A request whose header does not match goes on to the cookie and then the weight.
There is one header for each canary. A value may have letters, digits and -._~/: only, and a
pattern those of a regular expression besides; another character makes ingress-nginx drop the
annotation, whereupon the words "always" and "never" count in its place. So any other character
of an exact value or a prefix is written as its number.
"""

import re
from collections.abc import Iterator

from rollouts.model.finding import Finding
from rollouts.model.header_and_mirror_routes import HeaderMatch, SetHeaderRoute
from rollouts.model.spec import RolloutSpec
from rollouts.traffic.header_patterns import pattern

BY_HEADER = "canary-by-header"
BY_VALUE = "canary-by-header-value"
BY_PATTERN = "canary-by-header-pattern"
BY_COOKIE = "canary-by-cookie"
RULES = (BY_HEADER, BY_VALUE, BY_PATTERN, BY_COOKIE)
"""What sends requests to the canary whatever the weight is."""
RULE = "canary-by-"
"""How all of these begin, those that only other controllers know, too."""

_PLAIN = re.compile(r"[-._~a-zA-Z0-9/:]+")
_AS_IT_IS = re.compile(r"[-_~a-zA-Z0-9/:&=]")
_ESCAPABLE = re.compile(r"[.^$\[\](){}*+?|\\]")
_PATTERN = re.compile(r"[-._~a-zA-Z0-9/:^$\[\](){}*+?|&=\\]+")


def header_annotations(routes: tuple[SetHeaderRoute, ...]) -> dict[str, str]:
    """Return the annotations, without prefix, of the only header route; none for none."""
    matches = [match for route in routes for match in route.match]
    if not matches:
        return {}
    match = matches[0]
    if match.header_value.exact is not None and _PLAIN.fullmatch(match.header_value.exact):
        return {BY_HEADER: match.header_name, BY_VALUE: match.header_value.exact}
    return {BY_HEADER: match.header_name, BY_PATTERN: pattern(match.header_value, _numbered)}


def _numbered(text: str) -> str:
    return "".join(_character(each) for each in text)


def _character(one: str) -> str:
    if _AS_IT_IS.fullmatch(one):
        return one
    if _ESCAPABLE.fullmatch(one):
        return f"\\{one}"
    return "".join(f"\\x{byte:02X}" for byte in one.encode())


def header_routes(spec: RolloutSpec) -> list[SetHeaderRoute]:
    """Return every header route that some step sets."""
    routes = (step.set_header_route for step in spec.steps)
    return [route for route in routes if route is not None and route.match]


def findings(spec: RolloutSpec) -> Iterator[Finding]:
    """Yield the header routes that ingress-nginx would not take as they are."""
    for route in header_routes(spec):
        for match in route.match:
            refused = _refused(match)
            if refused:
                yield Finding(
                    "warning",
                    "HeaderRouteRefused",
                    (
                        f"setHeaderRoute {route.name}: {refused}, which ingress-nginx refuses unless it"
                        " runs with --enable-annotation-validation=false; use others"
                    ),
                )


def _refused(match: HeaderMatch) -> str:
    if not _PLAIN.fullmatch(match.header_name):
        return f"the name {match.header_name} has characters other than letters, digits and -._~"
    regex = match.header_value.regex
    if regex is not None and not _PATTERN.fullmatch(regex):
        odd = " ".join(sorted({each for each in regex if not _PATTERN.fullmatch(each)}))
        return f"the regex has {odd!r}"
    return ""
