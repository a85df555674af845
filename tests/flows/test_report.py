"""`augment report`: the page opens from its file in a real browser, filters, sorts, and keeps strange names as text."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import open_browser

from singanimation.flows.report.content import histogram, read_content
from singanimation.flows.report.page import write_page
from singanimation.flows.report.redrawn import Redrawn
from singanimation.flows.report.thumbnails import MOST_EMBEDDED, place_thumbnails, thumbnail
from singanimation.manifests.write import write_part
from singanimation.pipeline.errors import ManifestError
from singanimation.pipeline.files.pictures import encode_png
from singanimation.pipeline.records import Row

HOSTILE = "</script><script>document.title='taken'</script>.png"


def rows_of(name: str, shade: int, label: str = "neutral") -> list[Row]:
    """A real row, a fear edit, and three variants: SIFID .01, .02 accepted, .09 rejected."""
    image = {"image": encode_png(np.full((40, 40, 3), shade, np.uint8)), "width": 40, "height": 40}
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
    real = Row(variant_id=f"{name}-real", kind="real", label=label, label_origin="source", **base)
    aus: dict[str, Any] = {"au_source": (0.1,) * 17, "au_target": (0.6,) * 17, "au_measured": (0.4,) * 17}
    edit_base = base | aus | {"edit_kind": "discrete", "edit_name": "fear", "edit_strength": 0.8, "label": "fear"}
    edit_base |= image
    edit = Row(variant_id=f"{name}-edit", kind="edit", parent_id=real.variant_id, edit_form="open", **edit_base)
    variants = [
        Row(
            variant_id=f"{name}-{index}",
            kind="variant",
            parent_id=edit.variant_id,
            sifid=sifid,
            start_scale="N-1",
            engine="fast",
            sifid_features="embedded",
            status="rejected" if index == 2 else "accepted",
            reason="sifid" if index == 2 else None,
            **edit_base,
        )
        for index, sifid in enumerate((0.01, 0.02, 0.09))
    ]
    return [real, edit, *variants]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    for index, name in enumerate(("a.png", HOSTILE, "c.png")):
        write_part(
            out / "manifest", f"part-{index}.parquet", rows_of(name, 60 * index, "anger" if index else "neutral")
        )
    return out


def test_the_content_counts_measures_and_warns(output: Path) -> None:
    content = read_content(output, 100)
    assert [row["kind"] for row in content.rows[:5]] == ["real", "edit", "variant", "variant", "variant"]
    assert content.rows[1]["parent"] == 0 and content.rows[4]["parent"] == 1 and content.rows[1]["form"] == "open"
    assert content.figures["SIFID"]["N-1, accepted"] == pytest.approx([0.01, 0.02] * 3)
    assert content.figures["SIFID"]["N-1, rejected"] == pytest.approx([0.09] * 3)
    assert content.figures["AU error of edits"]["discrete"] == pytest.approx([0.2] * 3)
    assert content.counts["classes"]["train"]["fear"] == {"real": 0, "variants": 6}
    assert content.licences == {"CC0-1.0": 15} and any("derived" in text for text in content.warnings)


def test_a_gallery_beyond_its_limit_leaves_out_whole_sources_and_says_so(output: Path) -> None:
    content = read_content(output, 3)
    assert len(content.rows) == 5 and content.omitted == 10
    assert content.counts["accepted"] == 6 and len(content.figures["SIFID"]["N-1, accepted"]) == 6


def test_a_histogram_puts_every_value_into_common_bins() -> None:
    found = histogram({"a": [0.0, 1.0, 1.0], "b": [0.5, float("nan")], "c": []} | {"c": [0.25]})
    assert found is not None and sum(found["series"]["a"]["counts"]) == 3
    assert found["series"]["b"] == {"counts": found["series"]["b"]["counts"], "median": 0.5, "number": 1}
    assert histogram({"a": [float("nan")]}) is None


def test_few_thumbnails_stand_in_the_page_and_many_in_a_folder(tmp_path: Path) -> None:
    small = thumbnail(np.zeros((300, 200, 3), np.uint8))
    assert place_thumbnails([small, None], tmp_path)[1] is None and not (tmp_path / "thumbnails").exists()
    many = place_thumbnails([bytes(MOST_EMBEDDED), small], tmp_path)
    assert [(tmp_path / str(name)).stat().st_size for name in many] == [MOST_EMBEDDED, len(small)]


def test_no_manifest_is_one_sentence(augment, tmp_path: Path) -> None:
    code, _, err = augment("report", tmp_path)
    assert code == ManifestError("").exit_code and len(err.strip().splitlines()) == 1


def test_the_page_opens_filters_sorts_and_moves_by_keys(output: Path, tmp_path: Path) -> None:
    content = read_content(output, 100)
    redrawn = Redrawn(sources={0: np.zeros((50, 50, 3), np.uint8)}, masks={1: np.full((128, 128), 200, np.uint8)})
    redrawn.strips[0] = {
        kind: {"fear": [np.full((8, 8, 3), step, np.uint8) for step in range(5)]} for kind in ("strength", "alpha")
    }
    page_file = write_page(tmp_path, content, redrawn)
    with open_browser(color_scheme="dark") as (page, complaints):
        page.goto(page_file.as_uri())
        assert page.title() == "out: augmentation report"  # the hostile name ran nothing
        assert page.locator(".source").count() == 3 and page.locator(".tile").count() == 16
        assert HOSTILE in page.locator(".source h3").nth(1).inner_text()
        assert page.locator(".mask img").count() == 1
        page.select_option("select[data-field=status]", "rejected")
        assert page.locator(".tile.rejected").count() == 3 and page.locator(".tile.variant.accepted").count() == 0
        page.select_option("select[data-field=status]", "")
        page.select_option("#order", "high")
        captions = page.locator(".flat .tile span:first-of-type").all_inner_texts()
        assert captions[0] == "N-1 SIFID 0.090" and captions[-1] == "N-1 SIFID 0.010" and len(captions) == 9
        page.locator(".flat .tile").first.focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement === document.querySelectorAll('.flat .tile')[1]")
        page.keyboard.press("Enter")
        assert page.locator("#large").is_visible() and "rejected" in page.locator("#large dl").inner_text()
        page.keyboard.press("Escape")
        assert not page.locator("#large").is_visible()
        page.select_option("#strip-emotion", "fear")
        before = page.locator("#strip-strength").get_attribute("src")
        page.locator("#strength").fill("0")
        assert page.locator("#strip-strength").get_attribute("src") != before
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.click("#theme")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
        assert complaints == []


def test_data_in_the_page_is_json_that_ends_no_element(output: Path, tmp_path: Path) -> None:
    text = write_page(tmp_path, read_content(output, 100), Redrawn()).read_text()
    data = text.split('id="data">')[1].split("</script>")[0]
    assert json.loads(data)["rows"][5]["source"] == HOSTILE and text.count("<script") == 2
    assert replace(read_content(output, 1)).omitted == 10
