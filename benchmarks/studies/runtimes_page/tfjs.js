/** TensorFlow.js with the page's own code; with threads, which the page does not use. */

import {ready, setBackend} from '@tensorflow/tfjs-core';
import {getThreadsCount, setThreadsCount, setWasmPaths} from '@tensorflow/tfjs-backend-wasm';

import {TFJS_VERSION, classify, load, weightPaths} from './src/model.js';
import {use} from './src/wasm.js';
import {bytesOf, serve} from './worker.js';

const FOLDER = new URL('tfjs/', self.location.href).href;

/** @param {number} numThreads */
async function start(numThreads) {
  if (numThreads === 1) return use(FOLDER);
  // It takes no more threads than half of these.
  Object.defineProperty(navigator, 'hardwareConcurrency', {value: 2 * numThreads});
  setThreadsCount(numThreads);
  setWasmPaths(FOLDER);
  if (!(await setBackend('wasm'))) throw new Error('the WebAssembly backend does not start');
  await ready();
  if (getThreadsCount() !== numThreads) throw new Error(`${getThreadsCount()} threads`);
}

serve(async (model, numThreads) => {
  await start(numThreads);
  const modelJson = JSON.parse(new TextDecoder().decode(await bytesOf(`${model}/model.json`)));
  const weights = [];
  for (const path of weightPaths(modelJson)) weights.push(await bytesOf(`${model}/${path}`));
  const network = await load(modelJson, weights);
  return {
    version: TFJS_VERSION,
    classify: async (picture) => (await classify(network, picture)).pMale,
  };
});
