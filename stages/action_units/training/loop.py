"""The training loop of both embedded networks: a generator that yields progress; the caller logs and saves."""

import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import cast

import numpy as np
import torch
from torch import nn

from singanimation.pipeline.errors import DatasetError, TrainingError
from singanimation.pipeline.weights import file_sha256
from singanimation.stages.action_units.alignment import calibrate
from singanimation.stages.action_units.network import AlignerNetwork
from singanimation.stages.action_units.training.aligner_objective import AlignerObjective
from singanimation.stages.action_units.training.faces import check_landmarks, load_training_faces, load_wide_faces
from singanimation.stages.action_units.training.objectives import AUObjective, Objective
from singanimation.stages.action_units.training.session import (
    PHASES,
    Progress,
    Session,
    TrainSettings,
    load_checkpoint,
    new_network,
)

Validate = Callable[[str, nn.Module], Mapping[str, object]]


def learning_rate_share(done: float) -> float:
    """Return the learning rate as a share of its peak: 3% of the steps to warm up, then half a cosine to 1%."""
    if done < 0.03:
        return (done + 1e-3) / 0.031
    return 0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * (done - 0.03) / 0.97)))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average's parameters and running statistics towards the network's."""
    theirs = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(theirs[name].to(value.dtype), 1 - decay)
        else:
            value.copy_(theirs[name])


def _objective(phase: str, settings: TrainSettings) -> Objective:
    device = torch.device(settings.device)
    rng = np.random.default_rng([settings.seed, PHASES.index(phase)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        if phase == "action_units":
            faces = load_training_faces(settings.faces, settings.warped, "train")
            objective: Objective = AUObjective(faces, settings.real_share, device, rng)
        else:
            objective = AlignerObjective(*load_wide_faces(settings.faces, "train"), device)
    objective.network.to(device).to(memory_format=torch.channels_last).train()
    return objective


def _one_step(
    objective: Objective, optimizer: torch.optim.Optimizer, session: Session, total: int
) -> tuple[float, dict[str, float]]:
    settings, phase = session.settings, session.phase
    rng = np.random.default_rng([settings.seed, PHASES.index(phase), session.step])
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate * learning_rate_share(session.step / total)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        loss, parts = objective.loss(rng, settings.plan(phase)[1])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
    nn.utils.clip_grad_norm_(objective.network.parameters(), 2.0)
    optimizer.step()
    session.step += 1
    decay = min(settings.average, (1 + session.step) / (10 + session.step))
    update_average(session.averages[phase], objective.network, decay)
    value = float(loss.detach())
    if not np.isfinite(value):
        raise TrainingError(
            f"The loss of {phase} is {value} at step {session.step}: check the faces' AUs and landmarks."
        )
    return value, parts


def _begin_phase(session: Session, phase: str, state: dict | None) -> tuple[Objective, torch.optim.Optimizer]:
    objective = _objective(phase, session.settings)
    average = deepcopy(objective.network).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(
        objective.network.parameters(), session.settings.learning_rate, weight_decay=session.settings.weight_decay
    )
    session.phase, session.step = phase, 0
    session.network, session.optimizer, session.averages[phase] = objective.network, optimizer, average
    if state is not None:
        objective.network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["averages"][phase])
        session.step = state["step"]
    return objective, optimizer


def _calibrated(session: Session, phase: str) -> Mapping[str, float] | None:
    """Put the finished aligner's face score right on the validation people (else the training ones)."""
    if phase != "aligner":
        return None
    settings = session.settings
    try:
        faces = load_wide_faces(settings.faces, "validation")
    except DatasetError:
        faces = load_wide_faces(settings.faces, "train")
    aligner = cast(AlignerNetwork, session.averages[phase])
    return calibrate(aligner, *faces, np.random.default_rng([settings.seed, len(PHASES)]))


def _train_phase(
    session: Session,
    phase: str,
    state: dict | None,
    validate: Validate | None,
    interrupted: Callable[[], bool],
) -> Iterator[Progress]:
    settings = session.settings
    objective, optimizer = _begin_phase(session, phase, state)
    total, size = settings.plan(phase)
    losses: list[float] = []
    sums: dict[str, float] = {}
    began, first = time.monotonic(), session.step
    if first == total:
        yield Progress(phase, total, total, float("nan"), {}, 0.0, session)
    while session.step < total:
        value, parts = _one_step(objective, optimizer, session, total)
        losses.append(value)
        for name, part in parts.items():
            sums[name] = sums.get(name, 0.0) + part
        last = session.step == total
        due = bool(settings.validate_every) and (session.step % settings.validate_every == 0 or last)
        if due or last or session.step % settings.report_every == 0 or interrupted():
            calibration = _calibrated(session, phase) if last else None
            speed = (session.step - first) * size / max(time.monotonic() - began, 1e-9)
            means = {name: part / len(losses) for name, part in sums.items()}
            figures = validate(phase, session.averages[phase]) if due and validate else None
            loss = float(np.mean(losses))
            yield Progress(phase, session.step, total, loss, means, speed, session, figures, calibration)
            losses, sums = [], {}


def _digest(settings: TrainSettings) -> str:
    """Digest the files that are trained on; missing ones are told where they are read."""
    paths = [path for path in (settings.faces, settings.warped) if path is not None and path.is_file()]
    return " ".join(file_sha256(path)[:16] for path in paths)


def train_action_units(
    settings: TrainSettings, validate: Validate | None = None, interrupted: Callable[[], bool] = lambda: False
) -> Iterator[Progress]:
    """Train the AU network, then the aligner, and yield progress every ``report_every`` steps and once ``interrupted``.

    The trained networks are ``progress.session.averages["action_units"]`` and ``["aligner"]``;
    ``weights.save_weights`` takes them. ``validate(phase, network)`` is called every ``validate_every`` steps,
    its result handed on in the progress. The same settings, data and library versions give the same weights,
    whether or not the training was interrupted and resumed. Raises TrainingError when the loss is not finite,
    DatasetError for faces that cannot teach what is asked, WeightsError for a checkpoint of another training.
    """
    if "aligner" in settings.phases:
        check_landmarks(settings.faces)  # now, not when the first network is done
    session = Session(settings, data=_digest(settings))
    phases = list(dict.fromkeys(phase for phase in PHASES if phase in settings.phases))
    state = None
    if settings.resume is not None:
        state = load_checkpoint(settings.resume, settings, session.data)
        done = phases[: phases.index(state["phase"])]
        for phase in done:
            session.averages[phase] = new_network(phase).eval().requires_grad_(False)
            session.averages[phase].load_state_dict(state["averages"][phase])
        phases = phases[len(done) :]
    for phase in phases:
        yield from _train_phase(session, phase, state, validate, interrupted)
        state = None
