"""The settings of one run: resolved once, printed and saved before any work, frozen afterwards.

Every default lives here and nowhere else: the command line reads its own from these fields. Values come,
in this order, from the command line, from environment variables ``SINGANIMATION_<FIELD>``, from here.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from singanimation.pipeline.errors import UsageError
from singanimation.pipeline.expanders import expander_file
from singanimation.pipeline.expressions import parse_expressions
from singanimation.pipeline.files.places import place
from singanimation.pipeline.files.untrusted import readable
from singanimation.pipeline.weights.entries import get_entry

Engine = Literal["fast", "reference", "patch", "warp"]
StartScale = Literal["N", "N-1", "N-2"]
Frame = Literal["auto", "source", "crop"]
LimitBy = Literal["name", "class"]
SifidFeatures = Literal["auto", "inception-64", "inception-192", "embedded"]
AuChoice = Literal["auto", "pyfeat", "openface", "embedded"]
Runner = Literal["local", "ray"]

# What changes the pixels of a row. The rest (device, workers, output, how many, the filter) does not, and stays
# out of the rows' identities, so that a later run tops up instead of doubling. `aus` and `ganimation` are not
# here: the digests of the models they led to are given in their place.
_EDIT_FIELDS = ("frame",)
_VARIANT_FIELDS = ("engine", "singan_iterations", "singan_size", "singan_noise", "downsampling", "start_scale")


# What an engine draws is decided by its code too: a number that grows whenever the same settings give other pixels,
# so that rows of before keep their ids and new ones stand beside them. 1 is not written down.
_ENGINE_VERSIONS = {"fast": 3, "reference": 2, "patch": 1, "warp": 1}


# pydantic freezes a subclass of what is not frozen; dataclasses, whose rules the checker knows, do not
class Settings(BaseSettings, frozen=True):  # pyright: ignore[reportGeneralTypeIssues]
    """What ``augment --input ... --per-image ...`` was asked to do. See docs/command-line.md."""

    model_config = SettingsConfigDict(env_prefix="SINGANIMATION_", extra="forbid", populate_by_name=True)

    input: str = Field(description="data set's name, folder, image, Parquet/CSV index, or `sample`")
    data_root: Path = Field(
        default=Path("data"), validation_alias="SINGANIMATION_DATA", description="where named sets lie"
    )
    output: Path | None = Field(default=None, description="the growing data set's folder; default ./augmented/<input>")
    # a source's attempts are held in memory until its part is written: 3 x 10,000 pictures are a gigabyte
    per_image: int = Field(default=50, ge=1, le=10_000, description="accepted variants wanted per source image")
    edits: int = Field(default=8, ge=1, description="expression edits per source (never more than --per-image)")
    limit: int | None = Field(default=None, ge=1, description="only N sources: the first by name, or see --limit-by")
    limit_by: LimitBy = Field(
        default="name",
        description="which N: name (the first), or class (spread evenly over the classes, drawn by the seed)",
    )
    frame: Frame = Field(default="auto", description="put variants back into the source's frame, or keep the crop")
    balance: bool = Field(default=False, description="spread the total so that target classes become equal")
    include_real: bool = Field(default=False, description="embed the sources' pictures too")
    expressions: tuple[str, ...] = Field(
        default=("discrete", "continuous", "single"), description="which edits: kinds, emotions, action units"
    )
    start_scale: tuple[StartScale, ...] = Field(default=("N-1", "N-2"), description="where regeneration starts")
    engine: Engine = Field(default="fast", description="the SinGAN engine")
    singan_size: int = Field(default=128, ge=32, le=256, description="pixels of the down-sampled edit SinGAN trains on")
    singan_iterations: int | None = Field(default=None, ge=1, description="iterations per scale; default: the engine's")
    singan_noise: float | None = Field(default=None, gt=0, description="noise amplitude; default: the engine's")
    downsampling: Literal["injection", "reconstruction"] = Field(
        default="injection", description="how the start scale is fed: the down-sampled edit, or the z_opt path"
    )
    sifid_max: float | None = Field(default=None, gt=0, description="largest SIFID accepted; default: calibrated")
    sifid_features: SifidFeatures = Field(default="auto", description="the features SIFID is measured on")
    aus: AuChoice = Field(default="auto", description="who estimates action units")
    ganimation: Path | None = Field(default=None, description="who draws edits: a sibling's file; default: geometry")
    attributes: Path | None = Field(
        default=None, description="networks of augment train attributes in place of those that ship"
    )
    expression_judge: Path | None = Field(
        default=None, description="reject edits that a classifier (augment train expression) sees as their source's"
    )
    splits: tuple[str, ...] = Field(default=("train",), description="which splits are augmented")
    splits_from: str | None = Field(
        default=None, description="which pictures are train, validation, test: `none`, FOLDER=SPLIT,..., or a file"
    )
    seed: int = Field(default=0, ge=0, description="the run's seed")
    device: str = Field(default="auto", description="where to compute: auto, cpu or cuda")
    workers: int | None = Field(default=None, ge=1, description="processes or actors; default: one a core, or a GPU")
    runner: Runner = Field(default="local", description="who works: processes here, or a Ray cluster's actors")
    address: str | None = Field(default=None, description="the Ray cluster's address; default: Ray on this machine")
    resume: bool = Field(default=True, description="go on where an earlier run stopped")
    retry_failed: bool = Field(
        default=False, description="take up failed sources again, and rejected variants that a new --sifid-max allows"
    )

    @field_validator("expressions", mode="before")
    @classmethod
    def _expressions(cls, value: Any) -> Any:
        return parse_expressions(value) if isinstance(value, str) else value

    @field_validator("ganimation", mode="after")
    @classmethod
    def _expander(cls, value: Path | None) -> Path | None:
        return expander_file(value)

    @field_validator("input", "data_root", "output", "splits_from", mode="after")
    @classmethod
    def _readable(cls, value: Any) -> Any:
        """Refuse names that are no UTF-8: the manifest is text, and holds them."""
        if value is not None and readable(str(value)) != str(value):
            raise ValueError(f"{readable(str(value))} is no UTF-8; rename it, or give a link with another name")
        return value

    @field_validator("start_scale", "splits", mode="before")
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
        if not value:
            raise ValueError("it names nothing; name at least one, or leave the option out")
        return value

    @property
    def output_folder(self) -> Path:
        """Where this run's data set grows: ``--output``, else ``./augmented/<input>``."""
        if self.output is not None:
            return place(self.output)
        name = Path(os.path.abspath(Path(self.input).expanduser())).name or "input"  # noqa: PTH100 - of links, the link's
        return Path("augmented") / name

    def edit_digest(self, **resolved: str) -> str:
        """Return the hex SHA-256 of what decides an edit's pixels.

        ``resolved`` adds to the settings, or replaces them by what they led to: digests of the models used
        (``editor=``, ``estimator=``), ``frame="crop"`` where it was ``auto``.
        """
        return self._digest(_EDIT_FIELDS, resolved)

    def pixel_digest(self, **resolved: str) -> str:
        """Return the hex SHA-256 of what decides a variant's pixels; see ``edit_digest``.

        The engine's version is part of it, and of ``fast`` the weights from which its GANs begin.
        """
        own: dict[str, str] = {}
        if _ENGINE_VERSIONS[self.engine] > 1:
            own["engine_version"] = str(_ENGINE_VERSIONS[self.engine])
        if self.engine == "fast":
            own["start_weights"] = get_entry("singan-start").known_hash
        return self._digest(_EDIT_FIELDS + _VARIANT_FIELDS, own | resolved)

    def settings_digest(self) -> str:
        """Return the hex SHA-256 of all settings as given: the manifest's ``settings_sha256``."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def _digest(self, fields: tuple[str, ...], resolved: dict[str, str]) -> str:
        chosen = {name: getattr(self, name) for name in fields}
        text = json.dumps(chosen | resolved, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def make_settings(**values: Any) -> Settings:
    """Build Settings from option values (None = not given); raise UsageError naming the first bad option."""
    from pydantic import ValidationError

    try:
        return Settings(**{name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).removeprefix("SINGANIMATION_").lower() if first["loc"] else "options"
        option = "--" + {"data": "data-root"}.get(name, name).replace("_", "-")
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, UsageError):
            raise UsageError(str(cause)) from None
        raise UsageError(f"{option}: {first['msg']} (got {first['input']!r}).") from None
