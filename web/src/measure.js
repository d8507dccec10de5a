/**
 * How long one image takes on this device.
 *
 * In: a number of calls. Out: every time that was measured, and percentiles. The picture is noise
 * of an aligned picture's size: a network takes as long for one picture as for another. Never
 * counts the warm-up.
 *
 * @typedef {{
 *   backend: import('./backends.js').Name, num_threads: number, num_calls: number,
 *   warmup_ms: number[], raw_ms: number[], p50_ms: number, p95_ms: number,
 * }} Measurement
 */

import {call} from './engine.js';

const NUM_WARMUPS = 3;

/**
 * @param {import('./engine.js').Engine} engine
 * @param {import('./align.js').Alignment} alignment
 * @param {number} numCalls
 * @param {(numDone: number) => void} report
 * @returns {Promise<Measurement>}
 */
export async function measure(engine, {width, height}, numCalls, report) {
  const pixels = {data: noise(width * height * 3), width, height};
  const times = [];
  for (let i = 0; i < NUM_WARMUPS + numCalls; i++) {
    const {seconds} = await call(engine, 'classify', {pixels});
    times.push(seconds * 1000);
    report(Math.max(0, i + 1 - NUM_WARMUPS));
  }
  const raw = times.slice(NUM_WARMUPS);
  return {
    backend: engine.backend,
    num_threads: engine.numThreads,
    num_calls: numCalls,
    warmup_ms: times.slice(0, NUM_WARMUPS),
    raw_ms: raw,
    p50_ms: percentile(raw, 0.5),
    p95_ms: percentile(raw, 0.95),
  };
}

/**
 * Bytes that are always the same, 0..255.
 * @param {number} length
 */
function noise(length) {
  const bytes = new Uint8Array(length);
  for (let i = 0, state = 1; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/**
 * Linear between the two nearest, as numpy has it.
 * @param {number[]} values
 * @param {number} share 0..1
 */
function percentile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}
