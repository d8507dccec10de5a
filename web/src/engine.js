/**
 * The page's side of the worker, and what to do when a backend fails.
 *
 * In: a model card and a wish for a backend. Out: answers of the worker's calls. A graphics backend
 * that fails is replaced by WebAssembly, and the call is made again; a change of backend makes the
 * calls under way again on the new one. Never shows anything: it tells a listener.
 *
 * @typedef {import('./backends.js').Name} Name
 * @typedef {import('./backends.js').Backend} Backend
 * @typedef {import('./worker.js').Calls} Calls
 * @typedef {{
 *   loading: (numBytes: number) => void,
 *   ready: (state: {backend: Name, tfjs: string, isKept: boolean}) => void,
 *   fellBack: (from: Name, reason: string) => void,
 *   failed: (reason: string) => void,
 * }} Listener
 */

import {messageOf} from './errors.js';

class Replaced extends Error {}

/**
 * One worker: calls go in, answers come out.
 * @param {(numBytes: number) => void} onProgress
 */
function open(onProgress) {
  const worker = new Worker(new URL('worker.js', import.meta.url), {type: 'module'});
  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
  const waiting = new Map();
  /** @param {Error} error */
  const endAll = (error) => {
    for (const {reject} of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.onmessage = ({data: {id, value, error, progress}}) => {
    if (progress) return onProgress(progress.numBytes);
    const {resolve, reject} = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error === undefined) resolve?.(value);
    else reject?.(new Error(error));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    endAll(new Error(event.message || 'the worker could not be loaded'));
  };
  let numCalls = 0;
  return {
    /**
     * @template {keyof Calls} Call
     * @param {Call} name
     * @param {Parameters<Calls[Call]>[0]} [args]
     * @returns {Promise<Awaited<ReturnType<Calls[Call]>>>}
     */
    call: (name, args) =>
      new Promise((resolve, reject) => {
        waiting.set(++numCalls, {resolve, reject});
        worker.postMessage({id: numCalls, name, args});
      }),
    close() {
      worker.terminate();
      endAll(new Replaced());
    },
  };
}

/**
 * @typedef {{
 *   model: {url: string, digest: string, alignment: import('./align.js').Alignment},
 *   listener: Listener, worker: ReturnType<typeof open> | null, backend: Name,
 *   started: Promise<void> | null,
 * }} Engine `started` is fulfilled once the worker is ready for calls; null before `use`
 */

/**
 * @param {Engine['model']} model
 * @param {Listener} listener
 * @param {Name} backend the one to begin with
 * @returns {Engine} not started: `use` does that
 */
export function createEngine(model, listener, backend) {
  return {model, listener, worker: null, backend, started: null};
}

/**
 * Compute on this backend from now on; calls under way are made again on it.
 * @param {Engine} engine
 * @param {Name} name
 */
export function use(engine, name) {
  engine.started = start(engine, name);
  engine.started.catch(() => {}); // the listener was told; calls see it when they wait
}

/**
 * Call the worker, whatever backend it takes.
 * @template {keyof Calls} Call
 * @param {Engine} engine
 * @param {Call} name
 * @param {Parameters<Calls[Call]>[0]} args
 * @returns {Promise<Awaited<ReturnType<Calls[Call]>>>}
 */
export async function call(engine, name, args) {
  for (;;) {
    const {started} = engine;
    await started;
    if (started !== engine.started) continue;
    const {backend, worker} = engine;
    if (!worker) throw new Error('no backend was started');
    try {
      return await worker.call(name, args);
    } catch (error) {
      if (error instanceof Replaced || started !== engine.started) continue;
      if (backend === 'wasm') throw error;
      engine.listener.fellBack(backend, messageOf(error));
      use(engine, 'wasm');
    }
  }
}

/**
 * Start; where a graphics backend fails, start WebAssembly instead.
 * @param {Engine} engine
 * @param {Name} name
 * @returns {Promise<void>}
 */
async function start(engine, name) {
  try {
    await startOn(engine, name);
  } catch (error) {
    if (error instanceof Replaced) return;
    if (name === 'wasm') {
      engine.listener.failed(messageOf(error));
      throw error;
    }
    engine.listener.fellBack(name, messageOf(error));
    await start(engine, 'wasm');
  }
}

/** @param {Engine} engine @param {Name} name */
async function startOn(engine, name) {
  engine.worker?.close();
  engine.backend = name;
  const worker = open((numBytes) => worker === engine.worker && engine.listener.loading(numBytes));
  engine.worker = worker;
  const {tfjs} = await worker.call('start', {name});
  const {isKept} = await worker.call('loadModel', engine.model);
  engine.listener.ready({backend: name, tfjs, isKept});
}

/** @returns {Promise<Backend[]>} the one to prefer first */
export async function backendsHere() {
  const worker = open(() => {});
  try {
    return await worker.call('backends');
  } finally {
    worker.close();
  }
}
