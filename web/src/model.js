/**
 * The exported classifier: the code that the page and Node share, so that what is proved of one
 * holds for the other.
 *
 * In: the text of model.json, its weight files, then RGB pixels of any size. Out: p_male, 0..1.
 * Never reads a file or the network, never resizes or scales: the graph does.
 *
 * @typedef {import('@tensorflow/tfjs-converter').GraphModel} GraphModel
 * @typedef {import('@tensorflow/tfjs-core').Tensor} Tensor
 * @typedef {import('@tensorflow/tfjs-core').io.ModelJSON} ModelJson what model.json holds
 * @typedef {import('./resample.js').Rgb} Rgb
 * @typedef {(picture: Rgb) => Promise<{pMale: number, seconds: number}>} Classify float32
 *   probability of a picture of any size; seconds from pixels to probability
 */

import {tensor4d, tidy, version_core} from '@tensorflow/tfjs-core';
import {loadGraphModel} from '@tensorflow/tfjs-converter';

import {probability} from './probability.js';

export const TFJS_VERSION = version_core;

/**
 * The weight files that a model.json names, in the order in which they follow each other.
 * @param {ModelJson} modelJson
 * @returns {string[]} paths beside model.json
 */
export function weightPaths(modelJson) {
  return modelJson.weightsManifest.flatMap((group) => group.paths);
}

/**
 * @param {ModelJson} modelJson a TensorFlow.js graph model
 * @param {ArrayBuffer[]} weightFiles as `weightPaths` orders them
 * @returns {Promise<GraphModel>}
 */
export async function load(modelJson, weightFiles) {
  if (modelJson.format !== 'graph-model') {
    throw new Error(`a TensorFlow.js graph model is needed, this is '${modelJson.format}'`);
  }
  /** @type {import('@tensorflow/tfjs-core').io.ModelArtifacts} */
  const artifacts = {
    modelTopology: modelJson.modelTopology,
    format: modelJson.format,
    userDefinedMetadata: modelJson.userDefinedMetadata,
    signature: modelJson.signature,
    weightSpecs: modelJson.weightsManifest.flatMap((group) => group.weights),
    weightData: weightFiles,
  };
  const model = await loadGraphModel({load: async () => artifacts});
  delete artifacts.weightData; // the model keeps the object; its bytes are on the backend by now
  return model;
}

/**
 * @param {GraphModel} model
 * @param {Rgb} picture of any size
 * @returns {ReturnType<Classify>}
 */
export async function classify(model, {data, width, height}) {
  const start = performance.now();
  const output = tidy(() => {
    const pixels = tensor4d(new Float32Array(data), [1, height, width, 3]);
    return /** @type {Tensor} */ (model.execute(pixels)); // the only output, so not in an array
  });
  const values = await output.data();
  const seconds = (performance.now() - start) / 1000;
  output.dispose();
  return {pMale: probability(values), seconds};
}
