/**
 * Does this device compute what Keras computed?
 *
 * In: the golden pictures and probabilities beside the model. Out: the largest difference. Never
 * detects or aligns: the pictures are classified as they are, as Keras had them.
 *
 * @typedef {{
 *   backend: import('./backends.js').Name, numImages: number, maxDifference: number,
 *   numOtherAnswers: number,
 * }} Check
 */

import {MODEL_URL, verdict} from './card.js';
import {call} from './engine.js';
import {decode} from './photos.js';
import {rgb} from './resample.js';

/**
 * @param {import('./engine.js').Engine} engine
 * @param {import('./card.js').Card} card
 * @returns {Promise<Check>}
 */
export async function checkGolden(engine, card) {
  const {images} = await (await fetchOk('golden.json')).json();
  let maxDifference = 0;
  let numOtherAnswers = 0;
  for (const {file, p_male: expected} of images) {
    const {picture} = await decode(await (await fetchOk(file)).blob());
    const {pMale} = await call(engine, 'classify', {pixels: rgb(picture)});
    maxDifference = Math.max(maxDifference, Math.abs(pMale - expected));
    if (verdict(pMale, card).label !== verdict(expected, card).label) numOtherAnswers++;
  }
  return {backend: engine.backend, numImages: images.length, maxDifference, numOtherAnswers};
}

/** @param {string} path beside the model */
async function fetchOk(path) {
  const response = await fetch(new URL(path, MODEL_URL));
  if (!response.ok) throw new Error(`model/${path}: the server says ${response.status}`);
  return response;
}
