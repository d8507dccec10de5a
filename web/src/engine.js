/**
 * The page's side of the worker, and what to do when a backend fails.
 *
 * In: a model card and a wish for a backend. Out: answers of the worker's calls. A graphics backend
 * that fails is replaced by WebAssembly, and LiteRT.js, also if it does not agree with Keras, by
 * TensorFlow.js; the call is then made again. A change of backend makes the calls under way again on
 * the new one. Never shows anything: it tells a listener.
 *
 * @typedef {import('./backends.js').Name} Name
 * @typedef {import('./backends.js').Backend} Backend
 * @typedef {import('./worker.js').Calls} Calls
 * @typedef {{
 *   loading: (numBytes: number, backend: Name) => void,
 *   ready: (backend: Name, loaded: import('./worker.js').Loaded) => void,
 *   fellBack: (from: Name, to: Name, reason: string) => void,
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
  let isClosed = false;
  return {
    /**
     * @template {keyof Calls} Call
     * @param {Call} name
     * @param {Parameters<Calls[Call]>[0]} [args]
     * @returns {Promise<Awaited<ReturnType<Calls[Call]>>>}
     */
    call: (name, args) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(new Replaced()); // it would never answer
        waiting.set(++numCalls, {resolve, reject});
        worker.postMessage({id: numCalls, name, args});
      }),
    close() {
      isClosed = true;
      worker.terminate();
      endAll(new Replaced());
    },
  };
}

/**
 * @typedef {{
 *   model: import('./worker.js').Model,
 *   verify: (classify: import('./golden.js').Classify) => Promise<void>,
 *   listener: Listener, worker: ReturnType<typeof open> | null, backend: Name, numThreads: number,
 *   started: Promise<void> | null,
 * }} Engine `verify` fails if what LiteRT.js computes is wrong; `started` is fulfilled once the
 *   worker is ready for calls, and null before `use`
 */

/**
 * @param {Engine['model']} model
 * @param {Engine['verify']} verify
 * @param {Listener} listener
 * @param {Name} backend the one to begin with
 * @returns {Engine} not started: `use` does that
 */
export function createEngine(model, verify, listener, backend) {
  return {model, verify, listener, worker: null, backend, numThreads: 1, started: null};
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
      const other = insteadOf(engine, backend);
      if (!other) throw error;
      engine.listener.fellBack(backend, other, messageOf(error));
      use(engine, other);
    }
  }
}

/**
 * What computes when a backend fails; nothing else if it is the last.
 * @param {Engine} engine
 * @param {Name} name
 * @returns {Name | null}
 */
function insteadOf({model}, name) {
  if (name === 'wasm') return null;
  return model.liteRt && name !== 'litert' ? 'litert' : 'wasm';
}

/**
 * Start; where this backend fails, start another one instead.
 * @param {Engine} engine
 * @param {Name} name
 * @returns {Promise<void>}
 */
async function start(engine, name) {
  try {
    await startOn(engine, name);
  } catch (error) {
    if (error instanceof Replaced) return;
    const other = insteadOf(engine, name);
    if (!other) {
      engine.listener.failed(messageOf(error));
      throw error;
    }
    engine.listener.fellBack(name, other, messageOf(error));
    await start(engine, other);
  }
}

/** @param {Engine} engine @param {Name} name */
async function startOn(engine, name) {
  engine.worker?.close();
  engine.backend = name;
  const {listener, model} = engine;
  const worker = open((numBytes) => worker === engine.worker && listener.loading(numBytes, name));
  engine.worker = worker;
  await worker.call('start', {name});
  const loaded = await worker.call(name === 'litert' ? 'loadLiteRt' : 'loadModel', model);
  try {
    if (name === 'litert') await engine.verify((pixels) => worker.call('classify', {pixels}));
  } finally {
    if (worker !== engine.worker) throw new Replaced(); // whatever the check of the former says
  }
  engine.numThreads = loaded.numThreads;
  listener.ready(name, loaded);
}

/**
 * @param {boolean} hasLiteRt whether there is a model for LiteRT.js
 * @returns {Promise<Backend[]>} the one to prefer first
 */
export async function backendsHere(hasLiteRt) {
  const worker = open(() => {});
  try {
    return await worker.call('backends', {hasLiteRt});
  } finally {
    worker.close();
  }
}
