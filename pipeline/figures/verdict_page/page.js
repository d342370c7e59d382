"use strict";
const shot = JSON.parse(document.getElementById("shot").textContent);
const [before, after] = document.querySelectorAll(".pair img");
const scrub = document.getElementById("scrub"), clock = document.getElementById("clock");
const pair = document.querySelector(".pair"), play = document.getElementById("play");
let timer = 0;
function show(number) {
  const still = shot.stills[number];
  if (!still) return;
  scrub.value = number;
  before.src = still.before; after.src = still.after;
  clock.textContent = still.time.toFixed(2) + " s · " + still.frame;
  const x = 1000 * (still.time - shot.start) / Math.max(shot.end - shot.start, 1e-9);
  for (const line of document.querySelectorAll(".now")) { line.setAttribute("x1", x); line.setAttribute("x2", x); }
}
function nearest(frame) {
  let best = 0;
  shot.stills.forEach((s, n) => { if (Math.abs(s.frame - frame) < Math.abs(shot.stills[best].frame - frame)) best = n; });
  return best;
}
function stop() { clearInterval(timer); timer = 0; play.textContent = "Play"; }
play.onclick = () => {
  if (timer) return stop();
  play.textContent = "Stop";
  timer = setInterval(() => show((+scrub.value + 1) % shot.stills.length), shot.step_ms);
};
scrub.oninput = () => { stop(); show(+scrub.value); };
for (const jump of document.querySelectorAll("[data-frame]")) jump.onclick = () => {
  stop(); show(nearest(+jump.dataset.frame)); pair.scrollIntoView({ block: "nearest", behavior: "smooth" });
};
for (const mode of document.querySelectorAll("[data-mode]")) mode.onclick = () => {
  for (const other of document.querySelectorAll("[data-mode]")) other.setAttribute("aria-pressed", other === mode);
  pair.classList.toggle("wipe", mode.dataset.mode === "wipe");
};
pair.onpointermove = event => {
  const box = pair.getBoundingClientRect();
  pair.style.setProperty("--cut", 100 * (event.clientX - box.left) / box.width + "%");
};
document.onkeydown = event => {
  if (event.target === scrub) return;
  if (event.key === "ArrowRight") { stop(); show(Math.min(+scrub.value + 1, shot.stills.length - 1)); }
  if (event.key === "ArrowLeft") { stop(); show(Math.max(+scrub.value - 1, 0)); }
};
show(nearest(shot.strongest));
