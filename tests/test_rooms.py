"""The rooms' imports go one way and in no circle, and asking for help loads neither torch nor Prefect."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "singanimation"
MAY_IMPORT = {
    "pipeline": {"pipeline"},
    "stages": {"pipeline"},
    "manifests": {"pipeline", "manifests"},
    "flows": {"flows", "stages", "manifests", "pipeline"},
}
FOREIGN = {"pipeline": {"torch", "prefect"}, "manifests": {"prefect"}, "stages": {"prefect"}}


def _files(room: str) -> list[Path]:
    """The room's files by their place in the package; in a checkout the room is a link, which rglob must not meet."""
    real = (PACKAGE / room).resolve()
    return [PACKAGE / room / path.relative_to(real) for path in sorted(real.rglob("*.py"))]


FILES = [path for room in MAY_IMPORT for path in _files(room)]


def _imports(nodes: Iterator[ast.AST], path: Path) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Everything below ``node`` but the bodies of functions and what stands under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _run_at_import(child)


def _module(path: Path) -> str:
    words = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def module_graph() -> dict[str, set[str]]:
    """Return for each of our modules those that it names in imports that run as it is imported."""
    modules = {_module(path): path for path in FILES}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        names = _imports(_run_at_import(ast.parse(path.read_text())), path)
        named = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[module] = named & modules.keys()
    return graph


def test_every_room_is_looked_at() -> None:
    for room in MAY_IMPORT:
        assert len(_files(room)) > 10, f"{PACKAGE / room} leads to no room: does this checkout have links?"


@pytest.mark.parametrize("path", FILES, ids=_module)
def test_imports_go_one_way(path: Path) -> None:
    room, *rest = path.relative_to(PACKAGE).parts
    stage = Path(rest[0]).stem
    for name in _imports(ast.walk(ast.parse(path.read_text())), path):
        words = name.split(".")
        assert words[0] not in FOREIGN.get(room, set()), f"{room} must not import {words[0]}"
        assert words[0] not in MAY_IMPORT, f"write singanimation.{name}"
        if words[0] != "singanimation" or len(words) < 2:
            continue
        own_stage = room == "stages" and words[1] == "stages" and words[2:3] == [stage]
        assert words[1] in MAY_IMPORT[room] or own_stage, f"{room} must not import {name}"


def test_imports_go_in_no_circle() -> None:
    graph = module_graph()
    assert sum(map(len, graph.values())) > len(graph)  # the imports are seen
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle
    assert len(order) == len(FILES)


def test_asking_for_help_loads_neither_torch_nor_prefect() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from singanimation.flows.cli import app;"
        "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0, result.output;"
        "sys.exit(', '.join(sorted({'torch', 'prefect'} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
