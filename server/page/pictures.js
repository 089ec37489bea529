// Which picture the defect goes into: a built-in one, or the user's own, chosen, dropped or pasted.

import { send } from "./service.js";

const READ = /\.(png|jpe?g|bmp|tiff?|webp)$/i;
const MOST = 16;

const element = (id) => document.getElementById(id);

/** A file with what the page has to know of it; width 0 where the browser cannot open it. */
async function opened(file, href = "") {
  const bitmap = await createImageBitmap(file).catch(() => ({ width: 0, height: 0, close() {} }));
  const { width, height } = bitmap;
  bitmap.close();
  return { file, href, width, height };
}

/** A picture of the strip: a radio button that looks like its thumbnail, or names a file that cannot be shown. */
function thumb(title, value, source) {
  const place = document.createElement("div");
  place.className = "thumb";
  const label = document.createElement("label");
  label.title = title;
  const radio = Object.assign(document.createElement("input"), { type: "radio", name: "picture", value, className: "hidden" });
  const shown = source
    ? Object.assign(document.createElement("img"), { src: source, alt: title, decoding: "async" })
    : Object.assign(document.createElement("span"), { textContent: title });
  label.append(radio, shown);
  place.append(label);
  return place;
}

export class Pictures {
  /** `changed` is called whenever another picture is to be used, `refused` with a sentence for what is none. */
  constructor(changed, refused) {
    Object.assign(this, { changed, refused, own: [], offered: [], builtin: new Map(), current: null, needsMore: false });
    element("pictures").addEventListener("change", (event) => event.target.name === "picture" && this.choose(event.target.value));
    element("files").addEventListener("change", (event) => {
      this.add([...event.target.files]);
      event.target.value = ""; // the same file may be chosen again
    });
    addEventListener("paste", (event) => event.clipboardData.files.length && this.add([...event.clipboardData.files]));
    addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      document.body.classList.add("dragging");
    });
    addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragging"));
    addEventListener("drop", (event) => {
      document.body.classList.remove("dragging");
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      this.add([...event.dataTransfer.files]);
    });
  }

  /** The pictures of a request: the current one first; others of the product too, where the method needs them. */
  async used(withOthers) {
    const { current } = this;
    if (!withOthers || !current) return current ? [current] : [];
    if (!current.href) return [current, ...this.own.filter((picture) => picture !== current)];
    const other = this.offered.find((each) => each.category === current.category && each.name !== current.name);
    return [current, ...(other ? [await this.load(other)] : [])];
  }

  /** Offer a built-in picture of each product, the first of them chosen. */
  async offer(pictures) {
    this.offered = pictures;
    const isFirst = ({ category }, place) => pictures.findIndex((each) => each.category === category) === place;
    for (const picture of pictures.filter(isFirst)) this.builtin.set(`builtin ${picture.name}`, picture);
    const [first] = this.builtin.keys();
    if (first) await this.choose(first);
  }

  /** Thumbnails come last: the first result does not wait for them. */
  showBuiltin() {
    if (element("builtin").childElementCount) return;
    element("builtin").append(...[...this.builtin].map(([value, picture]) => thumb(picture.title, value, picture.href)));
    this.mark();
  }

  async choose(value) {
    this.chosen = value;
    const builtin = this.builtin.get(value);
    let picture = this.own.find((each) => each.value === value);
    if (builtin) {
      try {
        picture = await this.load(builtin);
      } catch (error) {
        this.refused(error.message);
        return;
      }
    }
    if (this.chosen !== value) return; // another was chosen while this one was loading
    this.current = picture ?? null;
    this.mark();
    this.changed();
  }

  /** A built-in picture with its file, fetched once. */
  async load(picture) {
    const { name, category, href } = picture;
    if (!picture.opened) {
      const data = await (await send(href)).blob();
      const file = new File([data], `${name}.png`, { type: "image/png" });
      picture.opened = { name, category, ...(await opened(file, href)) };
    }
    return picture.opened;
  }

  /** Take the user's files: in place of those before, or in addition where the method needs more. */
  async add(files, keep = this.needsMore) {
    const images = files.filter((file) => file.type.startsWith("image/") || READ.test(file.name));
    if (!images.length) {
      if (files.length) this.refused(`${files[0].name} is not a picture; PNG, JPEG, BMP, TIFF and WebP can be used.`);
      return;
    }
    const kept = keep ? this.own : [];
    const added = await Promise.all(images.slice(0, MOST - kept.length).map((file) => opened(file)));
    for (const picture of added) {
      Object.assign(picture, { value: `own ${crypto.getRandomValues(new Uint32Array(2)).join("")}`, url: URL.createObjectURL(picture.file) });
    }
    for (const picture of this.own) kept.includes(picture) || URL.revokeObjectURL(picture.url);
    this.own = [...kept, ...added];
    this.showOwn();
    await this.choose((kept.find((picture) => picture === this.current) ?? added[0] ?? kept[0]).value);
  }

  remove(picture) {
    this.own = this.own.filter((each) => each !== picture);
    URL.revokeObjectURL(picture.url);
    this.showOwn();
    const next = picture === this.current ? (this.own[0]?.value ?? this.builtin.keys().next().value) : this.chosen;
    element("files").focus();
    this.choose(next);
  }

  showOwn() {
    element("own").replaceChildren(
      ...this.own.map((picture) => {
        const place = thumb(picture.file.name, picture.value, picture.width ? picture.url : "");
        const button = Object.assign(document.createElement("button"), { type: "button", ariaLabel: `Remove ${picture.file.name}` });
        button.append(Object.assign(document.createElement("span"), { textContent: "×" }));
        button.addEventListener("click", () => this.remove(picture));
        place.append(button);
        return place;
      }),
    );
    this.mark();
  }

  mark() {
    for (const radio of document.getElementsByName("picture")) radio.checked = radio.value === this.chosen;
  }
}
