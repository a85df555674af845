"""The registry: one entry for each weights file.

Names, addresses, licences and sizes are what the official places say (torchvision's source, py-feat's source and
model card, the OpenCV model zoo). A full hash stands here only where it was computed from the file itself; else the
first digits that the official place publishes, and the rest is pinned when the file is first used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from singanimation.pipeline.errors import UsageError

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Entry:
    """One weights file.

    ``variable`` is the environment variable with a path of the user's own; ``url`` is None for what ships inside
    the package, whose place is ``package`` (module, path in it). ``sha256`` is the full hash, or None;
    ``prefix`` its first hex digits as published, with ``prefix_from`` saying where. ``libraries`` are file patterns
    below other libraries' folders (see ``places``) in which the same file may already lie.
    """

    name: str
    purpose: str
    licence: str
    size: str
    file: str
    url: str | None = None
    variable: str | None = None
    package: tuple[str, str] | None = None
    sha256: str | None = None
    prefix: str | None = None
    prefix_from: str = ""
    libraries: tuple[tuple[str, str], ...] = ()

    @property
    def known_hash(self) -> str:
        """Return the full hash, or the published first digits, or an empty text."""
        return self.sha256 or self.prefix or ""

    @property
    def promise(self) -> str:
        """Return in a few words how a copy of this file is checked."""
        if self.sha256:
            return f"sha256 {self.sha256}"
        if self.prefix:
            return f"sha256 begins with {self.prefix} ({self.prefix_from}); the rest is pinned on first use"
        return "no hash is published: pinned on first use"


_ALL = (
    Entry(
        name="embedded-aus",
        purpose="action units, landmarks, alignment of faces (--aus embedded)",
        licence="MIT (this project)",
        size="3.8 MiB",
        file="embedded.safetensors",
        package=("singanimation.stages.action_units", "weights/embedded.safetensors"),
        sha256="a244ac0c1ec4e2e209c57ee11746b82fc686072195327876ac8e516d9850e448",
    ),
    Entry(
        name="generator",
        purpose="expression edits (GANimation; --ganimation takes another)",
        licence="MIT (this project)",
        size="3.2 MiB",
        file="generator.safetensors",
        variable="SINGANIMATION_GANIMATION",
        package=("singanimation.stages.expansion", "weights/generator.safetensors"),
        sha256="c41eade2f51595a2b3b09852ea77421054413cbac36d2ac0ad97a89c70f78e3c",
    ),
    Entry(
        name="singan-start",
        purpose="the weights from which every edit's SinGAN begins (--engine fast)",
        licence="MIT (this project)",
        size="99 KiB",
        file="start.safetensors",
        package=("singanimation.stages", "singan/fast/weights/start.safetensors"),
        sha256="b3d441de8087de8da4a6e202d791bfa6d196f47dfe234847b6ba662a7ce03413",
    ),
    Entry(
        name="attributes",
        purpose="spectacles and beards carried to other faces and taken off (--attributes takes others)",
        licence="MIT (this project)",
        size="1.2 MiB",
        file="attributes.safetensors",
        variable="SINGANIMATION_ATTRIBUTES",
        package=("singanimation.stages.expansion", "attributes/weights/attributes.safetensors"),
        sha256="be082ceeeff99467451c574c7675bfb092fb825ce87aea777e0d35d797a5a678",
    ),
    Entry(
        name="inception-v3",
        purpose="SIFID as in papers (--sifid-features inception-64, inception-192)",
        licence="BSD-3-Clause (torchvision); trained on ImageNet, whose terms may apply",
        size="103.9 MiB",
        file="inception_v3_google-0cc3c7bd.pth",
        url="https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
        variable="SINGANIMATION_INCEPTION",
        prefix="0cc3c7bd",
        prefix_from="its official file name",
        libraries=(("torch", "hub/checkpoints/inception_v3_google-0cc3c7bd.pth"),),
    ),
    Entry(
        name="pyfeat",
        purpose="py-feat's action units (--aus pyfeat)",
        licence="non-commercial research only (py-feat's PYFEAT-V2 notice)",
        size="unknown (41.7 million parameters)",
        file="face_multitask_v28.safetensors",
        url="https://huggingface.co/py-feat/face_multitask_v2/resolve/main/face_multitask_v28.safetensors",
        variable="FEAT_MULTITASK_WEIGHTS",
        libraries=(
            ("feat", "resources/models--py-feat--face_multitask_v2/snapshots/*/face_multitask_v28.safetensors"),
        ),
    ),
    Entry(
        name="yunet",
        purpose="a face detector better than the Haar cascade (OpenCV's FaceDetectorYN)",
        licence="MIT",
        size="227 KiB",
        file="face_detection_yunet_2023mar.onnx",
        url="https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
        variable="SINGANIMATION_YUNET",
        prefix="8f2383e4dd3cfbb4",
        prefix_from="the Git LFS pointer in OpenCV's model zoo",
    ),
)

ENTRIES: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ALL})
"""Name -> entry, in the order in which they are listed."""


def get_entry(name: str) -> Entry:
    """Return the entry called ``name``. Raises UsageError with the names there are."""
    if name not in ENTRIES:
        raise UsageError(f"there are no weights called {name!r}; the names are {', '.join(ENTRIES)}.")
    return ENTRIES[name]
