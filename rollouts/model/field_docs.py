"""
What the docstring below a field says of it.

Read from the source of the models when somebody asks, which is who writes the CRD: pydantic would
do it for every process that begins (`use_attribute_docstrings`), and take 60 ms of each.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings of a model's fields, inherited ones too, by the field's name."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            found |= _docs_of(each.__module__).get(each.__qualname__, {})
    return {name: text for name, text in found.items() if name in model.model_fields}


@cache
def _docs_of(module: str) -> dict[str, dict[str, str]]:
    """Return the docstrings of a module's attributes, by class and attribute."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {each.name: dict(_docs_in(each)) for each in tree.body if isinstance(each, ast.ClassDef)}


def _docs_in(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(definition.body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)
