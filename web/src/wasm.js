/**
 * TensorFlow.js' WebAssembly backend with SIMD on one thread, the same for the page and for Node.
 *
 * In: where the .wasm file is. Out: the backend, set. Never uses threads: they need headers that a
 * static host seldom sends, and page and Node should compute alike.
 */

import {env, ready, setBackend} from '@tensorflow/tfjs-core';
import {setWasmPaths} from '@tensorflow/tfjs-backend-wasm';

/** Whether this browser or Node runs WebAssembly with SIMD. */
export async function isAvailable() {
  if (typeof WebAssembly !== 'object') return false;
  return Boolean(await env().getAsync('WASM_HAS_SIMD_SUPPORT'));
}

/**
 * @param {string} directory URL or path of the folder of tfjs-backend-wasm-simd.wasm, with its /
 */
export async function use(directory) {
  if (!(await isAvailable())) throw new Error('WebAssembly with SIMD is needed');
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  setWasmPaths(directory);
  if (!(await setBackend('wasm'))) throw new Error('the WebAssembly backend does not start');
  await ready();
}
