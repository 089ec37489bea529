// The page: what is chosen at the left becomes a request, its response the pictures at the right.

import { drawHeat, drawOutline } from "./drawing.js";
import { Pictures } from "./pictures.js";
import { bySizeOfModel, curl, recipeYaml, requestRecipe } from "./recipe.js";
import { blob, form, get, Problem, send } from "./service.js";

const SETTLING = 100; // milliseconds without a move of the slider before its number is requested
const element = (id) => document.getElementById(id);

let methods = [];
let models = [];
let running = new AbortController();
let settling = 0;
let links = [];
const strengths = new Map(); // the strength that was set for a method, by its name

const pictures = new Pictures(usePicture, (sentence) => notify(sentence, "error"));

// What is chosen

const method = () => methods.find((each) => each.method === element("method").value);
const model = () => models.find((each) => each.name === element("model").value) ?? models[0];
const side = () => document.querySelector("[name=side]:checked").value;

/** The products that the model knows apart, where there are several. */
function knownProducts() {
  const known = method().diffusion ? (model().categories ?? []) : [];
  return known.length > 1 ? known : [];
}

function randomSeed() {
  return String(crypto.getRandomValues(new Uint32Array(1))[0]);
}

/** The request as it stands, or null with a notice of what is missing. */
async function chosenRequest(signal) {
  const chosen = method();
  const used = await pictures.used(chosen.needs_other_images);
  if (signal.aborted) return null;
  const [current] = used;
  pictures.needsMore = chosen.needs_other_images && used.length === 1 && !current.href;
  if (!current) return notify("Drop a picture of a good product here, or choose a file.");
  if (chosen.needs_other_images && used.length < 2) {
    const advice = current.href ? "drop two or more pictures of your own product." : "drop a second one, or choose its file.";
    return notify(`${chosen.method} needs another picture of the same product: ${advice}`);
  }
  if (!element("seed").validity.valid) return notify("A seed is a whole number of at most 18 digits.", "error");
  return {
    pictures: used,
    recipe: requestRecipe({ method: chosen, model: model(), picture: current, side: side() }),
    seed: element("seed").value,
    strength: Number(element("strength").value),
    category: knownProducts().length ? element("category").value : "",
  };
}

/** Let the controls say what the chosen method takes. */
function showMethod() {
  const chosen = method();
  const slider = element("strength");
  const [low, high] = chosen.strength;
  const [first, last] = chosen.default;
  slider.max = high;
  slider.min = chosen.strength_name === "delta" ? Math.max(low, slider.step) : low; // with an opacity of 0 there is no defect
  slider.value = strengths.get(chosen.method) ?? (first + last) / 2;
  element("method-title").textContent = chosen.title;
  element("model-field").hidden = !chosen.diffusion || models.length < 2;
  showStrength();
  showModel();
}

function showStrength() {
  const shown = `${method().strength_name} ${Number(element("strength").value).toFixed(2)}`;
  element("strength-value").textContent = shown;
  element("strength").setAttribute("aria-valuetext", shown);
}

function showModel() {
  const known = knownProducts();
  const wanted = [pictures.current?.category, element("category").value].find((name) => known.includes(name));
  element("category").replaceChildren(...known.map((name) => new Option(name, name, false, name === wanted)));
  element("category-field").hidden = !known.length;

  const fixed = bySizeOfModel(method(), model());
  for (const radio of document.getElementsByName("side")) radio.disabled = fixed;
  const [height, width] = model()?.image_size ?? [];
  element("side-hint").textContent = fixed ? `The model's images are ${width} × ${height}.` : "";
}

// Messages

function notify(sentence, kind = "") {
  element("notice-text").textContent = sentence;
  element("notice").className = `notice ${kind}`;
  element("notice").hidden = !sentence;
  element("retry").hidden = true;
  return null;
}

function showStatus(sentence, isDone = false) {
  element("status").textContent = sentence;
  element("status").classList.toggle("done", isDone);
}

function setBusy(isBusy) {
  element("result").classList.toggle("busy", isBusy);
  element("panels").ariaBusy = String(isBusy);
}

const waiting = (seconds) => showStatus(`The server is busy; trying again in ${seconds} s`);

// Requests

function usePicture() {
  if (methods.length) showModel();
  update();
}

/** Request the sample that is chosen now; an older request is given up. */
async function update() {
  clearTimeout(settling);
  running.abort();
  running = new AbortController();
  const { signal } = running;
  if (!methods.length) return;
  notify("");
  showStatus("");
  setBusy(true); // what is shown is no longer what is chosen
  const slow = setTimeout(() => showStatus("Making it…"), 400);
  try {
    const request = await chosenRequest(signal);
    if (!request) return;
    const started = performance.now();
    const options = { method: "POST", body: form(request), headers: { Accept: "application/json" }, signal };
    const [sample] = (await (await send("v1/anomalies", options, waiting)).json()).samples;
    const taken = performance.now() - started;
    await show(sample, request, taken, signal);
  } catch (error) {
    if (signal.aborted) return;
    fail(error);
  } finally {
    clearTimeout(slow);
  }
  pictures.showBuiltin();
}

function fail(error) {
  if (!(error instanceof Problem)) console.error(error);
  notify(error.lines?.join("\n") ?? "The response could not be read; try again.", "error");
  element("retry").hidden = false;
  showStatus("");
}

// Showing

async function show(sample, request, taken, signal) {
  const blobs = {
    image: blob(sample.image, sample.media_type),
    mask: blob(sample.mask, "image/png"),
    normal: sample.normal && blob(sample.normal, "image/png"),
  };
  const opened = (file) => file && createImageBitmap(file, { colorSpaceConversion: "none" });
  const [image, mask, normal] = await Promise.all([blobs.image, blobs.mask, blobs.normal].map(opened));
  if (signal.aborted) return;

  for (const link of links) URL.revokeObjectURL(link);
  const facts = new Blob([`${JSON.stringify(sample.facts, null, 2)}\n`], { type: "application/json" });
  links = [blobs.image, blobs.mask, facts, ...(normal ? [blobs.normal] : [])].map((file) => URL.createObjectURL(file));
  const [imageLink, maskLink, factsLink, normalLink] = links;
  const base = `${request.pictures[0].file.name.replace(/\.[^.]*$/, "")}-${sample.facts.method}-${request.seed}`;
  place("image", imageLink, image);
  place("mask", maskLink, mask);
  place("normal", normalLink, normal);
  save("save-image", imageLink, `${base}.png`);
  save("save-mask", maskLink, `${base}.mask.png`);
  save("save-facts", factsLink, `${base}.json`);
  drawOutline(element("outline"), image, mask);
  element("outline").hidden = false;
  element("heat").hidden = !normal;
  for (const id of ["normal", "heat"]) element(id).parentElement.dataset.empty = "No pair: the model makes the whole picture";
  if (normal) drawHeat(element("heat"), normal, image);
  for (const bitmap of [image, mask, normal]) bitmap?.close();

  showTexts(request);
  showFacts(sample.facts, request, taken);
  setBusy(false);
}

function place(id, link, bitmap) {
  const image = element(id);
  image.hidden = !link;
  if (link) Object.assign(image, { src: link, width: bitmap.width, height: bitmap.height });
}

function save(id, link, name) {
  Object.assign(element(id), { href: link, download: name });
}

function showTexts(request) {
  const kind = method().strength_name;
  element("recipe").textContent = recipeYaml({ ...request, kind });
  const origin = new URL(".", document.baseURI).href.replace(/\/$/, "");
  element("request").textContent = curl(request, origin, document.body.dataset.wantsKey === "true");
  element("actions").hidden = false;
  element("download").onclick = () => download(request);
}

function showFacts(facts, request, taken) {
  const isDefect = facts.outcome === "anomalous";
  const percent = `${Number((100 * facts.area).toPrecision(2))} %`;
  const strength = request.strength.toFixed(2);
  const rows = [
    ["Method", facts.method],
    [method().strength_name, strength],
    ["Area", isDefect ? percent : "none"],
    ["Contrast", isDefect && facts.paired ? `${facts.contrast.toFixed(1)} grey levels` : "none"],
    ["Size", `${facts.width} × ${facts.height}`],
    ["Seed", request.seed],
    ["Time", taken < 1000 ? `${Math.round(taken)} ms` : `${(taken / 1000).toFixed(1)} s`],
  ];
  element("facts").replaceChildren(
    ...rows.map((row) => {
      const pair = document.createElement("div");
      pair.append(...["dt", "dd"].map((tag, at) => Object.assign(document.createElement(tag), { textContent: row[at] })));
      return pair;
    }),
  );
  if (facts.outcome === "rejected") {
    notify(`No defect: ${facts.reason.replace(/\.$/, "")}. The picture was left normal; reroll, or change the strength.`);
  }
  showStatus(isDefect ? `${facts.method}, ${method().strength_name} ${strength}, area ${percent}` : "No defect", true);
}

// Taking it along

async function download(request) {
  const button = element("download");
  button.disabled = true;
  try {
    const options = { method: "POST", body: form(request), headers: { Accept: "application/x-tar" } };
    const link = URL.createObjectURL(await (await send("v1/anomalies", options, waiting)).blob());
    const name = element("save-facts").download.replace(/json$/, "tar");
    Object.assign(document.createElement("a"), { href: link, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(link), 60_000);
    showStatus(`Downloaded ${name}`, true);
  } catch (error) {
    fail(error);
  }
  button.disabled = false;
}

async function copy(button) {
  const source = element(button.dataset.copy);
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
    showStatus("Copied", true);
  } catch {
    // Without https a browser may forbid it: then the text stands there, selected.
    source.closest("details").open = true;
    getSelection().selectAllChildren(source);
    button.textContent = "Ctrl + C";
    showStatus("Selected; press Ctrl + C to copy", true);
  }
  setTimeout(() => (button.textContent = label), 1500);
}

// Wiring

function reroll() {
  element("seed").value = randomSeed();
  update();
}

element("controls").addEventListener("submit", (event) => event.preventDefault());
element("method").addEventListener("change", () => {
  showMethod();
  update();
});
element("model").addEventListener("change", () => {
  showModel();
  update();
});
element("category").addEventListener("change", update);
element("sides").addEventListener("change", update);
element("seed").addEventListener("change", update);
element("reroll").addEventListener("click", reroll);
element("retry").addEventListener("click", () => (methods.length ? update() : start()));
element("strength").addEventListener("input", () => {
  strengths.set(method().method, element("strength").value);
  showStrength();
  clearTimeout(settling);
  settling = setTimeout(update, SETTLING);
});
for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));
addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input:not([type=range], [type=radio]), select, textarea");
  if (event.key.toLowerCase() !== "r" || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
  event.preventDefault();
  reroll();
});

async function start() {
  notify("");
  element("seed").value ||= randomSeed();
  try {
    const [offered, known, builtin] = await Promise.all([get("v1/methods"), get("v1/models"), get("v1/pictures")]);
    ({ models } = known);
    methods = offered.methods.filter((each) => !each.diffusion || models.length);
    element("method").replaceChildren(...methods.map((each) => new Option(each.method)));
    element("model").replaceChildren(...models.map((each) => new Option(each.name)));
    showMethod();
    await pictures.offer(builtin.pictures);
    if (!builtin.pictures.length) update();
  } catch (error) {
    fail(error);
  }
}

start();
