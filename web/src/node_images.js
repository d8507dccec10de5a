/**
 * Read the images that Python hands to Node.
 *
 * In: a file of records, one after the other: uint32 height, uint32 width (little endian), then
 * height x width x 3 bytes of RGB. Out: one picture at a time. Never holds more than one in memory.
 */

import {closeSync, openSync, readSync} from 'node:fs';

/**
 * @param {string} path
 * @returns {Generator<import('./resample.js').Rgb>}
 */
export function* images(path) {
  const file = openSync(path, 'r');
  try {
    for (let number = 1; ; number++) {
      const head = new Uint8Array(8);
      const numRead = fill(file, head);
      if (numRead === 0) return;
      const view = new DataView(head.buffer);
      const [height, width] = [view.getUint32(0, true), view.getUint32(4, true)];
      const numBytes = height * width * 3;
      if (numRead < 8 || !(numBytes > 0 && numBytes < 2 ** 31)) {
        throw new Error(`${path}: record ${number} is no image`);
      }
      const data = new Uint8Array(numBytes);
      if (fill(file, data) < numBytes) throw new Error(`${path}: record ${number} is cut short`);
      yield {data, width, height};
    }
  } finally {
    closeSync(file);
  }
}

/**
 * Read until the array is full or the file ends; the number of bytes read.
 * @param {number} file its descriptor
 * @param {Uint8Array} bytes
 */
function fill(file, bytes) {
  let done = 0;
  while (done < bytes.length) {
    const num = readSync(file, bytes, done, bytes.length - done, null);
    if (num === 0) break;
    done += num;
  }
  return done;
}
