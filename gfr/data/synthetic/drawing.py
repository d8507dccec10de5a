"""Draw one sampled face: body, head, features, hair and accessories.

Turns a `Face` and a random generator into an RGB picture of 178 x 218 pixels. The sex shows only
through the traits of the face.
"""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from gfr.data.synthetic.scene import Scene, arrange, mixed, photograph, rgb, soft, step
from gfr.data.synthetic.shapes import Array, Point, curve, ellipse, mirrored, outline, rounded
from gfr.data.synthetic.traits import Colour, Face

_EYE_X = 0.42

_NUM_STRANDS = 110

_NUM_BRISTLES = 380

_SIDES = (-1.0, 1.0)

_LONG = ("long", "bob")  # hair styles


def picture(face: Face, rng: np.random.Generator) -> Image.Image:
    """The finished picture of one person."""
    s = arrange(face, rng)
    hair = _hair_texture(s)
    if behind := _hair_behind(face):
        s.picture.paste(hair.point(lambda value: value * 0.65), mask=s.mask(behind))
    _draw_body(s)
    _draw_head(s, soft(_skin_field(s)))
    if face.beard != "none":
        _draw_beard(s)
    _draw_eyes(s)
    _draw_brows(s)
    _draw_nose(s)
    _draw_mouth(s)
    if pieces := _hair_in_front(s):
        s.picture.paste(hair, mask=s.mask(pieces))
    _draw_extras(s)
    return photograph(s.picture, rng)


def _blobs(s: Scene) -> Array:
    """The soft lights and shades that model a face, float32 (N, 8).

    Columns: x, y, spread x, spread y, lift, and the change of red, green and blue.
    """
    p, has = s.face.proportion, s.face.has
    shade = -1.0 if s.light[0] > 0 else 1.0
    rosy = 2.4 if has["Rosy_Cheeks"] else 0.8
    lid = s.rng.uniform(-0.35, -0.1, 3)
    blobs: list[tuple[float, ...]] = [
        (0.0, 0.15, 0.055, 0.28, 1.1, 0.10, 0.09, 0.08),
        (shade * 0.15, 0.28, 0.07, 0.26, 1.0, -0.14, -0.17, -0.18),
        (0.0, p["nose_y"] - 0.1, 0.08, 0.07, 1.25, 0.12, 0.11, 0.10),
        (shade * 0.03, p["nose_y"] + 0.07, p["nose_w"] * 0.8, 0.05, 1.0, -0.20, -0.25, -0.26),
        (0.0, p["mouth_y"] + 0.21, 0.2, 0.05, 1.0, -0.12, -0.15, -0.16),
        (0.0, p["chin_y"] - 0.2, 0.17, 0.11, 0.9, 0.06, 0.05, 0.05),
        (-shade * 0.3, -0.5, 0.4, 0.2, 0.7, 0.07, 0.07, 0.06),
    ]
    if s.face.hair_style != "bald":
        blobs.append((0.0, p["hairline"] + 0.02, 0.7, 0.09, 0.3, -0.16, -0.19, -0.2))
    for side in _SIDES:
        blobs += [
            (side * _EYE_X, -0.14, 0.24, 0.13, 0.9, -0.13, -0.17, -0.17),
            (side * _EYE_X, 0.17, 0.16, 0.05, 0.9, -0.06, -0.08, -0.07),
            (side * 0.56, 0.36, 0.2, 0.11, 0.85, 0.06, 0.05, 0.05),
            (side * 0.58, 0.5, 0.22, 0.17, 0.85, 0.02 * rosy, -0.06 * rosy, -0.05 * rosy),
        ]
        if has["Smiling"] or not has["Young"]:
            blobs.append((side * 0.43, 0.76, 0.05, 0.12, 0.95, -0.08, -0.11, -0.12))
        if has["Heavy_Makeup"]:
            blobs.append((side * 0.43, -0.13, 0.2, 0.07, 0.9, *lid))
        if s.face.hair_style in _LONG:
            blobs.append((side * 0.92, 0.3, 0.12, 0.7, 0.1, -0.25, -0.29, -0.3))
    return np.array(blobs, np.float32)


def _skin_field(s: Scene) -> Array:
    """Shaded skin all over the canvas, float32 (109, 89, 3); the head's mask picks the face."""
    x, y = s.grid()
    normal_x = (x - 0.3 * s.yaw) / 1.2
    normal_y = (y - 0.2 - 0.3 * s.pitch) / 1.65
    normal_z = np.sqrt(np.clip(1 - normal_x**2 - normal_y**2, 0.05, 1))
    lit = np.clip(normal_x * s.light[0] + normal_y * s.light[1] + normal_z * s.light[2], 0, 1)
    shading = s.ambient + (1.04 - s.ambient) * lit
    blobs = _blobs(s)
    bx, by, sx, sy, lift = blobs.T[:5, :, None]
    depth = lift * np.sqrt(1 - 0.6 * bx**2)
    near = (np.abs(x) < 1.1) & (y > -1.0) & (y < 1.6)
    dx = (x[near] - bx - np.float32(s.yaw) * depth) / sx  # (blobs, pixels near the face)
    dy = (y[near] - by - np.float32(s.pitch) * depth) / sy
    modelling = np.ones((*x.shape, 3), np.float32)
    modelling[near] += np.exp(-0.5 * (dx**2 + dy**2)).T @ blobs[:, 5:]
    # Shade on skin is warm: light that went through it comes back red.
    warm = shading[..., None] ** np.array([0.85, 1.05, 1.15], np.float32)
    return modelling * warm * s.face.skin.astype(np.float32)


def _head(p: dict[str, float]) -> Array:
    return mirrored(
        (0.3, -1.27), (0.72, -1.08), (0.93, -0.6), (p["cheek"], -0.1), (p["cheek"], 0.3),
        (p["jaw"] + 0.08, 0.8), (p["jaw"] - 0.12, 1.13), (p["chin"] + 0.1, p["chin_y"] - 0.03),
        (p["chin"] * 0.5, p["chin_y"] + 0.06),
    )  # fmt: skip


def _draw_body(s: Scene) -> None:
    """Neck, shoulders and clothes."""
    p, rng, neck = s.face.proportion, s.rng, s.face.proportion["neck"]
    x, y = s.grid()
    fall = 0.42 * np.exp(-0.5 * ((y - p["chin_y"] - 0.05 + 0.25 * x**2) / 0.2) ** 2)
    round_ = 1 - fall - 0.22 * np.clip(np.abs(x - 0.2 * s.light[0]) / neck, 0, 1) ** 3
    tone = (s.face.skin * (0.5 + 0.42 * s.ambient)).astype(np.float32)
    skin = soft(round_[..., None] ** np.array([0.8, 1, 1.1], np.float32) * tone)
    wide = neck + 0.75
    body = mirrored(
        (neck, 0.7), (neck, 1.5), (neck + 0.22, 1.78), (wide + 0.3, 2.0), (wide + 0.6, 3.5)
    )
    s.picture.paste(skin, mask=s.mask([body]))
    cloth = rng.uniform(0.1, 0.8) + rng.normal(0, 0.07, 3)
    line = {"wide": 0.62, "round": 0.05, "collar": -0.05, "suit": -0.05}[s.face.neckline]
    opening, top, shoulder = neck + line, 1.64 + 0.3 * max(line, 0), 1.0 + 1.35 * neck
    dip = 1.86 + 0.35 * rng.random() + 0.25 * (s.face.neckline == "wide")
    shirt = outline(
        (opening, top), (opening * 0.6, dip), (-opening * 0.6, dip), (-opening, top),
        (-shoulder * 0.8, 1.86), (-shoulder, 2.2), (-shoulder, 3.5),
        (shoulder, 3.5), (shoulder, 2.2), (shoulder * 0.8, 1.86),
    )  # fmt: skip
    s.fill(shirt, cloth * 0.7)
    s.fill(shirt + [0, 0.05], cloth)
    if s.face.neckline in ("collar", "suit"):
        _draw_collar(s, cloth)


def _draw_collar(s: Scene, cloth: Colour) -> None:
    neck, suit = s.face.proportion["neck"], s.face.neckline == "suit"
    shirt = mixed(cloth, np.array([0.93, 0.93, 0.94]), 0.85 if suit else 0.3)
    s.fill(outline((-neck, 1.62), (0.0, 1.95), (neck, 1.62), (neck + 0.1, 1.8), (0.45, 3.2),
                   (-0.45, 3.2), (-neck - 0.1, 1.8)), shirt)  # fmt: skip
    if s.face.has["Wearing_Necktie"]:
        s.fill(mirrored((0.13, 1.88), (0.09, 2.05), (0.2, 3.4)), s.rng.uniform(0.08, 0.6, 3))
    for side in _SIDES:
        wing = [(neck + 0.02, 1.5), (neck + 0.1, 1.68), (0.32, 2.12), (0.05, 1.9)]
        s.fill(outline(*wing) * [side, 1], shirt * 0.88)
        if suit:
            lapel = [(neck + 0.12, 1.62), (neck + 0.34, 1.75), (0.5, 2.5), (0.1, 3.2), (0.3, 2.3)]
            s.fill(outline(*lapel) * [side, 1], cloth * 0.6)


def _draw_head(s: Scene, skin: Image.Image) -> None:
    x = s.face.proportion["cheek"]
    ears = [ellipse(side * (x + 0.03), 0.16, 0.12, 0.25) for side in _SIDES]
    s.picture.paste(skin, mask=s.mask([*ears, _head(s.face.proportion)]))
    for side in _SIDES:
        fold = curve((side * (x + 0.07), 0.0), (side * (x + 0.16), 0.1), (side * (x + 0.06), 0.28))
        s.stroke(fold, s.face.skin * [0.66, 0.52, 0.46], 0.028)


def _draw_eyes(s: Scene) -> None:
    p, w, h = s.face.proportion, s.face.proportion["eye_w"], s.face.proportion["eye_h"]
    gaze, white = s.rng.normal(0, 0.02), np.array([0.92, 0.90, 0.88]) * (0.6 + 0.4 * s.ambient)
    inside, black = replace(s, picture=s.picture.copy()), np.full(3, 0.03)
    almonds = []
    for side in _SIDES:
        x = side * _EYE_X
        almonds.append(outline(
            (x - w, 0.02 - side * 0.015), (x - w * 0.5, -h), (x + w * 0.5, -h),
            (x + w, 0.02 - side * 0.015), (x + w * 0.5, h * 0.85), (x - w * 0.5, h * 0.85),
        ))  # fmt: skip
        inside.fill(ellipse(x, 0, w * 1.2, h * 2), white, 0.9)
        x += gaze
        inside.fill(ellipse(x, -0.01, 0.098, 0.1), s.face.iris * 0.55, 0.9)
        inside.fill(ellipse(x, 0.0, 0.078, 0.08), s.face.iris, 0.9)
        inside.fill(ellipse(x, -0.005, 0.04, 0.041), black, 0.9)
        inside.fill(ellipse(x + 0.03, -0.035, 0.018, 0.018), np.full(3, 0.96), 0.9)
    s.picture.paste(inside.picture, mask=s.mask(almonds, 0.9))
    lash = p["lashes"] + 0.016 * s.face.has["Heavy_Makeup"]
    dark, crease = s.face.skin * [0.25, 0.18, 0.16], s.face.skin * [0.68, 0.57, 0.52]
    for side in _SIDES:
        x, out = side * _EYE_X, side * w
        s.stroke(curve((x - out, 0.02), (x, -1.95 * h), (x + out * 1.06, -0.01)), dark, lash, 0.9)
        s.stroke(curve((x - out, 0.03), (x, 1.75 * h), (x + out, 0.0)), crease, 0.014, 0.9)
        fold = curve((x - out * 0.8, -1.1 * h), (x, -2.6 * h), (x + out * 1.05, -h))
        s.stroke(fold, crease, 0.014, 0.9)


def _draw_brows(s: Scene) -> None:
    p = s.face.proportion
    h, y, arch = p["brow_h"], p["brow_y"], p["brow_arch"]
    colour = mixed(s.face.hair * 0.6, s.face.skin * 0.5, 0.3)
    for side in _SIDES:
        shape = [
            (0.15, y), (0.16, y + 0.01 + h), (0.4, y - 0.8 * arch + h),
            (0.6, y - 0.5 * arch + 0.7 * h), (0.76, y + 0.07), (0.6, y - 0.9 * arch),
            (0.4, y - arch - 0.01), (0.25, y - 0.02),
        ]  # fmt: skip
        s.fill(outline(*shape) * [side, 1], colour, 0.85)


def _draw_nose(s: Scene) -> None:
    w, y = s.face.proportion["nose_w"], s.face.proportion["nose_y"]
    dark, half = s.face.skin * [0.5, 0.36, 0.32], s.face.skin * [0.72, 0.59, 0.54]
    for side in _SIDES:
        wing = curve((side * w * 0.9, y - 0.13), (side * w * 1.25, y), (side * w * 0.75, y + 0.02))
        s.stroke(wing, half, 0.024, 1.1)
        s.fill(ellipse(side * w * 0.45, y + 0.01, w * 0.24, 0.024), dark, 1.1)
    s.stroke(curve((-w * 0.35, y + 0.03), (0, y + 0.06), (w * 0.35, y + 0.03)), half, 0.02, 1.1)


def _draw_mouth(s: Scene) -> None:
    p, has, rng = s.face.proportion, s.face.has, s.rng
    lips = s.face.skin * [0.84, 0.62, 0.58]
    if has["Wearing_Lipstick"]:
        shade = np.array([0.62, 0.12, 0.18] if rng.random() < 0.5 else [0.70, 0.28, 0.32])
        lips = mixed(lips, shade, rng.uniform(0.5, 0.9))
    w, h, y = p["mouth_w"] * (1.12 if has["Smiling"] else 1.0), p["lip_h"], p["mouth_y"]
    up = 0.065 if has["Smiling"] else rng.normal(0.02, 0.012)
    gap = rng.uniform(0.04, 0.08) if has["Mouth_Slightly_Open"] else 0.0
    s.fill(outline(
        (-w, y - up), (-w * 0.4, y - h * 0.9), (-0.05, y - h * 1.05), (0, y - h * 0.85),
        (0.05, y - h * 1.05), (w * 0.4, y - h * 0.9), (w, y - up), (w * 0.4, y + 0.03),
        (-w * 0.4, y + 0.03),
    ), lips * 0.85, 0.95)  # fmt: skip
    s.fill(outline(
        (-w * 0.95, y - up), (0, y + 0.01), (w * 0.95, y - up), (w * 0.45, y + gap + h * 1.2),
        (-w * 0.45, y + gap + h * 1.2),
    ), lips, 0.95)  # fmt: skip
    if gap:
        hole = outline((-w * 0.9, y - up), (0, y - 0.02), (w * 0.9, y - up), (w * 0.4, y + gap),
                       (-w * 0.4, y + gap))  # fmt: skip
        s.fill(hole, np.array([0.27, 0.10, 0.09]), 0.95)
        s.fill(hole * [0.84, 1] - [0, gap * 0.35], np.array([0.90, 0.88, 0.85]), 0.95)
    else:
        line = curve((-w, y - up), (0, y + up + 0.02), (w, y - up))
        s.stroke(line, lips * [0.5, 0.4, 0.4], 0.022, 0.95)
    s.fill(ellipse(0, y + gap + h * 0.6, w * 0.28, h * 0.14), lips * [1.12, 1.2, 1.2], 0.95)


def _draw_beard(s: Scene) -> None:
    p, (x, y) = s.face.proportion, s.grid()
    x, y = np.abs(x - 0.9 * s.yaw), y - 0.9 * s.pitch
    lip = p["mouth_y"] - 0.06 + 0.9 * np.clip(x - 0.1, 0, 1) ** 2
    moustache = (
        step(0.43 - x, 0.06) * step(y - p["nose_y"] - 0.13 - 0.25 * x, 0.04) * step(lip - y, 0.04)
    )
    goatee = step(0.36 - x, 0.06) * step(y - p["mouth_y"] - 0.02, 0.05)
    cheeks = step(y - 1.02 + 0.8 * x**2, 0.08)
    shape = {
        "Mustache": moustache,
        "Goatee": np.maximum(moustache, goatee),
        "full": np.maximum(moustache, cheeks),
        "stubble": np.maximum(moustache, cheeks) * 0.5,
    }[s.face.beard]
    off_lips = step((x / p["mouth_w"]) ** 2 + ((y - p["mouth_y"] - 0.03) / 0.12) ** 2 - 1, 0.3)
    texture = Image.new("RGB", s.picture.size, rgb(s.face.hair * 0.7))
    pen, roots = ImageDraw.Draw(texture), s.rng.uniform([-1.1, 0.3], [1.1, 1.6], (_NUM_BRISTLES, 2))
    roots_px = s.place(roots, 0.5).tolist()
    tips_px = s.place(roots * [1.03, 1.0] + [0, 0.09], 0.5).tolist()
    colours = s.face.hair * s.rng.uniform(0.35, 1.4, (_NUM_BRISTLES, 1))
    for root, tip, colour in zip(roots_px, tips_px, colours, strict=True):
        pen.line([*root, *tip], fill=rgb(colour), width=2)
    mask = s.mask([_head(p)])
    mask.paste(0, mask=soft(1 - 0.92 * shape * off_lips))
    s.picture.paste(texture, mask=mask)


def _hair_texture(s: Scene) -> Image.Image:
    """Hair all over the canvas; the outlines of the pieces pick from it."""
    (x, y), rng = s.grid(), s.rng
    shine = 0.4 * np.exp(-(((y + 0.95 + 0.3 * x * s.light[0]) / 0.2) ** 2))
    body = 0.72 + 0.35 * s.ambient + 0.25 * np.clip(x * s.light[0], -1, 1)
    edge = 1 - 0.3 * np.clip((np.abs(x) - 0.75) / 0.6, 0, 1)
    texture = soft(
        (edge * body + shine)[..., None] * s.face.hair.astype(np.float32) + 0.06 * shine[..., None]
    )
    # Nested arcs from the parting over the head, then down: hair lies in order and does not cross.
    reach = rng.uniform(-1.6, 1.6, (_NUM_STRANDS, 1))
    parting, rise = rng.normal(0, 0.25), 0.5 + 0.85 * np.abs(reach)
    turn, down = np.linspace(0, np.pi / 2, 5)[None, :], np.linspace(0.3, 2.8, 9)[None, :]
    over = np.stack([parting + (reach - parting) * np.sin(turn), 0.1 - rise * np.cos(turn)], axis=2)
    sway = (0.07 if s.face.has["Wavy_Hair"] else 0.012) * np.sin(down * 6.5 + reach)
    fall = np.stack([reach + sway, np.broadcast_to(down, sway.shape)], axis=2)
    strands_px = s.place(np.concatenate([over, fall], axis=1).reshape(-1, 2))
    # Long hair shows more strands: finer contrast keeps its share of edges near short hair's.
    contrast = 0.11 if s.face.hair_style in _LONG else 0.5
    colours = s.face.hair * rng.uniform(1 - contrast, 1 + contrast, (_NUM_STRANDS, 1))
    widths_px = rng.integers(1, 4, _NUM_STRANDS).tolist()
    pen = ImageDraw.Draw(texture)
    paths_px = strands_px.reshape(_NUM_STRANDS, -1).tolist()
    for path_px, colour, width_px in zip(paths_px, colours, widths_px, strict=True):
        pen.line(path_px, fill=rgb(colour), width=width_px)
    return texture


def _hair_behind(face: Face) -> list[Array]:
    p, volume = face.proportion, face.proportion["volume"]
    if face.hair_style == "tied":
        return [ellipse(0.0, -1.42 - volume, 0.4, 0.34)]
    if face.hair_style not in _LONG:
        return []
    end_y = face.hair_end_y - 0.1
    return [mirrored((0.5, -1.4), (p["cheek"] + volume, -0.8), (p["cheek"] + volume, end_y * 0.6),
                     (p["cheek"], end_y), (0.1, end_y + 0.1))]  # fmt: skip


def _hair_in_front(s: Scene) -> list[Array]:
    p, style, end_y = s.face.proportion, s.face.hair_style, s.face.hair_end_y
    if style == "bald":
        return []
    v, top, cheek = p["volume"], p["hairline"], p["cheek"]
    over = [(0.0, -1.40 - 1.3 * v), (0.5, -1.36 - 1.3 * v), (0.92, -1.08 - v), (1.04 + v, -0.6)]
    hairline = [(0.9, -0.35), (0.74, top + 0.14), (0.3, top), (0.0, top - 0.02)]
    sides: list[Point] = [(cheek + 0.05 + 0.5 * v, -0.2), (cheek + 0.02, end_y), (0.92, end_y)]
    if style in _LONG:
        ys = np.linspace(-0.2, end_y, 9)
        sway = (0.07 if s.face.has["Wavy_Hair"] else 0.012) * np.sin(ys * 6.5 + 1.2)
        outer = cheek + 0.1 + v * (1.1 + 0.5 * np.clip(ys, 0, 1.2)) + sway
        inner = 0.90 - 0.16 * np.clip(ys - 0.4, 0, 1.2) + sway
        outer[-1] -= 0.12
        sides = [*zip(outer.tolist(), ys.tolist(), strict=True),
                 *zip(inner[::-1].tolist(), ys[::-1].tolist(), strict=True)]  # fmt: skip
    pieces = [mirrored(*over, *sides, *hairline)]
    if s.face.has["Bangs"]:
        ragged = s.rng.uniform(-0.5, -0.38, 7).tolist()
        fringe = list(zip(np.linspace(0.84, -0.84, 7).tolist(), ragged, strict=True))
        pieces.append(outline((-0.8, -0.95), (0.0, -1.2), (0.8, -0.95), *fringe))
    return pieces


def _draw_extras(s: Scene) -> None:
    p, has, rng = s.face.proportion, s.face.has, s.rng
    colour = rng.uniform(0.08, 0.7) + rng.normal(0, 0.08, 3)
    metal = np.array([0.80, 0.66, 0.32] if rng.random() < 0.5 else [0.78, 0.78, 0.80])
    if has["Wearing_Hat"]:
        v = max(p["volume"], 0.0)
        crown = [(0.0, -1.78 - v), (0.7, -1.66 - v), (1.08 + v, -1.05), (1.12 + v, -0.62)]
        brim = [(0.0, -0.92), (0.8, -0.86), (1.18 + v, -0.76), (1.18 + v, -0.54), (0.8, -0.62)]
        s.fill(mirrored(*crown), colour)
        s.fill(mirrored(*brim, (0.0, -0.68)), colour * 0.7)
    if has["Eyeglasses"]:
        frame, width = colour * 0.4, rng.uniform(0.03, 0.065)
        for side in _SIDES:
            rim = rounded(ellipse(side * 0.43, 0.03, 0.33, 0.25))
            s.stroke(np.concatenate([rim, rim[:2]]), frame, width, 0.95)
            s.stroke(outline((side * 0.76, 0.0), (side * 0.98, -0.02)), frame, width, 0.6)
        s.stroke(curve((-0.1, 0.0), (0.0, -0.06), (0.1, 0.0)), frame, width, 0.95)
    if has["Wearing_Earrings"]:
        drop = rng.uniform(0.05, 0.3)
        for side in _SIDES:
            s.fill(ellipse(side * 1.02, 0.42 + drop, 0.05, 0.05 + drop * 0.6), metal)
    if has["Wearing_Necklace"]:
        s.stroke(curve((-p["neck"], 1.6), (0.0, 2.2), (p["neck"], 1.6)), metal, 0.04)
