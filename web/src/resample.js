/**
 * Cut turned and scaled rectangles out of a picture, without aliasing.
 *
 * In: RGBA pixels. Out: RGB pixels. The same arithmetic in every browser and in Node, which a
 * canvas does not promise. Never knows what a face is.
 *
 * @typedef {{data: Uint8ClampedArray<ArrayBuffer>, width: number, height: number}} Picture
 *   RGBA, 0..255, height x width x 4
 * @typedef {{data: Uint8Array, width: number, height: number}} Rgb
 *   0..255, height x width x 3
 * @typedef {import('./geometry.js').Similarity} Similarity
 */

import {scale} from './geometry.js';

const SMALLEST_LEVEL_PX = 64;

/**
 * The picture, its half, its quarter, and so on; each pixel the mean of four.
 * @param {Picture} picture
 * @returns {Picture[]}
 */
export function pyramid(picture) {
  const levels = [picture];
  for (let last = picture; Math.min(last.width, last.height) >= 2 * SMALLEST_LEVEL_PX; ) {
    last = halved(last);
    levels.push(last);
  }
  return levels;
}

/**
 * @param {Picture} picture
 * @returns {Picture}
 */
function halved({data, width: fromWidth, height: fromHeight}) {
  const width = fromWidth >> 1;
  const height = fromHeight >> 1;
  const half = new Uint8ClampedArray(width * height * 4);
  const row = fromWidth * 4;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, from = 2 * y * row; x < width; x++, from += 8) {
      for (let channel = from; channel < from + 4; channel++, to++) {
        const below = channel + row;
        half[to] = (data[channel] + data[channel + 4] + data[below] + data[below + 4] + 2) >> 2;
      }
    }
  }
  return {data: half, width, height};
}

/**
 * Cut out a rectangle. One output pixel per source pixel copies exactly; smaller ones are means
 * over the source pixels they cover: the nearest finer level, then bilinear samples side by side.
 * @param {Picture[]} levels a pyramid
 * @param {Similarity} toSource output pixels -> pixels of levels[0]
 * @param {number} width of the output
 * @param {number} height of the output
 * @param {'edge' | 'black'} outside what lies beyond the picture's border
 * @returns {Rgb}
 */
export function warp(levels, toSource, width, height, outside) {
  const shrink = scale(toSource);
  const level = Math.max(0, Math.min(levels.length - 1, Math.floor(Math.log2(shrink) + 1e-9)));
  const step = 2 ** -level;
  const source = levels[level];
  const at = {
    a: toSource.a * step,
    b: toSource.b * step,
    x: toSource.x * step,
    y: toSource.y * step,
  };
  const perSide = Math.max(1, Math.ceil(shrink * step - 1e-6)); // samples of one output pixel
  const data = new Uint8Array(width * height * 3);
  const sum = new Float32Array(3);
  const share = 1 / (perSide * perSide);
  for (let row = 0, to = 0; row < height; row++) {
    for (let column = 0; column < width; column++, to += 3) {
      sum.fill(0);
      for (let i = 0; i < perSide; i++) {
        for (let j = 0; j < perSide; j++) {
          const u = column + (j + 0.5) / perSide;
          const v = row + (i + 0.5) / perSide;
          const x = at.a * u - at.b * v + at.x - 0.5;
          const y = at.b * u + at.a * v + at.y - 0.5;
          if (outside === 'edge' || isInside(source, x, y)) addSample(source, x, y, sum);
        }
      }
      for (let channel = 0; channel < 3; channel++) data[to + channel] = sum[channel] * share + 0.5;
    }
  }
  return {data, width, height};
}

/**
 * Whether a position (0 = the first pixel's centre) is on the picture.
 * @param {Picture} picture
 * @param {number} x
 * @param {number} y
 */
function isInside({width, height}, x, y) {
  return x >= -0.5 && y >= -0.5 && x <= width - 0.5 && y <= height - 0.5;
}

/**
 * Add the bilinear sample at a position (0 = the first pixel's centre); the border goes on.
 * @param {Picture} picture
 * @param {number} x
 * @param {number} y
 * @param {Float32Array} sum of the three channels
 */
function addSample({data, width, height}, x, y, sum) {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const right = x - left;
  const bottom = y - top;
  const x0 = clamp(left, width) * 4;
  const x1 = clamp(left + 1, width) * 4;
  const y0 = clamp(top, height) * width * 4;
  const y1 = clamp(top + 1, height) * width * 4;
  for (let channel = 0; channel < 3; channel++) {
    const above = data[y0 + x0 + channel] * (1 - right) + data[y0 + x1 + channel] * right;
    const below = data[y1 + x0 + channel] * (1 - right) + data[y1 + x1 + channel] * right;
    sum[channel] += above * (1 - bottom) + below * bottom;
  }
}

/** @param {number} index @param {number} length */
function clamp(index, length) {
  return index < 0 ? 0 : index >= length ? length - 1 : index;
}

/**
 * The picture's pixels, unchanged, without their opacity.
 * @param {Picture} picture
 * @returns {Rgb}
 */
export function rgb({data, width, height}) {
  const colours = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < colours.length; from += 4, to += 3) {
    colours[to] = data[from];
    colours[to + 1] = data[from + 1];
    colours[to + 2] = data[from + 2];
  }
  return {data: colours, width, height};
}
