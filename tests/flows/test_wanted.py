"""What is asked for of a source: the same ids for ever, and the quick look by ids alone agrees with the whole plan."""

import random

import numpy as np
import pytest

from singanimation.flows.models import Fingerprint
from singanimation.flows.source.remaining import State, plan_work, state_of
from singanimation.flows.source.row_ids import Identity
from singanimation.pipeline.digests import digest
from singanimation.pipeline.expressions import EMOTIONS
from singanimation.pipeline.records import Source
from singanimation.pipeline.settings import make_settings

MODELS = Fingerprint("e" * 64, "fake", "a" * 64, "embedded", 1.0)
OPTIONS = (
    {"per_image": 40},
    {"per_image": 1},
    {"per_image": 5, "edits": 3},
    {"per_image": 60, "edits": 60},
    {"per_image": 9, "expressions": "fear,AU12,AU4"},
    {"per_image": 9, "expressions": "continuous", "seed": 7},
    {"per_image": 9, "start_scale": "N,N-1,N-2", "engine": "patch", "frame": "crop"},
)

# How many edits, and the digest over all of them: with the forms of `pipeline.forms`, whose digest is in every id.
PINNED = (962, "c7f647035f4dcf274e4c020dda38037d")


def identities():
    for options in OPTIONS:
        settings = make_settings(input="x", **options)
        for index, label in enumerate([*EMOTIONS, None]):
            source = Source("dätaset", f"a {index} ü.png", None, "a.png", label=label, is_face_crop=index % 2 == 0)
            allotment = {name: place + 1 for place, name in enumerate(EMOTIONS[index % 3 : 5]) if name != label}
            for asked in (None, allotment, {}):
                yield Identity(source, None if index == 3 else "5" * 64, settings, MODELS, asked)


def test_ids_keys_and_seeds_are_those_of_manifests_that_are_out_there():
    told = [
        (
            identity.real(),
            work.target.key,
            work.edit_id,
            work.fit_seed,
            work.quota,
            [(attempt.index, attempt.start, attempt.seed, attempt.variant_id) for attempt in work.attempts],
        )
        for identity in identities()
        for work in plan_work(identity, {})
    ]
    assert len(told) == PINNED[0] and digest(*told) == PINNED[1]


@pytest.mark.parametrize("seed", range(3))
def test_the_quick_look_agrees_with_the_whole_plan(seed):
    chance = random.Random(seed)
    done = 0
    for identity in identities():
        works = plan_work(identity, {})
        known = {identity.real(): "accepted"}
        accepting, edits_there, stop = chance.random(), chance.random() < 0.8, chance.random() < 0.2
        for work in works:
            if edits_there or chance.random() < 0.8:
                known[work.edit_id] = "accepted"
            lacking = work.quota
            for attempt in work.attempts[: 1 if stop else None]:
                good = chance.random() < accepting
                known[attempt.variant_id] = "accepted" if good else "rejected"
                lacking -= good
                if not lacking:
                    break
        left = plan_work(identity, known, np.full(17, 0.3, np.float32))
        expected = State(
            all(work.edit_id in known and not work.attempts for work in left), sum(work.lacking for work in left)
        )
        assert state_of(identity, known) == expected
        done += expected.done
    assert 20 < done < 150  # both kinds came up


def test_a_source_without_a_row_is_not_done_and_a_failed_one_only_when_asked():
    identity = next(identities())
    assert state_of(identity, {}) == State(False)
    assert state_of(identity, {identity.real(): "failed"}) == State(True)
    again = identity.settings.model_copy(update={"retry_failed": True})
    asked = Identity(identity.source, identity.sha256, again, MODELS)
    assert state_of(asked, {asked.real(): "failed"}) == State(False)
