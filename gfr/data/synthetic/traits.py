"""Sample a synthetic face: proportions, hair, beard, clothes and CelebA attributes.

Men and women differ only in means and probabilities, so every proportion and every attribute occurs
in both.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colour = NDArray[np.float64]  # (3,): red, green, blue, 0..1

MALE_SHARE = 0.417  # as in CelebA

# (mean of women, mean of men, spread within each sex). Lengths count in half a face's width, from
# the middle of the eye line, y downwards.
_PROPORTIONS: dict[str, tuple[float, float, float]] = {
    "cheek": (0.96, 1.0, 0.045),
    "jaw": (0.73, 0.85, 0.065),
    "chin": (0.20, 0.32, 0.065),
    "chin_y": (1.36, 1.46, 0.07),
    "brow_h": (0.060, 0.105, 0.024),
    "brow_y": (-0.37, -0.31, 0.04),
    "brow_arch": (0.09, 0.045, 0.03),
    "eye_w": (0.220, 0.202, 0.016),
    "eye_h": (0.106, 0.088, 0.015),
    "nose_w": (0.19, 0.235, 0.03),
    "nose_y": (0.57, 0.62, 0.04),
    "lip_h": (0.112, 0.086, 0.02),
    "mouth_w": (0.34, 0.37, 0.035),
    "mouth_y": (0.92, 0.97, 0.03),
    "neck": (0.50, 0.71, 0.065),
    "volume": (0.21, 0.05, 0.06),
    "hairline": (-0.78, -0.84, 0.07),
    "lashes": (0.030, 0.020, 0.006),
}

# (chance among women, chance among men), by CelebA's attribute names.
_CHANCES: dict[str, tuple[float, float]] = {
    "Young": (0.80, 0.68),
    "Eyeglasses": (0.08, 0.16),
    "Wearing_Hat": (0.04, 0.07),
    "Heavy_Makeup": (0.38, 0.015),
    "Wearing_Lipstick": (0.30, 0.015),
    "Wearing_Earrings": (0.34, 0.03),
    "Wearing_Necklace": (0.22, 0.04),
    "Smiling": (0.53, 0.42),
    "Mouth_Slightly_Open": (0.50, 0.42),
    "Bangs": (0.22, 0.11),
    "Wavy_Hair": (0.46, 0.24),
    "Rosy_Cheeks": (0.12, 0.03),
    "Chubby": (0.06, 0.11),
}

# name: (chance among women, chance among men, ...), one choice out of several.
Options = Mapping[str, tuple[float, ...]]

# The last two numbers are the range in which the hair ends.
_HAIR_STYLES: Options = {
    "long": (0.66, 0.06, 1.6, 2.6),
    "bob": (0.18, 0.06, 0.8, 1.4),
    "tied": (0.06, 0.03, -0.1, 0.1),
    "short": (0.09, 0.74, -0.15, 0.3),
    "bald": (0.01, 0.11, -0.1, 0.1),
}

_BEARDS: Options = {
    "none": (0.988, 0.56),
    "stubble": (0.003, 0.12),
    "Mustache": (0.003, 0.06),
    "Goatee": (0.003, 0.08),
    "full": (0.003, 0.18),
}

_NECKLINES: Options = {
    "wide": (0.58, 0.05),
    "round": (0.30, 0.40),
    "collar": (0.08, 0.17),
    "suit": (0.04, 0.38),
}

# The last three numbers are red, green and blue.
_HAIR_COLOURS: Options = {
    "Black_Hair": (0.34, 0.38, 0.10, 0.085, 0.08),
    "Brown_Hair": (0.36, 0.34, 0.30, 0.19, 0.12),
    "Blond_Hair": (0.18, 0.12, 0.74, 0.58, 0.35),
    "Gray_Hair": (0.05, 0.09, 0.60, 0.59, 0.58),
    "red": (0.07, 0.07, 0.46, 0.22, 0.12),
}

_SKIN_RGB = (  # from pale to deep
    (0.93, 0.80, 0.72),
    (0.90, 0.73, 0.62),
    (0.85, 0.66, 0.52),
    (0.76, 0.56, 0.42),
    (0.63, 0.44, 0.32),
    (0.50, 0.34, 0.24),
    (0.39, 0.26, 0.19),
)

_IRIS_RGB = (
    (0.25, 0.15, 0.08),
    (0.36, 0.24, 0.12),
    (0.34, 0.40, 0.27),
    (0.33, 0.46, 0.57),
    (0.42, 0.46, 0.48),
)


@dataclass(frozen=True)
class Face:
    """Everything about one person that the picture shows."""

    proportion: dict[str, float]
    has: dict[str, bool]
    hair_style: str
    hair_end_y: float
    beard: str
    neckline: str
    skin: Colour
    hair: Colour
    iris: Colour

    def attributes(self) -> dict[str, bool]:
        """CelebA's attribute names, in its order -> whether the drawn face has them."""
        p, has_hair = self.proportion, self.hair_style != "bald"
        found = self.has | {
            "Bald": not has_hair,
            "Straight_Hair": has_hair and not self.has["Wavy_Hair"],
            "5_o_Clock_Shadow": self.beard == "stubble",
            "Mustache": self.beard in ("Mustache", "full"),
            "Goatee": self.beard == "Goatee",
            "No_Beard": self.beard == "none",
            "Bushy_Eyebrows": p["brow_h"] > 0.115,
            "Arched_Eyebrows": p["brow_arch"] > 0.09,
            "Big_Nose": p["nose_w"] > 0.24,
            "Big_Lips": p["lip_h"] > 0.12,
            "Oval_Face": p["chin_y"] / p["jaw"] > 1.85,
        }
        return dict(sorted(found.items()))


def sample(rng: np.random.Generator) -> Face:
    """Sample one person: first the sex, then the traits with the probabilities of that sex."""
    is_male = bool(rng.random() < MALE_SHARE)
    proportion = {
        name: float(row[is_male] + row[2] * np.clip(rng.standard_normal(), -2.3, 2.3))
        for name, row in _PROPORTIONS.items()
    }
    has = {name: bool(rng.random() < chance[is_male]) for name, chance in _CHANCES.items()}
    has["Wearing_Lipstick"] |= has["Heavy_Makeup"] and bool(rng.random() < 0.5)
    if has["Chubby"]:
        proportion["cheek"] += 0.06
        proportion["jaw"] += 0.09
    style = _choose(_HAIR_STYLES, is_male, rng)
    neckline = _choose(_NECKLINES, is_male, rng)
    if style == "bald":
        has["Bangs"] = has["Wavy_Hair"] = False
    has["Wearing_Necktie"] = neckline in ("collar", "suit") and bool(rng.random() < 0.45)
    has["Wearing_Necklace"] &= not has["Wearing_Necktie"]
    tone = rng.uniform(0, 5.99) * rng.uniform(0.3, 1.0)
    lowest, highest = _HAIR_STYLES[style][2:]
    is_possible = {"Blond_Hair": tone < 3, "red": tone < 3, "Gray_Hair": not has["Young"]}
    colours = {name: _HAIR_COLOURS[name] for name in _HAIR_COLOURS if is_possible.get(name, True)}
    hair_colour = _choose(colours, is_male, rng)
    visible = hair_colour if style != "bald" else ""
    has |= {name: name == visible for name in _HAIR_COLOURS if name != "red"}
    has |= {"Male": is_male, "Pale_Skin": tone < 0.5}  # tone: 0 pale .. 6 deep
    return Face(
        proportion=proportion,
        has=has,
        hair_style=style,
        hair_end_y=rng.uniform(lowest, highest),
        beard=_choose(_BEARDS, is_male, rng),
        neckline=neckline,
        skin=np.array([np.interp(tone, range(7), part) for part in zip(*_SKIN_RGB, strict=True)]),
        hair=_varied(_HAIR_COLOURS[hair_colour][2:], rng),
        iris=np.array(_IRIS_RGB[rng.integers(2 if tone > 3 else len(_IRIS_RGB))]),
    )


def _choose(options: Options, is_male: bool, rng: np.random.Generator) -> str:
    bounds = np.cumsum([chances[is_male] for chances in options.values()])
    return list(options)[np.searchsorted(bounds, rng.random() * bounds[-1])]


def _varied(rgb: tuple[float, ...], rng: np.random.Generator) -> Colour:
    light, warmth = rng.uniform(0.85, 1.15), rng.uniform(-0.07, 0.07)
    return np.array(rgb) * light * [1 + warmth, 1, 1 - warmth]
