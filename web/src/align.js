/**
 * From a picture and a face in it to what the model was trained on.
 *
 * In: a pyramid of the picture, points of a face, the card's alignment. Out: RGB pixels, as large
 * as CelebA's aligned pictures. Never holds a coordinate of its own: all come from the model card.
 *
 * @typedef {{height: number, width: number, points: Object<string, [number, number]>}} Alignment
 *   where the points of a face lie in an aligned picture, in pixels
 */

import {fit, inverse} from './geometry.js';
import {rgb, warp} from './resample.js';

/**
 * The face, turned, scaled and moved to where CelebA has it.
 * @param {import('./resample.js').Picture[]} levels
 * @param {Object<string, [number, number]>} points of the face, in pixels of levels[0]
 * @param {Alignment} alignment
 */
export function alignedFace(levels, points, alignment) {
  const names = Object.keys(alignment.points);
  const to = names.map((name) => alignment.points[name]);
  const toFrame = fit(
    names.map((name) => points[name]),
    to,
  );
  return warp(levels, inverse(toFrame), alignment.width, alignment.height, 'edge');
}

/**
 * The whole picture, no larger than it must be to cover an aligned one: the model resizes what it
 * gets without averaging, so a large picture has to be averaged before.
 * @param {import('./resample.js').Picture[]} levels
 * @param {Alignment} alignment
 */
export function wholePicture(levels, alignment) {
  const {width, height} = levels[0];
  const shrink = Math.min(width / alignment.width, height / alignment.height);
  if (shrink <= 1) return rgb(levels[0]);
  const toSource = {a: shrink, b: 0, x: 0, y: 0};
  return warp(levels, toSource, Math.round(width / shrink), Math.round(height / shrink), 'edge');
}

/**
 * Whether a picture is as large as an aligned one, and so is taken for one.
 * @param {{width: number, height: number}} picture
 * @param {Alignment} alignment
 */
export function isAligned({width, height}, alignment) {
  return width === alignment.width && height === alignment.height;
}
