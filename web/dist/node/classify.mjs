import {createRequire as __createRequire} from 'node:module';
import {dirname as __dirnameOf} from 'node:path';
import {fileURLToPath as __pathOf} from 'node:url';
const require = __createRequire(import.meta.url);
const __filename = __pathOf(import.meta.url), __dirname = __dirnameOf(__filename);
import{b as a,f as i,g as m,h as c,i as f,j as l,k as p}from"./shared-4L7XSROA.mjs";import{readFileSync as d}from"node:fs";import{join as u}from"node:path";import{fileURLToPath as y}from"node:url";async function w(t){let e=JSON.parse(d(u(t,"model.json"),"utf8")),r=m(e).map(n=>{let s=d(u(t,n));return s.buffer.slice(s.byteOffset,s.byteOffset+s.byteLength)});return c(e,r)}async function h([t,e,...r]){if(!e||r.length)throw new Error("usage: node classify.mjs MODEL_DIR IMAGES_FILE");await p(y(new URL("../",import.meta.url)));let n=await w(t),s=[];for(let o of l(e))s.push(await f(n,o));let g={backend:a(),tfjs:i,p_male:s.map(({pMale:o})=>o),seconds:s.map(({seconds:o})=>o)};process.stdout.write(JSON.stringify(g)+`
`)}h(process.argv.slice(2)).catch(t=>{process.stderr.write(`classify.mjs: ${String(t.message??t).replaceAll(`
`," ")}
`),process.exitCode=1});
