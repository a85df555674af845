"""The rooms' imports go one way, and asking for help loads neither torch nor Prefect."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "pipeline": {"pipeline"},
    "stages": {"pipeline"},
    "manifests": {"pipeline", "manifests"},
    "flows": {"flows", "stages", "manifests", "pipeline"},
}
FOREIGN = {"pipeline": {"torch", "prefect"}, "manifests": {"prefect"}, "stages": {"prefect"}}
FILES = [path for room in MAY_IMPORT for path in sorted((ROOT / room).rglob("*.py"))]


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    room, *rest = path.relative_to(ROOT).parts
    stage = Path(rest[0]).stem
    for name in _imports(path):
        words = name.split(".")
        assert words[0] not in FOREIGN.get(room, set()), f"{room} must not import {words[0]}"
        assert words[0] not in MAY_IMPORT, f"write singanimation.{name}"
        if words[0] != "singanimation" or len(words) < 2:
            continue
        own_stage = room == "stages" and words[1] == "stages" and words[2:3] == [stage]
        assert words[1] in MAY_IMPORT[room] or own_stage, f"{room} must not import {name}"


def test_asking_for_help_loads_neither_torch_nor_prefect() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from singanimation.flows.cli import app;"
        "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0, result.output;"
        "sys.exit(', '.join(sorted({'torch', 'prefect'} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
