/**
 * Find faces in Node with the page's detector: `node points.mjs IMAGES_FILE`.
 *
 * In: images as node_images.js reads them. Out: one line of JSON on stdout: for each image its
 * faces, from left to right, with score and points in pixels. It measures where CelebA's alignment
 * has the points of a face (benchmarks/tools/alignment.py). Never writes a file.
 */

import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';

import {findFaces} from './detector.js';
import {messageOf} from './errors.js';
import {load, weightPaths} from './model.js';
import {images} from './node_images.js';
import {pyramid} from './resample.js';
import {use} from './wasm.js';

/** @param {string[]} args */
async function main([imagesFile]) {
  const dist = new URL('../', import.meta.url);
  await use(fileURLToPath(dist));
  const modelJson = JSON.parse(readFileSync(new URL('detector/blazeface.json', dist), 'utf8'));
  const files = weightPaths(modelJson).map((path) => {
    const bytes = readFileSync(new URL(`detector/${path}`, dist));
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  });
  const model = await load(modelJson, files);
  const found = [];
  for (const image of images(imagesFile)) {
    found.push((await findFaces(model, pyramid(rgba(image)))).faces);
  }
  process.stdout.write(JSON.stringify(found) + '\n');
}

/** @param {import('./resample.js').Rgb} image */
function rgba({data, width, height}) {
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    pixels.set(data.subarray(from, from + 3), to);
  }
  return {data: pixels, width, height};
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`points.mjs: ${messageOf(error).replaceAll('\n', ' ')}\n`);
  process.exitCode = 1;
});
