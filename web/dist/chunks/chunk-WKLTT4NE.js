function t(r){let o=r[0];if(r.length!==1||!(o>=0&&o<=1))throw new Error(`the model gave ${Array.from(r).slice(0,3)}, not one probability`);return o}export{t as a};
