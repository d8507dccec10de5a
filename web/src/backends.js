/**
 * The ways in which this device can compute: WebGPU, WebGL, and WebAssembly with LiteRT.js or with
 * TensorFlow.js ('wasm'), which also computes on graphics cards.
 *
 * In: the browser (inside a worker). Out: which backends there are, and one of them, set. Software
 * that poses as a graphics card is listed, but never chosen: it takes seconds for an image.
 *
 * @typedef {'webgpu' | 'webgl' | 'litert' | 'wasm'} Name
 * @typedef {{name: Name, isAvailable: boolean, isSoftware: boolean}} Backend
 */

import {env, ready, setBackend} from '@tensorflow/tfjs-core';

import * as wasm from './wasm.js';

/**
 * A function that returns `i8x16.relaxed_swizzle` of two vectors. LiteRT.js' builds need relaxed
 * SIMD; the one that does without it takes a third longer.
 */
const RELAXED_SIMD = new Uint8Array([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1],
  ...[253, 15, 65, 2, 253, 15, 253, 128, 2, 11],
]);

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render|warp/i;

/**
 * @param {{hasLiteRt: boolean}} offered whether there is a model for LiteRT.js
 * @returns {Promise<Backend[]>} the one to prefer first
 */
export async function list({hasLiteRt}) {
  const [webgpu, hasWasm] = await Promise.all([webgpuKind(), wasm.isAvailable()]);
  const webgl = webglKind();
  return [
    {name: 'webgpu', isAvailable: webgpu !== null, isSoftware: webgpu === 'software'},
    {name: 'webgl', isAvailable: webgl !== null, isSoftware: webgl === 'software'},
    ...(hasLiteRt ? [liteRt(hasWasm)] : []),
    {name: 'wasm', isAvailable: hasWasm, isSoftware: false},
  ];
}

/**
 * Make TensorFlow.js compute with this; where LiteRT.js classifies, it still finds the faces.
 * @param {Name} name
 * @param {string} dist URL of the folder of the .wasm file
 */
export async function use(name, dist) {
  if (name === 'wasm' || name === 'litert') return wasm.use(dist);
  await STARTS[name]();
  if (!(await setBackend(name))) throw new Error('it does not start');
  await ready();
}

const STARTS = {
  async webgl() {
    await import('@tensorflow/tfjs-backend-webgl');
    env().set('SOFTWARE_WEBGL_ENABLED', true); // who asks for it by name gets it
  },
  async webgpu() {
    await import('@tensorflow/tfjs-backend-webgpu');
  },
};

/** @param {boolean} hasWasm with SIMD @returns {Backend} */
function liteRt(hasWasm) {
  const isAvailable = hasWasm && WebAssembly.validate(RELAXED_SIMD);
  return {name: 'litert', isAvailable, isSoftware: false};
}

/** @returns {'hardware' | 'software' | null} */
function webglKind() {
  if (typeof OffscreenCanvas === 'undefined') return null;
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl) return null;
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return SOFTWARE.test(renderer) ? 'software' : 'hardware';
}

/** @returns {Promise<'hardware' | 'software' | null>} */
async function webgpuKind() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) return null;
  const info = adapter.info ?? {};
  const isFallback = info.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  const words = [info.vendor, info.architecture, info.device, info.description].join(' ');
  return isFallback || SOFTWARE.test(words) ? 'software' : 'hardware';
}
