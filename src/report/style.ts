/** The style sheet of the reports: one column, quiet rules, colour for data only; light and dark; prints well. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#fbfaf7;--raised:#fff;--ink:#1c2024;--soft:#5c636b;--rule:#dcd9d1;--grid:#ebe8e1;
--s0:#7b8088;--s1:#b86e00;--s2:#00756f;--s3:#3b5ba9;--s4:#a2356f;--s5:#587a1f;--good:#00756f;--bad:#b3261e;--warn:#b86e00;--on:#fff;--wash:#00756f14}
@media (prefers-color-scheme:dark){:root{--paper:#14171a;--raised:#1b1f23;--ink:#e9e7e2;--soft:#9ea5ac;--rule:#343a40;--grid:#272c31;
--s0:#949aa2;--s1:#e6a23c;--s2:#45c4b8;--s3:#8aa8f0;--s4:#e583b4;--s5:#a8cc62;--good:#45c4b8;--bad:#ff8a80;--warn:#e6a23c;--on:#14171a;--wash:#45c4b81f}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 "Inter","Segoe UI",system-ui,-apple-system,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
main,header,footer{max-width:50rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:4rem}
.eyebrow{margin:0;color:var(--soft);font-size:.82rem;letter-spacing:.04em}
h1{margin:.35rem 0 .6rem;font:600 clamp(1.7rem,4.5vw,2.5rem)/1.15 Charter,"Bitstream Charter","Iowan Old Style",Georgia,serif;letter-spacing:-.01em;text-wrap:balance}
.lede{margin:0;max-width:42rem;font-size:1.1rem;color:var(--soft);text-wrap:pretty}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:0 1.6rem;margin:2rem 0 0;padding:0;border-top:2px solid var(--ink)}
.figures div{padding:.8rem 0 .9rem;border-bottom:1px solid var(--rule)}
.figures dt{color:var(--soft);font-size:.82rem}
.figures dd{margin:0;font-size:1.45rem;white-space:nowrap;font-weight:600;line-height:1.25;letter-spacing:-.01em}
.figures dd small{display:block;white-space:normal;font-size:.8rem;font-weight:400;color:var(--soft);letter-spacing:0}
section{margin-top:3.4rem}
h2{margin:0 0 .3rem;font:600 1.35rem/1.3 Charter,"Bitstream Charter","Iowan Old Style",Georgia,serif}
h3{margin:1.8rem 0 .4rem;font-size:.95rem;font-weight:600}
p{margin:.4rem 0 1rem;max-width:42rem;text-wrap:pretty}
section>p{color:var(--soft)}
a{color:var(--s3);text-underline-offset:.18em}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--s3);outline-offset:3px;border-radius:2px}
figure{margin:1.4rem 0 0}
figcaption{font-size:.88rem;color:var(--soft);margin-bottom:.5rem}
figcaption b{color:var(--ink);font-weight:600}
.scroll{overflow-x:auto}
svg{display:block;width:100%;min-width:34rem;height:auto;overflow:visible;font-size:12px;fill:var(--ink)}
svg .grid{stroke:var(--grid)}svg .axis{stroke:var(--soft);stroke-opacity:.55}
svg .tick,svg .name{fill:var(--soft)}svg .ink{fill:var(--ink)}svg .name{font-size:11.5px}
svg .group{font-weight:600;font-size:13px}svg .figure{font-weight:600}svg .figure .tick{font-weight:400}
svg .note{fill:var(--bad);font-size:11.5px}svg .level{stroke:var(--bad);stroke-dasharray:2 3}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}svg .whisker{fill:none;stroke-width:2}
svg .band{stroke:none;opacity:.16}svg .end{font-weight:600}svg .bar{fill:var(--s3);opacity:.85}
svg .dot.front{fill:var(--paper);stroke:var(--s3);stroke-width:2}svg .dot.behind{fill:var(--s0);opacity:.45}
svg .line.front{stroke:var(--s3);stroke-width:1.25;opacity:.6}svg .dot.chosen,svg .end.chosen{fill:var(--good)}
svg .dot.chosen{stroke:var(--paper);stroke-width:2}svg .on{fill:var(--on);font-weight:600}
svg .mark{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3;opacity:.7}svg .mark.drift{stroke:var(--bad)}svg .mark.deployment{stroke:var(--good)}
.chip{fill:var(--soft)}.chip.drift{fill:var(--bad)}.chip.deployment{fill:var(--good)}svg .key{fill:var(--on);font-size:10.5px;font-weight:700}
${[0, 1, 2, 3, 4, 5].map((i) => `svg .line.s${i},svg .whisker.s${i}{stroke:var(--s${i})}svg .dot.s${i},svg .band.s${i},svg .end.s${i},svg .span.s${i}{fill:var(--s${i})}`).join('')}
svg .line.s0{stroke-dasharray:2 4}svg .line.s1{stroke-dasharray:8 4}
table{border-collapse:collapse;width:100%;font-size:.92rem}
caption{text-align:left;color:var(--soft);font-size:.88rem;padding-bottom:.4rem}
th,td{padding:.5rem .9rem .5rem 0;text-align:right;border-bottom:1px solid var(--rule);vertical-align:baseline;white-space:nowrap}
th:first-child,td:first-child,.text{text-align:left}td.text,th.text{white-space:normal;padding-left:1.2rem}
figure+.scroll{margin-top:1.4rem}
thead th{white-space:normal;vertical-align:bottom;color:var(--soft);font-weight:500;font-size:.82rem;border-bottom:1px solid var(--ink)}
tbody th{font-weight:600}tr.chosen{background:var(--wash)}td small{display:block;color:var(--soft);font-size:.78rem}
th:last-child,td:last-child{padding-right:.2rem}
.confusion{width:auto;min-width:13.5rem}.confusion th,.confusion td{text-align:center;padding:.5rem .8rem}.confusion td b{display:block;font-size:1.05rem}
.confusion td span{font-size:.78rem;color:var(--soft)}.confusion .hit{background:color-mix(in srgb,var(--good) calc(var(--share)*32%),transparent)}
.confusion .miss{background:color-mix(in srgb,var(--bad) calc(var(--share)*60%),transparent)}.matrices{display:flex;flex-wrap:wrap;gap:1.6rem 2.2rem}
pre{margin:.6rem 0 0;padding:1rem 1.2rem;background:var(--raised);border:1px solid var(--rule);border-radius:4px;overflow-x:auto;font:13px/1.6 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;tab-size:2}
code{font:.9em ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
ins,del{text-decoration:none;display:block;margin:0 -1.2rem;padding:0 1.2rem}ins{background:color-mix(in srgb,var(--good) 15%,transparent)}del{background:color-mix(in srgb,var(--bad) 13%,transparent)}
.state{font-weight:600}.state.yes{color:var(--good)}.state.no{color:var(--bad)}.state.open{color:var(--warn)}
ol.keys{list-style:none;margin:.9rem 0 0;padding:0;font-size:.92rem}ol.keys li{display:grid;grid-template-columns:1.4rem 5.5rem 1fr;gap:.5rem;align-items:baseline;padding:.28rem 0;border-bottom:1px solid var(--grid)}
ol.keys b{display:inline-grid;place-items:center;width:1.25rem;height:1.25rem;border-radius:50%;background:var(--soft);color:var(--on);font-size:.7rem}
ol.keys .drift b{background:var(--bad)}ol.keys .deployment b{background:var(--good)}ol.keys span{color:var(--soft)}
ul.tree,ul.tree ul{list-style:none;margin:0;padding-left:1.1rem;border-left:1px solid var(--rule)}ul.tree{padding-left:0;border:0;font-size:.92rem}ul.tree li{padding:.15rem 0 .15rem .2rem}
details{margin-top:1rem}summary{cursor:pointer;color:var(--soft);font-size:.9rem}
dl.pairs{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.4rem;font-size:.9rem}dl.pairs dt{color:var(--soft)}dl.pairs dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:4.5rem;padding-top:1.1rem;padding-bottom:3rem;color:var(--soft);font-size:.85rem;border-top:1px solid var(--rule)}
@media (max-width:40rem){header{padding-top:2.2rem}section{margin-top:2.6rem}}
@media print{body{background:none;font-size:11pt}section{break-inside:avoid}pre{white-space:pre-wrap}header{padding-top:0}}
`;
