/**
 * The worker in which everything is computed, so that the page stays responsive.
 *
 * In: messages {id, name, args}. Out: messages {id, value} or {id, error}, and {progress} while the
 * model loads. One backend a worker: another backend is another worker. Never touches the page.
 *
 * @typedef {import('./model.js').GraphModel} GraphModel
 * @typedef {import('./resample.js').Rgb} Rgb
 * @typedef {{
 *   kind: 'aligned' | 'whole' | 'faces', seconds: number, isCut?: boolean,
 *   parts: {pixels: Rgb, face?: import('./detector.js').Face}[],
 * }} Found what is to be classified in a picture, how long it took to find, and whether more places
 *   look like faces than were examined
 * @typedef {typeof CALLS} Calls
 */

import * as align from './align.js';
import * as backends from './backends.js';
import {findFaces} from './detector.js';
import {bytesOf, openCache} from './download.js';
import {messageOf} from './errors.js';
import {TFJS_VERSION, classify, load, weightPaths} from './model.js';
import {pyramid} from './resample.js';

const DIST = new URL('./', import.meta.url).href;

/** @type {GraphModel} set by `loadModel` */
let classifier;
/** @type {GraphModel} set by `start` */
let detector;

const CALLS = {
  backends: backends.list,

  /** @param {{name: backends.Name}} args */
  async start({name}) {
    await backends.use(name, DIST);
    const {model} = await fetchModel(`${DIST}detector/blazeface.json`, null, () => {});
    detector = model;
    return {tfjs: TFJS_VERSION};
  },

  /**
   * Load the classifier and try it once: the first call compiles, and a backend that cannot run
   * this model fails now and not on a photo.
   * @param {{url: string, digest: string, alignment: align.Alignment}} args from the card
   * @returns {Promise<{isKept: boolean}>} whether the browser keeps it for the next visit
   */
  async loadModel({url, digest, alignment: {width, height}}) {
    const cache = await openCache(digest);
    let numBytes = 0;
    const {model, isKept} = await fetchModel(url, cache, (num) => {
      numBytes += num;
      postMessage({progress: {numBytes}});
    });
    classifier = model;
    await classify(model, {data: new Uint8Array(width * height * 3), width, height});
    return {isKept};
  },

  /**
   * What is to be classified in a picture: each face, aligned, or else the whole picture.
   * @param {{picture: import('./resample.js').Picture, alignment: align.Alignment}} args
   * @returns {Promise<Found>}
   */
  async find({picture, alignment}) {
    const start = performance.now();
    const levels = pyramid(picture);
    if (align.isAligned(picture, alignment)) {
      return {
        kind: 'aligned',
        seconds: 0,
        parts: [{pixels: align.wholePicture(levels, alignment)}],
      };
    }
    const {faces, isCut} = await findFaces(detector, levels);
    const seconds = (performance.now() - start) / 1000;
    if (!faces.length) {
      return {kind: 'whole', seconds, parts: [{pixels: align.wholePicture(levels, alignment)}]};
    }
    const parts = faces.map((face) => ({
      pixels: align.alignedFace(levels, face.points, alignment),
      face,
    }));
    return {kind: 'faces', seconds, isCut, parts};
  },

  /** @param {{pixels: Rgb}} args */
  classify: ({pixels}) => classify(classifier, pixels),
};

/**
 * @param {string} url
 * @param {Cache | null} cache
 * @param {(numBytes: number) => void} received
 */
async function fetchModel(url, cache, received) {
  const json = await bytesOf(url, cache, received);
  const modelJson = JSON.parse(new TextDecoder().decode(json.bytes));
  const weights = [];
  for (const path of weightPaths(modelJson)) {
    weights.push(await bytesOf(new URL(path, url).href, cache, received));
  }
  const model = await load(
    modelJson,
    weights.map(({bytes}) => bytes),
  );
  return {model, isKept: [json, ...weights].every(({isKept}) => isKept)};
}

addEventListener('message', async ({data}) => {
  /** @type {{id: number, name: keyof Calls, args: any}} */
  const {id, name, args} = data;
  try {
    postMessage({id, value: await CALLS[name](args)});
  } catch (error) {
    postMessage({id, error: messageOf(error)});
  }
});
