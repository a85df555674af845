"""`augment evaluate OUT`: tables by closed form, intervals over sources, and files that other programs read."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from singanimation.flows.evaluation import gathering
from singanimation.flows.evaluation.gathering import gather
from singanimation.flows.evaluation.identity import identity_table, load_identity
from singanimation.flows.evaluation.manifest import agreement_table, people_table, tables_of
from singanimation.flows.evaluation.pictures import picture_table
from singanimation.flows.evaluation.run import evaluate_output
from singanimation.flows.evaluation.tables import Mean, Table, latex, markdown, mean_of, shown
from singanimation.flows.study.plan import Shown, make_study
from singanimation.flows.study.score import Rate
from singanimation.flows.study.store import save_study
from singanimation.manifests.write import write_part
from singanimation.pipeline.errors import WeightsError
from singanimation.pipeline.expressions import AU_INDEX, EMOTIONS
from singanimation.pipeline.files.pictures import encode_png
from singanimation.pipeline.records import Row


def units(**values: float) -> tuple[float, ...]:
    vector = np.full(17, 0.2)
    for name, value in values.items():
        vector[AU_INDEX[name]] = value
    return tuple(vector.tolist())


def picture(seed: int) -> dict[str, Any]:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3), np.uint8)
    return {"image": encode_png(pixels), "width": 40, "height": 40}


def rows_of(name: str, sifid: tuple[float, float], moved: float) -> list[Row]:
    """An edit that asks AU12 to rise by .6 and gets ``moved``; a variant from N-1, one from N-2, one rejected."""
    base: dict[str, Any] = {
        "dataset": "tiny",
        "source_id": name,
        "source_path": name,
        "source_sha256": "0" * 64,
        "split": "train",
        "group_id": name,
        "licence": "CC0-1.0",
        "run_id": "run",
    }
    real = Row(variant_id=f"{name}-real", kind="real", label="neutral", label_origin="source", **base)
    edit = base | {"edit_kind": "single", "edit_name": "AU12", "edit_strength": 1.0, "label": "happiness"}
    aus: dict[str, Any] = {"au_source": units(), "au_target": units(AU12=0.8)}
    first = Row(
        variant_id=f"{name}-edit",
        kind="edit",
        parent_id=real.variant_id,
        au_measured=units(AU12=0.2 + moved, AU25=0.36),
        **edit,
        **aus,
        **picture(len(name)),
    )
    variants = [
        Row(
            variant_id=f"{name}-{index}",
            kind="variant",
            parent_id=first.variant_id,
            sifid=value,
            start_scale=start,
            engine="fast",
            sifid_features="embedded",
            status=status,
            reason="sifid" if status == "rejected" else None,
            au_measured=units(AU12=0.2 + moved, AU25=0.46),
            **edit,
            **aus,
            **picture(100 * index + len(name)),
        )
        for index, (value, start, status) in enumerate(
            [(sifid[0], "N-1", "accepted"), (sifid[1], "N-2", "accepted"), (0.5, "N-1", "rejected")]
        )
    ]
    return [real, first, *variants]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    for index, (name, sifid, moved) in enumerate((("a", (0.01, 0.04), 0.3), ("bb", (0.03, 0.04), 0.5))):
        write_part(out / "manifest", f"part-{index}.parquet", rows_of(name, sifid, moved))
    return out


def table(tables: list[Table], name: str) -> Table:
    return next(each for each in tables if each.name == name)


def test_figures_follow_from_the_rows(output: Path) -> None:
    tables = tables_of(gather(output))
    sifid = {row[2]: row for row in table(tables, "sifid").rows}
    assert sifid["N-1"][3].mean == pytest.approx((np.mean([0.01, 0.5]) + np.mean([0.03, 0.5])) / 2)
    assert sifid["N-2"][3].mean == pytest.approx(0.04) and sifid["N-2"][3].low == pytest.approx(0.04)
    fates = {row[1]: row for row in table(tables, "fates").rows}
    assert table(tables, "fates").columns[3:] == ("accepted", "sifid")
    assert fates["N-1"][2:] == (4, 0.5, 0.5) and fates["N-2"][2:] == (2, 1.0, 0.0)
    unit, asked, moved, error, others, edits = table(tables, "action-units").rows[0]
    assert (unit, edits) == ("AU12", 2) and asked == pytest.approx(0.6, abs=1e-6)
    assert moved.mean == pytest.approx(0.4, abs=1e-6) and error.mean == pytest.approx(0.2, abs=1e-6)
    assert others == pytest.approx(0.16 / 16, abs=1e-6)
    assert [row[2].mean for row in table(tables, "drift").rows] == pytest.approx([0.1, 0.1], abs=1e-6)


def test_a_variant_finds_its_edit_wherever_it_lies(output: Path, tmp_path: Path, monkeypatch) -> None:
    rows = [*rows_of("a", (0.01, 0.03), 0.3), *rows_of("bb", (0.03, 0.05), 0.5)]
    apart = tmp_path / "apart" / "manifest"
    write_part(apart, "part-0.parquet", [row for row in rows if row.kind == "variant"])
    write_part(apart, "part-1.parquet", [row for row in rows if row.kind != "variant"])
    monkeypatch.setattr(gathering, "_KEPT_EDITS", 1)
    drift = table(tables_of(gather(apart.parent)), "drift").rows
    assert drift == table(tables_of(gather(output)), "drift").rows and len(drift) == 2


def test_copies_are_counted_by_their_bytes() -> None:
    figures = gathering.Figures()
    for sha in ("a" * 64, "b" * 64, "a" * 64, "a" * 64):
        figures.pictures.append(int(sha[:16], 16))
    assert figures.twins() == 2


def test_an_interval_is_over_sources_not_over_variants() -> None:
    alike = mean_of({"a": [0.0] * 100, "b": [1.0] * 100})
    assert (alike.mean, alike.low, alike.high, alike.number, alike.groups) == (0.5, 0.0, 1.0, 200, 2)
    many = mean_of({index: [value] for index, value in enumerate(np.random.default_rng(0).normal(2, 1, 400))})
    assert many.high - many.low == pytest.approx(2 * 1.96 / 20, rel=0.15)
    assert np.isnan(mean_of({"a": [3.0]}).low)


def test_pictures_tell_copies_from_different_variants(tmp_path: Path) -> None:
    base = rows_of("a", (0.01, 0.02), 0.3)
    twins = [*base[:3], Row(**{**base[3].__dict__, "start_scale": "N-1", "image": base[2].image})]
    write_part(tmp_path / "same" / "manifest", "part-0.parquet", twins)
    write_part(
        tmp_path / "other" / "manifest",
        "part-0.parquet",
        [*base[:3], Row(**{**base[3].__dict__, "start_scale": "N-1"})],
    )
    (same,), (other,) = (picture_table(tmp_path / name, 10).rows for name in ("same", "other"))
    assert same[4].mean == 1.0 and same[2].mean == 0 and other[4].mean == 0.0 and other[2].mean > 0.1


def test_agreement_counts_what_a_classifier_reads(output: Path) -> None:
    def always_happy(crops: np.ndarray) -> np.ndarray:
        return np.eye(7)[[EMOTIONS.index("happiness")] * len(crops)]

    found = agreement_table(output, always_happy, lambda png: np.zeros((128, 128, 3), np.uint8), 3)
    assert list(found.rows) == [("edit", "happiness", 1.0, 2), ("variant", "happiness", 1.0, 3)]


def test_tables_are_read_back(output: Path, tmp_path: Path) -> None:
    text = evaluate_output(output, tmp_path / "eval", 5)
    content = json.loads((tmp_path / "eval" / "evaluation.json").read_text())
    assert content["sifid"][0]["SIFID"]["number"] == 4 and "| embedded | fast | N-1 |" in text
    with (tmp_path / "eval" / "sifid.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[1]["SIFID low"]) == pytest.approx(0.04) and rows[1]["start"] == "N-2"
    assert (tmp_path / "eval" / "sifid.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "eval" / "sifid.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "eval" / "evaluation.tex").read_text().count("\\toprule") == len(content)


def test_a_study_with_answers_has_its_table(output: Path, tmp_path: Path) -> None:
    fake = [
        Shown(rows_of(n, s, m)[2].image or b"", True, n, "happiness", "N-1")
        for n, s, m in (("a", (0.01, 0.04), 0.3), ("bb", (0.03, 0.04), 0.5))
    ]
    real = [Shown(encode_png(np.full((4, 4, 3), shade, np.uint8)), False, f"r{shade}") for shade in (1, 2)]
    study = make_study("unpaired", real, fake, 0, 2, 0)
    save_study(output / "study-unpaired", study)
    lines = [{"subject": "s", "trial": n, "answer": "real", "shown_ms": 1000, "took_ms": 1} for n in range(4)]
    (output / "study-unpaired" / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    evaluate_output(output, tmp_path / "eval", 0)
    people = json.loads((tmp_path / "eval" / "evaluation.json").read_text())["people"]
    assert {row["shown"]: row["confusion"] for row in people} == {"N-1": 1.0, "all": 1.0, "real called fake": 0.0}
    assert "over 9 variants" in people_table({"N-1": Rate(0.5, 0.1, 4, 1)}, (0.3, 9)).note


def test_markdown_and_latex_escape_what_names_may_hold() -> None:
    odd = Table("x", "A & B", "100%", ("a|b", "c_d"), [("e|f", Mean(0.5, 0.4, 0.6, 3, 3)), (None, 0.12345)])
    assert "e\\|f | 0.5 [0.4, 0.6] |" in markdown([odd]) and "|  | 0.123 |" in markdown([odd])
    assert "A \\& B. 100\\%" in latex([odd]) and "c\\_d" in latex([odd]) and shown(None) == ""


def test_the_command_takes_a_folder_or_says_what_is_wrong(augment, output: Path, tmp_path: Path) -> None:
    code, out, _ = augment("evaluate", output, "--output", tmp_path / "eval")
    assert code == 0 and out.startswith("## SIFID by start scale")
    code, _, err = augment("evaluate", tmp_path / "nothing")
    assert code != 0 and len(err.strip().splitlines()) == 1


def field(number: int, content: bytes | int) -> bytes:
    """One field of a protocol-buffer message."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    return bytes([number << 3 | 2, len(content)]) + content


def tiny_network(path: Path) -> Path:
    """An ONNX file whose vector is the picture's mean colour: (1, 3, 112, 112) -> (1, 3, 1, 1)."""

    def value(name: bytes, edges: tuple[int, ...]) -> bytes:
        shape = b"".join(field(1, field(1, edge)) for edge in edges)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))

    node = field(1, b"data") + field(2, b"mean") + field(4, b"GlobalAveragePool")
    graph = field(1, node) + field(2, b"g") + field(11, value(b"data", (1, 3, 112, 112)))
    graph += field(12, value(b"mean", (1, 3, 1, 1)))
    path.write_bytes(field(1, 7) + field(7, graph) + field(8, field(1, b"") + field(2, 13)))
    return path


def test_an_identity_network_of_the_users_gives_vectors_and_others_are_named(tmp_path: Path) -> None:
    network = load_identity(tiny_network(tmp_path / "tiny.onnx"))
    red, blue = (np.full((128, 128, 3), colour, np.uint8) for colour in ((200, 10, 10), (10, 10, 200)))
    assert network(red) @ network(red) == pytest.approx(1) and network(red) @ network(blue) < 0.2
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsError, match=r"bad\.onnx is no face-identity network"):
        load_identity(tmp_path / "bad.onnx")


def test_a_persons_distances_have_their_controls(output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colours = {"a": (200, 10, 10), "bb": (10, 10, 200)}
    crops = {name: np.full((128, 128, 3), colour, np.uint8) for name, colour in colours.items()}

    def cut(picture: np.ndarray) -> np.ndarray:
        return np.full((128, 128, 3), colours["a"], np.uint8)  # every edit shows the first person

    monkeypatch.setattr(
        "singanimation.flows.evaluation.identity._source_crops",
        lambda *_: {name: (crop, cut) for name, crop in crops.items()},
    )
    network = load_identity(tiny_network(tmp_path / "tiny.onnx"))
    rows = {row[0]: row[1].mean for row in identity_table(output, network, 5).rows}
    apart = 1 - float(network(crops["a"]) @ network(crops["bb"]))
    assert rows["another source"] == pytest.approx(apart) and rows["edit, happiness"] == pytest.approx(apart / 2)
    assert rows["the same picture, re-encoded"] == pytest.approx(0, abs=0.01) and rows["variant, happiness"] > 0.1


def test_the_mean_of_one_source_is_shown_without_an_interval() -> None:
    assert shown(mean_of({"a": [0.25, 0.75]})) == "0.5"
    assert shown(mean_of({"a": [0.25], "b": [0.75]})).startswith("0.5 [")
