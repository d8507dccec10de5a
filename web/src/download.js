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
 * The bytes of a file of which the card has the digest.
 * @param {string} url
 * @param {string} digest SHA-256, in hex
 * @param {Cache | null} cache
 * @param {(numBytes: number) => void} received called for each piece that came
 */
export async function verifiedBytesOf(url, digest, cache, received) {
  const address = `${url}?sha256=${digest}`; // so that the cache holds no older file for this one
  const file = await bytesOf(address, cache, received);
  if (!(await hasDigest(file.bytes, digest))) {
    await cache?.delete(address);
    throw new Error(`${new URL(url).pathname}: damaged, its SHA-256 is not the model card's`);
  }
  return file;
}

/** @param {ArrayBuffer} bytes @param {string} digest */
async function hasDigest(bytes, digest) {
  if (!crypto.subtle) return true; // only https and localhost have it
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return digest === [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
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
