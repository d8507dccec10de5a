/**
 * The model's files: from the browser's cache where they are, else over the network.
 *
 * In: addresses and the digest of the model. Out: bytes, and progress on the way. The browser keeps
 * the files under the digest; those of other models are deleted. A browser that keeps nothing (a
 * private window, no room) costs a download a visit and nothing else. Never asks another host.
 */

const CACHE_PREFIX = 'gfr-model-';

/**
 * @param {string} digest of the model's files
 * @returns {Promise<Cache | null>}
 */
export async function openCache(digest) {
  try {
    const cache = await caches.open(CACHE_PREFIX + digest);
    for (const name of await caches.keys()) {
      if (name.startsWith(CACHE_PREFIX) && name !== CACHE_PREFIX + digest)
        await caches.delete(name);
    }
    return cache;
  } catch {
    return null;
  }
}

/**
 * One file's bytes.
 * @param {string} url
 * @param {Cache | null} cache
 * @param {(numBytes: number) => void} received called for each piece that came
 * @returns {Promise<{bytes: ArrayBuffer, isKept: boolean}>} whether the next visit finds it here
 */
export async function bytesOf(url, cache, received) {
  const kept = await cache?.match(url).catch(() => null);
  const response = kept ?? (await fetch(url));
  if (!response.ok) throw new Error(`${new URL(url).pathname}: the server says ${response.status}`);
  const bytes = await read(response, received);
  return {bytes, isKept: Boolean(kept) || (await keep(cache, url, bytes))};
}

/**
 * @param {Response} response
 * @param {(numBytes: number) => void} received
 * @returns {Promise<ArrayBuffer>}
 */
async function read(response, received) {
  if (!response.body) return new ArrayBuffer(0);
  const pieces = [];
  for (const reader = response.body.getReader(); ; ) {
    const {done, value} = await reader.read();
    if (done) break;
    pieces.push(value);
    received(value.length);
  }
  return new Blob(pieces).arrayBuffer();
}

/**
 * @param {Cache | null} cache
 * @param {string} url
 * @param {ArrayBuffer} bytes
 * @returns {Promise<boolean>} whether the browser took it
 */
async function keep(cache, url, bytes) {
  if (!cache) return false;
  try {
    await cache.put(url, new Response(bytes));
    return true;
  } catch {
    return false;
  }
}
