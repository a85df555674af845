"""Small worlds for the flow's tests: faces on disk, fake models that worker processes can import."""

import os
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

HERE = Path(__file__).parent
LOADER = "fake_models:load"

# Worker processes inherit sys.path, and find the fakes by it.
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory):
    """One PREFECT_HOME for all tests that start a server: its data base is made once."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture
def environment(prefect_home, tmp_path):
    """The environment for processes that tests start."""
    return os.environ | {
        "PREFECT_HOME": str(prefect_home),
        "FAKE_HOLD": str(tmp_path / "hold"),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1] / "src")]),
    }


@pytest.fixture
def no_server(monkeypatch):
    """Let jobs be worked off without Prefect: no server is started where the user has one."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")


@pytest.fixture
def faces(tmp_path):
    from fake_models import write_faces

    return write_faces(tmp_path / "faces", 4)


@pytest.fixture
def rows_of():
    """Return a function: output folder -> its rows as dicts, sorted by id, without what differs between runs."""

    def read(output: Path) -> list[dict]:
        rows = []
        for part in sorted((output / "manifest").glob("*.parquet")):
            rows += pq.read_table(part).to_pylist()
        for row in rows:
            for name in ("run_id", "created_at", "settings_sha256"):
                row.pop(name)
        return sorted(rows, key=lambda row: row["variant_id"])

    return read


@pytest.fixture
def augmented(no_server):
    """Return a function that works a job off in this process' workers, without Prefect, and returns its summary."""
    from singanimation.flows.job.job import open_job
    from singanimation.flows.job.plan import plan_run
    from singanimation.flows.job.progress import Reporter
    from singanimation.flows.job.summary import close_job
    from singanimation.pipeline.settings import make_settings

    def run(loader: str = LOADER, **options: object) -> dict:
        settings = make_settings(**({"per_image": 4, "workers": 1} | options))
        with open_job(plan_run(settings), Reporter(), loader) as job:
            for index in range(len(job.todo)):
                job.work(index)
            return close_job(job)

    return run


@pytest.fixture
def augment(capsys):
    """Return a function: arguments -> (exit code, stdout, stderr), in this process."""
    from command import augment as run_augment

    def run(*arguments: object):
        code = run_augment(*arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def picture(tmp_path):
    from fake_models import write_faces

    return write_faces(tmp_path / "faces", 1) / "train" / "happiness" / "00.png"


@pytest.fixture
def work(tmp_path):
    """Work on one source; what the manifest holds already counts, as in a real run."""
    import fake_models

    from singanimation.flows.source.outcome import SourceJob
    from singanimation.flows.source.row_ids import Identity
    from singanimation.flows.source.work import augment_source, file_sha256
    from singanimation.manifests.reading import read
    from singanimation.pipeline.settings import make_settings

    manifest = tmp_path / "out" / "manifest"

    def run(source, models=None, **options):
        settings = make_settings(**({"input": "x", "per_image": 4} | options))
        models = models or fake_models.load(settings)
        known = {}
        if any(manifest.glob("*.parquet")):
            table = read(manifest, columns=["variant_id", "status"])
            known = dict(zip(table["variant_id"], table["status"].astype(str), strict=True))
        identity = Identity(source, file_sha256(source), settings, models.fingerprint)
        return augment_source(SourceJob(identity, known, "run", manifest), models), identity

    run.manifest = manifest
    return run
