"""What known data sets allow, in a sentence that travels with every row made from them."""

RAF_DB = "RAF-DB: non-commercial research only; no redistribution of the images or of data derived from them"
CELEBA = "CelebA: non-commercial research only; no redistribution of the images or of data derived from them"
AFFECTNET = "AffectNet: research only under its signed agreement; no redistribution"
FER2013 = "FER2013: images found by web search, their owners' rights apply; research use"
FERPLUS = "FERPlus labels: MIT; the FER2013 images: found by web search, their owners' rights apply"
CK_PLUS = "CK+: non-commercial research only under its signed agreement; no redistribution"
EXPW = "ExpW: non-commercial research only; images found by web search, their owners' rights apply"
JAFFE = "JAFFE: non-commercial research only; no redistribution of the images"
KDEF = "KDEF: non-commercial research only, with citation; no redistribution of the images"
RAFD = "RaFD: non-commercial research only under its signed agreement; no redistribution"
ASTRONAUT = "public domain (NASA)"

_OPEN = ("public domain", "cc0", "cc-by", "cc by", "mit", "apache", "bsd", "odc", "odbl", "pddl", "unlicense")
_CLOSED = ("no redistribution", "agreement", "owners' rights")


def forbids_passing_on(licence: str | None) -> bool:
    """Return whether a licence, in the words of a manifest, does not plainly allow passing pictures on.

    None, and words that are not those of an open licence, count as not allowing it.
    """
    words = (licence or "").strip().lower()
    return any(word in words for word in _CLOSED) or not words.startswith(_OPEN)
