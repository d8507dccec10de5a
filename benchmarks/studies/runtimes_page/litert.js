/**
 * LiteRT.js. It loads its own code with importScripts, which module workers do not have: a classic
 * script.
 */

import {Tensor, loadAndCompile, loadLiteRt} from '@litertjs/core';

import {bytesOf, serve} from './worker.js';

const FOLDER = new URL('litert/', self.location.href).href;

serve(async (model, numThreads) => {
  // Otherwise it looks for its files beside this script, and starts its threads with this script.
  self.Module = {
    locateFile: (name) => FOLDER + name,
    mainScriptUrlOrBlob: `${FOLDER}litert_wasm_threaded_internal.js`,
  };
  await loadLiteRt(FOLDER, {threads: numThreads > 1});
  const network = await loadAndCompile(new Uint8Array(await bytesOf(model)), {
    accelerator: 'wasm',
    cpuOptions: {numThreads},
  });
  return {
    version: LITERT_VERSION,
    async classify({data, width, height}) {
      const pixels = new Tensor(data, [1, height, width, 3]);
      const [output] = await network.run(pixels);
      const [pMale] = output.toTypedArray();
      pixels.delete();
      output.delete();
      return pMale;
    },
  };
});
