/**
 * Classify images with an exported model in Node: `node classify.mjs MODEL_DIR IMAGES_FILE`.
 *
 * In: a folder with model.json and its weights; images as node_images.js reads them. Out: one line
 * of JSON on stdout. Runs the page's model code on the page's WebAssembly backend, which is what
 * proves an export. Never writes a file; what goes wrong is one line on stderr and exit code 1.
 */

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

import {getBackend} from '@tensorflow/tfjs-core';

import {messageOf} from './errors.js';
import {TFJS_VERSION, classify, load, weightPaths} from './model.js';
import {images} from './node_images.js';
import {use} from './wasm.js';

/** @param {string} directory */
async function loadFrom(directory) {
  const modelJson = JSON.parse(readFileSync(join(directory, 'model.json'), 'utf8'));
  const files = weightPaths(modelJson).map((path) => {
    const bytes = readFileSync(join(directory, path));
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  });
  return load(modelJson, files);
}

/** @param {string[]} args */
async function main([directory, imagesFile, ...rest]) {
  if (!imagesFile || rest.length) throw new Error('usage: node classify.mjs MODEL_DIR IMAGES_FILE');
  await use(fileURLToPath(new URL('../', import.meta.url)));
  const model = await loadFrom(directory);
  const results = [];
  for (const image of images(imagesFile)) results.push(await classify(model, image));
  const line = {
    backend: getBackend(),
    tfjs: TFJS_VERSION,
    p_male: results.map(({pMale}) => pMale),
    seconds: results.map(({seconds}) => seconds),
  };
  process.stdout.write(JSON.stringify(line) + '\n');
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`classify.mjs: ${messageOf(error).replaceAll('\n', ' ')}\n`);
  process.exitCode = 1;
});
