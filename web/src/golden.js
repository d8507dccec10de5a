/**
 * Does this device compute what Keras computed?
 *
 * In: the golden pictures and probabilities beside the model. Out: the largest difference. Never
 * detects or aligns: the pictures are classified as they are, as Keras had them.
 *
 * @typedef {{numImages: number, maxDifference: number, numOtherAnswers: number}} Check
 * @typedef {(pixels: import('./resample.js').Rgb) => Promise<{pMale: number}>} Classify
 */

import {MODEL_URL, verdict} from './card.js';
import {decode} from './photos.js';
import {rgb} from './resample.js';

/**
 * @param {Classify} classify
 * @param {import('./card.js').Card} card
 * @returns {Promise<Check>}
 */
export async function checkGolden(classify, card) {
  const {images} = await (await fetchOk('golden.json')).json();
  let maxDifference = 0;
  let numOtherAnswers = 0;
  for (const {file, p_male: expected} of images) {
    const {picture} = await decode(await (await fetchOk(file)).blob());
    const {pMale} = await classify(rgb(picture));
    maxDifference = Math.max(maxDifference, Math.abs(pMale - expected));
    if (verdict(pMale, card).label !== verdict(expected, card).label) numOtherAnswers++;
  }
  return {numImages: images.length, maxDifference, numOtherAnswers};
}

/**
 * @param {Check} check
 * @param {number} tolerance of a probability
 */
export function agrees({maxDifference, numOtherAnswers}, tolerance) {
  return maxDifference <= tolerance && numOtherAnswers === 0;
}

/** @param {string} path beside the model */
async function fetchOk(path) {
  const response = await fetch(new URL(path, MODEL_URL));
  if (!response.ok) throw new Error(`model/${path}: the server says ${response.status}`);
  return response;
}
