"""Run folders, and the lock on an output folder."""

import json
import logging
import os
import re
import subprocess
import sys

import pytest

from singanimation.pipeline.errors import OutputError
from singanimation.pipeline.runs import LOGGER, free_bytes, human_bytes, open_run
from singanimation.pipeline.settings import make_settings


@pytest.fixture
def settings(tmp_path):
    return make_settings(input="sample", output=tmp_path / "out")


def test_a_run_writes_settings_summary_and_log(settings):
    with open_run(settings) as run:
        logging.getLogger("singanimation.job").info("hello")
        run.write_summary({"accepted": 3})
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", run.run_id)
    assert json.loads((run.folder / "settings.json").read_text())["per_image"] == 50
    assert json.loads((run.folder / "summary.json").read_text())["accepted"] == 3
    assert "hello" in (run.folder / "log").read_text()
    assert run.folder.parent == run.output / "runs" and run.manifest.is_dir()


def test_the_log_handler_is_gone_after_the_run(settings):
    before = list(LOGGER.handlers)
    with open_run(settings):
        assert LOGGER.handlers != before
    assert LOGGER.handlers == before and LOGGER.propagate


def test_a_second_run_on_the_same_folder_says_who_holds_it(settings):
    held = pytest.raises(OutputError, match=rf"process {os.getpid()} on .* since \d{{4}}")
    with open_run(settings), held, open_run(settings):
        pass
    with open_run(settings):  # free again
        pass


def test_another_process_is_kept_out_too(settings):
    script = (
        "from singanimation.pipeline.runs import open_run\nfrom singanimation.pipeline.settings import make_settings\n"
        f"with open_run(make_settings(input='sample', output={str(settings.output)!r})): pass"
    )
    with open_run(settings):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode != 0 and f"process {os.getpid()}" in done.stderr


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(OutputError, match="choose another --output"),
        open_run(make_settings(input="sample", output=tmp_path / "file" / "out")),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_output_is_refused(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(OutputError, match="out"), open_run(make_settings(input="sample", output=tmp_path / "out")):
        pass


def test_free_space_of_a_folder_to_be_is_that_of_its_parent(tmp_path):
    free = free_bytes(tmp_path / "a" / "b")
    assert free is not None and free > 0


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e13, "30.0 TB")]
)
def test_bytes_are_written_for_people(count, text):
    assert human_bytes(count) == text
