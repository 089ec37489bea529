// What the page requests, as the request's recipe, as a whole recipe in YAML, and as a curl command.

/** The size [height, width] whose longer side is at most `side`, as the picture's proportions are. */
function scaled(picture, side) {
  if (side === "native" || !picture.width) return "native"; // the browser cannot open it (TIFF): the server can
  const scale = Math.min(1, Number(side) / Math.max(picture.width, picture.height));
  return [picture.height, picture.width].map((length) => Math.max(16, Math.round(length * scale)));
}

/** Whether the model sees patches of images of one size, which the samples must then have. */
export const bySizeOfModel = (method, model) => method.diffusion && method.paired !== false && model?.view === "patch";

/** The recipe of a request: which method, model and size. */
export function requestRecipe({ method, model, picture, side }) {
  const synthesizer = { method: method.method };
  if (method.diffusion) {
    synthesizer.model = model.name;
    synthesizer.view = bySizeOfModel(method, model) ? "patch" : "resized";
    // The published masks are for whole images; on a patch they would be specks.
    if (synthesizer.view === "patch") synthesizer.mask = { scales: [0, 2], threshold: 0.15 };
  }
  return {
    size: bySizeOfModel(method, model) ? model.image_size : scaled(picture, side),
    synthesizers: [synthesizer],
    foreground: "auto",
    normal_share: 0,
    output: { image_format: "png", keep_normal: method.paired !== false },
  };
}

/** A value in one line of YAML. */
function inline(value) {
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([key, inner]) => `${key}: ${inline(inner)}`).join(", ")}}`;
  }
  const isPlain = typeof value !== "string" || /^(?!(?:y|n|yes|no|on|off|true|false|null)$)[a-z][a-z0-9_/-]*$/i.test(value);
  return isPlain ? String(value) : JSON.stringify(value); // JSON's quoted strings are YAML's
}

/** A recipe that `synthgen generate` takes: the request's, for a folder of pictures, with the strength in it. */
export function recipeYaml({ recipe, kind, strength, seed, category }) {
  const { size, synthesizers, foreground, normal_share, output } = recipe;
  const { method } = synthesizers[0];
  const parameters = Object.entries({ ...synthesizers[0], [kind]: [strength, strength] });
  // A folder's name is its product's, which a model of several products has to know.
  const source = { kind: "folder", path: category ? `good/${category}` : "good" };
  return `# synthgen generate ${method}.yaml --out shards
name: ${method}
seed: ${seed}
count: 1000
source: ${inline(source)}   # the folder with your pictures of good products
size: ${inline(size)}
normal_share: ${inline(normal_share)}
foreground: ${inline(foreground)}
synthesizers:
  - ${parameters.map(([key, value]) => `${key}: ${inline(value)}`).join("\n    ")}
output: ${inline(output)}
`;
}

const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A file as curl's -F takes it: in quotes of its own, so that commas and semicolons are part of the name. */
const upload = (name) => shell(`images=@"${name.replace(/["\\]/g, "\\$&")}"`);

/**
 * The request as a command; its response is a tar with image, mask, normal image and facts. Where the server
 * wants a key, the command takes it from the environment.
 */
export function curl({ pictures, recipe, seed, strength, category }, origin, wantsKey) {
  const command = wantsKey ? 'curl -fsS -H "X-API-Key: $SYNTHGEN_API_KEY"' : "curl -fsS";
  const builtin = pictures.filter(({ href }) => href);
  const fetched = builtin.map(({ href, file }) => `${command} ${shell(new URL(href, origin).href)} -o ${shell(file.name)}\n`);
  const lines = [
    `${command} ${shell(`${origin}/v1/anomalies`)} -H 'Accept: application/x-tar'`,
    ...pictures.map(({ file }) => `-F ${upload(file.name)}`),
    `--form-string ${shell(`recipe=${JSON.stringify(recipe)}`)}`,
    ...(category ? [`--form-string ${shell(`category=${category}`)}`] : []),
    `-F seed=${seed} -F strength=${strength} -o sample.tar`,
  ];
  return `${fetched.join("")}${lines.join(" \\\n  ")}\n`;
}
