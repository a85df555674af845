"""How each action unit at full strength moves the face: readable tables, summed on a mean face by ``displacements``.

Lengths are face units (interocular distances), x away from the face's midline, y down; every entry acts on both
sides. The muscles behind each AU are those of Ekman & Friesen's FACS. The amounts follow how landmarks of real faces
move with their AUs (regressions on labelled faces, and pairs of neutral and smiling pictures), the answers of two AU
networks, and the eye.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Push:
    """A Gaussian bump of skin: ``at`` is its centre (x from the midline, y from ``anchor``), ``radius`` its spread.

    ``anchor`` is ``brow``, ``eyes`` (y = 0), ``nose`` (its base), ``mouth`` or ``chin``; ``where`` a mask of
    ``displacements``.
    """

    unit: str
    anchor: str
    at: tuple[float, float]
    radius: tuple[float, float]
    move: tuple[float, float]
    where: str = "all"


@dataclass(frozen=True)
class CornerPull:
    """The mouth's corners move by ``move`` (outwards, down), the lips follow less and less to their middle.

    ``middle`` is how far the middle of the lips goes down; skin around the corner follows in a bump.
    """

    unit: str
    move: tuple[float, float]
    middle: float = 0.0
    skin: float = 1.0


@dataclass(frozen=True)
class LipShift:
    """One lip goes ``down``, most at ``at`` from the midline, spread ``radius``."""

    unit: str
    lip: str
    down: float
    at: float
    radius: float


@dataclass(frozen=True)
class LidShift:
    """A ring of ``LID_RINGS`` goes ``down``, its middle fully, its ends by ``ends``."""

    unit: str
    ring: str
    down: float
    ends: float = 1.0


PUSHES = (
    Push("AU01", "brow", (0.22, -0.01), (0.24, 0.21), (0, -0.36), "forehead"),
    Push("AU02", "brow", (0.72, -0.02), (0.29, 0.23), (0, -0.36), "forehead"),
    Push("AU04", "brow", (0.50, 0), (0.55, 0.19), (-0.04, 0.22), "brow_skin"),
    Push("AU04", "brow", (0.22, 0), (0.18, 0.16), (-0.07, 0.02), "forehead"),
    Push("AU04", "brow", (0.40, 0), (0.30, 0.18), (0, 0.11), "upper_lids"),
    Push("AU05", "brow", (0.45, 0), (0.40, 0.20), (0, -0.03), "forehead"),
    Push("AU06", "eyes", (0.58, 0.44), (0.24, 0.20), (0.02, -0.14), "not_eyes"),
    Push("AU07", "brow", (0.50, 0), (0.45, 0.20), (0, 0.07), "brow_skin"),
    Push("AU07", "eyes", (0.78, 0), (0.12, 0.10), (0.04, 0)),
    Push("AU09", "nose", (0.22, -0.12), (0.14, 0.18), (0.01, -0.150)),
    Push("AU09", "nose", (0.0, -0.50), (0.16, 0.16), (0, -0.05), "not_eyes"),
    Push("AU09", "brow", (0.20, 0), (0.16, 0.14), (-0.05, 0.10), "forehead"),
    Push("AU10", "nose", (0.22, -0.12), (0.13, 0.18), (0, -0.045), "not_upper_lip"),
    Push("AU10", "mouth", (0.18, -0.07), (0.17, 0.13), (0, -0.155), "above_mouth"),
    Push("AU10", "nose", (0.42, 0.02), (0.16, 0.16), (0.02, -0.05), "skin"),
    Push("AU12", "eyes", (0.55, 0.48), (0.22, 0.20), (0.044, -0.075), "skin"),
    Push("AU12", "nose", (0.25, -0.06), (0.09, 0.10), (0.036, 0)),
    Push("AU17", "chin", (0, -0.31), (0.24, 0.14), (0, -0.20), "not_lips"),
    Push("AU15", "chin", (0, -0.31), (0.24, 0.14), (0, -0.05), "not_lips"),
    Push("AU20", "nose", (0.25, -0.06), (0.09, 0.10), (0.05, 0)),
    Push("AU20", "eyes", (0.50, 0.50), (0.20, 0.20), (0.04, 0), "skin"),
)

# what two AUs do together beyond their sum, weighted by the product of both
JOINT_SHIFTS: tuple[tuple[tuple[str, str], Push | LidShift], ...] = (
    # grief: the inner brows rise and draw together, the frown does not lower them
    (("AU01", "AU04"), Push("AU01", "brow", (0.20, 0), (0.20, 0.20), (0, -0.14), "forehead")),
    # a chin that is pushed up flattens the arch of drawn-down lips, and holds their corners nearer
    (("AU15", "AU17"), Push("AU17", "mouth", (0, 0.05), (0.22, 0.30), (0, 0.19), "not_eyes")),
    (("AU15", "AU17"), Push("AU15", "mouth", (0.46, 0.05), (0.20, 0.18), (-0.15, 0), "not_eyes")),
    # lips stretched by fear open like a box, not like a laugh
    (("AU20", "AU26"), Push("AU20", "mouth", (0.44, 0.02), (0.17, 0.14), (-0.03, 0.20), "not_eyes")),
    # and where the jaw stays, the lower lip is drawn down evenly: no crescent
    (("AU20", "AU25"), Push("AU20", "mouth", (0.34, 0.03), (0.13, 0.12), (-0.02, 0.11), "not_eyes")),
    # a brow that is up rises little more, and wide eyes use up the lid's skin
    (("AU01", "AU02"), Push("AU01", "brow", (0.46, -0.02), (0.34, 0.24), (0, 0.14), "forehead")),
    (("AU01", "AU02"), LidShift("AU01", "upper_socket", 0.110)),
    (("AU01", "AU02"), LidShift("AU01", "upper_skin", 0.050, 0.6)),
    (("AU01", "AU02"), LidShift("AU01", "upper_lid", 0.020, 0.45)),
    (("AU01", "AU05"), LidShift("AU05", "upper_skin", 0.030, 0.5)),
    (("AU02", "AU05"), LidShift("AU05", "upper_skin", 0.040, 0.5)),
)

CORNER_PULLS = (
    CornerPull("AU10", (0.030, -0.050), skin=0.6),
    CornerPull("AU12", (0.150, -0.175), middle=0.035),
    CornerPull("AU14", (0.115, -0.025)),
    CornerPull("AU15", (0.165, 0.195), middle=-0.078, skin=0.9),
    CornerPull("AU20", (0.275, 0.055), middle=0.050),
    CornerPull("AU23", (0.055, 0), middle=0.035, skin=0.6),
)

LIP_SHIFTS = (
    LipShift("AU09", "upper", -0.060, 0.20, 0.20),
    LipShift("AU09", "lower", -0.020, 0.10, 0.25),
    LipShift("AU15", "upper", -0.03, 0.0, 0.14),
    LipShift("AU17", "lower", -0.20, 0.0, 0.30),
    LipShift("AU17", "upper", -0.11, 0.0, 0.25),
    LipShift("AU20", "lower", 0.075, 0.12, 0.30),
)

LID_SHIFTS = (
    LidShift("AU01", "upper_lid", -0.020, 0.45),
    LidShift("AU01", "upper_skin", -0.040, 0.6),
    LidShift("AU01", "upper_socket", -0.090, 0.6),
    LidShift("AU02", "upper_lid", -0.020, 0.45),
    LidShift("AU02", "upper_skin", -0.070, 0.5),
    LidShift("AU02", "upper_socket", -0.170, 0.5),
    LidShift("AU04", "upper_skin", 0.020, 0.6),
    LidShift("AU04", "upper_socket", 0.040),
    LidShift("AU05", "upper_lid", -0.130, 0.5),
    LidShift("AU05", "upper_skin", -0.100, 0.5),
    LidShift("AU05", "upper_socket", -0.040),
    LidShift("AU05", "lower_lid", 0.045, 0.5),
    LidShift("AU05", "lower_skin", 0.025),
    LidShift("AU06", "lower_lid", -0.045),
    LidShift("AU06", "lower_skin", -0.070),
    LidShift("AU06", "lower_socket", -0.085),
    LidShift("AU07", "lower_lid", -0.086),
    LidShift("AU07", "lower_skin", -0.080),
    LidShift("AU07", "lower_socket", -0.063),
    LidShift("AU07", "upper_lid", 0.052),
    LidShift("AU07", "upper_skin", 0.062),
    LidShift("AU07", "upper_socket", 0.062),
    LidShift("AU09", "lower_lid", -0.050),
    LidShift("AU09", "lower_skin", -0.055),
    LidShift("AU09", "lower_socket", -0.050),
    LidShift("AU09", "upper_lid", 0.020),
    LidShift("AU09", "upper_skin", 0.025),
    LidShift("AU09", "upper_socket", 0.030),
)
