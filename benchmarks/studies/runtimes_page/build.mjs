/**
 * Build the study's page: `node build.mjs`, in a folder with these files, node_modules and src/ of
 * the page. Writes site/.
 */

import {copyFileSync, mkdirSync, readFileSync} from 'node:fs';

import {build} from 'esbuild';

const SITE = 'site';
/** What each runtime loads by itself, by its folder in the site. */
const FILES = {
  tfjs: {
    from: 'node_modules/@tensorflow/tfjs-backend-wasm/dist',
    names: ['tfjs-backend-wasm-simd.wasm', 'tfjs-backend-wasm-threaded-simd.wasm'],
  },
  litert: {
    from: 'node_modules/@litertjs/core/wasm',
    names: ['', 'compat_', 'threaded_'].flatMap((kind) =>
      ['js', 'wasm'].map((end) => `litert_wasm_${kind}internal.${end}`),
    ),
  },
  onnxruntime: {
    from: 'node_modules/onnxruntime-web/dist',
    names: ['ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'],
  },
};
const {version} = JSON.parse(readFileSync('node_modules/@litertjs/core/package.json', 'utf8'));

const COMMON = /** @satisfies {import('esbuild').BuildOptions} */ ({
  bundle: true,
  minify: true,
  target: 'es2022',
  outdir: SITE,
  logLevel: 'warning',
  mainFields: ['browser', 'module', 'main'],
  conditions: ['onnxruntime-web-use-extern-wasm'],
  define: {LITERT_VERSION: JSON.stringify(version)},
});
await build({...COMMON, format: 'esm', entryPoints: ['page.js']});
await build({
  ...COMMON,
  format: 'esm',
  entryPoints: ['tfjs.js', 'onnxruntime.js'],
  outExtension: {'.js': '.mjs'},
});
await build({...COMMON, format: 'iife', entryPoints: ['litert.js']});

copyFileSync('index.html', `${SITE}/index.html`);
for (const [folder, {from, names}] of Object.entries(FILES)) {
  mkdirSync(`${SITE}/${folder}`, {recursive: true});
  for (const name of names) copyFileSync(`${from}/${name}`, `${SITE}/${folder}/${name}`);
}
