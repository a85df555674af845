"""``--runner ray``: a cluster of two nodes on this machine gives the rows that worker processes give."""

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from fake_models import load

from singanimation.flows.job import ray_pool
from singanimation.flows.job.ray_actor import About, AugmentActor, carried
from singanimation.flows.job.ray_cluster import connect, share_of
from singanimation.flows.source.row_ids import Identity
from singanimation.flows.source.work import SourceJob, file_sha256
from singanimation.pipeline.datasets import open_dataset
from singanimation.pipeline.errors import MachineError, PictureError, UsageError, WeightsError
from singanimation.pipeline.settings import make_settings

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("resources", "options", "share"),
    [
        ({"CPU": 16.0}, {}, (16, 0)),
        ({"CPU": 16.0}, {"workers": 4}, (4, 0)),
        ({"CPU": 64.0, "GPU": 8.0}, {}, (8, 1)),
        ({"CPU": 64.0, "GPU": 8.0}, {"workers": 16}, (16, 0.5)),
        ({"CPU": 64.0, "GPU": 8.0}, {"device": "cpu"}, (64, 0)),
    ],
)
def test_a_cluster_is_shared_by_its_gpus_or_else_its_cores(resources, options, share):
    assert share_of(resources, make_settings(input="x", runner="ray", **options)) == share


@pytest.mark.parametrize(("device", "message"), [("cuda", "has no GPU"), ("cuda:1", "each actor its GPU")])
def test_gpus_that_a_cluster_cannot_give_are_refused(device, message):
    with pytest.raises(UsageError, match=message):
        share_of({"CPU": 4.0}, make_settings(input="x", runner="ray", device=device))


def test_without_ray_the_run_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'singanimation\[ray\]'"):
        connect(None)


def test_an_address_where_nobody_listens_is_refused_at_once():
    pytest.importorskip("ray", reason="Ray is not installed here: pip install 'singanimation[ray]'")
    with pytest.raises(UsageError, match="--address 127.0.0.1:1: no Ray cluster answers there"):
        connect("127.0.0.1:1")


def _job(faces: Path, place: int = 0) -> SourceJob:
    settings = make_settings(input=str(faces), per_image=2)
    source = open_dataset(settings).sources[place]
    identity = Identity(source, file_sha256(source), settings, load(settings).fingerprint)
    return SourceJob(identity, {}, "run", faces / "manifest")


def test_a_source_travels_with_its_bytes_and_needs_no_file_where_it_is_worked_on(faces):
    job = _job(faces)
    sent = carried(job)
    path = job.identity.source.path
    actor = AugmentActor(job.identity.settings, "fake_models:load")
    about = actor.about()
    here = actor.work(job)
    path.unlink()
    there = actor.work(sent)
    assert here.outcome.accepted > 0
    assert [(row.variant_id, row.image) for row in there.rows] == [(row.variant_id, row.image) for row in here.rows]
    with pytest.raises(PictureError) as error:
        carried(job)
    assert error.value.reason == "missing"
    other = replace(about, versions={**about.versions, "numpy": "0.1"}, node="other")
    assert "numpy 0.1 instead of" in other.differs_in(about) and about.differs_in(replace(about, node="other")) == ""
    assert isinstance(about, About)


class FakeActor:
    """An actor in this process; ``faults`` are what it does: die, or be of other versions."""

    def __init__(self, settings, loader, faults) -> None:
        self.actor, self.faults, self.killed = AugmentActor(settings, loader), faults, False
        self.about, self.work = Call(self, self._about), Call(self, self.actor.work)

    def _about(self) -> About:
        about = self.actor.about()
        other = {**about.versions, "numpy": "0.1"}
        return replace(about, versions=other, node="other") if "other" in self.faults else about


class Call:
    """A method of an actor: ``remote`` gives what ``FakeRay.get`` runs."""

    def __init__(self, owner: FakeActor, of: Callable) -> None:
        self.owner, self.of = owner, of

    def remote(self, *arguments: object) -> tuple:
        return self, arguments


class FakeRay:
    """As much of Ray as the pool uses: actors are made with the faults that were told for them, in order."""

    class exceptions:
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            def __init__(self, cause: BaseException) -> None:
                self.cause = cause

    def __init__(self, *faults: tuple[str, ...]) -> None:
        self.faults, self.made = list(faults), []

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def get(self, called: tuple) -> object:
        call, arguments = called
        working = call is call.owner.work
        while "never" in call.owner.faults and not call.owner.killed:
            time.sleep(0.01)
        if call.owner.killed or ("dies at work" in call.owner.faults and working):
            raise self.exceptions.RayError
        try:
            return call.of(*arguments)
        except Exception as error:
            raise self.exceptions.RayTaskError(error) from None

    def kill(self, actor: FakeActor) -> None:
        actor.killed = True

    def shutdown(self) -> None:
        pass


@pytest.fixture
def pool_over(faces, monkeypatch):
    """Return a function: faults of the actors -> a pool of two over a fake Ray, which is closed afterwards."""
    pools = []

    def make(*faults: tuple[str, ...], loader: str = "fake_models:load") -> ray_pool.RayPool:
        ray = FakeRay(*faults)
        monkeypatch.setattr(ray_pool, "connect", lambda address: ray)

        class Made:
            @staticmethod
            def remote(settings, name) -> FakeActor:
                ray.made.append(FakeActor(settings, name, ray.faults.pop(0) if ray.faults else ()))
                return ray.made[-1]

        monkeypatch.setattr(ray_pool, "actor_class", lambda ray, gpus: Made)
        pools.append(ray_pool.RayPool(make_settings(input=str(faces), per_image=2), 8, loader))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close(now=True)


def _ready(pool: ray_pool.RayPool, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(pool._ready) < count or pool._starting:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_node_of_other_versions_is_not_used(pool_over, faces, caplog):
    pool = pool_over((), ("other",))
    pool.load()
    _ready(pool, 1)
    assert pool.workers == 2 and "numpy" in caplog.text and "its rows would be others" in caplog.text
    assert pool.augment(_job(faces)).accepted > 0


def test_an_actor_that_dies_is_replaced_and_a_source_is_tried_twice(pool_over, faces):
    pool = pool_over(("dies at work",), ("dies at work",))
    pool.fingerprint()
    _ready(pool, 2)
    outcome = pool.augment(_job(faces))
    assert outcome.fault == "worker_died" and "died twice" in outcome.lost
    _ready(pool, 2)
    assert pool.augment(_job(faces)).lost is None


def test_what_keeps_the_models_from_loading_is_said(pool_over):
    with pytest.raises(WeightsError, match="no weights here"):
        pool_over(loader="fake_models:load_nothing").fingerprint()


def test_a_cluster_without_a_place_is_one_sentence(pool_over, faces, monkeypatch):
    monkeypatch.setattr(ray_pool, "LOST_SECONDS", 0.3)
    pool = pool_over(("never",), ("never",))
    with pytest.raises(MachineError, match="No actor of the Ray cluster was ready"):
        pool.fingerprint()
    assert "No actor" in pool.augment(_job(faces)).lost


def test_a_run_without_work_asks_no_cluster(augmented, faces, tmp_path, monkeypatch):
    options = {"input": str(faces), "output": tmp_path / "out", "limit": 1}
    augmented(**options)
    monkeypatch.setattr(ray_pool, "connect", lambda address: pytest.fail("connected"))
    assert augmented(runner="ray", **options)["sources"]["complete_before"] == 1


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes with one core each; their workers find the fakes."""
    pytest.importorskip("ray", reason="Ray is not installed here: pip install 'singanimation[ray]'")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parents[1] / "src")]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    yield nodes
    nodes.shutdown()


def _when(count: int, manifest: Path, then: Callable[[], object]) -> threading.Thread:
    """Do something in mid-run: when so many parts are there."""

    def look() -> None:
        while len(list(manifest.glob("part-*.parquet"))) < count:
            time.sleep(0.05)
        then()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    return thread


def _kill_an_actor() -> None:
    children = psutil.Process().children(recursive=True)
    actors = [each for each in children if "AugmentActor" in " ".join(each.cmdline())]
    assert len(actors) == 2, [each.cmdline() for each in children]
    actors[0].kill()


@pytest.mark.slow
def test_a_cluster_gives_the_rows_of_processes_though_an_actor_and_a_node_are_lost(
    cluster, augmented, tmp_path, rows_of, monkeypatch
):
    from fake_models import write_faces

    monkeypatch.setattr(ray_pool, "LOST_SECONDS", 300.0)
    options = {"input": str(write_faces(tmp_path / "faces", 12)), "per_image": 4, "workers": 2, "singan_iterations": 40}
    over_ray = options | {"output": tmp_path / "ray", "runner": "ray", "address": cluster.address}
    augmented(output=tmp_path / "local", **options)
    killer = _when(2, tmp_path / "ray" / "manifest", _kill_an_actor)
    first = augmented(limit=6, **over_ray)
    killer.join(1)
    assert not killer.is_alive(), "no actor was killed"
    second_node = next(iter(cluster.worker_nodes))
    killer = _when(8, tmp_path / "ray" / "manifest", lambda: cluster.remove_node(second_node, allow_graceful=False))
    second = augmented(**over_ray)
    killer.join(10)
    assert not killer.is_alive(), "no node was lost"
    assert [first["exit_code"], second["exit_code"]] == [0, 0], (first, second)
    assert second["sources"]["complete_before"] == 6 and second["sources"]["lost"] == {}
    assert rows_of(tmp_path / "ray") == rows_of(tmp_path / "local")
