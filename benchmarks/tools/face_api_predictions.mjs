/**
 * Classify images with the age and gender network of npm's face-api, in Node.
 *
 *     node face_api_predictions.mjs PACKAGE WASM < IMAGES
 *
 * PACKAGE: folder of the package; WASM: folder with TensorFlow.js' WebAssembly file of the package's
 * version. IMAGES: records of uint32 height and width (little endian) and height x width x 3 bytes
 * of RGB. Writes one line of JSON: for each image the probability of male. face-api itself pads each
 * image to a square, resizes it to 112 px and subtracts its means.
 */

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const BATCH = 32;
const MODEL = 'age_gender_model';

/** Import the package's bundle for browsers: the one for Node needs packages with native code. */
async function imported(folder) {
  globalThis.window = {document: {}};
  const faceApi = await import(pathToFileURL(join(folder, 'dist', 'face-api.esm.js')).href);
  delete globalThis.window;
  return faceApi;
}

/** Start the WebAssembly backend on one thread. */
async function start(tf, wasm) {
  tf.env().set('WASM_HAS_SIMD_SUPPORT', true);
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  // Its WebAssembly code looks for Node's modules, which the bundle lacks, unless it may use fetch.
  globalThis.__dirname = wasm;
  tf.env().platform.fetch = async (path) => new Response(readFileSync(path));
  tf.setWasmPaths(join(wasm, '/'), true);
  if (!(await tf.setBackend('wasm'))) throw new Error('the WebAssembly backend does not start');
  await tf.ready();
}

/** The network with its weights. */
function network(faceApi, folder) {
  const manifest = JSON.parse(readFileSync(join(folder, 'model', `${MODEL}-weights_manifest.json`), 'utf8'));
  const {buffer} = new Uint8Array(readFileSync(join(folder, 'model', `${MODEL}.bin`)));
  const net = faceApi.nets.ageGenderNet;
  net.loadFromWeightMap(faceApi.tf.io.decodeWeights(buffer, manifest[0].weights));
  return net;
}

/** One int32 tensor (height, width, 3) after the other. */
function* images(tf, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const shape = [view.getUint32(at, true), view.getUint32(at + 4, true), 3];
    const end = at + 8 + shape[0] * shape[1] * 3;
    yield tf.tensor3d(bytes.subarray(at + 8, end), shape, 'int32');
    at = end;
  }
}

/** The probability of male of a batch of images. */
function classify({NetInput, tf}, net, batch) {
  const answer = net.forwardInput(new NetInput(batch, true));
  const probabilities = answer.gender.arraySync().map(([male]) => male);
  tf.dispose([answer.age, answer.gender, ...batch]);
  return probabilities;
}

const [folder, wasm] = process.argv.slice(2);
const faceApi = await imported(folder);
await start(faceApi.tf, wasm);
const net = network(faceApi, folder);
const results = [];
let batch = [];
for (const image of images(faceApi.tf, readFileSync(0))) {
  batch.push(image);
  if (batch.length === BATCH) {
    results.push(...classify(faceApi, net, batch));
    batch = [];
  }
}
if (batch.length) results.push(...classify(faceApi, net, batch));
process.stdout.write(`${JSON.stringify(results)}\n`);
