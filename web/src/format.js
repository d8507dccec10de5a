/**
 * Numbers as people read them.
 *
 * In: numbers in SI units and fractions. Out: short texts. Never rounds what a test reads: that is
 * in data attributes.
 */

/**
 * @param {number} share 0..1
 * @param {number} numDigits after the point
 */
export function percent(share, numDigits = 0) {
  return `${(share * 100).toFixed(numDigits)} %`;
}

/**
 * Never "100 %" of a probability that is not 1.
 * @param {number} share 0..1
 */
export function likelihood(share) {
  const rounded = Math.round(share * 100);
  if (rounded === 100 && share < 1) return '> 99 %';
  if (rounded === 0 && share > 0) return '< 1 %';
  return `${rounded} %`;
}

/** @param {number} numBytes */
export function megabytes(numBytes) {
  return (numBytes / 1e6).toFixed(numBytes < 1e7 ? 1 : 0);
}

/** @param {number} seconds */
export function duration(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

/** @param {number} difference of probabilities */
export function tiny(difference) {
  return difference === 0 ? '0' : difference.toExponential(1);
}

/**
 * @param {number} num
 * @param {string} one the singular
 * @param {string} many the plural
 */
export function counted(num, one, many) {
  return `${num.toLocaleString('en')} ${num === 1 ? one : many}`;
}

export const BACKEND_NAMES = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  litert: 'LiteRT.js',
  wasm: 'WebAssembly',
};

/**
 * What computes, such as "LiteRT.js, 2 threads".
 * @param {{backend: import('./backends.js').Name, numThreads: number}} computer
 */
export function computerName({backend, numThreads}) {
  const threads = backend === 'litert' ? `, ${counted(numThreads, 'thread', 'threads')}` : '';
  return BACKEND_NAMES[backend] + threads;
}
