/** onnxruntime-web, its WebAssembly build without graphics cards. */

import * as ort from 'onnxruntime-web/wasm';

import {bytesOf, serve} from './worker.js';

serve(async (model, numThreads) => {
  ort.env.wasm.wasmPaths = new URL('onnxruntime/', self.location.href).href;
  ort.env.wasm.numThreads = numThreads;
  const network = await ort.InferenceSession.create(new Uint8Array(await bytesOf(model)), {
    executionProviders: ['wasm'],
    // A spinning thread would slow down the runtime that is timed next.
    extra: {session: {intra_op: {allow_spinning: '0'}}},
  });
  const [input] = network.inputNames;
  const [output] = network.outputNames;
  return {
    version: ort.env.versions.web,
    async classify({data, width, height}) {
      const pixels = new ort.Tensor('uint8', data, [1, height, width, 3]);
      const {[output]: result} = await network.run({[input]: pixels});
      const [pMale] = result.data;
      pixels.dispose();
      result.dispose();
      return pMale;
    },
  };
});
