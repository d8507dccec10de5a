/**
 * The worker in which everything is computed, so that the page stays responsive.
 *
 * In: messages {id, name, args}. Out: messages {id, value} or {id, error}, and {progress} while the
 * model loads. One backend a worker: another backend is another worker. Never touches the page.
 *
 * @typedef {import('./model.js').GraphModel} GraphModel
 * @typedef {{
 *   url: string, digest: string, alignment: align.Alignment,
 *   liteRt?: {url: string, digest: string},
 * }} Model from the card
 * @typedef {{runtime: string, numThreads: number, isKept: boolean}} Loaded name and version of what
 *   classifies, and whether the browser keeps the model for the next visit
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
import {bytesOf, openCache, verifiedBytesOf} from './download.js';
import {messageOf} from './errors.js';
import {TFJS_VERSION, classify, load, weightPaths} from './model.js';
import {pyramid} from './resample.js';

const DIST = new URL('./', import.meta.url).href;

/** @type {import('./model.js').Classify} set by `loadModel` and `loadLiteRt` */
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
  },

  /**
   * Load the classifier and try it once: the first call compiles, and a backend that cannot run
   * this model fails now and not on a photo.
   * @param {Model} args
   * @returns {Promise<Loaded>}
   */
  async loadModel({url, digest, alignment}) {
    const {model, isKept} = await fetchModel(url, await openCache(digest), progress());
    classifier = (pixels) => classify(model, pixels);
    await classifier(black(alignment));
    return {runtime: `TensorFlow.js ${TFJS_VERSION}`, numThreads: 1, isKept};
  },

  /**
   * The same in LiteRT.js, whose code is loaded only now.
   * @param {Model} args
   * @returns {Promise<Loaded>}
   */
  async loadLiteRt({liteRt, digest, alignment}) {
    if (!liteRt) throw new Error('there is no model for it');
    const {classifierOf, start} = await import('./litert.js');
    const cache = await openCache(digest);
    const [{runtime, numThreads}, {bytes, isKept}] = await Promise.all([
      start(`${DIST}litert/`),
      verifiedBytesOf(liteRt.url, liteRt.digest, cache, progress()),
    ]);
    classifier = classifierOf(bytes, numThreads);
    await classifier(black(alignment));
    return {runtime, numThreads, isKept};
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
  classify: ({pixels}) => classifier(pixels),
};

/** Tell the page how many bytes came. */
function progress() {
  let numBytes = 0;
  return (/** @type {number} */ num) => {
    numBytes += num;
    postMessage({progress: {numBytes}});
  };
}

/** @param {align.Alignment} size @returns {Rgb} */
function black({width, height}) {
  return {data: new Uint8Array(width * height * 3), width, height};
}

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
