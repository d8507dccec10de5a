/**
 * Faces in a picture, and the points of each that the alignment needs.
 *
 * In: a pyramid of the picture and BlazeFace. Out: points in pixels of the picture. BlazeFace sees
 * a small square: first the whole picture, then overlapping squares of half its size (and of a
 * quarter, where there was no face or a small one), so that small faces are found too. A second,
 * closer look at each face, turned upright, makes its points exact and drops what was none. Never
 * classifies.
 *
 * @typedef {import('./geometry.js').Point} Point
 * @typedef {import('./geometry.js').Similarity} Similarity
 * @typedef {import('./resample.js').Picture} Picture
 * @typedef {import('@tensorflow/tfjs-converter').GraphModel} GraphModel
 * @typedef {import('@tensorflow/tfjs-core').Tensor} Tensor
 * @typedef {{score: number, centre: Point, side: number, points: Object<string, Point>}} Face
 *   score 0..1; the box's centre and side, and the points, in pixels of the picture
 */

import {mul, sub, tensor4d, tidy} from '@tensorflow/tfjs-core';

import {apply, scale, view} from './geometry.js';
import {warp} from './resample.js';

/** BlazeFace's points, in its order; right is the person's own right, at the left of a picture. */
const POINT_NAMES = ['right_eye', 'left_eye', 'nose', 'mouth', 'right_ear', 'left_ear'];
/** BlazeFace's grids: cells a side, anchors a cell. */
const GRIDS = [
  {cells: 16, anchors: 2},
  {cells: 8, anchors: 6},
];
const CANDIDATE_SCORE = 0.5; // a first look may doubt,
const FACE_SCORE = 0.7; // a closer one decides
const SAME_FACE_OVERLAP = 0.3; // intersection over union
const CLOSE_LOOK = 2.5; // its side in sides of the face's box
const SMALL_FACE = 0.06; // of the picture's longer side: beside one there may be smaller ones
const MAX_NUM_FACES = 40;

/**
 * @param {GraphModel} model BlazeFace
 * @param {Picture[]} levels a pyramid
 * @returns {Promise<{faces: Face[], isCut: boolean}>} from left to right, and whether more
 *   places look like faces than are examined
 */
export async function findFaces(model, levels) {
  const size = inputSize(model);
  const {width, height} = levels[0];
  const longest = Math.max(width, height);
  let candidates = await look(model, levels, wholeView(width, height, size));
  for (const parts of [2, 4]) {
    const side = longest / parts;
    const isSmallOneThere = candidates.some((face) => face.side < SMALL_FACE * longest);
    const isWorthIt = parts === 2 || !candidates.length || isSmallOneThere;
    if (side < size || !isWorthIt) break;
    for (const tile of tiles(width, height, side, size)) {
      candidates.push(...(await look(model, levels, tile)));
    }
    candidates = distinct(candidates);
  }
  const faces = [];
  for (const candidate of candidates.slice(0, MAX_NUM_FACES)) {
    const face = await lookClosely(model, levels, candidate);
    if (face) faces.push(face);
  }
  return {
    faces: distinct(faces).sort((one, other) => one.centre[0] - other.centre[0]),
    isCut: candidates.length > MAX_NUM_FACES,
  };
}

/**
 * Pixels of one side of the square that the model sees.
 * @param {GraphModel} model
 */
function inputSize(model) {
  const shape = /** @type {number[]} */ (model.inputs[0].shape);
  return shape[1];
}

/**
 * The whole picture in a square.
 * @param {number} width
 * @param {number} height
 * @param {number} size of the square that the model sees
 */
function wholeView(width, height, size) {
  return view([width / 2, height / 2], Math.max(width, height), 0, size);
}

/**
 * Squares of one side over all of the picture, each half over the next.
 * @param {number} width
 * @param {number} height
 * @param {number} side in pixels of the picture
 * @param {number} size of the square that the model sees
 */
function tiles(width, height, side, size) {
  /** @param {number} length */
  const centres = (length) => {
    const num = Math.max(1, Math.ceil((length - side) / (side / 2) - 1e-6) + 1);
    if (num === 1) return [length / 2];
    return Array.from({length: num}, (_, i) => side / 2 + (i * (length - side)) / (num - 1));
  };
  return centres(height).flatMap((y) => centres(width).map((x) => view([x, y], side, 0, size)));
}

/**
 * Look again at one face, upright and from near; null if it is none.
 * @param {GraphModel} model
 * @param {Picture[]} levels
 * @param {Face} candidate
 * @returns {Promise<Face | null>}
 */
async function lookClosely(model, levels, candidate) {
  const size = inputSize(model);
  const {right_eye: right, left_eye: left} = candidate.points;
  const angle = Math.atan2(left[1] - right[1], left[0] - right[0]);
  const near = view(candidate.centre, candidate.side * CLOSE_LOOK, angle, size);
  const seen = await look(model, levels, near);
  const same = seen.filter((face) => overlap(face, candidate) > SAME_FACE_OVERLAP);
  return same.find((face) => face.score >= FACE_SCORE) ?? null;
}

/**
 * What BlazeFace sees in one square.
 * @param {GraphModel} model
 * @param {Picture[]} levels
 * @param {Similarity} toPicture pixels of the square -> of the picture
 * @returns {Promise<Face[]>} the best first
 */
async function look(model, levels, toPicture) {
  const size = inputSize(model);
  const {data} = warp(levels, toPicture, size, size, 'black');
  const outputs = tidy(() => {
    const pixels = tensor4d(new Float32Array(data), [1, size, size, 3]);
    return [model.execute(sub(mul(pixels, 1 / 127.5), 1))].flat();
  });
  const rows = await anchorRows(outputs);
  outputs.forEach((output) => output.dispose());
  return distinct(decode(rows, size, toPicture));
}

/**
 * One row of 17 numbers for each anchor: logit, box, points.
 * @param {Tensor[]} outputs (1, 896, 17), or scores and boxes of
 *   the two grids apart
 * @returns {Promise<Float32Array[]>}
 */
async function anchorRows(outputs) {
  const parts = await Promise.all(
    outputs.map(async (output) => ({
      shape: output.shape,
      data: /** @type {Float32Array} */ (await output.data()),
    })),
  );
  /** @param {number} num @param {number} columns */
  const find = (num, columns) =>
    parts.find(({shape}) => shape.at(-2) === num && shape.at(-1) === columns)?.data;
  const whole = find(numAnchors(GRIDS), 17);
  if (whole) {
    return Array.from({length: numAnchors(GRIDS)}, (_, i) => whole.subarray(i * 17, (i + 1) * 17));
  }
  return GRIDS.flatMap((grid) => {
    const num = numAnchors([grid]);
    const scores = find(num, 1);
    const boxes = find(num, 16);
    if (!scores || !boxes) throw new Error('the detector does not have the outputs of BlazeFace');
    return Array.from({length: num}, (_, i) =>
      Float32Array.of(scores[i], ...boxes.subarray(i * 16, (i + 1) * 16)),
    );
  });
}

/** @param {typeof GRIDS} grids */
function numAnchors(grids) {
  return grids.reduce((sum, {cells, anchors}) => sum + cells * cells * anchors, 0);
}

/**
 * Rows of anchors -> the faces among them, in pixels of the picture.
 * @param {Float32Array[]} rows
 * @param {number} size of the square that the model sees
 * @param {Similarity} toPicture
 */
function decode(rows, size, toPicture) {
  /** @type {Face[]} */
  const faces = [];
  let index = 0;
  for (const {cells, anchors} of GRIDS) {
    for (let cell = 0; cell < cells * cells; cell++) {
      const x = (((cell % cells) + 0.5) / cells) * size;
      const y = ((Math.floor(cell / cells) + 0.5) / cells) * size;
      for (let anchor = 0; anchor < anchors; anchor++, index++) {
        const [logit, dx, dy, width, height, ...offsets] = rows[index];
        const score = 1 / (1 + Math.exp(-logit));
        if (score < CANDIDATE_SCORE) continue;
        /** @param {number} u @param {number} v */
        const at = (u, v) => apply(toPicture, [x + u, y + v]);
        const named = POINT_NAMES.map((name, i) => [name, at(offsets[2 * i], offsets[2 * i + 1])]);
        const side = (scale(toPicture) * (width + height)) / 2;
        faces.push({score, centre: at(dx, dy), side, points: Object.fromEntries(named)});
      }
    }
  }
  return faces;
}

/**
 * One face for each group of overlapping ones, its numbers their mean weighted by score.
 * @param {Face[]} faces
 * @returns {Face[]} the best first
 */
function distinct(faces) {
  let rest = [...faces].sort((one, other) => other.score - one.score);
  const found = [];
  while (rest.length) {
    const same = rest.filter(
      (face) => face === rest[0] || overlap(face, rest[0]) > SAME_FACE_OVERLAP,
    );
    found.push(blend(same));
    rest = rest.filter((face) => !same.includes(face));
  }
  return found;
}

/** @param {Face[]} faces of one person, the best first */
function blend(faces) {
  const total = faces.reduce((sum, {score}) => sum + score, 0);
  /** @param {(face: Face) => number} value */
  const mean = (value) => faces.reduce((sum, face) => sum + face.score * value(face), 0) / total;
  /**
   * @param {(face: Face) => Point} point
   * @returns {Point}
   */
  const meanPoint = (point) => [mean((face) => point(face)[0]), mean((face) => point(face)[1])];
  const named = POINT_NAMES.map((name) => [name, meanPoint((face) => face.points[name])]);
  return {
    score: faces[0].score,
    centre: meanPoint((face) => face.centre),
    side: mean((face) => face.side),
    points: Object.fromEntries(named),
  };
}

/**
 * Intersection over union of two upright squares.
 * @param {Face} one
 * @param {Face} other
 */
function overlap(one, other) {
  /** @param {0 | 1} axis */
  const along = (axis) =>
    Math.min(one.centre[axis] + one.side / 2, other.centre[axis] + other.side / 2) -
    Math.max(one.centre[axis] - one.side / 2, other.centre[axis] - other.side / 2);
  const both = Math.max(0, along(0)) * Math.max(0, along(1));
  return both / (one.side ** 2 + other.side ** 2 - both);
}
