/**
 * Load each runtime into a worker of its own, and time their calls in turn; driven by
 * page_runtimes.py through `globalThis.study`.
 *
 * @typedef {{data: Uint8Array, width: number, height: number}} Picture RGB
 * @typedef {{call: (name: string, args: any) => Promise<any>}} Contender
 */

/** Idle time before a call, so that the threads of the one before have stopped spinning. */
const PAUSE_MS = 20;

/** @type {Contender[]} */
const contenders = [];
/** @type {Picture[]} */
const pictures = [];

/**
 * @param {string} script
 * @returns {Contender}
 */
function start(script) {
  const worker = new Worker(script, {type: script.endsWith('.mjs') ? 'module' : 'classic'});
  /** @type {{resolve: (value: any) => void, reject: (error: Error) => void}} */
  let waiting;
  worker.onmessage = ({data: {value, error}}) => {
    if (error === undefined) waiting.resolve(value);
    else waiting.reject(new Error(error));
  };
  worker.onerror = (event) => waiting.reject(new Error(event.message || `${script}: not loaded`));
  return {
    call: (name, args) =>
      new Promise((resolve, reject) => {
        waiting = {resolve, reject};
        worker.postMessage({name, args});
      }),
  };
}

globalThis.study = {
  isIsolated: crossOriginIsolated,

  /** @param {{data: number[], width: number, height: number}[]} given RGB */
  setPictures(given) {
    for (const {data, ...size} of given) pictures.push({data: Uint8Array.from(data), ...size});
  },

  /**
   * From nothing to the first answer.
   * @param {{script: string, model: string, numThreads: number}} options
   */
  async open({script, model, numThreads}) {
    const begun = performance.now();
    const contender = start(script);
    const version = await contender.call('open', {model, numThreads});
    await contender.call('classify', pictures[0]);
    const ms = performance.now() - begun;
    contenders.push(contender);
    return {version, ms};
  },

  /** p_male of every picture, by the contender opened last */
  async answers() {
    const values = [];
    for (const picture of pictures) {
      values.push((await contenders.at(-1).call('classify', picture)).pMale);
    }
    return values;
  },

  /**
   * @param {number[][]} orders of the contenders, gone through round by round
   * @param {number} numRounds each is one call of each contender, on the same picture
   * @returns {Promise<number[][]>} ms of each contender, round by round
   */
  async time(orders, numRounds) {
    /** @type {number[][]} */
    const times = contenders.map(() => []);
    for (let round = 0; round < numRounds; round++) {
      for (const place of orders[round % orders.length]) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        const {ms} = await contenders[place].call('classify', pictures[round % pictures.length]);
        times[place].push(ms);
      }
    }
    return times;
  },
};
