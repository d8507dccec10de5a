/**
 * The page's side of the worker, and what to do when a backend fails.
 *
 * In: a model card and a wish for a backend. Out: answers of the worker's calls. A graphics backend
 * that fails is replaced by WebAssembly, and the call is made again; a change of backend makes the
 * calls under way again on the new one. Never shows anything: it tells a listener.
 *
 * @typedef {import('./backends.js').Name} Name
 * @typedef {import('./backends.js').Backend} Backend
 * @typedef {{
 *   loading: (numBytes: number) => void,
 *   ready: (state: {backend: Name, tfjs: string, isKept: boolean}) => void,
 *   fellBack: (from: Name, reason: string) => void,
 *   failed: (reason: string) => void,
 * }} Listener
 */

class Replaced extends Error {}

/** One worker: calls go in, answers come out. */
function open(onProgress) {
  const worker = new Worker(new URL('worker.js', import.meta.url), {type: 'module'});
  const waiting = new Map();
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
    call: (name, args = {}) =>
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
 * @param {{url: string, digest: string, alignment: import('./align.js').Alignment}} model
 * @param {Listener} listener
 */
export function createEngine(model, listener) {
  let worker = null;
  let backend = null;
  let started = null; // a promise: resolved once the worker is ready for calls

  async function startOn(name) {
    worker?.close();
    backend = name;
    const mine = open((numBytes) => mine === worker && listener.loading(numBytes));
    worker = mine;
    const {tfjs} = await mine.call('start', {name});
    const {isKept} = await mine.call('loadModel', model);
    listener.ready({backend: name, tfjs, isKept});
  }

  /** Start; on failure of a graphics backend start WebAssembly instead. */
  async function start(name) {
    try {
      await startOn(name);
    } catch (error) {
      if (error instanceof Replaced) return;
      if (name === 'wasm') {
        listener.failed(error.message);
        throw error;
      }
      listener.fellBack(name, error.message);
      await start('wasm');
    }
  }

  function use(name) {
    started = start(name);
    started.catch(() => {}); // the listener was told; calls see it when they wait
    return started;
  }

  async function call(name, args) {
    for (;;) {
      const current = started;
      await current;
      if (current !== started) continue;
      const usedBackend = backend;
      try {
        return await worker.call(name, args);
      } catch (error) {
        if (error instanceof Replaced || current !== started) continue;
        if (usedBackend === 'wasm') throw error;
        listener.fellBack(usedBackend, error.message);
        use('wasm');
      }
    }
  }

  return {use, call, backend: () => backend};
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
