/**
 * The exported classifier in LiteRT.js, on WebAssembly with relaxed SIMD. The worker loads this
 * module, and this module its 9 MB of WebAssembly, only when LiteRT.js is to be used: the build with
 * threads if the page is isolated from other sites, and else the one without.
 */

import {Environment, Tensor, loadAndCompile, loadLiteRt} from '@litertjs/core';
import {version} from '@litertjs/core/package.json';

import {probability} from './probability.js';
import {setPictureSize} from './tflite.js';

/** More were not measured; processors with slower cores beside fast ones wait for the slow ones. */
const MAX_THREADS = 4;

/**
 * Load the runtime.
 * @param {string} folder URL of its files, with its /
 * @returns {Promise<{runtime: string, numThreads: number}>}
 */
export async function start(folder) {
  const numThreads = self.crossOriginIsolated
    ? Math.min(navigator.hardwareConcurrency, MAX_THREADS)
    : 1;
  const script = `${folder}litert_wasm_${numThreads > 1 ? 'threaded_' : ''}internal.js`;
  await import(script); // sets self.ModuleFactory, see build.mjs
  Object.assign(self, {
    importScripts() {}, // by which LiteRT.js would load the script; a module worker may not
    Module: {
      locateFile: (/** @type {string} */ name) => folder + name,
      mainScriptUrlOrBlob: script, // of its threads
      printErr: console.debug, // it reports every step
    },
  });
  // By itself it would look for a graphics card.
  Environment.create = async () => new Environment({webGpuDevice: null});
  await loadLiteRt(script);
  return {runtime: `LiteRT.js ${version}`, numThreads};
}

/**
 * @param {ArrayBuffer} bytes of a .tflite file that takes pictures of any size; changed
 * @param {number} numThreads
 * @returns {import('./model.js').Classify}
 */
export function classifierOf(bytes, numThreads) {
  /** @type {[number, number] | undefined} */
  let size;
  /** @type {Awaited<ReturnType<typeof loadAndCompile>> | undefined} */
  let network;
  return async ({data, width, height}) => {
    if (!network || size?.[0] !== height || size[1] !== width) {
      network?.delete();
      network = undefined;
      setPictureSize(bytes, height, width, size);
      size = [height, width];
      const options = /** @type {const} */ ({accelerator: 'wasm', cpuOptions: {numThreads}});
      network = await loadAndCompile(new Uint8Array(bytes), options);
    }
    const begun = performance.now();
    const pixels = new Tensor(/** @type {Uint8Array<ArrayBuffer>} */ (data), [1, height, width, 3]);
    const [output] = await network.run(pixels);
    const pMale = probability(/** @type {Float32Array} */ (output.toTypedArray()));
    const seconds = (performance.now() - begun) / 1000;
    pixels.delete();
    output.delete();
    return {pMale, seconds};
  };
}
