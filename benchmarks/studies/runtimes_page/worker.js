/**
 * A runtime's side of its worker: messages {name, args} in, {value} or {error} out.
 *
 * @typedef {import('./page.js').Picture} Picture
 * @typedef {(picture: Picture) => Promise<number>} Classify uint8 RGB to p_male, 0..1
 * @typedef {(model: string, numThreads: number) => Promise<{version: string, classify: Classify}>}
 *   Open `model`: URL of the file or of the folder
 */

/** @param {Open} open */
export function serve(open) {
  /** @type {Classify} */
  let classify;
  const calls = {
    async open({model, numThreads}) {
      const opened = await open(model, numThreads);
      classify = opened.classify;
      return opened.version;
    },
    async classify(/** @type {Picture} */ picture) {
      const start = performance.now();
      const pMale = await classify(picture);
      return {pMale, ms: performance.now() - start};
    },
  };
  addEventListener('message', async ({data: {name, args}}) => {
    try {
      postMessage({value: await calls[name](args)});
    } catch (error) {
      postMessage({error: String(error?.stack ?? error)});
    }
  });
}

/** @param {string} url */
export async function bytesOf(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.arrayBuffer();
}
