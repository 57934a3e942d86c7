"""What a built notebook depends on: the symbols that its code reaches, and nothing else.

The hash of a notebook covers the code of its cells; every function, class and constant of
`course_utils` that this code reaches, directly or not; the assets whose names it holds; and the
versions of the libraries that it calls. Comments, docstrings, annotations and layout do not count.
Of a dictionary with text for keys, such as the table of colours, only the entries that are asked
for count: a new colour makes no notebook stale. What is asked for by a variable are the entries
whose keys stand as text anywhere in the code that is reached; where the key is computed, all count.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from course_utils.authoring.source import PublishError
from course_utils.settings import ASSETS, ROOT

PACKAGE = "course_utils"
NOT_FOLLOWED = {
    "course_utils.data.sources.hub",
    "course_utils.data.sources.packaged",
    "course_utils.data.validation",
}
"""Modules that only other logs than the default one use: notebooks are published on that one."""
DISTRIBUTIONS = {"sklearn": "scikit-learn", "IPython": "ipython"}
"""Names on PyPI of modules that are called otherwise."""
TEXTS = {".csv", ".json", ".md", ".toml", ".txt"}
"""Assets in which the end of a line may be that of any system."""
BY_NOTEBOOK = {"tuned.json"}
"""Assets with an entry a notebook: of these the ones count that the code names."""
NOT_COMPUTING = {"IPython", "filelock", "ipywidgets", "psutil", "tqdm"}
"""Libraries whose version changes no number and no figure."""


@dataclass(frozen=True)
class Symbol:
    """A top-level name of a module; `key` names one entry of a dictionary."""

    module: str
    name: str
    key: str | None = None


@dataclass
class Module:
    """A parsed module: where each of its names is defined and what it imports."""

    name: str
    defined: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imported: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    loose: list[ast.stmt] = field(default_factory=list)


# Reading modules


def path_of(module: str, root: Path = ROOT) -> Path | None:
    """The file of a module of the course, or None if there is none of this name."""
    base = root.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@lru_cache(maxsize=1_024)
def parse(name: str, text: str) -> Module:
    """The names that a module's text defines and imports; imports inside functions count too."""
    tree, module = _parsed(text), Module(name)
    for node in tree.body:
        names = _defined_by(node)
        for one in names:
            module.defined.setdefault(one, []).append(node)
        if not names and not isinstance(node, ast.Import | ast.ImportFrom) and not _is_text(node):
            module.loose.append(node)
    for inner in ast.walk(tree):
        if isinstance(inner, ast.Import):
            for alias in inner.names:
                target = alias.name if alias.asname else alias.name.partition(".")[0]
                module.imported.setdefault(alias.asname or target, []).append((target, None))
        elif isinstance(inner, ast.ImportFrom):
            source = _absolute(name, inner)
            for alias in inner.names:
                module.imported.setdefault(alias.asname or alias.name, []).append(
                    (source, alias.name)
                )
    return module


def _defined_by(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = list(node.targets)
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    return [name for target in targets for name in _names_of(target)]


def _names_of(target: ast.expr) -> list[str]:
    """Names that an assignment binds; `a.x = 1` and `a[0] = 1` bind none, they change `a`."""
    if isinstance(target, ast.Name):
        return [target.id]
    if isinstance(target, ast.Tuple | ast.List):
        return [name for part in target.elts for name in _names_of(part)]
    return _names_of(target.value) if isinstance(target, ast.Starred) else []


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _absolute(name: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    base = name.split(".")[: -node.level]
    return ".".join([*base, *filter(None, [node.module])])


# What a piece of code reaches


class _References(ast.NodeVisitor):
    """Dotted names that code uses, and the keys with which it looks them up."""

    def __init__(self) -> None:
        self.found: list[tuple[list[str], ast.expr | None]] = []

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in [*node.defaults, *filter(None, node.kw_defaults)]:
            self.visit(default)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in [*node.decorator_list, node.args, *node.body]:
            self.visit(part)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if (dotted := _dotted(node.value)) is None:
            self.visit(node.value)
        else:
            self.found.append((dotted, node.slice))
        self.visit(node.slice)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if (dotted := _dotted(node)) is None:
            self.generic_visit(node)
        else:
            self.found.append((dotted, None))

    def visit_Name(self, node: ast.Name) -> None:
        self.found.append(([node.id], None))


def _dotted(node: ast.expr) -> list[str] | None:
    """['plots', 'COLORS'] of `plots.COLORS`; None if the expression is more than names."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (base := _dotted(node.value)) is not None:
        return [*base, node.attr]
    return None


_NO_MATTER = {"ctx", "kind", "returns", "annotation", "type_comment", "type_params"}


def dump(node: object, in_class: bool = False) -> str:
    """An abstract syntax tree as text that is the same for every version of Python.

    Docstrings, annotations (but for those of a class's fields), comments and layout leave no trace
    in it.
    """
    if isinstance(node, list):
        return "[" + ",".join(dump(part, in_class) for part in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    ignored = _NO_MATTER - (
        {"annotation"} if isinstance(node, ast.AnnAssign) and in_class else set()
    )
    parts = {name: value for name, value in ast.iter_fields(node) if name not in ignored}
    if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        parts["body"] = [statement for statement in node.body if not _is_text(statement)]
    inside = isinstance(node, ast.ClassDef)
    told = (f"{name}={dump(v, inside)}" for name, v in parts.items() if v not in (None, []))
    return f"{type(node).__name__}({','.join(told)})"


class Reach:
    """Everything of the course that some code reaches.

    Attributes:
        symbols: reached, with the code that defines each.
        libraries: modules beside the standard library that are used.
        strings: that stand in the code.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.symbols: dict[Symbol, list[ast.AST]] = {}
        self.libraries: set[str] = set()
        self.strings: set[str] = set()
        self._by_key: set[Symbol] = set()
        self._paths: dict[str, Path | None] = {}

    def add(self, code: str, name: str = "__main__") -> None:
        """Follow what the code of a notebook (or of a module) uses."""
        module = parse(name, code)
        for alias, targets in module.imported.items():
            if any(name and not self._path(f"{source}.{name}") for source, name in targets):
                self._reference(module, [alias], None)
        self._follow(module, _parsed(code))
        self._settle()

    def module(self, name: str) -> Module | None:
        """A parsed module of the course."""
        path = self._path(name)
        return _read(name, path, path.stat().st_mtime_ns) if path else None

    def _path(self, name: str) -> Path | None:
        if name not in self._paths:
            self._paths[name] = path_of(name, self.root)
        return self._paths[name]

    def _follow(self, module: Module, node: ast.AST) -> None:
        found, strings = _facts(node)
        self.strings |= strings
        for dotted, index in found:
            self._reference(module, dotted, index)

    def _reference(self, module: Module, dotted: list[str], index: ast.expr | None) -> None:
        head, *rest = dotted
        if head in module.defined and module.name != "__main__":
            self._reach(module.name, head, index if not rest else None)
        for source, name in module.imported.get(head, []):
            parts = [*([name] if name else []), *rest]
            if (top := source.partition(".")[0]) != PACKAGE:
                self.libraries |= {top} - sys.stdlib_module_names
            else:
                self._import(source, parts, index)
        for source, _ in module.imported.get("*", []):
            if head not in module.defined and head not in module.imported:
                self._import(source, dotted, index)

    def _import(self, source: str, parts: list[str], index: ast.expr | None) -> None:
        """Follow `source.parts[0].parts[1]…`: down through modules, then to a symbol."""
        while parts and self._path(f"{source}.{parts[0]}"):
            source, parts = f"{source}.{parts[0]}", parts[1:]
        if parts:
            self._reach(source, parts[0], index if len(parts) == 1 else None)
        elif (module := self.module(source)) is not None:
            for name in module.defined:  # the module itself is handed on: all of it counts
                self._reach(source, name, None)

    def _reach(self, source: str, name: str, index: ast.expr | None) -> None:
        module = None if source in NOT_FOLLOWED else self.module(source)
        if module is None:
            return
        if name not in module.defined and (name in module.imported or "*" in module.imported):
            self._reference(module, [name], index)
            return
        entries = _entries(module.defined.get(name, []))
        if entries is not None and index is not None:
            if isinstance(index, ast.Constant):
                self._entry(module, name, str(index.value), entries)
                return
            if _is_looked_up(index):
                self._by_key.add(Symbol(source, name))
                self._loose(module)
                return
        symbol = Symbol(source, name)
        if symbol not in self.symbols:
            self.symbols[symbol] = list(module.defined.get(name, []))
            for node in self.symbols[symbol]:
                self._follow(module, node)
            self._loose(module)

    def _loose(self, module: Module) -> None:
        """Statements beside the definitions run whenever the module is imported."""
        parent = module.name.rpartition(".")[0]
        if parent and (package := self.module(parent)) is not None:
            self._loose(package)
        symbol = Symbol(module.name, "")
        if module.loose and symbol not in self.symbols:
            self.symbols[symbol] = list(module.loose)
            for statement in module.loose:
                self._follow(module, statement)

    def _entry(self, module: Module, name: str, key: str, entries: dict[str, ast.expr]) -> None:
        symbol = Symbol(module.name, name, key)
        if key in entries and symbol not in self.symbols:
            self.symbols[symbol] = [entries[key]]
            self._follow(module, entries[key])
            self._loose(module)

    def _settle(self) -> None:
        """Of dictionaries looked up by a variable: the entries whose key is named anywhere."""
        before = -1
        while before != len(self.symbols):
            before = len(self.symbols)
            for symbol in sorted(self._by_key, key=str):
                if (module := self.module(symbol.module)) is not None:
                    entries = _entries(module.defined[symbol.name]) or {}
                    for key in entries.keys() & self.strings:
                        self._entry(module, symbol.name, key, entries)


def _entries(nodes: list[ast.stmt]) -> dict[str, ast.expr] | None:
    """Entries of a dictionary that is written out with text for keys; None for all else."""
    if len(nodes) != 1 or not isinstance(nodes[0], ast.Assign | ast.AnnAssign):
        return None
    if not isinstance(value := nodes[0].value, ast.Dict):
        return None
    keys = [k.value for k in value.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
    if len(keys) != len(value.values):
        return None
    return dict(zip(keys, value.values, strict=True))


@lru_cache(maxsize=16_384)
def _facts(node: ast.AST) -> tuple[list[tuple[list[str], ast.expr | None]], set[str]]:
    """Names and strings of a piece of code; the pieces are those of modules that are read once."""
    visitor = _References()
    visitor.visit(node)
    return visitor.found, _strings(node)


@lru_cache(maxsize=16_384)
def _text(node: ast.AST) -> str:
    return dump(node)


def _is_looked_up(index: ast.expr) -> bool:
    """Whether a key comes from elsewhere in the code as it is, not computed on the spot."""
    if isinstance(index, ast.Call):
        return isinstance(index.func, ast.Attribute) and index.func.attr == "get"
    return isinstance(index, ast.Name | ast.Subscript | ast.IfExp)


def _strings(node: ast.AST) -> set[str]:
    texts = {id(n.value) for n in ast.walk(node) if isinstance(n, ast.Expr)}
    constants = (n for n in ast.walk(node) if isinstance(n, ast.Constant) and id(n) not in texts)
    named = {n.arg for n in ast.walk(node) if isinstance(n, ast.keyword) and n.arg}
    return {n.value for n in constants if isinstance(n.value, str)} | named


@lru_cache(maxsize=1_024)
def _read(name: str, path: Path, changed: int) -> Module:
    return parse(name, path.read_text(encoding="utf-8"))


@lru_cache(maxsize=1_024)
def _parsed(code: str) -> ast.Module:
    return ast.parse(code)


# The hash


@lru_cache(maxsize=4_096)
def as_python(cell: str) -> str:
    """The code of a cell as IPython runs it: magics and shell commands as calls.

    Raises:
        PublishError: it is no code that IPython could run.
    """
    python = TransformerManager().transform_cell(cell)
    try:
        ast.parse(python)
    except SyntaxError as error:
        raise PublishError(
            f"a cell is no Python ({error.msg}, line {error.lineno}): {cell.strip()[:200]!r}"
        ) from error
    return python


@lru_cache(maxsize=4_096)
def normal(cell: str) -> str:
    """The code of a cell as far as it counts: without comments, docstrings and layout.

    What stands last counts as it is: a cell shows its value, unless a semicolon follows.

    >>> normal("x = 1  # one") == normal("x=1")
    True
    """
    tree = ast.parse(as_python(cell))
    last = dump(tree.body[-1]) if tree.body else ""
    return f"{dump(tree)} {last} {cell.rstrip().endswith(';')}"


def reach(cells: Iterable[str], root: Path = ROOT) -> Reach:
    """What the code cells of a notebook reach."""
    found = Reach(root)
    found.add("\n".join(map(as_python, cells)))
    return found


def code_hash(cells: Iterable[str], root: Path = ROOT, assets: Path | None = ASSETS) -> str:
    """Hash of all that decides what these cells compute and show.

    Args:
        cells: code, with inlined classes as the imports that name them. root: folder of the
            package. assets: folder of the files that count where their names stand in the code;
            None for code that makes such a file.
    """
    cells = list(cells)
    found = reach(cells, root)
    digest = hashlib.sha256()
    for piece in _pieces(cells, found, root, assets):
        digest.update(piece.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def _pieces(cells: list[str], found: Reach, root: Path, assets: Path | None) -> Iterator[str]:
    yield from (normal(cell) for cell in cells)
    for symbol, nodes in sorted(found.symbols.items(), key=lambda item: str(item[0])):
        yield f"{symbol} " + " ".join(map(_text, nodes))
    named = {re.split(r"[/\\]", text)[-1] for text in found.strings}
    files = [*assets.glob("*"), root / "course.toml"] if assets else []
    for path in sorted(files):
        if path.name in named and path.is_file() and not path.name.startswith("."):
            content = path.read_bytes()
            if path.suffix in TEXTS:
                content = content.replace(b"\r\n", b"\n")
            if path.name in BY_NOTEBOOK:
                entries = json.loads(content)
                own = {name: entries[name] for name in entries.keys() & found.strings}
                content = json.dumps(own, sort_keys=True).encode()
            yield f"{path.name} {hashlib.sha256(content).hexdigest()}"
    for library in sorted(found.libraries - NOT_COMPUTING):
        yield f"{library} {_version(library)}"


def _version(library: str) -> str:
    """Version of an installed library without its local part; empty if it is not installed."""
    try:
        return version(DISTRIBUTIONS.get(library, library)).partition("+")[0]
    except PackageNotFoundError:
        return ""
